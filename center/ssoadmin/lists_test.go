package ssoadmin_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	door "github.com/gatehouse-id/gatehouse/center/ssoadmin"
)

// raw sends a body as it is, and returns the answer as it came.
func (a *api) raw(operation, body string) (int, []byte) {
	a.t.Helper()
	options := a.Options()
	req, err := http.NewRequestWithContext(
		background, http.MethodPost, *options.BaseEndpoint+"/", strings.NewReader(body),
	)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "SWBExternalService."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256([]byte(body))
	who, err := options.Credentials.Retrieve(background)
	if err == nil {
		err = v4.NewSigner().SignHTTP(
			background, who, req, hex.EncodeToString(sum[:]), "sso", "us-east-1", a.center.Now(),
		)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, data
}

// lists are all lists of the model: the input beside the page, the member of the answer that has
// the entries, and how many there are in crowd.
var lists = map[string]struct {
	input, entries string
	n              int
}{
	"ListAccountAssignmentCreationStatus": {`"InstanceArn":"INSTANCE"`, "AccountAssignmentsCreationStatus", 4},
	"ListAccountAssignmentDeletionStatus": {`"InstanceArn":"INSTANCE"`, "AccountAssignmentsDeletionStatus", 2},
	"ListAccountAssignments": {
		`"InstanceArn":"INSTANCE","PermissionSetArn":"SET","AccountId":"111122223333"`, "AccountAssignments", 3,
	},
	"ListAccountAssignmentsForPrincipal": {
		`"InstanceArn":"INSTANCE","PrincipalType":"GROUP","PrincipalId":"GROUP"`, "AccountAssignments", 2,
	},
	"ListAccountsForProvisionedPermissionSet": {`"InstanceArn":"INSTANCE","PermissionSetArn":"SET"`, "AccountIds", 2},
	"ListApplicationAccessScopes":             {`"ApplicationArn":"APPLICATION"`, "Scopes", 2},
	"ListApplicationAssignments":              {`"ApplicationArn":"APPLICATION"`, "ApplicationAssignments", 2},
	"ListApplicationAssignmentsForPrincipal": {
		`"InstanceArn":"INSTANCE","PrincipalType":"USER","PrincipalId":"USER"`, "ApplicationAssignments", 2,
	},
	"ListApplicationAuthenticationMethods": {`"ApplicationArn":"APPLICATION"`, "AuthenticationMethods", 1},
	"ListApplicationGrants":                {`"ApplicationArn":"APPLICATION"`, "Grants", 2},
	"ListApplicationProviders":             {``, "ApplicationProviders", 2},
	"ListApplications":                     {`"InstanceArn":"INSTANCE"`, "Applications", 2},
	"ListCustomerManagedPolicyReferencesInPermissionSet": {
		`"InstanceArn":"INSTANCE","PermissionSetArn":"SET"`, "CustomerManagedPolicyReferences", 2,
	},
	"ListInstances": {``, "Instances", 1},
	"ListManagedPoliciesInPermissionSet": {
		`"InstanceArn":"INSTANCE","PermissionSetArn":"SET"`, "AttachedManagedPolicies", 2,
	},
	"ListPermissionSetProvisioningStatus": {`"InstanceArn":"INSTANCE"`, "PermissionSetsProvisioningStatus", 2},
	"ListPermissionSets":                  {`"InstanceArn":"INSTANCE"`, "PermissionSets", 2},
	"ListPermissionSetsProvisionedToAccount": {
		`"InstanceArn":"INSTANCE","AccountId":"111122223333"`, "PermissionSets", 1,
	},
	"ListRegions":             {`"InstanceArn":"INSTANCE"`, "Regions", 4},
	"ListTagsForResource":     {`"ResourceArn":"SET"`, "Tags", 2},
	"ListTrustedTokenIssuers": {`"InstanceArn":"INSTANCE"`, "TrustedTokenIssuers", 2},
}

// crowd fills every list, and returns what stands for the names in their inputs.
func (a *api) crowd() *strings.Replacer {
	a.t.Helper()
	must := func(operation, body string) map[string]any {
		a.t.Helper()
		status, data := a.raw(operation, strings.ReplaceAll(body, "INSTANCE", *a.instance))
		var out map[string]any
		if status != http.StatusOK || json.Unmarshal(data, &out) != nil {
			a.t.Fatalf("%s %s: %d %s", operation, body, status, data)
		}
		return out
	}
	u, err := a.center.CreateUser(background, centertest.Actor, centertest.Person("ada"))
	if err == nil {
		err = a.center.PutAccount(background, centertest.Actor, center.Account{ID: "444455556666", Name: "Staging"})
	}
	if err != nil {
		a.t.Fatal(err)
	}
	set, user := *a.set("Operator"), string(u.ID)
	group := *a.group("Operators")
	a.set("Unused")
	inSet := `{"InstanceArn":"INSTANCE","PermissionSetArn":"` + set + `"`
	for _, to := range []string{
		`"TargetId":"111122223333","PrincipalType":"GROUP","PrincipalId":"` + group + `"`,
		`"TargetId":"444455556666","PrincipalType":"GROUP","PrincipalId":"` + group + `"`,
		`"TargetId":"111122223333","PrincipalType":"USER","PrincipalId":"` + user + `"`,
		`"TargetId":"111122223333","PrincipalType":"GROUP","PrincipalId":"` + *a.group("Others") + `"`,
	} {
		must("CreateAccountAssignment", inSet+`,"TargetType":"AWS_ACCOUNT",`+to+`}`)
	}
	for range 2 {
		must("DeleteAccountAssignment", inSet+`,"TargetType":"AWS_ACCOUNT","TargetId":"444455556666",`+
			`"PrincipalType":"USER","PrincipalId":"`+user+`"}`)
		must("ProvisionPermissionSet", inSet+`,"TargetType":"ALL_PROVISIONED_ACCOUNTS"}`)
	}
	for _, name := range []string{"one", "two"} {
		must("AttachManagedPolicyToPermissionSet", inSet+`,"ManagedPolicyArn":"arn:aws:iam::aws:policy/`+name+`"}`)
		must("AttachCustomerManagedPolicyReferenceToPermissionSet",
			inSet+`,"CustomerManagedPolicyReference":{"Name":"`+name+`"}}`)
		must("TagResource", `{"ResourceArn":"`+set+`","Tags":[{"Key":"`+name+`","Value":""}]}`)
		must("CreateTrustedTokenIssuer", `{"InstanceArn":"INSTANCE","Name":"`+name+`",
			"TrustedTokenIssuerType":"OIDC_JWT",
			"TrustedTokenIssuerConfiguration":{"OidcJwtConfiguration":{
			"IssuerUrl":"https://`+name+`.example",
			"ClaimAttributePath":"email","IdentityStoreAttributePath":"emails.value",
			"JwksRetrievalOption":"OPEN_ID_DISCOVERY"}}}`)
	}
	for _, name := range []string{"eu-west-1", "ap-south-1", "eu-central-1"} {
		must("AddRegion", `{"InstanceArn":"INSTANCE","RegionName":"`+name+`"}`)
	}
	var application string
	for _, name := range []string{"Wiki", "Tickets"} {
		application, _ = must("CreateApplication", `{"InstanceArn":"INSTANCE","Name":"`+name+`",
			"ApplicationProviderArn":"arn:aws:sso::aws:applicationProvider/custom"}`)["ApplicationArn"].(string)
		must("CreateApplicationAssignment", `{"ApplicationArn":"`+application+`","PrincipalType":"USER",
			"PrincipalId":"`+user+`"}`)
	}
	in := `{"ApplicationArn":"` + application + `"`
	must("CreateApplicationAssignment", in+`,"PrincipalType":"GROUP","PrincipalId":"`+group+`"}`)
	must("PutApplicationAccessScope", in+`,"Scope":"a:b"}`)
	must("PutApplicationAccessScope", in+`,"Scope":"c:d"}`)
	must("PutApplicationAuthenticationMethod", in+`,"AuthenticationMethodType":"IAM",
		"AuthenticationMethod":{"Iam":{"ActorPolicy":{"Statement":[]}}}}`)
	must("PutApplicationGrant", in+`,"GrantType":"refresh_token","Grant":{"RefreshToken":{}}}`)
	must("PutApplicationGrant", in+`,"GrantType":"urn:ietf:params:oauth:grant-type:token-exchange",
		"Grant":{"TokenExchange":{}}}`)
	return strings.NewReplacer("INSTANCE", *a.instance, "SET", set, "APPLICATION", application,
		`"PrincipalId":"USER"`, `"PrincipalId":"`+user+`"`, `"PrincipalId":"GROUP"`, `"PrincipalId":"`+group+`"`)
}

// TestEveryListInPages: one entry a page gives what one page gives, in the same order, and a token
// is of no use for another list, for another filter, or when nobody gave it.
func TestEveryListInPages(t *testing.T) {
	a := newAPI(t)
	names := a.crowd()
	read := func(operation, input string) (entries []json.RawMessage, next string, status int) {
		t.Helper()
		list := lists[operation]
		status, data := a.raw(operation, `{`+strings.TrimPrefix(names.Replace(list.input)+input, ",")+`}`)
		var out map[string]json.RawMessage
		if err := json.Unmarshal(data, &out); err != nil {
			t.Fatalf("%s: %v: %s", operation, err, data)
		}
		_ = json.Unmarshal(out[list.entries], &entries)
		_ = json.Unmarshal(out["NextToken"], &next)
		if status != http.StatusOK && !bytes.Contains(data, []byte("ValidationException")) {
			t.Errorf("%s %s: %d %s", operation, input, status, data)
		}
		return entries, next, status
	}
	tokens := map[string]string{}
	for operation, shape := range door.Shapes {
		if shape.Members["NextToken"] == nil {
			continue
		}
		list, ok := lists[operation]
		if !ok {
			t.Errorf("%s is a list that this test does not know", operation)
			continue
		}
		all, next, _ := read(operation, "")
		if len(all) != list.n || next != "" {
			t.Errorf("%s has %d entries and the token %q, want %d in one page", operation, len(all), next, list.n)
		}
		if _, _, status := read(operation, `,"NextToken":"bm90IGEgdG9rZW4="`); status != http.StatusBadRequest {
			t.Errorf("%s takes any token: %d", operation, status)
		}
		if shape.Members["MaxResults"] == nil {
			continue
		}
		var paged []json.RawMessage
		token := ""
		for {
			input := `,"MaxResults":1`
			if token != "" {
				input += `,"NextToken":"` + token + `"`
			}
			one, next, status := read(operation, input)
			if paged = append(paged, one...); status != http.StatusOK || len(one) != 1 || len(paged) > list.n {
				t.Errorf("%s has a page of %d, %d", operation, len(one), status)
				break
			}
			if token = next; token == "" {
				break
			}
			tokens[operation] = token
		}
		if x, y := fmt.Sprintf("%s", all), fmt.Sprintf("%s", paged); x != y {
			t.Errorf("%s in pages is %s, want %s", operation, y, x)
		}
	}
	for of, token := range tokens {
		for operation := range lists {
			_, _, status := read(operation, `,"NextToken":"`+token+`"`)
			if (status == http.StatusOK) != (of == operation) {
				t.Errorf("%s takes a token of %s: %d", operation, of, status)
			}
		}
	}
}
