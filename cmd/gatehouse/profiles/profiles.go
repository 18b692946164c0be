// Package profiles has the commands for people who use their access on the command line: profiles
// of the AWS CLI for every role that somebody has, and who one is at the moment and for how long.
// Both work with AWS's IAM Identity Center and with a center.
//
// It may import adminapi, awsconfig, awsconfig/signin, cmd/gatehouse/administer, connect/assist,
// outbound and terminal.
package profiles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/awsconfig/signin"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/connect/assist"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Command is the command profiles. changes is what a dry run ends with that would write something.
func Command(w administer.World, changes error) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profiles",
		Short: "Write a profile of the AWS CLI for every role that you have",
		Example: `  gatehouse profiles write --start-url https://d-1234567890.awsapps.com/start --region eu-west-1
  gatehouse profiles write --dry-run`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand((&writing{place: place{World: w}, changes: changes}).command())
	return cmd
}

// WhoAmI is the command whoami.
func WhoAmI(w administer.World) *cobra.Command { return (&identity{place: place{World: w}}).command() }

// place is the AWS CLI's files on this machine.
type place struct {
	administer.World
	file string // by flag
}

// config is the configuration file.
func (p *place) config() (string, error) {
	if p.file != "" {
		return p.file, nil
	}
	return awsconfig.Path(p.Env)
}

// read returns the configuration file: its name, its text, and what it says. One that is not there
// is empty.
func (p *place) read() (name, text string, f *awsconfig.File, err error) {
	if name, err = p.config(); err != nil {
		return "", "", nil, err
	}
	data, err := awsconfig.ReadFile(name, awsconfig.MaxSize)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", "", nil, err
	}
	f, err = awsconfig.Parse(strings.NewReader(string(data)))
	return name, string(data), f, err
}

// tokens is the folder in which the CLI keeps tokens.
func (p *place) tokens() (string, error) {
	folder, err := awsconfig.Folder(p.Env)
	return filepath.Join(folder, "sso", "cache"), err
}

// writing is one run of profiles write.
type writing struct {
	place
	changes error

	session, startURL, region string
	profileRegion, template   string
	accounts, roles           []string
	dryRun, asJSON, noBrowser bool
}

func (p *writing) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "write",
		Short: "Write a profile of the AWS CLI for every role that you have",
		Long: `Signs you in at the access portal, in the browser or by a code, and writes a profile for each role
that you have in each account into the configuration file of the AWS CLI. After that
"aws s3 ls --profile Production-ReadOnlyAccess" works, without "aws sso login".

The profiles stand between two comments. The next run replaces what stands there, and nothing else:
a role that you no longer have goes, and your own profiles stay as they are. The token is kept where
the AWS CLI keeps its own (~/.aws/sso/cache).

The portal is AWS's, or a center's. Of a center, the profiles say where its services answer, so that
credentials are renewed there and not at AWS.`,
		Example: `  gatehouse profiles write --start-url https://d-1234567890.awsapps.com/start --region eu-west-1
  gatehouse profiles write --session corp               # an sso-session that is in the file already
  gatehouse profiles write --start-url http://127.0.0.1:8080/start --region us-east-1
  gatehouse profiles write --role ReadOnlyAccess --template "ro-{account}" --dry-run`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&p.startURL, "start-url", "", "the access portal's address (default: that of the session in the file)")
	f.StringVar(&p.region, "region", "", "the Region of IAM Identity Center (default: the session's, else AWS_REGION)")
	f.StringVar(&p.session, "session", "", "name of the sso-session (default: the file's only one, or the portal's)")
	f.StringVar(&p.profileRegion, "profile-region", "", "the Region of the profiles (default: that of the session)")
	f.StringVar(&p.template, "template", awsconfig.DefaultTemplate, "names, of {account}, {account_id} and {role}")
	f.StringArrayVar(&p.accounts, "account", nil, "only this account, by id or name (repeatable)")
	f.StringArrayVar(&p.roles, "role", nil, "only this role (repeatable)")
	f.StringVar(&p.file, "file", "", "the configuration `file` (default: AWS_CONFIG_FILE, else ~/.aws/config)")
	f.BoolVar(&p.noBrowser, "no-browser", false, "show a code to type in a browser on any machine")
	f.BoolVar(&p.dryRun, "dry-run", false, "only say what would change; exit code 2 if anything would")
	f.BoolVar(&p.asJSON, "json", false, "print JSON")
	return cmd
}

