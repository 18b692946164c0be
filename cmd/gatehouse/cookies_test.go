package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/console"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/admincenter"
	"github.com/gatehouse-id/gatehouse/tenant/login"
)

// TestEveryCookieOfBothHalvesHasTheHostPrefixUnderTLS signs in twice at each door: no cookie can be
// set by a neighbour under the same domain or by somebody on the way, one without the prefix opens
// nothing, and the second sign-in ends the session of the first. The portal's door has its own
// test.
func TestEveryCookieOfBothHalvesHasTheHostPrefixUnderTLS(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	const center, directory = "https://center.example", "https://tenant.example"
	c := centertest.New(t, center)
	x, err := openTenant(
		ctx,
		&half{data: t.TempDir(), url: directory, log: log},
		noEnv,
		"Northwind Traders",
		"northwind.example",
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Store.Close() })
	if err := c.SetAdministrator(ctx, audit.SystemActor, "admin", "Correct horse 1!"); err != nil {
		t.Fatal(err)
	}
	if err := x.SetAdministrator(ctx, audit.SystemActor, "admin", "Correct horse 1!"); err != nil {
		t.Fatal(err)
	}
	_, err = x.CreateUser(
		ctx,
		audit.SystemActor,
		tenant.User{
			UserPrincipalName: "ada@" + x.Organization.Domain,
			DisplayName:       "Ada",
			MailNickname:      "ada",
			Enabled:           true,
		},
		"Correct horse 1!",
	)
	if err != nil {
		t.Fatal(err)
	}
	centerMux, tenantMux := http.NewServeMux(), http.NewServeMux()
	(&console.Handler{Center: c, Log: log}).Mount(centerMux)
	(&admincenter.Handler{Tenant: x, Log: log}).Mount(tenantMux)
	(&login.Handler{Tenant: x, Log: log}).Mount(tenantMux)
	for _, door := range []struct {
		mux                 http.Handler
		site, login, inside string
		logout, session     string
		form                url.Values
	}{
		{
			centerMux, center, "/console/login", "/console/account", "/console/logout", "__Host-gatehouse_console",
			url.Values{"username": {"admin"}, "password": {"Correct horse 1!"}},
		},
		{
			tenantMux, directory, "/admin/login", "/admin/users", "/admin/logout", "__Host-gatehouse_admincenter",
			url.Values{"username": {"admin"}, "password": {"Correct horse 1!"}},
		},
		{
			tenantMux, directory, "/login", "/myapps", "/logout", "__Host-gatehouse_tenant",
			url.Values{"loginfmt": {"ada@" + x.Organization.Domain}, "passwd": {"Correct horse 1!"}},
		},
	} {
		send := func(method, path string, form url.Values, cookies ...*http.Cookie) *http.Response {
			r := httptest.NewRequest(method, door.site+path, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, k := range cookies {
				r.AddCookie(k)
			}
			w := httptest.NewRecorder()
			door.mux.ServeHTTP(w, r)
			for _, k := range w.Result().Cookies() {
				if k.MaxAge >= 0 &&
					(!strings.HasPrefix(k.Name, "__Host-") || !k.Secure || k.Path != "/" || k.Domain != "" ||
						!k.HttpOnly || k.SameSite != http.SameSiteLaxMode) {
					t.Errorf("%s sets %+v", path, k)
				}
			}
			return w.Result()
		}
		sessionOf := func(answer *http.Response) *http.Cookie {
			for _, k := range answer.Cookies() {
				if k.Name == door.session {
					return k
				}
			}
			t.Fatalf("%s: %d, no session", door.login, answer.StatusCode)
			return nil
		}
		first := sessionOf(send(http.MethodPost, door.login, door.form))
		if got := send(http.MethodGet, door.inside, nil, first).StatusCode; got != http.StatusOK {
			t.Errorf("%s with the cookie: %d", door.inside, got)
		}
		if got := send(
			http.MethodGet, door.inside, nil,
			&http.Cookie{Name: strings.TrimPrefix(door.session, "__Host-"), Value: first.Value},
		).StatusCode; got == http.StatusOK {
			t.Errorf("%s with a cookie that a neighbour can set: %d", door.inside, got)
		}
		second := sessionOf(send(http.MethodPost, door.login, door.form, first))
		if got := send(http.MethodGet, door.inside, nil, first).StatusCode; got == http.StatusOK {
			t.Errorf("%s: the earlier session goes on", door.inside)
		}
		gone := map[string]bool{}
		for _, k := range send(http.MethodPost, door.logout, nil, second).Cookies() {
			gone[k.Name] = k.MaxAge < 0
		}
		if !gone[door.session] || !gone[strings.TrimPrefix(door.session, "__Host-")] {
			t.Errorf("%s takes away %v", door.logout, gone)
		}
		if got := send(http.MethodGet, door.inside, nil, second).StatusCode; got == http.StatusOK {
			t.Errorf("%s: signing out has not ended the session", door.inside)
		}
	}
}
