package demo_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

var (
	oneTimeShown = regexp.MustCompile(
		`<h2>One-time password</h2>\s*<div class="copy">\s*<pre tabindex="0">([^<]+)</pre>`,
	)
	ticketField = regexp.MustCompile(`name="ticket" value="([^"]+)">\s*<label>\s*Name\s`)
	appSecret   = regexp.MustCompile(`<code id="secret">([^<]+)</code>`)
)

// office is the pages of one half's administrators.
type office struct {
	webtest.Office
	set    func(name, password string) error
	events func() []audit.Event
}

const rootPassword, otherPassword = "Correct horse 1!", "Another horse 2!"

// offices are both halves, each with the administrator root.
func offices(t *testing.T) map[string]office {
	t.Helper()
	ctx, by := context.Background(), audit.SystemActor
	c, tn := centertest.Serve(t), tenanttest.Serve(t)
	both := map[string]office{
		"center": {
			webtest.Office(c.URL + "/console"),
			func(name, password string) error { return c.SetAdministrator(ctx, by, name, password) },
			func() []audit.Event { list, _ := c.Events(ctx, center.EventQuery{Limit: 500}); return list },
		},
		"tenant": {
			webtest.Office(tn.URL + "/admin"),
			func(name, password string) error { return tn.SetAdministrator(ctx, by, name, password) },
			func() []audit.Event { list, _ := tn.Events(ctx, 500); return list },
		},
	}
	for _, o := range both {
		if err := o.set("root", rootPassword); err != nil {
			t.Fatal(err)
		}
	}
	return both
}

func part(t *testing.T, page string, pattern *regexp.Regexp) string {
	t.Helper()
	m := pattern.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no %s in %s", pattern, page)
	}
	return html.UnescapeString(m[1])
}

// TestAdministratorsLookAfterOneAnother adds, signs out, resets and removes administrators by the
// pages of both halves.
func TestAdministratorsLookAfterOneAnother(t *testing.T) {
	t.Parallel()
	for name, o := range offices(t) {
		t.Run(name, func(t *testing.T) {
			root, page := o.Enter(t, "root", rootPassword)
			if !strings.Contains(page, "Register a second factor") {
				t.Error("nobody asks root to register a second factor")
			}
			do := func(what, who string) string {
				t.Helper()
				address := string(o.Office) + "/administrators" + what
				status, page := root.Send(http.MethodPost, address, url.Values{"name": {who}})
				if status != http.StatusOK {
					t.Fatalf("%s %s: %d %s", what, who, status, page)
				}
				return page
			}
			for _, what := range []string{"/remove", "/password"} {
				if status, page := root.Send(
					http.MethodPost, string(o.Office)+"/administrators"+what, url.Values{"name": {"root"}},
				); status != http.StatusConflict {
					t.Errorf("%s of oneself: %d %s", what, status, page)
				}
			}

			oneTime := part(t, do("", "bob"), oneTimeShown)
			bob, page := o.Enter(t, "bob", oneTime)
			if !strings.Contains(page, "Set a new password") || o.In(bob) {
				t.Fatalf("the one-time password leads to %s", page)
			}
			for _, wrong := range []url.Values{
				{"password": {otherPassword}, "again": {"something else"}},
				{"password": {"short"}, "again": {"short"}}, {"password": {oneTime}, "again": {oneTime}},
			} {
				if status, page := bob.Send(
					http.MethodPost, string(o.Office)+"/login/next", wrong,
				); status != http.StatusBadRequest ||
					!strings.Contains(page, "Set a new password") {
					t.Fatalf("%v: %d %s", wrong, status, page)
				}
			}
			bob.Send(
				http.MethodPost,
				string(o.Office)+"/login/next",
				url.Values{"password": {otherPassword}, "again": {otherPassword}},
			)
			if !o.In(bob) {
				t.Fatal("the new password opens nothing")
			}
			if again, page := o.Enter(t, "bob", oneTime); o.In(again) || !strings.Contains(page, "is incorrect") {
				t.Error("the one-time password goes on")
			}

			do("/sign-out", "bob")
			if o.In(bob) {
				t.Error("signed out, and still in")
			}
			bob, page = o.Enter(t, "bob", otherPassword)
			ticket, secret := part(t, page, ticketField), part(t, page, appSecret)
			code := func(at time.Time) string {
				t.Helper()
				code, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), at)
				if err != nil {
					t.Fatal(err)
				}
				return code
			}
			_, page = bob.Send(
				http.MethodPost,
				string(o.Office)+"/account/devices",
				url.Values{"ticket": {ticket}, "name": {"Phone"}, "code": {code(time.Now())}},
			)
			if !strings.Contains(page, "It is registered") {
				t.Fatalf("the app is not registered: %s", page)
			}
			second, page := o.Enter(t, "bob", otherPassword)
			if !strings.Contains(page, "Verify your identity") || o.In(second) {
				t.Fatalf("the password alone leads to %s", page)
			}
			if status, page := second.Send(
				http.MethodPost, string(o.Office)+"/login/next", url.Values{"code": {"000000"}},
			); status != http.StatusUnauthorized ||
				!strings.Contains(page, "That did not match") {
				t.Fatalf("a wrong code: %d %s", status, page)
			}
			second.Send(
				http.MethodPost,
				string(o.Office)+"/login/next",
				url.Values{"code": {code(time.Now().Add(30 * time.Second))}},
			)
			if !o.In(second) {
				t.Fatal("the code opens nothing")
			}
			do("/factors", "bob")
			if o.In(second) || o.In(bob) {
				t.Error("the second factor is reset, and the sessions go on")
			}
			bob, _ = o.Enter(t, "bob", otherPassword)
			if !o.In(bob) {
				t.Error("the password alone is not enough after the reset")
			}
			if oneTime = part(t, do("/password", "bob"), oneTimeShown); o.In(bob) {
				t.Error("the password is reset, and the session goes on")
			}
			do("/remove", "BOB")
			if v, page := o.Enter(t, "bob", oneTime); o.In(v) || !strings.Contains(page, "is incorrect") {
				t.Errorf("a removed one: %s", page)
			}
			if !o.In(root) {
				t.Error("root is out")
			}
			if status, _ := root.Send(
				http.MethodPost, string(o.Office)+"/administrators/remove", url.Values{"name": {"bob"}},
			); status != http.StatusNotFound {
				t.Errorf("once more: %d", status)
			}
			var seen []string
			for _, e := range o.events() {
				if e.Actor.Kind == audit.Administrator && e.Result == audit.Granted &&
					strings.EqualFold(e.Subject, "bob") {
					seen = append(seen, e.Action)
				}
			}
			slices.Sort(seen)
			if seen = slices.Compact(seen); len(seen) < 5 {
				t.Errorf("events tell only %v", seen)
			}
		})
	}
}

