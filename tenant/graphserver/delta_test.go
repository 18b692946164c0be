package graphserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
)

// deltas follows a delta query to its end.
func deltas(e directory, path string, headers ...string) (objects []map[string]any, link string) {
	e.T.Helper()
	for range 100 {
		status, _, body := e.Ask(http.MethodGet, path, nil, headers...)
		var page graph.DeltaPage[map[string]any]
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			e.T.Fatalf("%s: %d %s", path, status, body)
		}
		objects = append(objects, page.Value...)
		if page.DeltaLink != "" {
			return objects, page.DeltaLink
		}
		path = page.NextLink
	}
	e.T.Fatal("the delta query does not end")
	return nil, ""
}

func TestDeltaQueries(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 1500, 1) // one large group
	users, usersLink := deltas(e,
		"/users/delta?$select=displayName,accountEnabled,manager", "Prefer: odata.maxpagesize=600",
	)
	if len(users) != 1500 || users[0]["givenName"] != nil || users[0]["accountEnabled"] == nil ||
		users[0]["manager@delta"] == nil {
		t.Errorf("%d users, such as %v", len(users), users[0])
	}
	groups, groupsLink := deltas(e, "/groups/delta?$select=displayName,members")
	members := map[string]bool{}
	for _, g := range groups {
		for _, m := range g["members@delta"].([]any) {
			members[m.(map[string]any)["id"].(string)] = true
		}
	}
	if len(groups) < 2 || len(members) != 1500 || groups[0]["id"] != groups[1]["id"] {
		t.Errorf("the group comes %d times with %d members in all", len(groups), len(members))
	}
	_, latest := deltas(e, "/users/delta?$deltatoken=latest")
	for _, link := range []string{usersLink, groupsLink, latest} {
		if changed, _ := deltas(e, link); len(changed) != 0 {
			t.Errorf("nothing has changed, but %v", changed)
		}
	}
	mei, ben := e.User("mei.tanaka@northwind.example"), e.User("ben.oneill@northwind.example")
	group := groups[0]["id"].(string)
	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"displayName": "May"}, nil)
	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"displayName": "Mei"}, nil)
	e.Change(http.MethodDelete, "/groups/"+group+"/members/"+mei.ID+"/$ref", nil, nil)
	e.Change(http.MethodDelete, "/users/"+ben.ID, nil, nil)
	var made graph.Group
	e.Change(
		http.MethodPost, "/groups",
		map[string]any{"displayName": "New", "mailNickname": "new", "mailEnabled": false, "securityEnabled": true},
		&made,
	)
	e.Change(http.MethodPost, "/groups/"+made.ID+"/members/$ref", graph.Reference{ID: "x/" + mei.ID}, nil)
	changed, next := deltas(e, usersLink, "Prefer: odata.maxpagesize=1")
	byID := map[string]map[string]any{}
	for _, u := range changed {
		byID[u["id"].(string)] = u
	}
	if len(byID) != 2 || byID[mei.ID]["displayName"] != "Mei" ||
		fmt.Sprint(byID[ben.ID]["@removed"]) != "map[reason:changed]" {
		t.Errorf("changed users %v", changed)
	}
	e.Change(http.MethodDelete, "/directory/deletedItems/"+ben.ID, nil, nil)
	changed, next = deltas(e, next)
	if len(changed) != 1 || fmt.Sprint(changed[0]["@removed"]) != "map[reason:deleted]" {
		t.Errorf("a user who is gone for good: %v", changed)
	}
	if again, _ := deltas(e, next); len(again) != 0 {
		t.Errorf("once more %v", again)
	}
	changed, next = deltas(e, groupsLink)
	text := fmt.Sprint(changed)
	if len(changed) != 2 || !strings.Contains(text, "@removed:map[reason:deleted] id:"+mei.ID) &&
		!strings.Contains(text, "id:"+mei.ID) || strings.Count(text, "@removed") != 2 {
		t.Errorf("changed groups %s", text)
	}
	e.Change(http.MethodDelete, "/groups/"+made.ID, nil, nil)
	if changed, _ = deltas(e, next); len(changed) != 1 || changed[0]["@removed"] == nil {
		t.Errorf("a deleted group: %v", changed)
	}
	one, _ := deltas(e, "/users/delta?$filter="+url.QueryEscape("id eq '"+mei.ID+"' or id eq 'x'"))
	if len(one) != 1 {
		t.Errorf("of one user: %v", one)
	}
	_, titles := deltas(e, "/users/delta?$select=JobTitle&$deltaToken=latest")
	_, everything := deltas(e, "/users/microsoft.graph.delta()?$deltatoken=latest")
	_, named := deltas(e, "/groups/delta?$select=displayName&$deltatoken=latest")
	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"department": "Elsewhere"}, nil)
	e.Change(http.MethodPatch, "/groups/"+group, map[string]any{"description": "x"}, nil)
	e.Change(http.MethodPost, "/groups/"+group+"/members/$ref", graph.Reference{ID: "x/" + mei.ID}, nil)
	if changed, titles = deltas(e, titles); len(changed) != 0 {
		t.Errorf("a property that is not selected: %v", changed)
	}
	if changed, named = deltas(e, named); len(changed) != 0 {
		t.Errorf("a description and a member, where names are selected: %v", changed)
	}
	if changed, everything = deltas(e, everything); len(changed) != 1 || changed[0]["id"] != mei.ID {
		t.Errorf("without a selection: %v", changed)
	}
	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Fellow"}, nil)
	e.Change(http.MethodPatch, "/groups/"+group, map[string]any{"displayName": "Renamed"}, nil)
	if changed, _ = deltas(e, titles); len(changed) != 1 || changed[0]["jobTitle"] != "Fellow" {
		t.Errorf("a property that is selected: %v", changed)
	}
	if changed, _ = deltas(e, named); len(changed) != 1 || changed[0]["displayName"] != "Renamed" ||
		changed[0]["members@delta"] != nil {
		t.Errorf("a name that is selected: %v", changed)
	}
	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Fellow"}, nil)
	e.Change(http.MethodDelete, "/groups/"+group+"/members/"+mei.ID+"/$ref", nil, nil)
	_, everything = deltas(e, everything)
	if changed, _ = deltas(e, everything); len(changed) != 0 {
		t.Errorf("nothing has changed: %v", changed)
	}
	for name, path := range map[string]string{"a broken token": "/users/delta?$deltatoken=!",
		"a token of groups": strings.Replace(groupsLink, "/groups/", "/users/", 1), "$top": "/users/delta?$top=5",
		"another filter": "/users/delta?$filter=displayName%20eq%20'x'"} {
		if status, _, body := e.Ask(http.MethodGet, path, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	const old = "eyJrIjoiVXNlciIsIm4iOjEsInQiOjE3MDAwMDAwMDB9" // {"k":"User","n":1,"t":1700000000}
	if status, header, body := e.Ask(http.MethodGet, "/users/delta?$deltatoken="+old, nil); status != http.StatusGone ||
		!strings.Contains(body, "syncStateNotFound") || !strings.HasSuffix(header.Get("Location"), "/users/delta") {
		t.Errorf("an old token: %d %s %s", status, header.Get("Location"), body)
	}
}
