package graphserver_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/server"
)

type deltaPage struct {
	Value []map[string]any
	Next  string `json:"@odata.nextLink"`
	Delta string `json:"@odata.deltaLink"`
}

// deltaOf follows a delta query to its end.
func deltaOf(e pairtest.Ends, address string) (all []map[string]any, link string) {
	e.T.Helper()
	for range 100 {
		var page deltaPage
		status, _, text := e.Ask(http.MethodGet, address, nil, "Prefer: odata.maxpagesize=3")
		if err := json.Unmarshal([]byte(text), &page); status != http.StatusOK || err != nil {
			e.T.Fatalf("%s: %d %s", address, status, text)
		}
		all = append(all, page.Value...)
		if page.Next == "" {
			return all, page.Delta
		}
		address = page.Next
	}
	e.T.Fatal("no end of pages")
	return nil, ""
}

func idsOf(all []map[string]any) (list []string) {
	for _, x := range all {
		list = append(list, x["id"].(string))
	}
	slices.Sort(list)
	return list
}

// TestTheDeltaOfRoles tells who got a role and who lost it.
func TestTheDeltaOfRoles(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const reader = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	ada, mei := e.User(e.People[0].UserName).ID, e.User("mei.tanaka@northwind.example").ID
	members := "/directoryRoles/" + reader + "/members"
	add := func(id string) {
		t.Helper()
		e.Change(http.MethodPost, members+"/$ref", map[string]any{"@odata.id": "x/" + id}, nil)
	}
	add(ada)
	all, link := deltaOf(e, "/directoryRoles/delta")
	if len(all) < 5 {
		t.Errorf("%d roles", len(all))
	}
	if none, next := deltaOf(e, link); len(none) != 0 || next == "" {
		t.Errorf("nothing has changed: %v", none)
	}
	add(mei)
	e.Change(http.MethodDelete, members+"/"+ada+"/$ref", nil, nil)
	changed, next := deltaOf(e, link)
	text, err := json.Marshal(changed)
	want := `"members@delta":[{"@odata.type":"#microsoft.graph.user","id":"` + mei + `"},` +
		`{"@odata.type":"#microsoft.graph.user","@removed":{"reason":"deleted"},"id":"` + ada + `"}]`
	if err != nil || len(changed) != 1 || changed[0]["id"] != reader || !strings.Contains(string(text), want) {
		t.Errorf("after two changes: %s, want %s", text, want)
	}
	if none, _ := deltaOf(e, next); len(none) != 0 {
		t.Errorf("told twice: %v", none)
	}
	latest, link := deltaOf(e, "/directoryRoles/delta?$deltatoken=latest")
	if none, _ := deltaOf(e, link); len(none)+len(latest) != 0 {
		t.Errorf("from now on: %v, %v", latest, none)
	}
}

// TestTheDeltaOfDirectoryObjects tells of users and groups, or of one kind.
func TestTheDeltaOfDirectoryObjects(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	var alone struct{ ID string } // a group that is in no other, which would change when it is deleted
	e.Change(http.MethodPost, "/groups", map[string]any{
		"displayName": "Alone", "mailEnabled": false, "mailNickname": "alone", "securityEnabled": true,
	}, &alone)
	users, groups := e.List("/users", "id"), e.List("/groups", "id")
	both := slices.Concat(users, groups)
	slices.Sort(both)
	if status, _, text := e.Ask(http.MethodGet, "/directoryObjects/delta", nil); status != http.StatusBadRequest ||
		!strings.Contains(text, "without a valid resource type or id filter") {
		t.Errorf("without a filter: %d %s", status, text)
	}
	all, link := deltaOf(e, "/directoryObjects/delta?$filter="+
		"isof('microsoft.graph.user')%20or%20isof('microsoft.graph.group')")
	if have := idsOf(all); !slices.Equal(have, both) || all[0]["@odata.type"] != "#microsoft.graph.user" ||
		all[len(all)-1]["@odata.type"] != "#microsoft.graph.group" {
		t.Errorf("all are %d of %d: %v", len(have), len(both), all[0])
	}
	of, linkOfGroups := deltaOf(e, "/directoryObjects/delta?$filter=isof('microsoft.graph.group')")
	slices.Sort(groups)
	if have := idsOf(of); !slices.Equal(have, groups) {
		t.Errorf("groups are %v, want %v", have, groups)
	}
	e.Change(http.MethodPatch, "/users/"+users[0], map[string]any{"jobTitle": "Lead"}, nil)
	e.Change(http.MethodDelete, "/groups/"+alone.ID, nil, nil)
	changed, next := deltaOf(e, link)
	want := []string{users[0], alone.ID}
	slices.Sort(want)
	if have := idsOf(changed); !slices.Equal(have, want) {
		t.Errorf("changed are %v, want %v", have, want)
	}
	if ofGroups, _ := deltaOf(e, linkOfGroups); len(ofGroups) != 1 || ofGroups[0]["@removed"] == nil {
		t.Errorf("of the groups: %v", ofGroups)
	}
	if none, _ := deltaOf(e, next); len(none) != 0 {
		t.Errorf("told twice: %v", none)
	}
	one, _ := deltaOf(e, "/directoryObjects/delta?$filter=id%20eq%20'"+users[1]+"'")
	if have := idsOf(one); !slices.Equal(have, users[1:2]) {
		t.Errorf("one of them: %v", have)
	}
}

