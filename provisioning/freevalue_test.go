package provisioning_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// TestAFreeValueIsChosen: the target is asked who has a value, also where it does not search by the
// attribute; people who are made at the same time do not get the same one; who has one keeps it.
func TestAFreeValueIsChosen(t *testing.T) {
	t.Parallel()
	const expression = `SelectUniqueValue(Left([givenName], 1), Join("", [givenName], "2"), Join("", [givenName], "3"))`
	for name, c := range map[string]struct {
		path    string
		trouble func(int, *http.Request, http.ResponseWriter) bool
		of      func(center.User) string
	}{
		"found by a filter": {path: "nickName", of: func(u center.User) string { return u.NickName }},
		"not searched": {path: "nickName", of: func(u center.User) string { return u.NickName },
			trouble: func(_ int, r *http.Request, w http.ResponseWriter) bool {
				refused := strings.Contains(r.URL.Query().Get("filter"), "nickName")
				if refused {
					w.WriteHeader(http.StatusBadRequest)
				}
				return refused
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, m := newTargetOf(t, center.ProfileStandard), newMemory()
			holder := centertest.Person("somebody@example.com")
			holder.NickName = "g"
			if _, err := x.center.CreateUser(context.Background(), centertest.Actor, holder); err != nil {
				t.Fatal(err)
			}
			x.misbehave(c.trouble)
			people := &company{users: []entry{user("ada"), user("bob"), user("eve")}}
			unique := mapping.Attribute{Target: c.path, Expression: expression, OnlyOnce: true}
			sync := func(dry bool) (*told, provisioning.Result) {
				var l told
				result, err := x.sync(t, people, m, func(e *provisioning.Engine) {
					e.Target = provisioning.SCIM(x.client, provisioning.Plain)
					e.DryRun, e.OnEntry = dry, l.tell
					e.Mappings, e.Workers = mapped(t, unique), 4
				})
				if err != nil {
					t.Fatal(err)
				}
				return &l, result
			}
			for _, dry := range []bool{true, false} {
				l, result := sync(dry)
				if result.Created != 2 || result.Failed != 1 {
					t.Fatalf("dry run %v: %+v", dry, l.entries)
				}
				failed := func(e provisioning.Entry) bool { return e.Outcome == provisioning.Failure }
				i := slices.IndexFunc(l.entries, failed)
				if e := l.entries[i]; e.Code != "EntryConflict" || !strings.Contains(e.Reason, "G, G2, G3") {
					t.Errorf("dry run %v: %s %s", dry, e.Code, e.Reason)
				}
			}
			people.users[0].directory["givenName"], people.users[1].directory["givenName"] = "Zoe", "Zoe"
			people.users[2].directory["givenName"] = "Zoe"
			if _, result := sync(false); result.Failed != 0 {
				t.Errorf("%+v", result)
			}
			users, err := x.center.Users(context.Background(), center.UserQuery{})
			if err != nil {
				t.Fatal(err)
			}
			var have []string
			for _, u := range users {
				have = append(have, c.of(u))
			}
			if slices.Sort(have); !slices.Equal(have, []string{"G2", "G3", "Z", "g"}) {
				t.Errorf("they have %v", have)
			}
		})
	}
}

// TestAMatchKeepsItsValue: what is chosen at a creation is not chosen for who was there before.
func TestAMatchKeepsItsValue(t *testing.T) {
	t.Parallel()
	x := newTargetOf(t, center.ProfileStandard)
	there := centertest.Person("ada@example.com")
	there.NickName = "Countess"
	if _, err := x.center.CreateUser(context.Background(), centertest.Actor, there); err != nil {
		t.Fatal(err)
	}
	people, m := &company{users: []entry{user("ada")}}, newMemory()
	unique := mapping.Attribute{Target: "nickName", Expression: `SelectUniqueValue("a", "b")`, OnlyOnce: true}
	for range 2 {
		if _, err := x.sync(t, people, m, func(e *provisioning.Engine) { e.Mappings = mapped(t, unique) }); err != nil {
			t.Fatal(err)
		}
		users, err := x.center.Users(context.Background(), center.UserQuery{})
		if err != nil || len(users) != 1 || users[0].NickName != "Countess" {
			t.Error(users, err)
		}
	}
}
