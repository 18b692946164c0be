package profiles

import (
	"cmp"
	"context"
	"crypto/sha1" // #nosec G505 -- the CLI names its files by it
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sso/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/awsconfig/signin"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// identity is one run of whoami.
type identity struct {
	place
	profile string
	asJSON  bool
}

// clock is one of the three that run: the portal's session, its access token, and the credentials
// of a role.
type clock struct {
	Name  string     `json:"name"`
	State string     `json:"state"` // open, ended, none or unknown
	Until *time.Time `json:"until,omitempty"`
	Note  string     `json:"note,omitempty"`
}

// The states of a clock.
const (
	open    = "open"
	ended   = "ended"
	none    = "none"
	unknown = "unknown"
)

// person is what whoami prints. Fields are added, never changed.
type person struct {
	Profile string `json:"profile"`
	Portal  string `json:"portal,omitempty"`
	Account string `json:"account,omitempty"`
	// Environment and Color are what a center says of the account.
	Environment string  `json:"environment,omitempty"`
	Color       string  `json:"color,omitempty"`
	ARN         string  `json:"arn,omitempty"`
	Clocks      []clock `json:"clocks"`
	Problem     string  `json:"problem,omitempty"`
	Next        string  `json:"next,omitempty"` // a command that mends it
}

func (p *identity) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Say who you are on the command line, and which of three clocks has run out",
		Long: `Says which account and role a profile of the AWS CLI stands for, and how long each of these lasts:

  portal session     you sign in for it. It ends at a time that the administrator sets, or when
                     somebody ends it. Nobody says when: the portal is asked whether it is open
  access token       an hour at most. It is renewed by itself while the session is open
  role credentials   as long as the permission set says, also after the session has ended

It changes nothing but the token and credentials that the AWS CLI would renew as well. Exit code 1
says that AWS does not answer who you are.`,
		Example: `  gatehouse whoami
  gatehouse whoami --profile Production-ReadOnlyAccess --json`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&p.profile, "profile", "", "profile of the AWS CLI (default: AWS_PROFILE, else default)")
	f.StringVar(&p.file, "file", "", "the configuration `file` (default: AWS_CONFIG_FILE, else ~/.aws/config)")
	f.BoolVar(&p.asJSON, "json", false, "print JSON")
	return cmd
}

func (p *identity) run(ctx context.Context) error {
	if p.profile == "" {
		p.profile, _ = p.Env("AWS_PROFILE")
	}
	p.profile = cmp.Or(p.profile, "default")
	name, _, file, err := p.read()
	if err != nil {
		return err
	}
	who := person{Profile: p.profile, Clocks: []clock{}}
	profile, bySSO := file.Profile(p.profile)
	if bySSO {
		who.Portal, who.Account = profile.Session.StartURL, profile.AccountID
		if err = p.clocks(ctx, profile, &who); err != nil {
			return err
		}
	}
	err = p.ask(ctx, name, &who, bySSO)
	if err != nil {
		who.Problem = err.Error()
		if bySSO {
			who.Next = "aws sso login --profile " + p.profile
		}
	}
	if err := p.print(who); err != nil {
		return err
	}
	if who.Problem != "" {
		return errors.New("AWS does not say who you are: see above")
	}
	return nil
}

// clocks reads what the CLI keeps, and asks the portal.
func (p *identity) clocks(ctx context.Context, profile awsconfig.Profile, who *person) error {
	folder, err := p.tokens()
	if err != nil {
		return err
	}
	session, access := clock{Name: "portal session", State: none}, clock{Name: "access token", State: none}
	kept, err := signin.Kept(folder, profile.Session)
	switch {
	case errors.Is(err, os.ErrNotExist):
		session.Note = "nobody has signed in here"
	case err != nil:
		return err
	default:
		access.State, access.Until = open, &kept.ExpiresAt
		if !kept.ExpiresAt.After(time.Now()) {
			access.State = ended
		}
		session = p.askPortal(ctx, profile.Session, kept)
		if kept.RefreshToken != "" && session.State != ended {
			access.Note = "is renewed by itself"
		}
		if session.State == open { // without its label an account is an account still
			labels, _ := labelsOf(ctx, profile.Session, kept.AccessToken)
			who.Environment, who.Color = labels[profile.AccountID].Environment, labels[profile.AccountID].Color
		}
	}
	credentials, err := p.credentials(profile)
	who.Clocks = []clock{session, access, credentials}
	return err
}

