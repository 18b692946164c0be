package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// everywhere is somebody who is signed in at every door of a tenant, and the routes that there are.
type everywhere struct {
	webtest.Caller
	*house
	routes []string
}

func newEverywhere(t *testing.T, dsn string, choices ...sqldb.Option) *everywhere {
	t.Helper()
	e := &everywhere{house: newHouse(t, dsn, choices...)}
	mux := http.NewServeMux()
	server.Mount(mux, e.Tenant, server.Config{Jobs: syncjobs.New(e.Tenant, e.Log, http.DefaultClient)})
	e.routes = webtest.Routes(t, mux)
	ask, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://x/v1.0/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	inner, _ := mux.Handler(ask)
	var graph *http.ServeMux
	if door := reflect.ValueOf(inner); door.Kind() == reflect.Struct {
		graph, _ = door.FieldByName("ServeMux").Interface().(*http.ServeMux)
	}
	if graph == nil {
		t.Fatalf("Graph is a %T", inner)
	}
	e.routes = append(e.routes, webtest.Routes(t, graph)...)
	// below the domain and the common names everything is as below the id
	e.routes = slices.DeleteFunc(e.routes, func(r string) bool {
		return strings.Contains(r, " /organizations/") || strings.Contains(r, " /"+e.Organization.Domain+"/") ||
			!strings.Contains(r, " ")
	})
	slices.SortStableFunc(e.routes, func(a, b string) int { return rank(a) - rank(b) })
	at, err := url.Parse(e.Tenant.URL)
	if err != nil {
		t.Fatal(err)
	}
	e.Caller = webtest.Caller{URL: e.Tenant.URL, Cookies: e.client.Jar.Cookies(at), Parameter: e.parameter,
		Form: url.Values{
			"loginfmt": {ada}, "passwd": {password}, "username": {"root"}, "password": {password}, "again": {password},
			"current": {password}, "name": {"New"}, "display": {"New"}, "upn": {"new@northwind.example"}, "do": {"app"},
			"ticket": {"x"}, "code": {"123456"}, "appid": {string(e.app.AppID)}, "members": {string(e.user.ID)},
			"q":          {"ada"},
			"identifier": {"https://app.example"}, "replies": {"https://app.example/acs"},
			"principal": {string(e.user.ID)},
		}}
	e.Change = e.change
	return e
}

// rank is when a route is called: reading first, then what changes, deletes, and ends sessions.
func rank(route string) int {
	for i, part := range []string{
		"logout", "password", "sessions", "revoke", "administrators", "DELETE", "delete", "POST /admin", "P",
	} {
		if strings.Contains(route, part) {
			return 10 - i
		}
	}
	return 0
}

func (e *everywhere) parameter(route, _ string) string {
	switch {
	case strings.Contains(route, "/users/"):
		return string(e.user.ID)
	case strings.Contains(route, "servicePrincipals/"):
		return string(e.app.ServicePrincipalID)
	case strings.Contains(route, "/signin/"):
		return string(e.app.AppID)
	case strings.Contains(route, "/apps/"), strings.Contains(route, "applications/"):
		return string(e.app.ID)
	}
	return "x"
}

// graphPath says whether a path is one of Graph's.
func graphPath(path string) bool {
	return strings.HasPrefix(path, "/v1.0/") || strings.HasPrefix(path, "/beta/")
}

