// Package upkeep has the commands that look after a connection: say how it stands, repair it, take
// it back. Package connect does the work.
//
// It may import adminapi, connect, connect/aws, graph and terminal.
package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Connection is how a command is told which two sides are meant.
type Connection struct {
	Flags func(*cobra.Command)
	// Tenant reaches one side, Config both.
	Tenant func(context.Context) (*graph.Client, error)
	Config func(context.Context) (connect.Config, error)
	// Name is the enterprise application's.
	Name func() string
}

// World is what the commands see of their surroundings.
type World struct {
	In       io.Reader
	Out, Err io.Writer // terminal.Writers, since what they are given may come from outside
	// Connect makes the settings of one command.
	Connect func() Connection
	// Differs is the error of a command that found a difference.
	Differs error
}

// Commands are those under connect.
func Commands(w World) []*cobra.Command {
	return []*cobra.Command{w.status(), w.repair(), w.undo(), w.permissions()}
}

// permissions prints what connect must be allowed.
func (w World) permissions() *cobra.Command {
	asJSON, tokenless := false, false
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Print the IAM policy and the Microsoft Graph permissions that connect needs, with reasons",
		Example: `  gatehouse connect permissions
  gatehouse connect permissions --json > permissions.json`,
		Args: terminal.NoArgs,
		RunE: func(*cobra.Command, []string) error { return aws.PrintPermissions(w.Out, asJSON, tokenless) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&tokenless, "tokenless", false, "the policy also allows what connect --tokenless writes")
	return cmd
}

// Rotate is the command for what must be replaced before it ends.
func Rotate(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the SCIM token or the SAML signing certificate of a connection before it ends",
		Long: `Replaces a secret on both sides: the old one is good until the new one is proved. Run it again to
complete an interrupted run. With --when it does nothing, and exits with 0, while more time than
that is left: run it from cron each day.`,
		Example: `  gatehouse rotate scim-token --when 30d --accept
  gatehouse rotate certificate --when 30d --accept
  gatehouse rotate certificate --when 30d --dry-run   # exit code 2 if it is due`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		w.rotation("scim-token", "Replace the SCIM access token of the tenant's provisioning job",
			`Makes a new token at the center, has the tenant test and save it, has the tenant's job send a request with
it, and revokes the old one once no cycle runs that began with it.`, connect.ObserveTokenRotation),
		w.rotation("certificate", "Replace the certificate that the tenant signs SAML responses with",
			`Makes a new certificate in the tenant, has the center trust it beside the old one, makes it the active one,
and checks that both sides agree. A later run, an hour or more after, ends the center's trust in the old
certificate when somebody has signed in with the new one; the old one is inactive in the tenant, and ends there
by itself.

AWS itself does not tell which certificates it trusts. There somebody signs in while the command waits, and
CloudTrail says what came of it. If AWS refuses it, or the command is stopped, the tenant signs with the old
one again.`, connect.ObserveCertificateRotation),
	)
	return cmd
}

func (w World) rotation(
	use, short, long string, observe func(context.Context, connect.Config, time.Duration) (*connect.Rotation, error),
) *cobra.Command {
	var text string
	var when time.Duration
	cmd := w.command(use, short, long, "", func(u *upkeep, ctx context.Context) error {
		cfg, err := u.connection.Config(ctx)
		if err != nil {
			return err
		}
		r, err := observe(ctx, cfg, when)
		if err != nil {
			return err
		}
		h := held{cfg, func() {}}
		defer func() { h.release() }()
		if !u.dryRun && r.Pending() > 0 { // what is not due needs nobody to end
			if h.release, err = h.Hold(ctx); err != nil {
				return err
			}
			if r, err = observe(ctx, h.Config, when); err != nil {
				return err
			}
		}
		r.Print(u.out())
		if u.dryRun {
			return u.planned(r.Describe(), r.Pending())
		}
		if r.Pending() > 0 {
			if r, err = agreed(ctx, u, &h, r, func() (*connect.Rotation, error) {
				now, err := observe(ctx, h.Config, when)
				if err != nil {
					return nil, err
				}
				return now, now.Agrees(r)
			}); err != nil {
				return err
			}
		}
		if r.Pending() == 0 {
			fmt.Fprintln(u.out(), "Nothing to do now.")
			return u.planned(r.Describe(), 0)
		}
		if err := r.Apply(ctx, r.StepPrinter(u.out())); err != nil {
			return unfinished(err)
		}
		return u.planned(r.Describe(), 0)
	})
	cmd.Flags().StringVar(&text, "when", "", "only if it ends within this time, such as 30d; without it, now")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		if text == "" {
			return nil
		}
		if when, err = terminal.ParseSpan(text); err != nil || when == 0 {
			return terminal.UsageError{Err: fmt.Errorf("--when %q: use a length of time, such as 30d", text)}
		}
		return nil
	}
	return cmd
}

