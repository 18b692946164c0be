package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/dirsync"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// sync runs cycles: one, or one after the other until it is told to stop.
func (w *world) sync(ctx context.Context, s *syncSettings, log *slog.Logger) (err error) {
	m := dirsync.NewMetrics()
	out := dirsync.NewPrinter(w.out, s.asJSON, s.dryRun, !s.dryRun && !terminal.Is(w.err))
	y, err := w.openSync(ctx, s, log, func(e provisioning.Entry) {
		m.Entry(e)
		out.Entry(e)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, y.Close()) }()
	if err := w.acceptFirst(ctx, s, y); err != nil {
		return err
	}
	if s.metrics != "" {
		serve, err := (&observe.Metrics{Address: s.metrics}).Listen(ctx, log, &inbound.Health{}, m.Collectors()...)
		if err != nil {
			return err
		}
		go serve(ctx)
	}
	done := func(r dirsync.Report, err error) {
		m.Cycle(r, err)
		out.Report(r, err)
	}
	if s.every > 0 {
		y.Run(ctx, dirsync.Pace{Every: s.every, Repair: s.repair, RepairEvery: s.repairEvery},
			func(r dirsync.Report, err error) {
				if done(r, err); err != nil && ctx.Err() == nil {
					log.ErrorContext(ctx, "the cycle failed; the next cycle retries", "error", err)
				}
			})
		return nil
	}
	report, err := y.Cycle(ctx, s.repair)
	done(report, err)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err() // told to stop; what is done is remembered
	case err != nil:
		return err
	case s.dryRun && report.Changes:
		return errChanges
	}
	return report.Rest()
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
	if syncjobs.HoldsBack(err) { // the cycle does all else, and says what to do about them
		err = nil
	}
	if err != nil || !plan.Changes {
		return err
	}
	dirsync.NewPrinter(w.err, false, true, false).Report(plan, nil)
	first := "this is the first run against " + s.to + ", which has users or groups already"
	typed, err := terminal.Ask(w.in, w.err, "\nNote: "+first+".\nType ACCEPT to continue: ")
	switch {
	case err != nil:
		return err
	case typed == "" && !terminal.Is(w.in):
		return errors.New(first + ": read the difference above, then add --accept; nothing was changed")
	case typed != connect.Confirmation:
		return terminal.ErrNotConfirmed
	}
	return nil
}

// errChanges ends a dry run that found something to do.
var errChanges = errors.New("there are changes")

// explainer adds to the command explain how a person is provisioned, with the settings of sync.
func (w *world) explainer() administer.Explainer {
	store := storeSettings{leaverGrace: dirsync.LeaverGrace, strangers: "keep", rate: identitystore.Rate}
	s := &syncSettings{dryRun: true, store: store}
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
	dirsync.PrintSteps(w.out, x)
	return nil
}
