package graphserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAnotherLetterIsAnotherGroup has a group whose name Unicode's lower case makes that of another
// one, and groups of names that differ in their normal form only.
func TestAnotherLetterIsAnotherGroup(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	ids := map[string]string{}
	for _, name := range []string{"\u212aings", "Cafe\u0301"} { // KELVIN SIGN; an accent of its own
		var made struct {
			ID string `json:"id"`
		}
		group := map[string]any{"displayName": name, "mailEnabled": false, "mailNickname": "k", "securityEnabled": true}
		e.Change(http.MethodPost, "/groups", group, &made)
		ids[name] = made.ID
	}
	admin := e.server.AdminCenter()
	finance := e.Group("Finance").ID
	add := func(name string) (status int, members []string) {
		address := e.server.AdminCenterURL() + "groups/" + finance + "/members"
		status, _ = admin.Send(http.MethodPost, address, url.Values{"name": {name}})
		return status, e.List("/groups/"+finance+"/members", "id")
	}
	if status, members := add("Kings"); strings.Contains(strings.Join(members, " "), ids["\u212aings"]) {
		t.Errorf("%d: the group of another name was added", status)
	}
	if status, members := add("CAF\u00c9"); strings.Contains(strings.Join(members, " "), ids["Cafe\u0301"]) {
		t.Errorf("%d: a letter beyond ASCII in another case was taken for the same", status)
	}
	if status, members := add("CAFe\u0301"); !strings.Contains(strings.Join(members, " "), ids["Cafe\u0301"]) {
		t.Errorf("%d: the group was not found by another case of ASCII", status)
	}
	e.Change(http.MethodDelete, "/groups/"+finance+"/members/"+ids["Cafe\u0301"]+"/$ref", nil, nil)
	if status, members := add("Caf\u00e9"); !strings.Contains(strings.Join(members, " "), ids["Cafe\u0301"]) {
		t.Errorf("%d: the group was not found by another writing of its name", status)
	}
	for filter, want := range map[string]int{
		"displayName eq 'Kings'": 0, "displayName eq 'kings'": 0, "displayName eq '\u212aINGS'": 1,
		"displayName eq 'cafe\u0301'": 1, "displayName eq 'Caf\u00e9'": 1,
		"startswith(displayName,'king')": 0, "startswith(displayName,'\u212aIN')": 1,
		"startswith(displayName,'caf\u00e9')": 1,
	} {
		if found := e.List("/groups?$filter="+url.QueryEscape(filter), "displayName"); len(found) != want {
			t.Errorf("%s finds %q", filter, found)
		}
	}
}

// TestUserPrincipalNamesAreVisible tries characters that nobody sees, by which one could pass for
// somebody else.
func TestUserPrincipalNamesAreVisible(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	for _, name := range []string{
		"mei\u200b.tanaka", "mei.tanaka\u00ad", "\ufeffmei.tanaka", "mei\u2060.tanaka", "mei.tanaka\u00a0",
		"mei\U000e0041.tanaka", "mei\u202e.tanaka",
	} {
		user := map[string]any{"accountEnabled": true, "displayName": "X", "mailNickname": "x",
			"userPrincipalName": name + "@northwind.example",
			"passwordProfile":   map[string]any{"password": "a long password"}}
		if status, _, body := e.Ask(http.MethodPost, "/users", user); status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", name, status, body)
		}
		change := map[string]any{"userPrincipalName": name + "@northwind.example"}
		status, _, body := e.Ask(http.MethodPatch, "/users/grace.kim@northwind.example", change)
		if status != http.StatusBadRequest {
			t.Errorf("to %q: %d %s", name, status, body)
		}
	}
}
