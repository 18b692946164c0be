package samlidp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// samlResponse is what the tenant sends to the center when a person signs in.
func samlResponse(t *testing.T, e pairtest.Ends, userName string) string {
	t.Helper()
	_, form := e.Response(webtest.New(t, nil), e.Center.PortalURL, userName)
	data, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func newRSAKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestClaimsAndSigningOptions(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	admin := e.TenantAdministrator()
	app := e.Tenant.URL + "/admin/apps/" + e.Tenant.ApplicationID + "/saml"
	const mei = "mei.tanaka@northwind.example"
	e.Change(http.MethodPatch, "/users/"+mei, map[string]any{"employeeId": "E00003", "department": "R<D"}, nil)
	response := func() string { t.Helper(); return samlResponse(t, e, mei) }
	admin.Does(
		app+"/claims",
		url.Values{"do": {"claim"}, "name": {"costcenter"}, "expression": {`Join("-", [department], [employeeId])`}},
		"The SAML settings are saved",
	)
	admin.Does(
		app+"/claims",
		url.Values{
			"do":     {"claim"},
			"name":   {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"},
			"source": {"displayName"},
		},
		"The SAML settings are saved",
	)
	admin.Does(app+"/claims", url.Values{"do": {"signing"}, "signing": {"both"}}, "The SAML settings are saved")
	text := response()
	if !strings.Contains(text, `identity/claims/costcenter"><AttributeValue>R&lt;D-E00003<`) ||
		!strings.Contains(text, `identity/claims/name"><AttributeValue>Mei Tanaka<`) ||
		strings.Count(text, "SignatureValue>") != 4 {
		t.Errorf("the response is %s", text)
	}
	v := webtest.New(t, nil)
	acs, form := e.Response(v, e.Center.PortalURL, mei)
	if status, page := v.Send(http.MethodPost, acs, form); !strings.Contains(page, "Platform Engineering") &&
		!strings.Contains(page, "Development") {
		t.Errorf("the center answers a response that is signed twice with %d %s", status, page)
	}
	admin.Does(
		app+"/claims",
		url.Values{
			"do":        {"nameid"},
			"attribute": {"employeeId"},
			"format":    {"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"},
		},
		"The SAML settings are saved",
	)
	// the center asks for that format
	if text := response(); !strings.Contains(
		text, `<NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">E00003</NameID>`,
	) {
		t.Errorf("the NameID in %s", text)
	}
	for want, form := range map[string]url.Values{
		"is restricted": {
			"do":     {"claim"},
			"name":   {"http://schemas.microsoft.com/identity/claims/tenantid"},
			"source": {"mail"},
		}, "duplicate name": {"do": {"claim"}, "name": {"costcenter"}, "source": {"mail"}},
		"at character":        {"do": {"claim"}, "name": {"x"}, "expression": {"Join("}},
		"cannot be made from": {"do": {"nameid"}, "attribute": {"jobTitle"}},
		"Signing option":      {"do": {"signing"}, "signing": {"none"}},
	} {
		admin.Does(app+"/claims", form, want)
	}

	theirs := newRSAKey(t)
	plain := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, plain, plain, &theirs.PublicKey, theirs)
	if err != nil {
		t.Fatal(err)
	}
	sp := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	admin.Does(
		app+"/claims", url.Values{"do": {"encryption"}, "certificate": {string(sp)}}, "The SAML settings are saved",
	)
	if text := response(); !strings.Contains(text, "<EncryptedAssertion") || strings.Contains(text, "Mei Tanaka") {
		t.Errorf("the response is not encrypted: %s", text)
	}
	v = webtest.New(t, nil)
	acs, form = e.Response(v, e.Center.PortalURL, mei)
	if status, page := v.Send(http.MethodPost, acs, form); status != http.StatusForbidden &&
		status != http.StatusBadRequest {
		t.Errorf("AWS takes no encrypted assertions, and neither does the center: %d %s", status, page)
	}
	// By Graph, a key that was uploaded is not used until it is chosen.
	object := "/applications/" + e.Tenant.ApplicationID
	const keyID = "0d1f2a3b-0000-4000-8000-000000000001"
	for _, step := range []struct {
		set       map[string]any
		encrypted bool
	}{
		{map[string]any{"keyCredentials": []any{}}, false},
		{map[string]any{"keyCredentials": []any{map[string]any{
			"usage": "Encrypt", "type": "AsymmetricX509Cert", "keyId": keyID, "key": certificate,
		}}}, false},
		{map[string]any{"tokenEncryptionKeyId": keyID}, true},
		{map[string]any{"tokenEncryptionKeyId": nil}, false},
		{map[string]any{"keyCredentials": []any{}}, false},
	} {
		e.Change(http.MethodPatch, object, step.set, nil)
		var now struct {
			Key *string `json:"tokenEncryptionKeyId"`
		}
		e.Change(http.MethodGet, object+"?$select=tokenEncryptionKeyId", nil, &now)
		if text := response(); strings.Contains(text, "<EncryptedAssertion") != step.encrypted ||
			(now.Key != nil) != step.encrypted {
			t.Errorf("%v: the key is %v, the response %s", step.set, now.Key, text)
		}
	}
	unknown := map[string]any{"tokenEncryptionKeyId": keyID}
	if err := e.Client.Do(t.Context(), http.MethodPatch, object, unknown, nil); err == nil {
		t.Error("a key that is not there is chosen")
	}
	admin.Does(app+"/claims", url.Values{"do": {"encryption"}, "certificate": {"x"}}, "it must be PEM")

	// A certificate is rolled over.
	page := admin.Does(app+"/certificates", url.Values{"do": {"new"}}, "A new certificate is created")
	thumbprints := regexp.MustCompile(`name="thumbprint" value="([0-9A-F]{40})"`).FindStringSubmatch(page)
	if thumbprints == nil {
		t.Fatalf("the new certificate is not on the page: %s", page)
	}
	before := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response())[1]
	admin.Does(
		app+"/certificates", url.Values{"do": {"activate"}, "thumbprint": thumbprints[1:2]},
		"The certificate is active",
	)
	if after := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response())[1]; after == before {
		t.Error("the old certificate still signs")
	}
	admin.Does(
		app+"/certificates", url.Values{"do": {"delete"}, "thumbprint": thumbprints[1:2]},
		"make another one active first",
	)
	// Once the active certificate has expired, another valid one signs.
	e.Forward(4 * 365 * 24 * time.Hour)
	admin = e.TenantAdministrator()
	admin.Does(app+"/certificates", url.Values{"do": {"new"}}, "A new certificate is created")
	if after := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response()); after == nil ||
		after[1] == before {
		t.Errorf("no other certificate signs: %v", after)
	}
}

