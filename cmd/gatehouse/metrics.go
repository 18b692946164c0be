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

// serveMetrics serves a half's own metrics at an address, if there is one, as long as the half
// serves.
func (h *half) serveMetrics(ctx context.Context, address string, own prometheus.Collector) error {
	if address == "" {
		return nil
	}
	serve, err := listenForMetrics(ctx, address, h.log, &h.health, own)
	if err == nil {
		h.background = append(h.background, serve)
	}
	return err
}

// listenForMetrics listens at a loopback address. What it returns answers Prometheus there, and who
// asks whether the program is ready, until its context is done.
func listenForMetrics(
	ctx context.Context, address string, log *slog.Logger, health *inbound.Health, own ...prometheus.Collector,
) (serve func(context.Context), err error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || (host != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return nil, terminal.UsageError{Err: fmt.Errorf(
			"--metrics %q: use a loopback address with a port, such as 127.0.0.1:9090, since it asks for no "+
				"password",
			address,
		),
		}
	}
	l, err := inbound.Listen(ctx, address, nil, false)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(own...)
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return func(ctx context.Context) {
		if err := l.Serve(ctx, inbound.Service{Handler: mux, Health: health, Log: log}); err != nil {
			log.Error("serve metrics", "error", err)
		}
	}, nil
}

// serveMetricsOf serves the metrics of a command that looks again and again.
func (w *world) serveMetricsOf(
	ctx context.Context, address string, own prometheus.Collector,
) (func(context.Context), error) {
	log := slog.New(slog.NewTextHandler(w.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return listenForMetrics(ctx, address, log, &inbound.Health{}, own)
}
