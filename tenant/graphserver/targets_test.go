package graphserver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestWhatATestedTargetAnswersIsNotToldOn: the class of its status and a bounded reason, no more.
func TestWhatATestedTargetAnswersIsNotToldOn(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	secret := strings.Repeat("s", 5000)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a page that is no SCIM": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("AKIA-" + secret))
		}, "does not answer as a SCIM service"},
		"an error's body": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "AKIA-"+secret, http.StatusTeapot)
		}, "400 to 499"},
		"a detail that is long": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte(`{"detail":"\u001b]52;c;x\u0007 ` + secret + `AKIA-"}`))
		}, "500 to 599"},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("AKIA-" + secret + "\r\n\r\n"))
				_ = conn.Close()
			}
		}, "does not answer as"},
		"another reason of the status": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("HTTP/1.1 404 AKIA-" + secret + "\r\nContent-Length: 0\r\n\r\n"))
				_ = conn.Close()
			}
		}, "400 to 499"},
		"a wrong token": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
		}, "does not accept the secret token"},
	} {
		server := httptest.NewServer(c.answer)
		status, _, text := e.Ask(
			http.MethodPost,
			"/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/synchronization/jobs/"+e.Tenant.JobID+
				"/validateCredentials",
			graph.ValidateCredentials{
				Credentials: []graph.KeyValue{
					{Key: "BaseAddress", Value: server.URL},
					{Key: "SecretToken", Value: "given"},
				},
			},
		)
		server.Close()
		if status != http.StatusBadRequest || !strings.Contains(text, c.want) || strings.Contains(text, "AKIA") ||
			strings.Contains(text, `\u001b`) ||
			len(text) > 1000 {
			t.Errorf("%s: %d %.1500s", name, status, text)
		}
	}
}
