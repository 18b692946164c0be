package server_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestWhatIsRefusedIsAPageInABrowser asks every route of a center, by each method and with more
// than fits.
func TestWhatIsRefusedIsAPageInABrowser(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	routes := append(routesOf(t, s.Center), "/", "/x/scim/v2/Users", "/x/scim/v2/Nothing", "/nothing", "/console/x")
	if n := s.Visitor().WantPages(s.URL, routes); n < 400 {
		t.Errorf("only %d requests were refused", n)
	}
}

// TestAWrongAddressIsToldApart: people read what is wrong with it and what to do; a program gets
// its protocol's form.
func TestAWrongAddressIsToldApart(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	for _, c := range []struct {
		method, path string
		page         string // what people read
		status       int    // and a program gets, with
		answer, kind string
	}{
		{"GET", "/admin/users", "This address belongs to the tenant", 404, "invalid_request", "application/json"},
		{"GET", "/some-tenant/saml2", "This address belongs to the tenant", 404, "host and port", "application/json"},
		{"GET", "/x/federationmetadata/2007-06/federationmetadata.xml", "This address belongs to the tenant", 404,
			"host and port", "application/json"},
		{"POST", "/x/oauth2/v2.0/token", "This address belongs to the tenant", 404, `"error":"invalid_request"`,
			"application/json"},
		{"GET", "/v1.0/users", "This address belongs to the tenant", 404, `"error":{"code":"ResourceNotFound"`,
			"application/json"},
		{"GET", "/token", "This address is for programs", 405, "UnknownOperationException", "application/json"},
		{"POST", "/federation/credentials", "This address is for programs", 405, "UnknownOperationException",
			"application/json"},
		{"GET", "/federation/credentials", "The header x-amz-sso_bearer_token is missing.", 400,
			"InvalidRequestException", "application/json"},
		{"POST", "/", "The request names no operation", 400, "<Code>MissingAction</Code>", "text/xml"},
		{"GET", "/x/scim/v2/Users", "The bearer token is missing", 401, "Unauthorized", "application/json"},
		{"GET", "/nothing", "Page not found", 404, "404 page not found", "text/plain; charset=utf-8"},
		{"PUT", "/console/users", "It answers GET, HEAD, POST", 405, "Method Not Allowed", "text/plain; charset=utf-8"},
	} {
		page := s.Visitor().Do(c.method, s.URL+c.path, nil, "Accept: text/html")
		if !strings.Contains(strings.ToLower(page.Text), strings.ToLower(c.page)) ||
			!strings.Contains(page.Text, `What to do:`) {
			t.Errorf("%s %s: want %q on %s", c.method, c.path, c.page, page.Text)
		}
		// the second is of programs in Java that set none
		for _, accept := range []string{"*/*", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"} {
			got := s.Visitor().Do(c.method, s.URL+c.path, nil, "Accept: "+accept)
			if accept != "*/*" && strings.HasPrefix(c.kind, "text/plain") {
				continue // where no API is they get what they say they can show
			}
			if got.Status != c.status || !strings.Contains(got.Text, c.answer) ||
				got.Header.Get("Content-Type") != c.kind {
				t.Errorf("%s %s for a program: %d %v %s", c.method, c.path, got.Status, got.Header, got.Text)
			}
		}
	}
}
