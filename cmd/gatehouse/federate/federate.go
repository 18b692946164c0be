// Package federate has the command connect and those under it: their flags and words, and which two
// sides they mean. Package connect does the work.
//
// It may import adminapi, cmd/gatehouse/administer, cmd/gatehouse/codify, cmd/gatehouse/upkeep,
// connect, connect/assist, connect/aws, connect/tokenless, graph, graph/signin, outbound,
// provisioning, tenant and terminal.
package federate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/codify"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/upkeep"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/assist"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/connect/tokenless"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/graph/signin"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Tenant is how a command reaches a Microsoft Graph: settings, their flags and their mistakes.
type Tenant struct {
	*signin.Settings

	Flags  func(*cobra.Command)
	Check  func() []error
	Client func(context.Context, *http.Client, func(say string)) (*graph.Client, error)
}

// Program is what the commands need of the program that they are in.
type Program struct {
	In       io.Reader
	Out, Err io.Writer // terminal.Writers, since what they are given may come from outside
	Env      func(string) (string, bool)
	// Tenant makes the settings of one command.
	Tenant func() Tenant
	// OpenState opens the folder in which a sync remembers.
	OpenState func(ctx context.Context, folder string) (*tenant.Tenant, error)
	// Differs is the error of a command that found a difference.
	Differs error
}

// Commands are connect and rotate.
func Commands(p Program) []*cobra.Command {
	return []*cobra.Command{p.connectCommand(), upkeep.Rotate(p.upkeep())}
}

// settings are the flags of connect.
type settings struct {
	center                 administer.Address
	tenant                 Tenant
	name, scope, email     string
	groups                 []string
	accept, dryRun, asJSON bool
	wait, signInWait       time.Duration
	aws                    aws.Settings // beside center: AWS itself
	guide                  assist.Settings
	files                  upkeep.PlanFiles
	allowLockout           bool
	allowMissing           bool
	again                  []string // the flags by which another command means the same connection
}

