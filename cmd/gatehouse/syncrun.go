package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
)

// sync runs cycles: one, or one after the other until it is told to stop.
func (w *world) sync(ctx context.Context, s *syncSettings, log *slog.Logger) (err error) {
	y, err := w.openSync(ctx, s, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, y.close()) }()
	m := newSyncMetrics()
	if s.metrics != "" {
		if err := serveMetrics(ctx, s.metrics, log, m.collectors()...); err != nil {
			return err
		}
	}
	repaired := time.Now()
	for {
		repair := s.repair
		if s.repairEvery > 0 && time.Since(repaired) >= s.repairEvery {
			repair, repaired = true, time.Now()
		}
		result, err := w.syncOnce(ctx, y, m, repair)
		switch {
		case ctx.Err() != nil:
			return nil // told to stop; what is done is remembered
		case s.every == 0 && err == nil && s.dryRun && result.Exported()+result.Failed > 0:
			return errChanges
		case s.every == 0 && err == nil && result.Failed > 0:
			return fmt.Errorf("%d objects failed; they are tried again by the next run", result.Failed)
		case s.every == 0:
			return err
		case err != nil:
			log.Error("the cycle failed; the next one tries again", "error", err)
		}
		select {
		case <-time.After(s.every):
		case <-ctx.Done():
			return nil
		}
	}
}

// errChanges ends a dry run that found something to do.
var errChanges = errors.New("there are changes")

// syncOnce reads what has changed and runs a cycle.
func (w *world) syncOnce(
	ctx context.Context, y *synchronizer, m *syncMetrics, repair bool,
) (provisioning.Result, error) {
	began := time.Now()
	out := &syncPrinter{
		out:    w.out,
		asJSON: y.settings.asJSON,
		live:   !y.settings.dryRun && !terminal(w.err),
		done:   map[provisioning.Ref]provisioning.Entry{},
	}
	bar := w.counter("read")
	y.mirror.Progress = func(n int) { _ = bar.Set(n) } // only a display
	pulled, err := y.pull(ctx)
	_ = bar.Finish()
	if err != nil {
		m.failed(err)
		return provisioning.Result{}, fmt.Errorf("read %s: %w", y.settings.source.graphURL, err)
	}
	engine, err := y.engine()
	if err != nil {
		return provisioning.Result{}, err
	}
	engine.Reread = repair
	engine.OnEntry = func(e provisioning.Entry) {
		m.entry(e)
		out.entry(e)
	}
	draw := w.bar("sync")
	engine.Progress = func(p provisioning.Progress) { draw(p.Done, p.Total) }
	var result provisioning.Result
	if y.settings.dryRun {
		result, err = engine.Run(ctx)
	} else {
		result, err = y.runner.Cycle(ctx, y.job, engine)
	}
	out.flush()
	if err != nil {
		m.failed(err)
		var failed *syncjobs.CycleError
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return result, fmt.Errorf("write %s: %w", y.settings.to, err)
	}
	m.cycle(result, time.Since(began))
	out.summary(result, pulled.Full, pulled.Objects, time.Since(began), y.settings.dryRun)
	return result, nil
}

// syncPrinter prints entries: as they come, or after the cycle, by object, for a dry run and where
// a progress bar is drawn meanwhile.
type syncPrinter struct {
	out    io.Writer
	asJSON bool
	live   bool
	mu     sync.Mutex // several requests are under way at once
	done   map[provisioning.Ref]provisioning.Entry
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
}

