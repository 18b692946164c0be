package main

import (
	"context"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
)

// TestAnAdministratorSetsUpApplicationsInTheConsole: an OAuth application gets a trusted token
// issuer, grants, scopes and an actor policy, and loses them after a question; the certificate of a
// SAML application is replaced. The pages keep what was typed, and fit a phone in the dark.
func TestAnAdministratorSetsUpApplicationsInTheConsole(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	ctx, by := context.Background(), audit.SystemActor
	const password = "Correct horse 1!"
	if err := s.center.SetAdministrator(ctx, by, "admin", password); err != nil {
		t.Fatal(err)
	}
	made := func(provider, name string) string {
		a, err := s.center.CreateApplication(ctx, by, center.Application{
			ProviderARN: "arn:aws:sso::aws:applicationProvider/" + provider, Name: name, Enabled: true,
		}, "")
		if err != nil {
			t.Fatal(err)
		}
		return a.ARN
	}
	wiki, payroll := made("custom", "Wiki"), made("custom-saml", "Payroll")
	b := browser{t, newUndrawnBrowser(t, s.hosts)}
	b.login(s.center.ConsoleURL()+"applications", map[string]string{"username": "admin", "password": password})
	b.unfold()
	issuer := map[string]string{
		"name": "entra", "issuer": "https://login.microsoftonline.com/tenant/v2.0", "claim": "not a claim",
		"attribute": "userName",
	}
	b.submit(`form[action="/console/token-issuers"]`, "button", issuer)
	b.sees("use the name of a claim") // and the rest of the form is as it was typed
	b.submit(`form[action="/console/token-issuers"]`, "button", map[string]string{"claim": "email"})
	b.sees("The trusted token issuer is added.")
	b.accessible("a trusted token issuer")
	b.submit("form:has(select)", "button", map[string]string{"claim": "preferred_username"})
	b.sees("compared with userName")
	b.leave("main .danger")
	b.sees("The trusted token issuer is changed.")

	page := s.center.ConsoleURL() + "applications/" + path.Base(wiki)
	b.open(page)
	b.sees("Nobody may yet")
	b.submit("form[action$='/actor-policy']", "button", map[string]string{"policy": `{"Statement":[{"Effect":"Al`})
	b.sees("Actor policy: ")
	if typed := do(b, "what was typed", chromedp.Evaluate[string](
		`document.querySelector('textarea[name=policy]').value`,
	)); !strings.HasSuffix(typed, `"Al`) {
		t.Errorf("the policy that was typed is now %s", typed)
	}
	b.open(page)
	b.submit("form[action$='/actor-policy']", "button", nil)
	b.sees("The actor policy is saved.")
	b.submit("form[action$='/scopes']", "button", map[string]string{
		"scope": "wiki:pages:read", "targets": s.center.Instance.ARN,
	})
	b.sees("The scope is saved.")
	issuers, err := s.center.TokenIssuers(ctx)
	if err != nil || len(issuers) != 1 {
		t.Fatal(issuers, err)
	}
	do(b, "tick", chromedp.Evaluate[bool](`document.querySelector('[name=refresh]').checked = true`))
	b.submit("form[action$='/grants']", "button", map[string]string{
		"redirects": "https://wiki.example.com/a\nhttps://wiki.example.com/b",

		"audiences-" + path.Base(issuers[0].ARN): "wiki\napi://wiki",
	})
	b.sees("The grants are saved.")
	b.shows("#oauth", "oauth-application")
	b.accessible("an OAuth application")
	b.submit("form[action$='/grants']", "button", map[string]string{"redirects": "https://wiki.example.com/a"})
	b.sees("Nobody is sent back to https://wiki.example.com/b any more.")
	b.leave("main .danger")
	b.sees("The grants are saved.")
	a, err := s.center.Application(ctx, wiki)
	if err != nil || len(a.Grants) != 3 || len(a.Grants[0].RedirectURIs) != 1 ||
		!slices.Equal(a.Grants[2].Issuers[0].Audiences, []string{"wiki", "api://wiki"}) ||
		a.ActorPolicy == "" || len(a.AccessScopes) != 1 {
		t.Errorf("the application is %+v, %v", a, err)
	}
	b.submit("form[action$='/scopes/delete']", "button", nil)
	b.leave("main .danger")
	b.sees("The scope is removed.")
	b.leave("button[value=remove]")
	b.leave("main .danger")
	b.sees("Nobody may yet")
	b.open(s.center.ConsoleURL() + "token-issuers/" + path.Base(issuers[0].ARN))
	b.unfold()
	b.sees("It cannot be deleted while applications take its tokens.")

	replacesCertificate(b, s, payroll)
	onAPhoneInTheDark(b, map[string]string{
		"oauth-phone":  page,
		"saml-phone":   s.center.ConsoleURL() + "applications/" + path.Base(payroll),
		"issuer-phone": s.center.ConsoleURL() + "token-issuers/" + path.Base(issuers[0].ARN),
		"list-phone":   s.center.ConsoleURL() + "applications",
	})
}

// shows takes a picture of a part of the page.
func (b browser) shows(part, name string) {
	b.t.Helper()
	do(b, "scroll", chromedp.Evaluate[bool](
		`document.querySelector(`+quoteJS(part)+`).scrollIntoView({behavior: 'instant'}), true`,
	))
	b.screenshot(name)
}

// replacesCertificate replaces the certificate of a SAML application by clicking.
func replacesCertificate(b browser, s sites, arn string) {
	b.t.Helper()
	page := s.center.ConsoleURL() + "applications/" + path.Base(arn)
	b.open(page)
	first := b.text("#certificates ~ div code")
	b.submit("form[action$='/saml/certificates']", "button", nil)
	b.sees("A new certificate is created.")
	b.shows("#saml", "saml-certificates")
	b.accessible("a SAML application with two certificates")
	b.leave("button[value=activate]")
	b.sees("Nobody can sign in to the application while it does not trust this certificate.")
	b.leave("main .danger")
	b.sees("The certificate is active")
	b.leave("button[value=delete]")
	b.sees(first)
	b.leave("main .danger")
	b.sees("The certificate is deleted.")
	a, err := s.center.Application(context.Background(), arn)
	if list := a.SAMLCertificates(); err != nil || len(list) != 1 || center.Thumbprint(list[0].DER) == first {
		b.t.Errorf("the certificates are %d, the first was %s: %v", len(list), first, err)
	}
}