// upkeep is what the commands share.
type upkeep struct {
	World
	connection     Connection
	accept, dryRun bool
	asJSON         bool
	wait           time.Duration
}

// command makes a command that does something to a connection.
func (w World) command(use, short, long, example string, do func(*upkeep, context.Context) error) *cobra.Command {
	u := &upkeep{World: w, connection: w.Connect()}
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if u.asJSON && !u.accept && !u.dryRun {
				return terminal.UsageError{Err: errors.New("--json cannot ask: add --accept or --dry-run")}
			}
			return do(u, cmd.Context())
		},
	}
	u.connection.Flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&u.accept, "accept", false, "apply without asking")
	f.BoolVar(&u.dryRun, "dry-run", false, "print the plan and change nothing; exit code 2 if there is something to do")
	f.BoolVar(&u.asJSON, "json", false, "print one JSON object; needs --accept or --dry-run")
	f.DurationVar(&u.wait, "wait", 10*time.Minute, "how long to wait for a provisioning cycle")
	return cmd
}

// held is a connection that other runs keep out of until release.
type held struct {
	connect.Config
	release func()
}

// agreed asks for the word, with nothing held: whoever is asked may go to lunch. With the answer it
// holds the connection again, and looks again by again, which fails where something else is to be
// done by now than was planned.
func agreed[T any](ctx context.Context, u *upkeep, h *held, planned T, again func() (T, error)) (T, error) {
	if u.accept {
		return planned, nil
	}
	err := h.Unheld(ctx, &h.release, func() error {
		return terminal.Confirm(u.In, u.Err, connect.Confirmation)
	})
	if err != nil {
		return planned, err
	}
	return again()
}

// config is what the command is about, held unless it only looks.
func (u *upkeep) config(ctx context.Context) (held, error) {
	cfg, err := u.connection.Config(ctx)
	if err != nil || u.dryRun {
		return held{cfg, func() {}}, err
	}
	h := held{Config: cfg}
	h.release, err = h.Hold(ctx)
	return h, err
}

// status says how a connection stands.
func (w World) status() *cobra.Command {
	u := &upkeep{World: w, connection: w.Connect()}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether a connection is converged, drifted or broken, and why",
		Long: `Compares both sides: the SAML settings and certificates, the identity source, automatic
provisioning and its credentials, the provisioning job, and what expires when. For each part that is
not as it should be it prints what differs and what to do next. What you may not read is named with the
permission that is missing; the rest is judged by what can be read.

Without --center-url and --center it reads only the provisioning job in the tenant, and says whether
its target is known to have what the directory has: how many objects are uncertain (a request has
no answer), how many are failing, and how many changes no cycle has looked at. That is as good as
what the target has answered: "Restart provisioning" compares everything.

The exit code is 0 if the connection is converged (in step), 2 if not, and 1 if something went wrong.`,
		Example: `  gatehouse connect status --center-url https://sso.example.com --login-url … --client-id …
  gatehouse connect status … --json | jq .condition`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("center-url") || cmd.Flags().Changed("center") {
				return u.health(cmd.Context())
			}
			return u.jobs(cmd.Context())
		},
	}
	u.connection.Flags(cmd)
	cmd.Flags().BoolVar(
		&u.asJSON, "json", false, "print one JSON object; without a center, a list with one object for each job",
	)
	return cmd
}

