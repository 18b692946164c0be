package main

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// samlResponse is what the tenant sends to the center when a person signs in.
func samlResponse(t *testing.T, d demoOutput, userName string) string {
	t.Helper()
	_, form := newVisitor(t).response(d, d.Center.PortalURL, userName)
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
	d, _ := startDemo(t)
	e := newEnds(t, d)
	admin := administrator(t, d, d.Tenant.URL+"/admin")
	app := d.Tenant.URL + "/admin/apps/" + d.Tenant.ApplicationID + "/saml"
	const mei = "mei.tanaka@northwind.example"
	e.change(http.MethodPatch, "/users/"+mei, map[string]any{"employeeId": "E00003", "department": "R<D"}, nil)
	response := func() string { t.Helper(); return samlResponse(t, d, mei) }
	admin.does(
		app+"/claims",
		url.Values{"do": {"claim"}, "name": {"costcenter"}, "expression": {`Join("-", [department], [employeeId])`}},
		"The SAML settings are saved",
	)
	admin.does(
		app+"/claims",
		url.Values{
			"do":     {"claim"},
			"name":   {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"},
			"source": {"displayName"},
		},
		"The SAML settings are saved",
	)
	admin.does(app+"/claims", url.Values{"do": {"signing"}, "signing": {"both"}}, "The SAML settings are saved")
	text := response()
	if !strings.Contains(text, `identity/claims/costcenter"><AttributeValue>R&lt;D-E00003<`) ||
		!strings.Contains(text, `identity/claims/name"><AttributeValue>Mei Tanaka<`) ||
		strings.Count(text, "SignatureValue>") != 4 {
		t.Errorf("the response is %s", text)
	}
	v := newVisitor(t)
	acs, form := v.response(d, d.Center.PortalURL, mei)
	if status, page := v.send(http.MethodPost, acs, form); !strings.Contains(page, "Platform Engineering") &&
		!strings.Contains(page, "Development") {
		t.Errorf("the center answers a response that is signed twice with %d %s", status, page)
	}
	admin.does(
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
		},
		"stands twice":      {"do": {"claim"}, "name": {"costcenter"}, "source": {"mail"}},
		"at character":      {"do": {"claim"}, "name": {"x"}, "expression": {"Join("}},
		"cannot be made of": {"do": {"nameid"}, "attribute": {"jobTitle"}},
		"signing option":    {"do": {"signing"}, "signing": {"none"}},
	} {
		admin.does(app+"/claims", form, want)
	}

	theirs := newRSAKey(t)
	certificate, err := x509.CreateCertificate(rand.Reader, template(), template(), &theirs.PublicKey, theirs)
	if err != nil {
		t.Fatal(err)
	}
	sp := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	admin.does(
		app+"/claims", url.Values{"do": {"encryption"}, "certificate": {string(sp)}}, "The SAML settings are saved",
	)
	if text := response(); !strings.Contains(text, "<EncryptedAssertion") || strings.Contains(text, "Mei Tanaka") {
		t.Errorf("the response is not encrypted: %s", text)
	}
	v = newVisitor(t)
	acs, form = v.response(d, d.Center.PortalURL, mei)
	if status, page := v.send(http.MethodPost, acs, form); status != http.StatusForbidden &&
		status != http.StatusBadRequest {
		t.Errorf("AWS takes no encrypted assertions, and neither does the center: %d %s", status, page)
	}
	e.change(http.MethodPatch, "/applications/"+d.Tenant.ApplicationID, map[string]any{"keyCredentials": []any{}}, nil)
	admin.does(app+"/claims", url.Values{"do": {"encryption"}, "certificate": {"x"}}, "it must be PEM")

	// A certificate is rolled over.
	page := admin.does(app+"/certificates", url.Values{"do": {"new"}}, "A new certificate is created")
	thumbprints := regexp.MustCompile(`name="thumbprint" value="([0-9A-F]{40})"`).FindStringSubmatch(page)
	if thumbprints == nil {
		t.Fatalf("the new certificate is not on the page: %s", page)
	}
	before := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response())[1]
	admin.does(
		app+"/certificates", url.Values{"do": {"activate"}, "thumbprint": thumbprints[1:2]},
		"The certificate is active",
	)
	if after := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response())[1]; after == before {
		t.Error("the old certificate still signs")
	}
	admin.does(
		app+"/certificates", url.Values{"do": {"delete"}, "thumbprint": thumbprints[1:2]},
		"make another one active first",
	)
	// Once the active certificate has expired, another valid one signs.
	e.forward(4 * 365 * 24 * 3600e9)
	admin = administrator(t, d, d.Tenant.URL+"/admin")
	admin.does(app+"/certificates", url.Values{"do": {"new"}}, "A new certificate is created")
	if after := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response()); after == nil ||
		after[1] == before {
		t.Errorf("no other certificate signs: %v", after)
	}
}

