package ssoadmin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// said is what an operation answers to a body.
func (a *api) said(operation, body string) (exception, message string, out map[string]any) {
	a.t.Helper()
	_, data := a.raw(operation, body)
	if err := json.Unmarshal(data, &out); err != nil {
		a.t.Fatalf("%s: %v: %s", operation, err, data)
	}
	exception, _ = out["__type"].(string)
	message, _ = out["Message"].(string)
	return exception, message, out
}

// TestTheSentencesOfAWS: programs match on these texts.
func TestTheSentencesOfAWS(t *testing.T) {
	a := newAPI(t)
	set := *a.set("Operator")
	in := `{"InstanceArn":"` + *a.instance + `","PermissionSetArn":"` + set + `"`
	id := set[strings.LastIndex(set, "/")+1:]
	gone := strings.ReplaceAll(in, id, "ps-0000000000000000")
	managed := `,"ManagedPolicyArn":"arn:aws:iam::aws:policy/P00"}`
	own := `,"CustomerManagedPolicyReference":{"Name":"Own","Path":"/path/"}}`
	statement := `{\"Statement\":[],\"Id\":\"` + strings.Repeat("é", 5109) + `\"}   \n`
	for _, c := range []struct{ operation, body, exception, message string }{
		{
			"DescribePermissionSet", gone + `}`, "ResourceNotFoundException",
			"Could not find PermissionSet with id ps-0000000000000000",
		},
		{
			"PutInlinePolicyToPermissionSet", gone + `,"InlinePolicy":"{\"Statement\":[]}"}`,
			"ResourceNotFoundException", "Could not find PermissionSet with id ps-0000000000000000",
		},
		{
			"DeleteAccountAssignment", gone + `,"TargetId":"111122223333","TargetType":"AWS_ACCOUNT",` +
				`"PrincipalType":"USER","PrincipalId":"00000000-0000-0000-0000-000000000000"}`,
			"ResourceNotFoundException", "Could not find PermissionSet with id ps-0000000000000000",
		},
		{
			"CreatePermissionSet", `{"InstanceArn":"` + *a.instance + `","Name":"Operator"}`, "ConflictException",
			"PermissionSet with name Operator already exists.",
		},
		{
			"DetachManagedPolicyFromPermissionSet", in + managed, "ResourceNotFoundException",
			"Could not find ManagedPolicy with arn arn:aws:iam::aws:policy/P00",
		},
		{"AttachManagedPolicyToPermissionSet", in + managed, "", ""},
		{
			"AttachManagedPolicyToPermissionSet", in + managed, "ConflictException",
			"Permission set with id " + id + " already has a typed link attachment to a manged policy with " +
				"arn:aws:iam::aws:policy/P00",
		},
		{
			"DetachCustomerManagedPolicyReferenceFromPermissionSet", in + own, "ResourceNotFoundException",
			"Given managed policy with name: Own  and path /path/ does not exist on PermissionSet",
		},
		{"AttachCustomerManagedPolicyReferenceToPermissionSet", in + own, "", ""},
		{
			"AttachCustomerManagedPolicyReferenceToPermissionSet", in + own, "ConflictException",
			"Given customer managed policy with name: Own  and path /path/ already attached",
		},
		{
			"PutPermissionsBoundaryToPermissionSet",
			in + `,"PermissionsBoundary":{"ManagedPolicyArn":"arn:aws:iam::aws:policy/P00",
				"CustomerManagedPolicyReference":{"Name":"Own"}}}`,
			"ValidationException", "Only ManagedPolicyArn or CustomerManagedPolicyReference should be given",
		},
		{
			"PutInlinePolicyToPermissionSet", in + `,"InlinePolicy":"` + statement + `"}`, "ValidationException",
			"Current size of the non-whitespace characters present in the InlinePolicy Document is 10242 bytes " +
				"which has exceeded the maximum limit of 10240 bytes",
		},
		{
			"PutInlinePolicyToPermissionSet",
			in + `,"InlinePolicy":"` + strings.Replace(statement, "éé", "abc", 1) + `"}`, "ValidationException",
			"Current size of the non-whitespace characters present in the InlinePolicy Document is 10241 bytes " +
				"which has exceeded the maximum limit of 10240 bytes",
		},
		{
			"PutInlinePolicyToPermissionSet",
			in + `,"InlinePolicy":"` + strings.Replace(statement, "é", "", 1) + `"}`, "", "",
		},
	} {
		exception, message, _ := a.said(c.operation, c.body)
		if exception != c.exception || message != c.message {
			t.Errorf("%s: %s %q, want %s %q", c.operation, exception, message, c.exception, c.message)
		}
	}
	for i := 1; i < 24; i++ {
		if exception, message, _ := a.said(
			"AttachManagedPolicyToPermissionSet", strings.Replace(in+managed, "P00", fmt.Sprintf("P%02d", i), 1),
		); exception != "" {
			t.Fatal(message)
		}
	}
	if exception, message, _ := a.said(
		"AttachManagedPolicyToPermissionSet", strings.Replace(in+managed, "P00", "P99", 1),
	); exception != "ServiceQuotaExceededException" || message != "You have exceeded AWS SSO limits. Cannot create "+
		"ManagedPolicy more than 25 for id "+id+". Please refer to "+
		"https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html" {
		t.Errorf("one managed policy too many: %s %q", exception, message)
	}
	if exception, message, _ := a.said(
		"AttachCustomerManagedPolicyReferenceToPermissionSet", strings.Replace(in+own, "Own", "Other", 1),
	); exception != "ServiceQuotaExceededException" ||
		message != "Cannot attach managed policy: number of attached managed policies is already at maximum 25" {
		t.Errorf("one customer managed policy too many: %s %q", exception, message)
	}
}

