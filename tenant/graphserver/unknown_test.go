package graphserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestUnknownPropertiesOfGraph writes what Graph or this tenant does not know: each is refused, and
// nothing is changed.
func TestUnknownPropertiesOfGraph(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei, data := e.User("mei.tanaka@northwind.example").ID, e.Group("Data").ID
	app, sp := "/applications/"+e.Tenant.ApplicationID, "/servicePrincipals/"+e.Tenant.ServicePrincipalID
	sync := sp + "/synchronization"
	fill := strings.NewReplacer(
		"USER",
		"/users/"+mei,
		"GROUP",
		"/groups/"+data,
		"APP",
		app,
		"SP",
		sp,
		"SYNC",
		sync,
		"JOB",
		e.JobPath(),
	)
	const newUser = `"accountEnabled":true,"displayName":"X","mailNickname":"x",
		"userPrincipalName":"x@northwind.example"`
	const newGroup = `"displayName":"X","mailNickname":"x","mailEnabled":false,"securityEnabled":true`
	for _, c := range [][3]string{
		{
			"POST", "/users",
			`{` + newUser +
				`,"passwordProfile":{"password":"a long password"},"locked":true} => Property 'locked' does not exist`,
		},
		{
			"POST", "/users",
			`{` + newUser +
				`,"passwordProfile":{"password":"a long password","mustBeLong":true}} => passwordProfile/mustBeLong`,
		},
		{
			"POST", "/users",
			`{` + newUser + `,"passwordProfile":{"password":"a long password"},"manager@odata.bind":"x/` + mei +
				`"} => manager@odata.bind`,
		},
		{
			"POST", "/users",
			`{` + newUser +
				`,"passwordProfile":{"password":"a long password"},
					"employeeType":"Contractor"} => is not stored by Gatehouse`,
		},
		{
			"PATCH", "USER",
			`{"jobTitle":"X","nonsense":null} => Property 'nonsense' does not exist on type 'microsoft.graph.user'`,
		},
		{"PATCH", "USER", `{"jobTitle":7} => wrong type`},
		{"PATCH", "USER", `{"accountEnabled":null} => wrong type`},
		{"PATCH", "USER", `{"accountEnabled":"false"} => wrong type`},
		{"PATCH", "USER", `{"passwordProfile":{"password":123456789}} => wrong type`},
		{"PATCH", "USER", `{"jobTitle":"X","jobTitle":"Y"} => Unable to read JSON`},
		{"PATCH", "USER", `{"onPremisesExtensionAttributes":{"extensionAttribute1x":"y"}} => extensionAttribute1x`},
		{"PATCH", "USER", `{"id":"x"} => Property 'id'`},
		{"PATCH", "USER", `["jobTitle"] => Unable to read JSON`},
		{"POST", "/groups", `{` + newGroup + `,"isAssignableToRole":true} => is not stored by Gatehouse`},
		{
			"POST", "/groups",
			`{` + newGroup + `,"acceptedSenders@odata.bind":["x/` + mei + `"]} => acceptedSenders@odata.bind`,
		},
		{
			"POST", "/groups",
			`{` + newGroup + `,"membershipRule":"user.department -eq \"x\""} => is not stored by Gatehouse`,
		},
		{"PATCH", "GROUP", `{"displayname":"x"} => Property 'displayname'`},
		{"PATCH", "GROUP", `{"mailEnabled":true} => Only security groups`},
		{"POST", "GROUP/members/$ref", `{"@odata.id":"x/` + mei + `","role":"owner"} => Property 'role'`},
		{"PATCH", "APP", `{"web":{"implicitGrantSettings":{"enableIdTokenIssuance":true}}} => implicitGrantSettings`},
		{"PATCH", "APP", `{"identifierUris":["urn:x","urn:x"]} => name each address once`},
		{
			"PATCH", "APP",
			`{"web":{"redirectUris":["https://a.example","https://a.example"]}} => name each address once`,
		},
		{"PATCH", "APP", `{"signInAudience":"AzureADMultipleOrgs"} => signInAudience must be AzureADMyOrg`},
		{"PATCH", "APP", `{"keyCredentials":[{"usage":"Verify","key":"AAAA"}]} => keys with the usage Encrypt`},
		{"PATCH", "SP", `{"accountEnabled":null} => wrong type`},
		{"POST", "SP/addTokenSigningCertificate", `{"displayName":"CN=x","keyLength":4096} => keyLength`},
		{
			"POST", "SP/appRoleAssignedTo",
			`{"principalId":"x","resourceId":"y","appRoleId":"z","expires":"soon"} => expires`,
		},
		{
			"POST", "/policies/claimsMappingPolicies",
			`{"displayName":"x","definition":["{}"],"type":"x"} => Property 'type'`,
		},
		{"POST", "SYNC/jobs", `{"templateId":"aWSSingleSignon","schedule":{"interval":"PT1M"}} => schedule`},
		{"PUT", "SYNC/secrets", `{"value":[{"key":"SyncAll","value":"maybe"}]} => True or False`},
		{
			"PUT", "SYNC/secrets",
			`{"value":[{"key":"SyncAll","value":"true"},{"key":"syncall","value":"false"}]} => is duplicated`,
		},
		{
			"PUT", "SYNC/secrets",
			`{"value":[{"key":"SyncNotificationSettings",
				"value":"{\"Recipient\":\"x\"}"}]} => SyncNotificationSettings`,
		},
		{
			"POST", "JOB/validateCredentials",
			`{"useSavedCredentials":true,"credentials":[{"key":"Timeout","value":"9"}]} => Timeout`,
		},
		{"POST", "JOB/restart", `{"criteria":{"resetScope":"Full","dryRun":true}} => criteria/dryRun`},
		{"POST", "JOB/provisionOnDemand", `{"parameters":[],"dryRun":true} => dryRun`},
		{
			"POST", "JOB/schema/parseExpression",
			`{"expression":"[a]","targetAttributeDefinition":{}} => targetAttributeDefinition`,
		},
		{"POST", "/gatehouse/clock", `{"forwardSeconds":1,"backSeconds":1} => backSeconds`},
		{"POST", "/$batch", `{"requests":[{"id":"1","method":"GET","url":"/me","atomic":true}]} => requests/0/atomic`},
		{
			"POST", "/applicationTemplates/" + graph.AWSTemplateID + "/instantiate",
			`{"displayName":"x","hidden":true} => hidden`,
		},
	} {
		body, want, _ := strings.Cut(c[2], " => ")
		path := fill.Replace(c[1])
		err := e.Client.Do(context.Background(), c[0], path, json.RawMessage(body), nil)
		if err == nil || !strings.Contains(err.Error(), "400") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %s %s: %v", c[0], path, c[2], err)
		}
	}
	var user graph.User
	e.Change(http.MethodGet, "/users/"+mei+"?$select=jobTitle,accountEnabled", nil, &user)
	if user.JobTitle == "X" || user.JobTitle == "Y" || !*user.AccountEnabled {
		t.Errorf("a refused change has changed the user: %+v", user)
	}
	// What clients send that know all of Graph: annotations, and properties without a value.
	e.Change(
		http.MethodPatch,
		"/users/"+mei,
		json.RawMessage(
			`{"@odata.type":"#microsoft.graph.user","@odata.context":"x","ageGroup":null,"otherMails":[],"jobTitle":"Z",
		"jobTitle@odata.type":"#String","passwordProfile":null,"mobilePhone":null,"businessPhones":null}`,
		),
		nil,
	)
	e.Change(
		http.MethodPatch,
		"/groups/"+data,
		json.RawMessage(`{"description":"x","isAssignableToRole":false,"visibility":null,"securityEnabled":true}`),
		nil,
	)
	var group map[string]any
	if e.Change(http.MethodGet, "/groups/"+data, nil, &group); group["description"] != "x" {
		t.Errorf("%v", group)
	}
	e.Change(http.MethodPatch, "/groups/"+data, json.RawMessage(`{"description":null}`), nil)
	if e.Change(http.MethodGet, "/groups/"+data, nil, &group); group["description"] != nil {
		t.Errorf("null clears a property: %v", group)
	}
}

