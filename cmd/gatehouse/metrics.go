package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/inbound"
)

// centerMetrics reads what Prometheus asks for at the moment when it asks.
type centerMetrics struct {
	center                        *center.Center
	expires, daysLeft, used, fail *prometheus.Desc
}

func newCenterMetrics(c *center.Center) *centerMetrics {
	labels := []string{"token_id", "profile"}
	return &centerMetrics{c,
		prometheus.NewDesc(
			"gatehouse_scim_token_expiry_timestamp_seconds", "When a SCIM access token expires, in Unix time.",
			labels, nil,
		),
		prometheus.NewDesc(
			"gatehouse_scim_token_days_left", "Whole days until a SCIM access token expires; negative afterwards.",
			labels, nil,
		),
		prometheus.NewDesc(
			"gatehouse_scim_token_last_used_timestamp_seconds",
			"When a SCIM access token was used last, to the minute; 0: never.", labels, nil,
		),
		prometheus.NewDesc("gatehouse_store_up", "Whether the database answered.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *centerMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.expires, m.daysLeft, m.used, m.fail} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *centerMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	tokens, err := m.center.BearerTokens(context.Background())
	if err != nil {
		gauge(m.fail, 0)
		return
	}
	gauge(m.fail, 1)
	for _, t := range tokens {
		profile := string(center.ProfileAWS)
		if t.Standard() {
			profile = string(center.ProfileStandard)
		}
		gauge(m.expires, float64(t.ExpiresAt.Unix()), t.ID, profile)
		gauge(m.daysLeft, float64(t.DaysLeft(m.center.Now())), t.ID, profile)
		used := 0.0
		if !t.LastUsedAt.IsZero() {
			used = float64(t.LastUsedAt.Unix())
		}
		gauge(m.used, used, t.ID, profile)
	}
}

// serveMetrics answers Prometheus at a loopback address until ctx is done.
func serveMetrics(ctx context.Context, address string, log *slog.Logger, own ...prometheus.Collector) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || (host != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return usageError{
			fmt.Errorf(
				"--metrics %q: want a loopback address with a port, such as 127.0.0.1:9090, since it asks for no "+
					"password",
				address,
			),
		}
	}
	l, err := inbound.Listen(ctx, address, nil, false)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(own...)
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	go func() {
		if err := l.Serve(ctx, mux, log); err != nil {
			log.Error("serve metrics", "error", err)
		}
	}()
	return nil
}