// TestUnions: a union has exactly one member, and a member that is an empty structure comes back as
// one. botocore cannot read a union without a member, and the JavaScript SDK sends one for what is
// undefined.
func TestUnions(t *testing.T) {
	a := newAPI(t)
	_, _, made := a.said("CreateApplication", `{"InstanceArn":"`+*a.instance+`","Name":"Wiki",
		"ApplicationProviderArn":"arn:aws:sso::aws:applicationProvider/custom"}`)
	in := `{"ApplicationArn":"` + made["ApplicationArn"].(string) + `"`
	issuer := `{"InstanceArn":"` + *a.instance + `","Name":"corp","TrustedTokenIssuerType":"OIDC_JWT",
		"TrustedTokenIssuerConfiguration":`
	for operation, bodies := range map[string][]string{
		"PutApplicationGrant": {
			in + `,"GrantType":"refresh_token","Grant":{}}`,
			in + `,"GrantType":"refresh_token","Grant":{"RefreshToken":null}}`,
			in + `,"GrantType":"refresh_token","Grant":{"RefreshToken":{},"TokenExchange":{}}}`,
		},
		"PutApplicationAuthenticationMethod": {
			in + `,"AuthenticationMethodType":"IAM","AuthenticationMethod":{}}`,
			in + `,"AuthenticationMethodType":"IAM","AuthenticationMethod":{"Iam":null}}`,
		},
		"CreateTrustedTokenIssuer": {issuer + `{}}`, issuer + `{"OidcJwtConfiguration":null}}`},
		"UpdateTrustedTokenIssuer": {`{"TrustedTokenIssuerArn":"arn:aws:sso::111122223333:trustedTokenIssuer/` +
			strings.TrimPrefix(*a.instance, "arn:aws:sso:::instance/") + `/tti-11111111-2222-3333-4444-555555555555",
			"TrustedTokenIssuerConfiguration":{}}`},
	} {
		for _, body := range bodies {
			if exception, message, _ := a.said(operation, body); exception != "ValidationException" ||
				!strings.Contains(message, "have exactly one of the members") {
				t.Errorf("%s %s: %s %q", operation, body, exception, message)
			}
		}
	}
	for grantType, member := range map[string]string{
		"refresh_token": "RefreshToken", "urn:ietf:params:oauth:grant-type:token-exchange": "TokenExchange",
	} {
		want := []byte(`"Grant":{"` + member + `":{}}`)
		body := in + `,"GrantType":"` + grantType + `"`
		if exception, message, _ := a.said("PutApplicationGrant", body+`,`+string(want)+`}`); exception != "" {
			t.Fatal(message)
		}
		for operation, body := range map[string]string{
			"GetApplicationGrant": body + `}`, "ListApplicationGrants": in + `}`,
		} {
			if status, data := a.raw(operation, body); status != http.StatusOK || !bytes.Contains(data, want) {
				t.Errorf("%s: %d %s, want %s in it", operation, status, data, want)
			}
		}
	}
}

