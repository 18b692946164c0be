package dirsync

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Metrics are what Prometheus is told of a synchronizer.
type Metrics struct {
	objects   *prometheus.CounterVec
	cycles    *prometheus.CounterVec
	seconds   prometheus.Gauge
	succeeded prometheus.Gauge
	waiting   prometheus.Gauge
	behind    prometheus.GaugeFunc
	inStep    prometheus.GaugeFunc
	outOfStep *prometheus.GaugeVec
	strangers prometheus.Gauge
	standing  *atomic.Pointer[tenant.InStep] // after the last cycle
}

// NewMetrics makes the metrics of one synchronizer.
func NewMetrics() *Metrics {
	standing := &atomic.Pointer[tenant.InStep]{}
	standing.Store(&tenant.InStep{})
	return &Metrics{
		prometheus.NewCounterVec(
			prometheus.CounterOpts{
				Name: "gatehouse_sync_objects_total",
				Help: "Provisioned objects by action and status.",
			},
			[]string{"action", "status"},
		),
		prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "gatehouse_sync_cycles_total", Help: "Cycles by status."},
			[]string{"status"},
		),
		prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gatehouse_sync_cycle_seconds",
			Help: "How long the last cycle took.",
		}),
		prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gatehouse_sync_last_success_timestamp_seconds",
			Help: "When the last successful cycle ended, in Unix time.",
		}),
		prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gatehouse_sync_failed_objects",
			Help: "Objects that failed in the last cycle.",
		}),
		prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{
				Name: "gatehouse_sync_seconds_since_in_step",
				Help: "Seconds since the target was last known to have what the source has; 0: it has.",
			},
			func() float64 { return standing.Load().Behind(time.Now()).Seconds() },
		),
		prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{
				Name: "gatehouse_sync_in_step_since_timestamp_seconds",
				Help: "Since when the target is known to have what the source has, in Unix time; 0: it is not.",
			},
			func() float64 {
				if s := standing.Load(); s.Equal {
					return float64(s.Since.Unix())
				}
				return 0
			},
		),
		prometheus.NewGaugeVec(
			prometheus.GaugeOpts{
				Name: "gatehouse_sync_out_of_step",
				Help: "Objects whose last request has no answer (uncertain), that failed, changes that wait " +
					"(pending), objects of the source that cannot be read (unread), or are missing there and held " +
					"until a run with --remove-missing (missing), and 1 while the application is deleted (ended).",
			},
			[]string{"why"},
		),
		prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gatehouse_sync_groups_with_strangers",
			Help: "Groups with members whom somebody else has added, when an identity store was last compared.",
		}),
		standing,
	}
}

// Collectors are what is to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.objects, m.cycles, m.seconds, m.succeeded, m.waiting, m.behind, m.inStep, m.outOfStep, m.strangers,
	}
}

// Entry counts what was done to an object, or failed. It is for Config.OnEntry.
func (m *Metrics) Entry(e provisioning.Entry) {
	if e.Outcome != provisioning.Skipped {
		m.objects.WithLabelValues(string(e.Action), string(e.Outcome)).Inc()
	}
}

// Cycle notes how a cycle ended.
func (m *Metrics) Cycle(r Report, err error) {
	if !r.InStep.Since.IsZero() {
		m.standing.Store(&r.InStep)
		m.outOfStep.WithLabelValues("uncertain").Set(float64(r.InStep.Uncertain))
		m.outOfStep.WithLabelValues("failing").Set(float64(r.InStep.Failing))
		m.outOfStep.WithLabelValues("pending").Set(float64(r.InStep.Pending))
		m.outOfStep.WithLabelValues("unread").Set(float64(r.Unread))
		m.outOfStep.WithLabelValues("missing").Set(float64(r.Missing))
		m.outOfStep.WithLabelValues("ended").Set(map[bool]float64{true: 1}[r.Ended])
	}
	if err != nil {
		m.cycles.WithLabelValues("failed").Inc()
		return
	}
	m.cycles.WithLabelValues("succeeded").Inc()
	m.seconds.Set(r.Took.Seconds())
	if !r.Ended {
		m.succeeded.SetToCurrentTime()
	}
	m.waiting.Set(float64(r.Failed))
	if r.Compared {
		m.strangers.Set(float64(r.Strangers))
	}
}
