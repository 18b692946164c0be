package mirror_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
)

// TestWhatCannotBeReadIsLeftOut: one user or group cannot be read by itself, for good. The pull
// goes on, and who has left is known by it; of that one stays what was known, and it is said. When
// it can be read again, it is.
func TestWhatCannotBeReadIsLeftOut(t *testing.T) {
	t.Parallel()
	leaver := `{"id":"b","accountEnabled":false}`
	users := func(objects string) string {
		return `{"value":[` + objects + `,` + leaver + `],"@odata.deltaLink":"HOST/users/delta?d2"}`
	}
	groups := func(objects string) string {
		return `{"value":[` + objects + `],"@odata.deltaLink":"HOST/groups/delta?d2"}`
	}
	const left = "a=ada@x*(Dr,b,e,1) b=bob@x c=cy@x g=G:ah h=H:"
	lost := `410 {"error":{"code":"resyncRequired"}}`
	ada := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,"jobTitle":"Dr"}`
	gone := strings.NewReplacer("ada@x*", "ada@x").Replace(left)
	g := `{"id":"g","displayName":"G","securityEnabled":true}`
	onlyB := `{"id":"b","userPrincipalName":"bob@x","displayName":"Bob","accountEnabled":true},
		{"id":"c","userPrincipalName":"cy@x","displayName":"Cy","accountEnabled":false}`
	onlyH := `{"id":"h","displayName":"H","securityEnabled":true}`
	for what, c := range map[string]struct {
		answer     map[string]string
		path, body string // what cannot be read, and what it is
		more       map[string]string
		want, then string
	}{
		"somebody who is unknown": {
			map[string]string{"/users/delta?d1": users(`{"id":"y","jobTitle":"Dr"}`)},
			"/users/y", `{"id":"y","userPrincipalName":"yan@x","displayName":"Yan","accountEnabled":true}`, nil,
			left, left + " y=yan@x*",
		},
		"somebody who is there and not": {
			map[string]string{"/users/delta?d1": users(ada + `,{"id":"a","@removed":{"reason":"changed"}}`)},
			"/users/a", ada, nil, gone, left,
		},
		"somebody who is not there and is": {
			map[string]string{"/users/delta?d1": users(`{"id":"a","@removed":{"reason":"changed"}},` + ada)},
			"/users/a", ada, nil, gone, left,
		},
		"somebody who does not come any more": {
			map[string]string{"/users/delta?d1": lost, first: users(onlyB)},
			"/users/a", ada, map[string]string{"/users/a/manager": `{"id":"c"}`},
			left, strings.Replace(left, "(Dr,b,", "(Dr,c,", 1),
		},
		"a group that does not come any more": {
			map[string]string{
				"/users/delta?d1": users(`{"id":"c"}`), "/groups/delta?d1": lost, firstGroups: groups(onlyH),
			},
			"/groups/g", g,
			map[string]string{"/groups/g/members": `{"value":[{"@odata.type":"#microsoft.graph.user","id":"b"}]}`},
			left, strings.Replace(left, "G:ah", "G:b", 1),
		},
		"who is in a group that has come": {
			map[string]string{
				"/users/delta?d1":  users(`{"id":"c"}`),
				"/groups/delta?d1": groups(`{"id":"i","displayName":"I"}`),
			},
			"/groups/i/members", `{"value":[{"@odata.type":"#microsoft.graph.user","id":"a"}]}`,
			map[string]string{"/groups/i": `{"id":"i","displayName":"I"}`}, left + " i=I:", left + " i=I:a",
		},
	} {
		for name, body := range map[string]string{
			"bad request": `400 {"error":{"code":"Request_BadRequest","message":"no"}}`,
			"gone":        `410 {"error":{"code":"Gone","message":"no"}}`,
			"odd":         `422 {"error":{"code":"UnprocessableEntity","message":"no"}}`,
			"forbidden":   `403 {"error":{"code":"Authorization_RequestDenied","message":"no"}}`,
		} {
			if strings.HasSuffix(c.path, "members") && name == "forbidden" {
				continue // that is how Entra ID hides who is in a group
			}
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				p := newPages(t)
				p.want(beginning, began)
				answer := maps.Clone(c.answer)
				maps.Copy(answer, c.more)
				answer[c.path] = body
				p.want(answer, c.want)
				p.leftOut(c.path, true)
				at := time.Now()
				p.mirror.Tenant.Now = func() time.Time { return at }
				later := map[string]string{}
				maps.Copy(later, c.more)
				for range 4 {
					at = at.Add(time.Hour)
					later[c.path] = body
					p.want(later, c.want)
					p.leftOut(c.path, true)
				}
				at = at.Add(2 * time.Hour)
				later[c.path] = c.body
				p.want(later, c.then)
				p.leftOut(c.path, false)
			})
		}
	}
}

// TestWhatEndsOnePullAfterTheOtherIsLeftOut: a Graph has an error of its own with somebody, each
// time, or says something of them that cannot be. A pull ends there, and another one; then they are
// left out, whichever process it is. One who asks to wait, or does not know who asks, says nothing
// of anybody.
func TestWhatEndsOnePullAfterTheOtherIsLeftOut(t *testing.T) {
	t.Parallel()
	partly, ada := `{"id":"y","jobTitle":"Dr"}`, `{"id":"a","userPrincipalName":"ada@x"}`
	for name, c := range map[string]struct {
		answer map[string]string
		at     string
		never  bool
	}{
		"an error of its own": {
			map[string]string{"/users/y": `500 {"error":{"code":"UnknownError"}}`}, "/users/y", false,
		},
		"a page":         {map[string]string{"/users/y": `<html>`}, "/users/y", false},
		"a proxy's 404":  {map[string]string{"/users/y": `404 <html>`}, "/users/y", false},
		"somebody else":  {map[string]string{"/users/y": ada}, "/users/y", false},
		"without a name": {map[string]string{"/users/y": `{"id":"y","accountEnabled":true}`}, "/users/y", false},
		"signed out":     {map[string]string{"/users/y": `401 {"error":{"code":"InvalidToken"}}`}, "/users/y", true},
		"their groups": {
			map[string]string{
				"/users/b": `{"id":"b","userPrincipalName":"bob@x","displayName":"Bob","accountEnabled":true}`,
				"/users/delta?d1": `{"value":[{"id":"b","@removed":{"reason":"deleted"}},{"id":"b",
					"userPrincipalName":"bob@x","displayName":"Bob","accountEnabled":true},
					{"id":"c","jobTitle":"Dr"}],"@odata.deltaLink":"HOST/users/delta?d2"}`,
				"/users/b/memberOf": `500 {"error":{"code":"UnknownError"}}`,
			}, "/users/b", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			if c.answer["/users/delta?d1"] == "" {
				c.answer["/users/delta?d1"] = `{"value":[` + partly + `,{"id":"c","jobTitle":"Dr"}],
					"@odata.deltaLink":"HOST/users/delta?d2"}`
			}
			for range 2 {
				if state, err := p.pull(c.answer); err == nil || strings.Contains(state, "Dr,,,") {
					t.Errorf("%s, %v", state, err)
				}
				p.mirror = &mirror.Mirror{Tenant: p.mirror.Tenant, Graph: p.mirror.Graph}
			}
			if c.never {
				if state, err := p.pull(c.answer); err == nil {
					t.Error(state)
				}
				return
			}
			p.want(c.answer, strings.Replace(began, "cy@x", "cy@x(Dr,,,)", 1))
			p.leftOut(c.at, true)
			at := time.Now().Add(2 * time.Minute)
			p.mirror.Tenant.Now = func() time.Time { return at }
			delete(c.answer, "/users/delta?d1")
			p.want(c.answer, strings.Replace(began, "cy@x", "cy@x(Dr,,,)", 1))
			p.leftOut(c.at, true)
		})
	}
}

// TestTwoPullsThatEndSomewhereAreNoRow: one went well between them, or ended at another object.
func TestTwoPullsThatEndSomewhereAreNoRow(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	busy := `500 {"error":{"code":"UnknownError"}}`
	page := func(id string) string {
		return `{"value":[{"id":"` + id + `","jobTitle":"Dr"}],"@odata.deltaLink":"HOST/users/delta?d1"}`
	}
	fails := func(id string) {
		t.Helper()
		if state, err := p.pull(map[string]string{"/users/delta?d1": page(id), "/users/" + id: busy}); err == nil {
			t.Error(state)
		}
	}
	fails("y")
	fails("y")
	p.want(map[string]string{"/users/delta?d1": `{"value":[],"@odata.deltaLink":"HOST/users/delta?d1"}`}, began)
	fails("y")
	fails("y")
	fails("z")
	fails("y")
}

// leftOut says whether the last pull has told of an object that it cannot be read, and of no other.
func (p *pages) leftOut(path string, want bool) {
	p.t.Helper()
	list, id := p.pulled.LeftOut, strings.Split(path, "/")[2]
	if want != (len(list) == 1) || (want && (string(list[0].Mark.ID) != id || list[0].Why == "")) {
		p.t.Errorf("left out are %v", list)
	}
}

// TestWhatTheSourceTellsOfWhatWasLeftOutCounts: somebody was restored, and could not be read. They
// are left out no longer as soon as the source says that they are gone, or lets them be read.
func TestWhatTheSourceTellsOfWhatWasLeftOutCounts(t *testing.T) {
	t.Parallel()
	ada := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,"jobTitle":"Dr"}`
	removed := func(reason string) string { return `{"id":"a","@removed":{"reason":"` + reason + `"}}` }
	without := strings.NewReplacer("a=ada@x*(Dr,b,e,1) ", "", "G:ah", "G:h").Replace(began)
	disabled := strings.Replace(began, "ada@x*", "ada@x", 1)
	odd := `422 {"error":{"code":"Odd","message":"no"}}`
	for name, c := range map[string]struct{ told, one, want string }{
		"gone for good":            {removed("deleted"), odd, without},
		"deleted again":            {removed("changed"), odd, disabled},
		"there, and can be read":   {ada, ada, began},
		"there, and cannot be yet": {ada, odd, disabled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			for i, told := range []string{removed("changed"), ada} {
				p.want(map[string]string{
					fmt.Sprint("/users/delta?d", i+1): `{"value":[` + told + `],
						"@odata.deltaLink":"HOST/users/delta?d` + fmt.Sprint(i+2) + `"}`,
					"/users/a": odd,
				}, disabled)
			}
			p.leftOut("/users/a", true)
			p.want(map[string]string{
				"/users/delta?d3":   `{"value":[` + c.told + `],"@odata.deltaLink":"HOST/users/delta?d4"}`,
				"/users/a":          c.one,
				"/users/a/memberOf": `{"value":[{"@odata.type":"#microsoft.graph.group","id":"g"}]}`,
				"/users/a/manager":  `{"id":"b"}`,
			}, c.want)
			p.leftOut("/users/a", c.want == disabled && c.told == ada)
		})
	}
}

