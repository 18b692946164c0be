// Package telemetry counts what the two halves do, for Prometheus: requests, transactions of the
// database, and events. All names that become labels come from fixed sets, so that no stranger can
// make more of them.
//
// It may import audit.
package telemetry

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/audit"
)

// Half counts what one half does. Its methods may be called by many goroutines.
type Half struct {
	requests     *prometheus.CounterVec
	durations    *prometheus.HistogramVec
	transactions *prometheus.HistogramVec
	reruns       *prometheus.CounterVec
	failures     *prometheus.CounterVec
	events       *prometheus.CounterVec
	refusals     *prometheus.CounterVec
	signIns      *prometheus.CounterVec
	credentials  *prometheus.CounterVec
	swept        *prometheus.CounterVec
	cycles       *prometheus.CounterVec
	objects      *prometheus.CounterVec

	ofRequest sync.Map // counters by request: what a map of Prometheus's own costs more
	names     names
}

// names are what events of a half may be called by.
type names struct {
	actions, signIns, credentials map[string]bool

	checks, jobs, codes bounded
}

// bounded are names that come from outside, so many of which are told apart.
type bounded struct {
	mu    sync.Mutex
	known map[string]bool
}

// name is a name, or other where too many are known already.
func (b *bounded) name(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known[name] {
		if len(b.known) >= maxNames {
			return other
		}
		if b.known == nil {
			b.known = map[string]bool{}
		}
		b.known[name] = true
	}
	return name
}

// Names are the actions of a half's events, and which of them are sign-ins and which hand out
// credentials of roles.
type Names struct{ Actions, SignIns, Credentials []string }

// maxNames is how many names of a kind are told apart.
const maxNames = 60 //bound:memory checks of sign-ins, provisioning jobs and codes of failures that metrics tell apart

// New makes the counters of a half, under its name.
func New(half string, n Names) *Half {
	of := prometheus.Labels{"half": half}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "gatehouse_" + name, Help: help, ConstLabels: of}, labels,
		)
	}
	seconds := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gatehouse_" + name, Help: help, ConstLabels: of, Buckets: buckets,
		}, labels)
	}
	set := func(of []string) map[string]bool {
		all := map[string]bool{}
		for _, name := range of {
			all[name] = true
		}
		return all
	}
	return &Half{
		requests: counter(
			"http_requests_total", "Requests that were answered, by door, operation and status.", "door", "operation",
			"code",
		),
		durations: seconds(
			"http_request_duration_seconds", "How long requests took, by door and operation.",
			[]float64{.005, .025, .1, .5, 2.5, 10}, "door", "operation",
		),
		transactions: seconds(
			"store_transaction_seconds", "How long transactions of the database took, with what they waited for.",
			[]float64{.001, .005, .025, .1, .5, 2.5, 10}, "kind",
		),
		reruns: counter(
			"store_transaction_reruns_total",
			"Transactions that were run again, because others had changed the same.", "kind",
		),
		failures: counter(
			"store_transaction_failures_total", "Transactions that the database could not do.", "kind",
		),
		events: counter("audit_events_total", "Events of the audit log, by action and result.", "action", "result"),
		refusals: counter(
			"refusals_total", "Refusals of strangers that were only counted, beside their events.", "action",
		),
		signIns: counter(
			"sign_ins_total", "Sign-ins by kind and result; check is which one a message failed.", "kind", "result",
			"check",
		),
		credentials: counter("credentials_vended_total", "Times that credentials of a role were handed out.", "action"),
		swept:       counter("rows_swept_total", "Rows that were removed since they had expired, by kind.", "kind"),
		cycles: counter(
			"provisioning_cycles_total", "Cycles of provisioning jobs that this process has run, by result.", "job",
			"result",
		),
		objects: counter(
			"provisioning_objects_total",
			"Objects that a cycle has looked at, by action, status and, of a failure, its code.", "job", "action",
			"status", "code",
		),
		names: names{actions: set(n.Actions), signIns: set(n.SignIns), credentials: set(n.Credentials)},
	}
}

func (h *Half) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		h.requests, h.durations, h.transactions, h.reruns, h.failures, h.events, h.refusals, h.signIns, h.credentials,
		h.swept, h.cycles, h.objects,
	}
}

// Describe implements prometheus.Collector.
func (h *Half) Describe(out chan<- *prometheus.Desc) {
	for _, c := range h.collectors() {
		c.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (h *Half) Collect(out chan<- prometheus.Metric) {
	for _, c := range h.collectors() {
		c.Collect(out)
	}
}

// request is what requests are counted by.
type request struct {
	door, operation string
	status          int
}

// counted are the counters of one kind of request.
type counted struct {
	requests  prometheus.Counter
	durations prometheus.Observer
}

// Request counts a request. The door and the operation are from fixed sets.
func (h *Half) Request(door, operation string, status int, took time.Duration) {
	if status < 100 || status > 599 {
		status = 0
	}
	key := request{door, operation, status}
	at, ok := h.ofRequest.Load(key)
	if !ok {
		at, _ = h.ofRequest.LoadOrStore(key, counted{
			h.requests.WithLabelValues(door, operation, strconv.Itoa(status)),
			h.durations.WithLabelValues(door, operation),
		})
	}
	c, _ := at.(counted)
	c.requests.Inc()
	c.durations.Observe(took.Seconds())
}

// Transaction counts a transaction of the database: how long it took, how often it was begun, and
// whether the database failed.
func (h *Half) Transaction(kind string, took time.Duration, runs int, failed bool) {
	h.transactions.WithLabelValues(kind).Observe(took.Seconds())
	if runs > 1 {
		h.reruns.WithLabelValues(kind).Add(float64(runs - 1))
	}
	if failed {
		h.failures.WithLabelValues(kind).Inc()
	}
}

// other stands for what is in none of the fixed sets.
const other = "other"

// Event counts an event that was kept.
func (h *Half) Event(e audit.Event) {
	action := e.Action
	if !h.names.actions[action] {
		action = other
	}
	if e.Count > 0 { // it stands for many that have no event
		h.refusals.WithLabelValues(action).Add(float64(e.Count))
		return
	}
	h.events.WithLabelValues(action, e.Result).Inc()
	if h.names.signIns[e.Action] {
		h.signIns.WithLabelValues(action, e.Result, h.names.check(e)).Inc()
	}
	if h.names.credentials[e.Action] && e.Result == audit.Granted {
		h.credentials.WithLabelValues(action).Inc()
	}
}

// check is the check that a sign-in failed, or the code of its refusal.
func (n *names) check(e audit.Event) string {
	check := e.Check
	if check == "" {
		check = e.Code
	}
	if check == "" {
		return ""
	}
	return n.checks.name(check)
}

// Swept counts rows that were removed since they had expired.
func (h *Half) Swept(kind string, rows int) { h.swept.WithLabelValues(kind).Add(float64(rows)) }

// Cycle counts a cycle of a provisioning job.
func (h *Half) Cycle(job, result string) {
	h.cycles.WithLabelValues(h.names.jobs.name(job), result).Inc()
}

// Object counts an object that a cycle has looked at.
func (h *Half) Object(job, action, status, code string) {
	if code != "" {
		code = h.names.codes.name(code)
	}
	h.objects.WithLabelValues(h.names.jobs.name(job), action, status, code).Inc()
}
