// Package centertest makes real centers for tests: New makes one, Serve serves all its doors over
// HTTP. It also holds the contract suite that every center.Store must pass.
//
// It may import adminapi, audit, audit/audittest, authn, center, center/server, center/store,
// outbound, refusal, scim, sqldb/sqldbtest and web/webtest.
package centertest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// Actor is who the tests act as.
var Actor = audit.Actor{
	Kind:      audit.AccessKey,
	Name:      "test",
	Role:      string(center.RoleAdministrator),
	Address:   "127.0.0.1",
	RequestID: "test-request",
}

func init() { authn.HashCheaply() }

// New returns a center on a fresh SQLite store, as if it were reached at url.
func New(t testing.TB, url string) *center.Center {
	t.Helper()
	return On(t, fresh(t), url)
}

var migrated sqldbtest.Migrated

// fresh is an empty store on SQLite.
func fresh(t testing.TB) center.Store {
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
	return s
}

// On returns a center on a store.
func On(t testing.TB, s center.Store, url string) *center.Center {
	t.Helper()
	sealer, err := authn.NewSealer(make([]byte, authn.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	c, err := center.Open(
		context.Background(), center.Config{Store: s, Sealer: sealer, URL: url, Log: slog.New(slog.DiscardHandler)},
	)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Fronter is a door that looks at requests before the others.
type Fronter interface {
	Before(next http.Handler) http.Handler
}

// ServeDoor serves one door over HTTP and sets the center's URL to where it is reached.
func ServeDoor(t testing.TB, c *center.Center, door Fronter) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(door.Before(http.NotFoundHandler()))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return server
}

// Person returns a user that passes every check.
func Person(userName string) center.User {
	return center.User{
		UserName:    userName,
		DisplayName: "Ada Lovelace",
		Name:        center.PersonName{GivenName: "Ada", FamilyName: "Lovelace"},
		Active:      true,
	}
}

// Federate makes an identity provider the identity source, with a certificate that verifies
// nothing.
func Federate(t testing.TB, c *center.Center, entityID string) {
	t.Helper()
	ctx := context.Background()
	idp, err := c.CreateIdPConfiguration(
		ctx, Actor,
		center.IdPConfiguration{EntityID: entityID, SignInURL: entityID + "/sso", Certificates: [][]byte{{1}}},
	)
	if err == nil {
		err = c.EnableIdPConfiguration(ctx, Actor, idp.ID, center.Accepted)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Check fails the test where what is stored contradicts itself, as gatehouse check finds it.
func Check(t testing.TB, c *center.Center) {
	t.Helper()
	s, ok := c.Store.(interface {
		Check(context.Context, func(int)) ([]string, error)
	})
	if !ok {
		t.Fatal("the store cannot be checked")
	}
	problems, err := s.Check(context.Background(), func(int) {})
	if err != nil || len(problems) > 0 {
		t.Errorf("what is stored: %v, %v", problems, err)
	}
}
