// Package examine has the command that says what is wrong between a tenant and a center: its flags
// and words, and how it prints what doctor finds.
//
// It may import awsconfig, cmd/gatehouse/administer, connect, connect/aws, doctor, doctor/gather,
// doctor/repair, graph/signin, outbound and terminal.
package examine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/gather"
	"github.com/gatehouse-id/gatehouse/graph/signin"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Tenant is how the command reaches a Microsoft Graph: settings, their flags and their mistakes.
type Tenant struct {
	*signin.Settings

	Flags func(*cobra.Command)
	Check func() []error
}

// Program is what the command needs of the program that it is in.
type Program struct {
	// ServeMetrics listens at a loopback address; what it returns serves a collector there.
	ServeMetrics func(context.Context, string, prometheus.Collector) (func(context.Context), error)
	// Changes ends a dry run that found something to do.
	Changes error
}

// named says whether somebody said how to sign in. Otherwise only the other side is asked.
func (t Tenant) named() bool { return t.LoginURL != "" || t.Token != "" || t.Method != signin.Client }

// Unsound is the error of a run that found something, or could not look. It is printed already.
type Unsound struct{ State doctor.State }

func (u Unsound) Error() string { return "doctor: " + string(u.State) }

// Code is the exit code: 3 if something is broken, 1 if something could not be looked at.
func (u Unsound) Code() int {
	if u.State == doctor.Broken {
		return 3
	}
	return 1
}

// settings are the flags.
type settings struct {
	administer.World

	tenant    Tenant
	center    administer.Address
	place     string // AWS itself
	scimURL   string
	scimToken string
	only      []string
	asJSON    bool
	cmd       *cobra.Command

	repair, dryRun, accept bool
	state                  string
	every                  time.Duration
	metricsAddress         string
	serveMetrics           func(context.Context, string, prometheus.Collector) (func(context.Context), error)
	waiting                error
}

// Command is the command doctor.
func Command(w administer.World, t Tenant, p Program) *cobra.Command {
	s := &settings{World: w, tenant: t, serveMetrics: p.ServeMetrics, waiting: p.Changes}
	cmd := &cobra.Command{
		Use:   "doctor [USER|GROUP|REFERENCE|TEXT]...",
		Short: "Say what is wrong between Entra ID and IAM Identity Center, and how to mend it",
		Long: `Looks at any existing set-up: the real Entra ID and the real IAM Identity Center, a Gatehouse
center with either, or a SCIM service alone. Without --fix it changes nothing. It says what is
broken, why, with the values of both sides and the fix. What could not be looked at is named, with
the permission that is missing.

Name a user or a group to follow them through both sides. Name what a person saw (an AADSTS number,
a sentence of AWS's, an error of SCIM, the reference of an error page) to begin there. docs/doctor.md
lists every check.

--fix makes a plan of what can be repaired by API, with the people who can do more or less
afterwards, and asks for ACCEPT. Then it repairs, looks again, and says what is sound now.
Interrupted, run it again. --dry-run prints the plan, with exit code 2 if there is one.

--every looks again and again, prints what changes, and serves metrics at --metrics.

The exit code is 0 if everything is sound, 1 if something could not be looked at, and 3 if something
is broken. Warnings do not count.

Pass secrets through the environment: GATEHOUSE_CLIENT_SECRET, AWS_SECRET_ACCESS_KEY and
GATEHOUSE_SCIM_TOKEN.`,
		Example: `  gatehouse doctor --center aws@eu-west-1 --sign-in azure-cli          # the real pair
  gatehouse doctor --center aws@eu-west-1 --sign-in azure-cli ada@example.com
  gatehouse doctor --center-url http://127.0.0.1:8080 --graph-url … --login-url … --client-id …
  gatehouse doctor --scim-url https://scim.eu-west-1.amazonaws.com/ID/scim/v2
  gatehouse doctor "AADSTS700016"                                      # what a text means`,
		RunE: func(cmd *cobra.Command, words []string) error {
			s.cmd = cmd
			return s.run(cmd.Context(), words)
		},
	}
	t.Flags(cmd)
	s.center.Flags(cmd)
	f := cmd.Flags()
	f.StringVar(&s.place, "center", "", "AWS itself instead of --center-url: aws[:INSTANCE][@REGION]")
	f.StringVar(&s.scimURL, "scim-url", "", "SCIM endpoint to try the access token at")
	f.StringVar(&s.scimToken, "scim-token", "", "access token of it; set it with GATEHOUSE_SCIM_TOKEN")
	f.StringArrayVar(&s.only, "only", nil, "only checks whose name begins with this; can be repeated")
	f.BoolVar(&s.asJSON, "json", false, "print one JSON object; with --every, a line for each look")
	f.BoolVar(&s.repair, "fix", false, "plan what can be repaired by API, ask for ACCEPT, repair, and look again")
	f.BoolVar(&s.dryRun, "dry-run", false, "with --fix: print the plan and change nothing")
	f.BoolVar(&s.accept, "accept", false, "with --fix: do not ask")
	f.StringVar(&s.state, "state", "", "with --fix: folder of what runs of connect remember (default: one in your own)")
	f.DurationVar(&s.every, "every", 0, "time between looks, such as 10m (default: look once)")
	f.StringVar(
		&s.metricsAddress, "metrics", "",
		"with --every: loopback address to serve Prometheus metrics at, such as 127.0.0.1:9092",
	)
	return cmd
}