func TestClaimsMappingPolicies(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const mei = "mei.tanaka@northwind.example"
	sp, app := "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/claimsMappingPolicies", "/applications/"+
		e.Tenant.ApplicationID+"/tokenIssuancePolicies"
	response := func() string { t.Helper(); return samlResponse(t, e, mei) }
	definition := func(claims string) map[string]any {
		return map[string]any{
			"displayName":           "AWS",
			"isOrganizationDefault": false,
			"definition": []string{
				`{"ClaimsMappingPolicy":{"Version":1,"IncludeBasicClaimSet":"true","ClaimsSchema":[` + claims + `]}}`,
			},
		}
	}
	var claims, issuance struct{ ID string }
	e.Change(
		http.MethodPost,
		"/policies/claimsMappingPolicies",
		definition(
			`{"Source":"user","ID":"employeeid",
				"SamlClaimType":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"},
				{"Value":"north \"wind\"","SamlClaimType":"https://x/company"}`,
		),
		&claims,
	)
	e.Change(
		http.MethodPost,
		"/policies/tokenIssuancePolicies",
		map[string]any{
			"displayName": "sign",
			"definition": []string{
				`{"TokenIssuancePolicy":{"Version":1,"TokenResponseSigningPolicy":"ResponseOnly"}}`,
			},
		},
		&issuance,
	)
	e.Change(
		http.MethodPost, sp+"/$ref",
		map[string]string{"@odata.id": "https://graph.microsoft.com/v1.0/policies/claimsMappingPolicies/" + claims.ID},
		nil,
	)
	e.Change(
		http.MethodPost,
		app+"/$ref",
		map[string]string{
			"@odata.id": "https://graph.microsoft.com/v1.0/policies/tokenIssuancePolicies/" + issuance.ID,
		},
		nil,
	)
	if text := response(); !strings.Contains(text, ">E00003</NameID>") ||
		!strings.Contains(text, `Name="https://x/company"><AttributeValue>north "wind"<`) ||
		strings.Count(text, "<SignatureValue>") != 1 ||
		strings.Index(text, "<SignatureValue>") > strings.Index(text, "<Assertion") {
		t.Errorf("the response is %s", text)
	}
	e.Change(
		http.MethodPatch, "/policies/claimsMappingPolicies/"+claims.ID,
		definition(`{"Source":"user","ID":"department","SamlClaimType":"https://x/department"}`), nil,
	)
	if text := response(); !strings.Contains(
		text, `Name="https://x/department"><AttributeValue>Platform Engineering<`,
	) ||
		!strings.Contains(text, ">"+mei+"</NameID>") {
		t.Errorf("after the policy was changed: %s", text)
	}
	if got := e.List(sp, "id"); len(got) != 1 || got[0] != claims.ID {
		t.Errorf("the policies of the application: %v", got)
	}
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"another version": {
			"POST", "/policies/claimsMappingPolicies",
			map[string]any{"displayName": "x", "definition": []string{`{"ClaimsMappingPolicy":{"Version":2}}`}}, 400,
		}, "no JSON": {
			"POST", "/policies/claimsMappingPolicies",
			map[string]any{"displayName": "x", "definition": []string{`{`}}, 400,
		},
		"an unknown source": {
			"POST", "/policies/claimsMappingPolicies",
			definition(`{"Source":"user","ID":"shoesize","SamlClaimType":"https://x/y"}`), 400,
		}, "a second policy": {"POST", sp + "/$ref", map[string]string{"@odata.id": "x/" + claims.ID}, 400},
		"a policy of another kind":      {"GET", "/policies/tokenIssuancePolicies/" + claims.ID, nil, 404},
		"deleting one that is attached": {"DELETE", "/policies/claimsMappingPolicies/" + claims.ID, nil, 400},
		"an unknown option": {
			"POST", "/policies/tokenIssuancePolicies",
			map[string]any{
				"displayName": "x",
				"definition":  []string{`{"TokenIssuancePolicy":{"Version":1,"TokenResponseSigningPolicy":"None"}}`},
			},
			400,
		},
	} {
		if status, _, body := e.Ask(c.method, c.path, c.body); status != c.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	e.Change(http.MethodDelete, sp+"/"+claims.ID+"/$ref", nil, nil)
	e.Change(http.MethodDelete, "/policies/claimsMappingPolicies/"+claims.ID, nil, nil)
	if text := response(); strings.Contains(text, "https://x/department") {
		t.Errorf("after the policy was taken away: %s", text)
	}
}