// TestWhatWasSentComesBack: durations as they were spelled, sign-in options only where somebody
// gave them, and of what an update leaves out only the relay state is cleared, as AWS does.
func TestWhatWasSentComesBack(t *testing.T) {
	a := newAPI(t)
	instance := `{"InstanceArn":"` + *a.instance + `"`
	shown := func(operation, body string) map[string]any {
		t.Helper()
		exception, message, out := a.said(operation, body)
		if exception != "" {
			t.Fatal(message)
		}
		set, _ := out["PermissionSet"].(map[string]any)
		return set
	}
	for i, text := range []string{
		"PT60M", "PT1H", "PT3600S", "PT3600.0S", "P0Y0M0DT2H", "PT1H30M", "PT43200S", "P0DT12H",
	} {
		set := shown("CreatePermissionSet", fmt.Sprintf(`%s,"Name":"S%d","SessionDuration":"%s"}`, instance, i, text))
		again := shown(
			"DescribePermissionSet", fmt.Sprintf(`%s,"PermissionSetArn":"%s"}`, instance, set["PermissionSetArn"]),
		)
		if set["SessionDuration"] != text || again["SessionDuration"] != text {
			t.Errorf("%s comes back as %v and %v", text, set["SessionDuration"], again["SessionDuration"])
		}
	}
	set := shown("CreatePermissionSet", instance+`,"Name":"Set","Description":"d","RelayState":"https://x.example"}`)
	arn := instance + `,"PermissionSetArn":"` + set["PermissionSetArn"].(string) + `"`
	if set["SessionDuration"] != "PT1H" {
		t.Errorf("the default is %v", set["SessionDuration"])
	}
	for _, text := range []string{
		"PT0S", "P0D", "PT59M", "PT12H1S", "-PT2H", "P1D", "P1W", "P1Y", "PT99999999999999999999999H", "PT", "P", "1h",
		"",
	} {
		for operation, body := range map[string]string{
			"CreatePermissionSet": instance + `,"Name":"Bad"`, "UpdatePermissionSet": arn,
		} {
			exception, message, _ := a.said(operation, body+`,"SessionDuration":"`+text+`"}`)
			if exception != "ValidationException" || !strings.Contains(strings.ToLower(message), "sessionduration") {
				t.Errorf("%s with %q: %s %q", operation, text, exception, message)
			}
		}
	}
	shown("UpdatePermissionSet", arn+`,"SessionDuration":"PT120M"}`)
	if now := shown("DescribePermissionSet", arn+`}`); now["RelayState"] != nil || now["Description"] != "d" ||
		now["SessionDuration"] != "PT120M" {
		t.Errorf("after an update of the duration alone: %v", now)
	}

	for options, want := range map[string]string{
		``: `"PortalOptions":{"Visibility":"ENABLED"}`,
		`,"PortalOptions":{"Visibility":"DISABLED"}`: `"PortalOptions":{"Visibility":"DISABLED"}`,
		`,"PortalOptions":{"SignInOptions":{"Origin":"IDENTITY_CENTER"}}`: `"PortalOptions":{"SignInOptions":` +
			`{"Origin":"IDENTITY_CENTER"},"Visibility":"ENABLED"}`,
		`,"PortalOptions":{"SignInOptions":{"Origin":"APPLICATION","ApplicationUrl":"https://x.example"}}`: `"` +
			`PortalOptions":{"SignInOptions":{"Origin":"APPLICATION","ApplicationUrl":"https://x.example"},` +
			`"Visibility":"ENABLED"}`,
	} {
		_, message, made := a.said("CreateApplication", instance+`,"Name":"Wiki",
			"ApplicationProviderArn":"arn:aws:sso::aws:applicationProvider/custom"`+options+`}`)
		if message != "" {
			t.Fatal(message)
		}
		if _, data := a.raw(
			"DescribeApplication", `{"ApplicationArn":"`+made["ApplicationArn"].(string)+`"}`,
		); !bytes.Contains(data, []byte(want)) {
			t.Errorf("with %q the application is %s, want %s", options, data, want)
		}
	}
}

