// Package rehearse has the command that copies an organization, the real one or one's own, into a
// pair on this machine: its flags and words, in which order both sides are read, and what it says;
// and what the command import needs to bring AWS's side into a center that stays.
//
// It may import adminapi, audit, awsapi/inventory, center, center/mirror, cmd/gatehouse/administer,
// cmd/gatehouse/examine, connect/aws, demo, graph, graph/signin, outbound, tenant, tenant/mirror
// and terminal.
package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/center"
	centermirror "github.com/gatehouse-id/gatehouse/center/mirror"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/examine"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/graph/signin"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantmirror "github.com/gatehouse-id/gatehouse/tenant/mirror"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Original is what the pair is a copy of.
type Original struct {
	Instance *center.Identity // nil: nothing
	Tenant   tenant.Config    // its id, name and domain
}

// Place is where the copy is kept and served.
type Place struct {
	Data, Center, Tenant string
	Original             Original
	Log                  *slog.Logger
}

// Pair is a copy that is served.
type Pair struct {
	Center *center.Center
	Tenant *tenant.Tenant
	Keys   demo.Keys
}

// Serve serves a pair until the context ends, and hands it over when it is ready.
type Serve func(ctx context.Context, at Place, use func(context.Context, Pair) error) error

// settings are the flags.
type settings struct {
	administer.World

	serve   Serve
	tenant  examine.Tenant
	center  administer.Address
	from    string
	place   Place
	noServe bool
	asJSON  bool
	cmd     *cobra.Command
}

// stateFile is the file in the data folder with what is copied of AWS's side.
const stateFile = "copy.json"

// Command is the command rehearse.
func Command(w administer.World, t examine.Tenant, serve Serve) *cobra.Command {
	s := &settings{World: w, tenant: t, serve: serve}
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Copy your organization into a center and a tenant on this machine, to rehearse a change",
		Long: `Copies the real IAM Identity Center and the real Entra ID, or a center and a tenant of your own, into
a pair on this machine, and serves it on loopback. It only reads the originals, within AWS's rates,
and takes no secrets along. Users, groups, permission sets, accounts and applications keep their IDs.

Then rehearse on the copy what you plan: connect it, see who would stop working, sign in as people,
break it. The real pair notices nothing.

What you have no permission to read is left out and named. A copy that was interrupted goes on where
it was: run the same command again. docs/rehearsal.md lists what is read, the permissions, and what
is not copied.

With --no-serve, the command ends when the copy is complete. To move to a center of your own for good:
gatehouse import --from.

Pass secrets through the environment: GATEHOUSE_CLIENT_SECRET and AWS_SECRET_ACCESS_KEY.`,
		Example: `  gatehouse rehearse --from aws@eu-west-1 --sign-in azure-cli --data ./rehearsal
  gatehouse rehearse --from aws --data ./copy --no-serve         # only AWS's side, and end
  gatehouse rehearse --from http://127.0.0.1:8080 --graph-url … --login-url … --client-id … --data ./copy`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s.cmd = cmd
			if s.place.Log, err = terminal.Logger(cmd, s.Err, slog.LevelError); err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	t.Flags(cmd)
	s.center.Flags(cmd)
	f := cmd.Flags()
	f.StringVar(&s.from, "from", "", "what to copy: aws[:INSTANCE][@REGION], or the URL of a center of your own")
	f.StringVar(&s.place.Data, "data", "", "folder for the copy")
	f.StringVar(&s.place.Center, "center", "127.0.0.1:8090", "loopback address of the copied center")
	f.StringVar(&s.place.Tenant, "tenant", "127.0.0.1:8091", "loopback address of the copied tenant")
	f.BoolVar(&s.noServe, "no-serve", false, "end when the copy is complete")
	f.BoolVar(&s.asJSON, "json", false, "print one JSON object, when the copy is complete")
	return cmd
}

// source is what is read.
type source struct {
	reader *inventory.Reader
	admin  *adminapi.Client // another center's; nil: it is AWS
	graph  *graph.Client    // nil: AWS's side alone
}

// served are the addresses of what is served; nothing of an import is.
func (s *settings) served() []string {
	if s.serve == nil {
		return nil
	}
	return []string{s.place.Center, s.place.Tenant}
}