func (u *upkeep) health(ctx context.Context) error {
	cfg, err := u.connection.Config(ctx)
	if err != nil {
		return err
	}
	h, err := connect.ObserveHealth(ctx, cfg)
	if err != nil {
		return err
	}
	if u.asJSON {
		err = json.NewEncoder(u.Out).Encode(h)
	} else {
		h.Print(u.Out)
	}
	if err == nil && h.Condition != connect.Converged {
		err = u.Differs
	}
	return err
}

func (u *upkeep) jobs(ctx context.Context) error {
	tenant, err := u.connection.Tenant(ctx)
	if err != nil {
		return err
	}
	jobs, err := connect.Status(ctx, tenant, u.connection.Name())
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if !u.asJSON {
			for _, line := range j.Lines() {
				fmt.Fprintln(u.Out, terminal.Inline(line))
			}
		}
		if j.InStep == nil || !*j.InStep {
			err = u.Differs
		}
	}
	if u.asJSON {
		err = errors.Join(json.NewEncoder(u.Out).Encode(jobs), err)
	}
	return err
}

// out is where a person reads; nowhere where a program does.
func (u *upkeep) out() io.Writer {
	if u.asJSON {
		return io.Discard
	}
	return u.Out
}

// unfinished is the error of a step, with what to do.
func unfinished(err error) error {
	return fmt.Errorf("%w\nCompleted steps are kept. Run the command again to complete the rest", err)
}

func (w World) repair() *cobra.Command {
	allowLockout := false
	cmd := w.command(
		"repair", "Bring a connection back to what it should be",
		`Mends what "gatehouse connect status" finds: settings and certificates that differ, credentials that do not
work, a job that is off or in quarantine. It leaves the job's scope, its mappings and notifications, and creates
no second application. It prints a plan and changes nothing until you type ACCEPT. Where the plan changes the
identity source, it says what becomes of everybody, and the same is refused and kept as by "gatehouse connect".`,
		"  gatehouse connect repair --center-url https://sso.example.com --login-url … --client-id …\n"+
			"  gatehouse connect repair … --dry-run",
		func(u *upkeep, ctx context.Context) error { return u.doRepair(ctx, allowLockout) },
	)
	cmd.Flags().BoolVar(
		&allowLockout, "allow-lockout", false, "change the identity source though your own way in depends on it",
	)
	return cmd
}

func (u *upkeep) doRepair(ctx context.Context, allowLockout bool) error {
	cfg, err := u.config(ctx)
	if err != nil {
		return err
	}
	defer func() { cfg.release() }()
	cfg.AllowLockout = allowLockout
	cfg.CycleWait = u.wait
	plan, err := connect.ObserveRepair(ctx, cfg.Config)
	if errors.Is(err, connect.ErrNotConnected) {
		return fmt.Errorf("%w: run gatehouse connect", err)
	}
	if err != nil {
		return err
	}
	changes := plan.Pending()
	plan.Print(u.out())
	if u.dryRun {
		return u.planned(plan.Describe(changes, nil), changes)
	}
	if changes == 0 {
		fmt.Fprintln(u.out(), "\nNothing to repair.")
		return u.planned(plan.Describe(changes, nil), 0)
	}
	plan, err = agreed(ctx, u, &cfg, plan, func() (*connect.Plan, error) {
		return plan.Again(ctx, cfg.Config, connect.ObserveRepair)
	})
	if err != nil {
		return err
	}
	if err := plan.Apply(ctx, connect.Confirmation, plan.StepPrinter(u.out())); err != nil {
		return unfinished(err)
	}
	result, err := plan.Verify(ctx, terminal.Bar(u.Err, "Provisioning"))
	if err != nil {
		result.PrintUnproved(u.out())
		return fmt.Errorf("verify: %w", err)
	}
	result.Print(u.out(), changes)
	return u.planned(plan.Describe(changes, &result), 0)
}

// planned prints JSON where that was asked for, and says whether there is something to do.
func (u *upkeep) planned(v any, todo int) error {
	if u.asJSON {
		if err := json.NewEncoder(u.Out).Encode(v); err != nil {
			return err
		}
	}
	if todo > 0 {
		return u.Differs
	}
	return nil
}

