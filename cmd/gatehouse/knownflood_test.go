package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
)

// TestWhoIsSignedInFillsNoDisk has a person of the portal, a SCIM client and a client of Graph
// refused again and again. Each is named, all is in the events or counted, and the events are few.
func TestWhoIsSignedInFillsNoDisk(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d, stop := startDemo(t, "--data", data)
	e := newEnds(t, d)
	const who, each = "amara.okafor@northwind.example", 500
	v := newVisitor(t)
	acs, form := v.response(d, d.Center.PortalURL, who)
	if status, page := v.send(http.MethodPost, acs, form); status != http.StatusOK {
		t.Fatalf("sign in: %d %s", status, page)
	}
	address := d.Center.URL + "/start/console?" + url.Values{
		"account_id": {"999900001111"},
		"role_name":  {"x"},
	}.Encode()
	for i := range each {
		if status, _ := v.send(http.MethodGet, address, nil); status != http.StatusForbidden {
			t.Fatalf("the portal: %d", status)
		}
		err := e.scim.Do(context.Background(), http.MethodGet, "/Users?filter=zzz", nil, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "400") {
			t.Fatalf("SCIM: %v", err)
		}
		body := map[string]any{"displayName": fmt.Sprint("x", i)}
		if status, _, answer := e.ask(http.MethodPost, "/users", body); status != http.StatusBadRequest {
			t.Fatalf("Graph: %d %s", status, answer)
		}
	}
	stop()
	for _, half := range []struct {
		name   string
		events []audit.Event
		kinds  []audit.Kind
	}{
		{"center", centerEvents(t, filepath.Join(data, "center.db")), []audit.Kind{audit.User, audit.Provisioning}},
		{"tenant", tenantEvents(t, filepath.Join(data, "tenant.db")), []audit.Kind{audit.Application}},
	} {
		for _, kind := range half.kinds {
			lines, all := 0, 0
			for _, e := range half.events {
				if e.Result == audit.Refused && e.Actor.Kind == kind && e.Actor.Name != "" {
					lines++
					all += max(1, e.Count)
				}
			}
			if all != each {
				t.Errorf("%s: %d of %d refusals of %s are in the events", half.name, all, each, kind)
			}
			if lines > 250 { // of a minute, or of a few on a slow machine
				t.Errorf("%s: %d events of what %s was refused", half.name, lines, kind)
			}
		}
	}
}

// TestAnotherLetterIsAnotherGroup has a group whose name Unicode's lower case makes that of another
// one, and groups of names that differ in their normal form only.
func TestAnotherLetterIsAnotherGroup(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	e := newEnds(t, d)
	ids := map[string]string{}
	for _, name := range []string{"\u212aings", "Cafe\u0301"} { // KELVIN SIGN; an accent of its own
		var made struct {
			ID string `json:"id"`
		}
		group := map[string]any{"displayName": name, "mailEnabled": false, "mailNickname": "k", "securityEnabled": true}
		e.change(http.MethodPost, "/groups", group, &made)
		ids[name] = made.ID
	}
	admin := newVisitor(t)
	credentials := url.Values{"username": {d.Admin.UserName}, "password": {d.Admin.Password}}
	if status, page := admin.send(http.MethodPost, d.Tenant.URL+"/admin/login", credentials); status != http.StatusOK {
		t.Fatalf("the administrator cannot sign in: %d %s", status, page)
	}
	finance := e.group("Finance").ID
	add := func(name string) (status int, members []string) {
		address := d.Tenant.AdminCenterURL + "groups/" + finance + "/members"
		status, _ = admin.send(http.MethodPost, address, url.Values{"name": {name}})
		return status, e.list("/groups/"+finance+"/members", "id")
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
	e.change(http.MethodDelete, "/groups/"+finance+"/members/"+ids["Cafe\u0301"]+"/$ref", nil, nil)
	if status, members := add("Caf\u00e9"); !strings.Contains(strings.Join(members, " "), ids["Cafe\u0301"]) {
		t.Errorf("%d: the group was not found by another writing of its name", status)
	}
	for filter, want := range map[string]int{
		"displayName eq 'Kings'": 0, "displayName eq 'kings'": 0, "displayName eq '\u212aINGS'": 1,
		"displayName eq 'cafe\u0301'": 1, "displayName eq 'Caf\u00e9'": 1,
		"startswith(displayName,'king')": 0, "startswith(displayName,'\u212aIN')": 1,
		"startswith(displayName,'caf\u00e9')": 1,
	} {
		if found := e.list("/groups?$filter="+url.QueryEscape(filter), "displayName"); len(found) != want {
			t.Errorf("%s finds %q", filter, found)
		}
	}
}

// TestUserPrincipalNamesAreVisible tries characters that nobody sees, by which one could pass for
// somebody else.
func TestUserPrincipalNamesAreVisible(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	e := newEnds(t, d)
	for _, name := range []string{
		"mei\u200b.tanaka", "mei.tanaka\u00ad", "\ufeffmei.tanaka", "mei\u2060.tanaka", "mei.tanaka\u00a0",
		"mei\U000e0041.tanaka", "mei\u202e.tanaka",
	} {
		user := map[string]any{"accountEnabled": true, "displayName": "X", "mailNickname": "x",
			"userPrincipalName": name + "@northwind.example",
			"passwordProfile":   map[string]any{"password": "a long password"}}
		if status, _, body := e.ask(http.MethodPost, "/users", user); status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", name, status, body)
		}
		change := map[string]any{"userPrincipalName": name + "@northwind.example"}
		status, _, body := e.ask(http.MethodPatch, "/users/grace.kim@northwind.example", change)
		if status != http.StatusBadRequest {
			t.Errorf("to %q: %d %s", name, status, body)
		}
	}
}
