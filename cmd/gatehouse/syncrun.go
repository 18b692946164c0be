package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/dirsync"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// sync runs cycles: one, or one after the other until it is told to stop.
func (w *world) sync(ctx context.Context, s *syncSettings, log *slog.Logger) (err error) {
	m := newSyncMetrics()
	out := &syncPrinter{out: w.out, asJSON: s.asJSON, dryRun: s.dryRun, live: !s.dryRun && !terminal.Is(w.err)}
	y, closeState, err := w.openSync(ctx, s, log, func(e provisioning.Entry) {
		m.entry(e)
		out.entry(e)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeState()) }()
	if s.metrics != "" {
		serve, err := listenForMetrics(ctx, s.metrics, log, &inbound.Health{}, m.collectors()...)
		if err != nil {
			return err
		}
		go serve(ctx)
	}
	done := func(r dirsync.Report, err error) {
		m.cycle(r, err)
		out.report(r, err)
	}
	if s.every > 0 {
		y.Run(ctx, dirsync.Pace{Every: s.every, Repair: s.repair, RepairEvery: s.repairEvery},
			func(r dirsync.Report, err error) {
				if done(r, err); err != nil && ctx.Err() == nil {
					log.Error("the cycle failed; the next cycle retries", "error", err)
				}
			})
		return nil
	}
	report, err := y.Cycle(ctx, s.repair)
	done(report, err)
	switch {
	case ctx.Err() != nil:
		return nil // told to stop; what is done is remembered
	case err != nil:
		return err
	case s.dryRun && report.Changes:
		return errChanges
	case report.Failed > 0:
		return fmt.Errorf("%d objects failed; the next run retries them", report.Failed)
	}
	return nil
}

// errChanges ends a dry run that found something to do.
var errChanges = errors.New("there are changes")

// syncPrinter prints entries: as they come, or after the cycle, by object, for a dry run and where
// a progress bar is drawn meanwhile.
type syncPrinter struct {
	out                  io.Writer
	asJSON, dryRun, live bool
	mu                   sync.Mutex // several requests are under way at once
}

