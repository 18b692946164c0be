package dirsync

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// An Entra ID may answer in ways in which a tenant of ours never does, all of which Microsoft
// documents, or developers have reported. A proxy has ours answer so.

// goesOn says whether a request goes on from a delta link of a kind of objects.
func goesOn(r *http.Request, kind string) bool {
	return strings.HasSuffix(r.URL.Path, "/"+kind+"/delta") && r.URL.Query().Has("$deltatoken")
}

// object is what an answer has.
type object = map[string]any

// insert puts objects before or after the one with an id, where an answer has it.
func insert(body object, id string, after bool, more ...any) {
	list, _ := body["value"].([]any)
	at := slices.IndexFunc(list, func(x any) bool { return x.(object)["id"] == id })
	if at < 0 {
		return
	}
	if after {
		at++
	}
	body["value"] = slices.Insert(list, at, more...)
}

// once fails the first of the requests that a test names.
func once(which func(*http.Request) bool, status int, code string) func(*http.Request) (*http.Response, error) {
	var did sync.Once
	return func(r *http.Request) (res *http.Response, err error) {
		if which(r) {
			did.Do(func() { res = answered(status, `{"error":{"code":"`+code+`","message":"gone"}}`) })
		}
		return res, nil
	}
}

// strangeWay is a way in which an Entra ID answers.
type strangeWay struct {
	before func(t *testing.T, from source) // the first cycle
	change func(t *testing.T, from source) // before the second one
	alter  func(r *http.Request, body object)
	fail   func(*http.Request) (*http.Response, error)

	disabled int  // in the second cycle
	deleted  int  // in the same
	active   bool // bob, afterwards
	full     bool // everything is read again
	art      int  // members of Art
}

func disabling(t *testing.T, from source) { t.Helper(); from.disable(t, "u2") }

func deleting(t *testing.T, from source) {
	t.Helper()
	if err := from.DeleteUser(ctx, tenanttest.Actor, "u2"); err != nil {
		t.Fatal(err)
	}
}

// withoutMembers has deltas of groups tell nothing of members.
func withoutMembers(r *http.Request, body object) {
	if list, _ := body["value"].([]any); goesOn(r, "groups") {
		for _, x := range list {
			delete(x.(object), "members@delta")
		}
	}
}

var strangeWays = map[string]strangeWay{
	"an object twice in a page: changed, then deleted": {
		change: deleting,
		alter: func(r *http.Request, body object) {
			if goesOn(r, "users") {
				insert(body, "u2", false, object{"id": "u2", "jobTitle": "Painter", "accountEnabled": true})
			}
		},
		disabled: 1,
	},
	"an object twice in a page: deleted, then changed": {
		change: deleting,
		alter: func(r *http.Request, body object) {
			if goesOn(r, "users") {
				insert(body, "u2", true, object{"id": "u2", "jobTitle": "Painter", "accountEnabled": true})
			}
		},
		disabled: 1,
	},
	"an object twice in a page: disabled, then something else of it": {
		change: disabling,
		alter: func(r *http.Request, body object) {
			if goesOn(r, "users") {
				insert(body, "u2", true, object{"id": "u2", "jobTitle": "Painter"})
			}
		},
		disabled: 1, art: 1,
	},
	"a member who leaves without a type": {
		change: func(t *testing.T, from source) {
			t.Helper()
			if err := from.RemoveMember(ctx, tenanttest.Actor, "g3", "u2"); err != nil {
				t.Fatal(err)
			}
		},
		alter: func(r *http.Request, body object) {
			list, _ := body["value"].([]any)
			if !goesOn(r, "groups") {
				return
			}
			for _, g := range list {
				members, _ := g.(object)["members@delta"].([]any)
				for _, m := range members {
					delete(m.(object), "@odata.type")
				}
			}
		},
		active: true,
	},
	"an expired token": {
		change: disabling,
		fail: once(func(r *http.Request) bool { return goesOn(r, "users") }, http.StatusBadRequest,
			"SyncStateNotFound"),
		disabled: 1, full: true, art: 1,
	},
	"an expired token by another name": {
		change: disabling,
		fail: once(func(r *http.Request) bool { return goesOn(r, "users") }, http.StatusBadRequest,
			"Directory_ExpiredPageToken"),
		disabled: 1, full: true, art: 1,
	},
	"a page that has expired": {
		change: disabling,
		alter: func(r *http.Request, body object) {
			if goesOn(r, "users") && !r.URL.Query().Has("page") {
				body["@odata.nextLink"] = body["@odata.deltaLink"].(string) + "&page=2"
				delete(body, "@odata.deltaLink")
			}
		},
		fail: once(func(r *http.Request) bool { return r.Header.Get("X-Page") != "" }, http.StatusBadRequest,
			"Directory_ExpiredPageToken"),
		disabled: 1, art: 1,
	},
	"pages in a circle": {
		change: disabling,
		alter: func(r *http.Request, body object) {
			if goesOn(r, "users") {
				q := r.URL.Query()
				q.Set("page", map[string]string{"1": "2", "": "1", "2": "1"}[q.Get("page")])
				body["@odata.nextLink"] = "http://" + r.URL.Host + r.URL.Path + "?" + q.Encode()
				delete(body, "@odata.deltaLink")
			}
		},
		disabled: 1, full: true, art: 1,
	},
	"a full read without who can be restored": {
		before: deleting,
		fail: once(func(r *http.Request) bool { return goesOn(r, "users") }, http.StatusGone,
			"syncStateNotFound"),
		full: true, art: 0,
	},
	"a group that is restored, and says nothing of its members": {
		before: func(t *testing.T, from source) { t.Helper(); from.deleteGroup(t, "g3") },
		change: func(t *testing.T, from source) {
			t.Helper()
			if _, err := from.Restore(ctx, tenanttest.Actor, "g3", ""); err != nil {
				t.Fatal(err)
			}
		},
		alter:  withoutMembers,
		active: true, art: 1,
	},
	"somebody who is restored after their name was given on": {
		before: func(t *testing.T, from source) {
			t.Helper()
			deleting(t, from)
			from.hire(t, "bob")
		},
		change: func(t *testing.T, from source) {
			t.Helper()
			err := from.DeleteUser(ctx, tenanttest.Actor, "id-bob")
			if err == nil {
				err = from.HardDelete(ctx, tenanttest.Actor, "id-bob")
			}
			if err == nil {
				_, err = from.Restore(ctx, tenanttest.Actor, "u2", "")
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		alter:   withoutMembers,
		deleted: 1, active: true, art: 1,
	},
}

func TestWhatAnEntraMayAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range strangeWays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, center.ProfileStandard)
			config, graph, _ := byWays(t, from, to)
			if c.alter != nil {
				config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, c.alter)
			}
			s, err := Open(ctx, config)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Cycle(ctx, false); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				c.before(t, from)
				if _, err := s.Cycle(ctx, false); err != nil {
					t.Fatal(err)
				}
			}
			if c.change != nil {
				c.change(t, from)
			}
			graph.set(c.fail)
			r, err := s.Cycle(ctx, false)
			if err != nil || r.Failed > 0 || r.Deleted != c.deleted || r.Disabled != c.disabled || r.Full != c.full {
				t.Errorf("%+v, %v", r, err)
			}
			if got := to.active(t, "bob@example.com"); got != c.active {
				t.Errorf("bob is active: %v", got)
			}
			if _, _, members := to.counts(t, "Art"); members != c.art {
				t.Errorf("Art has %d members", members)
			}
			if r, err := s.Cycle(ctx, false); err != nil || r.Changes || to.active(t, "bob@example.com") != c.active {
				t.Errorf("once more: %+v, %v", r, err)
			}
		})
	}
}