// check checks the settings and reports all mistakes at once.
func (s *settings) check(ctx context.Context) (from source, err error) {
	var mistakes []error
	for _, address := range s.served() {
		host, _, found := strings.Cut(address, ":")
		if !found || !outbound.IsLoopbackHost(host) {
			mistakes = append(mistakes, fmt.Errorf("%q: a rehearsal is served on this machine only, such as at "+
				"127.0.0.1:8090", address))
		}
	}
	signs := s.tenant.LoginURL != "" || s.tenant.Token != "" || s.tenant.Method != signin.Client
	if signs {
		mistakes = append(mistakes, s.tenant.Check()...)
	}
	client := outbound.Operator.Client(administer.Timeout)
	var cfg sdk.Config
	switch {
	case s.from == "":
		mistakes = append(mistakes, errors.New("--from is missing: aws, aws@REGION, or the URL of a center"))
	case strings.HasPrefix(s.from, "aws"):
		cfg, err = s.aws(ctx)
		mistakes = append(mistakes, err)
	default:
		err := s.cmd.Flags().Set("center-url", s.from)
		admin, more := s.center.Client(s.Env, client)
		mistakes = append(append(mistakes, err), more...)
		from.admin, cfg = admin, aws.SDKOf(admin)
	}
	if err := errors.Join(mistakes...); err != nil {
		return from, terminal.UsageError{Err: err}
	}
	from.reader = inventory.Open(cfg)
	if signs {
		from.graph, err = s.tenant.Client(ctx, client, func(text string) { fmt.Fprintln(s.Err, text) })
	}
	return from, err
}

// aws is AWS by its default credentials, paced.
func (s *settings) aws(ctx context.Context) (cfg sdk.Config, err error) {
	place, err := aws.ParsePlace(s.from)
	if err != nil {
		return cfg, err
	}
	if cfg, err = aws.LoadSDK(ctx, place); err != nil {
		return cfg, err
	}
	return (&inventory.Rates{}).Pace(cfg), nil
}

