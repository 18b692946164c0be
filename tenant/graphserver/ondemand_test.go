package graphserver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestProvisionOnDemand(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	job := e.JobPath()
	e.Change(http.MethodPost, job+"/pause", nil, nil)
	var s graph.SynchronizationSchema
	e.Change(http.MethodGet, job+"/schema", nil, &s)
	rule := s.Rules[0].ID
	const mei = "mei.tanaka@northwind.example"
	user, finance := e.User(mei), e.Group("Finance")
	provision := func(s graph.Subject) (x graph.KeyValue) {
		t.Helper()
		e.Change(http.MethodPost, job+"/provisionOnDemand", onDemand(rule, s), &x)
		return x
	}
	if x := provision(graph.Subject{ObjectID: user.ID, ObjectTypeName: "User"}); !strings.Contains(x.Key, "Skipped") ||
		!strings.Contains(x.Key, "RedundantExport") {
		t.Errorf("nothing to do: %s", x.Key)
	}
	e.Change(http.MethodPatch, "/users/"+user.ID, map[string]any{"jobTitle": "Staff Engineer"}, nil)
	e.Change(http.MethodPost, "/groups/"+finance.ID+"/members/$ref", graph.Reference{ID: "x/" + user.ID}, nil)
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
	u := e.Find("/Users", "userName", mei)
	if u.String("title") != "Staff Engineer" || !e.IsMember(e.Find("/Groups", "displayName", "Finance"), u) {
		t.Errorf("the center has %v", u)
	}
	if x := provision(graph.Subject{
		ObjectID:       e.User("teller@northwind.example").ID,
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
		if err := e.Client.Do(context.Background(), http.MethodPost, job+"/provisionOnDemand", body, nil); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
