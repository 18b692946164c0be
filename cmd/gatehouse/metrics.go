package main

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/telemetry/tracing"
)

// serveMetrics serves a half's own metrics, if that is wanted, as long as the half serves.
func (h *half) serveMetrics(ctx context.Context, m *observe.Metrics, own ...prometheus.Collector) error {
	if m.Address == "" {
		return nil
	}
	serve, err := m.Listen(ctx, h.log, &h.health, own...)
	if err == nil {
		h.background = append(h.background, serve)
	}
	return err
}

// follow begins to send traces of a half, if that is wanted, and has its log name them. end is
// called when the half has ended.
func (h *half) follow(
	ctx context.Context, env func(string) (string, bool), name string, alone bool,
) (end func(), err error) {
	of := tracing.Service{Name: "gatehouse-" + name, Version: stamp().Version}
	h.trace, err = h.traces.Open(ctx, env, of, alone, h.log)
	h.log = h.trace.Log(h.log)
	return h.trace.Close, err
}

// serveMetricsOf serves the metrics of a command that looks again and again.
func (w *world) serveMetricsOf(
	ctx context.Context, address string, own prometheus.Collector,
) (func(context.Context), error) {
	log := slog.New(slog.NewTextHandler(w.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return (&observe.Metrics{Address: address}).Listen(ctx, log, &inbound.Health{}, own)
}