func TestClaimsMappingPolicies(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	const mei = "mei.tanaka@northwind.example"
	sp, app := "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/claimsMappingPolicies", "/applications/"+
		d.Tenant.ApplicationID+"/tokenIssuancePolicies"
	response := func() string { t.Helper(); return samlResponse(t, d, mei) }
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
	e.change(
		http.MethodPost,
		"/policies/claimsMappingPolicies",
		definition(
			`{"Source":"user","ID":"employeeid",
				"SamlClaimType":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"},
				{"Value":"north \"wind\"","SamlClaimType":"https://x/company"}`,
		),
		&claims,
	)
	e.change(
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
	e.change(
		http.MethodPost, sp+"/$ref",
		map[string]string{"@odata.id": "https://graph.microsoft.com/v1.0/policies/claimsMappingPolicies/" + claims.ID},
		nil,
	)
	e.change(
		http.MethodPost,
		app+"/$ref",
		map[string]string{
			"@odata.id": "https://graph.microsoft.com/v1.0/policies/tokenIssuancePolicies/" + issuance.ID,
		},
		nil,
	)
	if text := response(); !strings.Contains(text, ">E00003</NameID>") ||
		!strings.Contains(text, `Name="https://x/company"><AttributeValue>north &quot;wind&quot;<`) ||
		strings.Count(text, "<SignatureValue>") != 1 ||
		strings.Index(text, "<SignatureValue>") > strings.Index(text, "<Assertion") {
		t.Errorf("the response is %s", text)
	}
	e.change(
		http.MethodPatch, "/policies/claimsMappingPolicies/"+claims.ID,
		definition(`{"Source":"user","ID":"department","SamlClaimType":"https://x/department"}`), nil,
	)
	if text := response(); !strings.Contains(
		text, `Name="https://x/department"><AttributeValue>Platform Engineering<`,
	) ||
		!strings.Contains(text, ">"+mei+"</NameID>") {
		t.Errorf("after the policy was changed: %s", text)
	}
	if got := e.list(sp, "id"); len(got) != 1 || got[0] != claims.ID {
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
		},
		"no JSON": {
			"POST", "/policies/claimsMappingPolicies",
			map[string]any{"displayName": "x", "definition": []string{`{`}}, 400,
		},
		"an unknown source": {
			"POST", "/policies/claimsMappingPolicies",
			definition(`{"Source":"user","ID":"shoesize","SamlClaimType":"https://x/y"}`), 400,
		},
		"a second policy":               {"POST", sp + "/$ref", map[string]string{"@odata.id": "x/" + claims.ID}, 400},
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
		if status, _, body := e.ask(c.method, c.path, c.body); status != c.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	e.change(http.MethodDelete, sp+"/"+claims.ID+"/$ref", nil, nil)
	e.change(http.MethodDelete, "/policies/claimsMappingPolicies/"+claims.ID, nil, nil)
	if text := response(); strings.Contains(text, "https://x/department") {
		t.Errorf("after the policy was taken away: %s", text)
	}
}

// redirected is the tenant's address with a message by the HTTP-Redirect binding.
func redirected(t *testing.T, d demoOutput, message string) string {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		_, err = io.WriteString(w, message)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return d.Tenant.URL + "/" + d.Tenant.TenantID + "/saml2?" + url.Values{
		"SAMLRequest": {base64.StdEncoding.EncodeToString(packed.Bytes())},
		"RelayState":  {"state"},
	}.Encode()
}

// TestHowARequestWantsThePersonToSignIn: passive, anew, or by a class of authentication.
func TestHowARequestWantsThePersonToSignIn(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	var app graph.Application
	e.change(http.MethodGet, "/applications/"+d.Tenant.ApplicationID, nil, &app)
	const mei = "mei.tanaka@northwind.example"
	request := func(attributes, inside string) string {
		return redirected(
			t,
			d,
			fmt.Sprintf(
				`<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0" IssueInstant="%s" %s><saml:Issuer>%s</saml:Issuer>%s</samlp:AuthnRequest>`,
				time.Now().UTC().Format(time.RFC3339), attributes, app.IdentifierURIs[0], inside,
			),
		)
	}
	class := func(comparison, name string) string {
		return `<samlp:RequestedAuthnContext` + comparison +
			`><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:` + name +
			`</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`
	}
	v := newVisitor(t)
	status := func(form url.Values) string {
		t.Helper()
		data, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if _, form := v.response(d, request(`IsPassive="true"`, ""), ""); !strings.Contains(
		status(form), "status:NoPassive",
	) ||
		strings.Contains(status(form), "<Assertion") ||
		form.Get("RelayState") != "state" {
		t.Errorf("nobody is signed in, and nobody may be asked: %s", status(form))
	}
	v.response(d, request("", class(` Comparison="exact"`, "PasswordProtectedTransport")), mei) // signs in
	nameID := func(format string) string {
		t.Helper()
		policy := ""
		if format != "" {
			policy = `<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:` + format + `"/>`
		}
		_, form := v.response(d, request("", policy), mei)
		return regexp.MustCompile(`<NameID Format="[^"]*">[^<]*`).FindString(status(form))
	}
	const format = `<NameID Format="urn:oasis:names:tc:SAML:`
	persistent, transient := nameID("2.0:nameid-format:persistent"), nameID("2.0:nameid-format:transient")
	if !strings.HasPrefix(persistent, format+`2.0:nameid-format:persistent">`) || strings.Contains(persistent, "@") ||
		persistent != nameID("2.0:nameid-format:persistent") {
		t.Errorf("a persistent NameID is %s", persistent)
	}
	if !strings.HasPrefix(transient, format+`2.0:nameid-format:transient">`) ||
		transient == nameID("2.0:nameid-format:transient") {
		t.Errorf("a transient NameID is %s", transient)
	}
	for _, asked := range []string{"", "1.1:nameid-format:unspecified", "1.1:nameid-format:emailAddress"} {
		if got := nameID(asked); got != format+`1.1:nameid-format:emailAddress">`+mei {
			t.Errorf("asked for %q the NameID is %s", asked, got)
		}
	}
	for what, address := range map[string]string{
		"passive":    request(`IsPassive="1"`, ""),
		"any class":  request("", class("", "unspecified")),
		"a password": request("", class("", "Password")),
	} {
		if _, form := v.response(d, address, "nobody is asked"); !strings.Contains(status(form), "Mei Tanaka") {
			t.Errorf("%s: %s", what, status(form))
		}
	}
	for want, address := range map[string]string{
		"AADSTS75011": request("", class("", "X509")),
		"AADSTS75005": request("", class(` Comparison="minimum"`, "Password")),
	} {
		if _, page := v.send(http.MethodGet, address, nil); !strings.Contains(page, want) {
			t.Errorf("%s: %s", want, page)
		}
	}
	if _, form := v.response(d, request(`ForceAuthn="true" IsPassive="true"`, ""), ""); !strings.Contains(
		status(form), "status:NoPassive",
	) {
		t.Errorf("to be asked anew, but not to be asked: %s", status(form))
	}
	forced := request(`ForceAuthn="true"`, class("", "X509"))
	for range 2 { // each time
		if _, page := v.send(http.MethodGet, forced, nil); !strings.Contains(page, `name="passwd"`) {
			t.Fatalf("who is signed in is not asked anew: %s", page)
		}
	}
	if _, form := v.response(d, forced, mei); !strings.Contains(status(form), "Mei Tanaka") {
		t.Errorf("after a new sign-in: %s", status(form))
	}
	// The center checks that the sign-in is a new one.
	acs, form := v.response(d, d.Center.URL+"/platform/login?force=true", mei)
	if code, page := v.send(http.MethodPost, acs, form); code != http.StatusOK {
		t.Errorf("the center answers %d %s", code, page)
	}
}

func TestSingleLogout(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	const back = "https://sp.example/logout?x=1"
	e.change(
		http.MethodPatch, "/applications/"+d.Tenant.ApplicationID,
		map[string]any{"web": map[string]string{"logoutUrl": back}}, nil,
	)
	var app graph.Application
	e.change(http.MethodGet, "/applications/"+d.Tenant.ApplicationID, nil, &app)
	v := newVisitor(t)
	v.response(d, d.Center.PortalURL, "mei.tanaka@northwind.example")
	request := func(id string, at time.Time, issuer string) string {
		return redirected(
			t,
			d,
			fmt.Sprintf(
				`<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="%s" Version="2.0" IssueInstant="%s"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">%s</Issuer><NameID xmlns="urn:oasis:names:tc:SAML:2.0:assertion">anybody</NameID></samlp:LogoutRequest>`,
				id, at.UTC().Format(time.RFC3339), issuer,
			),
		)
	}
	for want, address := range map[string]string{
		"AADSTS50061":  request("1abc", time.Now(), app.IdentifierURIs[0]),
		"AADSTS50071":  request("_a", time.Now().Add(-time.Hour), app.IdentifierURIs[0]),
		"AADSTS700016": request("_a", time.Now(), "https://nobody"),
	} {
		if _, page := v.send(http.MethodGet, address, nil); !strings.Contains(page, want) {
			t.Errorf("%s: %s", want, page)
		}
	}
	for _, destination := range []string{"https://evil.example/saml2", ""} {
		signed := redirected(
			t,
			d,
			fmt.Sprintf(
				`<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_d" Version="2.0" IssueInstant="%s" Destination="%s"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">%s</Issuer></samlp:LogoutRequest>`,
				// a signed message must have one
				time.Now().UTC().Format(time.RFC3339),
				destination,
				app.IdentifierURIs[0],
			),
		) + "&Signature=x"
		if _, page := v.send(http.MethodGet, signed, nil); !strings.Contains(page, "AADSTS50061") {
			t.Errorf("Destination %q: %s", destination, page)
		}
	}
	over := redirected(
		t,
		d,
		fmt.Sprintf(
			`<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_o" Version="2.0" IssueInstant="%s" NotOnOrAfter="%s"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">%s</Issuer></samlp:LogoutRequest>`,
			time.Now().UTC().Format(time.RFC3339),
			time.Now().Add(-5*time.Minute).UTC().Format(time.RFC3339),
			app.IdentifierURIs[0],
		),
	)
	if _, page := v.send(http.MethodGet, over, nil); !strings.Contains(page, "AADSTS50071") {
		t.Errorf("a request that is over: %s", page)
	}
	if _, page := v.send(http.MethodGet, d.Tenant.URL+"/myapps", nil); !strings.Contains(page, "My Apps") {
		t.Fatalf("a refused request has ended the session: %s", page)
	}
	v.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Host == "sp.example" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, err := v.client.Get(request("_abc", time.Now(), app.IdentifierURIs[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it has none
	to, err := res.Location()
	if err != nil || to.Host != "sp.example" || to.Query().Get("x") != "1" || to.Query().Get("RelayState") != "state" {
		t.Fatalf("the browser is sent to %v, %v", to, err)
	}
	packed, err := base64.StdEncoding.DecodeString(to.Query().Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil || !strings.Contains(string(answer), `InResponseTo="_abc"`) ||
		!strings.Contains(string(answer), ">https://login.microsoftonline.com/"+d.Tenant.TenantID+"/<") ||
		!strings.Contains(string(answer), "status:Success") {
		t.Errorf("the answer is %s, %v", answer, err)
	}
	if _, page := v.send(http.MethodGet, d.Tenant.URL+"/myapps", nil); strings.Contains(page, "My Apps") {
		t.Error("the session goes on")
	}
}
