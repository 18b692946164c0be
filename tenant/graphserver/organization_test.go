package graphserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

func TestTheTenantAsAWhole(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	e := s.Graph()
	const defaults = "/policies/identitySecurityDefaultsEnforcementPolicy"
	for path, want := range map[string]string{
		"/subscribedSkus":            `"skuPartNumber":"AAD_PREMIUM_P2"`,
		"/domains":                   `"id":"northwind.example"`,
		"/domains/Northwind.example": `"isVerified":true`,
		"/oauth2PermissionGrants":    `"value":[]`,
		defaults:                     `"isEnabled":false`,
		"/directoryRoles?$select=id": `"62e90394-69f5-4237-9190-012177145e10"`,
		"/directoryRoleTemplates":    `"Cloud Application Administrator"`,
		"/directoryRoles/f2ef992c-3afb-46b9-b7cf-a126ee74c451":       `"roleTemplateId"`,
		"/applicationTemplates/8adf8e6e-67b2-4cf2-a259-e3dc5476c621": `"Custom"`,

		"/roleManagement/directory/roleDefinitions?$filter=displayName%20eq%20'Global%20Reader'": `"isBuiltIn":true`,
	} {
		status, _, body := e.Ask(http.MethodGet, path, nil)
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	e.Change(http.MethodPatch, defaults, map[string]any{"isEnabled": true}, nil)
	if _, _, body := e.Ask(http.MethodGet, defaults, nil); !strings.Contains(body, `"isEnabled":true`) {
		t.Errorf("security defaults: %s", body)
	}
	u := s.NewPerson("ada@northwind.example")
	members := "/directoryRoles/fe930be7-5e62-47db-91af-98c3a49a38b1/members"
	e.Change(http.MethodPost, members+"/$ref", map[string]any{"@odata.id": "x/" + string(u.ID)}, nil)
	if have := e.List(members, "id"); len(have) != 1 || have[0] != string(u.ID) {
		t.Errorf("members of a role: %v", have)
	}
	for _, x := range []struct {
		method, path string
		in           any
		want         int
	}{
		{http.MethodPost, members + "/$ref", map[string]any{"@odata.id": "x/" + string(u.ID)}, http.StatusBadRequest},
		{http.MethodPost, "/roleManagement/directory/roleAssignments", map[string]any{"principalId": string(u.ID),
			"roleDefinitionId": "00000000-0000-0000-0000-000000000001", "directoryScopeId": "/"}, http.StatusNotFound},
		{http.MethodPost, "/roleManagement/directory/roleAssignments", map[string]any{"principalId": string(u.ID),
			"roleDefinitionId": "f2ef992c-3afb-46b9-b7cf-a126ee74c451", "directoryScopeId": "/administrativeUnits/x"},
			http.StatusBadRequest},
		{http.MethodGet, "/domains/example.com", nil, http.StatusNotFound},
		{http.MethodDelete, members + "/" + string(u.ID) + "/$ref", nil, http.StatusNoContent},
		{http.MethodDelete, members + "/" + string(u.ID) + "/$ref", nil, http.StatusNotFound},
	} {
		if status, _, body := e.Ask(x.method, x.path, x.in); status != x.want {
			t.Errorf("%s %s: %d, want %d: %s", x.method, x.path, status, x.want, body)
		}
	}
}