// config checks the settings and reports all mistakes at once.
func (s *settings) config(ctx context.Context, words []string) (c gather.Config, err error) {
	c.HTTP = outbound.Operator.Client(administer.Timeout)
	mistakes := s.contradictions(words)
	if s.tenant.named() {
		mistakes = append(mistakes, s.tenant.Check()...)
	}
	if s.place != "" {
		c.AWS, err = s.real(ctx)
		c.Remedy = aws.Remedy
		mistakes = append(mistakes, err)
	} else if s.cmd.Flags().Changed("center-url") {
		admin, more := s.center.Client(s.Env, c.HTTP)
		mistakes = append(mistakes, more...)
		ours := aws.SDKOf(admin)
		c.Admin, c.AWS = admin, &ours
	}
	if s.scimURL != "" {
		if err := outbound.Operator.Check(s.scimURL); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--scim-url: %w", err))
		}
		if s.scimToken == "" {
			mistakes = append(mistakes, errors.New("the SCIM token is missing: set GATEHOUSE_SCIM_TOKEN"))
		}
		c.SCIM = gather.SCIM{URL: s.scimURL, Token: s.scimToken}
	}
	if err := errors.Join(mistakes...); err != nil {
		return c, terminal.UsageError{Err: err}
	}
	if s.tenant.named() {
		say := func(text string) { fmt.Fprintln(s.Err, text) }
		if c.Graph, err = s.tenant.Client(ctx, c.HTTP, say); err != nil {
			return c, fmt.Errorf("--sign-in: %w", err)
		}
		c.LoginURL = s.tenant.LoginURL
		if s.tenant.Method == signin.Client {
			c.ClientID = s.tenant.ClientID
		}
	}
	if i := slices.IndexFunc(words, doctor.IsReference); i >= 0 {
		c.Reference = words[i]
	}
	c.Words = words
	c.ConfigFile, _ = awsconfig.Path(s.Env) // without a home there are no profiles to look at
	if terminal.Is(s.Err) {
		c.Told = func(what string) { fmt.Fprintln(s.Err, "reading "+what) }
	}
	return c, nil
}

// contradictions are flags that do not go together.
func (s *settings) contradictions(words []string) (mistakes []error) {
	if (s.dryRun || s.accept) && !s.repair {
		mistakes = append(mistakes, errors.New("--dry-run and --accept belong to --fix"))
	}
	if s.repair && len(words) > 0 {
		mistakes = append(mistakes, errors.New("--fix mends the whole set-up: choose with --only, name nobody"))
	}
	if s.every < 0 || (s.every > 0 && (s.repair || len(words) > 0)) {
		mistakes = append(mistakes, errors.New("--every looks at the whole set-up: use it without --fix and words"))
	}
	if s.metricsAddress != "" && s.every == 0 {
		mistakes = append(mistakes, errors.New("--metrics belongs to --every"))
	}
	for _, name := range s.only {
		if !slices.ContainsFunc(doctor.Checks(), func(c doctor.Check) bool { return strings.HasPrefix(c.Name, name) }) {
			mistakes = append(mistakes, fmt.Errorf("--only %s: no check is named so; docs/doctor.md lists them", name))
		}
	}
	return mistakes
}

// real is AWS by its default credentials.
func (s *settings) real(ctx context.Context) (*sdk.Config, error) {
	place, err := aws.ParsePlace(s.place)
	if err != nil {
		return nil, err
	}
	loaded, err := aws.LoadSDK(ctx, place)
	if err != nil {
		return nil, fmt.Errorf("--center: %w", err)
	}
	return &loaded, nil
}

// tidy is how much garbage there may be, in percent of what is kept, before it is collected.
const tidy = 40

