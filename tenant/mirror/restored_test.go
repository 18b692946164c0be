package mirror_test

import (
	"strings"
	"testing"
	"time"
)

// TestWhoWasDeletedIsAskedForBeforeTheyAreBack: somebody was deleted, and a later delta tells of
// them again, all or a part, by itself or in a reading of everything. They have access again only
// if they are there when they are asked for, with what they are then, and with their groups.
func TestWhoWasDeletedIsAskedForBeforeTheyAreBack(t *testing.T) {
	t.Parallel()
	here := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,"jobTitle":"Dr"}`
	disabled := strings.Replace(here, "true", "false", 1)
	lost := `410 {"error":{"code":"syncStateNotFound"}}`
	without := strings.NewReplacer("ada@x*", "ada@x", "G:ah", "G:h").Replace(began)
	back := strings.Replace(without, "ada@x", "ada@x*", 1)
	for name, c := range map[string]struct {
		delta       string
		full        bool
		now, then   string
		next, state string
	}{
		"told again, and deleted":          {here, false, nobody, nobody, without, without},
		"told again, and restored later":   {here, false, nobody, here, without, back},
		"told in part, and restored":       {`{"id":"a","jobTitle":"Dr"}`, false, here, here, back, back},
		"told again, and disabled by now":  {here, false, disabled, disabled, without, without},
		"all is read, and they are not":    {here, true, nobody, nobody, without, without},
		"all is read, and they are":        {here, true, here, here, back, back},
		"told in part, and not restorable": {`{"id":"a","jobTitle":"Dr"}`, false, nobody, nobody, without, without},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			p.want(map[string]string{
				"/users/delta?d1": `{"value":[{"id":"a","@removed":{"reason":"changed"}}],
					"@odata.deltaLink":"HOST/users/delta?d2"}`,
				"/groups/delta?d1": `{"value":[{"id":"g","members@delta":[{"@odata.type":"#microsoft.graph.user",
					"id":"a","@removed":{"reason":"deleted"}}]}],"@odata.deltaLink":"HOST/groups/delta?d2"}`,
			}, without)
			groups := `{"value":[{"@odata.type":"#microsoft.graph.group","id":"g"}]}`
			memberships := "/users/a/memberOf"
			answer := map[string]string{
				"/users/delta?d2": `{"value":[` + c.delta + `],"@odata.deltaLink":"HOST/users/delta?d3"}`,
				"/users/a":        c.now, memberships: groups,
			}
			if c.full {
				answer["/users/delta?d2"] = lost
				answer[first] = `{"value":[` + c.delta + `],"@odata.nextLink":"HOST/users/delta?p2"}`
				answer["/users/delta?p2"] = strings.Replace(beginning["/users/delta?p2"], "d1", "d3", 1)
			}
			in := func(state string) string {
				if c.now == disabled || strings.Contains(state, "ada@x*") {
					state = strings.Replace(state, "G:h", "G:ah", 1)
				}
				if c.full && strings.Contains(state, "ada@x*") {
					state = strings.Replace(state, "(Dr,b,e,1)", "(Dr,,,)", 1)
				}
				return state
			}
			p.want(answer, in(c.next))
			at := time.Now().Add(2 * time.Minute)
			p.mirror.Tenant.Now = func() time.Time { return at }
			p.want(map[string]string{"/users/a": c.then, memberships: groups}, in(c.state))
		})
	}
}
