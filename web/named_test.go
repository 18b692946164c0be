package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/web"
)

// TestAnswersAreToldByWhatIsMounted: no name is what somebody has sent.
func TestAnswersAreToldByWhatIsMounted(t *testing.T) {
	var told []string
	var statuses []int
	mux := http.NewServeMux()
	mux.HandleFunc("GET /start/{page}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /5995c221-9fe7-4b63-ada5-c7b3abdac120/saml2", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		web.Name(r.Context(), "sso", "ListInstances")
		web.Name(r.Context(), "sso", "another within it")
		w.WriteHeader(http.StatusTeapot)
	})
	h := web.Middleware(mux, web.Options{
		Log: slog.New(slog.DiscardHandler),
		Observe: func(door, operation string, status int, took time.Duration) {
			told, statuses = append(told, door+": "+operation), append(statuses, status)
			if took < 0 {
				t.Error(took)
			}
		},
	})
	for i, x := range []struct {
		method, path, want string
		status             int
	}{
		{"GET", "/start/anything", "start: GET /start/{page}", 200},
		{"GET", "/start/else", "start: GET /start/{page}", 200},
		{"GET", "/5995c221-9fe7-4b63-ada5-c7b3abdac120/saml2", "saml2: GET /{id}/saml2", 200},
		{"POST", "/", "sso: ListInstances", 418},
		{"GET", "/nowhere/anything", "none: none", 404},
		{"PURGE", "/start/x", "none: none", 405},
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(x.method, x.path, nil))
		if len(told) != i+1 || told[i] != x.want || statuses[i] != x.status {
			t.Errorf("%s %s: %q, %d", x.method, x.path, told[i:], statuses[i:])
		}
	}
}
