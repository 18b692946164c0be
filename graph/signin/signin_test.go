package signin_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph/signin"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestSigningIn: programs sign in as a person does, by the official library.
func TestSigningIn(t *testing.T) {
	t.Parallel()
	s := tenanttest.ServeTLS(t)
	ctx, using := context.Background(), s.HTTP.Client()
	graphURL, loginURL := s.GraphURL(), s.URL+"/"+s.Organization.ID
	if err := s.SetAdministrator(ctx, audit.SystemActor, tenanttest.AdminName, tenanttest.Password); err != nil {
		t.Fatal(err)
	}
	v := s.Visitor()
	code := regexp.MustCompile(`enter the code (\w+)`)
	m := signin.Settings{GraphURL: graphURL, LoginURL: loginURL, Method: signin.DeviceCode}
	g, err := m.Client(ctx, using, func(text string) {
		v.Send(
			http.MethodPost, s.URL+"/login",
			url.Values{"loginfmt": {tenanttest.AdminName}, "passwd": {tenanttest.Password}, "return": {"/devicelogin"}},
		)
		v.Send(
			http.MethodPost, s.URL+"/devicelogin",
			url.Values{"code": {code.FindStringSubmatch(text)[1]}, "answer": {"allow"}},
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Do(ctx, http.MethodGet, "/groups", nil, nil); err != nil {
		t.Errorf("by device code: %v", err)
	}
	m = signin.Settings{GraphURL: graphURL, Token: "not a token"}
	if g, err = m.Client(ctx, using, nil); err == nil {
		err = g.Do(ctx, http.MethodGet, "/groups", nil, nil)
	}
	if err == nil || !strings.Contains(err.Error(), "InvalidAuthenticationToken") {
		t.Errorf("by a wrong token: %v", err)
	}
	m = signin.Settings{GraphURL: graphURL, LoginURL: loginURL, Method: signin.WorkloadIdentity}
	if g, err = m.Client(ctx, using, nil); err == nil {
		err = g.Do(ctx, http.MethodGet, "/groups", nil, nil)
	}
	if err == nil || !strings.Contains(err.Error(), "workload-identity") {
		t.Errorf("without a workload: %v", err)
	}
}