// original finds out what is copied.
func (s *settings) original(ctx context.Context, from *source) error {
	wanted := s.from[strings.LastIndexAny(s.from, ":/")+1:]
	wanted, _, _ = strings.Cut(wanted, "@")
	var found []types.InstanceMetadata
	for i, err := range inventory.Each(from.reader.Instances(ctx, "")) {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(wanted, "ssoins-") || strings.HasSuffix(sdk.ToString(i.InstanceArn), "/"+wanted) {
			found = append(found, i)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("there are %d instances of IAM Identity Center in this Region: check the Region and the "+
			"account, or name one, such as --from aws:ssoins-1234567890abcdef@eu-west-1", len(found))
	}
	i := found[0]
	from.reader = from.reader.Of(sdk.ToString(i.InstanceArn), sdk.ToString(i.IdentityStoreId))
	described, err := from.reader.Instance(ctx)
	if err != nil {
		return err
	}
	s.place.Original.Instance = &center.Identity{
		ARN: from.reader.InstanceARN, IdentityStoreID: from.reader.StoreID,
		OwnerAccountID: sdk.ToString(i.OwnerAccountId), Region: sdk.ToString(described.PrimaryRegion),
	}
	if s.place.Original.Instance.Region == "" {
		s.place.Original.Instance.Region = s.region()
	}
	if from.graph == nil {
		return nil
	}
	list, err := graph.All[struct {
		ID, DisplayName string
		VerifiedDomains []struct {
			Name      string
			IsDefault bool
		}
	}](ctx, from.graph, "/organization?$select=id,displayName,verifiedDomains")
	if err != nil || len(list) != 1 {
		return fmt.Errorf("read the tenant (%d found): %w", len(list), err)
	}
	t := &s.place.Original.Tenant
	t.Copy = true
	t.TenantID, t.DisplayName = list[0].ID, "Rehearsal of "+list[0].DisplayName
	for _, d := range list[0].VerifiedDomains {
		if d.IsDefault || t.Domain == "" {
			t.Domain = d.Name
		}
	}
	return nil
}

// region is the Region that was asked.
func (s *settings) region() string {
	if _, region, named := strings.Cut(s.from, "@"); named {
		return region
	}
	region, _ := s.Env("AWS_REGION")
	return region
}

func (s *settings) run(ctx context.Context) error {
	if s.place.Data == "" {
		return terminal.UsageError{Err: errors.New("--data is missing: the folder for the copy")}
	}
	from, err := s.check(ctx)
	if err != nil {
		return err
	}
	if err := s.original(ctx, &from); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	return s.serve(ctx, s.place, func(ctx context.Context, p Pair) error {
		out, err := s.copy(ctx, from, p)
		if err != nil {
			return fmt.Errorf("%w\nWhat was copied is kept. Run the command again to go on", err)
		}
		if err := s.print(out, p); err != nil {
			return err
		}
		if s.noServe {
			end()
		}
		return nil
	})
}

// Output is what the command prints, for programs: fields are added, never changed.
type Output struct {
	AWS         centermirror.Report   `json:"aws"`
	Entra       map[string]int        `json:"entra"`
	EntraUnread []tenantmirror.Unread `json:"entra_unread"`
	NotCopied   []string              `json:"not_copied"`
	CenterURL   string                `json:"center_url"`
	GraphURL    string                `json:"graph_url"`
	LoginURL    string                `json:"login_url"`
	Data        string                `json:"data"`

	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	ClientID        string `json:"client_id"`
	ClientSecret    string `json:"client_secret"`
	AdminName       string `json:"admin_name"`
	AdminPassword   string `json:"admin_password"`
	PersonPassword  string `json:"person_password"`
}

// copy reads both sides at once.
func (s *settings) copy(ctx context.Context, from source, p Pair) (out Output, err error) {
	tell := s.progress()
	left, err := lookBehind(ctx, from.admin)
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var sides sync.WaitGroup
	sides.Go(func() {
		m := &centermirror.Mirror{
			Reader: from.reader, Center: p.Center, State: filepath.Join(s.place.Data, stateFile),
			Told: func(kind string, n int) { tell("AWS: "+kind, n) },
		}
		var err error
		if out.AWS, err = m.Copy(ctx); err != nil {
			cancel(fmt.Errorf("copy AWS's side: %w", err))
		}
	})
	out.Entra = map[string]int{}
	out.NotCopied = []string{
		"passwords, second factors, sessions, SCIM tokens, client secrets and private keys: secrets stay where " +
			"they are",
	}
	out.NotCopied = append(out.NotCopied, left.lines()...)
	if from.graph != nil {
		sides.Go(func() {
			if err := s.entra(ctx, from.graph, p, &out, func(n int) { tell("Entra: objects", n) }); err != nil {
				cancel(fmt.Errorf("copy Entra's side: %w", err))
			}
		})
	}
	sides.Wait()
	out.CenterURL, out.GraphURL = p.Center.URL, p.Tenant.GraphURL()
	out.LoginURL = p.Tenant.URL + "/" + p.Tenant.Organization.ID
	out.Data = s.place.Data
	out.AccessKeyID, out.SecretAccessKey = p.Keys.AccessKeyID, p.Keys.SecretAccessKey
	out.ClientID, out.ClientSecret = p.Keys.ClientID, p.Keys.ClientSecret
	out.AdminName, out.AdminPassword = demo.AdminName, p.Keys.AdminPassword
	out.PersonPassword = p.Keys.PersonPassword
	return out, context.Cause(ctx)
}

// entra copies the directory, then the applications, which name what is in it.
func (s *settings) entra(ctx context.Context, from *graph.Client, p Pair, out *Output, told func(int)) error {
	m := &tenantmirror.Mirror{Tenant: p.Tenant, Graph: from, Progress: told}
	pulled, err := m.Pull(ctx)
	if err != nil {
		return err
	}
	out.NotCopied = append(out.NotCopied, pulled.Stays()...)
	own, err := signin.Settings{
		GraphURL: p.Tenant.GraphURL(), LoginURL: p.Tenant.URL + "/" + p.Tenant.Organization.ID,
		Method: signin.Client, ClientID: p.Keys.ClientID, ClientSecret: p.Keys.ClientSecret,
	}.Client(ctx, outbound.Operator.Client(administer.Timeout), func(string) {})
	if err != nil {
		return err
	}
	apps, err := m.CopyApplications(ctx, own, addresses(p.Center))
	if err != nil {
		return err
	}
	out.EntraUnread = apps.Unread
	out.NotCopied = append(out.NotCopied, apps.Left...)
	if _, err := p.Tenant.GivePasswords(ctx, actor, p.Keys.PersonPassword); err != nil {
		return err
	}
	users, e1 := p.Tenant.CountUsers(ctx)
	groups, e2 := p.Tenant.CountGroups(ctx)
	out.Entra["users"], out.Entra["groups"] = users, groups
	out.Entra["applications"], out.Entra["provisioning jobs"] = apps.Applications, apps.Jobs
	return errors.Join(e1, e2)
}

// addresses changes those of the original's center to those of the copy: assertions of a rehearsal
// go to no other.
func addresses(c *center.Center) func(string) string {
	return func(address string) string {
		switch {
		case strings.Contains(address, "/platform/saml/acs/"):
			return c.ACSURL()
		case strings.Contains(address, "/platform/saml/"):
			return c.EntityID()
		case strings.Contains(address, ".awsapps.com"), strings.Contains(address, ".portal."),
			strings.HasSuffix(address, "/start"):
			return c.PortalURL()
		}
		return address
	}
}

// progress tells a person at a terminal how far the copy has come.
func (s *settings) progress() func(what string, n int) {
	out := s.Err
	if !terminal.Is(out) {
		out = io.Discard
	}
	var mu sync.Mutex
	counts := map[string]int{}
	return func(what string, n int) {
		mu.Lock()
		defer mu.Unlock()
		if n/1000 != counts[what]/1000 || counts[what] == 0 {
			fmt.Fprintf(out, "%s: %d\n", what, n)
		}
		counts[what] = n
	}
}

func (s *settings) print(out Output, p Pair) error {
	if s.asJSON {
		return json.NewEncoder(s.Out).Encode(out) // #nosec G117 -- those of the copy, for whoever made it
	}
	out.print(s.Out, p)
	return nil
}