func (p Program) connectCommand() *cobra.Command {
	s := &settings{tenant: p.Tenant()}
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
		Example: `  gatehouse connect --center aws --sign-in azure-cli --group Engineering # Entra ID and AWS
  gatehouse connect --center-url http://127.0.0.1:8080 --graph-url http://127.0.0.1:8081/v1.0 \
      --login-url http://127.0.0.1:8081/TENANT_ID --client-id CLIENT_ID --group Engineering --group Finance
  gatehouse connect … --dry-run       # only the plan
  gatehouse connect … --out plan.json # the same, to review and to apply with --apply plan.json
  gatehouse connect … --apply plan.json --rehearsed copy.json # stop where it goes otherwise than on a copy
  gatehouse connect … --accept        # without asking
  gatehouse connect … --scope all     # provision everyone`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.again = again(cmd.Flags())
			return p.connect(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	s.sides(cmd)
	f.StringArrayVar(&s.groups, "group", nil, "exact name of a group to assign; can be repeated")
	f.StringVar(&s.scope, "scope", "assigned", "whom to provision: assigned (assigned users and groups) or all")
	f.StringVar(&s.email, "email", "", "email address for notifications")
	f.BoolVar(&s.accept, "accept", false, "apply without asking")
	f.BoolVar(&s.dryRun, "dry-run", false, "print the plan and change nothing; exit code 2 if there is something to do")
	s.files.Flags(cmd)
	f.BoolVar(
		&s.allowLockout, "allow-lockout", false, "change the identity source though your own way in depends on it",
	)
	f.BoolVar(
		&s.allowMissing, "allow-missing", false,
		"with --tokenless: change the identity source though AWS has refused somebody whom the plan does not name",
	)
	f.BoolVar(&s.asJSON, "json", false, "print one JSON object; needs --accept or --dry-run")
	f.DurationVar(
		&s.wait, "wait", 0, "how long to wait for the first provisioning cycle (default: 10m, with --center aws 1h)",
	)
	f.DurationVar(
		&s.signInWait, "wait-sign-in", connect.DefaultSignInWait, "with --center aws: how long to wait for a sign-in",
	)
	cmd.AddCommand(upkeep.Commands(p.upkeep())...)
	cmd.AddCommand(codify.Connection(p.upkeep()))
	return cmd
}

// meaning are the flags that say which connection is meant, and how both sides are signed in to.
var meaning = []string{
	"access-key-id", "center", "center-url", "client-id", "config", "graph-url", "login-url", "name", "region",
	"sign-in", "sign-in-host", "state",
}

// again are those flags as they were given; secrets are none of them.
func again(given *pflag.FlagSet) (flags []string) {
	given.Visit(func(f *pflag.Flag) {
		if slices.Contains(meaning, f.Name) {
			flags = append(flags, "--"+f.Name, f.Value.String())
		}
	})
	return flags
}

// upkeep has the commands that look after a connection.
func (p Program) upkeep() upkeep.World {
	return upkeep.World{In: p.In, Out: p.Out, Err: p.Err, Differs: p.Differs, Connect: func() upkeep.Connection {
		s := &settings{tenant: p.Tenant(), scope: "assigned", accept: true} // each command asks for itself
		return upkeep.Connection{
			Flags:  func(cmd *cobra.Command) { s.sides(cmd) },
			Config: func(ctx context.Context) (connect.Config, error) { return p.connectConfig(ctx, s) },
			Name:   func() string { return s.name },
			Tenant: func(ctx context.Context) (*graph.Client, error) {
				s.place()
				if mistakes := s.tenant.Check(); len(mistakes) > 0 {
					return nil, terminal.UsageError{Err: errors.Join(mistakes...)}
				}
				return s.tenant.Client(ctx, outbound.Operator.Client(administer.Timeout), p.say)
			},
		}
	}}
}

// sides adds the flags that say which two sides are meant.
func (s *settings) sides(cmd *cobra.Command) {
	s.center.Flags(cmd)
	s.tenant.Flags(cmd)
	s.guide.Flags(cmd)
	f := cmd.Flags()
	s.aws.Given = func() bool { return f.Changed("tokenless") }
	f.StringVar(&s.name, "name", "AWS IAM Identity Center", "name of the enterprise application")
	f.StringVar(&s.aws.Place, "center", "", "AWS itself instead of --center-url: aws[:INSTANCE][@REGION]")
	f.BoolVar(
		&s.aws.Tokenless, "tokenless", false,
		"with --center aws: no SCIM; this command writes users and groups to AWS, and gatehouse sync goes on",
	)
	f.StringVar(
		&s.aws.SignIn, "sign-in-host", "",
		"with --center aws: scheme and host of the issuer URL, outside of the commercial Regions",
	)
	f.StringVar(&s.aws.State, "state", "", "folder of what runs remember (default: one in your own)")
}

// place fills in what depends on where the other side is: with AWS itself, the tenant is
// Microsoft's.
func (s *settings) place() {
	own, wait := "http://127.0.0.1:8081/v1.0", 10*time.Minute
	if s.aws.Place != "" {
		own, wait = connect.MicrosoftGraph, time.Hour
	}
	s.tenant.GraphURL, s.wait = cmp.Or(s.tenant.GraphURL, own), cmp.Or(s.wait, wait)
}

// config checks the settings and reports all mistakes at once.
func (p Program) connectConfig(ctx context.Context, s *settings) (connect.Config, error) {
	s.place()
	client := outbound.Operator.Client(administer.Timeout)
	var center connect.Center
	var mistakes []error
	if s.aws.Place == "" {
		center, mistakes = s.center.Client(p.Env, client)
	} else if _, err := aws.ParsePlace(s.aws.Place); err != nil {
		mistakes = append(mistakes, err)
	}
	mistakes = append(mistakes, s.tenant.Check()...)
	found := s.tenant.GraphURL == connect.MicrosoftGraph // the Graph tells which tenant it is
	if s.tenant.LoginURL == "" && !found && (s.tenant.Token != "" || s.tenant.Method != signin.Client) {
		mistakes = append(mistakes, errors.New("--login-url is missing: the federation metadata is read there"))
	}
	if s.scope != "assigned" && s.scope != "all" {
		mistakes = append(mistakes, fmt.Errorf("--scope %q: use assigned or all", s.scope))
	}
	if s.asJSON && !s.accept && !s.dryRun && s.files.Out == "" {
		mistakes = append(mistakes, errors.New("--json cannot ask: add --accept or --dry-run"))
	}
	if len(mistakes) > 0 {
		return connect.Config{}, terminal.UsageError{Err: errors.Join(mistakes...)}
	}
	tenant, err := s.tenant.Client(ctx, client, p.say)
	if err != nil {
		return connect.Config{}, err
	}
	if s.tenant.LoginURL == "" {
		if s.tenant.LoginURL, err = connect.MicrosoftLogin(ctx, tenant); err != nil {
			return connect.Config{}, err
		}
	}
	cfg := connect.Config{
		Graph:    tenant,
		Center:   center,
		LoginURL: strings.TrimRight(s.tenant.LoginURL, "/"),
		HTTP:     client,
		AppName:  s.name,
		Groups:   s.groups,
		SyncAll:  s.scope == "all",
		Email:    s.email,
		Cert:     s.name,

		CycleWait:    s.wait,
		SignInWait:   s.signInWait,
		AllowLockout: s.allowLockout,
		AllowMissing: s.allowMissing,
		Progress:     terminal.Bar(p.Err, "Reading AWS"),
		LooksAgain:   p.looksAgain(),
	}
	if own, ok := center.(*adminapi.Client); ok {
		cfg.Discover = aws.DiscovererOf(own)
		if cfg.Folder = s.aws.State; cfg.Folder == "" {
			cfg.Folder, _ = connect.OwnFolder() // where there is none, nothing is remembered
		}
		return cfg, nil
	}
	s.aws.Guide = s.guide.Guide(p.In, p.Err, p.Env)
	cfg, err = s.aws.Config(ctx, cfg)
	if at, ok := cfg.Center.(*aws.Center); ok && err == nil {
		w := p.writer(s, at, cfg)
		cfg.Maker = w // also of a connection that an undo has begun to take back
		if cfg.Tokenless {
			cfg.Writer = w
		}
	}
	return cfg, err
}

// looksAgain shows for how long a run looks again at what the tenant may say late.
func (p Program) looksAgain() func(waited, most time.Duration) {
	bar := terminal.Bar(p.Err, "Microsoft Graph may say late what was just done: looking again, seconds")
	return func(waited, most time.Duration) { bar(int(waited.Seconds()), int(most.Seconds())) }
}

// writer writes to AWS where there is no token for the tenant.
func (p Program) writer(s *settings, at *aws.Center, cfg connect.Config) *tokenless.Writer {
	t := s.tenant
	flags := []string{"--sign-in", t.Method}
	for _, f := range []struct{ name, value, usual string }{
		{"--from", t.GraphURL, connect.MicrosoftGraph}, {"--login-url", t.LoginURL, ""},
		{"--client-id", t.ClientID, ""},
	} {
		if f.value != f.usual {
			flags = append(flags, f.name, f.value)
		}
	}
	bar := terminal.Bar(p.Err, "Writing to AWS")
	return &tokenless.Writer{
		Graph: cfg.Graph, SDK: at.SDK(), Store: at.Instance.IdentityStoreID, Folder: at.SyncFolder(),
		OpenState: p.OpenState, HTTP: cfg.HTTP, Log: slog.New(slog.DiscardHandler), Explain: aws.Explain,
		Remember: at.RememberTokenless,
		SignIn:   flags, AsPerson: t.Token != "" || slices.Contains(byPersons, t.Method),
		OnProgress: func(at provisioning.Progress) { bar(at.Done, at.Total) },
	}
}

// byPersons are the ways in which somebody signs in who is not there at night.
var byPersons = []string{signin.AzureCLI, signin.DeviceCode, signin.Browser}

func (p Program) connect(ctx context.Context, s *settings) (err error) {
	var last strings.Builder // what the page shows at the end
	defer func() { s.guide.Close(err, strings.Split(strings.TrimSpace(last.String()), "\n")...) }()
	if err := s.files.Read(); err != nil {
		return err
	}
	cfg, err := p.connectConfig(ctx, s)
	if err != nil {
		return err
	}
	release := func() {}
	defer func() { release() }()
	if looks := s.dryRun || s.files.Out != ""; !looks {
		if release, err = cfg.Hold(ctx); err != nil {
			return err
		}
	}
	plan, err := connect.Observe(ctx, s.files.Over(cfg))
	if err != nil {
		return err
	}
	out := p.Out
	if s.asJSON {
		out = io.Discard
	}
	changes := plan.Pending()
	plan.Print(out)
	if err := s.files.Check(plan); err != nil {
		return err
	}
	if s.dryRun || s.files.Out != "" {
		if err := s.json(p, plan.Describe(changes, nil)); err != nil || changes == 0 {
			return err
		}
		return p.Differs
	}
	if changes > 0 {
		if !s.accept {
			if err := cfg.Unheld(ctx, &release, func() error {
				return terminal.Confirm(p.In, p.Err, connect.Confirmation)
			}); err != nil {
				return err
			}
			if plan, err = plan.Again(ctx, s.files.Over(cfg), connect.Observe); err != nil {
				return err
			}
		}
		fmt.Fprintln(out)
		if err := plan.Apply(ctx, connect.Confirmation, plan.StepPrinter(out)); err != nil {
			return fmt.Errorf("%w\nCompleted steps are kept. Run the command again to complete the rest", err)
		}
	}
	result, err := plan.Verify(ctx, terminal.Bar(p.Err, "Provisioning"))
	result.Again = s.again
	if err != nil {
		result.PrintUnproved(out)
		return fmt.Errorf("verify: %w", err)
	}
	result.Print(io.MultiWriter(out, &last), changes)
	return errors.Join(s.json(p, plan.Describe(changes, &result)), s.files.Proved(result))
}

// json prints one JSON object, where that was asked for.
func (s *settings) json(p Program, out connect.Output) error {
	if !s.asJSON {
		return nil
	}
	return json.NewEncoder(p.Out).Encode(out)
}

// say tells a person something that is no result.
func (p Program) say(text string) { fmt.Fprintln(p.Err, text) }
