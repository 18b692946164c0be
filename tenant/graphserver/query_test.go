package graphserver_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
)

const eventual = "ConsistencyLevel: eventual"

func TestGraphQueries(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
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
		if got := e.List(path, "id", eventual); len(got) != want {
			t.Errorf("%s: %d, want %d", path, len(got), want)
		}
	}
	names := e.List("/users?$orderby=displayName%20desc&$top=7&$select=displayName", "displayName")
	if len(names) != 25 ||
		!slices.IsSortedFunc(
			names, func(a, b string) int { return strings.Compare(strings.ToLower(b), strings.ToLower(a)) },
		) {
		t.Errorf("in descending order: %v", names)
	}
	mei := "/users/mei.tanaka@northwind.example"
	for path, want := range map[string]string{
		mei + "?$select=DisplayName,department,employeeType": `{"department":"Platform Engineering",` +
			`"displayName":"Mei Tanaka","employeeType":null,"id":"` + e.User("mei.tanaka@northwind.example").ID + `"}`,
		"/users/$count":  "25",
		"/groups/$count": "6",
		"/users/$count" + where("department eq 'Data'"): "4",
	} {
		if _, _, body := e.Ask(http.MethodGet, path, nil, eventual); body != want {
			t.Errorf("%s: %s, want %s", path, body, want)
		}
	}
	_, _, body := e.Ask(http.MethodGet, "/users/mei.tanaka@northwind.example?$expand=manager($select=displayName)", nil)
	if !strings.Contains(body, `"manager":{"@odata.type":"#microsoft.graph.user","displayName":"Amara Okafor","id":`) ||
		strings.Contains(body, "department") || !strings.Contains(body, `"mobilePhone":null`) {
		t.Errorf("with the manager, and without what must be asked for: %s", body)
	}
	_, _, body = e.Ask(
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
			"/groups/" + e.Group("Data").ID + "/transitiveMembers/microsoft.graph.user", nil,
		},
		"an expansion of something else": {"/users?$expand=manager($levels=2)", nil},
		"$count without the header":      {"/users/$count", nil},
	} {
		if status, _, body := e.Ask(http.MethodGet, c.path, nil, c.headers...); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestGroupsInGroups(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	outer := e.Group("Engineering")
	inner := e.Group("Platform Engineering")
	mei := e.User("mei.tanaka@northwind.example")
	// now they contain each other
	e.Change(http.MethodPost, "/groups/"+inner.ID+"/members/$ref", graph.Reference{ID: "x/" + outer.ID}, nil)
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
		if got := e.List(path, "id", eventual); len(got) != want {
			t.Errorf("%s: %d, want %d", path, len(got), want)
		}
	}
	owners := "/groups/" + outer.ID + "/owners"
	e.Change(http.MethodPost, owners+"/$ref", graph.Reference{ID: "x/" + mei.ID}, nil)
	if got := e.List(owners, "displayName"); !slices.Equal(got, []string{"Mei Tanaka"}) {
		t.Errorf("owners %v", got)
	}
	// twice, and the last one
	for _, c := range []struct{ method, path string }{
		{"POST", owners + "/$ref"}, {"DELETE", owners + "/" + mei.ID + "/$ref"},
	} {
		if status, _, body := e.Ask(
			c.method, c.path, graph.Reference{ID: "x/" + mei.ID},
		); status != http.StatusBadRequest {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
}
