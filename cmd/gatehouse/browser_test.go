package main

import (
	"context"
	"path"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	company "github.com/gatehouse-id/gatehouse/demo"
)

// TestTheWalkByHandAcrossSites does every click of the walk, on two sites under TLS.
func TestTheWalkByHandAcrossSites(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	ctx, by := context.Background(), audit.SystemActor
	const password = "Correct horse 1!"
	hash := authn.HashPassword(password)
	people := company.NewCompany(25, 6, s.tenant.Organization.Domain)
	people.PasswordHash = hash
	admin := map[string]string{"username": "admin", "password": password}
	for _, err := range []error{
		s.tenant.SetAdministrator(ctx, by, "admin", password), s.center.SetAdministrator(ctx, by, "admin", password),
		s.tenant.Import(ctx, by, people),
		s.center.PutAccount(ctx, by, center.Account{ID: "111122223333", Name: "Production"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.center.CreateUser(
		ctx, by,
		center.User{
			UserName:    "oldtimer",
			DisplayName: "Old Timer",
			Name:        center.PersonName{GivenName: "Old", FamilyName: "Timer"},
			Active:      true,
		},
	); err != nil {
		t.Fatal(err)
	}
	if _, err := s.center.CreateUser(
		ctx, by,
		center.User{
			UserName:    "stranger@example.com",
			DisplayName: "A Stranger",
			Name:        center.PersonName{GivenName: "A", FamilyName: "Stranger"},
			Active:      true,
		},
	); err != nil {
		t.Fatal(err)
	}
	b := browser{t, newUndrawnBrowser(t, s.hosts)}

	// 1. In the tenant: the application, from the gallery.
	b.login(s.tenant.URL+"/admin/apps/gallery?q=aws", map[string]string{"username": "admin", "password": password})
	b.sees("AWS IAM Identity Center")
	b.screenshot("gallery")
	b.submit("main form[method=post]", "button", map[string]string{"name": "AWS"})
	b.sees("Getting started")
	app, _, _ := strings.Cut(do(b, "read the address", chromedp.Location()), "?")
	b.open(app + "/assignments")
	for _, group := range []string{"Platform Engineering", "Support"} {
		b.submit(`form[method=post][action$="/assignments"]`, "button", map[string]string{"name": group})
		b.sees("The assignment is created.")
	}

	// 2. In the center: the service provider's metadata.
	b.login(s.center.URL+"/console/settings", admin)
	b.sees("Identity Center directory")
	spMetadata := b.download(`a[href$="sp-metadata.xml"]`, "sp.xml")

	// 3. In the tenant: upload it, set the sign-on URL, download the federation metadata.
	b.open(app + "/saml")
	b.upload(`input[name=file]`, spMetadata)
	b.submit(`form[action$="/saml/metadata"]`, "button", nil)
	b.sees("The SAML settings are saved.")
	b.submit(`form[action$="/saml"]`, "button", map[string]string{"signon": s.center.PortalURL()})
	b.sees("The SAML settings are saved.")
	b.screenshot("saml")
	idpMetadata := b.download(`a[href$="federationmetadata.xml"]`, "idp.xml")

	// 4. In the center: upload it, read what happens to existing users, type ACCEPT.
	b.open(s.center.URL + "/console/settings")
	b.upload(`input[name=file]`, idpMetadata)
	b.submit(`form[action$="/identity-source"]`, "button", nil)
	b.sees("oldtimer")
	b.sees("will stop working")
	b.screenshot("review")
	b.click("main details summary")
	b.submit(`form[action$="/review"]`, "button", map[string]string{"known": "mei.tanaka@northwind.example"})
	b.sees("1 name was compared")
	b.sees("has no user with this user name")
	b.submit(`form[action$="/change"]`, "button", map[string]string{"confirmation": "ACCEPT"})
	b.sees("External identity provider")

	// 5. In the center: automatic provisioning, with the token shown once.
	b.submit(`form[action$="/settings/provisioning"]`, "button", nil)
	b.sees("Copy the access token now")
	endpoint, token := b.text("#new-token .copy:nth-of-type(2) pre"), b.text("#new-token .copy:nth-of-type(3) pre")
	if !strings.HasSuffix(endpoint, "/scim/v2/") || len(token) < 500 {
		t.Fatalf("endpoint %q, token of %d characters", endpoint, len(token))
	}
	b.open(s.center.URL + "/console/settings/provisioning")
	b.sees("Access tokens")
	if body := b.text("body"); strings.Contains(body, token) {
		t.Error("the token is shown a second time")
	}

	// 6. In the tenant: provisioning.
	b.open(app + "/provisioning")
	form := map[string]string{"url": endpoint, "token": "wrong", "email": "admin@example.com", "scope": "assigned"}
	const settings = `form[action$="/provisioning"]`
	b.fill(settings, form)
	b.click(settings + " button[value=test]")
	b.sees("did not accept the credentials")
	b.fill(settings, map[string]string{"token": token})
	b.click(settings + " button[value=test]")
	b.sees("The supplied credentials are authorized")
	b.leave(settings + " button[value=save]") // what was typed is there still
	b.sees("The provisioning settings are saved.")
	b.submit(`form[action$="/provisioning/start"]`, "button", nil)
	b.sees("Provisioning is on.")
	b.sees("Last cycle: some were not provisioned") // the page renews itself
	b.sees("1 object is not provisioned.")
	b.sees("name.familyName") // why the person without a last name failed
	b.screenshot("provisioning")

	// 7. Users and groups are there, and read-only.
	b.open(s.center.URL + "/console/groups")
	b.sees("Automatic provisioning is on")
	do(b, "open the group", chromedp.Click(chromedp.Search(`//a[text()="Platform Engineering"]`)))
	b.sees("aws identitystore create-group-membership")
	b.sees("Members (4)")
	b.screenshot("group")
	group, err := s.center.GroupByName(ctx, "Platform Engineering")
	if err != nil {
		t.Fatal(err)
	}
	set, err := s.center.CreatePermissionSet(
		ctx, by, center.PermissionSet{Name: "AdministratorAccess", Description: "Everything"},
	)
	if err != nil {
		t.Fatal(err)
	}
	b.open(s.center.URL + "/console/groups/" + string(group.ID))
	b.leave(`main .row a[href^="/console/assign"]`)
	b.leave(`#list a[href*="where=111122223333"]`)
	b.leave(`#list a[href*="` + path.Base(set.ARN) + `"]`)
	b.sees("1 assignment.")
	b.screenshot("assign-review")
	b.leave(`form[action="/console/assignments"] button`)
	b.sees("The assignment is created.")

	// 8. A person signs in across the sites and gets credentials.
	b.open(s.center.URL + "/start")
	b.sees("with your Northwind Traders account")
	b.screenshot("signin")
	b.submit("main form", "button", map[string]string{"loginfmt": "mei.tanaka@northwind.example", "passwd": "wrong"})
	b.sees("AADSTS50126")
	b.submit("main form", "button", map[string]string{"loginfmt": "mei.tanaka@northwind.example", "passwd": password})
	b.sees("AWS accounts")
	b.sees("AdministratorAccess")
	b.leave(`#accounts form[action$="/credentials"] button`)
	b.sees("Or copy the keys")
	b.sees("export AWS_ACCESS_KEY_ID=")
	b.screenshot("credentials")

	// Sign out, and in again from the tenant's tile, which the session of the tenant makes a single
	// click.
	b.open(s.center.URL + "/start")
	b.leave("header form button")
	b.sees("You are signed out")
	b.open(s.tenant.URL + "/myapps")
	b.leave(".tile")
	b.sees("AdministratorAccess")

	// Somebody who is not assigned gets no further than the tenant.
	b.open(s.tenant.URL + "/myapps")
	b.leave("header form button")
	b.sees("with your Northwind Traders account")
	b.login(s.tenant.URL+"/login", map[string]string{"loginfmt": "elena.popescu@northwind.example", "passwd": password})
	b.sees("No applications are assigned to you.")
	b.open(s.center.URL + "/start")
	b.leave("header form button")
	b.sees("You are signed out")
	b.open(s.center.URL + "/start")
	b.sees("AADSTS50105")

	b.open(s.center.URL + "/console/audit")
	b.sees("ExternalIdPDirectoryLogin")
	b.screenshot("audit")
	phoneInTheDark(b, s)
}

// phoneInTheDark takes the pictures that show the pages on a small dark screen, and checks that
// nothing runs over its edge.
func phoneInTheDark(b browser, s sites) {
	b.t.Helper()
	onAPhoneInTheDark(b, map[string]string{
		"phone":       s.center.URL + "/console/settings",
		"users-phone": s.center.URL + "/console/users",
		"keys-phone":  s.center.URL + "/console/access-keys",
		"admin-phone": s.tenant.URL + "/admin/users",
	})
}

// onAPhoneInTheDark shows pages on a phone with a dark theme: none may be wider than it.
func onAPhoneInTheDark(b browser, pages map[string]string) {
	b.t.Helper()
	do(b, "a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	do(b, "in the dark", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(
			ctx,
			tab,
			emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
			},
		)
		return err
	}))
	for name, url := range pages {
		b.open(url)
		if do(
			b, "measure",
			chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth + 1`),
		) {
			b.t.Errorf(
				"%s is wider than a phone: %s",
				url,
				do(
					b,
					"find what",
					chromedp.Evaluate[string](
						`[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 200)).slice(0, 3).join(' | ')`,
					),
				),
			)
		}
		b.screenshot(name)
	}
}
