package graphserver_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestQueriesOnCollections filters by what is in a collection, and by how much is in it.
func TestQueriesOnCollections(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	mei := "/users/" + e.User("mei.tanaka@northwind.example").ID
	e.Change(http.MethodPatch, mei, map[string]any{"businessPhones": []string{"+49 30 1"}}, nil)
	where := func(filter string) string { return "?$count=true&$filter=" + url.QueryEscape(filter) }
	for path, want := range map[string]int{
		"/users" + where("businessPhones/any(p:p eq '+49 30 1')"):                                      1,
		"/users" + where("businessPhones/any(p:startsWith(p,'+49'))"):                                  1,
		"/users" + where("not(businessPhones/any(p:p eq '+49 30 1'))"):                                 24,
		"/users" + where("businessPhones/$count eq 0"):                                                 24,
		"/users" + where("businessPhones/all(p:startswith(p,'+1'))"):                                   24,
		"/users" + where("proxyAddresses/any(p:startswith(p,'smtp:'))"):                                0,
		"/users" + where("assignedLicenses/$count ne 0"):                                               0,
		"/users" + where("onPremisesSyncEnabled eq true"):                                              0,
		"/users" + where("identities/any(i:i/issuer eq 'x')"):                                          0,
		"/users" + where("DEPARTMENT eq 'data'"):                                                       4,
		"/users" + where("UserPrincipalName eq 'MEI.tanaka@northwind.example'"):                        1,
		"/groups" + where("groupTypes/any(g:g eq 'Unified')"):                                          0,
		"/groups" + where("NOT groupTypes/any(c:c eq 'Unified')"):                                      6,
		"/users?$search=" + url.QueryEscape(`"displayName:mei" OR "mail:ben."`):                        2,
		"/users?$search=" + url.QueryEscape(`("displayName:mei" OR "displayName:ben") AND "mail:mei"`): 1,
		"/users?$SELECT=id&top=3&$Count=true&$orderBy=DisplayName desc":                                25,
		"/groups/?$filter=displayName%20eq%20'Data'":                                                   1,
	} {
		if got := e.List(strings.ReplaceAll(path, " ", "%20"), "id", eventual); len(got) != want {
			t.Errorf("%s: %d, want %d", path, len(got), want)
		}
	}
}

