package mirror_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestWhatAFullReadingLeavesOutIsAskedFor: everything is read again, and not all comes. Who is
// there when asked for stays, with what they are now; who is not is gone; and where that cannot be
// read, nothing is. Where much is left out, it is held.
func TestWhatAFullReadingLeavesOutIsAskedFor(t *testing.T) {
	t.Parallel()
	lost := `410 {"error":{"code":"resyncRequired"}}`
	all := map[string]string{
		"/users/delta?d1": lost, "/groups/delta?d1": lost,
		first: beginning[first], "/users/delta?p2": beginning["/users/delta?p2"], firstGroups: beginning[firstGroups],
	}
	with := func(pairs ...string) map[string]string {
		answer := map[string]string{}
		for key, body := range all {
			answer[key] = body
		}
		for i := 0; i < len(pairs); i += 2 {
			answer[pairs[i]] = pairs[i+1]
		}
		return answer
	}
	noGroups := `{"value":[],"@odata.deltaLink":"HOST/groups/delta?d2"}`
	onlyH := `{"value":[{"id":"h","displayName":"H","securityEnabled":true}],"@odata.deltaLink":"HOST/groups/delta?d2"}`
	onlyC := `{"value":[{"id":"c","userPrincipalName":"cy@x","displayName":"Cy","accountEnabled":false}],
		"@odata.deltaLink":"HOST/users/delta?d2"}`
	g := `{"id":"g","displayName":"G","securityEnabled":true}`
	b := `{"id":"b","userPrincipalName":"bob@x","displayName":"Bob","accountEnabled":true}`
	c := `{"id":"c","userPrincipalName":"cy@x","displayName":"Cy","accountEnabled":false}`
	deletedItems, members := "/directory/deletedItems/microsoft.graph.user", "/groups/g/members"
	busy := `500 {"error":{"code":"InternalServerError"}}`
	denied := `403 {"error":{"code":"Authorization_RequestDenied"}}`
	for name, c := range map[string]struct {
		answer map[string]string
		want   string
		fails  string
	}{
		"all comes":          {all, began, ""},
		"no groups":          {with(firstGroups, noGroups, "/groups/g", g), began, "held"},
		"no groups, nowhere": {with(firstGroups, noGroups), began, "held"},
		"no groups, none is there when asked for, and somebody is": {
			with(firstGroups, noGroups, "/users/c", c), strings.Replace(began, " g=G:ah h=H:", "", 1), "",
		},
		"no groups, one cannot be read, and somebody is there": {
			with(firstGroups, noGroups, "/users/c", c, "/groups/h", denied), began, "held",
		},
		"no users, none is there when asked for, and a group is": {
			with(first, `{"value":[],"@odata.deltaLink":"HOST/users/delta?d2"}`, "/groups/g", g), "g=G:ah h=H:", "",
		},
		"a group that is gone": {
			with(firstGroups, onlyH), strings.Replace(began, " g=G:ah", "", 1), "",
		},
		"a group that is there": {
			with(firstGroups, onlyH, "/groups/g", g, members,
				`{"value":[{"@odata.type":"#microsoft.graph.user","id":"b"},
				{"@odata.type":"#microsoft.graph.group","id":"h"}]}`), strings.Replace(began, "G:ah", "G:bh", 1), "",
		},
		"a group that is there, whose members are not told": {
			with(firstGroups, onlyH, "/groups/g", g, members, denied), began, "",
		},
		"a group that cannot be read": {
			with(firstGroups, onlyH, "/groups/g", busy), began, "look for the group g",
		},
		"a group that cannot be read for good": {
			with(firstGroups, onlyH, "/groups/g", denied), began, "",
		},
		"a group that is another": {
			with(firstGroups, onlyH, "/groups/g", `{"id":"h","displayName":"G"}`), began, "look for the group g",
		},
		"users who are gone": {with("/users/delta?p2", onlyC), strings.Replace(began, "b=bob@x* ", "", 1), ""},
		"users who are gone, and can be restored": {
			with("/users/delta?p2", onlyC, deletedItems, `{"value":[{"id":"b"}]}`),
			strings.Replace(began, "bob@x*", "bob@x", 1), "",
		},
		"users who are gone, and nobody says whether they can be restored": {
			with("/users/delta?p2", onlyC, deletedItems, denied), strings.Replace(began, "bob@x*", "bob@x", 1), "",
		},
		"users who are there": {with("/users/delta?p2", onlyC, "/users/b", b), began, ""},
		"users who are there, and were said to be deleted": {
			with("/users/delta?p2", onlyC, "/users/b", b, deletedItems, `{"value":[{"id":"b"}]}`), began, "",
		},
		"users who cannot be read": {
			with("/users/delta?p2", onlyC, "/users/b", busy), began, "look for the user b",
		},
		"users who cannot be read for good": {with("/users/delta?p2", onlyC, "/users/b", denied), began, ""},
		"users who cannot be read for good, and are said to be deleted": {
			with("/users/delta?p2", onlyC, "/users/b", denied, deletedItems, `{"value":[{"id":"b"}]}`),
			strings.Replace(began, "bob@x*", "bob@x", 1), "",
		},
		"no users": {
			with(first, `{"value":[],"@odata.deltaLink":"HOST/users/delta?d2"}`), began, "held",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			state, err := p.pull(c.answer)
			said := ""
			if err != nil {
				said = err.Error()
			} else if len(p.pulled.Missing) > 0 {
				said = "held"
			}
			if state != c.want || (said == "") != (c.fails == "") || !strings.Contains(said, c.fails) {
				t.Errorf("have %s, %s\nwant %s, %s", state, said, c.want, c.fails)
			}
		})
	}
}

