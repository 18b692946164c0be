package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
)

// ask sends a Graph request with headers, and returns the status, the headers and the body as it
// came.
func (e ends) ask(method, path string, body any, headers ...string) (int, http.Header, string) {
	e.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		e.t.Fatal(err)
	}
	if !strings.HasPrefix(path, "http") {
		path = e.graph.BaseURL + path
	}
	req, err := http.NewRequestWithContext(context.Background(), method, path, bytes.NewReader(data))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := e.graph.HTTP.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// list reads a collection with headers and returns one property of its objects.
func (e ends) list(path, property string, headers ...string) (values []string) {
	e.t.Helper()
	for path != "" {
		status, _, body := e.ask(http.MethodGet, path, nil, headers...)
		var page graph.Page[map[string]any]
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			e.t.Fatalf("%s: %d %s", path, status, body)
		}
		for _, x := range page.Value {
			values = append(values, fmt.Sprint(x[property]))
		}
		path = page.NextLink
	}
	return values
}

const eventual = "ConsistencyLevel: eventual"

func TestGraphQueries(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	e := newEnds(t, d)
	where := func(filter string) string { return "?$count=true&$filter=" + url.QueryEscape(filter) }
	for path, want := range map[string]int{
		"/users" + where("department eq 'Data'"): 4, "/users" + where("department ne 'Data'"): 21,
		"/users" + where("startswith(displayName,'Le') or surname eq 'Kim'"):                2,
		"/users" + where("not(department eq 'Data')") + "&$top=4":                           21,
		"/users" + where("endsWith(mail,'@northwind.example') and accountEnabled eq false"): 1,
		"/users" + where("surname eq null"):                                                 1,
		"/users" + where("id eq 'x'"):                                                       0,
		"/users" + where("department in ('Data','Finance')") + "&$top=2":                    7,
		"/groups" + where("startswith(displayName,'E')"):                                    1,
		"/groups" + where("displayName eq 'data'"):                                          1,
		"/users?$search=" + url.QueryEscape(`"displayName:oni"`):                            0,
		"/users?$search=" + url.QueryEscape(`"displayName:O'N" AND "displayName:ben"`):      1,
	} {
		if got := e.list(path, "id", eventual); len(got) != want {
			t.Errorf("%s: %d, want %d", path, len(got), want)
		}
	}
	names := e.list("/users?$orderby=displayName%20desc&$top=7&$select=displayName", "displayName")
	if len(names) != 25 ||
		!slices.IsSortedFunc(
			names, func(a, b string) int { return strings.Compare(strings.ToLower(b), strings.ToLower(a)) },
		) {
		t.Errorf("in descending order: %v", names)
	}
	for path, want := range map[string]string{
		"/users/mei.tanaka@northwind.example?$select=displayName,department,employeeType": `{"department":"Platform Engineering","displayName":"Mei Tanaka","id":"` + e.user("mei.tanaka@northwind.example").ID + `"}`,
		"/users/$count": "25", "/groups/$count": "6", "/users/$count" + where("department eq 'Data'"): "4",
	} {
		if _, _, body := e.ask(http.MethodGet, path, nil, eventual); body != want {
			t.Errorf("%s: %s, want %s", path, body, want)
		}
	}
	_, _, body := e.ask(http.MethodGet, "/users/mei.tanaka@northwind.example?$expand=manager($select=displayName)", nil)
	if !strings.Contains(body, `"manager":{"@odata.type":"#microsoft.graph.user","displayName":"Amara Okafor","id":`) ||
		strings.Contains(body, "department") || !strings.Contains(body, `"mobilePhone":null`) {
		t.Errorf("with the manager, and without what must be asked for: %s", body)
	}
	_, _, body = e.ask(
		http.MethodGet, "/groups?$expand=members($select=displayName)&$filter=displayName%20eq%20'Data'", nil,
	)
	if strings.Count(body, "#microsoft.graph.user") != 4 {
		t.Errorf("with members: %s", body)
	}
	for name, c := range map[string]struct {
		path    string
		headers []string
	}{
		"an advanced filter without the header": {"/users" + where("department ne 'x'"), nil},
		"one without $count":                    {"/users?$filter=department%20ne%20'x'", []string{eventual}},
		"$search without the header":            {"/users?$search=%22displayName:x%22", nil},
		"an order with a filter":                {"/users?$orderby=displayName&$filter=department%20eq%20'x'", nil},
		"a $search without a property":          {"/users?$search=x", []string{eventual}},
		"a cast without the header": {
			"/groups/" + e.group("Data").ID + "/members/microsoft.graph.user", nil,
		},
		"an expansion of something else": {"/users?$expand=manager($levels=2)", nil},
		"$count without the header":      {"/users/$count", nil},
	} {
		if status, _, body := e.ask(http.MethodGet, c.path, nil, c.headers...); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestGroupsInGroups(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	e := newEnds(t, d)
	outer := e.group("Engineering")
	inner := e.group("Platform Engineering")
	mei := e.user("mei.tanaka@northwind.example")
	// now they contain each other
	e.change(http.MethodPost, "/groups/"+inner.ID+"/members/$ref", graph.Reference{ID: "x/" + outer.ID}, nil)
	for path, want := range map[string]int{
		"/groups/" + outer.ID + "/members": 8, "/groups/" + outer.ID + "/transitiveMembers": 12,
		"/groups/" + outer.ID + "/transitiveMembers?$top=5":                           12,
		"/groups/" + outer.ID + "/transitiveMembers/microsoft.graph.user?$count=true": 11,
		"/groups/" + outer.ID + "/members/microsoft.graph.group?$count=true":          1,
		"/users/" + mei.ID + "/memberOf":                                              1,
		"/users/" + mei.ID + "/transitiveMemberOf":                                    2,
		"/users/" + mei.ID + "/transitiveMemberOf/microsoft.graph.group?$count=true":  2,
		"/groups/" + inner.ID + "/memberOf":                                           1,
	} {
		if got := e.list(path, "id", eventual); len(got) != want {
			t.Errorf("%s: %d, want %d", path, len(got), want)
		}
	}
	owners := "/groups/" + outer.ID + "/owners"
	e.change(http.MethodPost, owners+"/$ref", graph.Reference{ID: "x/" + mei.ID}, nil)
	if got := e.list(owners, "displayName"); !slices.Equal(got, []string{"Mei Tanaka"}) {
		t.Errorf("owners %v", got)
	}
	// twice, and the last one
	for _, c := range []struct{ method, path string }{
		{"POST", owners + "/$ref"}, {"DELETE", owners + "/" + mei.ID + "/$ref"},
	} {
		if status, _, body := e.ask(
			c.method, c.path, graph.Reference{ID: "x/" + mei.ID},
		); status != http.StatusBadRequest {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
}

// deltas follows a delta query to its end.
func (e ends) deltas(path string, headers ...string) (objects []map[string]any, link string) {
	e.t.Helper()
	for range 100 {
		status, _, body := e.ask(http.MethodGet, path, nil, headers...)
		var page graph.DeltaPage[map[string]any]
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			e.t.Fatalf("%s: %d %s", path, status, body)
		}
		objects = append(objects, page.Value...)
		if page.DeltaLink != "" {
			return objects, page.DeltaLink
		}
		path = page.NextLink
	}
	e.t.Fatal("the delta query does not end")
	return nil, ""
}

func TestDeltaQueries(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect", "--people", "1500", "--groups", "1") // one large group
	e := newEnds(t, d)
	users, usersLink := e.deltas(
		"/users/delta?$select=displayName,accountEnabled,manager", "Prefer: odata.maxpagesize=600",
	)
	if len(users) != 1500 || users[0]["givenName"] != nil || users[0]["accountEnabled"] == nil ||
		users[0]["manager@delta"] == nil {
		t.Errorf("%d users, such as %v", len(users), users[0])
	}
	groups, groupsLink := e.deltas("/groups/delta?$select=displayName,members")
	members := map[string]bool{}
	for _, g := range groups {
		for _, m := range g["members@delta"].([]any) {
			members[m.(map[string]any)["id"].(string)] = true
		}
	}
	if len(groups) < 2 || len(members) != 1500 || groups[0]["id"] != groups[1]["id"] {
		t.Errorf("the group comes %d times with %d members in all", len(groups), len(members))
	}
	_, latest := e.deltas("/users/delta?$deltatoken=latest")
	for _, link := range []string{usersLink, groupsLink, latest} {
		if changed, _ := e.deltas(link); len(changed) != 0 {
			t.Errorf("nothing has changed, but %v", changed)
		}
	}
	mei, ben := e.user("mei.tanaka@northwind.example"), e.user("ben.oneill@northwind.example")
	group := groups[0]["id"].(string)
	e.change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"displayName": "May"}, nil)
	e.change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"displayName": "Mei"}, nil)
	e.change(http.MethodDelete, "/groups/"+group+"/members/"+mei.ID+"/$ref", nil, nil)
	e.change(http.MethodDelete, "/users/"+ben.ID, nil, nil)
	var made graph.Group
	e.change(
		http.MethodPost, "/groups",
		map[string]any{"displayName": "New", "mailNickname": "new", "mailEnabled": false, "securityEnabled": true},
		&made,
	)
	e.change(http.MethodPost, "/groups/"+made.ID+"/members/$ref", graph.Reference{ID: "x/" + mei.ID}, nil)
	changed, next := e.deltas(usersLink, "Prefer: odata.maxpagesize=1")
	byID := map[string]map[string]any{}
	for _, u := range changed {
		byID[u["id"].(string)] = u
	}
	if len(byID) != 2 || byID[mei.ID]["displayName"] != "Mei" ||
		fmt.Sprint(byID[ben.ID]["@removed"]) != "map[reason:deleted]" {
		t.Errorf("changed users %v", changed)
	}
	if again, _ := e.deltas(next); len(again) != 0 {
		t.Errorf("once more %v", again)
	}
	changed, next = e.deltas(groupsLink)
	text := fmt.Sprint(changed)
	if len(changed) != 2 || !strings.Contains(text, "@removed:map[reason:deleted] id:"+mei.ID) &&
		!strings.Contains(text, "id:"+mei.ID) || strings.Count(text, "@removed") != 2 {
		t.Errorf("changed groups %s", text)
	}
	e.change(http.MethodDelete, "/groups/"+made.ID, nil, nil)
	if changed, _ = e.deltas(next); len(changed) != 1 || changed[0]["@removed"] == nil {
		t.Errorf("a deleted group: %v", changed)
	}
	one, _ := e.deltas("/users/delta?$filter=" + url.QueryEscape("id eq '"+mei.ID+"' or id eq 'x'"))
	if len(one) != 1 {
		t.Errorf("of one user: %v", one)
	}
	for name, path := range map[string]string{"a broken token": "/users/delta?$deltatoken=!",
		"a token of groups": strings.Replace(groupsLink, "/groups/", "/users/", 1), "$top": "/users/delta?$top=5",
		"another filter": "/users/delta?$filter=displayName%20eq%20'x'"} {
		if status, _, body := e.ask(http.MethodGet, path, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	const old = "eyJrIjoiVXNlciIsIm4iOjEsInQiOjE3MDAwMDAwMDB9" // {"k":"User","n":1,"t":1700000000}
	if status, header, body := e.ask(http.MethodGet, "/users/delta?$deltatoken="+old, nil); status != http.StatusGone ||
		!strings.Contains(body, "syncStateNotFound") || !strings.HasSuffix(header.Get("Location"), "/users/delta") {
		t.Errorf("an old token: %d %s %s", status, header.Get("Location"), body)
	}
}

func TestGraphBatches(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	e := newEnds(t, d)
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
	e.change(http.MethodPost, "/$batch", graph.Batch{Requests: []graph.BatchRequest{
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
	for name, requests := range map[string][]graph.BatchRequest{
		"none": {},
		"too many": make(
			[]graph.BatchRequest, 21,
		),
		"one id twice": {request("1", "GET", "/users", ""), request("1", "GET", "/users", "")},
		"no id":        {request("", "GET", "/users", "")},
		"in a ring":    {request("1", "GET", "/users", "null", "2"), request("2", "GET", "/users", "null", "1")},
		"on nothing":   {request("1", "GET", "/users", "null", "9")},
	} {
		for i := range requests {
			if len(requests[i].Body) == 0 {
				requests[i].Body = json.RawMessage("null")
			}
		}
		var refused *graph.Error
		if err := e.graph.Do(
			context.Background(), http.MethodPost, "/$batch", graph.Batch{Requests: requests}, nil,
		); !errors.As(err, &refused) ||
			refused.Status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}
