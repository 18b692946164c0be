package dirsync

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Printer prints entries: as they come, or after the cycle, by object, for a dry run and where
// a progress bar is drawn meanwhile.
type Printer struct {
	out                  io.Writer
	asJSON, dryRun, live bool
	toDo                 string     // what somebody was told to do, which is said once
	mu                   sync.Mutex // several requests are under way at once
}

// NewPrinter makes a printer: one line of JSON for each object, or text; of a dry run or a run; and
// as it happens, or after the cycle.
func NewPrinter(out io.Writer, asJSON, dryRun, live bool) *Printer {
	return &Printer{out: out, asJSON: asJSON, dryRun: dryRun, live: live}
}

// Entry prints an entry as it comes.
func (p *Printer) Entry(e provisioning.Entry) {
	if !p.live {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print(e)
}

// Report prints the objects that were not printed as they came, and sums the cycle up unless it
// failed.
func (p *Printer) Report(r Report, err error) {
	if !p.live {
		for _, e := range r.Objects {
			p.print(e)
		}
	}
	if err == nil {
		p.summary(r)
	}
}

func (p *Printer) print(e provisioning.Entry) {
	if p.asJSON {
		_ = json.NewEncoder(p.out).Encode(Describe(e)) // whoever closes the output does not want it
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

func (p *Printer) summary(r Report) {
	sum := r.Summary(p.dryRun)
	if p.asJSON {
		_ = json.NewEncoder(p.out).Encode(map[string]Summary{"summary": sum}) // as above
		return
	}
	took := r.Took.Round(time.Millisecond)
	if toDo := strings.Join(sum.ToDo, "\n"); toDo != p.toDo {
		if p.toDo = toDo; toDo != "" {
			defer fmt.Fprintln(p.out, toDo)
		}
	}
	if r.Unread > 0 {
		defer fmt.Fprint(p.out, terminal.Counted(
			"%d {object|objects} of the source cannot be read, and {stays|stay} as before.\n", r.Unread,
		))
	}
	if !p.dryRun && !r.InStep.Equal {
		defer fmt.Fprint(p.out, terminal.Counted(
			"Not in step since %s: %d uncertain, %d failing, %d {change|changes} pending.\n",
			r.InStep.Since.UTC().Format(time.DateTime+" UTC"), sum.Uncertain, sum.Failing, sum.Pending,
		))
	}
	if !r.Changes {
		fmt.Fprint(p.out, terminal.Counted("Nothing to change. %d {object|objects} read in %s.\n", r.Read, took))
		return
	}
	would := ""
	if p.dryRun {
		would = "Dry run, nothing was changed: "
	}
	fmt.Fprint(p.out, terminal.Counted(
		"\n%s%d created, %d changed, %d disabled, %d deleted, %d failed. %d {object|objects} read, %s in all.\n",
		would, sum.Created, sum.Updated, sum.Disabled, sum.Deleted, sum.Failed, r.Read, took,
	))
}

// PrintSteps prints how a person is provisioned, step by step.
func PrintSteps(out io.Writer, x provisioning.Explanation) {
	for i, step := range x.Steps {
		fmt.Fprintf(out, "%d  %-8s %s\n", i+1, step.Name, step.Status)
		if step.Reason != "" {
			fmt.Fprintf(out, "   %s\n", terminal.Inline(step.Reason))
		}
		for _, d := range step.Details {
			fmt.Fprintf(out, "   %-28s %s\n", terminal.Inline(d.Name), terminal.Inline(d.Value))
		}
	}
}