// TestEachAnswerIsTold: whoever waits for a source hears of each of its answers, not of pages of
// changes only: a source that is asked for many one by one is not silent.
func TestEachAnswerIsTold(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	told := 0
	p.mirror.Progress = func(int) { told++ }
	ada := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true}`
	lost := `410 {"error":{"code":"resyncRequired"}}`
	for i, answer := range []map[string]string{
		beginning,
		{ // somebody is back, and so is a group
			"/users/delta?d1": `{"value":[{"id":"a","@removed":{"reason":"deleted"}},` + ada + `],
				"@odata.deltaLink":"HOST/users/delta?d1"}`,
			"/groups/delta?d1": `{"value":[{"id":"i","displayName":"I"}],"@odata.deltaLink":"HOST/groups/delta?d1"}`,
			"/users/a":         ada,
		},
		{ // everything is read
			"/users/delta?d1": lost, "/groups/delta?d1": lost, "/users/a": ada,
			first:       `{"value":[` + ada + `],"@odata.deltaLink":"HOST/users/delta?d1"}`,
			firstGroups: `{"value":[{"id":"g","displayName":"G"}],"@odata.deltaLink":"HOST/groups/delta?d1"}`,
		},
	} {
		told = 0
		if _, err := p.pull(answer); err != nil || told != len(p.asked) {
			t.Errorf("pull %d: %d answers were told of %v, %v", i, told, p.asked, err)
		}
	}
	told, p.asked = 0, nil
	p.answer = map[string]string{"/servicePrincipals/sp": `{"id":"sp"}`}
	if _, err := p.mirror.Assignments(t.Context(), "sp", true); err != nil || told != 2 {
		t.Errorf("%d answers were told of %v, %v", told, p.asked, err)
	}
}

// TestManyLooksThatAreToComeKeepWhatCannotBeRead: of so many looks that not all are noted, those
// are kept that nothing else brings back.
func TestManyLooksThatAreToComeKeepWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	now := time.Now().UTC()
	p.mirror.Tenant.Now = func() time.Time { return now }
	at := now.Add(time.Minute).Format(time.RFC3339)
	looks := []string{`{"mark":{"Kind":"User","ID":"a"},"at":"` + at + `","why":"422 Odd: no","tries":1}`}
	for i := range 999 {
		looks = append(looks, fmt.Sprintf(`{"mark":{"Kind":"User","ID":"x%d"},"at":"%s"}`, i, at))
	}
	note := tenant.Note{Name: "look-again", Text: "[" + strings.Join(looks, ",") + "]"}
	if err := p.mirror.Tenant.SetNote(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	p.want(map[string]string{
		"/users/delta?d1": `{"value":[{"id":"y","jobTitle":"Dr"}],"@odata.deltaLink":"HOST/users/delta?d2"}`,
	}, began)
	p.leftOut("/users/a", true)
	kept, err := p.mirror.Tenant.Note(t.Context(), "look-again")
	if err != nil || strings.Contains(kept, `"x0"`) || !strings.Contains(kept, `"y"`) {
		t.Errorf("%v; the oldest of the others is kept, or the newest is not", err)
	}
}
