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
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/dirsync"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// sync runs cycles: one, or one after the other until it is told to stop.
func (w *world) sync(ctx context.Context, s *syncSettings, log *slog.Logger) (err error) {
	m := dirsync.NewMetrics()
	out := &syncPrinter{out: w.out, asJSON: s.asJSON, dryRun: s.dryRun, live: !s.dryRun && !terminal.Is(w.err)}
	y, err := w.openSync(ctx, s, log, func(e provisioning.Entry) {
		m.Entry(e)
		out.entry(e)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, y.Close()) }()
	if err := w.acceptFirst(ctx, s, y); err != nil {
		return err
	}
	if s.metrics != "" {
		serve, err := listenForMetrics(ctx, s.metrics, log, &inbound.Health{}, m.Collectors()...)
		if err != nil {
			return err
		}
		go serve(ctx)
	}
	done := func(r dirsync.Report, err error) {
		m.Cycle(r, err)
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

// acceptFirst shows what a first cycle would do at a target that has people already, and asks,
// unless there is nothing to do.
func (w *world) acceptFirst(ctx context.Context, s *syncSettings, y *synchronizer) error {
	if s.dryRun || s.accept {
		return nil
	}
	strangers, err := y.Strangers(ctx)
	if err != nil || !strangers {
		return err
	}
	plan, err := y.Preview(ctx, s.repair)
	if err != nil || !plan.Changes {
		return err
	}
	(&syncPrinter{out: w.err, dryRun: true}).report(plan, nil)
	first := "this is the first run against " + s.to + ", which has users or groups already"
	typed, err := terminal.Ask(w.in, w.err, "\nNote: "+first+".\nType ACCEPT to continue: ")
	switch {
	case err != nil:
		return err
	case typed == "" && !terminal.Is(w.in):
		return errors.New(first + ": read the difference above, then add --accept; nothing was changed")
	case typed != connect.Confirmation:
		return errors.New("not confirmed; nothing was changed")
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
		_ = json.NewEncoder(p.out).Encode(dirsync.Describe(e)) // whoever closes the output does not want it
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
	sum := r.Summary(p.dryRun)
	if p.asJSON {
		_ = json.NewEncoder(p.out).Encode(map[string]dirsync.Summary{"summary": sum}) // as above
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
	y, err := w.openSync(ctx, s, log, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, y.Close()) }()
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
