package server_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
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

// seen is a store that counts how often it is read, and may fail to be.
type seen struct {
	center.Store
	views atomic.Int64
	away  atomic.Bool
}

func (s *seen) View(ctx context.Context, fn func(center.Reader) error) error {
	s.views.Add(1)
	if s.away.Load() {
		return errors.New("the database is away")
	}
	return s.Store.View(ctx, fn)
}

// TestWhoTriesAddressesDoesNotReadTheDatabase: programs are never shown the link to the tenant, and
// where a browser's page has it, it is remembered. Where it cannot be read, the page is there
// without it.
func TestWhoTriesAddressesDoesNotReadTheDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, accept string
		away         bool
		tries, views int64
	}{
		{"a program", "*/*", false, 20, 0},
		{"a program in Java", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", false, 20, 0},
		{"a browser", "text/html,application/xhtml+xml", false, 20, 1},
		{"a browser, without the database", "text/html,application/xhtml+xml", true, 20, 1},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			opened, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "center.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = opened.Close() })
			db := &seen{Store: opened}
			s := centertest.ServeOn(t, db)
			now := s.Now()
			s.Now = func() time.Time { return now }
			db.away.Store(c.away)
			before := db.views.Load()
			for range c.tries {
				page := s.Visitor().Do(http.MethodGet, s.URL+"/admin/users", nil, "Accept: "+c.accept)
				if page.Status != http.StatusNotFound || !strings.Contains(page.Text, "the tenant") {
					t.Fatalf("%d %s", page.Status, page.Text)
				}
			}
			if n := db.views.Load() - before; n != c.views {
				t.Errorf("the database was read %d times, want %d", n, c.views)
			}
		})
	}
}
