// Package metrics tells Prometheus of a tenant: how its provisioning jobs stand, and whether its
// database answers.
//
// It may import tenant.
package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// collector reads what Prometheus asks for at the moment when it asks.
type collector struct {
	tenant               *tenant.Tenant
	behind, objects, up  *prometheus.Desc
	inStep               *prometheus.Desc
	quarantine, compared *prometheus.Desc
	cycle, took, failed  *prometheus.Desc
	lease, certificate   *prometheus.Desc
	sessions, secret     *prometheus.Desc

	mu       sync.Mutex
	open     int // sessions, when they were counted
	openedAt time.Time
}

// countedEach is how often sessions are counted, however often Prometheus asks.
const countedEach = 30 * time.Second //bound:none how often, not how much

// scrapeTimeout is within what Prometheus waits.
const scrapeTimeout = 8 * time.Second //bound:wait what one scrape asks the database of a tenant

// countSessions counts those that are open, not more often than that.
func (m *collector) countSessions(r tenant.Reader) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.openedAt.IsZero() && time.Since(m.openedAt) < countedEach {
		return m.open, nil
	}
	n, err := r.CountSessions(m.tenant.Now())
	if err == nil {
		m.open, m.openedAt = n, time.Now()
	}
	return n, err
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
		inStep: describe(
			"provisioning_in_step_since_timestamp_seconds",
			"Since when a target is known to have what the directory has, in Unix time; 0: it is not known to.", "job",
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
		cycle: describe(
			"provisioning_last_cycle_timestamp_seconds", "When the last cycle of a job ended, in Unix time.", "job",
		),
		took: describe("provisioning_last_cycle_seconds", "How long the last cycle of a job took.", "job"),
		failed: describe(
			"provisioning_failed_cycles", "Cycles in a row that could not be done; 0: the last one was.", "job",
		),
		lease: describe("provisioning_lease_held", "Whether a node works on a job at the moment.", "job"),
		certificate: describe(
			"signing_certificate_expiry_timestamp_seconds",
			"When the certificate that signs for an application expires, in Unix time.", "application",
		),
		secret: describe(
			"client_secret_expiry_timestamp_seconds",
			"When a secret by which an application proves itself expires, in Unix time.", "application", "key_id",
		),
		sessions: describe(
			"tenant_sessions", "Sessions of people and administrators that are open; counted every 30 seconds.",
		),
		up: describe("tenant_store_up", "Whether the database answered."),
	}
}

// Describe implements prometheus.Collector.
func (m *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.behind, m.inStep, m.objects, m.quarantine, m.compared, m.up, m.cycle, m.took,
		m.failed, m.lease, m.certificate, m.sessions, m.secret} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, done := context.WithTimeout(context.Background(), scrapeTimeout) // Prometheus hands none over
	defer done()
	jobs, err := m.tenant.Jobs(ctx, "")
	for _, j := range jobs {
		s, failed := m.tenant.InStep(ctx, j.ID)
		if failed != nil {
			err = failed
			break
		}
		id := string(j.ID)
		gauge(m.behind, s.Behind(m.tenant.Now()).Seconds(), id)
		inStep := 0.0
		if s.Equal {
			inStep = float64(s.Since.Unix())
		}
		gauge(m.inStep, inStep, id)
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
	for _, j := range jobs {
		id := string(j.ID)
		gauge(m.failed, float64(j.Failures), id)
		if j.Last != nil {
			gauge(m.cycle, float64(j.Last.Ended.Unix()), id)
			gauge(m.took, j.Last.Ended.Sub(j.Last.Began).Seconds(), id)
		}
	}
	m.collectMore(ctx, gauge)
}

// collectMore tells of leases, certificates, secrets and sessions. What the database does not say
// is left out: that it does not is told elsewhere.
func (m *collector) collectMore(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	_ = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		leases, err := r.JobLeases()
		if err != nil {
			return err
		}
		for _, l := range leases {
			gauge(m.lease, truth(l.Owner != ""), string(l.JobID))
		}
		n, err := m.countSessions(r)
		if err == nil {
			gauge(m.sessions, float64(n))
		}
		return err
	})
	applications, err := m.tenant.Applications(ctx)
	if err != nil {
		return
	}
	for _, a := range applications {
		if k, err := a.SigningKeyOf(m.tenant.Now()); err == nil {
			gauge(m.certificate, float64(k.NotAfter.Unix()), string(a.ServicePrincipalID))
		}
		for _, p := range slices.Concat(a.Passwords, a.PrincipalPasswords) {
			gauge(m.secret, float64(p.End.Unix()), string(a.AppID), p.KeyID)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
