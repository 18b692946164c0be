// Package metrics tells Prometheus of a tenant: how its provisioning jobs stand, and whether its
// database answers.
//
// It may import tenant.
package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// collector reads what Prometheus asks for at the moment when it asks.
type collector struct {
	tenant               *tenant.Tenant
	behind, objects, up  *prometheus.Desc
	quarantine, compared *prometheus.Desc
}

// New returns the metrics of a tenant.
func New(t *tenant.Tenant) prometheus.Collector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("gatehouse_"+name, help, labels, nil)
	}
	return &collector{
		tenant: t,
		behind: describe(
			"provisioning_seconds_since_in_step",
			"Seconds since a target was last known to have what the directory has; 0: it has.", "job",
		),
		objects: describe(
			"provisioning_out_of_step",
			"Objects whose last request has no answer (uncertain), that failed, and changes that wait (pending).",
			"job", "why",
		),
		quarantine: describe("provisioning_quarantine", "Whether a job is in quarantine.", "job"),
		compared: describe(
			"provisioning_compared_timestamp_seconds",
			"When everything was last compared with what the target has, in Unix time; 0: never.", "job",
		),
		up: describe("tenant_store_up", "Whether the database answered."),
	}
}

// Describe implements prometheus.Collector.
func (m *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.behind, m.objects, m.quarantine, m.compared, m.up} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx := context.Background()
	jobs, err := m.tenant.Jobs(ctx, "")
	for _, j := range jobs {
		s, failed := m.tenant.InStep(ctx, j.ID)
		if failed != nil {
			err = failed
			break
		}
		id := string(j.ID)
		gauge(m.behind, s.Behind(m.tenant.Now()).Seconds(), id)
		gauge(m.objects, float64(s.Uncertain), id, "uncertain")
		gauge(m.objects, float64(s.Failing), id, "failing")
		gauge(m.objects, float64(s.Pending), id, "pending")
		gauge(m.quarantine, truth(j.Quarantine != nil), id)
		compared := 0.0
		if !s.ComparedAt.IsZero() {
			compared = float64(s.ComparedAt.Unix())
		}
		gauge(m.compared, compared, id)
	}
	gauge(m.up, truth(err == nil))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
