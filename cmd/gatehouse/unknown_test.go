package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center/adminserver"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/center/ssoadmin"
	"github.com/gatehouse-id/gatehouse/graph"
)

// send sends a request and returns the status and the text of the answer.
func send(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

func newRequest(t *testing.T, method, address, contentType, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

// signed sends a body as the aws CLI would, with the demo's key. target is empty for the query
// protocol.
func signed(t *testing.T, d demoOutput, service, target, body string) (int, string) {
	t.Helper()
	contentType := "application/x-amz-json-1.1"
	if target == "" {
		contentType = "application/x-www-form-urlencoded"
	}
	req := newRequest(t, http.MethodPost, d.Center.URL+"/", contentType, body)
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	sum := sha256.Sum256([]byte(body))
	key := aws.Credentials{AccessKeyID: d.AWS.AccessKeyID, SecretAccessKey: d.AWS.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(
		context.Background(), key, req, hex.EncodeToString(sum[:]), service, d.AWS.Region, time.Now(),
	); err != nil {
		t.Fatal(err)
	}
	return send(t, req)
}

// wantWords checks that an answer has a status and says some words.
func wantWords(t *testing.T, what string, status int, text string, wantStatus int, words ...string) {
	t.Helper()
	missing := slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	if status != wantStatus || missing {
		t.Errorf("%s: %d %s\nwant %d and %q", what, status, text, wantStatus, words)
	}
}

// TestUnknownMembersAreRefused asks every operation of every AWS door for what it does not know:
// answering 200 and doing nothing would be a control that is not there.
func TestUnknownMembersAreRefused(t *testing.T) {
	t.Parallel()
	d, stop := startDemo(t)
	defer stop()
	for _, s := range []awsapi.Service{
		(&identitystore.Handler{}).Service(), (&ssoadmin.Handler{}).Service(), (&adminserver.Handler{}).Service(),
	} {
		for _, op := range s.Operations {
			status, text := signed(t, d, s.SigningName, s.Target+"."+op.Name, `{"NotAMember":{"x":1}}`)
			wantWords(
				t,
				op.Name,
				status,
				text,
				400,
				"ValidationException",
				op.Name+" does not know the member NotAMember",
			)
		}
	}
	directory, err := newEnds(t, d).admin.DescribeDirectory(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	user := signedUser(t, d, directory.IdentityStoreID)
	fill := strings.NewReplacer("INSTANCE", directory.InstanceArn, "STORE", directory.IdentityStoreID, "USER", user)
	for _, c := range []struct{ service, target, body, want string }{
		{
			"sso", "SWBExternalService.UpdateInstance",
			`{"InstanceArn":"INSTANCE","NetworkConfiguration":{"AllowedVpcs":["vpc-1"]}}`, "NetworkConfiguration",
		},
		{
			"sso", "SWBExternalService.UpdateInstance", `{"InstanceArn":"INSTANCE","PermissionSetsEnabled":false}`,
			"PermissionSetsEnabled",
		},
		{
			"sso", "SWBExternalService.UpdateInstance", `{"InstanceArn":"INSTANCE","Name":"x","name":"y"}`,
			"the member name",
		},
		{
			"sso", "SWBExternalService.CreatePermissionSet",
			`{"InstanceArn":"INSTANCE","Name":"X","Tags":[{"Key":"a","Value":"b","Lock":true}]}`,
			"tags.1.member.Lock",
		},
		{"identitystore", "AWSIdentityStore.UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"USER","Revision":"7","Operations":[{"AttributePath":"title",
				"AttributeValue":"x"}]}`, "the member Revision"},
		{"identitystore", "AWSIdentityStore.UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"USER","Operations":[{"AttributePath":"name",
				"AttributeValue":{"givenName":"x","locked":true}}]}`, `the member \"locked\"`},
		{"identitystore", "AWSIdentityStore.UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"USER","Operations":[{"AttributePath":"emails",
				"AttributeValue":[{"value":"x@y.z","verified":true}]}]}`, `the member \"verified\"`},
		{"identitystore", "AWSIdentityStore.UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"USER","Operations":[{"AttributePath":"title","AttributeValue":"x",
				"If":"y"}]}`, "operations.1.member.If"},
		{
			"sso-directory", "SWBUPService.UpdateAccessKey",
			`{"AccessKeyId":"x","Status":"Active","Role":"read-only"}`, "the member Role",
		},
		{
			"sso-directory", "SWBUPService.CreateAccessKey",
			`{"UserName":"x","Role":"administrator","Status":"Inactive"}`, "the member Status",
		},
		{
			"sso-directory", "SWBUPService.PutAccounts",
			`{"Accounts":[{"Id":"111122223333","Name":"x","Locked":true}]}`, "Accounts.0.Locked",
		},
		{"sso-directory", "SWBUPService.DeleteProvisioningTenant", `{"TenantId":"another"}`, "there is no such tenant"},
		{"sso-directory", "SWBUPService.CreateBearerToken", `{"TenantId":"another"}`, "there is no such tenant"},
	} {
		status, text := signed(t, d, c.service, c.target, fill.Replace(c.body))
		wantWords(t, c.target+" "+c.body, status, text, 400, "ValidationException", c.want)
	}
	for body, want := range map[string]string{`{"InstanceArn":"a","InstanceArn":"b"}`: "duplicate",
		`[]`: "not an object", `"x"`: "not an object",
		`{"InstanceArn":7}`: "is not a string", `{"InstanceArn":"x"} {}`: "something follows"} {
		status, text := signed(t, d, "sso", "SWBExternalService.UpdateInstance", body)
		wantWords(t, body, status, text, 400, "SerializationException", want)
	}
	for body, want := range map[string]string{
		`{"Status":"Active","Status":"Inactive"}`: "duplicate",
		`null`:          "not a JSON object",
		`{"Status":{}}`: "wrong type",
	} {
		status, text := signed(t, d, "sso-directory", "SWBUPService.UpdateAccessKey", body)
		wantWords(t, body, status, text, 400, "SerializationException", want)
	}
	status, text := signed(t, d, "sts", "", "Action=GetCallerIdentity&Version=2011-06-15")
	wantWords(t, "sts", status, text, 200, "Arn")
	status, text = signed(t, d, "sts", "", "Action=GetCallerIdentity&Version=2011-06-15&ExternalId=x")
	wantWords(t, "sts", status, text, 400, "does not know the member ExternalId")
	status, text = signed(t, d, "sts", "", "Action=GetCallerIdentity&Version=2011-06-15&Version=2012-01-01")
	wantWords(t, "sts", status, text, 400, "Version stands twice")
}

// signedUser is the id of a user of the demo.
func signedUser(t *testing.T, d demoOutput, store string) string {
	t.Helper()
	status, text := signed(
		t,
		d,
		"identitystore",
		"AWSIdentityStore.ListUsers",
		`{"IdentityStoreId":"`+store+`","MaxResults":1}`,
	)
	var users struct {
		Users []struct {
			UserID string `json:"UserId"`
		}
	}
	if err := json.Unmarshal([]byte(text), &users); err != nil || len(users.Users) != 1 {
		t.Fatalf("%d %s", status, text)
	}
	return users.Users[0].UserID
}

// TestUnknownInputOfThePortalAPIs: the doors of `aws sso login` and of what it is for.
func TestUnknownInputOfThePortalAPIs(t *testing.T) {
	t.Parallel()
	d, stop := startDemo(t)
	defer stop()
	for path, body := range map[string]string{
		"/client/register": `{"clientName":"x","clientType":"public",
			"entitledApplicationArn":"arn:aws:sso::1:application/x"}`,
		"/device_authorization": `{"clientId":"x","clientSecret":"y","startUrl":"z","userHint":"w"}`,
		"/token":                `{"clientId":"x","clientSecret":"y","grantType":"refresh_token","dpop":"z"}`,
	} {
		status, text := send(t, newRequest(t, http.MethodPost, d.Center.URL+path, "application/json", body))
		wantWords(t, path, status, text, 400, "invalid_request", "is not known")
	}
	status, text := send(
		t,
		newRequest(t, http.MethodPost, d.Center.URL+"/token", "application/json", `{"grantType":"a","grantType":"b"}`),
	)
	wantWords(t, "a name that stands twice", status, text, 400, "invalid_request")
	for path, want := range map[string]string{
		"GET /assignment/accounts?max_results=1":                                    "max_results",
		"GET /assignment/roles?account_id=111122223333&role=x":                      "role",
		"GET /federation/credentials?account_id=1&role_name=x&duration_seconds=900": "duration_seconds",
		"GET /federation/credentials?account_id=1&account_id=2&role_name=x":         "account_id stands twice",
		"GET /federation/credentials?account_id=1&role_name=%zz":                    "cannot be read",
		"POST /logout?everywhere=true":                                              "everywhere",
	} {
		method, path, _ := strings.Cut(path, " ")
		req := newRequest(t, method, d.Center.URL+path, "", "")
		req.Header.Set("X-Amz-Sso_bearer_token", "x")
		status, text := send(t, req)
		wantWords(t, path, status, text, 400, "InvalidRequestException", want)
	}
}

// TestUnknownPropertiesOfGraph writes what Graph or this tenant does not know: each is refused, and
// nothing is changed.
func TestUnknownPropertiesOfGraph(t *testing.T) {
	t.Parallel()
	d, stop := startDemo(t)
	defer stop()
	e := newEnds(t, d)
	mei, data := e.user("mei.tanaka@northwind.example").ID, e.group("Data").ID
	app, sp := "/applications/"+d.Tenant.ApplicationID, "/servicePrincipals/"+d.Tenant.ServicePrincipalID
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
		jobPath(d),
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
					"employeeType":"Contractor"} => is not kept by Gatehouse`,
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
		{"POST", "/groups", `{` + newGroup + `,"isAssignableToRole":true} => is not kept by Gatehouse`},
		{
			"POST", "/groups",
			`{` + newGroup + `,"acceptedSenders@odata.bind":["x/` + mei + `"]} => acceptedSenders@odata.bind`,
		},
		{
			"POST", "/groups",
			`{` + newGroup + `,"membershipRule":"user.department -eq \"x\""} => is not kept by Gatehouse`,
		},
		{"PATCH", "GROUP", `{"displayname":"x"} => Property 'displayname'`},
		{"PATCH", "GROUP", `{"mailEnabled":true} => Only security groups`},
		{"POST", "GROUP/members/$ref", `{"@odata.id":"x/` + mei + `","role":"owner"} => Property 'role'`},
		{"PATCH", "APP", `{"web":{"redirectUris":[],"implicitGrantSettings":{}}} => web/implicitGrantSettings`},
		{"PATCH", "APP", `{"signInAudience":"AzureADMultipleOrgs"} => signInAudience is AzureADMyOrg`},
		{"PATCH", "APP", `{"keyCredentials":[{"usage":"Verify","key":"AAAA"}]} => only a key with the usage Encrypt`},
		{"PATCH", "APP", `{"tokenEncryptionKeyId":null} => tokenEncryptionKeyId`},
		{"PATCH", "SP", `{"samlSingleSignOnSettings":{"relayState":"x"}} => is not kept by Gatehouse`},
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
			`{"value":[{"key":"SyncAll","value":"true"},{"key":"syncall","value":"false"}]} => stands twice`,
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
		err := e.graph.Do(context.Background(), c[0], path, json.RawMessage(body), nil)
		if err == nil || !strings.Contains(err.Error(), "400") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %s %s: %v", c[0], path, c[2], err)
		}
	}
	var user graph.User
	e.change(http.MethodGet, "/users/"+mei+"?$select=jobTitle,accountEnabled", nil, &user)
	if user.JobTitle == "X" || user.JobTitle == "Y" || !*user.AccountEnabled {
		t.Errorf("a refused change has changed the user: %+v", user)
	}
	// What clients send that know all of Graph: annotations, and properties without a value.
	e.change(
		http.MethodPatch,
		"/users/"+mei,
		json.RawMessage(
			`{"@odata.type":"#microsoft.graph.user","@odata.context":"x","ageGroup":null,"otherMails":[],"jobTitle":"Z",
		"jobTitle@odata.type":"#String","passwordProfile":null,"mobilePhone":null,"businessPhones":null}`,
		),
		nil,
	)
	e.change(
		http.MethodPatch,
		"/groups/"+data,
		json.RawMessage(`{"description":"x","isAssignableToRole":false,"visibility":null,"securityEnabled":true}`),
		nil,
	)
	var group map[string]any
	if e.change(http.MethodGet, "/groups/"+data, nil, &group); group["description"] != "x" {
		t.Errorf("%v", group)
	}
	e.change(http.MethodPatch, "/groups/"+data, json.RawMessage(`{"description":null}`), nil)
	if e.change(http.MethodGet, "/groups/"+data, nil, &group); group["description"] != nil {
		t.Errorf("null clears a property: %v", group)
	}
}

