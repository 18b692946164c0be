package oauth_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// foreign are addresses that are not the Azure CLI's, however much they look so.
var foreign = []string{
	"", "http://localhost:x@evil.example/cb", "http://localhost:80@evil.example/", "http://localhost@evil.example",
	"http://localhost:@evil.example/", "http://localhost\\@evil.example/", "http://localhost\\.evil.example",
	"http://localhost.evil.example/", "http://localhost:8400#@evil.example/", "http://localhost:8400/#x",
	"http://localhost:99999/", "http://localhost:/", "http://localhost:8400\r\nLocation: http://evil.example/",
	"http://evil.example/", "//evil.example/", "https://localhost:8400", "http://127.0.0.1:8400",
	"http://localhost/ evil", "javascript:alert(1)//http://localhost", "http://localho\tst:8400",
	"http://localhost:8400/?next=evil",
}

// TestCodesGoOnlyToTheClientsHost: whatever a stranger asks for, with or without a person who is
// signed in, no browser is sent to an address that the client has not registered.
func TestCodesGoOnlyToTheClientsHost(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	look := func(what string, a answer) {
		t.Helper()
		if a.Status != http.StatusBadRequest || a.Location != "" || strings.Contains(a.Body, "evil") ||
			strings.Contains(a.Header.Get("Content-Security-Policy"), "http") {
			t.Errorf(
				"%s: %d, to %q, with %s\n%s",
				what,
				a.Status,
				a.Location,
				a.Header.Get("Content-Security-Policy"),
				a.Body,
			)
		}
	}
	for _, signedIn := range []bool{false, true} {
		if signedIn {
			o.signIn("root")
		}
		for _, redirect := range foreign {
			for _, change := range []url.Values{
				{}, {"response_type": {"token"}}, {"prompt": {"none"}}, {"response_mode": {"form_post"}},
				{"response_mode": {"fragment"}, "response_type": {"token"}},
				{"response_mode": {"form_post"}, "scope": {"nothing"}}, {"code_challenge": {""}},
			} {
				change["redirect_uri"] = []string{redirect}
				path := o.asking(change)
				look("asked "+path, o.get(path))
				look("allowed "+path, o.post(path, url.Values{"answer": {"allow"}}))
				look("denied "+path, o.post(path, url.Values{"answer": {"deny"}}))
			}
		}
		look("two addresses", o.get(o.asking(url.Values{"client_id": {"unknown"}})))
	}
}

// TestTheConsentPageNamesWhoReceivesTheAnswer, and the policy of the page names nobody else.
func TestTheConsentPageNamesWhoReceivesTheAnswer(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c, err := o.RegisterClient(
		context.Background(),
		tenanttest.Actor,
		tenant.Client{DisplayName: "Wiki", Public: true, RedirectURIs: []string{"https://wiki.example/cb"}},
		false,
	)
	if err != nil {
		t.Fatal(err)
	}
	o.signIn(ada)
	for _, want := range []struct{ client, redirect, host, origin string }{
		{azureCLI, "http://localhost:8400", "localhost:8400", "http://localhost:8400"},
		{azureCLI, "http://localhost:49152/", "localhost:49152", "http://localhost:49152"},
		{string(c.ID), "https://wiki.example/cb", "wiki.example", "https://wiki.example"},
	} {
		a := o.get(o.asking(url.Values{"client_id": {want.client}, "redirect_uri": {want.redirect}}))
		if a.Status != http.StatusOK || !strings.Contains(a.Body, "<strong>"+want.host+"</strong>") ||
			!strings.Contains(a.Header.Get("Content-Security-Policy"), "form-action 'self' "+want.origin+";") {
			t.Errorf("%s: %d %s\n%s", want.redirect, a.Status, a.Header.Get("Content-Security-Policy"), a.Body)
		}
		a = o.post(
			o.asking(url.Values{"client_id": {want.client}, "redirect_uri": {want.redirect}}),
			url.Values{"answer": {"allow"}},
		)
		if !strings.HasPrefix(a.Location, want.redirect+"?code=") {
			t.Errorf("%s: sent to %s", want.redirect, a.Location)
		}
	}
}