func (s *settings) run(ctx context.Context, words []string) error {
	c, err := s.config(ctx, words)
	if err != nil {
		return err
	}
	if c.Graph == nil && c.AWS == nil && c.SCIM.URL == "" && len(words) == 0 {
		return terminal.UsageError{Err: errors.New(
			"name a side: --sign-in or --login-url for Entra ID, --center or --center-url for AWS's side, --scim-url",
		)}
	}
	if s.every > 0 {
		return s.watch(ctx, c)
	}
	if c.AWS != nil && c.Admin == nil { // AWS's rates leave time to tidy up
		defer debug.SetGCPercent(debug.SetGCPercent(tidy))
	}
	if !s.asJSON && c.Admin == nil { // a center of one's own tells memberships as soon as the rest
		c.Early = func(f doctor.Facts) { s.early(f, words) }
	}
	looking := terminal.Waiting(s.Err, "looking")
	facts, err := gather.Gather(ctx, c)
	looking.Finish()
	if err != nil {
		return err
	}
	about := doctor.Asked(facts, words)
	report := doctor.Diagnose(facts, about, s.only...)
	if len(s.only) > 0 && len(report.Sound)+len(report.Findings) == 0 {
		return terminal.UsageError{Err: errors.New(
			"nothing was looked at: the checks that --only names need a side that you have not named")}
	}
	if s.repair {
		return s.fix(ctx, c, facts, report)
	}
	if s.asJSON {
		if err := json.NewEncoder(s.Out).Encode(report); err != nil {
			return err
		}
	} else {
		s.answer(report, len(words) > 0)
	}
	return sound(report)
}

// early prints what is broken as soon as that is known: memberships take long at AWS.
func (s *settings) early(f doctor.Facts, words []string) {
	report := doctor.Diagnose(f, doctor.Asked(f, words), s.only...)
	fmt.Fprintln(s.Err, "Before the memberships are read:")
	for _, found := range report.Findings {
		if found.State == doctor.Broken && found.Behind == "" {
			fmt.Fprintf(s.Err, " ✗ %s: %s\n", terminal.Inline(found.Check), terminal.Inline(found.Fact))
		}
	}
	fmt.Fprint(s.Err, terminal.Counted(" %d {check|checks} found nothing\n", len(report.Sound)))
}

// groups are how findings are printed: failures first.
var groups = []struct {
	state       doctor.State
	mark, title string
	counted     string
}{
	{doctor.Broken, "✗", "Broken", "%d broken"}, {doctor.Unseen, "?", "Could not look", "%d could not look"},
	{doctor.Warning, "!", "Warnings", "%d {warning|warnings}"},
	{doctor.OK, "✓", "Sound, and often taken for broken", "%d sound, and often taken for broken"},
}

func (s *settings) print(r doctor.Report) { s.answer(r, false) }

// answer prints a report. What somebody asked for comes before what nobody asked.
func (s *settings) answer(r doctor.Report, asked bool) {
	out := s.Out
	for _, step := range r.Steps {
		text := terminal.Inline(join(" | ", step.Entra, step.AWS))
		fmt.Fprintf(out, " %s %-17s %s\n", mark(step.State), step.Name, text)
	}
	if len(r.Findings) > 0 && (r.Findings[0].State == doctor.OK || asked && r.Findings[0].State == doctor.Warning) {
		fmt.Fprintf(out, "\n%s\n", "The likely answer")
		s.finding(mark(r.Findings[0].State), r.Findings[0])
		r.Findings = r.Findings[1:]
	}
	counts := make([]string, 0, len(groups)+1)
	for _, g := range groups {
		n := 0
		for _, f := range r.Findings {
			if f.State != g.state {
				continue
			}
			if n++; n == 1 {
				fmt.Fprintf(out, "\n%s\n", g.title)
			}
			s.finding(g.mark, f)
		}
		if n > 0 {
			counts = append(counts, terminal.Counted(g.counted, n))
		}
	}
	fmt.Fprintf(out, "\n%s\n", strings.Join(
		append(counts, terminal.Counted("%d {check|checks} found nothing", len(r.Sound))), ", "))
}

func join(between string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), between)
}

func (s *settings) finding(mark string, f doctor.Finding) {
	name := f.Check
	if f.Kind != "" {
		name += " (" + f.Kind + ")"
	}
	if f.Behind != "" { // its cause says what to do
		fmt.Fprintf(s.Out, " %s %s: %s [follows from %s]\n", mark, terminal.Inline(name), terminal.Inline(f.Fact),
			f.Behind)
		return
	}
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(s.Out, "     %-6s %s\n", label, terminal.Inline(text))
		}
	}
	fmt.Fprintf(s.Out, " %s %s: %s\n", mark, terminal.Inline(name), terminal.Inline(f.Fact))
	line("cause", f.Cause)
	for _, v := range f.Values {
		line("value", v.Where+": "+v.Value)
	}
	if len(f.Subjects) > 0 {
		text := strings.Join(f.Subjects, ", ")
		if more := f.Count - len(f.Subjects); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		line("who", text)
	}
	line("fix", f.Fix.Do)
	line("run", f.Fix.Command)
	line("open", f.Fix.Link)
	if _, err := url.Parse(f.Reference); err == nil {
		line("see", f.Reference)
	}
}