// TestUnknownQueriesOfGraph asks with options and properties that are not there: a filter that is
// passed over gives everybody.
func TestUnknownQueriesOfGraph(t *testing.T) {
	t.Parallel()
	d, stop := startDemo(t)
	defer stop()
	e := newEnds(t, d)
	mei, data := "/users/"+e.user("mei.tanaka@northwind.example").ID, "/groups/"+e.group("Data").ID
	app, sp := "/applications/"+d.Tenant.ApplicationID, "/servicePrincipals/"+d.Tenant.ServicePrincipalID
	const filter = "?$count=true&$filter="
	for path, want := range map[string]string{
		"/users?$fliter=displayName%20eq%20'x'": "'$fliter' is not " +
			"supported",
		"/users?filter=displayName%20eq%20'x'": "'filter' is not " +
			"supported",
		"/users?$skip=5": "'$skip' is not supported",
		"/users?$filter=id%20eq%20'x'&$filter=id%20ne%20'x'": "stands twice",
		"/users?$top=1;$filter=x":                            "cannot be read",
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
		"/users?$orderby=displayName,surname":                                     "displayName,surname",
		"/users?$expand=memberOf":                                                 "Could not expand 'memberOf'",
		"/users/$count?$filter=nonsense%20eq%20'x'":                               "nonsense",
		mei + "?$filter=displayName%20eq%20'x'":                                   "'$filter' is not supported",
		mei + "?$expand=members":                                                  "Could not expand 'members'",
		"/users/delta?$top=5":                                                     "'$top' is not supported",
		"/users/delta?$deltatoken=x&$filter=id%20eq%20'x'":                        "as it is",
		"/groups" + filter + "userPrincipalName%20eq%20'x'":                       "userPrincipalName",
		data + "/members?$filter=nonsense%20eq%20'x'":                             "nonsense",
		data + "/members/microsoft.graph.device":                                  "Resource not found",
		data + "/memberOf?$expand=owners":                                         "Could not expand",
		"/applications?$filter=nonsense%20eq%20'x'":                               "microsoft.graph.application",
		app + "?$expand=owners":                                                   "Could not expand 'owners'",
		sp + "/appRoleAssignedTo?$filter=x%20eq%20'y'":                            "microsoft.graph.appRoleAssignment",
		sp + "/synchronization/jobs?$filter=x%20eq%20'y'":                         "microsoft.graph.synchronizationJob",
		sp + "/synchronization/secrets?$select=value":                             "'$select' is not supported",
		"/organization?$filter=x%20eq%20'y'":                                      "microsoft.graph.organization",
		"/policies/claimsMappingPolicies?$filter=x%20eq%20'y'":                    "microsoft.graph.stsPolicy",
		"/auditLogs/signIns?$filter=nonsense%20eq%20'x'":                          "microsoft.graph.signIn",
		"/auditLogs/signIns?$orderby=createdDateTime":                             "'$orderby' is not supported",
		"/auditLogs/directoryAudits?$filter=initiatedBy/user/nonsense%20eq%20'x'": "nonsense",
		"/auditLogs/provisioning?$skiptoken=x":                                    "'$skiptoken' is not supported",
	} {
		status, _, body := e.ask(http.MethodGet, path, nil, eventual)
		wantStatus := http.StatusBadRequest
		if want == "Resource not found" {
			wantStatus = http.StatusNotFound
		}
		wantWords(t, path, status, body, wantStatus, want)
	}
	if status, _, body := e.ask(http.MethodDelete, mei+"?$onlyIf=disabled", nil); status != http.StatusBadRequest {
		t.Errorf("a change with an option: %d %s", status, body)
	}
	for _, path := range []string{mei, app + "?$select=appId", sp + "?$select=id,loginUrl", "/organization?$select=id",
		"/auditLogs/signIns?$top=1&$filter=status/errorCode%20eq%200",
		"/auditLogs/directoryAudits?$filter=initiatedBy/app/displayName%20eq%20'x'", "/users?$select=id,employeeType",
		sp + "/synchronization/jobs?$filter=templateId%20eq%20'x'"} {
		if status, _, body := e.ask(http.MethodGet, path, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
