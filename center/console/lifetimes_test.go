package console_test

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/console"
)

// TestCookiesLiveAsLongAsWhatTheyName: the session's, the ticket's of a sign-in under way, and the
// mark of a browser that is known.
func TestCookiesLiveAsLongAsWhatTheyName(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	if err := c.SetAdministrator(t.Context(), audit.SystemActor, "root", "Correct horse 1!"); err != nil {
		t.Fatal(err)
	}
	oneTime, err := c.AddAdministrator(t.Context(), audit.SystemActor, "new")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	(&console.Handler{Center: c, Log: slog.New(slog.DiscardHandler)}).Mount(mux)
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
			"gatehouse_console": 8 * time.Hour, "gatehouse_console_known": 90 * day,
		}},
		{"new", oneTime.Reveal(), map[string]time.Duration{"gatehouse_console_ticket": 10 * time.Minute}},
	} {
		have := post("/console/login", url.Values{"username": {x.name}, "password": {x.password}})
		if !maps.Equal(have, x.want) {
			t.Errorf("%s: %v, want %v", x.name, have, x.want)
		}
	}
}