// entry prints an entry.
func (p *syncPrinter) entry(e provisioning.Entry) {
	if e.Outcome == provisioning.Skipped && e.Code == "" && e.Action != provisioning.StagedDelete {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live {
		p.print(e)
	}
	first, seen := p.done[e.Ref]
	if !seen {
		p.done[e.Ref] = e
		return
	}
	first.Added, first.Removed = append(first.Added, e.Added...), append(first.Removed, e.Removed...)
	if first.Action != provisioning.Create {
		first.Changes = append(first.Changes, e.Changes...)
	}
	if e.Outcome == provisioning.Failure {
		first.Outcome = e.Outcome
		first.Code = e.Code
		first.Reason = e.Reason
	}
	p.done[e.Ref] = first
}

// flush prints what was not printed as it came: users before groups, by their names.
func (p *syncPrinter) flush() {
	if p.live {
		return
	}
	list := slices.SortedFunc(maps.Values(p.done), func(a, b provisioning.Entry) int {
		return cmp.Or(
			-strings.Compare(string(a.Ref.Kind), string(b.Ref.Kind)), strings.Compare(a.Name, b.Name),
			strings.Compare(a.Ref.ID, b.Ref.ID),
		)
	})
	for _, e := range list {
		slices.Sort(e.Added)
		slices.Sort(e.Removed)
		p.print(e)
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
	fmt.Fprintf(p.out, " %s %-7s %-5s  %s\n", mark, e.Action, strings.ToLower(string(e.Ref.Kind)), inline(e.Name))
	if e.Outcome == provisioning.Failure || e.Code != "" {
		fmt.Fprintf(p.out, "     %s: %s\n", inline(e.Code), inline(e.Reason))
	} else if e.Reason == "taken over" || e.Action == provisioning.StagedDelete {
		fmt.Fprintf(p.out, "     %s\n", inline(e.Reason))
	}
	if e.Action == provisioning.Update || e.Outcome == provisioning.Failure {
		for _, c := range e.Changes {
			fmt.Fprintf(p.out, "     %s: %s → %s\n", c.Path, shown(c.Old), shown(c.New))
		}
	}
	for _, m := range e.Added {
		fmt.Fprintf(p.out, "     + %s\n", inline(m))
	}
	for _, m := range e.Removed {
		fmt.Fprintf(p.out, "     - %s\n", inline(m))
	}
}

func shown(value string) string {
	if value == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", value)
}

// summary counts objects, not requests: one whose attributes and members change counts once.
func (p *syncPrinter) summary(r provisioning.Result, full bool, read int, took time.Duration, dryRun bool) {
	sum := syncSummary{Cycle: r.Cycle, DryRun: dryRun, Full: full, Read: read, Seconds: took.Seconds()}
	for _, e := range p.done {
		switch {
		case e.Outcome == provisioning.Failure:
			sum.Failed++
		case e.Action == provisioning.Create:
			sum.Created++
		case e.Action == provisioning.Update:
			sum.Updated++
		case e.Action == provisioning.Disable:
			sum.Disabled++
		case e.Action == provisioning.Delete:
			sum.Deleted++
		}
	}
	if p.asJSON {
		_ = json.NewEncoder(p.out).Encode(map[string]syncSummary{"summary": sum}) // as above
		return
	}
	if r.Exported()+r.Failed == 0 {
		fmt.Fprintf(p.out, "Nothing to change. %d objects read in %s.\n", read, took.Round(time.Millisecond))
		return
	}
	would := ""
	if dryRun {
		would = "Dry run, nothing was changed: "
	}
	fmt.Fprintf(
		p.out, "\n%s%d created, %d changed, %d disabled, %d deleted, %d failed. %d objects read, %s in all.\n", would,
		sum.Created, sum.Updated, sum.Disabled, sum.Deleted, sum.Failed, read, took.Round(time.Millisecond),
	)
}

// syncMetrics are the metrics of sync.
type syncMetrics struct {
	objects   *prometheus.CounterVec
	cycles    *prometheus.CounterVec
	seconds   prometheus.Gauge
	succeeded prometheus.Gauge
	waiting   prometheus.Gauge
}

func newSyncMetrics() *syncMetrics {
	return &syncMetrics{
		prometheus.NewCounterVec(
			prometheus.CounterOpts{
				Name: "gatehouse_sync_objects_total",
				Help: "Objects that were provisioned, by what was done and how it went.",
			},
			[]string{"action", "status"},
		),
		prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "gatehouse_sync_cycles_total", Help: "Cycles, by how they went."},
			[]string{"status"},
		),
		prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gatehouse_sync_cycle_seconds",
			Help: "How long the last cycle took.",
		}),
		prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gatehouse_sync_last_success_timestamp_seconds",
			Help: "When the last cycle that could be done ended, in Unix time.",
		}),
		prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gatehouse_sync_failed_objects",
			Help: "Objects that failed in the last cycle.",
		}),
	}
}

func (m *syncMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.objects, m.cycles, m.seconds, m.succeeded, m.waiting}
}

func (m *syncMetrics) entry(e provisioning.Entry) {
	if e.Outcome != provisioning.Skipped {
		m.objects.WithLabelValues(string(e.Action), string(e.Outcome)).Inc()
	}
}

func (m *syncMetrics) failed(error) { m.cycles.WithLabelValues("failed").Inc() }

func (m *syncMetrics) cycle(r provisioning.Result, took time.Duration) {
	m.cycles.WithLabelValues("succeeded").Inc()
	m.seconds.Set(took.Seconds())
	m.succeeded.SetToCurrentTime()
	m.waiting.Set(float64(r.Failed))
}

// explainPerson prints the five steps of one person's provisioning, and changes nothing.
func (w *world) explainPerson(ctx context.Context, s *syncSettings, name string, log *slog.Logger) (err error) {
	s.dryRun = true
	y, err := w.openSync(ctx, s, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, y.close()) }()
	bar := w.counter("read")
	y.mirror.Progress = func(n int) { _ = bar.Set(n) } // only a display
	_, err = y.pull(ctx)
	_ = bar.Finish()
	if err != nil {
		return fmt.Errorf("read %s: %w", s.source.graphURL, err)
	}
	u, err := y.tenant.User(ctx, name)
	if tenant.KindOf(err) == tenant.NotFound {
		return fmt.Errorf("%s is not in the directory at %s: check the user principal name", name, s.source.graphURL)
	}
	if err != nil {
		return err
	}
	engine, err := y.engine()
	if err != nil {
		return err
	}
	x, err := engine.One(ctx, provisioning.Ref{Kind: provisioning.User, ID: u.ID})
	if err != nil {
		return err
	}
	if s.asJSON {
		return json.NewEncoder(w.out).Encode(x.Steps)
	}
	for i, step := range x.Steps {
		fmt.Fprintf(w.out, "%d  %-8s %s\n", i+1, step.Name, step.Status)
		if step.Reason != "" {
			fmt.Fprintf(w.out, "   %s\n", inline(step.Reason))
		}
		for _, d := range step.Details {
			fmt.Fprintf(w.out, "   %-28s %s\n", inline(d.Name), inline(d.Value))
		}
	}
	return nil
}
