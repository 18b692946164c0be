package graphserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestAttributeMappingsAndScopingFilters(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	job := e.JobPath()
	const ingrid, grace = "ingrid.larsen@northwind.example", "grace.kim@northwind.example"
	var s graph.SynchronizationSchema
	e.Change(http.MethodGet, job+"/schema", nil, &s)
	if title := pairtest.MappingOf(t, &s, "User", "title"); title.Source.Expression != "[jobTitle]" ||
		title.Source.Type != "Attribute" || title.Source.Name != "jobTitle" {
		t.Errorf("the mapping of title: %+v", title)
	}

	pairtest.MappingOf(t, &s, "User", "title").Source = graph.AttributeSource{
		Expression: `Append([jobTitle], " (external)")`,
	}
	pairtest.MappingOf(t, &s, "User", "name.formatted").Source = graph.AttributeSource{
		Expression: `SingleAppRoleAssignment([appRoleAssignments])`,
	}
	pairtest.MappingOf(t, &s, "User", "preferredLanguage").Source = graph.AttributeSource{
		Name: "en-GB",
		Type: "Constant",
	}
	e.Change(http.MethodPut, job+"/schema", s, nil)
	e.Soon("the value of an expression", func() bool {
		u := e.Find("/Users", "userName", ingrid)
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
	e.Change(http.MethodPut, job+"/schema", s, nil)
	e.Soon("those outside the filter are disabled", func() bool {
		return e.Find("/Users", "userName", grace)["active"] == false &&
			e.Find("/Users", "userName", ingrid)["active"] == true
	})
	var x graph.KeyValue
	e.Change(
		http.MethodPost, job+"/provisionOnDemand",
		onDemand(s.Rules[0].ID, graph.Subject{ObjectID: e.User(grace).ID, ObjectTypeName: "User"}), &x,
	)
	if !strings.Contains(x.Key, "Skipped") || !strings.Contains(x.Value, "data people department EQUALS Data") {
		t.Errorf("on demand, out of scope: %s %s", x.Key, x.Value)
	}

	e.Change(http.MethodDelete, job+"/schema", nil, nil)
	e.Soon("the default mappings", func() bool {
		return e.Find("/Users", "userName", grace)["active"] == true &&
			e.Find("/Users", "userName", ingrid).String("title") == "Analyst"
	})

	var page graph.Page[graph.FilterOperator]
	e.Change(http.MethodGet, job+"/schema/filterOperators()", nil, &page)
	var functions graph.Page[graph.Function]
	e.Change(http.MethodGet, job+"/schema/functions()", nil, &functions)
	var parsed graph.ParsedExpression
	e.Change(
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
	var unknown graph.ParsedExpression
	e.Change(http.MethodPost, job+"/schema/parseExpression", map[string]any{"expression": `[JobTitle]`}, &unknown)
	if unknown.ParsingSucceeded || unknown.Error == nil || !strings.Contains(unknown.Error.Message, "mean jobTitle?") {
		t.Errorf("an unknown attribute: %+v", unknown)
	}
	var broken graph.ParsedExpression
	e.Change(http.MethodPost, job+"/schema/parseExpression", map[string]any{"expression": `Join(" ",`}, &broken)
	if broken.ParsingSucceeded || broken.Error == nil || !strings.Contains(broken.Error.Message, "character") {
		t.Errorf("a broken expression: %+v", broken)
	}

	var stopped graph.ParsedExpression
	nested := `[displayName]` // each level once doubled the time
	for range 31 {
		nested = `Replace(` + nested + `,"b",,,"c",,)`
	}
	object := map[string]any{"properties": []any{map[string]any{"key": "a", "value": strings.Repeat("a", 60<<10)}}}
	e.Change(http.MethodPost, job+"/schema/parseExpression", map[string]any{"expression": nested}, &parsed)
	e.Change(
		http.MethodPost, job+"/schema/parseExpression",
		map[string]any{"expression": `Replace([a],,"a*b|a",,"c",,)`, "testInputObject": object}, &stopped,
	)
	if !parsed.EvaluationSucceeded || stopped.EvaluationSucceeded || stopped.Error == nil ||
		!strings.Contains(stopped.Error.Message, "the limit of an evaluation") {
		t.Errorf("nested: %+v; too much: %+v", parsed, stopped)
	}
	tester := url.Values{"expression": {`Replace("` + strings.Repeat("x", 9000) + `",,"x*y|x",,"c",,)`}}
	admin := e.TenantAdministrator()
	if _, page := admin.Send(
		http.MethodGet, e.Tenant.URL+"/admin/apps/"+e.Tenant.ApplicationID+"/provisioning/mappings?"+tester.Encode(),
		nil,
	); !strings.Contains(page, "the limit of an evaluation") {
		t.Errorf("the admin center's tester: %s", page)
	}

	for name, edit := range map[string]func(*graph.SynchronizationSchema){
		"title: at character 8": func(s *graph.SynchronizationSchema) {
			pairtest.MappingOf(t, s, "User", "title").Source = graph.AttributeSource{Expression: "Append("}
		},
		"no matching attribute": func(s *graph.SynchronizationSchema) {
			pairtest.MappingOf(t, s, "Group", "displayName").MatchingPriority = 0
		},
		"cannot be disabled": func(s *graph.SynchronizationSchema) { s.Rules[0].ObjectMappings[0].Enabled = false },
		"groups is missing": func(s *graph.SynchronizationSchema) {
			s.Rules[0].ObjectMappings[1].SourceObjectName = "User"
		},
		`title: "JobTitle" is not an attribute of users in this directory; did you mean jobTitle?`: source(
			"[JobTitle]",
		),
		`"jobTitel" is not an attribute of users in this directory; did you mean jobTitle?`: source(
			`ToUpper([jobTitel],)`,
		),
		`"employeeHireDate" is not an attribute of users`: source("[employeeHireDate]"),
		"title: manager is a reference":                   source("[manager]"),
		`"Title" is not an attribute of users in the target's schema; did you mean title?`: target(
			"Title",
		),
		`"email" is not an attribute of users in the target's schema; did you mean emails?`: target(
			`email[type eq "work"].value`),
		`"street" is not an attribute of users in addresses`: target(`addresses[type eq "work"].street`),
		`"departement" is not an attribute of users in the enterprise extension; did you mean department?`: target(
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:departement"),
		`the filter "data people": "Department" is not an attribute of users`: func(s *graph.SynchronizationSchema) {
			s.Rules[0].ObjectMappings[0].Scope.Groups[0].Clauses[0].SourceOperandName = "Department"
		},
		"EQUALS compares with 1 value;": func(s *graph.SynchronizationSchema) {
			clause := &s.Rules[0].ObjectMappings[0].Scope.Groups[0].Clauses[0]
			clause.TargetOperand.Values = []string{"Data", "Sales"}
		},
		"matching priority": func(s *graph.SynchronizationSchema) {
			pairtest.MappingOf(t, s, "User", "title").MatchingPriority = -1
		},
		"not a whole number": source(`Left([jobTitle], "x")`),
		"CDate":              source(`CDate("nonsense")`),
		"inputFilterGroups": func(s *graph.SynchronizationSchema) {
			s.Rules[0].ObjectMappings[0].Scope.InputFilterGroups = []graph.FilterGroup{{Name: "x"}}
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
		err = e.Client.Do(context.Background(), http.MethodPut, job+"/schema", wrong, nil)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// source gives the title another source, and target another target.
func source(expression string) func(*graph.SynchronizationSchema) {
	return func(s *graph.SynchronizationSchema) {
		titleOf(s).Source = graph.AttributeSource{Expression: expression}
	}
}

func target(name string) func(*graph.SynchronizationSchema) {
	return func(s *graph.SynchronizationSchema) { titleOf(s).TargetAttributeName = name }
}

func titleOf(s *graph.SynchronizationSchema) *graph.AttributeMapping {
	all := s.Rules[0].ObjectMappings[0].AttributeMappings
	i := slices.IndexFunc(all, func(a graph.AttributeMapping) bool { return a.TargetAttributeName == "title" })
	return &all[i]
}

func onDemand(rule string, s graph.Subject) map[string]any {
	return map[string]any{"parameters": []any{map[string]any{"ruleId": rule, "subjects": []graph.Subject{s}}}}
}

// TestASchemaIsGivenBackAsItWasWritten: what has no meaning here is kept for the client, and a
// schema that says what is so already has nothing evaluated anew.
func TestASchemaIsGivenBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	schema := e.JobPath() + "/schema"
	read := func() (s graph.SynchronizationSchema) {
		e.Change(http.MethodGet, schema, nil, &s)
		return s
	}
	first := read()
	e.Change(http.MethodPut, schema, first, nil)
	again := read()
	if again.Version != first.Version || text(t, again) != text(t, first) {
		t.Errorf("what GET gave is no change: %s, before %s", text(t, again), text(t, first))
	}
	s := first
	s.Directories[1].Name = "Our AWS"
	s.Directories[1].Objects[0].Attributes = append(s.Directories[1].Objects[0].Attributes, graph.AttributeDefinition{
		Name: "urn:example:User:badge", Type: "String", Mutability: "ReadWrite",
	})
	s.Directories[1].Discoverabilities = json.RawMessage(`"AttributeNames"`)
	s.Directories[1].Objects[0].SupportedAPIs = json.RawMessage(`["a"]`)
	s.Directories[1].Objects[0].Attributes[0].DefaultValue = json.RawMessage(`null`)
	s.Directories[1].Objects[0].Attributes[0].FlowNullValues = json.RawMessage(`true`)
	s.Rules[0].GroupFilter = json.RawMessage(`{"included":["g"]}`)
	s.Rules[0].ContainerFilter = json.RawMessage(`null`)
	s.Rules[0].Name, s.Rules[0].Priority = "ours", 7
	s.Rules[0].TargetDirectoryName = "Our AWS"
	s.Rules[0].Metadata = []graph.KeyValue{{Key: "ours", Value: "1"}}
	o := &s.Rules[0].ObjectMappings[0]
	o.Metadata, o.FlowTypes = []graph.KeyValue{{Key: "a", Value: "b"}}, "Add, Update, Delete"
	title := pairtest.MappingOf(t, &s, "User", "title")
	title.Source = graph.AttributeSource{Expression: "Trim([jobTitle])", Name: "Trim", Type: "Function",
		Parameters: []graph.SourceParameter{{
			Key: "source", Value: graph.AttributeSource{
				Expression: "[jobTitle]", Name: "jobTitle", Type: "Attribute", Parameters: []graph.SourceParameter{},
			},
		}}}
	e.Change(http.MethodPut, schema, s, nil)
	got := read()
	if got.Version == first.Version {
		t.Errorf("another mapping is the same version, %s", got.Version)
	}
	if got.Version = s.Version; text(t, got) != text(t, s) {
		t.Errorf("what was written is read as %s, not %s", text(t, got), text(t, s))
	}
	pairtest.MappingOf(t, &s, "User", "title").Source = graph.AttributeSource{
		Expression: `Replace([jobTitle], , "(?<=x", , "", , )`,
	}
	if status, _, answer := e.Ask(http.MethodPut, schema, s); status != http.StatusBadRequest ||
		!strings.Contains(answer, "regular expression of .NET's") {
		t.Errorf("what .NET refuses: %d %s", status, answer)
	}
	s.Directories[0].Name = strings.Repeat("x", 2<<20)
	if status, _, answer := e.Ask(http.MethodPut, schema, s); status != http.StatusBadRequest {
		t.Errorf("a schema of 2 MiB: %d %s", status, answer)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