// TestPrincipalsOfATypeOnly: a group's id is no user's, and a user's no group's.
func TestPrincipalsOfATypeOnly(t *testing.T) {
	a := newAPI(t)
	names := a.crowd()
	for _, operation := range []string{"ListAccountAssignmentsForPrincipal", "ListApplicationAssignmentsForPrincipal"} {
		for _, c := range []struct {
			of, id string
			n      int
		}{{"USER", "GROUP", 0}, {"GROUP", "USER", 0}, {"GROUP", "GROUP", -1}, {"USER", "USER", -1}} {
			_, message, out := a.said(operation, names.Replace(
				`{"InstanceArn":"INSTANCE","PrincipalType":"`+c.of+`","PrincipalId":"`+c.id+`"}`))
			list, ok := out[lists[operation].entries].([]any)
			if !ok || c.n == 0 && len(list) > 0 || c.n < 0 && len(list) == 0 {
				t.Errorf("%s of %s as a %s: %v %s", operation, c.id, c.of, list, message)
			}
		}
	}
}

// TestSourcesThatCanBeRead: what nothing can read is refused, since every session would lack it.
func TestSourcesThatCanBeRead(t *testing.T) {
	a := newAPI(t)
	config := func(source string) string {
		quoted, _ := json.Marshal(source)
		return `{"InstanceArn":"` + *a.instance + `","InstanceAccessControlAttributeConfiguration":
			{"AccessControlAttributes":[{"Key":"k","Value":{"Source":[` + string(quoted) + `]}}]}}`
	}
	if exception, message, _ := a.said(
		"CreateInstanceAccessControlAttributeConfiguration", config("${path:userName}"),
	); exception != "" {
		t.Fatal(message)
	}
	for _, source := range []string{
		"${path:enterprise.manager.value}", "${path:emails[primary eq true].value}", "${path:name.middleName}",
		`${path:phoneNumbers[type eq "work"].value}`, `${path:addresses[type eq "work"].postalCode}`,
	} {
		if exception, message, _ := a.said(
			"UpdateInstanceAccessControlAttributeConfiguration", config(source),
		); exception != "" {
			t.Errorf("%s: %s", source, message)
		}
	}
	for _, source := range []string{
		"", "userName", "${path:username}", "${path:shoeSize}", "${path:enterprise.shoeSize}", "${user:email}",
		"${path:externalId}", "${path:userName", "path:userName}", `${path:addresses[type eq "work"].shoe}`,
		`${path:addresses[type eq "home"].country}`, "${path:emails.value}", "constant",
	} {
		exception, message, _ := a.said("UpdateInstanceAccessControlAttributeConfiguration", config(source))
		if exception != "ValidationException" || !strings.Contains(message, source) {
			t.Errorf("%q: %s %q", source, exception, message)
		}
	}
}
