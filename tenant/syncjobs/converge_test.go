package syncjobs_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
)

// TestALostAnswerAndTheOppositeChange: the answer to a request is lost, then the source changes
// back, and only then the way is whole again. The center has what the tenant has.
func TestALostAnswerAndTheOppositeChange(t *testing.T) {
	t.Parallel()
	const domain = "@northwind.example"
	const mei, elena = "mei.tanaka" + domain, "elena.popescu" + domain
	newcomer := func(e pairtest.Ends) (id string) {
		var made graph.User
		e.Change(http.MethodPost, "/users", map[string]any{
			"accountEnabled": true, "displayName": "New Comer", "givenName": "New", "surname": "Comer",
			"mailNickname": "new", "userPrincipalName": "new.comer" + domain,
			"passwordProfile": map[string]any{"password": "a long password"},
		}, &made)
		e.Change(
			http.MethodPost, "/groups/"+e.Group("Finance").ID+"/members/$ref", graph.Reference{ID: "x/" + made.ID}, nil,
		)
		return made.ID
	}
	person := func(e pairtest.Ends, name string) scim.Resource { return e.Find("/Users", "userName", name) }
	active := func(e pairtest.Ends, name string) bool { return person(e, name)["active"] == true }
	enable := func(e pairtest.Ends, name string, yes bool) {
		e.Change(http.MethodPatch, "/users/"+name, map[string]any{"accountEnabled": yes}, nil)
	}
	there := func(e pairtest.Ends) bool { return person(e, "new.comer"+domain) != nil }
	inFinance := func(e pairtest.Ends) bool {
		return e.IsMember(e.Find("/Groups", "displayName", "Finance"), person(e, mei))
	}
	finance := func(e pairtest.Ends) string { return "/groups/" + e.Group("Finance").ID + "/members/" }
	for what, x := range map[string]struct {
		before, change, back func(pairtest.Ends)
		done, want           func(pairtest.Ends) bool // at the center
	}{
		"created, deleted": {
			change: func(e pairtest.Ends) { newcomer(e) }, done: there,
			back: func(e pairtest.Ends) {
				e.Change(http.MethodDelete, "/users/"+e.User("new.comer"+domain).ID, nil, nil)
			},
			want: func(e pairtest.Ends) bool { return !active(e, "new.comer"+domain) },
		},
		"created, deleted for good": {
			change: func(e pairtest.Ends) { newcomer(e) }, done: there,
			back: func(e pairtest.Ends) {
				id := e.User("new.comer" + domain).ID
				e.Change(http.MethodDelete, "/users/"+id, nil, nil)
				e.Change(http.MethodDelete, "/directory/deletedItems/"+id, nil, nil)
			},
			want: func(e pairtest.Ends) bool { return !there(e) },
		},
		"created, disabled": {
			change: func(e pairtest.Ends) { newcomer(e) }, done: there,
			back: func(e pairtest.Ends) { enable(e, "new.comer"+domain, false) },
			want: func(e pairtest.Ends) bool { return !active(e, "new.comer"+domain) },
		},
		"created, unassigned": {
			change: func(e pairtest.Ends) { newcomer(e) }, done: there,
			back: func(e pairtest.Ends) {
				e.Change(http.MethodDelete, finance(e)+e.User("new.comer"+domain).ID+"/$ref", nil, nil)
			},
			want: func(e pairtest.Ends) bool { return !active(e, "new.comer"+domain) },
		},
		"enabled, disabled": {
			before: func(e pairtest.Ends) {
				enable(e, mei, false)
				e.Soon("a disabled person", func() bool { return !active(e, mei) })
			},
			change: func(e pairtest.Ends) { enable(e, mei, true) },
			done:   func(e pairtest.Ends) bool { return active(e, mei) },
			back:   func(e pairtest.Ends) { enable(e, mei, false) },
			want:   func(e pairtest.Ends) bool { return !active(e, mei) },
		},
		"disabled, enabled": {
			change: func(e pairtest.Ends) { enable(e, elena, false) },
			done:   func(e pairtest.Ends) bool { return !active(e, elena) },
			back:   func(e pairtest.Ends) { enable(e, elena, true) },
			want:   func(e pairtest.Ends) bool { return active(e, elena) },
		},
		"a member, and none": {
			change: func(e pairtest.Ends) {
				e.Change(http.MethodPost, finance(e)+"$ref", graph.Reference{ID: "x/" + e.User(mei).ID}, nil)
			},
			done: inFinance,
			back: func(e pairtest.Ends) {
				e.Change(http.MethodDelete, finance(e)+e.User(mei).ID+"/$ref", nil, nil)
			},
			want: func(e pairtest.Ends) bool { return !inFinance(e) },
		},
		"a title, and back": {
			change: func(e pairtest.Ends) {
				e.Change(http.MethodPatch, "/users/"+mei, map[string]any{"jobTitle": "Wizard"}, nil)
			},
			done: func(e pairtest.Ends) bool { return person(e, mei).String("title") == "Wizard" },
			back: func(e pairtest.Ends) {
				e.Change(http.MethodPatch, "/users/"+mei, map[string]any{"jobTitle": "Platform Engineer"}, nil)
			},
			want: func(e pairtest.Ends) bool { return person(e, mei).String("title") == "Platform Engineer" },
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			e := pairtest.Start(t)
			way := pairtest.NewWay(t, e.Center.SCIMEndpoint)
			e.PutSecrets(way.URL)
			if x.before != nil {
				x.before(e)
			}
			way.Break(pairtest.CutWrites)
			x.change(e)
			e.Soon("done, and no answer", func() bool { return x.done(e) })
			if s := status(t, e); *s.InStep || s.Uncertain+s.Pending == 0 ||
				!strings.Contains(s.Lines()[0], "not in step") {
				t.Errorf("nobody says so: %v", s.Lines())
			}
			x.back(e)
			way.Break(pairtest.Whole)
			e.Soon("what the tenant has", func() bool { return x.want(e) })
			e.Soon("and nobody is uncertain or waits", func() bool {
				s := status(t, e)
				return s.Uncertain+s.Pending == 0
			})
		})
	}
}

// status is what "connect status" says of a pair.
func status(t *testing.T, e pairtest.Ends) connect.JobStatus {
	t.Helper()
	all, err := connect.Status(context.Background(), e.Client, "AWS IAM Identity Center")
	if err != nil || len(all) != 1 || all[0].InStep == nil {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}
