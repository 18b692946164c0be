package metrics_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/metrics"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/saml"
)

// gathered is what Prometheus is told: the values by the names without their prefix, and the last
// profile that is among the labels.
func gathered(t *testing.T, c *center.Center) (values map[string]float64, profile string) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.New(c))
	answer := httptest.NewRecorder()
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	values = map[string]float64{}
	sample := regexp.MustCompile(
		`(?m)^gatehouse_(\w+)(?:\{profile="(\w+)",token_id="[^"]+"\}|\{thumbprint="\w+"\}|` +
			`\{state="(?:PENDING|TO_REVIEW)"\})? (\S+)$`,
	)
	for _, m := range sample.FindAllStringSubmatch(answer.Body.String(), -1) {
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		values[m[1]] = max(value, values[m[1]])
		if m[2] != "" {
			profile = m[2]
		}
	}
	return values, profile
}

func TestATokensExpiryIsTold(t *testing.T) {
	t.Parallel()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "center.db"))
	if err != nil {
		t.Fatal(err)
	}
	c := centertest.On(t, s, "http://127.0.0.1")
	if m, _ := gathered(t, c); len(m) != 4 || m["store_up"] != 1 || m["standing_administrators"] != 0 {
		t.Errorf("without tokens: %v", m)
	}
	centertest.Provisioned(t, c, center.ProfileStandard)
	m, profile := gathered(t, c)
	left := m["scim_token_days_left"]
	expiry := time.Unix(int64(m["scim_token_expiry_timestamp_seconds"]), 0)
	if left < 300 || time.Until(expiry).Hours()/24 < left || profile != string(center.ProfileStandard) {
		t.Errorf("%v days are left until %v, profile %q", left, expiry, profile)
	}
	if used, told := m["scim_token_last_used_timestamp_seconds"]; used != 0 || !told {
		t.Errorf("a token that was never used was used at %v", used)
	}
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ImportIdPCertificate(t.Context(), centertest.Actor, key.Certificate.Raw); err != nil {
		t.Fatal(err)
	}
	m, _ = gathered(t, c)
	if end := time.Unix(int64(m["idp_certificate_expiry_timestamp_seconds"]), 0); time.Until(end) <= 0 {
		t.Errorf("the identity provider's certificate ends %v", end)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if m, _ := gathered(t, c); len(m) != 1 || m["store_up"] != 0 {
		t.Errorf("without a database: %v", m)
	}
}

// TestStandingAdministratorsAreCounted: who has AdministratorAccess in an account counts once.
func TestStandingAdministratorsAreCounted(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	ada := s.NewPerson("ada@example.com")
	set := s.Assigned(ada, "111122223333", "Admin")
	if err := s.AttachManagedPolicy(
		t.Context(), centertest.Actor, set.ARN, "arn:aws:iam::aws:policy/AdministratorAccess",
	); err != nil {
		t.Fatal(err)
	}
	if m, _ := gathered(t, s.Center); m["standing_administrators"] != 1 {
		t.Errorf("the metrics are %v", m)
	}
}

// TestRequestsForAccessAreCounted: those that wait, and how long approval took.
func TestRequestsForAccessAreCounted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := centertest.Requests(t, centertest.New(t, "http://127.0.0.1"))
	now := time.Now()
	w.Now = func() time.Time { return now }
	r, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask())
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := gathered(t, w.Center); m["access_requests"] != 1 {
		t.Errorf("while it waits: %v", m)
	}
	now = now.Add(90 * time.Second)
	if _, err := w.ApproveAccess(ctx, w.By(w.Grace), w.Grace.ID, r.ID, ""); err != nil {
		t.Fatal(err)
	}
	if m, _ := gathered(t, w.Center); m["access_requests"] != 0 || m["access_approval_seconds_median"] != 90 {
		t.Errorf("when it is approved: %v", m)
	}
}
