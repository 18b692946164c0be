package upkeep

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// PlanFiles are the files that connect writes and reads: a plan, and the journal of a run.
type PlanFiles struct {
	Out string // gets the plan

	apply, journal, rehearsed string

	saved   *connect.Saved
	earlier connect.Journal // what the journal has of a run that was interrupted
	replay  *connect.Replay
}

// Flags adds the flags that name them.
func (p *PlanFiles) Flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.Out, "out", "", "write the plan to this `file` and change nothing; exit code as with --dry-run")
	f.StringVar(&p.apply, "apply", "", "apply the plan in this `file`, unless the world has moved since; a plan of a "+
		"rehearsal is one of the original too")
	f.StringVar(&p.journal, "journal", "", "write to this `file` what each step leaves")
	f.StringVar(&p.rehearsed, "rehearsed", "", "compare each step with this `file`, a rehearsal's journal, and stop "+
		"where they differ")
}

// Read reads the plan that is to be applied, and the journals.
func (p *PlanFiles) Read() error {
	if p.apply != "" {
		p.saved = &connect.Saved{}
		if err := connect.ReadFile(p.apply, p.saved); err != nil {
			return terminal.UsageError{Err: fmt.Errorf("--apply: %w", err)}
		}
	}
	if p.journal == "" && p.rehearsed == "" {
		return nil
	}
	if p.journal == p.rehearsed {
		return terminal.UsageError{
			Err: errors.New("--journal and --rehearsed are one file: the rehearsal's would be lost"),
		}
	}
	p.replay = &connect.Replay{}
	if p.rehearsed != "" {
		p.replay.Rehearsed = &connect.Journal{}
		if err := connect.ReadFile(p.rehearsed, p.replay.Rehearsed); err != nil {
			return terminal.UsageError{Err: fmt.Errorf("--rehearsed: %w", err)}
		}
	}
	if p.journal == "" {
		return nil
	}
	if err := connect.ReadFile(p.journal, &p.earlier); err != nil && !errors.Is(err, os.ErrNotExist) {
		return terminal.UsageError{Err: fmt.Errorf("--journal: %w", err)}
	}
	p.replay.Keep = func(j connect.Journal) error {
		j.Continue(p.earlier)
		return connect.WriteFile(p.journal, j)
	}
	return nil
}

// Over is a Config with what the files say.
func (p *PlanFiles) Over(cfg connect.Config) connect.Config {
	cfg = p.saved.Over(cfg)
	cfg.Replay = p.replay
	return cfg
}

// Check compares the plan with the one that is to be applied, and writes it where that was asked
// for.
func (p *PlanFiles) Check(plan *connect.Plan) error {
	if p.saved != nil {
		if err := plan.Matches(*p.saved); err != nil {
			return fmt.Errorf("--apply %s: %w", p.apply, err)
		}
	}
	if err := plan.SaveTo(p.Out); err != nil {
		return fmt.Errorf("--out: the plan was not written: %w", err)
	}
	return nil
}

// Proved keeps what was proved, and compares it.
func (p *PlanFiles) Proved(r connect.Result) error {
	if p.replay == nil {
		return nil
	}
	return p.replay.Proved(r)
}
