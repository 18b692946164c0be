package graphserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
)

func TestGraphBatches(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	request := func(id, method, path, body string, dependsOn ...string) graph.BatchRequest {
		return graph.BatchRequest{
			ID:        id,
			Method:    method,
			URL:       path,
			Body:      json.RawMessage(body),
			DependsOn: dependsOn,
			Headers:   map[string]string{"Content-Type": "application/json"},
		}
	}
	var out graph.BatchAnswer
	e.Change(http.MethodPost, "/$batch", graph.Batch{Requests: []graph.BatchRequest{
		request(
			"3", "GET", "/users/mei.tanaka@northwind.example", "null", "2",
		), request("1", "GET", "/users/$count", "null"),
		request("2", "PATCH", "users/mei.tanaka@northwind.example", `{"displayName":"May"}`),
		request(
			"4", "GET", "/users/nobody", "null",
		), request("5", "GET", "/users", "null", "4"), request("6", "POST", "/$batch", `{}`),
	}}, &out)
	answers := map[string]graph.BatchResponse{}
	for _, a := range out.Responses {
		answers[a.ID] = a
	}
	for id, status := range map[string]int{"1": 400, "2": 204, "3": 200, "4": 404, "5": 424, "6": 400} {
		if answers[id].Status != status {
			t.Errorf("%s: %d %s, want %d", id, answers[id].Status, answers[id].Body, status)
		}
	}
	if !strings.Contains(string(answers["3"].Body), `"displayName":"May"`) {
		t.Errorf("what depends on a change comes before it: %s", answers["3"].Body)
	}
	for name, requests := range map[string][]graph.BatchRequest{"none": {}, "too many": make(
		[]graph.BatchRequest, 21,
	), "one id twice": {request("1", "GET", "/users", ""), request("1", "GET", "/users", "")},
		"no id":      {request("", "GET", "/users", "")},
		"in a ring":  {request("1", "GET", "/users", "null", "2"), request("2", "GET", "/users", "null", "1")},
		"on nothing": {request("1", "GET", "/users", "null", "9")}} {
		for i := range requests {
			if len(requests[i].Body) == 0 {
				requests[i].Body = json.RawMessage("null")
			}
		}
		var refused *graph.Error
		if err := e.Client.Do(
			context.Background(), http.MethodPost, "/$batch", graph.Batch{Requests: requests}, nil,
		); !errors.As(err, &refused) ||
			refused.Status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}
