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

	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// serveMetrics answers Prometheus at a loopback address until ctx is done.
func serveMetrics(ctx context.Context, address string, log *slog.Logger, own ...prometheus.Collector) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || (host != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return terminal.UsageError{Err: fmt.Errorf(
			"--metrics %q: use a loopback address with a port, such as 127.0.0.1:9090, since it asks for no "+
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
