package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestSigningInToMicrosoft: the commands sign in as a person does, by the official library.
func TestSigningInToMicrosoft(t *testing.T) {
	t.Parallel()
	s := tenanttest.ServeTLS(t)
	ctx, using := context.Background(), s.HTTP.Client()
	graphURL, loginURL := s.GraphURL(), s.URL+"/"+s.Organization.ID
	if err := s.SetAdministrator(ctx, audit.SystemActor, tenanttest.AdminName, tenanttest.Password); err != nil {
		t.Fatal(err)
	}
	v := s.Visitor()
	code := regexp.MustCompile(`enter the code (\w+)`)
	m := microsoft{graphURL: graphURL, loginURL: loginURL, signIn: signInDevice}
	g, err := m.client(ctx, using, func(text string) {
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
	m = microsoft{graphURL: graphURL, token: "not a token"}
	if g, err = m.client(ctx, using, nil); err == nil {
		err = g.Do(ctx, http.MethodGet, "/groups", nil, nil)
	}
	if err == nil || !strings.Contains(err.Error(), "InvalidAuthenticationToken") {
		t.Errorf("by a wrong token: %v", err)
	}
	m = microsoft{graphURL: graphURL, loginURL: loginURL, signIn: signInWorkload}
	if g, err = m.client(ctx, using, nil); err == nil {
		err = g.Do(ctx, http.MethodGet, "/groups", nil, nil)
	}
	if err == nil || !strings.Contains(err.Error(), "workload-identity") {
		t.Errorf("without a workload: %v", err)
	}
	for want, m := range map[string]microsoft{
		"--login-url is missing": {signIn: signInDevice}, "--client-id is missing": {signIn: signInClient},
		"GATEHOUSE_CLIENT_SECRET": {signIn: signInClient, loginURL: "x", clientID: "y"},
		`--sign-in "magic"`:       {signIn: "magic"}, "": {signIn: signInCLI},
	} {
		if err := errors.Join(m.check()...); (err == nil) != (want == "") ||
			(err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", m, err, want)
		}
	}
}
