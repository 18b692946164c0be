package samlidp_test

import (
	"bytes"
	"compress/flate"
	"crypto/x509"
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

func TestSingleLogout(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const back = "https://sp.example/logout?x=1"
	e.Change(
		http.MethodPatch, "/applications/"+e.Tenant.ApplicationID,
		map[string]any{"web": map[string]string{"logoutUrl": back}}, nil,
	)
	var app graph.Application
	e.Change(http.MethodGet, "/applications/"+e.Tenant.ApplicationID, nil, &app)
	v := webtest.New(t, nil)
	e.Response(v, e.Center.PortalURL, "mei.tanaka@northwind.example")
	request := func(id string, at time.Time, issuer string) string {
		return redirected(
			t,
			e,
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
		if _, page := v.Send(http.MethodGet, address, nil); !strings.Contains(page, want) {
			t.Errorf("%s: %s", want, page)
		}
	}
	for _, destination := range []string{"https://evil.example/saml2", ""} {
		signed := redirected(
			t,
			e,
			fmt.Sprintf(
				`<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_d" Version="2.0" IssueInstant="%s" Destination="%s"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">%s</Issuer></samlp:LogoutRequest>`,
				// a signed message must have one
				time.Now().UTC().Format(time.RFC3339),
				destination,
				app.IdentifierURIs[0],
			),
		) + "&Signature=x"
		if _, page := v.Send(http.MethodGet, signed, nil); !strings.Contains(page, "AADSTS50061") {
			t.Errorf("Destination %q: %s", destination, page)
		}
	}
	over := redirected(
		t,
		e,
		fmt.Sprintf(
			`<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_o" Version="2.0" IssueInstant="%s" NotOnOrAfter="%s"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">%s</Issuer></samlp:LogoutRequest>`,
			time.Now().UTC().Format(time.RFC3339),
			time.Now().Add(-5*time.Minute).UTC().Format(time.RFC3339),
			app.IdentifierURIs[0],
		),
	)
	if _, page := v.Send(http.MethodGet, over, nil); !strings.Contains(page, "AADSTS50071") {
		t.Errorf("a request that is over: %s", page)
	}
	if _, page := v.Send(http.MethodGet, e.Tenant.URL+"/myapps", nil); !strings.Contains(page, "My Apps") {
		t.Fatalf("a refused request has ended the session: %s", page)
	}
	v.Client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Host == "sp.example" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, err := v.Client.Get(request("_abc", time.Now(), app.IdentifierURIs[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it has none
	to, err := res.Location()
	checkSignedAsEntraSigns(t, e, to.RawQuery)
	if err != nil || to.Host != "sp.example" || to.Query().Get("x") != "1" || to.Query().Get("RelayState") != "state" {
		t.Fatalf("the browser is sent to %v, %v", to, err)
	}
	packed, err := base64.StdEncoding.DecodeString(to.Query().Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil || !strings.Contains(string(answer), `InResponseTo="_abc"`) ||
		!strings.Contains(string(answer), ">https://login.microsoftonline.com/"+e.Tenant.TenantID+"/<") ||
		!strings.Contains(string(answer), "status:Success") {
		t.Errorf("the answer is %s, %v", answer, err)
	}
	if _, page := v.Send(http.MethodGet, e.Tenant.URL+"/myapps", nil); strings.Contains(page, "My Apps") {
		t.Error("the session goes on")
	}
}

// checkSignedAsEntraSigns verifies the signature over the query as it came, which is escaped in
// lower case: who escapes the values anew verifies another text.
func checkSignedAsEntraSigns(t *testing.T, e pairtest.Ends, query string) {
	t.Helper()
	values := map[string]string{}
	var order []string
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		values[name], order = value, append(order, name)
	}
	if got := strings.Join(order, " "); got != "x SAMLResponse RelayState Signature SigAlg" {
		t.Errorf("the order of the query is %s", got)
	}
	const algorithm = "http%3a%2f%2fwww.w3.org%2f2001%2f04%2fxmldsig-more%23rsa-sha256"
	if values["SigAlg"] != algorithm || regexp.MustCompile(`%[0-9a-f]?[A-F]`).MatchString(query) {
		t.Errorf("it is not escaped in lower case: %s", query)
	}
	plain, err := url.QueryUnescape(values["Signature"])
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(plain)
	if err != nil {
		t.Fatal(err)
	}
	_, metadata := webtest.New(t, nil).Send(
		http.MethodGet,
		e.Tenant.URL+"/"+e.Tenant.TenantID+"/federationmetadata/2007-06/federationmetadata.xml?appid="+e.AppID(), nil,
	)
	idp, err := saml.ParseIdentityProvider([]byte(metadata))
	if err != nil {
		t.Fatal(err)
	}
	signed := "SAMLResponse=" + values["SAMLResponse"] + "&RelayState=" + values["RelayState"] + "&SigAlg=" + algorithm
	key := idp.Certificates[0]
	if err := key.CheckSignature(x509.SHA256WithRSA, []byte(signed), signature); err != nil {
		t.Errorf("the signature of the query: %v", err)
	}
	other := strings.Replace(signed, "%2f", "%2F", 1)
	if err := key.CheckSignature(x509.SHA256WithRSA, []byte(other), signature); err == nil {
		t.Error("the case of the letters is not signed")
	}
}
