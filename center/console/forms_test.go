package console_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/console"
	"github.com/gatehouse-id/gatehouse/web"
)

type noMail struct{}

func (noMail) Send(center.Mail) {}

// TestAFormIsDoneWhollyOrNotAtAll: a permission set whose policy is refused is not made, nor is a
// user who cannot be invited.
func TestAFormIsDoneWhollyOrNotAtAll(t *testing.T) {
	c, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
	c.Mailer = noMail{}
	mux := http.NewServeMux()
	server := httptest.NewServer(web.Middleware(mux, web.Options{Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	nothing := func(context.Context) ([]byte, error) { return nil, nil }
	(&console.Handler{Center: c, Log: slog.New(slog.DiscardHandler), SPMetadata: nothing}).Mount(mux)
	if err := c.SetAdministrator(ctx, audit.SystemActor, "admin", "Correct horse 7!"); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	post := func(path string, form url.Values) int {
		t.Helper()
		answer, err := browser.PostForm(server.URL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if status := post(
		"/console/login", url.Values{"username": {"admin"}, "password": {"Correct horse 7!"}},
	); status != http.StatusOK {
		t.Fatalf("sign-in: %d", status)
	}
	set := url.Values{"name": {"Reader"}, "hours": {"1"}, "policy": {"arn:aws:iam::111122223333:policy/Mine"}}
	user := url.Values{
		"username": {"ada"},
		"display":  {"Ada"},
		"given":    {"Ada"},
		"family":   {"Lovelace"},
		"password": {"mail"},
	}
	for path, form := range map[string]url.Values{"/console/permission-sets": set, "/console/users": user} {
		if status := post(path, form); status < 400 {
			t.Errorf("%s: %d", path, status)
		}
	}
	sets, err := c.PermissionSets(ctx, center.PermissionSetQuery{})
	if err != nil || len(sets) != 0 {
		t.Errorf("made all the same: %+v, %v", sets, err)
	}
	if n, err := c.CountUsers(ctx, center.UserQuery{}); err != nil || n != 0 {
		t.Errorf("%d users made all the same, %v", n, err)
	}
	set.Set("policy", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	user.Set("email", "ada@example.com")
	for path, form := range map[string]url.Values{"/console/permission-sets": set, "/console/users": user} {
		if status := post(path, form); status != http.StatusOK {
			t.Errorf("%s, corrected: %d", path, status)
		}
	}
	if sets, err = c.PermissionSets(ctx, center.PermissionSetQuery{}); err != nil || len(sets) != 1 ||
		len(sets[0].ManagedPolicies) != 1 {
		t.Errorf("%+v, %v", sets, err)
	}
	if n, err := c.CountUsers(ctx, center.UserQuery{}); err != nil || n != 1 {
		t.Errorf("%d users, %v", n, err)
	}
}
