// Command gatehouse is an IAM Identity Center that you run yourself, and the tenant on the other
// side of it.
//
// One file per subcommand has its flags and words and puts the packages together that do the work.
// It may import everything.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/access"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/ballast"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/codify"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/complete"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/examine"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/federate"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/oversee"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/prepare"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/profiles"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/rehearse"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Exit codes.
const (
	exitDone    = 0
	exitFailed  = 1 // mistakes too: whoever reads the code must not take one for a difference
	exitChanges = 2 // there is a difference, as of terraform plan -detailed-exitcode
)

func main() {
	ctx := terminal.UntilTold()
	tune()
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	runtime.KeepAlive(ballast.Held)
	os.Exit(code)
}

// tune sets what Go cannot know; GOMAXPROCS keeps its usual meaning. There are two processors of
// Go's more than the machine has: who comes back from a sync of the disk, with everybody waiting
// for it, would otherwise queue behind whoever took its place.
func tune() {
	if _, set := os.LookupEnv("GOMAXPROCS"); !set {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	}
}

// world is what a command sees of the world outside, so that tests can be it.
type world struct {
	in       io.Reader
	out, err io.Writer // terminal.Writers, since what they are given may come from outside
	env      func(string) (string, bool)
}

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer, env func(string) (string, bool)) int {
	shown, errShown := terminal.Writers(out, errOut, env)
	defer shown.Flush()
	defer errShown.Flush()
	w := &world{in, shown, errShown, terminal.FromFiles(env)}
	root := w.rootCommand()
	if complete.Completes(args) {
		complete.Values(root, w.administered())
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(shown)
	root.SetErr(errShown)
	called, err := endings.Execute(ctx, root, args)
	var usage terminal.UsageError
	var unsound examine.Unsound
	var cut terminal.Interrupted
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errChanges): // they are printed
		return exitChanges
	case errors.As(err, &unsound): // what was found is printed
		return unsound.Code()
	case errors.As(err, &cut):
		fmt.Fprintf(errShown, "\ngatehouse: %s\n", terminal.Paragraph(cut))
		return cut.Code()
	case errors.As(err, &usage):
		fmt.Fprintf(errShown, "gatehouse: %s\nSee \"%s --help\".\n", terminal.Paragraph(err), called.CommandPath())
		return exitFailed
	}
	fmt.Fprintf(errShown, "gatehouse: %s\n", terminal.Paragraph(err))
	return exitFailed
}

// say tells a person something that is no result.
func (w *world) say(text string) { fmt.Fprintln(w.err, text) }

func (w *world) administered() administer.World {
	return administer.World{In: w.in, Out: w.out, Err: w.err, Env: w.env}
}

func (w *world) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "gatehouse",
		Short: "An IAM Identity Center that you run yourself, and the Entra-like tenant on the other side of it",
		Long: `Gatehouse is both sides of connecting Entra ID to AWS IAM Identity Center, in one binary:
a center that speaks IAM Identity Center's protocols, a tenant that speaks Entra ID's,
and a command that connects them, or the real ones.

You can set every flag with an environment variable (--center-url is GATEHOUSE_CENTER_URL) or
in a YAML file (center-url: …) that --config or GATEHOUSE_CONFIG names. Flags override the
environment, and the environment overrides the file.`,
		Example: `  gatehouse demo                      # a center and a tenant, connected, with a small company
  gatehouse serve --data ./center     # only the center
  gatehouse explain REFERENCE         # why a request was refused, and what to do`,
		Version:       stamp().Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          terminal.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(terminal.FlagError)
	terminal.Settings(root, w.env)
	root.AddCommand(
		w.demoCommand(), w.serveCommand(), w.tenantCommand(), w.syncCommand(),
		w.administratorsCommand(), w.importCommand(), w.checkCommand(centerInspection),
		stamp().Command(w.out), complete.Manual(),
	)
	root.AddCommand(federate.Commands(federate.Program{
		In: w.in, Out: w.out, Err: w.err, Env: w.env, Tenant: federated, OpenState: w.openState, Differs: errChanges,
	})...)
	root.AddCommand(w.backupCommands(centerBackups)...)
	administered := w.administered()
	root.AddCommand(administer.Commands(administered, w.explainer())...)
	oversee.Add(root, administered)
	root.AddCommand(codify.Extend(w.exportCommand(), administered, errChanges))
	program := examine.Program{ServeMetrics: w.serveMetricsOf, Changes: errChanges}
	root.AddCommand(
		examine.Command(administered, new(microsoft).tenant(), program),
		rehearse.Command(administered, new(microsoft).tenant(), w.pair), profiles.Command(administered, errChanges),
		profiles.WhoAmI(administered),
	)
	access.Add(root, administered)
	root.AddCommand(prepare.Command(prepare.World{In: w.in, Out: w.out, Err: w.err, Env: w.env}))
	terminal.Arrange(root, groups)
	terminal.Examples(root)
	terminal.FitHelp(root)
	complete.Scripts(root)
	return root
}

// groups are the parts of the help, in the order in which people need them.
var groups = []terminal.Group{
	{Title: "Start here", Commands: "demo rehearse doctor explain"},
	{Title: "Connect and keep in step", Commands: "connect sync rotate"},
	{Title: "Run the two halves", Commands: "init serve tenant check backup restore export import"},
	{
		Title: "Everyday administration of a center",
		Commands: "users revoke proof leavers sessions accounts rules roles account-access applications " +
			"access-keys audit",
	},
	{Title: "Use your access on the command line", Commands: "profiles whoami access"},
	{Title: "Settings of a center", Commands: "identity-source provisioning scim-tokens settings administrators"},
}
