package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/graph"
)

// attributeOf finds a mapping of users, or of groups, by its target.
func attributeOf(t *testing.T, s *graph.SynchronizationSchema, object, target string) *graph.AttributeMapping {
	t.Helper()
	for _, o := range s.Rules[0].ObjectMappings {
		for i := range o.AttributeMappings {
			if o.SourceObjectName == object && o.AttributeMappings[i].TargetAttributeName == target {
				return &o.AttributeMappings[i]
			}
		}
	}
	t.Fatalf("%s has no mapping of %s", object, target)
	return nil
}

func jobPath(d demoOutput) string {
	return "/servicePrincipals/" + d.Tenant.ServicePrincipalID + "/synchronization/jobs/" + d.Tenant.JobID
}

func TestAttributeMappingsAndScopingFilters(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	job := jobPath(d)
	const ingrid, grace = "ingrid.larsen@northwind.example", "grace.kim@northwind.example"
	var s graph.SynchronizationSchema
	e.change(http.MethodGet, job+"/schema", nil, &s)
	if title := attributeOf(t, &s, "User", "title"); title.Source.Expression != "[jobTitle]" ||
		title.Source.Type != "Attribute" || title.Source.Name != "jobTitle" {
		t.Errorf("the mapping of title: %+v", title)
	}

	attributeOf(t, &s, "User", "title").Source = graph.AttributeSource{Expression: `Append([jobTitle], " (external)")`}
	attributeOf(t, &s, "User", "name.formatted").Source = graph.AttributeSource{
		Expression: `SingleAppRoleAssignment([appRoleAssignments])`,
	}
	attributeOf(t, &s, "User", "preferredLanguage").Source = graph.AttributeSource{Name: "en-GB", Type: "Constant"}
	e.change(http.MethodPut, job+"/schema", s, nil)
	e.soon("the value of an expression", func() bool {
		u := e.find("/Users", "userName", ingrid)
		return u.String("title") == "Analyst (external)" && u.Object("name")["formatted"] == "User" &&
			u.String("preferredLanguage") == "en-GB"
	})

	s.Rules[0].ObjectMappings[0].Scope = &graph.ScopeFilter{
		Groups: []graph.FilterGroup{{Name: "data people", Clauses: []graph.FilterClause{
			{
				SourceOperandName: "department",
				OperatorName:      "EQUALS",
				TargetOperand:     graph.FilterOperand{Values: []string{"Data"}},
			}}}},
	}
	e.change(http.MethodPut, job+"/schema", s, nil)
	e.soon("those outside the filter are disabled", func() bool {
		return e.find("/Users", "userName", grace)["active"] == false &&
			e.find("/Users", "userName", ingrid)["active"] == true
	})
	var x graph.KeyValue
	e.change(
		http.MethodPost, job+"/provisionOnDemand",
		onDemand(s.Rules[0].ID, graph.Subject{ObjectID: e.user(grace).ID, ObjectTypeName: "User"}), &x,
	)
	if !strings.Contains(x.Key, "Skipped") || !strings.Contains(x.Value, "data people department EQUALS Data") {
		t.Errorf("on demand, out of scope: %s %s", x.Key, x.Value)
	}

	e.change(http.MethodDelete, job+"/schema", nil, nil)
	e.soon("the default mappings", func() bool {
		return e.find("/Users", "userName", grace)["active"] == true &&
			e.find("/Users", "userName", ingrid).String("title") == "Analyst"
	})

	var page graph.Page[graph.FilterOperator]
	e.change(http.MethodGet, job+"/schema/filterOperators()", nil, &page)
	var functions graph.Page[graph.Function]
	e.change(http.MethodGet, job+"/schema/functions()", nil, &functions)
	var parsed graph.ParsedExpression
	e.change(
		http.MethodPost,
		job+"/schema/parseExpression",
		map[string]any{
			"expression":      `Join(" ", [a], "x")`,
			"testInputObject": map[string]any{"properties": []any{map[string]any{"key": "a", "value": "1"}}},
		},
		&parsed,
	)
	if len(page.Value) < 14 || len(functions.Value) < 20 || !parsed.EvaluationSucceeded ||
		len(parsed.EvaluationResult) != 1 || parsed.EvaluationResult[0] != "1 x" {
		t.Errorf("%d operators, %d functions, %+v", len(page.Value), len(functions.Value), parsed)
	}
	var broken graph.ParsedExpression
	e.change(http.MethodPost, job+"/schema/parseExpression", map[string]any{"expression": `Join(" ",`}, &broken)
	if broken.ParsingSucceeded || broken.Error == nil || !strings.Contains(broken.Error.Message, "character") {
		t.Errorf("a broken expression: %+v", broken)
	}

	var stopped graph.ParsedExpression
	nested := `[a]` // each level once doubled the time
	for range 31 {
		nested = `Replace(` + nested + `,"b",,,"c",,)`
	}
	object := map[string]any{"properties": []any{map[string]any{"key": "a", "value": strings.Repeat("a", 60<<10)}}}
	e.change(http.MethodPost, job+"/schema/parseExpression", map[string]any{"expression": nested}, &parsed)
	e.change(
		http.MethodPost, job+"/schema/parseExpression",
		map[string]any{"expression": `Replace([a],,"a*b|a",,"c",,)`, "testInputObject": object}, &stopped,
	)
	if !parsed.EvaluationSucceeded || stopped.EvaluationSucceeded || stopped.Error == nil ||
		!strings.Contains(stopped.Error.Message, "may take no more") {
		t.Errorf("nested: %+v; too much: %+v", parsed, stopped)
	}
	tester := url.Values{"expression": {`Replace("` + strings.Repeat("x", 9000) + `",,"x*y|x",,"c",,)`}}
	admin := administrator(t, d, d.Tenant.URL+"/admin")
	if _, page := admin.send(
		http.MethodGet, d.Tenant.URL+"/admin/apps/"+d.Tenant.ApplicationID+"/provisioning/mappings?"+tester.Encode(),
		nil,
	); !strings.Contains(page, "may take no more") {
		t.Errorf("the admin center's tester: %s", page)
	}

	for name, edit := range map[string]func(*graph.SynchronizationSchema){
		"title: at character 8": func(s *graph.SynchronizationSchema) {
			attributeOf(t, s, "User", "title").Source = graph.AttributeSource{Expression: "Append("}
		},
		"no matching attribute": func(s *graph.SynchronizationSchema) {
			attributeOf(t, s, "Group", "displayName").MatchingPriority = 0
		},
		"cannot be disabled": func(s *graph.SynchronizationSchema) { s.Rules[0].ObjectMappings[0].Enabled = false },
		"groups is missing": func(s *graph.SynchronizationSchema) {
			s.Rules[0].ObjectMappings[1].SourceObjectName = "User"
		},
		"exactly one": func(s *graph.SynchronizationSchema) { s.Rules = nil },
		"operator": func(s *graph.SynchronizationSchema) {
			s.Rules[0].ObjectMappings[0].Scope.Groups[0].Clauses[0].OperatorName = "LIKE"
		},
	} {
		var wrong graph.SynchronizationSchema
		data, err := json.Marshal(s)
		if err == nil {
			err = json.Unmarshal(data, &wrong)
		}
		if err != nil {
			t.Fatal(err)
		}
		edit(&wrong)
		err = e.graph.Do(context.Background(), http.MethodPut, job+"/schema", wrong, nil)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func onDemand(rule string, s graph.Subject) map[string]any {
	return map[string]any{"parameters": []any{map[string]any{"ruleId": rule, "subjects": []graph.Subject{s}}}}
}

func TestProvisionOnDemand(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	job := jobPath(d)
	e.change(http.MethodPost, job+"/pause", nil, nil)
	var s graph.SynchronizationSchema
	e.change(http.MethodGet, job+"/schema", nil, &s)
	rule := s.Rules[0].ID
	const mei = "mei.tanaka@northwind.example"
	user, finance := e.user(mei), e.group("Finance")
	provision := func(s graph.Subject) (x graph.KeyValue) {
		t.Helper()
		e.change(http.MethodPost, job+"/provisionOnDemand", onDemand(rule, s), &x)
		return x
	}
	if x := provision(graph.Subject{ObjectID: user.ID, ObjectTypeName: "User"}); !strings.Contains(x.Key, "Skipped") ||
		!strings.Contains(x.Key, "RedundantExport") {
		t.Errorf("nothing to do: %s", x.Key)
	}
	e.change(http.MethodPatch, "/users/"+user.ID, map[string]any{"jobTitle": "Staff Engineer"}, nil)
	e.change(http.MethodPost, "/groups/"+finance.ID+"/members/$ref", graph.Reference{ID: "x/" + user.ID}, nil)
	if x := provision(graph.Subject{ObjectID: user.ID, ObjectTypeName: "User"}); !strings.Contains(x.Key, "Success") ||
		!strings.Contains(x.Value, `"newValue":"Staff Engineer"`) {
		t.Errorf("a new title: %s %s", x.Key, x.Value)
	}
	group := graph.Subject{ObjectID: finance.ID, ObjectTypeName: "Group"}
	group.Links = &struct {
		Members []graph.Subject `json:"members"`
	}{[]graph.Subject{{ObjectID: user.ID, ObjectTypeName: "User"}}}
	if x := provision(group); !strings.Contains(x.Value, "member added") {
		t.Errorf("a new member: %s %s", x.Key, x.Value)
	}
	u := e.find("/Users", "userName", mei)
	if u.String("title") != "Staff Engineer" || !e.isMember(e.find("/Groups", "displayName", "Finance"), u) {
		t.Errorf("the center has %v", u)
	}
	if x := provision(graph.Subject{
		ObjectID:       e.user("teller@northwind.example").ID,
		ObjectTypeName: "User",
	}); !strings.Contains(x.Key, "Failure") ||
		!strings.Contains(x.Key, "MissingValues") {
		t.Errorf("who lacks a last name: %s", x.Key)
	}
	for want, body := range map[string]any{
		"Exactly one":     map[string]any{"parameters": []any{}},
		"ruleId":          onDemand("x", graph.Subject{ObjectID: user.ID, ObjectTypeName: "User"}),
		"User or Group":   onDemand(rule, graph.Subject{ObjectID: user.ID, ObjectTypeName: "Device"}),
		"does not exist":  onDemand(rule, graph.Subject{ObjectID: "nobody", ObjectTypeName: "User"}),
		"Only groups":     onDemand(rule, graph.Subject{ObjectID: user.ID, ObjectTypeName: "User", Links: group.Links}),
		"JSON request pa": []string{},
	} {
		if err := e.graph.Do(context.Background(), http.MethodPost, job+"/provisionOnDemand", body, nil); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// putSecrets saves the job's settings, of which the token stays what it was.
func (e ends) putSecrets(address string, more ...graph.KeyValue) {
	e.t.Helper()
	e.change(
		http.MethodPut,
		"/servicePrincipals/"+e.d.Tenant.ServicePrincipalID+"/synchronization/secrets",
		graph.Secrets{Value: append([]graph.KeyValue{
			{
				Key:   graph.KeyBaseAddress,
				Value: address,
			},
			{Key: graph.KeySecretToken, Value: e.d.Center.SCIMToken},
		}, more...)},
		nil,
	)
}

func TestTooManyDeletionsAreHeldBack(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	job := jobPath(d)
	status := func() (j graph.SynchronizationJob) { e.change(http.MethodGet, job, nil, &j); return j }
	e.putSecrets(
		d.Center.SCIMEndpoint,
		graph.KeyValue{
			Key:   graph.KeyNotification,
			Value: `{"Enabled":true,"Recipients":"a@example.com","DeleteThresholdEnabled":true,"DeleteThresholdValue":2}`,
		},
	)
	assignments, err := graph.All[graph.AppRoleAssignment](
		context.Background(), e.graph, "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/appRoleAssignedTo",
	)
	if err != nil {
		t.Fatal(err)
	}
	finance := e.group("Finance")
	for _, a := range assignments {
		if a.PrincipalID == finance.ID {
			e.change(
				http.MethodDelete, "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/appRoleAssignedTo/"+a.ID, nil,
				nil,
			)
		}
	}
	e.soon("quarantine", func() bool { return status().Status.Code == "Quarantine" })
	if q := status().Status.Quarantine; q.Reason != "TooManyDeletes" ||
		!strings.Contains(q.Error.Message, "4 objects") {
		t.Errorf("quarantine %+v %+v", q, q.Error)
	}
	if e.find("/Groups", "displayName", "Finance") == nil {
		t.Error("the group is gone all the same")
	}
	e.soon("a mail to whom the settings name", func() bool {
		res, err := http.Get(d.Center.URL + company.OutboxPath)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		page, err := io.ReadAll(res.Body)
		return err == nil && strings.Contains(string(page), "Provisioning is in quarantine") &&
			strings.Contains(string(page), "a@example.com") && strings.Contains(string(page), "TooManyDeletes")
	})
	staged, err := graph.All[graph.ProvisioningObjectSummary](
		context.Background(), e.graph,
		"/auditLogs/provisioning?$filter=provisioningStatusInfo/status%20eq%20'skipped'",
	)
	if err != nil || len(staged) < 4 || staged[0].ProvisioningAction != "stagedDelete" {
		t.Errorf("staged deletions %+v, %v", staged, err)
	}
	e.change(
		http.MethodPost, job+"/restart", map[string]any{"criteria": map[string]string{"resetScope": "ForceDeletes"}},
		nil,
	)
	e.soon("the deletions are let through", func() bool {
		return e.find("/Groups", "displayName", "Finance") == nil && status().Status.Code == "Active"
	})
	var secrets graph.Secrets
	e.change(
		http.MethodGet, "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/synchronization/secrets", nil, &secrets,
	)
	if text, _ := json.Marshal(secrets); !strings.Contains(string(text), `DeleteThresholdValue\":2`) {
		t.Errorf("settings %s", text)
	}
}

// TestTheFlagOfTheTenantURL: what Entra sends with aadOptscim062020 AWS takes for one attribute,
// and refuses for several, since they have no path.
func TestTheFlagOfTheTenantURL(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	e.putSecrets(d.Center.SCIMEndpoint + "?aadOptscim062020")
	const mei = "mei.tanaka@northwind.example"
	user, group := e.user(mei), e.group("Platform Engineering")
	e.change(http.MethodPatch, "/users/"+user.ID, map[string]any{"jobTitle": "Architect"}, nil)
	e.soon("one attribute", func() bool { return e.find("/Users", "userName", mei).String("title") == "Architect" })
	e.change(
		http.MethodPatch, "/users/"+user.ID, map[string]any{"jobTitle": "Fellow", "displayName": "May Tanaka"}, nil,
	)
	e.soon("a refusal of several", func() bool {
		failed, err := graph.All[graph.ProvisioningObjectSummary](
			context.Background(), e.graph,
			"/auditLogs/provisioning?$top=1&$filter=provisioningStatusInfo/status%20eq%20'failure'",
		)
		return err == nil && failed[0].SourceIdentity.DisplayName == mei &&
			strings.Contains(failed[0].StatusInfo.ErrorInformation.Reason, "omitting path only")
	})
	e.change(http.MethodDelete, "/groups/"+group.ID+"/members/"+user.ID+"/$ref", nil, nil)
	e.soon("a member is removed by a filter", func() bool {
		return !e.isMember(e.find("/Groups", "displayName", "Platform Engineering"), e.find("/Users", "userName", mei))
	})
	e.soon(
		"and disabled, since nothing else assigns",
		func() bool { return e.find("/Users", "userName", mei)["active"] == false },
	)
}
