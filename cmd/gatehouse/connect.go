package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph/signin"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// connectSettings are the flags of connect.
type connectSettings struct {
	center                 administer.Address
	tenant                 microsoft
	name, scope, email     string
	groups                 []string
	accept, dryRun, asJSON bool
	wait                   time.Duration
}

func (w *world) connectCommand() *cobra.Command {
	s := &connectSettings{}
	cmd := &cobra.Command{
		Use:   "connect",
		Short: "Federate a tenant and a center: plan, ACCEPT, apply, verify",
		Long: `Does what an administrator does in three browser tabs: the enterprise application, SAML
metadata both ways, the change of the identity source, automatic provisioning with its endpoint
and token, and the first provisioning cycle.

It first prints a plan: what exists, what it will create or change, and what the change does to
existing users. It changes nothing until you type ACCEPT. You can run it again at any time: it
completes an interrupted run, and reports "nothing to change" when everything is in place.

Pass secrets through the environment: GATEHOUSE_CLIENT_SECRET and AWS_SECRET_ACCESS_KEY.`,
		Example: `  gatehouse connect --center-url http://127.0.0.1:8080 --graph-url http://127.0.0.1:8081/v1.0 \
      --login-url http://127.0.0.1:8081/TENANT_ID --client-id CLIENT_ID --group Engineering --group Finance
  gatehouse connect … --dry-run       # only the plan
  gatehouse connect … --accept        # without asking
  gatehouse connect … --scope all     # provision everyone`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return w.connect(cmd.Context(), s) },
	}
	f := cmd.Flags()
	s.center.Flags(cmd)
	s.tenant.flags(cmd, "graph-url", "http://127.0.0.1:8081/v1.0", "URL of Microsoft Graph, with its version")
	f.StringVar(&s.name, "name", "AWS IAM Identity Center", "name of the enterprise application, if it must be created")
	f.StringArrayVar(&s.groups, "group", nil, "exact name of a group to assign; can be repeated")
	f.StringVar(&s.scope, "scope", "assigned", "whom to provision: assigned (assigned users and groups) or all")
	f.StringVar(&s.email, "email", "", "email address for notifications")
	f.BoolVar(&s.accept, "accept", false, "apply without asking")
	f.BoolVar(&s.dryRun, "dry-run", false, "print the plan and change nothing")
	f.BoolVar(&s.asJSON, "json", false, "print one JSON object; needs --accept or --dry-run")
	f.DurationVar(&s.wait, "wait", 10*time.Minute, "how long to wait for the first provisioning cycle")
	cmd.AddCommand(w.connectStatusCommand())
	return cmd
}

// connectStatusCommand tells whether the two sides are in step.
func (w *world) connectStatusCommand() *cobra.Command {
	s := &connectSettings{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether the center is known to have what the tenant has, and since when",
		Long: `Reads the provisioning job of an enterprise application in the tenant, and says whether its
target is known to have what the directory has. If not: how many objects are uncertain (a request
has no answer), how many are failing, and how many changes no cycle has looked at.

The exit code is 0 if the two sides are in step, 2 if they are not, and 1 if something went wrong.
It is as good as what the target has answered: "Restart provisioning" compares everything.`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return w.connectStatus(cmd.Context(), s) },
	}
	s.tenant.flags(cmd, "graph-url", "http://127.0.0.1:8081/v1.0", "URL of Microsoft Graph, with its version")
	cmd.Flags().StringVar(&s.name, "name", "AWS IAM Identity Center", "name of the enterprise application")
	cmd.Flags().BoolVar(&s.asJSON, "json", false, "print a JSON list with one object for each job")
	return cmd
}

func (w *world) connectStatus(ctx context.Context, s *connectSettings) error {
	if mistakes := s.tenant.check(); len(mistakes) > 0 {
		return terminal.UsageError{Err: errors.Join(mistakes...)}
	}
	tenant, err := s.tenant.client(ctx, outbound.Operator.Client(administer.Timeout), w.say)
	if err != nil {
		return err
	}
	jobs, err := connect.Status(ctx, tenant, s.name)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if !s.asJSON {
			for _, line := range j.Lines() {
				fmt.Fprintln(w.out, terminal.Inline(line))
			}
		}
		if j.InStep == nil || !*j.InStep {
			err = errChanges
		}
	}
	if s.asJSON {
		err = errors.Join(json.NewEncoder(w.out).Encode(jobs), err)
	}
	return err
}

