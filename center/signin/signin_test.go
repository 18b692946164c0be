package signin_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/signin"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const site = "https://center.example"

// door is the sign-in door of a center under TLS, with one user.
func door(t *testing.T, change func(*center.SignInSettings)) (*http.ServeMux, *center.Center) {
	t.Helper()
	c, ctx := centertest.New(t, site), context.Background()
	u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
	if err == nil {
		err = c.SetPassword(ctx, centertest.Actor, u.ID, "Correct horse 7!")
	}
	if err != nil {
		t.Fatal(err)
	}
	settings, err := c.SignInSettings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	change(&settings)
	if err := c.UpdateSignInSettings(ctx, centertest.Actor, settings); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	(&signin.Handler{Center: c, Log: slog.New(slog.DiscardHandler)}).Mount(mux)
	return mux, c
}

func post(mux *http.ServeMux, path string, form url.Values, change func(*http.Request)) *http.Response {
	r := httptest.NewRequest(http.MethodPost, site+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	change(r)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Result()
}

func same(*http.Request) {}

var credentials = url.Values{"username": {"ada"}, "password": {"Correct horse 7!"}}

func TestCookiesUnderTLS(t *testing.T) {
	never := func(s *center.SignInSettings) { s.MFA = center.MFANever }
	want := func(answer *http.Response, cookies map[string]http.SameSite) {
		t.Helper()
		for _, c := range answer.Cookies() {
			sameSite, expected := cookies[c.Name]
			if c.MaxAge < 0 {
				continue // it is taken away
			}
			if !expected || !c.Secure || !c.HttpOnly || c.SameSite != sameSite || c.Path != "/" || c.Domain != "" ||
				len(c.Value) < 40 {
				t.Errorf("cookie %+v", c)
			}
			delete(cookies, c.Name)
		}
		if len(cookies) > 0 {
			t.Errorf("%d: no cookies %v", answer.StatusCode, cookies)
		}
	}
	mux, _ := door(t, never)
	want(
		post(mux, "/platform/login", credentials, same),
		map[string]http.SameSite{
			"__Host-gatehouse_portal": http.SameSiteLaxMode,
			"__Host-gatehouse_known":  http.SameSiteLaxMode,
			"__Host-gatehouse_mark":   http.SameSiteNoneMode,
		},
	) // it opens nothing
	mux, _ = door(t, func(*center.SignInSettings) {})
	want(
		post(mux, "/platform/login", credentials, same),
		map[string]http.SameSite{"__Host-gatehouse_login": http.SameSiteLaxMode},
	)

	mux, c := door(t, never)
	centertest.Federate(t, c, "https://idp.example")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, site+"/platform/login", nil))
	// it must come along with the identity provider's cross-site POST
	want(w.Result(), map[string]http.SameSite{"__Host-gatehouse_signin": http.SameSiteNoneMode})
}

// TestASessionIsNotFixed: what the browser brought along before is no session afterwards.
func TestASessionIsNotFixed(t *testing.T) {
	mux, c := door(t, func(s *center.SignInSettings) { s.MFA = center.MFANever })
	planted := strings.Repeat("a", 43)
	answer := post(mux, "/platform/login", credentials, func(r *http.Request) {
		for _, name := range []string{"__Host-gatehouse_portal", "__Host-gatehouse_known", "__Host-gatehouse_login"} {
			r.AddCookie(&http.Cookie{Name: name, Value: planted})
		}
	})
	found := false
	for _, k := range answer.Cookies() {
		if k.Value == planted {
			t.Errorf("%s is what was planted", k.Name)
		}
		found = found || k.Name == "__Host-gatehouse_portal"
	}
	if !found || answer.StatusCode != http.StatusSeeOther {
		t.Errorf("the sign-in was answered with %d", answer.StatusCode)
	}
	if _, err := c.PortalUser(context.Background(), planted); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("the planted secret is a session: %v", err)
	}
}

// TestCookiesWithoutThePrefixAreNotReadUnderTLS: a neighbour under the same domain can set them.
// Signing out takes away both.
func TestCookiesWithoutThePrefixAreNotReadUnderTLS(t *testing.T) {
	mux, c := door(t, func(s *center.SignInSettings) { s.MFA = center.MFANever })
	var session *http.Cookie
	for _, k := range post(mux, "/platform/login", credentials, same).Cookies() {
		if k.Name == "__Host-gatehouse_portal" {
			session = k
		}
	}
	account := func(name string) int {
		r := httptest.NewRequest(http.MethodGet, site+"/platform/account", nil)
		r.AddCookie(&http.Cookie{Name: name, Value: session.Value})
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code
	}
	if got := account("gatehouse_portal"); got != http.StatusFound {
		t.Errorf("a cookie that a neighbour can set is taken: %d", got)
	}
	if got := account("__Host-gatehouse_portal"); got != http.StatusOK {
		t.Errorf("the cookie is not taken: %d", got)
	}
	gone := map[string]bool{}
	for _, k := range post(mux, "/platform/logout", url.Values{}, func(r *http.Request) {
		r.AddCookie(session)
	}).Cookies() {
		gone[k.Name] = k.MaxAge < 0 && k.Secure && k.Path == "/"
	}
	if !gone["__Host-gatehouse_portal"] || !gone["gatehouse_portal"] {
		t.Errorf("signing out takes away %v", gone)
	}
	if _, err := c.PortalUser(context.Background(), session.Value); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("the session goes on: %v", err)
	}
}

