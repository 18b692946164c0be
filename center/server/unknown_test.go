package server_test

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
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
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
func signed(t *testing.T, e pairtest.Ends, service, target, body string) (int, string) {
	t.Helper()
	contentType := "application/x-amz-json-1.1"
	if target == "" {
		contentType = "application/x-www-form-urlencoded"
	}
	req := newRequest(t, http.MethodPost, e.Center.URL+"/", contentType, body)
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	sum := sha256.Sum256([]byte(body))
	key := aws.Credentials{AccessKeyID: e.AWS.AccessKeyID, SecretAccessKey: e.AWS.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(
		context.Background(), key, req, hex.EncodeToString(sum[:]), service, e.AWS.Region, time.Now(),
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
	e := pairtest.Start(t)
	for _, s := range []awsapi.Service{
		(&identitystore.Handler{}).Service(), (&ssoadmin.Handler{}).Service(), (&adminserver.Handler{}).Service(),
	} {
		for _, op := range s.Operations {
			status, text := signed(t, e, s.SigningName, s.Target+"."+op.Name, `{"NotAMember":{"x":1}}`)
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
	directory, err := e.Admin.DescribeDirectory(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	user := signedUser(t, e, directory.IdentityStoreID)
	fill := strings.NewReplacer("INSTANCE", directory.InstanceArn, "STORE", directory.IdentityStoreID, "USER", user)
	for _, c := range []struct{ service, target, body, want string }{
		{
			"sso", "SWBExternalService.UpdateInstance",
			`{"InstanceArn":"INSTANCE","NetworkConfiguration":{"AllowedVpcs":["vpc-1"]}}`,
			"networkConfiguration.AllowedVpcs",
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
			`{"IdentityStoreId":"STORE","UserId":"USER","IfUnchanged":"7","Operations":[{"AttributePath":"title",
				"AttributeValue":"x"}]}`, "the member IfUnchanged"},
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
		status, text := signed(t, e, c.service, c.target, fill.Replace(c.body))
		wantWords(t, c.target+" "+c.body, status, text, 400, "ValidationException", c.want)
	}
	for body, want := range map[string]string{`{"InstanceArn":"a","InstanceArn":"b"}`: "duplicate",
		`[]`: "not an object", `"x"`: "not an object",
		`{"InstanceArn":7}`: "is not a string", `{"InstanceArn":"x"} {}`: "something follows"} {
		status, text := signed(t, e, "sso", "SWBExternalService.UpdateInstance", body)
		wantWords(t, body, status, text, 400, "SerializationException", want)
	}
	for body, want := range map[string]string{
		`{"Status":"Active","Status":"Inactive"}`: "duplicate",
		`null`:          "not a JSON object",
		`{"Status":{}}`: "wrong type",
	} {
		status, text := signed(t, e, "sso-directory", "SWBUPService.UpdateAccessKey", body)
		wantWords(t, body, status, text, 400, "SerializationException", want)
	}
	status, text := signed(t, e, "sts", "", "Action=GetCallerIdentity&Version=2011-06-15")
	wantWords(t, "sts", status, text, 200, "Arn")
	status, text = signed(t, e, "sts", "", "Action=GetCallerIdentity&Version=2011-06-15&ExternalId=x")
	wantWords(t, "sts", status, text, 400, "does not know the member ExternalId")
	status, text = signed(t, e, "sts", "", "Action=GetCallerIdentity&Version=2011-06-15&Version=2012-01-01")
	wantWords(t, "sts", status, text, 400, "duplicate parameter: Version")
}

// signedUser is the id of a user of the demo.
func signedUser(t *testing.T, e pairtest.Ends, store string) string {
	t.Helper()
	status, text := signed(
		t,
		e,
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
