package examine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/gather"
	"github.com/gatehouse-id/gatehouse/doctor/repair"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// confirmation is what has to be typed before a change.
const confirmation = "ACCEPT"

// fixed is what --fix --json prints.
type fixed struct {
	Before doctor.Report    `json:"before"`
	Plan   []doctor.Repair  `json:"plan"`
	Person []string         `json:"onlyAPerson"`    // checks whose findings no API mends
	Gone   []string         `json:"gone,omitempty"` // of the plan, what others have done or changed before
	Done   []repair.Outcome `json:"done,omitempty"`
	After  *doctor.Report   `json:"after,omitempty"`
}

// fix makes a plan of what can be repaired by API, asks, carries it out, and looks again.
func (s *settings) fix(ctx context.Context, c gather.Config, facts doctor.Facts, r doctor.Report) error {
	out := fixed{Before: r, Plan: r.Plan(), Person: []string{}}
	if out.Plan == nil {
		out.Plan = []doctor.Repair{}
	}
	for _, f := range r.OnlyAPerson() {
		out.Person = append(out.Person, f.Check)
	}
	if !s.asJSON {
		s.print(r)
		s.printPlan(out.Plan, r.OnlyAPerson())
	}
	if s.dryRun || len(out.Plan) == 0 {
		if s.asJSON {
			if err := json.NewEncoder(s.Out).Encode(out); err != nil {
				return err
			}
		}
		if s.dryRun && len(out.Plan) > 0 {
			return s.waiting
		}
		return sound(r)
	}
	if !s.accept {
		if err := terminal.Confirm(s.In, s.Err, confirmation); err != nil {
			return err
		}
	}
	release, err := s.hold(ctx, c, facts)
	if err != nil {
		return err
	}
	defer release()
	c.Early = nil
	if facts, err = gather.Gather(ctx, c); err != nil { // others may have been at it until now
		return err
	}
	still, gone := doctor.StillPlanned(out.Plan, doctor.Diagnose(facts, doctor.About{}, s.only...).Plan())
	for _, x := range gone {
		out.Gone = append(out.Gone, x.What)
		if !s.asJSON {
			fmt.Fprintf(s.Out, " = %s: not to be done any more, or not as planned\n", terminal.Inline(x.What))
		}
	}
	sides := repair.Sides{Graph: c.Graph, AWS: c.AWS, Admin: c.Admin}.Of(facts)
	done, err := repair.Apply(ctx, sides, still, func(o repair.Outcome) {
		if !s.asJSON {
			s.printOutcome(o)
		}
	})
	if err != nil {
		return fmt.Errorf("%w\nWhat is done is kept. Run the command again to complete the rest", err)
	}
	out.Done = done
	for _, x := range done {
		if x.Action == doctor.SaveToken || x.Action == doctor.CreateJob {
			c.SCIM = gather.SCIM{} // the job has another token now
		}
	}
	again, err := gather.Gather(ctx, c)
	if err != nil {
		return err
	}
	after := doctor.Diagnose(again, doctor.About{}, s.only...)
	out.After = &after
	if s.asJSON {
		if err := json.NewEncoder(s.Out).Encode(out); err != nil {
			return err
		}
		return sound(after)
	}
	s.printAfter(r, after)
	return sound(after)
}

// hold keeps runs of connect, and others of this, from changing the same connection.
func (s *settings) hold(ctx context.Context, c gather.Config, f doctor.Facts) (release func(), err error) {
	folder := s.state
	if folder == "" {
		folder, _ = connect.OwnFolder() // where there is none, nobody else has one
	}
	if folder == "" || f.AWS == nil || f.AWS.IdentityStoreID == "" {
		return func() {}, nil
	}
	start := connect.FileStart(f.AWS.IdentityStoreID, "")
	switch {
	case f.AWS.Directory != nil:
		start = connect.FileStart(f.AWS.IdentityStoreID, f.AWS.Directory.ConsoleURL)
	case c.AWS != nil:
		start = aws.FileStart(folder, f.AWS.IdentityStoreID, sdk.ToString(c.AWS.BaseEndpoint))
	}
	release, err = connect.HoldFiles(ctx, folder, start)
	if release == nil {
		release = func() {}
	}
	return release, err
}

// sound is nil, or what the exit code is made of.
func sound(r doctor.Report) error {
	if worst := r.Worst(); worst != doctor.OK {
		return Unsound{worst}
	}
	return nil
}

func (s *settings) printPlan(plan []doctor.Repair, person []doctor.Finding) {
	if len(plan) > 0 {
		fmt.Fprintf(s.Out, "\nThe plan\n")
	}
	for i, x := range plan {
		fmt.Fprintf(s.Out, " %2d %s\n", i+1, terminal.Inline(x.What))
		for _, g := range []struct {
			label string
			who   []string
		}{{"gives access to", x.Gives}, {"takes it from", x.Takes}} {
			if len(g.who) > 0 {
				fmt.Fprintf(s.Out, "    %s: %s\n", g.label, terminal.Inline(strings.Join(g.who, ", ")))
			}
		}
	}
	if len(person) > 0 {
		fmt.Fprintf(s.Out, "\nOnly a person can mend\n")
	}
	for _, f := range person {
		fmt.Fprintf(s.Out, "    %s: %s\n", terminal.Inline(f.Check), terminal.Inline(f.Fix.Do))
	}
	if len(plan) == 0 {
		fmt.Fprintf(s.Out, "\nNothing can be repaired by API.\n")
	}
}

func (s *settings) printOutcome(o repair.Outcome) {
	if o.Failed != "" {
		fmt.Fprintf(s.Out, " ✗ %s: %s\n", terminal.Inline(o.What), terminal.Inline(o.Failed))
		return
	}
	fmt.Fprintf(s.Out, " ✓ %s\n", terminal.Inline(o.What))
}

// printAfter says what is sound now, then what is left.
func (s *settings) printAfter(before, after doctor.Report) {
	left := map[string]bool{}
	for _, f := range after.Findings {
		if f.State == doctor.Broken || f.State == doctor.Warning {
			left[f.Check] = true
		}
	}
	fmt.Fprintf(s.Out, "\nSound now\n")
	said := map[string]bool{}
	for _, f := range before.Findings {
		if (f.State == doctor.Broken || f.State == doctor.Warning) && !left[f.Check] && !said[f.Check] {
			said[f.Check] = true
			fmt.Fprintf(s.Out, " ✓ %s\n", terminal.Inline(f.Check))
		}
	}
	if after.Worst() == doctor.Broken {
		fmt.Fprintf(s.Out, "\nWhat the job sends arrives with its next cycle: look again then.\n")
	}
	s.print(after)
}
