// Package administer has the commands that administer a running center over its API: accounts,
// keys, tokens, roles, rules, the identity source, and why a request was refused. They are flags
// and words; what they do is the API's.
//
// It may import adminapi, outbound, saml and terminal.
package administer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// World is what a command sees of the world outside.
type World struct {
	In       io.Reader
	Out, Err io.Writer // terminal.Writers, since what they are given may come from outside
	Env      func(string) (string, bool)
}

// Explainer adds to explain what the API of a center cannot tell: how a person is provisioned.
type Explainer struct {
	Flags  func(*cobra.Command)
	Person func(cmd *cobra.Command, name string, asJSON bool) error
}

// Commands are all commands that administer a center.
func Commands(w World, e Explainer) []*cobra.Command {
	return []*cobra.Command{
		w.accounts(), w.roles(), w.rules(), w.accessKeys(), w.scimTokens(), w.explain(e), w.identitySource(),
		w.provisioning(), w.settings(), w.users(), w.sessions(), w.applications(), w.audit(),
	}
}

// Timeout bounds how long a command waits for one answer of a server.
const Timeout = time.Minute //bound:wait an answer, by a command

// Address is where a center's API is, and the access key to call it with.
type Address struct{ url, region, keyID, secret string }

// Flags adds the flags of an address.
func (a *Address) Flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&a.url, "center-url", "", "the center's URL (default: AWS_ENDPOINT_URL, else http://127.0.0.1:8080)")
	f.StringVar(
		&a.region, "region", "", "the center's AWS region (default: AWS_REGION, else us-east-1)",
	)
	f.StringVar(&a.keyID, "access-key-id", "", "access key ID for the center (default: AWS_ACCESS_KEY_ID)")
	f.StringVar(&a.secret, "secret-access-key", "", "secret of the access key (default: AWS_SECRET_ACCESS_KEY)")
}

// AddressOf is the address that the flags of a command have.
func AddressOf(cmd *cobra.Command) (a Address) {
	a.url, _ = cmd.Flags().GetString("center-url")
	a.region, _ = cmd.Flags().GetString("region")
	a.keyID, _ = cmd.Flags().GetString("access-key-id")
	a.secret, _ = cmd.Flags().GetString("secret-access-key")
	return a
}

// Client returns a client, and every mistake in the settings.
func (a *Address) Client(env func(string) (string, bool), using *http.Client) (*adminapi.Client, []error) {
	for _, or := range []struct {
		value *string
		name  string
	}{
		{&a.url, "AWS_ENDPOINT_URL"},
		{&a.region, "AWS_REGION"},
		{&a.keyID, "AWS_ACCESS_KEY_ID"},
		{&a.secret, "AWS_SECRET_ACCESS_KEY"},
	} {
		if *or.value == "" {
			*or.value, _ = env(or.name)
		}
	}
	a.url = cmp.Or(a.url, "http://127.0.0.1:8080")
	a.region = cmp.Or(a.region, "us-east-1")
	var mistakes []error
	if err := outbound.Operator.Check(a.url); err != nil {
		mistakes = append(mistakes, fmt.Errorf("--center-url: %w", err))
	}
	if a.keyID == "" {
		mistakes = append(mistakes, errors.New("the access key ID is missing: set AWS_ACCESS_KEY_ID"))
	}
	if a.secret == "" {
		mistakes = append(mistakes, errors.New("the access key's secret is missing: set AWS_SECRET_ACCESS_KEY"))
	}
	return &adminapi.Client{
		URL: strings.TrimRight(a.url, "/"), Region: a.region, AccessKeyID: a.keyID, SecretAccessKey: a.secret,
		HTTP: using,
	}, mistakes
}

// administration is a command with subcommands that call a center's API.
type administration struct {
	World
	address Address
	asJSON  bool
}

func (a *administration) client() (*adminapi.Client, error) {
	c, mistakes := a.address.Client(a.Env, outbound.Operator.Client(Timeout))
	if len(mistakes) > 0 {
		return nil, terminal.UsageError{Err: errors.Join(mistakes...)}
	}
	return c, nil
}

// Caller is what other packages make commands with that call a center's API.
type Caller struct{ administration }

// NewCaller returns one for a command or a group of them.
func NewCaller(w World) *Caller { return &Caller{administration{World: w}} }

// Command makes a command that calls do with a client.
func (c *Caller) Command(
	use, short string, args cobra.PositionalArgs, do func(*cobra.Command, *adminapi.Client, []string) error,
) *cobra.Command {
	return c.command(use, short, args, do)
}

// Single adds the flags of a command that is no group.
func (c *Caller) Single(cmd *cobra.Command) {
	c.address.Flags(cmd)
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "print JSON")
}

// Group adds the flags that all commands of a group take, and its help.
func (c *Caller) Group(cmd *cobra.Command) { c.flags(cmd) }

// JSON says whether JSON was asked for.
func (c *Caller) JSON() bool { return c.asJSON }

// URL is the center's that was named, or the usual one, for what needs no access key.
func (c *Caller) URL() string {
	client, _ := c.address.Client(c.Env, nil)
	return client.URL
}

// Print prints v as JSON where that was asked for, or by rows in columns.
func (c *Caller) Print(v any, header string, rows func(line func(...any))) error {
	return c.print(v, header, rows)
}

// Done says what was done, unless it was not.
func (c *Caller) Done(err error, words string, args ...any) error { return c.done(err, words, args...) }

// FindUser returns the user that a user name or an id names.
func FindUser(cmd *cobra.Command, c *adminapi.Client, nameOrID string) (adminapi.User, error) {
	return findUser(cmd, c, nameOrID)
}

// print prints v as JSON where that was asked for, or by rows in columns.
func (a *administration) print(v any, header string, rows func(line func(...any))) error {
	if a.asJSON {
		e := json.NewEncoder(a.Out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	var lines [][]any
	rows(func(columns ...any) { lines = append(lines, columns) })
	return terminal.Table(a.Out, header, lines)
}

// Moment shows a time in the columns of a table.
func Moment(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// command is one of an administration's, which calls do with a client.
func (a *administration) command(
	use, short string, args cobra.PositionalArgs, do func(*cobra.Command, *adminapi.Client, []string) error,
) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return Helped(cmd.Context(), c, do(cmd, c, args))
		},
	}
}

// flags adds the flags that all of an administration's commands take, and their help.
func (a *administration) flags(cmd *cobra.Command) {
	cmd.Args = terminal.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	a.address.Flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
}