// TestUnknownQueriesOfGraph asks with options and properties that are not there: a filter that is
// passed over gives everybody.
func TestUnknownQueriesOfGraph(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei, data := "/users/"+e.User("mei.tanaka@northwind.example").ID, "/groups/"+e.Group("Data").ID
	app, sp := "/applications/"+e.Tenant.ApplicationID, "/servicePrincipals/"+e.Tenant.ServicePrincipalID
	const filter = "?$count=true&$filter="
	for path, want := range map[string]string{
		"/users?$fliter=displayName%20eq%20'x'": "'$fliter' is not " +
			"supported",
		"/users?unknown=displayName%20eq%20'x'": "'unknown' is not " +
			"supported",
		"/users?$skip=5": "'$skip' is not supported",
		"/users?$filter=id%20eq%20'x'&$filter=id%20ne%20'x'": "is duplicated",
		"/users?$top=1;$filter=x":                            "Invalid page size",
		"/users?$count=maybe": "$count must be true " +
			"or false",
		"/users" + filter + "nonsense%20eq%20'x'": "Could not find a " +
			"property named 'nonsense' on type 'microsoft.graph.user'",
		"/users" + filter + "nonsense%20ne%20'x'": "Could not find a " +
			"property named 'nonsense'",
		"/users" + filter + "not%20(a%20eq%201%20or%20startsWith(b,'x'))": "Could not find a " +
			"property named 'a'",
		"/users" + filter + "onPremisesExtensionAttributes/extensionAttribute16%20eq%20'x'": "extensionAttribute16",
		"/users?$search=%22nonsense:x%22":                                         "nonsense",
		"/users?$orderby=nonsense":                                                "nonsense",
		"/users?$orderby=displayName,surname":                                     "Unsupported sort property",
		"/users?$expand=ownedDevices":                                             "named 'ownedDevices' on type",
		"/users/$count?$filter=nonsense%20eq%20'x'":                               "nonsense",
		mei + "?$filter=displayName%20eq%20'x'":                                   "'$filter' is not supported",
		mei + "?$expand=members":                                                  "named 'members' on type",
		"/users/delta?$top=5":                                                     "'$top' is not supported",
		"/users/delta?$deltatoken=x&$filter=id%20eq%20'x'":                        "as it is",
		"/groups" + filter + "userPrincipalName%20eq%20'x'":                       "userPrincipalName",
		data + "/members?$filter=nonsense%20eq%20'x'":                             "nonsense",
		data + "/members/microsoft.graph.message":                                 "Resource not found",
		data + "/memberOf?$expand=owners":                                         "Select and Expand failed",
		"/applications?$filter=nonsense%20eq%20'x'":                               "microsoft.graph.application",
		app + "?$expand=extensions":                                               "Select and Expand failed",
		sp + "/appRoleAssignedTo?$filter=x%20eq%20'y'":                            "microsoft.graph.appRoleAssignment",
		sp + "/synchronization/jobs?$filter=x%20eq%20'y'":                         "microsoft.graph.synchronizationJob",
		sp + "/synchronization/secrets?$select=value":                             "'$select' is not supported",
		"/organization?$filter=x%20eq%20'y'":                                      "microsoft.graph.organization",
		"/policies/claimsMappingPolicies?$filter=x%20eq%20'y'":                    "microsoft.graph.stsPolicy",
		"/auditLogs/signIns?$filter=nonsense%20eq%20'x'":                          "microsoft.graph.signIn",
		"/auditLogs/signIns?$orderby=nonsense":                                    "named 'nonsense'",
		"/auditLogs/directoryAudits?$filter=initiatedBy/user/nonsense%20eq%20'x'": "nonsense",
		"/auditLogs/provisioning?$skiptoken=x":                                    "Invalid Skip Token",
	} {
		status, _, body := e.Ask(http.MethodGet, path, nil, eventual)
		wantStatus := http.StatusBadRequest
		if status != wantStatus || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %d and %q", path, status, body, wantStatus, want)
		}
	}
	if status, _, body := e.Ask(http.MethodDelete, mei+"?$onlyIf=disabled", nil); status != http.StatusBadRequest {
		t.Errorf("a change with an option: %d %s", status, body)
	}
	for _, path := range []string{mei, app + "?$select=appId", sp + "?$select=id,loginUrl", "/organization?$select=id",
		"/auditLogs/signIns?$top=1&$filter=status/errorCode%20eq%200",
		"/auditLogs/directoryAudits?$filter=initiatedBy/app/displayName%20eq%20'x'", "/users?$select=id,employeeType",
		sp + "/synchronization/jobs?$filter=templateId%20eq%20'x'"} {
		if status, _, body := e.Ask(http.MethodGet, path, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