func (p *writing) run(ctx context.Context) error {
	if err := p.check(); err != nil {
		return terminal.UsageError{Err: err}
	}
	name, old, file, err := p.read()
	if err != nil {
		return err
	}
	s, err := p.where(ctx, file)
	if err != nil {
		return err
	}
	had, err := p.had(ctx, s)
	if err != nil {
		return err
	}
	profiles := awsconfig.Named(p.template, p.wanted(had))
	for i := range profiles {
		profiles[i].Region = p.profileRegion
	}
	text, err := awsconfig.Merge(old, s, profiles)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	before, err := awsconfig.Written(old, s.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !p.dryRun && text != old {
		if err := replace(name, text); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := p.print(name, compare(before, profiles)); err != nil {
		return err
	}
	if p.dryRun && text != old {
		return p.changes
	}
	return nil
}

// check refuses flags that nothing can come of.
func (p *writing) check() error {
	err := awsconfig.CheckTemplate(p.template)
	if len(p.roles) == 1 && strings.Contains(p.template, "{account") { // one role needs no name
		err = nil
	}
	return err
}

// wanted are the roles that the flags name; all without any.
func (p *writing) wanted(had []awsconfig.Role) (list []awsconfig.Role) {
	for _, r := range had {
		account := len(p.accounts) == 0 || slices.Contains(p.accounts, r.AccountID) ||
			slices.Contains(p.accounts, r.AccountName)
		if account && (len(p.roles) == 0 || slices.Contains(p.roles, r.RoleName)) {
			list = append(list, r)
		}
	}
	return list
}

// signIn is how the person gets a token.
func (p *writing) signIn(s awsconfig.Session) (signin.Settings, error) {
	folder, err := p.tokens()
	settings := signin.Settings{
		Session: s,
		HTTP:    outbound.Operator.Client(administer.Timeout),
		Folder:  folder,
		Say:     func(text string) { fmt.Fprintln(p.Err, text) },
	}
	if !p.noBrowser && assist.HasBrowser(p.Env) {
		settings.Open = func(ctx context.Context, address string) (func(), error) {
			return assist.OpenBrowser(ctx, p.Env, address)
		}
	}
	return settings, err
}

// change is a profile that a run adds, keeps or takes away.
type change struct {
	Profile   string `json:"profile"`
	AccountID string `json:"account_id"`
	Role      string `json:"role"`
	Change    string `json:"change"` // added, kept or removed
}

// compare says what has become of the profiles of an earlier run.
func compare(before, now []awsconfig.Profile) []change {
	list := []change{}
	same := func(a awsconfig.Profile) func(awsconfig.Profile) bool {
		return func(b awsconfig.Profile) bool {
			return a.Name == b.Name && a.AccountID == b.AccountID && a.RoleName == b.RoleName
		}
	}
	for _, n := range now {
		what := "added"
		if slices.ContainsFunc(before, same(n)) {
			what = "kept"
		}
		list = append(list, change{n.Name, n.AccountID, n.RoleName, what})
	}
	for _, b := range before {
		if !slices.ContainsFunc(now, same(b)) {
			list = append(list, change{b.Name, b.AccountID, b.RoleName, "removed"})
		}
	}
	return list
}

// print says what has changed, or would.
func (p *writing) print(name string, list []change) error {
	if p.asJSON {
		e := json.NewEncoder(p.Out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			File     string   `json:"file"`
			DryRun   bool     `json:"dry_run"`
			Profiles []change `json:"profiles"`
		}{name, p.dryRun, list})
	}
	var rows [][]any
	count := map[string]int{}
	for _, c := range list {
		count[c.Change]++
		rows = append(rows, []any{c.Profile, c.AccountID, c.Role, c.Change})
	}
	if err := terminal.Table(p.Out, "PROFILE\tACCOUNT\tROLE\tCHANGE", rows); err != nil {
		return err
	}
	would := ""
	if p.dryRun {
		would = " would be"
	}
	fmt.Fprintf(
		p.Out, "\n%s: %d%s added, %d kept, %d%s removed\n", name, count["added"], would, count["kept"],
		count["removed"], would,
	)
	return nil
}

// replace writes a file whole or not at all, where a link leads too, and lets it keep who may read
// it.
func replace(name, text string) error {
	mode := os.FileMode(0o600)
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	return awsconfig.WriteFile(name, []byte(text), mode)
}
