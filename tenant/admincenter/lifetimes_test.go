package admincenter_test

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

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant/admincenter"
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
	if err := tn.SetAdministrator(t.Context(), audit.SystemActor, "root", "Correct horse 1!"); err != nil {
		t.Fatal(err)
	}
	oneTime, err := tn.AddAdministrator(t.Context(), audit.SystemActor, "new")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	(&admincenter.Handler{Tenant: tn, Log: slog.New(slog.DiscardHandler)}).Mount(mux)
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
	for _, x := range []struct {
		name, password string
		want           map[string]time.Duration
	}{
		{"root", "Correct horse 1!", map[string]time.Duration{
			"gatehouse_admincenter": day, "gatehouse_admincenter_known": 90 * day,
		}},
		{"new", oneTime.Reveal(), map[string]time.Duration{
			"gatehouse_admincenter_ticket": 10 * time.Minute, "gatehouse_admincenter_known": 90 * day,
		}},
	} {
		have := post("/admin/login", url.Values{"username": {x.name}, "password": {x.password}})
		if !maps.Equal(have, x.want) {
			t.Errorf("%s: %v, want %v", x.name, have, x.want)
		}
	}
}