func (e *everywhere) change(route string, r *http.Request) {
	_, path, _ := strings.Cut(route, " ")
	send := func(form url.Values) {
		text := form.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
	switch {
	case graphPath(path):
		r.URL.RawQuery = ""
		r.Header.Set("Authorization", "Bearer "+e.token)
		r.Header.Set("Content-Type", "application/json")
		if r.Method != http.MethodGet && r.Method != http.MethodDelete {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		}
	case strings.HasSuffix(path, "/token"):
		send(e.issue().form)
	case strings.HasSuffix(path, "/devicecode"):
		send(e.device().form)
	case strings.HasSuffix(path, "/authorize"):
		for _, v := range e.visits() {
			if _, query, ok := strings.Cut(v.path, "/oauth2/v2.0/authorize?"); ok {
				r.URL.RawQuery = query
			}
		}
		send(url.Values{"answer": {"allow"}})
	case route == "POST /"+e.Organization.ID+"/saml2":
		request := saml.AuthnRequest{ID: "_2", IssueInstant: e.Now(), Destination: e.SignInURL(),
			Issuer: e.app.IdentifierURIs[0], ACSURL: e.app.ReplyURLs[0]}
		field, err := request.PostField(nil)
		if err != nil {
			e.t.Fatal(err)
		}
		send(url.Values{"SAMLRequest": {field}})
	case route == "GET /"+e.Organization.ID+"/saml2":
		for _, v := range e.visits() {
			if _, query, ok := strings.Cut(v.path, "/saml2?"); ok {
				r.URL.RawQuery = query
			}
		}
	}
}

// words are what a door says in an outage.
func (e *everywhere) words(route string) string {
	_, path, _ := strings.Cut(route, " ")
	switch {
	case graphPath(path):
		return `"code":"serviceNotAvailable"`
	case strings.HasSuffix(path, "/token"), strings.HasSuffix(path, "/devicecode"):
		return `"error":"temporarily_unavailable"`
	case strings.HasPrefix(path, "/admin"):
		return "not available"
	}
	return ""
}

// withoutDatabase are the routes that need none, with what they answer while there is none.
func (e *everywhere) withoutDatabase() map[string]int {
	none := map[string]int{
		"GET /{$}": http.StatusFound, "GET /login": http.StatusOK, "GET /admin/login": http.StatusOK,
		"GET /common/discovery/instance": http.StatusOK, "GET /adfs/.well-known/openid-configuration": http.StatusOK,
		// refused before they ask it: no version, and a token for Graph
		"GET /metadata/endpoints": http.StatusBadRequest, "GET /subscriptions": http.StatusUnauthorized,
		"GET /tenants": http.StatusUnauthorized,
	}
	// the request goes on with the browser, by which it comes back with its cookies
	none["POST /"+e.Organization.ID+"/saml2"] = http.StatusSeeOther
	for _, name := range []string{"common", e.Organization.ID} {
		none["GET /"+name+"/discovery/v2.0/keys"] = http.StatusOK
		none["GET /"+name+"/v2.0/.well-known/openid-configuration"] = http.StatusOK
	}
	return none
}

// TestEveryRouteSaysThatTheDatabaseIsGone stops PostgreSQL under a tenant that serves, and asks
// every route that there is.
func TestEveryRouteSaysThatTheDatabaseIsGone(t *testing.T) {
	postgres := sqldbtest.NewServer(t)
	e := newEverywhere(t, postgres.URL())
	none := e.withoutDatabase()
	postgres.Stop(t)
	e.saysLater(none)
	postgres.Start(t)
	e.serves()
}

// TestEveryRouteWaitsForTheClock: the machine's falls to a time before any while the tenant serves.
func TestEveryRouteWaitsForTheClock(t *testing.T) {
	var unset atomic.Bool
	e := newEverywhere(t, filepath.Join(t.TempDir(), "tenant.db"), sqldb.While(func() error {
		if unset.Load() {
			return errors.New("the clock says 1970")
		}
		return nil
	}))
	none := e.withoutDatabase()
	unset.Store(true)
	e.saysLater(none)
	unset.Store(false)
	e.serves()
}

// saysLater asks every route that there is, while none has a database.
func (e *everywhere) saysLater(none map[string]int) {
	t := e.t
	t.Helper()
	for _, route := range e.routes {
		a := e.Call(t, route)
		if status, without := none[route]; without {
			if a.Status != status {
				t.Errorf("%s: %d, want %d, since it needs no database", route, a.Status, status)
			}
		} else if wrong := a.Later(route, e.words(route)); wrong != "" {
			t.Errorf("%s: %s: %d %s", route, wrong, a.Status, a.Body)
		}
	}
}

// TestNoRouteBlamesTheClient asks every route while a part of the database works: connections are
// cut before each request, it is read-only, the disk takes no writes, or answers with
// errors, or with other bytes.
// What a healthy tenant answers is right, and so is to ask to come back later.
func TestNoRouteBlamesTheClient(t *testing.T) {
	well := newEverywhere(t, filepath.Join(t.TempDir(), "tenant.db"))
	healthy, good := map[string]webtest.Answer{}, 0
	name := func(e *everywhere, route string) string {
		return strings.ReplaceAll(route, e.Organization.ID, "{tenant}")
	}
	for _, route := range well.routes {
		a := well.Call(t, route)
		healthy[name(well, route)] = a
		if a.Status < http.StatusBadRequest {
			good++
		} else {
			t.Logf("%s: %d %.80s", route, a.Status, a.Body)
		}
		if a.Status >= http.StatusInternalServerError && a.Status != http.StatusNotImplemented {
			t.Errorf("%s: %d %s", route, a.Status, a.Body)
		}
	}
	if t.Logf("%d of %d requests are in order", good, len(well.routes)); good < len(well.routes)/4 {
		t.Error("most requests are refused whatever the database does")
	}
	// walk asks in a fault, which mend ends.
	walk := func(t *testing.T, e *everywhere, before, mend func()) {
		t.Helper()
		doubts, later := map[string]webtest.Answer{}, 0
		for _, route := range e.routes {
			before()
			a := e.Call(t, route)
			if a.Wrong(route, e.words(route), healthy[name(e, route)]) != "" {
				doubts[route] = a
			}
			if a.Status == http.StatusServiceUnavailable {
				later++
			}
		}
		mend()
		t.Logf("%d of %d requests are to be repeated", later, len(e.routes))
		for route, a := range doubts { // perhaps the requests before it have changed something at the healthy one
			fresh := newEverywhere(t, filepath.Join(t.TempDir(), "tenant.db"))
			there := strings.ReplaceAll(route, e.Organization.ID, fresh.Organization.ID)
			if wrong := a.Wrong(route, e.words(route), fresh.Call(t, there)); wrong != "" {
				t.Errorf("%s: %s: %d %s", route, wrong, a.Status, a.Body)
			}
		}
	}
	t.Run("connections are cut", func(t *testing.T) {
		dsn, cut := sqldbtest.Cut(t, sqldbtest.Postgres(t))
		walk(t, newEverywhere(t, dsn), cut, func() {})
	})
	t.Run("read-only", func(t *testing.T) {
		postgres := sqldbtest.NewServer(t)
		e := newEverywhere(t, postgres.URL())
		postgres.Exec(t, `ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()`)
		walk(t, e, func() {}, func() {})
	})
	t.Run("the disk answers with errors", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "tenant.db")
		e := newEverywhere(t, file)
		walk(t, e, func() {}, sqldbtest.BreakDisk(t, file))
	})
	t.Run("the disk takes no writes", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "tenant.db")
		e := newEverywhere(t, file)
		walk(t, e, func() {}, sqldbtest.RefuseWrites(t, file))
	})
	t.Run("the database is damaged", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "tenant.db")
		e := newEverywhere(t, file)
		walk(t, e, func() {}, sqldbtest.DamageDisk(t, file))
	})
}

// TestReadsGoOnWhereNothingCanBeWritten asks what only reads, twice, a minute later.
func TestReadsGoOnWhereNothingCanBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tenant.db")
	e := newEverywhere(t, file)
	healthy := map[string]webtest.Answer{}
	for _, route := range e.routes {
		signsIn := strings.HasSuffix(route, "/saml2") || strings.HasPrefix(route, "GET /signin/") // with an event
		if !strings.HasPrefix(route, "GET ") || signsIn {
			continue
		}
		if a := e.Call(t, route); a.Status < http.StatusBadRequest {
			healthy[route] = a
		}
	}
	if t.Logf("%d routes only read", len(healthy)); len(healthy) < 50 {
		t.Errorf("only %d routes are read from", len(healthy))
	}
	later := time.Now().Add(61 * time.Second)
	e.Now = func() time.Time { return later }
	defer sqldbtest.RefuseWrites(t, file)()
	for range 2 {
		for route, before := range healthy {
			if a := e.Call(t, route); a.Status != before.Status {
				t.Errorf("%s: %d %.200s, want %d", route, a.Status, a.Body, before.Status)
			}
		}
	}
}
