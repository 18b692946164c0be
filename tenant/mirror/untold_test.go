package mirror_test

import (
	"maps"
	"strings"
	"testing"
	"time"
)

// TestAnErrorIsNoAnswer: a group, or somebody, has come back, and who belongs to it is not told.
// What the Graph does not know yet is read later, and what it cannot say now fails the pull; only
// what it does not want to say is done without.
func TestAnErrorIsNoAnswer(t *testing.T) {
	t.Parallel()
	gone := map[string]string{
		"/users/delta?d1": `{"value":[{"id":"a","@removed":{"reason":"changed"}}],
			"@odata.deltaLink":"HOST/users/delta?d2"}`,
		"/groups/delta?d1": `{"value":[{"id":"g","@removed":{"reason":"changed"}},{"id":"h","members@delta":[
			{"@odata.type":"#microsoft.graph.user","id":"c"}]}],"@odata.deltaLink":"HOST/groups/delta?d2"}`,
	}
	const left = "a=ada@x(Dr,b,e,1) b=bob@x* c=cy@x h=H:c"
	group := `{"id":"g","displayName":"G","securityEnabled":true}`
	ada := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,"jobTitle":"Dr"}`
	page := func(kind, object string) string {
		return `{"value":[` + object + `],"@odata.deltaLink":"HOST/` + kind + `/delta?d3"}`
	}
	for what, c := range map[string]struct {
		path, list  string
		answer      map[string]string
		none, whole string
	}{
		"a group": {
			"/groups/g/members", `{"value":[{"@odata.type":"#microsoft.graph.user","id":"b"}]}`,
			map[string]string{"/groups/delta?d2": page("groups", group), "/groups/g": group},
			strings.Replace(left, "h=", "g=G: h=", 1), strings.Replace(left, "h=", "g=G:b h=", 1),
		},
		"somebody": {
			"/users/a/memberOf", `{"value":[{"@odata.type":"#microsoft.graph.group","id":"h"}]}`,
			map[string]string{"/users/delta?d2": page("users", ada), "/users/a": ada},
			strings.Replace(left, "ada@x", "ada@x*", 1),
			strings.NewReplacer("ada@x", "ada@x*", "H:c", "H:ac").Replace(left),
		},
	} {
		for name, answer := range map[string]struct {
			body  string
			fails bool
			later bool
		}{
			"signed out":    {`401 {"error":{"code":"InvalidAuthenticationToken"}}`, true, true},
			"slow":          {`408 {"error":{"code":"RequestTimeout"}}`, true, true},
			"not found yet": {nobody, false, true},
			"refused":       {`403 {"error":{"code":"Authorization_RequestDenied"}}`, false, false},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				p := newPages(t)
				p.want(beginning, began)
				p.want(gone, left)
				now := maps.Clone(c.answer)
				now[c.path] = answer.body
				want := c.none
				if answer.fails {
					want = left
				}
				if state, err := p.pull(now); (err != nil) != answer.fails || state != want {
					t.Errorf("have %s, %v\nwant %s", state, err, want)
				}
				at := time.Now().Add(2 * time.Minute)
				p.mirror.Tenant.Now = func() time.Time { return at }
				if !answer.fails {
					p.want(now, c.none) // and is not found once more
				}
				at = at.Add(2 * time.Minute)
				if now[c.path] = c.list; answer.later {
					want = c.whole
				}
				p.want(now, want)
			})
		}
	}
}