// TestQueriesThatTheDirectoryRefuses asks what Graph answers with 400, in its words.
func TestQueriesThatTheDirectoryRefuses(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	for path, want := range map[string]string{
		"/users?$filter=contains(displayName,'x')":    "Request_UnsupportedQuery clause operator 'Contains'.",
		"/users?$filter=companyName eq 'x'":           "Request_UnsupportedQuery 'companyName' of resource 'User'.",
		"/users?$filter=businessPhones/$count eq 0":   "Request_UnsupportedQuery Operator '$count' is not supported",
		"/users?$filter=displayName ne 'x'":           "Request_UnsupportedQuery Operator 'ne' is not supported",
		"/users?$filter=endsWith(jobTitle,'x')":       "Request_UnsupportedQuery for property 'jobTitle'",
		"/users?$filter=accountEnabled eq 'true'":     "BadRequest Found operand types 'Edm.Boolean' and 'Edm.String'",
		"/users?$filter=createdDateTime ge yesterday": "BadRequest Invalid filter clause",
		"/users?$filter=aboutMe eq 'x'":               "Request_UnsupportedQuery 'aboutMe' of resource 'User'",
		"/users?$filter=businessPhones eq 'x'":        "BadRequest Collection(Edm.String)",
		"/users?$select=shoeSize":                     "BadRequest 'shoeSize' on type 'microsoft.graph.user'.",
		"/users?$orderby=jobTitle":                    "Request_UnsupportedQuery sort property 'jobTitle' for 'User'.",
		"/users?$orderby=createdDateTime":             "Request_UnsupportedQuery Sorting not supported",
		"/users?$orderby=displayName backwards":       "BadRequest $orderby",
		"/users?$skip=5":                              "Request_BadRequest '$skip' is not supported by the service.",
		"/users?$skiptoken=zzzz":                      "Request_BadRequest Skip Token",
		"/users?$skiptoken=":                          "Request_BadRequest Skip Token",
		"/users?$search=\"displayName:x\"":            "Request_UnsupportedQuery 'ConsistencyLevel: eventual'",
		"/users/$count":                               "Request_BadRequest $count is not currently supported.",
		"/users?$expand=manager($levels=max)":         "Request_UnsupportedQuery $levels",
		"/users?$expand=manager($filter=id eq 'x')":   "Request_UnsupportedQuery within $expand",
		"/users?$expand=manager($select=x)":           "BadRequest 'x'",
		"/users?$expand=manager($select=id":           "BadRequest unbalanced",
		"/users/delta?$expand=manager":                "Request_BadRequest '$expand' is not supported by the service.",
		"/users/delta?$select=shoeSize":               "BadRequest 'shoeSize'",
	} {
		code, message, _ := strings.Cut(want, " ")
		status, _, body := e.Ask(http.MethodGet, strings.NewReplacer(" ", "%20", `"`, "%22").Replace(path), nil)
		var answer graph.ErrorBody
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusBadRequest ||
			answer.Error.Code != code || !strings.Contains(answer.Error.Message, message) {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	// a place in one list is none in another
	status, _, body := e.Ask(http.MethodGet, "/users?$top=2", nil)
	var page graph.Page[graph.User]
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
		t.Fatal(status, body)
	}
	for _, other := range []string{
		strings.Replace(page.NextLink, "/users?", "/groups?", 1), page.NextLink + "&$filter=accountEnabled%20eq%20true",
	} {
		if status, _, body := e.Ask(http.MethodGet, other, nil); status != http.StatusBadRequest ||
			!strings.Contains(body, "Directory_ExpiredPageToken") {
			t.Errorf("%s: %d %s", other, status, body)
		}
	}
	if next := e.List(page.NextLink, "id"); len(next) != 23 {
		t.Errorf("%d people on the pages that follow, want 23", len(next))
	}
}

// TestExpansions follows what $expand gives of each kind of object.
func TestExpansions(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ask := func(path string) (x map[string]any) {
		t.Helper()
		status, _, body := e.Ask(http.MethodGet, path, nil, eventual)
		if err := json.Unmarshal([]byte(body), &x); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		return x
	}
	names := func(v any) (list []string) {
		for _, x := range v.([]any) {
			name, _ := x.(map[string]any)["displayName"].(string)
			list = append(list, name)
		}
		slices.Sort(list)
		return list
	}
	mei, amara := "/users/mei.tanaka@northwind.example", "/users/amara.okafor@northwind.example"
	x := ask(mei + "?$expand=memberOf($select=displayName),manager($levels=max;$select=id,displayName)" +
		"&$select=displayName&$count=true")
	manager, _ := x["manager"].(map[string]any)
	if got := names(x["memberOf"]); !slices.Equal(got, []string{"Platform Engineering"}) ||
		manager["displayName"] != "Amara Okafor" || manager["manager"] != nil || x["jobTitle"] != nil {
		t.Errorf("%v", x)
	}
	if x = ask(mei + "?$expand=transitiveMemberOf"); len(names(x["transitiveMemberOf"])) != 2 {
		t.Errorf("%v", x)
	}
	if x = ask(amara + "?$expand=directReports($select=displayName)"); len(names(x["directReports"])) != 20 {
		t.Errorf("%d reports, want the 20 that $expand gives", len(names(x["directReports"])))
	}
	group := "/groups/" + e.Group("Engineering").ID
	x = ask(group + "?$select=displayName&$expand=members,owners,memberOf,appRoleAssignments")
	if len(names(x["members"])) != 8 || len(names(x["owners"])) != 0 || len(x["appRoleAssignments"].([]any)) != 1 {
		t.Errorf("%v", x)
	}
	sp := "/servicePrincipals/" + e.Tenant.ServicePrincipalID
	if x = ask(sp + "?$expand=appRoleAssignedTo,owners&$select=id"); len(x["appRoleAssignedTo"].([]any)) == 0 {
		t.Errorf("%v", x)
	}
	one, _ := x["appRoleAssignedTo"].([]any)[0].(map[string]any)
	if x = ask(sp + "/appRoleAssignedTo/" + one["id"].(string)); x["principalId"] != one["principalId"] {
		t.Errorf("one assignment is %v, in the list %v", x, one)
	}
	x = ask("/groups/" + x["principalId"].(string) + "/appRoleAssignments/" + x["id"].(string))
	if x["id"] != one["id"] {
		t.Errorf("the same from the other end is %v", x)
	}
	ask("/applications?$expand=owners,tokenIssuancePolicies")
	// two who are each other's managers
	e.Change(http.MethodPut, amara+"/manager/$ref", graph.Reference{ID: e.Client.BaseURL + mei}, nil)
	x = ask(mei + "?$expand=manager($levels=max)&$count=true")
	if manager = x["manager"].(map[string]any); manager["manager"] != nil {
		t.Errorf("in a circle: %v", x)
	}
}
