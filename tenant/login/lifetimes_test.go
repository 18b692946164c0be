package login_test

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/login"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestCookiesLiveAsLongAsWhatTheyName: the session's, the ticket's of a sign-in under way, and the
// mark of a browser that is known.
func TestCookiesLiveAsLongAsWhatTheyName(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn := tenanttest.On(t, s)
	u := tenant.User{UserPrincipalName: "ada@northwind.example", DisplayName: "Ada", Enabled: true}
	if _, err := tn.CreateUser(t.Context(), tenanttest.Actor, u, "Correct horse 1!"); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	(&login.Handler{Tenant: tn, Log: slog.New(slog.DiscardHandler)}).Mount(mux)
	post := func(path string, form url.Values) map[string]time.Duration {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		lives := map[string]time.Duration{}
		for _, k := range w.Result().Cookies() {
			if k.MaxAge > 0 {
				lives[k.Name] = time.Duration(k.MaxAge) * time.Second
			}
		}
		return lives
	}
	const day = 24 * time.Hour
	for stay, lifetime := range map[string]time.Duration{"": day, "true": 90 * day} {
		have := post("/login", url.Values{
			"loginfmt": {u.UserPrincipalName}, "passwd": {"Correct horse 1!"}, "stay": {stay},
		})
		want := map[string]time.Duration{"gatehouse_tenant": lifetime, "gatehouse_tenant_known": 90 * day}
		if !maps.Equal(have, want) {
			t.Errorf("staying %q: %v, want %v", stay, have, want)
		}
	}
}
