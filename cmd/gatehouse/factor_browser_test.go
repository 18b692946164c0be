package main

import (
	"context"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestSecondFactorsOfTheTenant registers an authenticator app and a security key in a browser, and
// signs in with each.
func TestSecondFactorsOfTheTenant(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	ctx := context.Background()
	const name, password = "ada@northwind.example", "correct horse 1"
	u, err := s.tenant.CreateUser(
		ctx, audit.SystemActor, tenant.User{UserPrincipalName: name, DisplayName: "Ada Lovelace", Enabled: true},
		password,
	)
	if err != nil {
		t.Fatal(err)
	}
	b := browser{t, newUndrawnBrowser(t, s.hosts)}
	b.securityKey()
	signIn := func() {
		t.Helper()
		b.login(s.tenant.URL+"/login?return=/security-info", map[string]string{"loginfmt": name, "passwd": password})
	}
	signIn()
	b.sees("Only your password")
	b.accessible("security info")
	b.submit("form:has(input[value=app])", "button", map[string]string{"code": "000000"})
	b.sees("authentication failed during the strong authentication request")
	secret := b.text("#secret")
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.submit("form:has(input[value=app])", "button", map[string]string{"code": code})
	b.sees("Delete the authenticator app")
	b.submit("form[data-key]", "button", map[string]string{"name": "USB"})
	b.sees("Delete USB")

	b.leave(`form[action="/logout"] button`)
	signIn()
	b.sees("Verify your identity")
	b.accessible("the second factor")
	b.screenshot("tenant-second-factor")
	b.submit("form:has(input[name=code])", "button", map[string]string{"code": code}) // it was used to register
	b.sees("AADSTS500121")
	next, err := totp.GenerateCode(secret, time.Now().Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	b.submit("form:has(input[name=code])", "button", map[string]string{"code": next})
	b.sees("Delete USB")
	b.leave(`form[action="/logout"] button`)
	signIn()
	b.leave("form[data-key] button")
	b.sees("Delete USB")
	b.leave(`form:has(input[name=key]) button`)
	b.leave(`form:has(button[value=delete]) button`)
	b.sees("Only your password")
	if f, err := s.tenant.Factors(ctx, u.Account().ID); err != nil || f.Any() {
		t.Errorf("factors are left: %+v, %v", f, err)
	}

	// The claim says how somebody has signed in, and the session lasts as long as they wish.
	entry, err := s.tenant.SignInUser(ctx, audit.Actor{Kind: audit.Anonymous}, name, password, "", true)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.tenant.SessionUser(ctx, entry.Session.Reveal())
	if err != nil || time.Until(in.Session.ExpiresAt) < 89*24*time.Hour || len(in.Session.Methods) != 1 {
		t.Errorf("%+v, %v", in.Session, err)
	}
}
