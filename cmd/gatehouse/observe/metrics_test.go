package observe_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

var quiet = slog.New(slog.DiscardHandler)

// TestMetricsBeyondThisMachineNeedTLSAndAToken asks with and without.
func TestMetricsBeyondThisMachineNeedTLSAndAToken(t *testing.T) {
	cert, key, pool := webtest.Certificate(t, t.TempDir(), "localhost")
	const token = "0123456789abcdef"
	for _, m := range []observe.Metrics{
		{Address: "0.0.0.0:0"},
		{Address: "0.0.0.0:0", Auth: token},
		{Address: "0.0.0.0:0", TLSCert: cert, TLSKey: key},
		{Address: "127.0.0.1:0", TLSCert: cert},
		{Address: "127.0.0.1:0", Auth: "short"},
		{Address: "127.0.0.1"},
	} {
		if _, err := m.Listen(t.Context(), quiet, &inbound.Health{}); err == nil {
			t.Errorf("%+v is taken", m)
		}
	}
	address := webtest.FreeAddress(t)
	m := observe.Metrics{Address: address, TLSCert: cert, TLSKey: key, Auth: token}
	courier := &chain.Courier{Name: "https://siem.example/"}
	courier.Oldest.Store(time.Now().Add(-time.Minute).UnixMilli())
	serve, err := m.Listen(
		t.Context(), quiet, &inbound.Health{}, observe.Certificate(cert),
		observe.AuditMetrics("center", &chain.Keeper{}, []*chain.Courier{courier}),
		observe.Pool(func() (sqldb.Pool, bool) { return sqldb.Pool{Used: 3}, true }),
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { serve(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	trusting := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting}}
	for authorization, want := range map[string]int{
		"": 401, "Bearer " + token + "x": 401, "Basic " + token: 401, "Bearer " + token: 200,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != want {
			t.Errorf("%q: %d, %v", authorization, res.StatusCode, err)
		}
		for _, name := range []string{
			"gatehouse_tls_certificate_expiry_timestamp_seconds 1", "gatehouse_store_connections_used 3",
			`gatehouse_audit_undelivered_seconds{half="center",to="https://siem.example/"} 60`, "go_goroutines",
		} {
			if strings.Contains(string(body), name) != (want == 200) {
				t.Errorf("%q: it tells %s: %s", authorization, name, body)
			}
		}
	}
}