// TestADirectoryWithoutAnybodyIsNotBelieved: everything is read again, and there is nobody. That is
// no directory, since somebody has to be there to read it.
func TestADirectoryWithoutAnybodyIsNotBelieved(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, _ := byWays(t, from, to)
	cycle(t, config, false)
	graph.set(once(func(r *http.Request) bool { return goesOn(r, "users") }, http.StatusGone, "resyncRequired"))
	config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, func(r *http.Request, body object) {
		if strings.HasSuffix(r.URL.Path, "/users/delta") && r.URL.Query().Has("$select") {
			body["value"] = []any{}
		}
	})
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := s.Cycle(ctx, false)
		if r.Changes || !to.active(t, "bob@example.com") {
			t.Fatalf("%+v, %v", r, err)
		}
		if err != nil && !strings.Contains(err.Error(), "is not believed") {
			t.Error(err)
		}
	}
}

// TestAnOlderAnswerChangesNothing: a directory has several servers, and one of them still has who
// was assigned before. Nobody loses access because of its answer, and nobody gets it back.
func TestAnOlderAnswerChangesNothing(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, _, _ := byWays(t, from, to)
	config.Application = "Cloud"
	app := &tenant.Application{}
	from.assign(t, app, "g1")
	var older any // the next answer is this one; nil: it is as it is
	var last any
	config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, func(r *http.Request, body object) {
		if !strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo") {
			return
		}
		if older != nil {
			body["value"], older = older, nil
			return
		}
		last = body["value"]
	})
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	step := func(want bool) {
		t.Helper()
		r, err := s.Cycle(ctx, false)
		if err != nil || r.Failed > 0 {
			t.Errorf("%+v, %v", r, err)
		}
		users, err := to.center.CountUsers(ctx, center.UserQuery{})
		if err != nil {
			t.Fatal(err)
		}
		if has := users == 2 && to.active(t, "bob@example.com"); has != want {
			t.Errorf("bob has access: %v", has)
		}
	}
	step(false)
	without := last
	from.assign(t, app, "g1", "g3")
	step(true)
	with := last
	older = without
	step(true)
	from.assign(t, app, "g1")
	step(false)
	older = with
	step(false)
	if err := from.DeleteGroup(ctx, audit.SystemActor, "g3"); err != nil {
		t.Fatal(err)
	}
	step(false)
}
