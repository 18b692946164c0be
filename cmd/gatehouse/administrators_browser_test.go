package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/mail"
)

// TestAdministratorsInABrowser adds an administrator on both halves, who replaces the one-time
// password, registers a security key and an authenticator app, and signs in with each; axe looks at
// every page.
func TestAdministratorsInABrowser(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	ctx, by := context.Background(), audit.SystemActor
	if err := s.center.SetAdministrator(ctx, by, "root", rootPassword); err != nil {
		t.Fatal(err)
	}
	if err := s.tenant.SetAdministrator(ctx, by, "root", rootPassword); err != nil {
		t.Fatal(err)
	}
	for name, url := range map[string]string{"center": s.center.URL + "/console", "tenant": s.tenant.URL + "/admin"} {
		b := browser{t, newUndrawnBrowser(t, s.hosts)}
		b.securityKey()
		signIn := func(name, password, page string) {
			t.Helper()
			b.login(url+page, map[string]string{"username": name, "password": password})
		}
		signIn("root", rootPassword, "/administrators")
		b.sees("There is only one administrator")
		b.sees("Register a second factor")
		b.accessible(name + ": one administrator")
		b.submit(`form[action$="/administrators"]`, "button", map[string]string{"name": "grace"})
		b.sees("Give grace this one-time password now")
		b.accessible(name + ": a one-time password")
		b.screenshot(name + "-administrators-added")
		oneTime := b.text("#one-time pre")
		b.open(url + "/administrators")
		b.click(".administrator summary")
		b.sees("Reset second factors")
		b.accessible(name + ": what can be done to another")
		b.screenshot(name + "-administrators")
		b.phone(name + "-administrators-phone")
		b.leave(`form[action$="/logout"] button`)

		signIn("grace", oneTime, "/account")
		b.sees("Set a new password")
		b.accessible(name + ": another password")
		b.screenshot(name + "-new-password")
		b.submit("main form", "button", map[string]string{"password": otherPassword, "again": otherPassword})
		b.sees("Your account")
		b.accessible(name + ": the own account")
		b.screenshot(name + "-own-account")
		b.phone(name + "-own-account-phone")
		b.leave(`form[data-key=create] button`)
		b.sees("It is registered")
		if strings.Contains(b.text("main"), "Only a password protects your access to this") {
			t.Error("the banner stays")
		}
		b.click("details:last-of-type summary")
		secret := strings.ReplaceAll(b.text("#secret"), " ", "")
		code := func(at time.Time) string {
			t.Helper()
			code, err := totp.GenerateCode(secret, at)
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		used, now := code(time.Now()), time.Now()
		b.submit(`form:has([name=code])`, "button", map[string]string{"code": used})
		b.sees("It is registered")
		b.sees("authenticator app")
		b.accessible(name + ": devices")
		b.leave(`form[action$="/logout"] button`)

		signIn("grace", otherPassword, "/account")
		b.sees("Verify your identity")
		b.accessible(name + ": the second factor")
		b.screenshot(name + "-factor")
		b.submit(`form:has([name=code])`, "button", map[string]string{"code": used}) // it was used to register
		b.sees("That did not match")
		b.leave(`form[data-key=get] button`)
		b.sees("this browser")
		b.leave(`form[action$="/logout"] button`)
		signIn("grace", otherPassword, "/account")
		b.submit(`form:has([name=code])`, "button", map[string]string{"code": code(later(now, 30*time.Second))})
		b.sees("this browser")
	}
	// The page of a user whose address is new asks whether it is the user's.
	outbox := mail.NewQueue(&mail.Outbox{}, slog.New(slog.DiscardHandler))
	running, stop := context.WithCancel(ctx)
	t.Cleanup(stop)
	go outbox.Run(running)
	s.center.Mailer = server.Mailer(outbox)
	ada := centertest.Person("ada")
	ada.Emails = []center.Value{{Value: "ada@example.com", Primary: true}}
	ada, err := s.center.CreateUser(ctx, by, ada)
	if err == nil {
		_, err = s.center.UpdateUser(
			ctx,
			by,
			ada.ID,
			func(u *center.User) error { u.Emails[0].Value = "new@example.com"; return nil },
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := browser{t, newUndrawnBrowser(t, s.hosts)}
	c.login(
		s.center.URL+"/console/users/"+string(ada.ID),
		map[string]string{"username": "root", "password": rootPassword},
	)
	c.sees("new@example.com belongs to the user")
	c.accessible("a user with a new address")
	c.open(s.center.URL + "/console/users/" + string(ada.ID) + "#password")
	c.screenshot("new-address")
	c.phone("new-address-phone")

	// An administrator with a second factor allows programs by the tenant's own sign-in page, which
	// asks for it too.
	b := browser{t, newUndrawnBrowser(t, s.hosts)}
	b.login(s.tenant.URL+"/login", map[string]string{"loginfmt": "grace", "passwd": otherPassword})
	b.sees("Verify your identity")
	centertest.Check(t, s.center)
}

// later is a time after one at which a code was used: its code is another, and good from half a
// minute ahead.
func later(used time.Time, by time.Duration) time.Time {
	if now := time.Now(); now.After(used.Add(by)) {
		return now
	}
	return used.Add(by)
}

// phone takes a picture as wide as a phone, in the dark.
func (b browser) phone(name string) {
	b.t.Helper()
	do(b, "be a phone", chromedp.EmulateViewport(390, 844))
	b.scheme("dark")
	b.screenshot(name)
	do(b, "be a desk", chromedp.EmulateViewport(1280, 900))
	b.scheme("light")
}
