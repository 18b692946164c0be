package observe

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Metrics is where Prometheus asks.
type Metrics struct {
	Address               string
	TLSCert, TLSKey, Auth string
}

// Flags adds the flags.
func (m *Metrics) Flags(f *pflag.FlagSet, example string) {
	f.StringVar(
		&m.Address, "metrics", "",
		"address to serve Prometheus metrics at, such as "+example+" (default: none); beyond this machine it\n"+
			"needs --metrics-tls-cert, --metrics-tls-key and --metrics-token",
	)
	f.StringVar(&m.TLSCert, "metrics-tls-cert", "", "PEM `file` with the TLS certificate of --metrics")
	f.StringVar(&m.TLSKey, "metrics-tls-key", "", "PEM `file` with the TLS key of --metrics")
	f.StringVar(
		&m.Auth, "metrics-token", "",
		"token that who asks --metrics sends as Authorization: Bearer …; set it with GATEHOUSE_METRICS_TOKEN or\n"+
			"GATEHOUSE_METRICS_TOKEN_FILE, since other users of the machine can see flags",
	)
}

// minToken is how long a token is at least, in characters.
const minToken = 16 //bound:none how short, not how long

// scrapesAtOnce is enough for several Prometheus, and few while the database hangs.
const scrapesAtOnce = 8 //bound:queue answers with metrics under way

// check refuses what would tell strangers.
func (m *Metrics) check() error {
	host, _, err := net.SplitHostPort(m.Address)
	ip := net.ParseIP(host)
	switch {
	case err != nil:
		return fmt.Errorf("--metrics %q: use host:port, such as 127.0.0.1:9090", m.Address)
	case (m.TLSCert == "") != (m.TLSKey == ""):
		return errors.New("--metrics-tls-cert and --metrics-tls-key go together")
	case m.Auth != "" && len(m.Auth) < minToken:
		return fmt.Errorf("--metrics-token: use %d characters or more", minToken)
	case host != "localhost" && (ip == nil || !ip.IsLoopback()) && (m.TLSCert == "" || m.Auth == ""):
		return fmt.Errorf(
			"--metrics %q: use a loopback address with a port, such as 127.0.0.1:9090, or give --metrics-tls-cert, "+
				"--metrics-tls-key and --metrics-token: other machines can reach it",
			m.Address,
		)
	}
	return nil
}

// Listen listens there. What it returns answers Prometheus, and who asks whether the program is
// ready, until its context is done.
func (m *Metrics) Listen(
	ctx context.Context, log *slog.Logger, health *inbound.Health, own ...prometheus.Collector,
) (serve func(context.Context), err error) {
	if err := m.check(); err != nil {
		return nil, terminal.UsageError{Err: err}
	}
	registry := prometheus.NewRegistry()
	for _, c := range append(own, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector()) {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	var config *tls.Config
	if m.TLSCert != "" {
		if config, err = inbound.Certificate(m.TLSCert, m.TLSKey, log); err != nil {
			return nil, err
		}
	}
	l, err := inbound.Listen(ctx, m.Address, config, false)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.guarded(promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
	})))
	return func(ctx context.Context) {
		if err := l.Serve(ctx, inbound.Service{Handler: mux, Health: health, Log: log}); err != nil {
			log.ErrorContext(ctx, "serve metrics", "error", err)
		}
	}, nil
}

// guarded lets in who has the token, where there is one.
func (m *Metrics) guarded(next http.Handler) http.Handler {
	if m.Auth == "" {
		return next
	}
	want := []byte("Bearer " + m.Auth)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the token of --metrics-token is missing or another one", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// auditMetrics tells of the chain of an audit log and of what is handed on.
type auditMetrics struct {
	keeper                                      *chain.Keeper
	couriers                                    []*chain.Courier
	chained, waiting, oldest, delivered, failed *prometheus.Desc
}

// AuditMetrics are the metrics of a half's audit log.
func AuditMetrics(half string, k *chain.Keeper, couriers []*chain.Courier) prometheus.Collector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("gatehouse_audit_"+name, help, labels, prometheus.Labels{"half": half})
	}
	return &auditMetrics{
		keeper: k, couriers: couriers,
		chained:   describe("chained_total", "Events that this process has put into the chain."),
		waiting:   describe("undelivered", "Events that are chained and that a receiver does not have.", "to"),
		oldest:    describe("undelivered_seconds", "How long the oldest of them has waited; 0: there is none.", "to"),
		delivered: describe("delivered_total", "Events that this process has handed to a receiver.", "to"),
		failed:    describe("delivery_failures_total", "Times that a receiver did not take events.", "to"),
	}
}

// Describe implements prometheus.Collector.
func (m *auditMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.chained, m.waiting, m.oldest, m.delivered, m.failed} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *auditMetrics) Collect(out chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	tell(m.chained, prometheus.CounterValue, float64(m.keeper.Figures.Events()))
	for _, c := range m.couriers {
		tell(m.waiting, prometheus.GaugeValue, float64(c.Waiting.Load()), c.Name)
		waited := 0.0
		if at := c.Oldest.Load(); at > 0 {
			waited = max(0, time.Since(time.UnixMilli(at)).Seconds())
		}
		tell(m.oldest, prometheus.GaugeValue, waited, c.Name)
		tell(m.delivered, prometheus.CounterValue, float64(c.Delivered.Load()), c.Name)
		tell(m.failed, prometheus.CounterValue, float64(c.Failures.Load()), c.Name)
	}
}
