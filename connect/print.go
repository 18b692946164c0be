package connect

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-id/gatehouse/names"
)

// namedInPlan is how many people of each outcome a printed plan names; the saved plan has all.
const namedInPlan = 20

// outcomeText says what an outcome means for those whom it is of.
var outcomeText = map[Outcome]string{
	Stops:     "stop working",
	Elsewhere: "are sent to a user that is somebody else's",
	Clashes:   "will not be provisioned: a value belongs to somebody else",
	Lacks:     "will not be provisioned: AWS requires a value that is missing",
	NoSignIn:  "will be provisioned and cannot sign in",
	Nested:    "are reached by nested groups only, which Entra ID does not follow",
	Created:   "will be created",
	Keeps:     "go on, and sign in at the tenant from now on",
}

// oneLine keeps what others have written from passing for lines of ours. out, where it is a
// terminal, takes care of the rest.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Print shows a plan to a person.
func (p *Plan) Print(out io.Writer) {
	fmt.Fprintf(out, "Tenant application → center %s\n\n", p.State.Directory.InstanceArn)
	printSteps(out, p.Steps, "+")
	p.printPeople(out)
	p.printReport(out)
	for _, note := range p.Notes {
		fmt.Fprintf(out, "\nNote: %s.\n", oneLine(note))
	}
	if n := p.Pending(); n > 0 {
		fmt.Fprint(out, names.Counted("\n%d of %d {step|steps} to do.\n", n, len(p.Steps)))
	}
}

// printPeople shows what becomes of people, the worst first.
func (p *Plan) printPeople(out io.Writer) {
	if p.People == nil {
		return
	}
	fmt.Fprint(out, names.Counted(
		"\nPeople: %d {user|users} at AWS's side; %d {group|groups} that both have, %d new {one|ones}.\n",
		len(p.Snapshot.Users), p.People.Adopted, p.People.New,
	))
	for _, outcome := range outcomeOrder {
		n := p.People.Counts[outcome]
		if n == 0 {
			continue
		}
		fmt.Fprintf(out, "  %5d  %s\n", n, outcomeText[outcome])
		if outcome == Keeps || outcome == Created {
			continue
		}
		named := 0
		for _, f := range p.People.Fates {
			if f.Outcome != outcome {
				continue
			}
			if named++; named > namedInPlan {
				fmt.Fprint(out, names.Counted("         and %d {other|others}: --out FILE has all\n", n-namedInPlan))
				break
			}
			fmt.Fprintf(out, "         %s: %s\n", oneLine(f.UserName), oneLine(f.Reason))
		}
	}
	if n := len(p.People.Administrators); n > 0 {
		fmt.Fprint(out, names.Counted("  of those who stop, %d {has|have} AdministratorAccess in AWS accounts:\n", n))
	}
	for _, f := range p.People.Administrators {
		fmt.Fprintf(out, "         %s in %s\n", oneLine(f.UserName), oneLine(someOf(f.Accounts)))
	}
}

// printReport shows what the center says of its users, where nobody else could be asked.
func (p *Plan) printReport(out io.Writer) {
	if !p.Changes || p.Report.Total == 0 || p.People != nil {
		return
	}
	fmt.Fprint(out, names.Counted(
		"\nThe identity source changes from %s to the tenant. Effects on the center's %d {user|users}:\n",
		p.Report.From, p.Report.Total,
	))
	for _, e := range p.Effects() {
		fmt.Fprintf(out, "  %5d  %s\n", e.Users, e.Explanation)
	}
	if n := p.Report.LockedOut; n > 0 {
		fmt.Fprintf(out, "  %5d  of the users who lose access have AdministratorAccess in an AWS account\n", n)
	}
	for _, u := range p.Losing(namedInPlan) {
		fmt.Fprintf(out, "         %s: %s\n", oneLine(u.UserName), oneLine(u.Explanation))
	}
}

// StepPrinter tells a person of each step that is done, and before the first of the snapshot: it is
// needed most when a step fails.
func (p *Plan) StepPrinter(out io.Writer) func(step int, done bool) {
	told, each := false, stepPrinter(out, p.Steps)
	return func(i int, done bool) {
		if !told {
			told = true
			printSnapshot(out, p.kept, p.keptNow)
		}
		each(i, done)
	}
}