// TestSigningInAgainEndsTheBrowsersEarlierSession: by its own cookie, and by the one that comes
// along with the identity provider's cross-site POST.
func TestSigningInAgainEndsTheBrowsersEarlierSession(t *testing.T) {
	mux, c := door(t, func(s *center.SignInSettings) { s.MFA = center.MFANever })
	var last string
	for _, brought := range []string{"", "__Host-gatehouse_portal", "__Host-gatehouse_mark"} {
		var kept []*http.Cookie
		for _, k := range post(mux, "/platform/login", credentials, same).Cookies() {
			if k.Name == "__Host-gatehouse_portal" {
				last = k.Value
			}
			if k.Name == brought {
				kept = append(kept, k)
			}
		}
		post(mux, "/platform/login", credentials, func(r *http.Request) {
			for _, k := range kept {
				r.AddCookie(k)
			}
		})
		_, err := c.PortalUser(context.Background(), last)
		if ended := refusal.CodeOf(err) == center.SessionInvalid; ended != (brought != "") {
			t.Errorf("with %q brought along, the earlier session has ended: %v", brought, ended)
		}
	}
}

// TestTheSignedOutPageSaysWhatHasEnded: the programs that were allowed in the session, by their
// names.
func TestTheSignedOutPageSaysWhatHasEnded(t *testing.T) {
	mux, c := door(t, func(s *center.SignInSettings) { s.MFA = center.MFANever })
	ctx := context.Background()
	var cookie *http.Cookie
	for _, k := range post(mux, "/platform/login", credentials, same).Cookies() {
		if k.Name == "__Host-gatehouse_portal" {
			cookie = k
		}
	}
	u, err := c.PortalUser(ctx, cookie.Value)
	if err != nil {
		t.Fatal(err)
	}
	cli, err := c.RegisterOAuthClient(context.Background(), center.OAuthClient{
		Name:     "aws-cli",
		Scopes:   []string{center.ScopeAccountAccess},
		StartURL: c.PortalURL(),
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.StartDevice(ctx, "127.0.0.1", cli.ID, cli.Secret.Reveal(), c.PortalURL())
	if err != nil {
		t.Fatal(err)
	}
	by := audit.Actor{Kind: audit.User, Name: u.UserName}
	if err := c.DecideDevice(ctx, by, u.ID, cookie.Value, d.UserCode, true); err != nil {
		t.Fatal(err)
	}
	tokens, err := c.TokensForDevice(
		ctx, by, center.TokenRequest{
			ClientID:     cli.ID,
			ClientSecret: cli.Secret.Reveal(),
			DeviceCode:   d.DeviceCode.Reveal(),
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	answer := post(mux, "/platform/logout", nil, func(r *http.Request) { r.AddCookie(cookie) })
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK ||
		!strings.Contains(string(text), "signed out as well: aws-cli") {
		t.Errorf("%d: %s, %v", answer.StatusCode, text, err)
	}
	if _, err := c.TokenUser(ctx, tokens.Access.Reveal()); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("the program is signed in still: %v", err)
	}
}

// TestFormsOfOtherSitesAreRefused: every form of the door but the assertion consumer service, which
// is cross-site by design.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	mux, _ := door(t, func(s *center.SignInSettings) { s.MFA = center.MFANever })
	for _, path := range []string{"/platform/login", "/platform/login/password", "/platform/login/code",
		"/platform/login/key", "/platform/login/device", "/platform/forgot", "/platform/password",
		"/platform/logout", "/platform/account/password", "/platform/account/device",
		"/platform/account/devices/1/delete", "/platform/account/sessions/1/delete",
		"/platform/account/sessions/delete"} {
		answer := post(mux, path, credentials, func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		})
		if answer.StatusCode != http.StatusForbidden || len(answer.Cookies()) > 0 {
			t.Errorf("%s: %d with %v", path, answer.StatusCode, answer.Cookies())
		}
	}
}

// TestNothingTellsWhoExists compares the answers for a user and for nobody.
func TestNothingTellsWhoExists(t *testing.T) {
	mux, c := door(t, func(*center.SignInSettings) {})
	c.Mailer = silent{}
	for path, form := range map[string]url.Values{"/platform/login": {"password": {"wrong"}}, "/platform/forgot": {}} {
		var pages [2]string
		for i, name := range []string{"ada", "zoe"} {
			form.Set("username", name)
			answer := post(mux, path, form, same)
			body := make([]byte, 16<<10)
			n, _ := answer.Body.Read(body)
			pages[i] = strings.ReplaceAll(string(body[:n]), name, "NAME") + answer.Status
		}
		if pages[0] != pages[1] {
			t.Errorf("%s tells who exists:\n%s\n%s", path, pages[0], pages[1])
		}
	}
}

type silent struct{}

// Send implements center.Mailer.
func (silent) Send(context.Context, center.Mail)          {}
func (silent) Deliver(context.Context, center.Mail) error { return nil }

func TestAnotherLetterIsAnotherUser(t *testing.T) {
	mux, c := door(t, func(s *center.SignInSettings) { s.MFA = center.MFANever })
	ctx := context.Background()
	u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("mike@example.com"))
	if err == nil {
		err = c.SetPassword(ctx, centertest.Actor, u.ID, "Correct horse 7!")
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"MIKE@Example.com": http.StatusSeeOther,
		"mi\u212ae@example.com": http.StatusUnauthorized, "m\u0130ke@example.com": http.StatusUnauthorized,
		"m\u0131ke@example.com": http.StatusUnauthorized} {
		if answer := post(
			mux, "/platform/login", url.Values{"username": {name}, "password": {"Correct horse 7!"}}, same,
		); answer.StatusCode != want {
			t.Errorf("%q is answered with %s", name, answer.Status)
		}
	}
}
