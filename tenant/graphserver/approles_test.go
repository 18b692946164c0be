package graphserver_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
)

const (
	analystRole = "33333333-3333-4333-8333-333333333333"
	ingridName  = "ingrid.larsen@northwind.example"
)

// TestAppRolesAreProvisioned: roles that Graph's clients define are assigned, mapped in every way
// that Entra documents, and arrive; what cannot be mapped so is refused with a reason.
func TestAppRolesAreProvisioned(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	standard := standardTarget(t)
	job, principal := e.JobPath(), "/servicePrincipals/"+e.Tenant.ServicePrincipalID
	refused := func(what, method, path string, body any, want string) {
		t.Helper()
		err := e.Client.Do(context.Background(), method, path, body, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	var app graph.ServicePrincipal
	e.Change(http.MethodGet, principal+"?$select=id,appRoles", nil, &app)
	value := "analyst"
	role := graph.AppRole{
		ID: analystRole, DisplayName: "Analysts", Description: "People who look at data",
		Value: &value, IsEnabled: true,
		AllowedMemberTypes: []string{"User"},
	}
	with := func(roles ...graph.AppRole) map[string]any { return map[string]any{"appRoles": roles} }
	all := append(app.AppRoles, role)
	e.Change(http.MethodPatch, principal, with(all...), nil)
	e.Change(http.MethodGet, principal+"?$select=id,appRoles", nil, &app)
	if n := len(app.AppRoles); n != 3 || app.AppRoles[2].Value == nil || *app.AppRoles[2].Value != "analyst" {
		t.Errorf("the roles: %+v", app.AppRoles)
	}
	twice := role
	twice.ID = "44444444-4444-4444-8444-444444444444"
	refused("a value twice", http.MethodPatch, principal, with(append(all, twice)...), "analyst stands twice")
	refused("an enabled role away", http.MethodPatch, principal, with(app.AppRoles[:2]...), "unless disabled first")
	twice.AllowedMemberTypes = []string{"Application"}
	refused("for programs", http.MethodPatch, principal, with(append(all, twice)...), "allowedMemberTypes")
	ingrid := e.User(ingridName)
	give := func(id string) map[string]any {
		return map[string]any{"principalId": ingrid.ID, "resourceId": e.Tenant.ServicePrincipalID, "appRoleId": id}
	}
	given := principal + "/appRoleAssignedTo"
	refused("no such role", http.MethodPost, given, give(twice.ID), "was not found on application")

	var s graph.SynchronizationSchema
	e.Change(http.MethodGet, job+"/schema", nil, &s)
	write := func(target, expression, flow string) map[string]any {
		changed := s
		m := s.Rules[0].ObjectMappings[0]
		m.AttributeMappings = append(append([]graph.AttributeMapping{}, m.AttributeMappings...), graph.AttributeMapping{
			TargetAttributeName: target, Source: graph.AttributeSource{Expression: expression}, FlowType: flow,
		})
		changed.Rules = []graph.SynchronizationRule{s.Rules[0]}
		changed.Rules[0].ObjectMappings = []graph.ObjectMapping{m, s.Rules[0].ObjectMappings[1]}
		return plain(t, changed)
	}
	const assertive = "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])"
	for _, c := range []struct{ target, expression, flow, want string }{
		{"nickName", assertive, "Always", "map it to roles"},
		{"roles", "[jobTitle]", "Always", "map it by AssertiveAppRoleAssignmentsComplex"},
		{"roles", "AppRoleAssignmentsComplex([jobTitle])", "Always", "[appRoleAssignments] only"},
		{"roles", `Append("x", ` + assertive + `)`, "Always", "cannot be nested"},
		{"nickName", `SelectUniqueValue("a", "b")`, "Always", "Only during object creation"},
		{"nickName", `Trim(SelectUniqueValue("a", "b"))`, "ObjectAddOnly", "cannot be nested"},
		{"nickName", `SelectUniqueValue("a")`, "ObjectAddOnly", "at least 2"},
	} {
		refused(c.target+" "+c.expression, http.MethodPut, job+"/schema", write(c.target, c.expression, c.flow), c.want)
	}
	e.Change(http.MethodPut, job+"/schema", write("roles", assertive, "Always"), nil)
	e.Change(http.MethodPut, principal+"/synchronization/secrets", graph.Secrets{Value: []graph.KeyValue{
		{Key: graph.KeyBaseAddress, Value: standard.BaseURL}, {Key: graph.KeySecretToken, Value: standard.Token},
	}}, nil)
	e.Change(http.MethodPost, job+"/restart", map[string]any{"criteria": map[string]any{"resetScope": "Full"}}, nil)
	everybody := graph.Secrets{Value: []graph.KeyValue{{Key: graph.KeySyncAll, Value: "true"}}}
	refused("roles of everybody", http.MethodPut, principal+"/synchronization/secrets", everybody,
		"sync only assigned users and groups")
	roles := func(want string) func() bool {
		return func() bool {
			var names []string
			found, err := standard.Find(context.Background(), "/Users", "userName", ingridName)
			if err != nil || len(found) != 1 {
				return false
			}
			for _, r := range found[0].List("roles") {
				names = append(names, r.(map[string]any)["value"].(string))
			}
			return strings.Join(names, ",") == want
		}
	}
	e.Soon("a role by a group", roles("User"))
	e.Change(http.MethodPost, principal+"/appRoleAssignedTo", give(analystRole), nil)
	onDemandPath := map[string]any{"parameters": []any{map[string]any{
		"ruleId": s.Rules[0].ID, "subjects": []graph.Subject{{ObjectID: ingrid.ID, ObjectTypeName: "User"}},
	}}}
	var answer graph.KeyValue
	e.Change(http.MethodPost, job+"/provisionOnDemand", onDemandPath, &answer)
	if !strings.Contains(answer.Value, "analyst") {
		t.Errorf("on demand: %s", answer.Value)
	}
	e.Soon("two roles", roles("User,analyst"))
	app.AppRoles[0].IsEnabled = false
	e.Change(http.MethodPatch, principal, with(app.AppRoles...), nil)
	e.Change(http.MethodPatch, principal, with(app.AppRoles[1:]...), nil)
	e.Soon("a role that is gone is nobody's", roles("analyst"))
	var parsed graph.ParsedExpression
	e.Change(http.MethodPost, job+"/schema/parseExpression", map[string]any{"expression": "DefaultDomain()"}, &parsed)
	if len(parsed.EvaluationResult) != 1 || parsed.EvaluationResult[0] != "northwind.example" {
		t.Errorf("the default domain: %+v", parsed)
	}
	tester := url.Values{"expression": {assertive}, "user": {ingridName}}
	admin := e.TenantAdministrator()
	if _, page := admin.Send(http.MethodGet, e.Tenant.AdminCenterURL+"/apps/"+e.Tenant.ApplicationID+
		"/provisioning/mappings?"+tester.Encode(), nil); !strings.Contains(page, "Analysts") {
		t.Errorf("the expression builder: %s", page)
	}
}

// standardTarget is a SCIM service that takes several roles.
func standardTarget(t *testing.T) *scim.Client {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	server := httptest.NewServer((&scimserver.Handler{
		Center: c, Log: slog.New(slog.DiscardHandler), RequestID: func(*http.Request) string { return "id" },
		Address: func(*http.Request) string { return "" },
	}).Before(http.NotFoundHandler()))
	t.Cleanup(server.Close)
	c.URL = server.URL
	endpoint, token := centertest.Provisioned(t, c, center.ProfileStandard)
	return &scim.Client{BaseURL: endpoint, Token: token}
}

func plain(t *testing.T, v any) (out map[string]any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}
