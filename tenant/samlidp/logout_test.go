package samlidp_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
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