// TestWhoAFullReadingLeavesOutHasTheManagerOfNow: no delta told of a change of theirs meanwhile.
func TestWhoAFullReadingLeavesOutHasTheManagerOfNow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ manager, want string }{
		"another": {`{"id":"c"}`, strings.Replace(began, "(Dr,b,", "(Dr,c,", 1)},
		"none":    {nobody, strings.Replace(began, "(Dr,b,", "(Dr,,", 1)},
		"refused": {`403 {"error":{"code":"Authorization_RequestDenied"}}`, began},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			p.want(map[string]string{
				"/users/delta?d1":   `410 {"error":{"code":"resyncRequired"}}`,
				first:               beginning["/users/delta?p2"],
				"/groups/delta?d1":  `{"value":[],"@odata.deltaLink":"HOST/groups/delta?d1"}`,
				"/users/a":          `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true}`,
				"/users/a/memberOf": `{"value":[{"@odata.type":"#microsoft.graph.group","id":"g"}]}`,
				"/users/a/manager":  c.manager,
			}, c.want)
		})
	}
}

// TestTheLastGroupsMayBeGoneAlthoughManyWereDeleted: whoever was deleted is no sign that the
// directory is there, nor that it is not.
func TestTheLastGroupsMayBeGoneAlthoughManyWereDeleted(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	var many, deleted tenant.Replica
	for i := range 12 {
		id := fmt.Sprintf("Aa%02d", i)
		many.Users = append(many.Users, tenant.User{
			ID: tenant.UserID(id), UserPrincipalName: id, DisplayName: id, Enabled: true,
		})
		deleted.Removed = append(deleted.Removed, tenant.UserID(id))
	}
	for _, r := range []tenant.Replica{many, deleted} {
		if err := p.mirror.Tenant.Replicate(t.Context(), audit.SystemActor, r, tenant.Note{}); err != nil {
			t.Fatal(err)
		}
	}
	state, err := p.pull(map[string]string{
		"/users/delta?d1":  `{"value":[],"@odata.deltaLink":"HOST/users/delta?d1"}`,
		"/groups/delta?d1": `410 {"error":{"code":"resyncRequired"}}`,
		firstGroups:        `{"value":[],"@odata.deltaLink":"HOST/groups/delta?d2"}`,
		"/users/c":         `{"id":"c","userPrincipalName":"cy@x","displayName":"Cy","accountEnabled":false}`,
	})
	if err != nil || strings.Contains(state, "g=G") {
		t.Errorf("%s, %v", state, err)
	}
}