// TestAnAdministratorChangesTheOwnPassword by the account page of both halves.
func TestAnAdministratorChangesTheOwnPassword(t *testing.T) {
	t.Parallel()
	for name, o := range offices(t) {
		t.Run(name, func(t *testing.T) {
			here, _ := o.Enter(t, "root", rootPassword)
			elsewhere, _ := o.Enter(t, "root", rootPassword)
			third, _ := o.Enter(t, "root", rootPassword)
			_, page := here.Send(http.MethodGet, string(o.Office)+"/account", nil)
			if n := strings.Count(page, `class="danger">End<`); n != 2 || !strings.Contains(page, "this browser") {
				t.Errorf("%d other sessions are listed: %s", n, page)
			}
			id := part(t, page, regexp.MustCompile(`name="id" value="([0-9a-f]{64})">\s*<button class="danger">End`))
			here.Send(http.MethodPost, string(o.Office)+"/account/sessions/delete", url.Values{"id": {id}})
			if o.In(elsewhere) == o.In(third) {
				t.Error("ending one session ended both or none")
			}
			change := func(current, password string) (int, string) {
				return here.Send(
					http.MethodPost,
					string(o.Office)+"/account/password",
					url.Values{"current": {current}, "password": {password}, "again": {password}},
				)
			}
			if status, page := change("wrong", otherPassword); status != http.StatusBadRequest {
				t.Errorf("with a wrong present password: %d %s", status, page)
			}
			if status, page := change(rootPassword, "short"); status != http.StatusBadRequest {
				t.Errorf("to a short one: %d %s", status, page)
			}
			if status, page := change(rootPassword, otherPassword); status != http.StatusOK ||
				!strings.Contains(page, "your other sessions have ended") {
				t.Fatalf("%d %s", status, page)
			}
			if !o.In(here) || o.In(elsewhere) || o.In(third) {
				t.Errorf("in: here %v, elsewhere %v and %v", o.In(here), o.In(elsewhere), o.In(third))
			}
			if v, _ := o.Enter(t, "root", rootPassword); o.In(v) {
				t.Error("the old password goes on")
			}
			if v, _ := o.Enter(t, "root", otherPassword); !o.In(v) {
				t.Error("the new password opens nothing")
			}
			if err := o.set("root", rootPassword); err != nil || o.In(here) {
				t.Errorf("the password is set by the operator, %v, and the session goes on", err)
			}
		})
	}
}