func (w World) undo() *cobra.Command {
	var o connect.UndoOptions
	var snapshot string
	cmd := w.command(
		"undo", "Take a connection back, on both sides",
		`Stops the provisioning job, revokes the access tokens and removes the SCIM endpoint, brings the identity
source back that was there before, and removes the job with its credentials from the tenant. The enterprise
application stays unless you say --delete-application; the tenant can restore it for 30 days. At AWS itself it
leads you through the console. Where no run on this machine has proved what AWS's identity source is, you look
there first, and nothing else is taken away before. It prints a plan and changes nothing until you type ACCEPT.
An interrupted run is completed by the next.

With --snapshot, the file that connect wrote before it changed anything, assignments that a change removed are
given back; what AWS refuses of them is named at the end and stops nothing else. Users and groups that
provisioning created stay, unless you say --delete-provisioned: that deletes those that are not in the snapshot
and that provisioning made, and names them first. Who has no sign of it, such as somebody added by hand, stays.`,
		"  gatehouse connect undo --center-url https://sso.example.com --login-url … --client-id … --dry-run\n"+
			"  gatehouse connect undo … --delete-application\n"+
			"  gatehouse connect undo … --snapshot d-1234567890-20261129T010203Z.json --delete-provisioned",
		func(u *upkeep, ctx context.Context) error { return u.doUndo(ctx, o, snapshot) },
	)
	f := cmd.Flags()
	f.BoolVar(&o.DeleteApplication, "delete-application", false, "delete the enterprise application")
	f.StringVar(&snapshot, "snapshot", "", "`file` of what AWS's side had before")
	f.BoolVar(
		&o.DeleteProvisioned, "delete-provisioned", false,
		"delete users and groups that provisioning made and that are not in the snapshot",
	)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if o.DeleteProvisioned && snapshot == "" {
			return terminal.UsageError{Err: errors.New("--delete-provisioned needs --snapshot")}
		}
		return nil
	}
	return cmd
}

func (u *upkeep) doUndo(ctx context.Context, o connect.UndoOptions, snapshot string) error {
	if snapshot != "" {
		o.Before = &connect.Snapshot{}
		if err := connect.ReadFile(snapshot, o.Before); err != nil {
			return terminal.UsageError{Err: fmt.Errorf("--snapshot: %w", err)}
		}
	}
	cfg, err := u.config(ctx)
	if err != nil {
		return err
	}
	defer func() { cfg.release() }()
	if o.Before != nil {
		if o.Restore, err = restorer(ctx, cfg.Config); err != nil {
			return err
		}
	}
	undo, err := connect.ObserveUndo(ctx, cfg.Config, o)
	if err != nil {
		return err
	}
	todo := undo.Pending()
	undo.Print(u.out())
	switch {
	case u.dryRun:
		return u.planned(undo.Describe(), todo)
	case todo == 0:
		fmt.Fprintln(u.out(), "\nNothing to take back.")
		return u.planned(undo.Describe(), 0)
	}
	undo, err = agreed(ctx, u, &cfg, undo, func() (*connect.Undo, error) { return undo.Again(ctx, cfg.Config) })
	if err != nil {
		return err
	}
	most := max(u.wait, time.Hour) // a person may have to do some of it
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err = undo.Apply(waiting, connect.Confirmation, undo.StepPrinter(u.out()))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && waiting.Err() != nil {
		err = fmt.Errorf("it was not done within %s: --wait gives it longer (%w)", most, err)
	}
	if err != nil {
		return unfinished(err)
	}
	fmt.Fprintln(u.out(), "\nThe connection is taken back.")
	return u.planned(undo.Describe(), 0)
}

// restorer reaches AWS's side by AWS's public APIs, which a center serves too.
func restorer(ctx context.Context, cfg connect.Config) (connect.Restorer, error) {
	if r, ok := cfg.Center.(connect.Restorer); ok {
		return r, nil
	}
	admin, ok := cfg.Center.(*adminapi.Client)
	if !ok {
		return nil, errors.New("this center's assignments cannot be given back")
	}
	return aws.OfCenter(ctx, admin)
}
