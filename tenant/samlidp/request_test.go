package samlidp_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// redirected is the tenant's address with a message by the HTTP-Redirect binding.
func redirected(t *testing.T, e pairtest.Ends, message string) string {
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
	return e.Tenant.URL + "/" + e.Tenant.TenantID + "/saml2?" + url.Values{
		"SAMLRequest": {base64.StdEncoding.EncodeToString(packed.Bytes())},
		"RelayState":  {"state"},
	}.Encode()
}

// TestHowARequestWantsThePersonToSignIn: passive, anew, or by a class of authentication.
func TestHowARequestWantsThePersonToSignIn(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	var app graph.Application
	e.Change(http.MethodGet, "/applications/"+e.Tenant.ApplicationID, nil, &app)
	const mei = "mei.tanaka@northwind.example"
	request := func(attributes, inside string) string {
		return redirected(
			t,
			e,
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
	v := webtest.New(t, nil)
	status := func(form url.Values) string {
		t.Helper()
		data, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if _, form := e.Response(v, request(`IsPassive="true"`, ""), ""); !strings.Contains(
		status(form), "status:NoPassive",
	) ||
		strings.Contains(status(form), "<Assertion") ||
		form.Get("RelayState") != "state" {
		t.Errorf("nobody is signed in, and nobody may be asked: %s", status(form))
	}
	e.Response(v, request("", class(` Comparison="exact"`, "PasswordProtectedTransport")), mei) // signs in
	nameID := func(format string) string {
		t.Helper()
		policy := ""
		if format != "" {
			policy = `<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:` + format + `"/>`
		}
		_, form := e.Response(v, request("", policy), mei)
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
		if _, form := e.Response(v, address, "nobody is asked"); !strings.Contains(status(form), "Mei Tanaka") {
			t.Errorf("%s: %s", what, status(form))
		}
	}
	for want, address := range map[string]string{
		"AADSTS75011": request("", class("", "X509")),
		"AADSTS75005": request("", class(` Comparison="minimum"`, "Password")),
	} {
		if _, page := v.Send(http.MethodGet, address, nil); !strings.Contains(page, want) {
			t.Errorf("%s: %s", want, page)
		}
	}
	if _, form := e.Response(v, request(`ForceAuthn="true" IsPassive="true"`, ""), ""); !strings.Contains(
		status(form), "status:NoPassive",
	) {
		t.Errorf("to be asked anew, but not to be asked: %s", status(form))
	}
	forced := request(`ForceAuthn="true"`, class("", "X509"))
	for range 2 { // each time
		if _, page := v.Send(http.MethodGet, forced, nil); !strings.Contains(page, `name="passwd"`) {
			t.Fatalf("who is signed in is not asked anew: %s", page)
		}
	}
	if _, form := e.Response(v, forced, mei); !strings.Contains(status(form), "Mei Tanaka") {
		t.Errorf("after a new sign-in: %s", status(form))
	}
	// The center checks that the sign-in is a new one.
	acs, form := e.Response(v, e.Center.URL+"/platform/login?force=true", mei)
	if code, page := v.Send(http.MethodPost, acs, form); code != http.StatusOK {
		t.Errorf("the center answers %d %s", code, page)
	}
}

// bomb is a short parameter that inflates to twenty megabytes.
func bomb(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte("A"), 20<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// requests makes sign-in requests of the center, changed.
func requests(t *testing.T, e pairtest.Ends) func(change func(*saml.AuthnRequest)) string {
	t.Helper()
	sp, err := e.Admin.ServiceProvider(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return func(change func(*saml.AuthnRequest)) string {
		r := saml.AuthnRequest{
			ID:           saml.NewID(),
			IssueInstant: time.Now(),
			Issuer:       sp.EntityID,
			Destination:  e.Tenant.URL + "/" + e.Tenant.TenantID + "/saml2",
			ACSURL:       sp.AcsURLs[0],
			NameIDFormat: saml.FormatEmail,
		}
		change(&r)
		address, err := r.RedirectURL("state", nil)
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
}

// TestEntrasNumbersForSAMLMessages: each mistake in a message has its own.
func TestEntrasNumbersForSAMLMessages(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	signIn := e.Tenant.URL + "/" + e.Tenant.TenantID + "/saml2"
	request := requests(t, e)
	v := webtest.New(t, nil)
	for name, c := range map[string]struct{ address, want string }{
		"an ID with a blank": {request(func(r *saml.AuthnRequest) {
			r.ID = "_a b"
		}), "AADSTS7500529"},
		"an ID with a colon": {request(func(r *saml.AuthnRequest) {
			r.ID = "urn:uuid:1"
		}), "AADSTS7500529"},
		"an ID of other letters": {request(func(r *saml.AuthnRequest) {
			r.ID = "größe.1-2"
		}), "with your Northwind Traders account"},
		"the artifact binding": {request(func(r *saml.AuthnRequest) {
			r.Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
		}), "AADSTS75003"},
		"an issuer with spn": {request(func(r *saml.AuthnRequest) {
			r.Issuer = "spn:" + r.Issuer
		}), "with your Northwind Traders account"},
		"an application id with spn": {request(func(r *saml.AuthnRequest) {
			r.Issuer = "spn:" + e.AppID()
		}), "with your Northwind Traders account"},
		"an unknown issuer with spn": {request(func(r *saml.AuthnRequest) {
			r.Issuer = "spn:https://evil.example/"
		}), "AADSTS700016"},
		"what is not deflated": {
			signIn + "?SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("<AuthnRequest/>"))),
			"AADSTS750055",
		},
		"what is no XML": {redirected(t, e, "hello"), "AADSTS75005"},
	} {
		if _, page := v.Send(http.MethodGet, c.address, nil); !strings.Contains(page, c.want) {
			t.Errorf("%s: want %s on %s", name, c.want, page)
		}
	}
}

// TestTheTenantsRulesForSAMLRequests: Entra's own page with Entra's number for each request that it
// does not take.
func TestTheTenantsRulesForSAMLRequests(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	signIn := e.Tenant.URL + "/" + e.Tenant.TenantID + "/saml2"
	request := requests(t, e)
	v := webtest.New(t, nil)
	for name, c := range map[string]struct{ address, want string }{
		"a good one": {
			request(func(*saml.AuthnRequest) {}), "with your Northwind Traders account",
		},
		"without an ACS URL": {request(func(r *saml.AuthnRequest) {
			r.ACSURL = ""
		}), "with your Northwind Traders account"},
		"an unknown issuer": {request(func(r *saml.AuthnRequest) {
			r.Issuer = "https://evil.example/"
		}), "AADSTS700016"},
		"another ACS URL": {request(func(r *saml.AuthnRequest) {
			r.ACSURL = "https://evil.example/acs"
		}), "AADSTS50011"},
		"an ID that begins with a digit": {request(func(r *saml.AuthnRequest) {
			r.ID = "1" + r.ID
		}), "AADSTS7500529"},
		"a foreign NameID format": {request(func(r *saml.AuthnRequest) {
			r.NameIDFormat = "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"
		}), "AADSTS75016"},
		"an old request": {request(func(r *saml.AuthnRequest) {
			r.IssueInstant = time.Now().Add(-time.Hour)
		}), "AADSTS76026"},
		"the domain's Destination": {request(func(r *saml.AuthnRequest) {
			r.Destination = e.Tenant.URL + "/northwind.example/saml2"
		}), "with your Northwind Traders account"},
		"another Destination": {strings.Replace(request(func(r *saml.AuthnRequest) {
			r.Destination = "https://evil.example/saml2"
		}), "https://evil.example/saml2", signIn, 1), "AADSTS75008"},
		"no request": {signIn, "AADSTS750054"},
		"garbage":    {signIn + "?SAMLRequest=!!", "AADSTS750056"},
		"a bomb":     {signIn + "?SAMLRequest=" + url.QueryEscape(bomb(t)), "AADSTS750055"},
		"metadata of an unknown application": {
			e.Tenant.URL + "/" + e.Tenant.TenantID + "/federationmetadata/2007-06/federationmetadata.xml?appid=x",
			"AADSTS700016",
		},
	} {
		if _, page := v.Send(http.MethodGet, c.address, nil); !strings.Contains(page, c.want) {
			t.Errorf("%s: want %s on %s", name, c.want, page)
		}
	}
	if _, page := v.Send(http.MethodPost, signIn, url.Values{"SAMLRequest": {"!!"}}); !strings.Contains(
		page, "AADSTS750056",
	) {
		t.Errorf("garbage by POST: %s", page)
	}
	// Somebody who is signed in but not assigned is told so, and the audit log knows.
	finance := e.Group("Finance")
	list, err := graph.All[graph.AppRoleAssignment](
		context.Background(), e.Client, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/appRoleAssignedTo",
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if a.PrincipalID == finance.ID {
			e.Change(
				http.MethodDelete, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/appRoleAssignedTo/"+a.ID, nil,
				nil,
			)
		}
	}
	form := url.Values{
		"loginfmt": {"elena.popescu@northwind.example"},
		"passwd":   {e.People[0].Password},
		"return":   {strings.TrimPrefix(request(func(*saml.AuthnRequest) {}), e.Tenant.URL)},
	}
	v.Does(e.Tenant.URL+"/login", form, "AADSTS50105")
	admin := e.TenantAdministrator()
	if _, page := admin.Send(http.MethodGet, e.Tenant.URL+"/admin/audit", nil); !strings.Contains(
		page, "user-not-assigned",
	) {
		t.Error("the audit log does not say why")
	}
}

// TestTheAudienceOfAnIssuer: the one by which the request named the application, as a URI.
func TestTheAudienceOfAnIssuer(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const mei = "mei.tanaka@northwind.example"
	v := webtest.New(t, nil)
	for issuer, want := range map[string]string{e.AppID(): "spn:" + e.AppID(), "spn:" + e.AppID(): "spn:" + e.AppID()} {
		_, form := e.Response(v, redirected(t, e, fmt.Sprintf(
			`<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a" Version="2.0" `+
				`IssueInstant="%s"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">%s</Issuer></samlp:AuthnRequest>`,
			time.Now().UTC().Format(time.RFC3339), issuer,
		)), mei)
		data, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
		if err != nil || !strings.Contains(string(data), "<Audience>"+want+"</Audience>") {
			t.Errorf("%s: %s, %v", issuer, data, err)
		}
	}
}

// TestTheTenantsOwnFederationMetadata has another key than those of applications, as Entra ID's.
func TestTheTenantsOwnFederationMetadata(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	read := func(name, query string) saml.IdentityProvider {
		t.Helper()
		_, text := webtest.New(t, nil).Send(
			http.MethodGet, e.Tenant.URL+"/"+name+"/federationmetadata/2007-06/federationmetadata.xml"+query, nil,
		)
		idp, err := saml.ParseIdentityProvider([]byte(text))
		if err != nil || len(idp.Certificates) != 1 {
			t.Fatalf("%v: %s", err, text)
		}
		return idp
	}
	whole := read(e.Tenant.TenantID, "")
	application := read(e.Tenant.TenantID, "?appid="+e.AppID())
	if whole.EntityID != application.EntityID || whole.SignInURL != application.SignInURL ||
		whole.Certificates[0].Equal(application.Certificates[0]) ||
		whole.Certificates[0].Subject.CommonName != "accounts.accesscontrol.windows.net" {
		t.Errorf("the tenant's %+v, the application's %+v", whole, application)
	}
	if again := read("northwind.example", ""); !again.Certificates[0].Equal(whole.Certificates[0]) {
		t.Error("the tenant's certificate is another one at the second look")
	}
}
