package graphserver_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

const deletedUsers = "/directory/deletedItems/microsoft.graph.user"

func TestDeletedItems(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t, tenanttest.Movable)
	e := s.Graph()
	var ada, bob graph.User
	for name, into := range map[string]*graph.User{"ada": &ada, "bob": &bob} {
		e.Change(http.MethodPost, "/users", map[string]any{
			"accountEnabled": true, "displayName": name, "mailNickname": name,
			"userPrincipalName": name + "@northwind.example",
			"passwordProfile":   map[string]any{"password": "a long password"},
		}, into)
	}
	var team graph.Group
	e.Change(http.MethodPost, "/groups", map[string]any{
		"displayName": "Team", "mailNickname": "team", "mailEnabled": false, "securityEnabled": true,
		"members@odata.bind": []string{"x/" + ada.ID, "x/" + bob.ID}, "owners@odata.bind": []string{"x/" + bob.ID},
	}, &team)
	e.Change(http.MethodDelete, "/users/"+ada.ID, nil, nil)
	e.Change(http.MethodDelete, "/groups/"+team.ID, nil, nil)

	names := e.List(deletedUsers, "userPrincipalName")
	if want := strings.ReplaceAll(ada.ID, "-", "") + "ada@northwind.example"; !slices.Equal(names, []string{want}) {
		t.Errorf("deleted users %v, want %s", names, want)
	}
	eventual := "ConsistencyLevel: eventual"
	for path, want := range map[string]string{
		deletedUsers + "?$count=true&$orderby=deletedDateTime%20desc&$select=id,deletedDateTime": `"@odata.count":1`,
		deletedUsers + "/$count":                             "1",
		deletedUsers + "?$filter=displayName%20eq%20'ada'":   ada.ID,
		deletedUsers + "/" + ada.ID:                          `"deletedDateTime":"2`,
		"/directory/deleteditems/" + ada.ID:                  `"@odata.type":"#microsoft.graph.user"`,
		"/directory/deletedItems/microsoft.graph.group":      team.ID,
		"/directory/deletedItems/" + team.ID + "?$select=id": `"#microsoft.graph.group"`,
	} {
		if status, _, body := e.Ask(http.MethodGet, path, nil, eventual); status != http.StatusOK ||
			!strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{
		"/users/" + ada.ID, "/groups/" + team.ID, "/directory/deletedItems/" + bob.ID,
		"/directory/deletedItems/microsoft.graph.group/" + ada.ID,
	} {
		if status, _, body := e.Ask(http.MethodGet, path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}

	status, _, body := e.Ask(http.MethodPost, "/directory/deletedItems/"+team.ID+"/restore", map[string]any{})
	if status != http.StatusOK || !strings.Contains(body, `"#microsoft.graph.group"`) {
		t.Errorf("restored: %d %s", status, body)
	}
	if have := e.List("/groups/"+team.ID+"/members", "id"); !slices.Equal(have, []string{bob.ID}) {
		t.Errorf("members while one is deleted: %v", have)
	}
	e.Change(http.MethodPatch, "/users/"+bob.ID, map[string]any{"userPrincipalName": "ada@northwind.example"}, nil)
	status, _, body = e.Ask(http.MethodPost, "/directory/deletedItems/"+ada.ID+"/restore", map[string]any{})
	if status != http.StatusBadRequest || !strings.Contains(body, "property userPrincipalName already exists") {
		t.Errorf("restored under a name that is taken: %d %s", status, body)
	}
	status, _, body = e.Ask(http.MethodPost, "/directory/deletedItems/"+ada.ID+"/restore",
		map[string]any{"newUserPrincipalName": "ada.2@northwind.example", "autoReconcileProxyConflict": true})
	if status != http.StatusOK || !strings.Contains(body, `"ada.2@northwind.example"`) {
		t.Errorf("restored under another name: %d %s", status, body)
	}
	if have := e.List("/groups/"+team.ID+"/members", "id"); len(have) != 2 {
		t.Errorf("members after the restoration: %v", have)
	}

	e.Change(http.MethodDelete, "/users/"+ada.ID, nil, nil)
	for _, step := range []struct{ seconds, left int }{{29 * 24 * 3600, 1}, {24*3600 + 60, 0}} {
		e.Change(http.MethodPost, "/gatehouse/clock", map[string]any{"forwardSeconds": step.seconds}, nil)
		if left := e.List(deletedUsers, "id"); len(left) != step.left {
			t.Errorf("%d seconds later %v can be restored", step.seconds, left)
		}
	}
	status, _, body = e.Ask(http.MethodPost, "/directory/deletedItems/"+ada.ID+"/restore", map[string]any{})
	if status != http.StatusNotFound {
		t.Errorf("restored too late: %d %s", status, body)
	}
	if page := fmt.Sprint(e.List("/auditLogs/directoryAudits", "activityDisplayName")); !strings.Contains(
		page, "Hard Delete user",
	) || !strings.Contains(page, "Restore user") || !strings.Contains(page, "Restore Group") {
		t.Errorf("the audit log: %s", page)
	}
}
