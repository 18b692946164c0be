package graphserver_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// keepsNeeds checks what an application says that it needs, and that all its properties are shown.
func keepsNeeds(e pairtest.Ends, id string) {
	e.T.Helper()
	needs := func() string {
		e.T.Helper()
		_, _, text := e.Ask(http.MethodGet, "/applications/"+id, nil)
		for _, want := range []string{`"tags":[]`, `"homePageUrl":"https://wiki.example"`, `"notes":null`} {
			if !strings.Contains(text, want) { // all properties are there where none are selected
				e.T.Errorf("the application lacks %s: %s", want, text)
			}
		}
		_, list, _ := strings.Cut(text, `"requiredResourceAccess":`)
		return list
	}
	const one = `[{"resourceAccess":[{"id":"e1fe6dd8-ba31-4d61-89e7-88639da4683d","type":"Scope"}],` +
		`"resourceAppId":"` + graphID + `"}]`
	if have := needs(); !strings.HasPrefix(have, one) {
		e.T.Errorf("what it needs: %.200s", have)
	}
	e.Change(http.MethodPatch, "/applications/"+id, map[string]any{"displayName": "Wiki; D"}, nil)
	if have := needs(); !strings.HasPrefix(have, one) {
		e.T.Errorf("what it needs after another change: %.200s", have)
	}
	e.Change(http.MethodPatch, "/applications/"+id, map[string]any{"requiredResourceAccess": []any{}}, nil)
	if have := needs(); !strings.HasPrefix(have, "[]") {
		e.T.Errorf("what it needs after that was taken back: %.200s", have)
	}
	for name, wrong := range map[string]any{
		"a name": "x", "a kind": []any{map[string]any{"resourceAppId": graphID, "resourceAccess": []any{
			map[string]any{"id": graphID, "type": "Other"}}}},
		"no id": []any{map[string]any{"resourceAppId": "graph"}}, "null": nil,
	} {
		if status, _, text := e.Ask(http.MethodPatch, "/applications/"+id, map[string]any{
			"requiredResourceAccess": wrong}); status != http.StatusBadRequest {
			e.T.Errorf("%s: %d %s", name, status, text)
		}
	}
	for _, home := range []string{"javascript:alert(1)", "wiki", "https://wiki.example/" + strings.Repeat("x", 256)} {
		if status, _, text := e.Ask(http.MethodPatch, "/applications/"+id, map[string]any{
			"web": map[string]any{"homePageUrl": home}}); status != http.StatusBadRequest {
			e.T.Errorf("the home page %.30s: %d %s", home, status, text)
		}
	}
}

// TestProgramsRegisterApplications goes the way of Terraform's provider: an application, its
// service principal, their owners, and the deletion of both, each with all that it sends.
func TestProgramsRegisterApplications(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei := e.User("mei.tanaka@northwind.example").ID
	root := "https://graph.microsoft.com/v1.0/directoryObjects/"
	application := map[string]any{
		"displayName": "Wiki; D", "signInAudience": "AzureADMyOrg",
		"identifierUris":    []string{"https://wiki.example"},
		"owners@odata.bind": []string{root + mei}, "appRoles": []any{}, "tags": []any{}, "description": nil,
		"api": map[string]any{"acceptMappedClaims": nil, "knownClientApplications": []any{}},
		"requiredResourceAccess": []any{map[string]any{"resourceAppId": graphID, "resourceAccess": []any{
			map[string]any{"id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "type": "Scope"},
		}}},
		"optionalClaims": map[string]any{"accessToken": []any{}, "idToken": []any{}, "saml2Token": []any{}},
		"publicClient":   map[string]any{"redirectUris": []any{}}, "spa": map[string]any{"redirectUris": []any{}},
		"web": map[string]any{
			"redirectUris": []string{"https://wiki.example/acs"}, "homePageUrl": "https://wiki.example",
			"implicitGrantSettings": map[string]bool{
				"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false,
			},
		},
	}
	var app, principal map[string]any
	e.Change(http.MethodPost, "/applications", application, &app)
	id, appID := app["id"].(string), app["appId"].(string)
	keepsNeeds(e, id)
	if status, _, text := e.Ask(http.MethodGet, "/servicePrincipals(appId='"+appID+"')", nil); status != 404 {
		t.Errorf("a service principal that nobody made: %d %s", status, text)
	}
	wanted := map[string]any{
		"appId": appID, "accountEnabled": true, "appRoleAssignmentRequired": true, "alternativeNames": []any{},
		"samlSingleSignOnSettings": map[string]any{"relayState": ""}, "owners@odata.bind": []string{root + mei},
		"preferredSingleSignOnMode": "saml",
	}
	e.Change(http.MethodPost, "/servicePrincipals", wanted, &principal)
	spID := principal["id"].(string)
	if principal["displayName"] != "Wiki; D" || principal["preferredSingleSignOnMode"] != "saml" {
		t.Errorf("the service principal is %v", principal)
	}
	for path, want := range map[string]string{
		"/servicePrincipals/" + spID + "/owners": mei, "/applications/" + id + "/owners": mei,
		"/applications?$filter=displayName%20eq%20'Wiki;%20D'":                        id,
		"/applications/" + id + "?$expand=owners":                                     mei,
		"/users/" + mei + "/ownedObjects":                                             id,
		"/users/" + mei + "/ownedObjects/microsoft.graph.servicePrincipal":            spID,
		"/applications?$filter=identifierUris/any(s:s%20eq%20'https://wiki.example')": id,
	} {
		status, _, text := e.Ask(http.MethodGet, path, nil)
		if status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s lacks %s: %d %s", path, want, status, text)
		}
	}
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		words        string
	}{
		{"POST", "/servicePrincipals", map[string]any{"appId": appID}, 409, "MultipleObjectsWithSameKeyValue"},
		{"POST", "/servicePrincipals", map[string]any{"appId": id}, 400, "does not reference a valid application"},
		{"POST", "/applications", application, 400, "identifierUris already exists"},
		{"POST", "/applications", map[string]any{}, 400, "displayName"},
		{"POST", "/applications", map[string]any{"displayName": "A", "appRoles": []any{1}}, 400, "appRoles"},
		{"POST", "/applications", map[string]any{"displayName": "A", "web": map[string]any{
			"implicitGrantSettings": map[string]bool{"enableIdTokenIssuance": true}}}, 400, "implicitGrantSettings"},
		{"POST", "/applications", map[string]any{
			"displayName": "A", "signInAudience": "AzureADMultipleOrgs"}, 400, ""},
		{"POST", "/applications", map[string]any{
			"displayName": "A", "owners@odata.bind": []string{root + "x"}}, 404, ""},
		{"POST", "/applications/" + id + "/owners/$ref", map[string]any{"@odata.id": root + mei}, 400, "'owners'"},
		{"DELETE", "/applications/" + id + "/owners/" + mei + "/$ref", nil, 204, ""},
		{"DELETE", "/applications/" + id + "/owners/" + mei + "/$ref", nil, 404, ""},
		{"POST", "/applications/" + id + "/owners/$ref", map[string]any{"@odata.id": root + mei}, 204, ""},
		{"DELETE", "/servicePrincipals/" + spID, nil, 204, ""},
		{"DELETE", "/applications/" + id, nil, 204, ""}, // it went with its service principal
		{"GET", "/applications/" + id, nil, 404, ""},
		{"DELETE", "/applications/" + spID, nil, 404, ""},
	} {
		status, _, text := e.Ask(c.method, c.path, c.body)
		if status != c.status || !strings.Contains(text, c.words) {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, status, text, c.status)
		}
	}
}

