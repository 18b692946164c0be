package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestWhatIsRefusedIsAPageInABrowser asks every route of a tenant, by each method and with more
// than fits.
func TestWhatIsRefusedIsAPageInABrowser(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	mux := http.NewServeMux()
	server.Mount(mux, s.Tenant, server.Config{Jobs: syncjobs.New(s.Tenant, s.Log, http.DefaultClient)})
	routes := append(webtest.Routes(t, mux), "/v1.0/users", "/v1.0/nothing", "/beta/users", "/nothing")
	if n := s.Visitor().WantPages(s.URL, routes); n < 300 {
		t.Errorf("only %d requests were refused", n)
	}
}

// TestAWrongAddressIsToldApart: people read what is wrong with it and what to do; a program gets
// its protocol's form.
func TestAWrongAddressIsToldApart(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	ours := "/" + s.Organization.ID
	for _, c := range []struct {
		method, path string
		page         string // what people read
		status       int    // and a program gets, with
		answer, kind string
	}{
		{"GET", "/other/oauth2/v2.0/authorize?client_id=x", "AADSTS90002: Tenant &#39;other&#39; not found", 400,
			`"error":"invalid_tenant"`, "application/json"},
		{"POST", "/other/oauth2/v2.0/token", s.Organization.ID, 400, `"error_codes":[90002]`, "application/json"},
		{"GET", "/other/saml2?SAMLRequest=x", "AADSTS90002", 400, "AADSTS90002", "application/json"},
		{"GET", "/other/FederationMetadata/2007-06/FederationMetadata.xml", "AADSTS90002", 400, "AADSTS90002",
			"application/json"},
		{"GET", "/other/v2.0/.well-known/openid-configuration", "AADSTS90002", 400, "invalid_tenant",
			"application/json"},
		{"GET", "/<b>/oauth2/v2.0/authorize", "Tenant &#39;b&#39; not found", 400, "Tenant 'b' not found",
			"application/json"},
		{"GET", "/oauth2/v2.0/authorize", ours + "/oauth2/v2.0/authorize", 400, "AADSTS900144", "application/json"},
		{"GET", ours + "/oauth2/v2.0/token", "AADSTS900561: The endpoint only accepts POST requests. Received a GET",
			400, `"error_codes":[900561]`, "application/json"},
		{"GET", ours + "/oauth2/nothing", "Page not found", 404, "404 page not found", "text/plain; charset=utf-8"},
		{"GET", "/console/users", "This address belongs to the identity center", 404, "404 page not found",
			"text/plain; charset=utf-8"},
		{"GET", "/start/", "This address belongs to the identity center", 404, "404", "text/plain; charset=utf-8"},
		{"POST", "/x/scim/v2/Users", "This address belongs to the identity center", 404,
			`"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"]`, "application/scim+json"},
		{"GET", "/v1.0/users", "This address is for programs", 401, `"code":"InvalidAuthenticationToken"`,
			"application/json;odata.metadata=minimal;charset=utf-8"},
	} {
		page := s.Visitor().Do(c.method, s.URL+c.path, nil, "Accept: text/html")
		if !strings.Contains(page.Text, c.page) || !strings.Contains(page.Text, `What to do:`) {
			t.Errorf("%s %s: want %q on %s", c.method, c.path, c.page, page.Text)
		}
		for _, accept := range []string{"*/*", "application/json"} {
			got := s.Visitor().Do(c.method, s.URL+c.path, nil, "Accept: "+accept)
			if got.Status != c.status || !strings.Contains(got.Text, c.answer) ||
				got.Header.Get("Content-Type") != c.kind {
				t.Errorf("%s %s for a program: %d %v %s", c.method, c.path, got.Status, got.Header, got.Text)
			}
		}
	}
}
