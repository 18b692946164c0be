package graphserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestTheTenantsGraph(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ctx := context.Background()

	for _, query := range []string{
		"?$filter=contains(displayName,'AWS%20IAM')",
		"?$filter=displayName%20eq%20'" + url.PathEscape(graph.AWSTemplateName) + "'",
	} {
		found, err := graph.All[graph.ApplicationTemplate](ctx, e.Client, "/applicationTemplates"+query)
		if err != nil || len(found) != 1 || found[0].ID != graph.AWSTemplateID {
			t.Errorf("%s: %+v, %v", query, found, err)
		}
	}
	none, err := graph.All[graph.ApplicationTemplate](
		ctx, e.Client, "/applicationTemplates?$filter=displayName%20eq%20'Nothing'",
	)
	if err != nil || len(none) != 0 {
		t.Errorf("an unknown template: %+v, %v; want an empty list", none, err)
	}
	users, err := graph.All[graph.User](ctx, e.Client, "/users?$top=7") // four pages
	if err != nil || len(users) != 25 {
		t.Errorf("%d users over pages of seven, %v", len(users), err)
	}
	var counted graph.Page[graph.User]
	if _, _, body := e.Ask(http.MethodGet, "/users?$count=true&$top=1", nil); strings.Contains(body, "@odata.count") {
		t.Error("counted without the header of advanced queries")
	}
	_, _, body := e.Ask(http.MethodGet, "/users?$count=true&$top=1", nil, eventual)
	if err := json.Unmarshal([]byte(body), &counted); err != nil {
		t.Fatal(err)
	}
	if counted.Count == nil || *counted.Count != 25 || counted.NextLink == "" {
		t.Errorf("counted %+v", counted.Count)
	}
	engineering := e.Group("Engineering")
	members, err := graph.All[graph.DirectoryObject](ctx, e.Client, "/groups/"+engineering.ID+"/members?$top=3")
	kinds := map[string]int{}
	for _, m := range members {
		kinds[m.ODataType]++
	}
	if err != nil || kinds[graph.DirectoryUserType] != 7 || kinds[graph.DirectoryGroupType] != 1 {
		t.Errorf("members by type %v, %v; want seven people and the nested group", kinds, err)
	}
	var secrets graph.Secrets
	e.Change(
		http.MethodGet, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/synchronization/secrets", nil, &secrets,
	)
	for _, kv := range secrets.Value {
		if strings.Contains(kv.Value, e.Center.SCIMToken) {
			t.Error("the secret token is given back")
		}
	}
	var boss graph.User
	e.Change(http.MethodGet, "/users/mei.tanaka@northwind.example/manager", nil, &boss)
	if boss.UserPrincipalName != "amara.okafor@northwind.example" {
		t.Errorf("manager %+v", boss)
	}

	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		"an unknown user": {
			"GET", "/users/nobody@northwind.example", nil, 404, "Request_ResourceNotFound",
		},
		"an unknown segment": {"GET", "/nonsense", nil, 400, "BadRequest"},
		"an unsupported filter": {
			"GET", "/users?$filter=length(city)%20eq%201", nil, 400, "BadRequest",
		},
		"a broken filter":          {"GET", "/users?$filter=nonsense", nil, 400, "BadRequest"},
		"a page that is too large": {"GET", "/users?$top=1000", nil, 400, "Request_UnsupportedQuery"},
		"a broken token":           {"GET", "/users?$skiptoken=!", nil, 400, "Request_BadRequest"},
		"a user without a password": {
			"POST", "/users",
			map[string]any{
				"accountEnabled":    true,
				"displayName":       "X",
				"mailNickname":      "x",
				"userPrincipalName": "x@northwind.example",
			},
			400, "Request_BadRequest",
		},
		"a second user of one name": {
			"POST", "/users",
			map[string]any{
				"accountEnabled":    true,
				"displayName":       "X",
				"mailNickname":      "x",
				"userPrincipalName": "MEI.tanaka@northwind.example",
				"passwordProfile":   map[string]any{"password": "a long one"},
			},
			400, "Request_BadRequest",
		},
		"no JSON": {"POST", "/groups", "x", 400, "Request_BadRequest"},
		"a mail group": {
			"POST", "/groups",
			map[string]any{"displayName": "X", "mailNickname": "x", "mailEnabled": true, "securityEnabled": true},
			400, "Request_BadRequest",
		},
		"a member twice": {
			"POST", "/groups/" + engineering.ID + "/members/$ref", graph.Reference{ID: "x/" + members[0].ID}, 400,
			"Request_BadRequest",
		},
		"an unknown property": {
			"PATCH", "/users/mei.tanaka@northwind.example", map[string]any{"shoeSize": "42"}, 400,
			"Request_BadRequest",
		},
		"a redirect URI with a script": {
			"PATCH", "/applications/" + e.Tenant.ApplicationID,
			map[string]any{"web": map[string]any{"redirectUris": []string{"javascript:alert(1)"}}}, 400,
			"Request_BadRequest",
		},
		"an assignment twice": {
			"POST", "/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/appRoleAssignedTo",
			graph.AppRoleAssignment{
				PrincipalID: engineering.ID,
				ResourceID:  e.Tenant.ServicePrincipalID,
				AppRoleID:   graph.UserRoleID,
			},
			400, "Request_BadRequest",
		},
		"an unknown assignment": {
			"GET", "/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/appRoleAssignedTo/none", nil, 404,
			"Request_ResourceNotFound",
		},
		"an unknown thumbprint": {
			"PATCH", "/servicePrincipals/" + e.Tenant.ServicePrincipalID,
			map[string]any{"preferredTokenSigningKeyThumbprint": "00"}, 400, "Request_BadRequest",
		},
		"a certificate without CN": {
			"POST", "/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/addTokenSigningCertificate",
			map[string]any{"displayName": "x"}, 400, "Request_BadRequest",
		},
		"credentials that do not work": {"POST",
			"/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/synchronization/jobs/" + e.Tenant.JobID +
				"/validateCredentials",
			graph.ValidateCredentials{
				Credentials: []graph.KeyValue{
					{Key: "BaseAddress", Value: e.Center.SCIMEndpoint}, {Key: "SecretToken", Value: "wrong"},
				},
			}, 400, "SystemForCrossDomainIdentityManagementCredentialValidationUnavailable"},
		"a second job": {
			"POST", "/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/synchronization/jobs",
			graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, 400, "Request_BadRequest",
		},
	} {
		err := e.Client.Do(ctx, c.method, c.path, c.body, nil)
		var refused *graph.Error
		if !errors.As(err, &refused) || refused.Status != c.status || refused.Code != c.code || refused.Message == "" ||
			refused.Request == "" {
			t.Errorf("%s: %v, want %d %s", name, err, c.status, c.code)
		}
	}
}
