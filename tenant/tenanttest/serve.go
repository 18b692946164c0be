package tenanttest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/keypool"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// Server is a whole tenant, served over HTTP on loopback, that does its own work meanwhile. What
// a test does not ask for is not made.
type Server struct {
	*tenant.Tenant
	HTTP *httptest.Server
	Jobs *syncjobs.Runner

	t testing.TB
}

// The administrator that AdminCenter makes, and the password of people that NewPerson makes.
const (
	AdminName = "admin"
	Password  = "Correct horse 1!"
)

var migrated sqldbtest.Migrated

func init() { authn.HashCheaply() }

// New returns a tenant on a fresh SQLite store, as if it were reached at url.
func New(t testing.TB, address string) *tenant.Tenant {
	t.Helper()
	s, err := store.Open(context.Background(), migrated.Copy(t, func(path string) error {
		s, err := store.Open(context.Background(), path)
		if err != nil {
			return err
		}
		return s.Close()
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn := On(t, s)
	tn.URL = address
	return tn
}

// On returns a tenant on a store.
func On(t testing.TB, s tenant.Store) *tenant.Tenant {
	t.Helper()
	sealer, err := authn.NewSealer(make([]byte, authn.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	tn, err := tenant.Open(context.Background(), tenant.Config{
		Store: s, Sealer: sealer, URL: "http://127.0.0.1", NewRSAKey: keypool.Shared.Lend(t.Cleanup),
	})
	if err != nil {
		t.Fatal(err)
	}
	return tn
}

// Prepare changes a tenant, or how its doors are set, before it is served.
type Prepare func(*tenant.Tenant, *server.Config)

// Movable gives a tenant a clock that Graph can move.
func Movable(t *tenant.Tenant, _ *server.Config) {
	t.Clock = &tenant.Clock{}
	t.Now = t.Clock.Now
}

// Serve serves every door of a tenant on a fresh store until the test ends.
func Serve(t testing.TB, prepare ...Prepare) *Server {
	t.Helper()
	return serve(t, false, prepare)
}

// ServeTLS is Serve over HTTPS, which official libraries want. Server.HTTP has the certificate.
func ServeTLS(t testing.TB, prepare ...Prepare) *Server {
	t.Helper()
	return serve(t, true, prepare)
}

func serve(t testing.TB, secure bool, prepare []Prepare) *Server {
	t.Helper()
	at := httptest.NewUnstartedServer(nil)
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	tn := New(t, scheme+at.Listener.Addr().String())
	// Jobs have connections of their own: those of http.DefaultClient end with others' servers.
	outwards := &http.Transport{}
	cfg := server.Config{Jobs: syncjobs.New(tn, slog.New(slog.DiscardHandler), &http.Client{Transport: outwards})}
	for _, f := range prepare {
		f(tn, &cfg)
	}
	at.Config.Handler = server.Handler(tn, cfg)
	if secure {
		at.StartTLS()
	} else {
		at.Start()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { tn.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		outwards.CloseIdleConnections()
		at.Close()
	})
	return &Server{tn, at, cfg.Jobs, t}
}

// Visitor is somebody with a browser that knows the tenant's certificate.
func (s *Server) Visitor() webtest.Visitor {
	s.t.Helper()
	return webtest.New(s.t, s.HTTP.Client().Transport)
}

// AdminCenter makes the administrator and signs in to the admin center.
func (s *Server) AdminCenter() webtest.Visitor {
	s.t.Helper()
	if err := s.SetAdministrator(context.Background(), audit.SystemActor, AdminName, Password); err != nil {
		s.t.Fatal(err)
	}
	v := s.Visitor()
	form := url.Values{"username": {AdminName}, "password": {Password}}
	if status, page := v.Send(http.MethodPost, s.URL+"/admin/login", form); status != http.StatusOK {
		s.t.Fatalf("the administrator's sign-in: %d %s", status, page)
	}
	return v
}

// Seed fills the tenant with a company whose people have the password.
func (s *Server) Seed(company tenant.Company) {
	s.t.Helper()
	company.PasswordHash = authn.HashPassword(Password)
	if err := s.Import(context.Background(), audit.SystemActor, company); err != nil {
		s.t.Fatal(err)
	}
}

// NewPerson makes a user who has the password.
func (s *Server) NewPerson(userPrincipalName string) tenant.User {
	s.t.Helper()
	u := tenant.User{UserPrincipalName: userPrincipalName, DisplayName: userPrincipalName, Enabled: true}
	u, err := s.CreateUser(context.Background(), audit.SystemActor, u, Password)
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// Graph makes a client that has all application permissions, and returns Graph as it sees it.
func (s *Server) Graph() Graph {
	s.t.Helper()
	c, err := s.CreateClient(context.Background(), audit.SystemActor, "test")
	if err != nil {
		s.t.Fatal(err)
	}
	using := s.HTTP.Client()
	return Graph{
		s.t, graph.NewClient(context.Background(), s.GraphURL(), s.TokenURL(), string(c.ID), c.Secret.Reveal(), using),
	}
}
