package signin_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

var (
	shownSecret = regexp.MustCompile(`<code id="secret">([^<]+)</code>`)
	deviceID    = regexp.MustCompile(`/devices/([^/"]+)/rename"`)
	sessionID   = regexp.MustCompile(`/sessions/([0-9a-f]+)/delete"`)
)

// change changes the sign-in settings of a center.
func change(t *testing.T, s *centertest.Server, f func(*center.SignInSettings)) {
	t.Helper()
	settings, err := s.SignInSettings(context.Background())
	f(&settings)
	if err == nil {
		err = s.UpdateSignInSettings(context.Background(), centertest.Actor, settings)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// appOn fills in the form of a page that registers an authenticator app, and returns the secret.
func appOn(t *testing.T, page string) (form url.Values, secret string) {
	t.Helper()
	secret = strings.ReplaceAll(webtest.Match(t, page, shownSecret), " ", "")
	form = webtest.Hidden(page)
	form.Set("name", "Phone")
	form.Set("code", codeOf(t, secret, 0))
	return form, secret
}

// codeOf is what an authenticator app shows, or will show: each code is good once.
func codeOf(t *testing.T, secret string, ahead time.Duration) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(ahead))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// TestPeopleLookAfterTheirAccount by the page: devices, the password and sessions.
func TestPeopleLookAfterTheirAccount(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	s.NewPerson("ada")
	s.NoMFA()
	change(t, s, func(x *center.SignInSettings) { x.SelfService = true })
	account := s.URL + "/platform/account"
	v := s.SignIn("ada")
	signedIn := func(v webtest.Visitor) bool {
		_, page := v.Send(http.MethodGet, account, nil)
		return strings.Contains(page, "<h1>Your account</h1>")
	}
	if page := v.Get(account); !strings.Contains(page, "None yet.") || !strings.Contains(page, "this browser") {
		t.Errorf("a new account: %s", page)
	}

	form, _ := appOn(t, v.Get(account+"/device"))
	wrong := url.Values{"enrolment": form["enrolment"], "name": {"Phone"}, "code": {"000000"}}
	if status, _ := v.Send(http.MethodPost, account+"/device", wrong); status != http.StatusBadRequest {
		t.Errorf("a wrong code registers a device: %d", status)
	}
	page := v.Does(account+"/device", form, "The device is registered.")
	device := account + "/devices/" + webtest.Match(t, page, deviceID)
	page = v.Does(device+"/rename", url.Values{"name": {"Tablet"}}, "The device is renamed.")
	if !strings.Contains(page, `<td data-label="Name">Tablet</td>`) || !strings.Contains(page, "authenticator app") {
		t.Errorf("the renamed device: %s", page)
	}
	elsewhere := s.SignIn("ada")
	page = v.Does(device+"/delete", nil, "The device is deleted")
	if signedIn(elsewhere) || !signedIn(v) || strings.Contains(page, "Tablet") {
		t.Errorf("a deleted device ends the other sessions, and only those: %s", page)
	}

	elsewhere = s.SignIn("ada")
	page = v.Get(account)
	v.Does(account+"/sessions/"+webtest.Match(t, page, sessionID)+"/delete", nil, "The session has ended")
	if signedIn(elsewhere) {
		t.Error("a session goes on that was ended")
	}
	elsewhere = s.SignIn("ada")
	if v.Does(account+"/sessions/delete", nil, "All other sessions have ended."); signedIn(elsewhere) || !signedIn(v) {
		t.Error("all other sessions, and only those, have to end")
	}

	elsewhere = s.SignIn("ada")
	const next = "Another horse 2!"
	for what, c := range map[string]struct {
		current, password, again, want string
	}{
		"a wrong current password": {"wrong", next, next, "The current password is incorrect."},
		"a slip of the hand":       {centertest.Password, next, next + "x", "passwords do not match"},
		"a short one":              {centertest.Password, "short", "short", "8 to 64 characters"},
	} {
		form := url.Values{"current": {c.current}, "password": {c.password}, "again": {c.again}}
		if status, page := v.Send(http.MethodPost, account+"/password", form); status != http.StatusBadRequest ||
			!strings.Contains(page, c.want) {
			t.Errorf("%s: %d %s", what, status, page)
		}
	}
	form = url.Values{"current": {centertest.Password}, "password": {next}, "again": {next}}
	if v.Does(account+"/password", form, "Your password is changed"); signedIn(elsewhere) || !signedIn(v) {
		t.Error("a new password ends the other sessions, and only those")
	}
}

// TestSecondFactorsAtSignIn: a device is registered at the first sign-in, and asked for at the
// next.
func TestSecondFactorsAtSignIn(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	s.NewPerson("ada")
	change(t, s, func(x *center.SignInSettings) { x.MFA, x.WithoutDevice = center.MFAAlways, center.MustRegister })
	login := s.URL + "/platform/login"
	credentials := url.Values{"username": {"ada"}, "password": {centertest.Password}}

	v := s.Visitor()
	form, _ := appOn(t, v.Does(login, credentials, "Register an MFA device"))
	wrong := url.Values{"enrolment": form["enrolment"], "name": {"Phone"}, "code": {"000000"}}
	v.Does(login+"/device", wrong, "That did not match")
	form, secret := appOn(t, v.Get(login+"/next"))
	v.Does(login+"/device", form, "No accounts yet")

	v = s.Visitor()
	v.Does(login, credentials, "Code from your authenticator app")
	if status, page := v.Send(http.MethodPost, login+"/code", url.Values{"code": {"000000"}}); status !=
		http.StatusUnauthorized || !strings.Contains(page, "That did not match") {
		t.Errorf("a wrong code: %d %s", status, page)
	}
	v.Does(login+"/key", url.Values{"response": {"{}"}}, "That did not match")
	v.Does(login+"/code", url.Values{"code": {codeOf(t, secret, 30*time.Second)}}, "No accounts yet")

	if status, page := s.Visitor().Send(http.MethodPost, login+"/code", url.Values{"code": {"000000"}}); status !=
		http.StatusUnauthorized || !strings.Contains(page, "This sign-in has ended") {
		t.Errorf("a code without a password: %d %s", status, page)
	}
	change(t, s, func(x *center.SignInSettings) { x.WithoutDevice = center.BlockSignIn })
	s.NewPerson("grace")
	blocked := url.Values{"username": {"grace"}, "password": {centertest.Password}}
	if status, page := s.Visitor().Send(http.MethodPost, login, blocked); status != http.StatusForbidden ||
		!strings.Contains(page, "You need an MFA device") {
		t.Errorf("who has no device, and may register none: %d %s", status, page)
	}
}

// TestLinksAndCodesByMail sets a password by an invitation's link, and signs in by a code.
func TestLinksAndCodesByMail(t *testing.T) {
	t.Parallel()
	outbox := &mail.Outbox{}
	queue := mail.NewQueue(outbox, nil)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go queue.Run(ctx)
	s := centertest.Serve(t, func(c *center.Center) { c.Mailer = server.Mailer(queue) })
	change(t, s, func(x *center.SignInSettings) { x.MFA, x.WithoutDevice = center.MFAAlways, center.EmailCode })
	ada := centertest.Person("ada")
	ada.Emails = []center.Value{{Value: "ada@example.com", Primary: true}}
	u, err := s.CreateUser(ctx, centertest.Actor, ada)
	if err == nil {
		err = s.Invite(ctx, centertest.Actor, u.ID, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	link := pairtest.Newest(t, outbox, 0, `https?://\S+`)
	v := s.Visitor()
	form := webtest.Hidden(v.Get(link))
	for what, c := range map[string]struct{ password, again, want string }{
		"a slip of the hand": {"Another horse 2!", "Another horse 3!", "passwords do not match"},
		"a short one":        {"short", "short", "8 to 64 characters"},
	} {
		form.Set("password", c.password)
		form.Set("again", c.again)
		if status, page := v.Send(http.MethodPost, s.URL+"/platform/password", form); status !=
			http.StatusBadRequest || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d %s", what, status, page)
		}
	}
	form.Set("password", centertest.Password)
	form.Set("again", centertest.Password)
	v.Does(s.URL+"/platform/password", form, "Your password is set.")
	if status, page := v.Send(http.MethodGet, link, nil); status != http.StatusGone ||
		!strings.Contains(page, "This link no longer works") {
		t.Errorf("the link a second time: %d %s", status, page)
	}

	sent := len(outbox.Messages())
	credentials := url.Values{"username": {"ada"}, "password": {centertest.Password}}
	v.Does(s.URL+"/platform/login", credentials, "We have sent a code to your email address.")
	code := pairtest.Newest(t, outbox, sent, `\b\d{6}\b`)
	v.Does(s.URL+"/platform/login/code", url.Values{"code": {code}}, "No accounts yet")

	sent = len(outbox.Messages())
	for _, name := range []string{"ada", "nobody", ""} { // the answer does not tell who there is
		v.Does(s.URL+"/platform/forgot", url.Values{"username": {name}}, "Check your email")
	}
	if link := pairtest.Newest(t, outbox, sent, `https?://\S+`); !strings.Contains(link, "/platform/password?ticket=") {
		t.Errorf("the link is %s", link)
	}
}
