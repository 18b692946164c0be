package centertest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// Server is a whole center, served over HTTP on loopback. What a test does not ask for is not made.
type Server struct {
	*center.Center
	HTTP *httptest.Server

	t testing.TB
}

// The administrator that Console makes, and the password of people that NewPerson makes.
const (
	AdminName = "admin"
	Password  = "Correct horse 1!"
)

// Serve serves every door of a center on a fresh store until the test ends. prepare may change the
// center before.
func Serve(t testing.TB, prepare ...func(*center.Center)) *Server {
	t.Helper()
	return ServeOn(t, fresh(t), prepare...)
}

// ServeOn is Serve on a store of the caller's.
func ServeOn(t testing.TB, s center.Store, prepare ...func(*center.Center)) *Server {
	t.Helper()
	at := httptest.NewUnstartedServer(nil)
	c := On(t, s, "http://"+at.Listener.Addr().String())
	for _, f := range prepare {
		f(c)
	}
	at.Config.Handler = server.Handler(c, server.Config{Targets: outbound.Policy{Loopback: true}})
	at.Start()
	t.Cleanup(at.Close)
	return &Server{c, at, t}
}

// Visitor is somebody with a browser.
func (s *Server) Visitor() webtest.Visitor {
	s.t.Helper()
	return webtest.New(s.t, s.HTTP.Client().Transport)
}

// Console makes the administrator and signs in to the console.
func (s *Server) Console() webtest.Visitor {
	s.t.Helper()
	if err := s.SetAdministrator(context.Background(), audit.SystemActor, AdminName, Password); err != nil {
		s.t.Fatal(err)
	}
	v := s.Visitor()
	form := url.Values{"username": {AdminName}, "password": {Password}}
	if status, page := v.Send(http.MethodPost, s.URL+"/console/login", form); status != http.StatusOK {
		s.t.Fatalf("the administrator's sign-in: %d %s", status, page)
	}
	return v
}

// NewPerson makes a user of the built-in directory who has a password.
func (s *Server) NewPerson(userName string) center.User {
	s.t.Helper()
	ctx := context.Background()
	u, err := s.CreateUser(ctx, audit.SystemActor, Person(userName))
	if err == nil {
		err = s.SetPassword(ctx, audit.SystemActor, u.ID, Password)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// NoMFA lets everybody of the built-in directory sign in by the password alone.
func (s *Server) NoMFA() {
	s.t.Helper()
	ctx := context.Background()
	settings, err := s.SignInSettings(ctx)
	settings.MFA = center.MFANever
	if err == nil {
		err = s.UpdateSignInSettings(ctx, audit.SystemActor, settings)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// SignIn signs somebody who has a password in to the portal.
func (s *Server) SignIn(userName string) webtest.Visitor {
	s.t.Helper()
	v := s.Visitor()
	v.Get(s.PortalURL())
	form := url.Values{"username": {userName}, "password": {Password}}
	if status, page := v.Send(http.MethodPost, s.URL+"/platform/login", form); status != http.StatusOK {
		s.t.Fatalf("the sign-in of %s: %d %s", userName, status, page)
	}
	return v
}

// Admin makes an access key of an administrator, and returns a client of the admin API that uses
// it.
func (s *Server) Admin() *adminapi.Client {
	s.t.Helper()
	key, err := s.CreateAccessKey(context.Background(), audit.SystemActor, AdminName, center.RoleAdministrator)
	if err != nil {
		s.t.Fatal(err)
	}
	return &adminapi.Client{
		URL:             s.URL,
		Region:          s.Instance.Region,
		AccessKeyID:     key.ID,
		SecretAccessKey: key.SecretAccessKey.Reveal(),
		HTTP:            s.HTTP.Client(),
	}
}

// SCIM makes an external identity provider the source, enables automatic provisioning, and returns
// a client that provisions.
func (s *Server) SCIM(profile center.Profile) *scim.Client {
	s.t.Helper()
	endpoint, token := Provisioned(s.t, s.Center, profile)
	return &scim.Client{BaseURL: endpoint, Token: token, HTTP: s.HTTP.Client()}
}

// Assigned makes an account and a permission set in it, and gives it to a user.
func (s *Server) Assigned(u center.User, accountID, set string) center.PermissionSet {
	s.t.Helper()
	ctx := context.Background()
	p, e1 := s.CreatePermissionSet(ctx, audit.SystemActor, center.PermissionSet{Name: set})
	e2 := s.PutAccount(ctx, audit.SystemActor, center.Account{ID: accountID, Name: "Account " + accountID})
	_, e3 := s.CreateAssignment(ctx, audit.SystemActor, center.Assignment{
		AccountID:        accountID,
		PermissionSetARN: p.ARN,
		PrincipalType:    center.PrincipalUser,
		PrincipalID:      string(u.ID),
	})
	if err := errors.Join(e1, e2, e3); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// Entitled entitles a user to a role in an account, which are made where there are none.
func (s *Server) Entitled(u center.User, role string) center.Entitlement {
	s.t.Helper()
	ctx := context.Background()
	id := center.AccountOfRole(role)
	a, e1 := s.CreateAccessManager(ctx, audit.SystemActor, s.Instance.ARN, nil)
	e2 := s.PutAccount(ctx, audit.SystemActor, center.Account{ID: id, Name: "Account " + id})
	e, e3 := s.CreateEntitlement(ctx, audit.SystemActor, s.AccessManagerARN(a), center.Entitlement{
		RoleARN: role, PrincipalType: center.PrincipalUser, PrincipalID: string(u.ID),
	})
	if err := errors.Join(e1, e2, e3); err != nil {
		s.t.Fatal(err)
	}
	return e
}

// LastEvent is what was recorded last.
func (s *Server) LastEvent() audit.Event {
	s.t.Helper()
	events, err := s.Events(context.Background(), center.EventQuery{Limit: 1})
	if err != nil || len(events) == 0 {
		s.t.Fatalf("no event: %v", err)
	}
	return events[0]
}