func printSnapshot(out io.Writer, first, now string) {
	if first != "" {
		fmt.Fprintf(out, "What was there before is in %s.\n", oneLine(first))
	}
	if now != "" {
		fmt.Fprintf(out, "What was there before this run is in %s.\n", oneLine(now))
	}
}

// StepPrinter tells a person of each step that is done.
func (u *Undo) StepPrinter(out io.Writer) func(step int, done bool) { return stepPrinter(out, u.Steps) }

func stepPrinter(out io.Writer, steps []Step) func(step int, done bool) {
	return func(i int, done bool) {
		if done {
			fmt.Fprintf(out, " ✓ %s\n", steps[i].Title)
		}
	}
}

// PrintChecks shows what was proved.
func (r Result) PrintChecks(out io.Writer) {
	for _, c := range r.Checks {
		fmt.Fprintf(out, " ✓ %s: %s\n", oneLine(c.Title), oneLine(c.Detail))
	}
}

// Print shows what was proved, who failed and why, and what ends when. changes is how many steps
// were to be done.
func (r Result) Print(out io.Writer, changes int) {
	r.printProofs(out)
	if changes == 0 {
		fmt.Fprintln(out, "\nAlready connected: nothing to change.")
	} else {
		fmt.Fprintln(out, "\nConnected.")
	}
	if !r.Since.IsZero() {
		fmt.Fprintf(
			out, "“%s” provisions %s, in step for the first time on %s.\n", oneLine(r.Application), r.Instance,
			r.Since.UTC().Format("2006-01-02 15:04 UTC"),
		)
	}
	for _, e := range r.Expires {
		fmt.Fprintf(out, "%s ends on %s.\n", oneLine(e.What), e.At.UTC().Format("2006-01-02"))
	}
	for _, line := range r.Next {
		fmt.Fprintln(out, line)
	}
	r.printAgain(out)
}

// PrintUnproved shows what was proved before a proof failed, and how it is taken back.
func (r Result) PrintUnproved(out io.Writer) {
	r.printProofs(out)
	r.printAgain(out)
}

func (r Result) printProofs(out io.Writer) {
	r.PrintChecks(out)
	for _, f := range r.Failures {
		fmt.Fprintf(out, " ! not provisioned: %s: %s\n", oneLine(f.Name), oneLine(f.Reason))
	}
	for _, text := range r.Open {
		fmt.Fprintf(out, " ? %s\n", oneLine(text))
	}
}

// printAgain names the snapshot and the commands that come later.
func (r Result) printAgain(out io.Writer) {
	printSnapshot(out, r.Snapshot, "")
	flags := ""
	for _, f := range r.Again {
		if strings.ContainsAny(f, " \t'\"\\$&;|<>()*?!#~`") {
			f = "'" + strings.ReplaceAll(f, "'", `'\''`) + "'"
		}
		flags += " " + f
	}
	fmt.Fprintf(out, "To see how it stands: gatehouse connect status%s\n", flags)
	fmt.Fprintf(out, "To take it back: gatehouse connect undo%s\n", flags)
}

// Print shows what is to be undone to a person.
func (u *Undo) Print(out io.Writer) {
	fmt.Fprintf(out, "Take back: tenant application → center %s\n\n", u.plan.State.Directory.InstanceArn)
	printSteps(out, u.Steps, "-")
	for _, note := range u.Notes {
		fmt.Fprintf(out, "\nNote: %s.\n", oneLine(note))
	}
	if n := u.Pending(); n > 0 {
		fmt.Fprint(out, names.Counted("\n%d of %d {step|steps} to do.\n", n, len(u.Steps)))
	}
}

func printSteps(out io.Writer, steps []Step, todo string) {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, s := range steps {
		mark := todo
		if s.Done {
			mark = "="
		}
		fmt.Fprintf(t, " %s\t%s\t%s\n", mark, oneLine(s.Title), oneLine(s.Detail))
	}
	_ = t.Flush()
}