// TestMembersOfRoles: a role that somebody has is among what they are a member of.
func TestMembersOfRoles(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei := e.User("mei.tanaka@northwind.example").ID
	reader := string(tenant.GlobalReader)
	e.Change(http.MethodPost, "/roleManagement/directory/roleAssignments", map[string]any{
		"principalId": mei, "roleDefinitionId": reader, "directoryScopeId": "/",
	}, nil)
	for path, want := range map[string]int{
		"/users/" + mei + "/memberOf": 2, "/users/" + mei + "/memberOf/microsoft.graph.directoryRole": 1,
		"/users/" + mei + "/memberOf/microsoft.graph.group":                                      1,
		"/users/" + mei + "/memberOf/microsoft.graph.directoryRole?$select=displayName,id":       1,
		"/users/" + mei + "/transitiveMemberOf/microsoft.graph.directoryRole?$count=true&$top=9": 1,
	} {
		var page struct{ Value []map[string]any }
		status, _, text := e.Ask(http.MethodGet, path, nil)
		err := json.Unmarshal([]byte(text), &page)
		if err != nil || status != http.StatusOK || len(page.Value) != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
		if strings.Contains(path, "directoryRole") && !strings.Contains(text, reader) {
			t.Errorf("%s lacks the role: %s", path, text)
		}
	}
}

// TestAnApplicationKeepsItsReference, by which whoever has made it finds it: from the gallery or
// registered, with the answer and in lists, until it is taken away.
func TestAnApplicationKeepsItsReference(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	fromGallery := "/applicationTemplates/" + graph.AWSTemplateID + "/instantiate"
	var made graph.ApplicationServicePrincipal
	e.Change(http.MethodPost, fromGallery,
		map[string]any{"displayName": "AWS", "serviceManagementReference": "run 1"}, &made)
	var registered graph.Application
	e.Change(http.MethodPost, "/applications",
		map[string]any{"displayName": "Wiki", "serviceManagementReference": "run 2"}, &registered)
	reference := func(id string) string {
		t.Helper()
		all, err := graph.All[graph.Application](t.Context(), e.Client, "/applications")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(a graph.Application) bool { return a.ID == id })
		if i < 0 || all[i].ServiceManagementReference == nil {
			return "null"
		}
		return *all[i].ServiceManagementReference
	}
	for i, a := range []graph.Application{made.Application, registered} {
		want := []string{"run 1", "run 2"}[i]
		if a.ServiceManagementReference == nil || *a.ServiceManagementReference != want || reference(a.ID) != want {
			t.Errorf("%s has the reference %q, and listed %q", a.DisplayName, *a.ServiceManagementReference,
				reference(a.ID))
		}
		e.Change(http.MethodPatch, "/applications/"+a.ID, map[string]any{"serviceManagementReference": "CMDB-7"}, nil)
		e.Change(http.MethodPatch, "/applications/"+a.ID, map[string]any{"displayName": "Renamed"}, nil)
		if now := reference(a.ID); now != "CMDB-7" {
			t.Errorf("after a change it is %q", now)
		}
		e.Change(http.MethodPatch, "/applications/"+a.ID, map[string]any{"serviceManagementReference": nil}, nil)
		if now := reference(a.ID); now != "null" {
			t.Errorf("taken away, it is %q", now)
		}
	}
	long := map[string]any{"displayName": "x", "serviceManagementReference": strings.Repeat("ü", 257)}
	for method, path := range map[string]string{
		http.MethodPost: fromGallery, http.MethodPatch: "/applications/" + registered.ID,
	} {
		if status, _, text := e.Ask(method, path, long); status != http.StatusBadRequest {
			t.Errorf("%s with a long one: %d %s", method, status, text)
		}
	}
}