// config checks the settings and reports all mistakes at once.
func (w *world) connectConfig(ctx context.Context, s *connectSettings) (connect.Config, error) {
	client := outbound.Operator.Client(administer.Timeout)
	admin, mistakes := s.center.Client(w.env, client)
	mistakes = append(mistakes, s.tenant.check()...)
	if s.tenant.LoginURL == "" && (s.tenant.Token != "" || s.tenant.Method != signin.Client) {
		mistakes = append(mistakes, errors.New("--login-url is missing: the federation metadata is read there"))
	}
	if s.scope != "assigned" && s.scope != "all" {
		mistakes = append(mistakes, fmt.Errorf("--scope %q: use assigned or all", s.scope))
	}
	if s.asJSON && !s.accept && !s.dryRun {
		mistakes = append(mistakes, errors.New("--json cannot ask: add --accept or --dry-run"))
	}
	if len(mistakes) > 0 {
		return connect.Config{}, terminal.UsageError{Err: errors.Join(mistakes...)}
	}
	tenant, err := s.tenant.client(ctx, client, w.say)
	if err != nil {
		return connect.Config{}, err
	}
	return connect.Config{
		Graph:    tenant,
		Center:   admin,
		LoginURL: strings.TrimRight(s.tenant.LoginURL, "/"),
		HTTP:     client,
		AppName:  s.name,
		Groups:   s.groups,
		SyncAll:  s.scope == "all",
		Email:    s.email,
		Cert:     s.name,
	}, nil
}

func (w *world) connect(ctx context.Context, s *connectSettings) error {
	cfg, err := w.connectConfig(ctx, s)
	if err != nil {
		return err
	}
	plan, err := connect.Observe(ctx, cfg)
	if err != nil {
		return err
	}
	out := w.out
	if s.asJSON {
		out = io.Discard
	}
	changes := plan.Pending()
	printPlan(out, plan)
	if s.dryRun {
		return s.json(w, plan.Describe(changes, nil))
	}
	if changes > 0 {
		confirmation := connect.Confirmation
		if !s.accept {
			if confirmation, err = terminal.Ask(w.in, w.err, "Type ACCEPT to continue: "); err != nil {
				return err
			}
			if confirmation != connect.Confirmation {
				return errors.New("not confirmed; nothing was changed")
			}
		}
		fmt.Fprintln(out)
		if err := plan.Apply(ctx, confirmation, stepPrinter(out, plan)); err != nil {
			return fmt.Errorf("%w\nCompleted steps are kept. Run the command again to complete the rest", err)
		}
	}
	waiting, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	bar := terminal.Bar(w.err, "Provisioning")
	result, err := plan.Verify(waiting, bar)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	printResult(out, result, changes)
	return s.json(w, plan.Describe(changes, &result))
}

// json prints one JSON object, where that was asked for.
func (s *connectSettings) json(w *world, out connect.Output) error {
	if !s.asJSON {
		return nil
	}
	return json.NewEncoder(w.out).Encode(out)
}

// say tells a person something that is no result.
func (w *world) say(text string) { fmt.Fprintln(w.err, text) }

func printPlan(out io.Writer, p *connect.Plan) {
	fmt.Fprintf(out, "Tenant application → center %s\n\n", p.State.Directory.InstanceArn)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, s := range p.Steps {
		mark := "+"
		if s.Done {
			mark = "="
		}
		fmt.Fprintf(t, " %s\t%s\t%s\n", mark, terminal.Inline(s.Title), terminal.Inline(s.Detail))
	}
	_ = t.Flush()
	if p.Changes && p.Report.Total > 0 {
		fmt.Fprintf(
			out, "\nThe identity source changes from %s to the tenant. Effects on the center's %d users:\n",
			p.Report.From, p.Report.Total,
		)
		for _, e := range p.Effects() {
			fmt.Fprintf(out, "  %5d  %s\n", e.Users, e.Explanation)
		}
		if n := p.Report.LockedOut; n > 0 {
			fmt.Fprintf(out, "  %5d  of the users who lose access have AdministratorAccess in an AWS account\n", n)
		}
		for _, u := range p.Losing(20) {
			fmt.Fprintf(out, "         %s: %s\n", terminal.Inline(u.UserName), terminal.Inline(u.Explanation))
		}
	}
	if n := p.Pending(); n > 0 {
		fmt.Fprintf(out, "\n%d of %d steps to do.\n", n, len(p.Steps))
	}
}

func stepPrinter(out io.Writer, p *connect.Plan) func(int, bool) {
	return func(i int, done bool) {
		if done {
			fmt.Fprintf(out, " ✓ %s\n", p.Steps[i].Title)
		}
	}
}

func printResult(out io.Writer, r connect.Result, changes int) {
	printChecks(out, r)
	for _, f := range r.Failures {
		fmt.Fprintf(out, " ! not provisioned: %s: %s\n", terminal.Inline(f.Name), terminal.Inline(f.Reason))
	}
	if changes == 0 {
		fmt.Fprintln(out, "\nAlready connected: nothing to change.")
	} else {
		fmt.Fprintln(out, "\nConnected.")
	}
}

func printChecks(out io.Writer, r connect.Result) {
	for _, c := range r.Checks {
		fmt.Fprintf(out, " ✓ %s: %s\n", terminal.Inline(c.Title), terminal.Inline(c.Detail))
	}
}