// TestRegisteredAddressesAreChecked at every door that registers one.
func TestRegisteredAddressesAreChecked(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := newOffice(t)
	o.signIn("root")
	if a := o.post(
		"/admin/login", url.Values{"username": {"root"}, "password": {password}},
	); a.Status != http.StatusSeeOther {
		t.Fatalf("the admin center: %d %s", a.Status, a.Body)
	}
	app, err := o.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "App")
	if err != nil {
		t.Fatal(err)
	}
	client, err := o.CreateClient(ctx, tenanttest.Actor, "robot")
	if err != nil {
		t.Fatal(err)
	}
	a := o.token(
		url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {string(client.ID)},
			"client_secret": {client.Secret.Reveal()},
			"scope":         {"https://graph.microsoft.com/.default"},
		},
	)
	token, _ := a.json(t)["access_token"].(string)
	bad := []string{
		"javascript:alert(1)",
		"data:text/html,x",
		"http://evil.example/",
		"https://localhost:x@evil.example/",
		"https://app.example\\@evil.example/",
		"//evil.example/",
		"https://",
	}
	for _, address := range append(bad, "https://app.example/#fragment") {
		before, err := o.Clients(ctx)
		if err != nil {
			t.Fatal(err)
		}
		o.post("/admin/clients", url.Values{"name": {"bad"}, "public": {"true"}, "redirect": {address}})
		if after, err := o.Clients(ctx); err != nil || len(after) != len(before) {
			t.Errorf("%s is registered in the admin center: %v", address, err)
		}
		if a := o.graph(
			http.MethodPatch, "/applications/"+string(app.ID), token,
			fmt.Sprintf(`{"web":{"redirectUris":[%q]}}`, address),
		); a.Status != http.StatusBadRequest {
			t.Errorf("%s as reply URL: %d %s", address, a.Status, a.Body)
		}
	}
	for _, address := range bad {
		if a := o.graph(
			http.MethodPatch, "/applications/"+string(app.ID), token, fmt.Sprintf(`{"web":{"logoutUrl":%q}}`, address),
		); a.Status != http.StatusBadRequest {
			t.Errorf("%s as logout URL: %d %s", address, a.Status, a.Body)
		}
		if a := o.graph(
			http.MethodPatch, "/servicePrincipals/"+string(app.ServicePrincipalID), token,
			fmt.Sprintf(`{"loginUrl":%q}`, address),
		); a.Status != http.StatusBadRequest {
			t.Errorf("%s as sign-on URL: %d %s", address, a.Status, a.Body)
		}
	}
	for _, address := range []string{"https://app.example/saml?x=1", "http://127.0.0.1:8080/acs"} {
		body := fmt.Sprintf(`{"web":{"redirectUris":[%q],"logoutUrl":%q}}`, address, address)
		if a := o.graph(
			http.MethodPatch, "/applications/"+string(app.ID), token, body,
		); a.Status != http.StatusNoContent {
			t.Errorf("%s: %d %s", address, a.Status, a.Body)
		}
	}
	if a := o.graph(
		http.MethodPatch, "/servicePrincipals/"+string(app.ServicePrincipalID), token,
		`{"loginUrl":"https://app.example/#/start"}`,
	); a.Status != http.StatusNoContent {
		t.Errorf("a page with a fragment: %d %s", a.Status, a.Body)
	}
}

// TestOldAddressesAreCheckedAtUse: what an earlier version stored sends no browser away either, and
// can still be mended.
func TestOldAddressesAreCheckedAtUse(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := newOffice(t)
	app, err := o.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "App")
	if err != nil {
		t.Fatal(err)
	}
	put := func(edit func(*tenant.Application)) {
		t.Helper()
		err := o.Store.Update(ctx, func(tx tenant.Tx) error {
			a, err := tx.Application(tenant.AnyApplicationID(app.ID))
			if err != nil {
				return err
			}
			a.IdentifierURIs = []string{"urn:app"}
			a.SSOMode = "saml"
			a.AssignmentRequired = false
			a.ReplyURLs = nil
			a.SignOnURL = ""
			a.LogoutURL = ""
			edit(&a)
			return tx.PutApplication(a)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	o.signIn(ada)
	const evil = "https://app.example:x@evil.example/acs"
	logout := fmt.Sprintf(
		`<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a" Version="2.0" `+
			`IssueInstant="%s">`+
			`<Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">urn:app</Issuer>`+
			`<NameID xmlns="urn:oasis:names:tc:SAML:2.0:assertion">anybody</NameID></samlp:LogoutRequest>`,
		o.now.Format(time.RFC3339),
	)
	authn := fmt.Sprintf(
		`<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a" Version="2.0" `+
			`IssueInstant="%s" `+
			`AssertionConsumerServiceURL="%s">`+
			`<Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">urn:app</Issuer></samlp:AuthnRequest>`,
		o.now.Format(time.RFC3339),
		evil,
	)
	for name, c := range map[string]struct {
		edit func(*tenant.Application)
		path string
	}{
		"logout":  {func(a *tenant.Application) { a.LogoutURL = "javascript:alert(1)//" }, o.saml(logout)},
		"reply":   {func(a *tenant.Application) { a.ReplyURLs = []string{evil} }, o.saml(authn)},
		"tile":    {func(a *tenant.Application) { a.ReplyURLs = []string{evil} }, "/signin/" + string(app.AppID)},
		"sign-on": {func(a *tenant.Application) { a.SignOnURL = evil }, "/signin/" + string(app.AppID)},
		"sign-on2": {func(a *tenant.Application) {
			a.SignOnURL = "http://evil.example/"
		}, "/signin/" + string(app.AppID)},
	} {
		put(c.edit)
		if a := o.get(c.path); a.Status != http.StatusBadRequest || a.Location != "" ||
			strings.Contains(a.Body, evil) ||
			strings.Contains(a.Header.Get("Content-Security-Policy"), "evil") {
			t.Errorf("%s: %d, to %q\n%s", name, a.Status, a.Location, a.Body)
		}
		if _, err := o.UpdateApplication(ctx, tenanttest.Actor, tenant.AnyApplicationID(app.ID),
			func(a *tenant.Application) error {
				a.Enabled = true
				return nil
			}); err != nil {
			t.Errorf("%s: the application cannot be changed: %v", name, err)
		}
	}
}

// saml is the address of the identity provider with a message by the HTTP-Redirect binding.
func (o *office) saml(message string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write([]byte(message))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return "/" + o.Organization.ID + "/saml2?" + url.Values{
		"SAMLRequest": {base64.StdEncoding.EncodeToString(b.Bytes())},
	}.Encode()
}