// askPortal asks whether a session is open. Only a token that has not run out can ask.
func (p *identity) askPortal(ctx context.Context, s awsconfig.Session, kept signin.Token) clock {
	c := clock{Name: "portal session", State: unknown}
	if !kept.ExpiresAt.After(time.Now()) {
		c.Note = "the access token has run out, so the portal was not asked"
		return c
	}
	_, err := client(s).ListAccounts(
		ctx, &sso.ListAccountsInput{AccessToken: &kept.AccessToken, MaxResults: aws.Int32(1)},
	)
	var refused *types.UnauthorizedException
	switch {
	case err == nil:
		c.State = open
	case errors.As(err, &refused):
		c.State = ended
	default:
		c.Note = err.Error()
	}
	return c
}

// maxCached bounds credentials that the CLI keeps, in bytes.
const maxCached = 64 << 10 //bound:body a file with credentials of the AWS CLI

// credentials reads the credentials of a role that AWS CLI 2 keeps.
func (p *identity) credentials(profile awsconfig.Profile) (clock, error) {
	c := clock{Name: "role credentials", State: none, Note: "the AWS CLI has used none yet"}
	folder, err := awsconfig.Folder(p.Env)
	if err != nil {
		return c, err
	}
	name := filepath.Join(folder, "cli", "cache", cacheKey(profile)+".json")
	data, err := awsconfig.ReadFile(name, maxCached)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	var cached struct {
		Credentials struct {
			Expiration time.Time
		}
	}
	if err := json.Unmarshal(data, &cached); err != nil {
		return c, nil //nolint:nilerr // the CLI makes new ones then
	}
	c = clock{Name: c.Name, State: open, Until: &cached.Credentials.Expiration}
	if !c.Until.After(time.Now()) {
		c.State = ended
	}
	return c, nil
}

// cacheKey is how the AWS CLI names the file with the credentials of a role: the digest of a JSON
// object whose names are in order. Source: botocore, the fetcher of SSO credentials.
func cacheKey(p awsconfig.Profile) string {
	key := map[string]string{"accountId": p.AccountID, "roleName": p.RoleName}
	if p.Session.Name != "" {
		key["sessionName"] = p.Session.Name
	} else {
		key["startUrl"] = p.Session.StartURL
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(key); err != nil { // a map of texts
		panic(err)
	}
	sum := sha1.Sum([]byte(strings.TrimSpace(text.String()))) // #nosec G401 -- as above
	return hex.EncodeToString(sum[:])
}

// ask asks AWS who the profile is, by the SDK, which takes credentials from where the CLI does.
func (p *identity) ask(ctx context.Context, name string, who *person, bySSO bool) error {
	ctx, cancel := context.WithTimeout(ctx, administer.Timeout)
	defer cancel()
	options := []func(*config.LoadOptions) error{
		config.WithSharedConfigFiles([]string{name}),
		config.WithRetryMaxAttempts(2),
	}
	if bySSO || p.profile != "default" {
		options = append(options, config.WithSharedConfigProfile(p.profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return err
	}
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return err
	}
	who.Account, who.ARN = aws.ToString(out.Account), aws.ToString(out.Arn)
	return nil
}

func (p *identity) print(who person) error {
	if p.asJSON {
		e := json.NewEncoder(p.Out)
		e.SetIndent("", "  ")
		return e.Encode(who)
	}
	t := tabwriter.NewWriter(p.Out, 0, 4, 2, ' ', 0)
	for _, line := range [][2]string{
		{"Profile", who.Profile}, {"Portal", who.Portal}, {"Account", who.Account},
		{"Environment", awsconfig.Labeled(who.Environment, who.Color)}, {"Identity", who.ARN},
	} {
		if line[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", line[0], terminal.Inline(line[1]))
		}
	}
	for _, c := range who.Clocks {
		text := c.State
		if c.Until != nil {
			text += ", until " + c.Until.Local().Format("2006-01-02 15:04 MST") + left(*c.Until)
		}
		if c.Note != "" {
			text += ", " + c.Note
		}
		fmt.Fprintf(t, "%s\t%s\n", strings.ToUpper(c.Name[:1])+c.Name[1:], terminal.Inline(text))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if who.Problem != "" {
		fmt.Fprintf(p.Out, "\n%s\n", terminal.Inline(who.Problem))
	}
	if who.Next != "" {
		fmt.Fprintf(p.Out, "Sign in again:\n\n  %s\n", who.Next)
	}
	return nil
}

// left says how long something lasts, or how long ago it ended, in hours and minutes.
func left(until time.Time) string {
	d := time.Until(until).Round(time.Minute)
	text := cmp.Or(strings.TrimSuffix(d.Abs().String(), "0s"), "0m")
	if d < 0 {
		return " (" + text + " ago)"
	}
	return " (in " + text + ")"
}