// TestTheDeltaOfPermissionGrants tells of new, changed and deleted ones.
func TestTheDeltaOfPermissionGrants(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	p := newProgram(e, "https://wiki.example/callback")
	_, link := deltaOf(e, "/oauth2PermissionGrants/delta")
	var made map[string]any
	e.Change(http.MethodPost, "/oauth2PermissionGrants", map[string]any{
		"clientId": p.principal, "consentType": "AllPrincipals", "resourceId": graphID, "scope": "User.Read",
	}, &made)
	id := made["id"].(string)
	for _, change := range []struct {
		fn   func()
		want any
	}{
		{func() {}, "User.Read"},
		{func() {
			e.Change(http.MethodPatch, "/oauth2PermissionGrants/"+id, map[string]any{"scope": "Group.Read.All"}, nil)
		}, "Group.Read.All"},
		{func() { e.Change(http.MethodDelete, "/oauth2PermissionGrants/"+id, nil, nil) }, nil},
	} {
		change.fn()
		changed, next := deltaOf(e, link)
		if len(changed) != 1 || changed[0]["id"] != id || changed[0]["scope"] != change.want ||
			(change.want == nil) != (changed[0]["@removed"] != nil) {
			t.Errorf("want %v, have %v", change.want, changed)
		}
		link = next
	}
}

// TestLinksOfOtherDeltas are refused when they are forged, another query's, or old.
func TestLinksOfOtherDeltas(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	paths := []string{"/directoryRoles/delta", "/directoryObjects/delta", "/oauth2PermissionGrants/delta"}
	links := map[string]string{}
	for _, path := range paths {
		query := map[string]string{"/directoryObjects/delta": "?$filter=isof('microsoft.graph.group')"}[path]
		_, links[path] = deltaOf(e, path+query)
		for _, query := range []string{
			"?$deltatoken=x", "?$skiptoken=e30", "?$deltatoken=e30", "?$deltatoken=eyJrIjpbe31dfQ", "?$orderby=id",
		} {
			if status, _, text := e.Ask(http.MethodGet, path+query, nil); status != 400 && status != 410 {
				t.Errorf("%s%s: %d %s", path, query, status, text)
			}
		}
		if status, _, text := e.Ask(http.MethodGet, links[path]+"&$select=id", nil); status != http.StatusBadRequest {
			t.Errorf("%s with options: %d %s", path, status, text)
		}
	}
	e.Forward(40 * 24 * time.Hour)
	for _, path := range paths {
		status, header, text := e.Ask(http.MethodGet, links[path], nil)
		if status != http.StatusGone || !strings.HasSuffix(header.Get("Location"), path) {
			t.Errorf("%s, old: %d %s", path, status, text)
		}
	}
}

// TestADeltaLinkOfATimeToComeIsGone: how old a link is that a clock has made which was ahead,
// nobody knows. What has changed since then may be forgotten, such as who has left.
func TestADeltaLinkOfATimeToComeIsGone(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	e := newDirectory(t, 3, 1, func(x *tenant.Tenant, _ *server.Config) {
		x.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	for by, want := range map[time.Duration]int{
		time.Hour: http.StatusOK, 30 * 24 * time.Hour: http.StatusGone,
	} {
		ahead.Store(int64(by))
		_, link := deltas(directory{e.server.Graph(), e.server}, "/users/delta?$deltatoken=latest")
		ahead.Store(0)
		if status, _, body := e.Ask(http.MethodGet, link, nil); status != want {
			t.Errorf("made %s ahead: %d %s", by, status, body)
		}
	}
}
