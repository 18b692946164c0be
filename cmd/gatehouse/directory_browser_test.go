package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// axePath is the accessibility checker that scripts/deps fetches.
const axePath = "../../tools/axe/node_modules/axe-core/axe.min.js"

// accessible checks the page that is shown with axe-core: in light and dark, and as wide as a
// phone.
func (b browser) accessible(page string) {
	b.t.Helper()
	source, err := os.ReadFile(axePath)
	if err != nil {
		sqldbtest.Skip(b.t, "axe-core is not installed (scripts/deps fetches it)")
	}
	do(b, "load axe", chromedp.Evaluate[bool](string(source)+"; true"))
	for _, look := range []struct {
		scheme string
		width  int64
	}{{"dark", 390}, {"light", 390}, {"light", 1280}} {
		scheme := fmt.Sprint(look.scheme, " at ", look.width)
		do(b, "be as wide as "+scheme, chromedp.EmulateViewport(look.width, 900))
		b.scheme(look.scheme)
		found := do(
			b,
			"check "+page,
			chromedp.Evaluate[string](
				`axe.run().then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')).join('\n'))`,
				chromedp.EvalAwaitPromise,
			),
		)
		if found != "" {
			b.t.Errorf("%s, %s: %s", page, scheme, found)
		}
		if wide := do(
			b, "measure "+page,
			chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth + 1`),
		); wide {
			b.t.Errorf("%s, %s, is wider than the window", page, scheme)
		}
	}
}

func (b browser) scheme(scheme string) {
	b.t.Helper()
	do(b, "be "+scheme, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(
			ctx,
			tab,
			emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			},
		)
		return err
	}))
}

// securityKey plugs a virtual security key into the browser.
func (b browser) securityKey() {
	b.t.Helper()
	do(b, "plug in a key", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		if _, err := cdp.Call(ctx, tab, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(
			ctx,
			tab,
			webauthn.AddVirtualAuthenticator,
			webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportUsb,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true,
				AutomaticPresenceSimulation: true,
			}},
		)
		return err
	}))
}

// TestTheBuiltInDirectoryInABrowser invites a person, who sets a password, registers a security key
// and an authenticator app, and signs in with each.
func TestTheBuiltInDirectoryInABrowser(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	c, outbox := s.center, &mail.Outbox{}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	queue := mail.NewQueue(outbox, slog.New(slog.DiscardHandler))
	go queue.Run(ctx)
	c.Mailer = server.Mailer(queue)
	if err := c.SetAdministrator(ctx, audit.SystemActor, "admin", "Correct horse 1!"); err != nil {
		t.Fatal(err)
	}
	grace := center.User{
		UserName:    "grace",
		DisplayName: "Grace Hopper",
		Name:        center.PersonName{GivenName: "Grace", FamilyName: "Hopper"},
		Active:      true,
		Emails:      []center.Value{{Value: "grace@example.com", Primary: true}},
	}
	grace, err := c.CreateUser(ctx, audit.SystemActor, grace)
	if err != nil {
		t.Fatal(err)
	}
	b := browser{t, newUndrawnBrowser(t, s.hosts)}

	b.login(
		c.ConsoleURL()+"users/"+string(grace.ID),
		map[string]string{"username": "admin", "password": "Correct horse 1!"},
	)
	b.leave(`form[action$="/invite"] button`)
	b.sees("An email with a link to set a password is on its way.")
	b.accessible("the user's page")

	b.open(pairtest.Newest(t, outbox, 0, `https://\S+`))
	b.accessible("the invitation")
	b.submit("main form", "button", map[string]string{"password": "Rear admiral 1!", "again": "Rear admiral 1!"})
	b.sees("Your password is set. Sign in with it.")
	b.accessible("sign-in")

	b.securityKey()
	signIn := func() {
		t.Helper()
		b.login(c.PortalURL(), map[string]string{"username": "Grace", "password": "Rear admiral 1!"})
	}
	b.submit("main form", "button", map[string]string{"username": "Grace", "password": "Rear admiral 1!"})
	b.sees("Register an MFA device")
	b.accessible("registration")
	b.screenshot("register-device")
	b.leave(`form[data-key] button`)
	b.sees("No accounts yet")

	b.leave(`form[action$="/logout"] button`)
	b.sees("You are signed out")
	b.accessible("signed out")
	signIn()
	b.sees("Verify your identity")
	b.accessible("the second factor")
	b.screenshot("second-factor")
	b.click(`form[data-key] [name=trust]`)
	b.leave(`form[data-key] button`)
	b.sees("No accounts yet")

	b.leave(`form[action$="/logout"] button`)
	signIn() // the browser is trusted now
	b.sees("No accounts yet")

	b.leave(`.who a`)
	b.sees("Your account")
	b.leave(`a[href$="/account/device"]`)
	secret := strings.ReplaceAll(b.text("#secret"), " ", "")
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.submit(`form:not([data-key])[action$="/device"]`, "button", map[string]string{"name": "My phone", "code": code})
	b.sees("The device is registered.")
	b.sees("My phone")
	b.accessible("the account")
	b.screenshot("account")
	b.leave(`.who button`)

	settings, err := c.SignInSettings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	settings.MFA = center.MFAAlways
	if err := c.UpdateSignInSettings(ctx, audit.SystemActor, settings); err != nil {
		t.Fatal(err)
	}
	b.open(c.URL + "/platform/login")
	b.submit("main form", "button", map[string]string{"username": "Grace", "password": "Rear admiral 1!"})
	b.sees("Verify your identity")
	if do(b, "look for a box", chromedp.Evaluate[bool](`!!document.querySelector('[name=trust]')`)) {
		t.Error("a browser can be trusted, though a factor is asked for every time")
	}
	b.submit(`form[action$="/code"]`, "button", map[string]string{"code": code}) // the code that registered the app
	b.sees("That did not match.")
	next, err := totp.GenerateCode(secret, time.Now().Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	b.submit(`form[action$="/code"]`, "button", map[string]string{"code": next})
	b.sees("No accounts yet")

	b.open(c.URL + "/platform/password?ticket=used")
	b.sees("This link no longer works")
	b.accessible("the error page")
	b.open(c.ConsoleURL() + "settings")
	b.accessible("the settings")
	b.open(c.ConsoleURL() + "account")
	b.accessible("the administrator's account")
	b.open(c.URL + "/platform/forgot")
	b.accessible("the forgotten password")
	for i, name := range []string{"nobody", "grace"} {
		b.open(c.URL + "/platform/forgot")
		b.submit("main form", "button", map[string]string{"username": name})
		b.sees("If a user with this name")
		if i == 0 && len(outbox.Messages()) != 1 {
			t.Error("a mail went out for nobody")
		}
	}
	if link := pairtest.Newest(t, outbox, 1, `https://\S+`); !strings.Contains(link, "/platform/password?ticket=") {
		t.Errorf("the link is %s", link)
	}
	centertest.Check(t, c)
}
