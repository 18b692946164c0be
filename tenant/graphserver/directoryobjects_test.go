package graphserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestMemberships(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei := e.User("mei.tanaka@northwind.example").ID
	inner, outer := e.Group("Platform Engineering").ID, e.Group("Engineering").ID
	other := e.Group("Data").ID
	both := []string{inner, outer}
	slices.Sort(both)
	sp := e.Tenant.ServicePrincipalID
	all := map[string]any{"securityEnabledOnly": false}
	checked := map[string]any{"groupIds": []string{other, outer, inner, "x"}}
	for _, c := range []struct {
		path string
		body any
		want []string
	}{
		{"/users/" + mei + "/getMemberGroups", all, both},
		{"/users/mei.tanaka@northwind.example/getMemberObjects", map[string]any{"securityEnabledOnly": true}, both},
		{"/directoryObjects/" + mei + "/getMemberGroups", all, both},
		{"/groups/" + inner + "/getMemberGroups", all, []string{outer}},
		{"/groups/" + outer + "/microsoft.graph.getMemberObjects", all, []string{}},
		{"/servicePrincipals/" + sp + "/getMemberGroups", all, []string{}},
		{"/users/" + mei + "/checkMemberGroups", checked, []string{outer, inner}},
		{"/users('" + mei + "')/checkMemberObjects", map[string]any{"ids": []string{inner}}, []string{inner}},
		{"/groups/" + inner + "/checkMemberGroups", checked, []string{outer}},
		{"/servicePrincipals/" + sp + "/checkMemberGroups", checked, []string{}},
	} {
		var page graph.Page[string]
		e.Change(http.MethodPost, c.path, c.body, &page)
		if !slices.Equal(page.Value, c.want) || !strings.HasSuffix(page.Context, "#Collection(Edm.String)") {
			t.Errorf("%s: %v in %s, want %v", c.path, page.Value, page.Context, c.want)
		}
	}
	for path, body := range map[string]any{
		"/users/" + mei + "/checkMemberGroups":   map[string]any{"groupIds": slices.Repeat([]string{inner}, 21)},
		"/users/" + mei + "/checkMemberObjects":  checked,
		"/groups/" + inner + "/getMemberGroups":  map[string]any{"securityEnabledOnly": true},
		"/groups/" + inner + "/getMemberObjects": map[string]any{"transitive": false},
		"/directoryObjects/getByIds":             map[string]any{"ids": slices.Repeat([]string{mei}, 1001)},
		"/groups/getByIds":                       map[string]any{"ids": []string{mei}, "types": []string{"mailbox"}},
		"/users/getByIds":                        map[string]any{"ids": []string{}},
		"/me/getMemberGroups":                    all,
	} {
		if status, _, text := e.Ask(http.MethodPost, path, body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for _, path := range []string{"/users/x/getMemberGroups", "/groups/" + mei + "/getMemberGroups"} {
		if status, _, text := e.Ask(http.MethodPost, path, all); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestObjectsByIDs(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei, data := e.User("mei.tanaka@northwind.example").ID, e.Group("Data").ID
	sp, app := e.Tenant.ServicePrincipalID, e.Tenant.ApplicationID
	for _, c := range []struct {
		path  string
		types []string
		want  string
	}{
		{"/directoryObjects/getByIds", nil, "user group servicePrincipal application"},
		{
			"/directoryObjects/microsoft.graph.getByIds", []string{"DirectoryObject"},
			"user group servicePrincipal application",
		},
		{"/directoryObjects/getByIds", []string{"group", "User"}, "user group"},
		{"/directoryObjects/getByIds", []string{"device"}, ""},
		{"/users/getByIds", nil, "user"},
		{"/groups/getByIds", nil, "group"},
		{"/servicePrincipals/getByIds", nil, "servicePrincipal"},
	} {
		var page graph.Page[map[string]any]
		body := map[string]any{"ids": []string{mei, "x", data, sp, mei, app}}
		if c.types != nil {
			body["types"] = c.types
		}
		e.Change(http.MethodPost, c.path, body, &page)
		var kinds []string
		for _, x := range page.Value {
			kinds = append(kinds, strings.TrimPrefix(fmt.Sprint(x["@odata.type"]), "#microsoft.graph."))
		}
		if got := strings.Join(kinds, " "); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.path, c.types, got, c.want)
		}
	}
	var x map[string]any
	e.Change(http.MethodGet, "/directoryObjects/"+mei+"?$select=displayName", nil, &x)
	if x["displayName"] != "Mei Tanaka" || x["@odata.type"] != graph.DirectoryUserType || x["mail"] != nil {
		t.Errorf("%v", x)
	}
}

// TestCastsAndReports reads relations whole, cast to one kind, and counted.
func TestCastsAndReports(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	mei, amara := e.User("mei.tanaka@northwind.example").ID, "/users/"+e.User("amara.okafor@northwind.example").ID
	engineering := "/groups/" + e.Group("Engineering").ID
	for path, want := range map[string]int{
		"/users/" + mei + "/memberOf/microsoft.graph.group":                           1,
		"/users/" + mei + "/memberOf/graph.Group":                                     1,
		"/users/" + mei + "/memberOf/microsoft.graph.directoryRole":                   0,
		"/users/" + mei + "/memberOf/microsoft.graph.administrativeUnit":              0,
		engineering + "/members/microsoft.graph.group":                                1,
		engineering + "/members/microsoft.graph.user?$top=2":                          7,
		engineering + "/members/microsoft.graph.device":                               0,
		engineering + "/members?$filter=startswith(displayName,'P')":                  2,
		engineering + "/owners/microsoft.graph.user":                                  0,
		amara + "/directReports":                                                      24,
		amara + "/directReports?$top=10&$select=displayName":                          24,
		amara + "/directReports/microsoft.graph.user?$filter=startswith(surname,'T')": 1,
		"/users/" + mei + "/directReports":                                            0,
	} {
		if got := e.List(path, "id"); len(got) != want {
			t.Errorf("%s: %d, want %d", path, len(got), want)
		}
	}
	for path, want := range map[string]string{
		engineering + "/members/microsoft.graph.user/$count":                 "7",
		engineering + "/members/$count":                                      "8",
		engineering + "/transitiveMembers/microsoft.graph.user/$count":       "11",
		amara + "/directReports/$count":                                      "24",
		amara + "/directReports/$count?$filter=department%20eq%20'Data'":     "4",
		"/users/" + mei + "/transitiveMemberOf/microsoft.graph.group/$count": "2",
	} {
		if _, _, body := e.Ask(http.MethodGet, path, nil, eventual); body != want {
			t.Errorf("%s: %s, want %s", path, body, want)
		}
		if status, _, body := e.Ask(http.MethodGet, path, nil); status != http.StatusBadRequest {
			t.Errorf("%s without the header: %d %s", path, status, body)
		}
	}
	if status, _, _ := e.Ask(http.MethodGet, "/users/x/directReports", nil); status != http.StatusNotFound {
		t.Errorf("the reports of nobody: %d", status)
	}
}

// TestAddresses names objects as OData can: by keys in brackets, by alternate keys, by functions
// with their namespace, and in other letters.
func TestAddresses(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei, data := e.User("mei.tanaka@northwind.example").ID, e.Group("Data").ID
	sp, app := e.Tenant.ServicePrincipalID, e.Tenant.ApplicationID
	var application graph.Application
	e.Change(http.MethodGet, "/applications/"+app, nil, &application)
	job := "/servicePrincipals/" + sp + "/synchronization/jobs/" + e.Tenant.JobID
	for path, want := range map[string]string{
		"/users('" + mei + "')":                                                           mei,
		"/users('mei.tanaka@northwind.example')":                                          mei,
		"/Users/MEI.tanaka@northwind.example":                                             mei,
		"/groups('" + data + "')":                                                         data,
		"/groups('" + data + "')/":                                                        data,
		"/servicePrincipals(appId='" + application.AppID + "')":                           sp,
		"/ServicePrincipals(appid='" + application.AppID + "')?$select=id":                sp,
		"/applications(appId='" + application.AppID + "')":                                app,
		"/servicePrincipals('" + sp + "')/synchronization/jobs('" + e.Tenant.JobID + "')": e.Tenant.JobID,
		"/servicePrincipals/" + sp + "/synchronization/templates/aWSSingleSignon":         "aWSSingleSignon",
		"/servicePrincipals/" + sp + "/synchronization/templates/aWSSingleSignon/schema":  "aWSSingleSignon",
	} {
		var x map[string]any
		if e.Change(http.MethodGet, path, nil, &x); x["id"] != want {
			t.Errorf("%s: %v, want %s", path, x["id"], want)
		}
	}
	for _, path := range []string{
		"/users/delta()", "/users/microsoft.graph.delta()", "/groups/microsoft.graph.delta",
		"/users/delta?$deltaToken=latest",
		"/groups/delta?$DELTATOKEN=latest", job + "/schema/functions", job + "/schema/functions()",
		job + "/schema/filterOperators", job + "/schema/microsoft.graph.filterOperators()",
		"/servicePrincipals(appId='" + application.AppID + "')/appRoleAssignedTo",
		"/servicePrincipals/" + sp + "/memberOf", "/servicePrincipals/" + sp + "/owners/microsoft.graph.user",
	} {
		if status, _, body := e.Ask(http.MethodGet, path, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{
		"/applications/" + sp, "/applications/" + application.AppID, "/servicePrincipals/" + app,
		"/servicePrincipals/" + application.AppID, "/servicePrincipals(appId='" + sp + "')", "/users('')",
		"/servicePrincipals/" + sp + "/synchronization/templates/scim/schema", "/groups(uniqueName='x')",
		"/users('a''b')",
	} {
		if status, _, body := e.Ask(http.MethodGet, path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	e.Change(http.MethodPatch, "/servicePrincipals(appId='"+application.AppID+"')",
		map[string]any{"notificationEmailAddresses": []string{"x@northwind.example"}}, nil)
	var batch graph.BatchAnswer
	e.Change(http.MethodPost, "/$batch", graph.Batch{Requests: []graph.BatchRequest{
		{ID: "1", Method: "GET", URL: "/users('" + mei + "')?$select=id"},
	}}, &batch)
	if len(batch.Responses) != 1 || batch.Responses[0].Status != http.StatusOK {
		t.Errorf("in a batch: %+v", batch)
	}
}

func TestTheSchemesLetterCase(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	res, err := http.PostForm(e.Tenant.TokenURL, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {e.Tenant.ClientID},
		"client_secret": {e.Tenant.ClientSecret}, "scope": {"https://graph.microsoft.com/.default"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	for scheme, want := range map[string]int{"bearer": 200, "BEARER": 200, "Bearer ": 200, "": 401, "Basic": 401} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.Client.BaseURL+"/users?$top=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", strings.TrimSpace(scheme+" "+answer.Token))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != want {
			t.Errorf("%q: %d, want %d", scheme, res.StatusCode, want)
		}
	}
}
