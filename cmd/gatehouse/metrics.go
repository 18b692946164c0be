package main

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/inbound"
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

// serveMetricsOf serves the metrics of a command that looks again and again.
func (w *world) serveMetricsOf(
	ctx context.Context, address string, own prometheus.Collector,
) (func(context.Context), error) {
	log := slog.New(slog.NewTextHandler(w.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return (&observe.Metrics{Address: address}).Listen(ctx, log, &inbound.Health{}, own)
}
