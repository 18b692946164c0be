package syncjobs_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAnotherLetterIsAnotherPerson gives somebody a name that Unicode's lower case makes
// mei.tanaka's, and follows it from the tenant through provisioning to the portal: it is another
// person everywhere.
func TestAnotherLetterIsAnotherPerson(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const domain = "@northwind.example"
	mei, twin := "mei.tanaka"+domain, "me\u0130.tanaka"+domain // with LATIN CAPITAL LETTER I WITH DOT ABOVE
	meiAtCenter := e.Find("/Users", "userName", mei).String("id")

	var made graph.User
	e.Change(
		http.MethodPost,
		"/users",
		map[string]any{
			"accountEnabled":    true,
			"displayName":       "Nobody Else",
			"givenName":         "Nobody",
			"surname":           "Else",
			"mailNickname":      "else",
			"userPrincipalName": twin,
			"passwordProfile":   map[string]any{"password": e.People[0].Password},
		},
		nil,
	)
	if status, _, body := e.Ask(http.MethodGet, "/users/"+url.PathEscape(twin), nil); status != http.StatusOK ||
		json.Unmarshal([]byte(body), &made) != nil ||
		made.DisplayName != "Nobody Else" {
		t.Fatalf("%s at the tenant: %d %s", twin, status, body)
	}
	if found := e.List("/users?$filter="+url.QueryEscape("userPrincipalName eq '"+twin+"'"), "displayName"); len(
		found,
	) != 1 ||
		found[0] != "Nobody Else" {
		t.Errorf("the tenant's filter finds %q", found)
	}
	e.Change(
		http.MethodPost,
		"/groups/"+e.Group("Finance").ID+"/members/$ref",
		graph.Reference{ID: e.Client.BaseURL + "/directoryObjects/" + made.ID},
		nil,
	)
	e.Soon("a user of their own", func() bool { return e.Find("/Users", "userName", twin) != nil })
	if id := e.Find("/Users", "userName", twin).String("id"); id == meiAtCenter {
		t.Error("provisioning has taken one for the other")
	}

	v := webtest.New(t, nil)
	acs, form := e.Response(v, e.Center.PortalURL, twin)
	if status, page := v.Send(http.MethodPost, acs, form); status != http.StatusOK ||
		!strings.Contains(page, "Nobody Else") ||
		strings.Contains(page, "Mei Tanaka") {
		t.Errorf("signed in as %d %s", status, page)
	}
	for _, name := range []string{"me\u0131.tanaka" + domain, strings.Replace(mei, "k", "\u212a", 1), mei + "\u200b"} {
		if found := e.Find("/Users", "userName", name); found != nil {
			t.Errorf("the filter for %q finds %s", name, found.String("userName"))
		}
	}
}

// TestNamesHaveNoControlCharacters tries every name that both halves keep.
func TestNamesHaveNoControlCharacters(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const esc = "a\x1b]0;b\x07"
	user := func(name, display string) map[string]any {
		return map[string]any{
			"accountEnabled":    true,
			"displayName":       display,
			"mailNickname":      "x",
			"userPrincipalName": name,
			"passwordProfile":   map[string]any{"password": "a long password"},
		}
	}
	group := map[string]any{"displayName": esc, "mailEnabled": false, "mailNickname": "x", "securityEnabled": true}
	for _, x := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, "/users", user("x@northwind.example", esc)},
		{http.MethodPost, "/users", user("x\u0085@northwind.example", "X")},
		{http.MethodPatch, "/users/mei.tanaka@northwind.example", map[string]any{"displayName": esc}},
		{http.MethodPost, "/groups", group},
		{http.MethodPatch, "/groups/" + e.Group("Finance").ID, map[string]any{"displayName": esc}},
		{http.MethodPatch, "/applications/" + e.Tenant.ApplicationID, map[string]any{"displayName": esc}},
	} {
		if status, _, body := e.Ask(x.method, x.path, x.body); status != http.StatusBadRequest ||
			!strings.Contains(body, "Request_BadRequest") {
			t.Errorf("%s %s: %d %s", x.method, x.path, status, body)
		}
	}
	person := func(name, display string) scim.Resource {
		return scim.Resource{
			"schemas":     []any{scim.UserURN},
			"userName":    name,
			"displayName": display,
			"active":      true,
			"name":        map[string]any{"givenName": "X", "familyName": "Y"},
		}
	}
	for path, list := range map[string][]scim.Resource{
		"/Users": {
			person(esc, "X"), person("x\u0085", "X"), person("x\u202ey", "X"), person("x\u200by", "X"),
			person("x", esc), person("x", "\u009b2J"), person("x", "\u0645\u06cc\u200c\u062e"), // AWS takes no joiner
		},
		"/Groups": {{"schemas": []any{scim.GroupURN}, "displayName": esc}},
	} {
		for _, r := range list {
			err := e.SCIM.Do(context.Background(), http.MethodPost, path, nil, r, nil)
			if err == nil || !strings.Contains(err.Error(), "400 Bad Request") ||
				!strings.Contains(err.Error(), "allowed") {
				t.Errorf("%s %q %q: %v", path, r.String("userName"), r.String("displayName"), err)
			}
		}
	}
	err := e.SCIM.Do(
		context.Background(),
		http.MethodPost,
		"/Users",
		nil,
		person("jose\u0301", "Jos\u00e9 – \u0645\u06cc\u062e\u0648\u0627\u0647\u0645"),
		nil,
	) // what AWS takes
	if err != nil {
		t.Error(err)
	}
	if u := e.Find("/Users", "userName", "JOS\u00e9"); u == nil || u.String("userName") != "jos\u00e9" {
		t.Errorf("what is kept is %v", u)
	}
}