// syncLine is what sync --json prints for each change. It is an interface: fields are added, never
// changed or removed.
type syncLine struct {
	Time     time.Time    `json:"time"`
	Cycle    string       `json:"cycle"`
	Kind     string       `json:"kind"`
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	TargetID string       `json:"target_id,omitempty"`
	Action   string       `json:"action"`
	Status   string       `json:"status"`
	Code     string       `json:"code,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Changes  []syncChange `json:"changes,omitempty"`
	Added    []string     `json:"added,omitempty"`
	Removed  []string     `json:"removed,omitempty"`
}

type syncChange struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// syncSummary is what it prints for each cycle.
type syncSummary struct {
	Cycle    string  `json:"cycle"`
	DryRun   bool    `json:"dry_run"`
	Full     bool    `json:"full"` // everything was read
	Read     int     `json:"read"`
	Created  int     `json:"created"`
	Updated  int     `json:"updated"`
	Disabled int     `json:"disabled"`
	Deleted  int     `json:"deleted"`
	Failed   int     `json:"failed"`
	Seconds  float64 `json:"seconds"`

	InStep    bool      `json:"in_step"` // the target is known to have what was read
	Since     time.Time `json:"since"`   // since when that is so, or not so
	Uncertain int       `json:"uncertain"`
	Failing   int       `json:"failing"`
	Pending   int       `json:"pending"`
}

// entry prints an entry as it comes.
func (p *syncPrinter) entry(e provisioning.Entry) {
	if !p.live {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print(e)
}

// report prints the objects that were not printed as they came, and sums the cycle up unless it
// failed.
func (p *syncPrinter) report(r dirsync.Report, err error) {
	if !p.live {
		for _, e := range r.Objects {
			p.print(e)
		}
	}
	if err == nil {
		p.summary(r)
	}
}

func (p *syncPrinter) print(e provisioning.Entry) {
	if p.asJSON {
		line := syncLine{
			Time:     e.Time.UTC(),
			Cycle:    e.Cycle,
			Kind:     string(e.Ref.Kind),
			ID:       e.Ref.ID,
			Name:     e.Name,
			TargetID: e.TargetID,
			Action:   string(e.Action),
			Status:   string(e.Outcome),
			Code:     e.Code,
			Reason:   e.Reason,
			Added:    e.Added,
			Removed:  e.Removed,
		}
		for _, c := range e.Changes {
			line.Changes = append(line.Changes, syncChange(c))
		}
		_ = json.NewEncoder(p.out).Encode(line) // whoever closes the output does not want it
		return
	}
	mark := map[provisioning.Action]string{
		provisioning.Create:       "+",
		provisioning.Update:       "~",
		provisioning.Disable:      "-",
		provisioning.Delete:       "-",
		provisioning.StagedDelete: "!",
	}[e.Action]
	if e.Outcome == provisioning.Failure || mark == "" {
		mark = "!"
	}
	fmt.Fprintf(
		p.out, " %s %-7s %-5s  %s\n", mark, e.Action, strings.ToLower(string(e.Ref.Kind)), terminal.Inline(e.Name),
	)
	if e.Outcome == provisioning.Failure || e.Code != "" {
		fmt.Fprintf(p.out, "     %s: %s\n", terminal.Inline(e.Code), terminal.Inline(e.Reason))
	} else if e.Reason == "taken over" || e.Action == provisioning.StagedDelete {
		fmt.Fprintf(p.out, "     %s\n", terminal.Inline(e.Reason))
	}
	if e.Action == provisioning.Update || e.Outcome == provisioning.Failure {
		for _, c := range e.Changes {
			fmt.Fprintf(p.out, "     %s: %s → %s\n", c.Path, shown(c.Old), shown(c.New))
		}
	}
	for _, m := range e.Added {
		fmt.Fprintf(p.out, "     + %s\n", terminal.Inline(m))
	}
	for _, m := range e.Removed {
		fmt.Fprintf(p.out, "     - %s\n", terminal.Inline(m))
	}
}

func shown(value string) string {
	if value == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", value)
}

func (p *syncPrinter) summary(r dirsync.Report) {
	sum := syncSummary{
		Cycle:    r.Cycle,
		DryRun:   p.dryRun,
		Full:     r.Full,
		Read:     r.Read,
		Created:  r.Created,
		Updated:  r.Updated,
		Disabled: r.Disabled,
		Deleted:  r.Deleted,
		Failed:   r.Failed,
		Seconds:  r.Took.Seconds(),

		InStep:    r.InStep.Equal,
		Since:     r.InStep.Since,
		Uncertain: r.InStep.Uncertain,
		Failing:   r.InStep.Failing,
		Pending:   r.InStep.Pending,
	}
	if p.asJSON {
		_ = json.NewEncoder(p.out).Encode(map[string]syncSummary{"summary": sum}) // as above
		return
	}
	took := r.Took.Round(time.Millisecond)
	if !p.dryRun && !r.InStep.Equal {
		defer fmt.Fprintf(
			p.out, "Not in step since %s: %d uncertain, %d failing, %d changes pending.\n",
			r.InStep.Since.UTC().Format(time.DateTime+" UTC"), sum.Uncertain, sum.Failing, sum.Pending,
		)
	}
	if !r.Changes {
		fmt.Fprintf(p.out, "Nothing to change. %d objects read in %s.\n", r.Read, took)
		return
	}
	would := ""
	if p.dryRun {
		would = "Dry run, nothing was changed: "
	}
	fmt.Fprintf(
		p.out, "\n%s%d created, %d changed, %d disabled, %d deleted, %d failed. %d objects read, %s in all.\n", would,
		sum.Created, sum.Updated, sum.Disabled, sum.Deleted, sum.Failed, r.Read, took,
	)
}

// syncMetrics are the metrics of sync.
type syncMetrics struct {
	objects   *prometheus.CounterVec
	cycles    *prometheus.CounterVec
	seconds   prometheus.Gauge
	succeeded prometheus.Gauge
	waiting   prometheus.Gauge
	behind    prometheus.GaugeFunc
	outOfStep *prometheus.GaugeVec
	standing  *atomic.Pointer[tenant.InStep] // after the last cycle
}

func newSyncMetrics() *syncMetrics {
	standing := &atomic.Pointer[tenant.InStep]{}
	standing.Store(&tenant.InStep{})
	return &syncMetrics{
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
				Help: "Seconds since the target was last known to have what was read; 0: it has.",
			},
			func() float64 { return standing.Load().Behind(time.Now()).Seconds() },
		),
		prometheus.NewGaugeVec(
			prometheus.GaugeOpts{
				Name: "gatehouse_sync_out_of_step",
				Help: "Objects whose last request has no answer (uncertain), that failed, and changes that wait " +
					"(pending).",
			},
			[]string{"why"},
		),
		standing,
	}
}

func (m *syncMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.objects, m.cycles, m.seconds, m.succeeded, m.waiting, m.behind, m.outOfStep}
}

func (m *syncMetrics) entry(e provisioning.Entry) {
	if e.Outcome != provisioning.Skipped {
		m.objects.WithLabelValues(string(e.Action), string(e.Outcome)).Inc()
	}
}

func (m *syncMetrics) cycle(r dirsync.Report, err error) {
	if !r.InStep.Since.IsZero() {
		m.standing.Store(&r.InStep)
		m.outOfStep.WithLabelValues("uncertain").Set(float64(r.InStep.Uncertain))
		m.outOfStep.WithLabelValues("failing").Set(float64(r.InStep.Failing))
		m.outOfStep.WithLabelValues("pending").Set(float64(r.InStep.Pending))
	}
	if err != nil {
		m.cycles.WithLabelValues("failed").Inc()
		return
	}
	m.cycles.WithLabelValues("succeeded").Inc()
	m.seconds.Set(r.Took.Seconds())
	m.succeeded.SetToCurrentTime()
	m.waiting.Set(float64(r.Failed))
}

// explainer adds to the command explain how a person is provisioned, with the settings of sync.
func (w *world) explainer() administer.Explainer {
	s := &syncSettings{}
	person := func(cmd *cobra.Command, name string, asJSON bool) error {
		s.asJSON = asJSON
		log, err := terminal.Logger(cmd, w.err, slog.LevelWarn)
		if err != nil {
			return err
		}
		return w.explainPerson(cmd.Context(), s, name, log)
	}
	return administer.Explainer{Flags: s.flags, Person: person}
}

// explainPerson prints the five steps of one person's provisioning, and changes nothing.
func (w *world) explainPerson(ctx context.Context, s *syncSettings, name string, log *slog.Logger) (err error) {
	y, closeState, err := w.openSync(ctx, s, log, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeState()) }()
	x, err := y.Explain(ctx, name)
	if err != nil {
		return err
	}
	if s.asJSON {
		return json.NewEncoder(w.out).Encode(x.Steps)
	}
	for i, step := range x.Steps {
		fmt.Fprintf(w.out, "%d  %-8s %s\n", i+1, step.Name, step.Status)
		if step.Reason != "" {
			fmt.Fprintf(w.out, "   %s\n", terminal.Inline(step.Reason))
		}
		for _, d := range step.Details {
			fmt.Fprintf(w.out, "   %-28s %s\n", terminal.Inline(d.Name), terminal.Inline(d.Value))
		}
	}
	return nil
}
