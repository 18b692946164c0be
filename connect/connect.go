// Package connect does what an administrator does in three browser tabs: it federates a tenant and
// a center, only through their public APIs. Observe looks at both ends and makes a plan, Apply
// does what is missing, Verify proves that it works.
//
// Runs remember nothing: each one asks both ends. So the next run completes one that was
// interrupted at any step, and if everything is in place, a run changes nothing.
//
// It may import adminapi, graph, names, provisioning, provisioning/mapping, saml and scim.
package connect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/saml"
)

// Config says what to connect, and how.
type Config struct {
	Graph    *graph.Client
	Center   Center
	LoginURL string // the tenant's sign-in host with the tenant id: https://login.example/<tenant id>
	HTTP     *http.Client

	AppName  string   // of the enterprise application, when one has to be created
	Groups   []string // display names of the groups to assign; they must exist
	SyncAll  bool     // provision all users and groups instead of the assigned ones
	Email    string   // for notifications; may be empty
	Cert     string   // the certificate's label
	PollEach time.Duration
	// Settle is how long a directory may take to know what was just made; DefaultSettle when zero.
	Settle time.Duration
	// CycleWait is how long Verify waits for the first provisioning cycle, and SignInWait for a
	// person to sign in once; DefaultCycleWait and DefaultSignInWait when zero.
	CycleWait, SignInWait time.Duration
	// Discover reads who is at AWS's side, for a plan about people. Without it the center is asked
	// for its own report.
	Discover func(ctx context.Context, progress func(done, total int)) (Snapshot, error)
	// Progress is told of the discovery; may be nil.
	Progress func(done, total int)
	// LooksAgain is told while a run looks again at what a replica of the tenant may say late: for
	// how long it has, and at most will. At the end both are the same. It may be nil.
	LooksAgain func(waited, most time.Duration)
	// SnapshotFile gets what was discovered, before anything changes.
	SnapshotFile string
	Now          func() time.Time // time.Now when nil; what ends when is compared with it
	// KeepSettings leaves scope and notifications of the job as they are saved.
	KeepSettings bool
	// AllowLockout lets somebody change the identity source whose own way in depends on it.
	AllowLockout bool
	// AllowMissing lets the identity source change though AWS has refused somebody to Writer of
	// whom the plan says nothing.
	AllowMissing bool
	// Tokenless leaves provisioning to Writer instead of the tenant: no endpoint, token or job.
	Tokenless bool
	// Folder is where runs remember what they have begun, and keep others out of it; empty: they do
	// not.
	Folder string
	// Replay keeps a journal of what each step leaves, and compares it with a rehearsal's.
	Replay *Replay
	// Writer is nil where somebody else writes to AWS's side.
	Writer Writer
	// Maker remembers what a Writer has made, also when that has ended; nil: nobody does.
	Maker Maker

	looking bool // nothing will be changed, and what may not be read is left out
	held    bool // no other run that shares Folder is at it; see Hold
}

// DefaultSettle is how long requests about objects that were just made are repeated while the
// tenant does not know them everywhere yet. Terraform's provider waits up to ten minutes;
// Microsoft's tutorial advises to poll.
const DefaultSettle = 2 * time.Minute //bound:wait what connect changed to take effect

// settleDenied is for how long a refusal is taken for that of a replica that does not know the
// application.
const settleDenied = 15 * time.Second //bound:wait a tenant that may not know yet whose application it is

// How long is waited for what is not in this program's hands. The next run goes on waiting.
const (
	DefaultCycleWait  = time.Hour        //bound:wait the first provisioning cycle
	DefaultSignInWait = 30 * time.Minute //bound:wait a person to sign in once, as proof
)

// Step is one thing to do.
type Step struct {
	Title  string
	Detail string // what exists, or what will be created or changed
	Done   bool   // no action needed
	do     func(context.Context) error
	job    bool // it is about the tenant's provisioning job
}

// Plan is what was observed and what is to be done about it.
type Plan struct {
	Steps []Step
	// what changing the identity source does to the center's users; empty when it does not change
	Report  adminapi.Report
	Changes bool // the identity source will change
	// People is what becomes of everybody; nil without a discovery.
	People   *People
	Snapshot Snapshot
	Notes    []string // what to know before going on
	State    State
	cfg      Config
	log      signInLog
	writing  writing
	kept     string // the file that has what was there before the connection
	keptNow  string // the one that has what was there before this run, if that is another
	applied  bool   // this run has done a step
	paused   bool   // this run has paused the job, and not started it
	started  bool   // this run has started it
	// untouched are the tokens before the job's was tested, where which one that is may matter.
	untouched []adminapi.BearerToken
	unread    []Unread // what may not be read
	untested  error    // why nobody knows whether the saved credentials pass Test Connection
	// tokenRefused says that they do not because AWS's side refuses the saved token.
	tokenRefused bool
	// replaced is the token that is to be deleted when the job is on again, if replacing; a side
	// may not tell its id.
	replaced  string
	replacing bool
	fresh     bool // this run made the application: the tenant's replicas may not know it yet
	// early says that the application is that of a run which ended before it was set up.
	early bool
	// asking is the application that this run has asked for, strange are those that may be taken
	// for it and are not.
	asking  askedApplication
	strange []strangeApplication
	// elsewhere are the ids of those of the name that a run for another center had made.
	elsewhere []string
	groups    map[string]string // the names of State.Unassigned
	had       identitySource    // at the center
}

// State is what both ends say. Ids are empty for what does not exist yet.
type State struct {
	Directory     adminapi.Directory
	SP            adminapi.ServiceProvider
	Application   graph.Application
	Principal     graph.ServicePrincipal
	Metadata      []byte // the tenant's federation metadata for the application
	IdP           saml.IdentityProvider
	Configuration adminapi.Configuration // the center's, enabled or pending, that matches the metadata
	SCIM          adminapi.Tenant
	Job           graph.SynchronizationJob
	Secrets       map[string]string
	Connected     bool     // the saved credentials pass Test Connection
	Unassigned    []string // ids of groups that are to be assigned
	SCIMToken     string   // made by this run; empty when an earlier one is in use
	OldCycle      string   // the cycle that had run before this run changed the job; only a newer one proves anything
}

// Pending is how many steps are left.
func (p *Plan) Pending() int { return pending(p.Steps) }

func pending(steps []Step) int {
	n := 0
	for _, s := range steps {
		if !s.Done {
			n++
		}
	}
	return n
}

// Observe looks at both ends and makes the plan. It changes nothing.
func Observe(ctx context.Context, cfg Config) (*Plan, error) {
	p, err := observe(ctx, cfg)
	return p, explain(err)
}

func observe(ctx context.Context, cfg Config) (*Plan, error) {
	p := newPlan(cfg)
	discovered := p.discover(ctx)
	if err := p.observeCenter(ctx); err != nil {
		return nil, fmt.Errorf("read the center: %w", err)
	}
	if err := p.observeTenant(ctx); err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	if seen, err := p.lookedAt(partTest, notTested, p.untested); err != nil {
		return nil, err
	} else if !seen {
		p.State.Connected = true // as the job's own state says
	}
	if err := p.observeTrust(ctx); err != nil {
		return nil, err
	}
	err := p.observeWriter(ctx)
	if _, err = p.lookedAt(writerTitle, "who is in the tenant is not shown", err); err != nil {
		return nil, err
	}
	p.plan()
	if err := p.leftStep(ctx); err != nil {
		return nil, fmt.Errorf("read the center: %w", err)
	}
	p.observeToken()
	p.noteReplaced()
	if p.cfg.Writer != nil && p.Changes && !p.cfg.AllowMissing {
		p.Notes = append(p.Notes, missingNote)
	}
	if noter, notes := p.cfg.Center.(interface{ Notes() []string }); notes {
		p.Notes = append(p.Notes, noter.Notes()...)
	}
	if err := p.observePeople(ctx, discovered); err != nil {
		return nil, err
	}
	if previewer, asks := p.cfg.Center.(Previewer); asks && p.Changes && !p.cfg.looking {
		if err := p.report(ctx, previewer); err != nil {
			return nil, fmt.Errorf("preview the effects on the center's users: %w", err)
		}
	}
	return p, nil
}

func newPlan(cfg Config) *Plan {
	p := &Plan{cfg: cfg.withDefaults()}
	if learner, learns := cfg.Center.(Learner); learns {
		learner.Meet(p)
	}
	return p
}

func (c Config) withDefaults() Config {
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	if c.PollEach == 0 {
		c.PollEach = 250 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Settle = cmp.Or(c.Settle, DefaultSettle)
	c.CycleWait = cmp.Or(c.CycleWait, DefaultCycleWait)
	c.SignInWait = cmp.Or(c.SignInWait, DefaultSignInWait)
	return c
}

// discovery is what Discover has found.
type discovery struct {
	snapshot Snapshot
	err      error
}

// discover begins to read AWS's side while the tenant is read. Nothing comes without a discovery.
func (p *Plan) discover(ctx context.Context) <-chan discovery {
	if p.cfg.Discover == nil {
		return nil
	}
	found := make(chan discovery, 1)
	go func() {
		s, err := p.cfg.Discover(ctx, p.cfg.Progress)
		found <- discovery{s, err}
	}()
	return found
}

// observePeople compares everybody on both sides.
func (p *Plan) observePeople(ctx context.Context, discovered <-chan discovery) error {
	if discovered == nil {
		return nil
	}
	directory, err := p.readDirectory(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	found := <-discovered
	if _, reports := p.cfg.Center.(Previewer); reports && found.err != nil {
		p.Notes = append(p.Notes, "who is there was not read, so this is the center's own report, which knows less: "+
			found.err.Error())
		return nil
	}
	if found.err != nil {
		return fmt.Errorf("read who is at AWS's side: %w", found.err)
	}
	p.Snapshot = found.snapshot
	people, err := Compare(ctx, directory.People, found.snapshot, directory.Groups, p.provisioner())
	if err != nil {
		return err
	}
	p.People = &people
	p.Notes = append(p.Notes, directory.Notes...)
	if directory.Premium != nil && !*directory.Premium && len(directory.Groups) > 0 {
		p.Notes = append(
			p.Notes, "the tenant has no Entra ID P1: groups cannot be assigned to applications. Assign people, or "+
				"get a license",
		)
	}
	if p.Changes && !Independent(found.snapshot.Caller) {
		p.Notes = append(
			p.Notes, "your own way in ("+found.snapshot.Caller+") depends on IAM Identity Center: keep one that does "+
				"not, such as an IAM user or the root user with MFA",
		)
	}
	return nil
}

// locksOut says whether the plan may close the way in of who runs it.
func (p *Plan) locksOut() bool {
	return p.Changes && p.cfg.Discover != nil && !p.cfg.AllowLockout && !Independent(p.Snapshot.Caller)
}

func (p *Plan) observeCenter(ctx context.Context) (err error) {
	if p.State.Directory, err = p.cfg.Center.DescribeDirectory(ctx); err != nil {
		return err
	}
	if p.State.SP, err = p.cfg.Center.ServiceProvider(ctx); err != nil {
		return err
	}
	if p.had, err = p.readSource(ctx); err != nil {
		return err
	}
	tenants, err := p.cfg.Center.Tenants(ctx)
	if err == nil && len(tenants) > 0 {
		p.State.SCIM = tenants[0]
	}
	return err
}

// observeTenant finds the application, and what there is of it.
func (p *Plan) observeTenant(ctx context.Context) error {
	principals, err := p.principals(ctx)
	if err == nil {
		p.State.Principal, err = p.findApplication(ctx, principals)
	}
	if seen, err := p.lookedAt(partApplication, "the tenant does not show its applications", err); !seen {
		return err
	}
	p.noteOthers(principals)
	if p.State.Principal.ID == "" {
		return p.observeGroups(ctx)
	}
	apps, err := graph.All[graph.Application](
		ctx, p.cfg.Graph, "/applications"+graph.Filter("appId", p.State.Principal.AppID),
	)
	if seen, err := p.lookedAt(partApplication, "the tenant does not show its settings", err); !seen {
		return err
	}
	if len(apps) != 1 {
		return fmt.Errorf("the service principal %s has %d applications", p.State.Principal.ID, len(apps))
	}
	p.State.Application = apps[0]
	p.noteTaken()
	if err := p.learnACS(ctx); err != nil {
		return err
	}
	jobs, err := graph.All[graph.SynchronizationJob](ctx, p.cfg.Graph, p.sync("/jobs"))
	if seen, err := p.lookedAt(partJob, "the tenant does not show whether it provisions", err); !seen {
		return err
	}
	if len(jobs) > 0 {
		p.State.Job = jobs[0]
		if err := p.observeSecrets(ctx); err != nil {
			return err
		}
	}
	return p.observeGroups(ctx)
}

// learnACS takes the application's reply URLs for a side's that does not tell its own. Those that
// cannot be right are replaced.
func (p *Plan) learnACS(ctx context.Context) error {
	learner, learns := p.cfg.Center.(Learner)
	web := p.State.Application.Web
	if !learns || len(p.State.SP.AcsURLs) > 0 || web == nil || len(web.RedirectURIs) == 0 ||
		!slices.Contains(p.State.Application.IdentifierURIs, p.State.SP.EntityID) {
		return nil
	}
	if err := learner.LearnACS(web.RedirectURIs); err != nil {
		p.Notes = append(p.Notes, "the application's reply URLs will be replaced: "+err.Error())
		return nil
	}
	var err error
	p.State.SP, err = p.cfg.Center.ServiceProvider(ctx)
	return err
}

func (p *Plan) sync(path string) string {
	return "/servicePrincipals/" + p.State.Principal.ID + "/synchronization" + path
}

func (p *Plan) observeSecrets(ctx context.Context) error {
	err := p.readSecrets(ctx)
	if seen, err := p.lookedAt(partSaved, "the tenant does not show where the job writes", err); !seen {
		p.State.Connected = err == nil // as the job's own state says
		return err
	}
	learner, learns := p.cfg.Center.(Learner)
	if address := p.State.Secrets[graph.KeyBaseAddress]; learns && p.State.SCIM.TenantID == "" && address != "" {
		tenant, err := learner.LearnEndpoint(address)
		if err != nil {
			p.Notes = append(p.Notes, "the provisioning job writes to "+address+", and will write to this instance: "+
				err.Error())
		} else {
			p.State.SCIM = tenant
		}
	}
	if p.State.Secrets[graph.KeySecretToken] != "" && p.pointsHere() {
		if err := p.keepTokens(ctx); err != nil {
			return err
		}
		p.testSaved(ctx)
	}
	return nil
}

// observeGroups finds the groups that are to be assigned and are not.
func (p *Plan) observeGroups(ctx context.Context) error {
	assigned := map[string]bool{}
	p.groups = map[string]string{}
	if p.State.Principal.ID != "" && len(p.cfg.Groups) > 0 {
		var err error
		if assigned, err = p.assigned(ctx); err != nil {
			return err
		}
	}
	for _, name := range p.cfg.Groups {
		found, err := graph.All[graph.Group](ctx, p.cfg.Graph, "/groups"+graph.Filter("displayName", name))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf(
				"the tenant has %d groups named %q, and it must be one: give the display name as it is in Entra ID",
				len(found), name,
			)
		}
		if id := found[0].ID; !assigned[id] {
			assigned[id] = true // it may be named twice
			p.State.Unassigned = append(p.State.Unassigned, id)
			p.groups[id] = name
		}
	}
	return nil
}

// observeTrust compares the tenant's federation metadata with what the center has of it.
func (p *Plan) observeTrust(ctx context.Context) error {
	sp := p.State.Principal
	if sp.ID == "" || sp.PreferredTokenSigningKeyThumbprint == nil {
		return nil
	}
	if err := p.fetchMetadata(ctx); err != nil {
		return err
	}
	configurations, err := p.cfg.Center.Configurations(ctx)
	if err != nil {
		return fmt.Errorf("read the center: %w", err)
	}
	for _, c := range configurations {
		if p.matches(c) {
			p.State.Configuration = c
			break
		}
	}
	return nil
}

// graph sends a request to Microsoft Graph. About an application that this run has made, it repeats
// requests that a replica refuses because it does not know the application yet: 404, and by the
// experience of Terraform's provider also 403 and 409.
func (p *Plan) graph(ctx context.Context, method, path string, in, out any) error {
	return p.settled(ctx, func() error { return p.cfg.Graph.Do(ctx, method, path, in, out) })
}

func (p *Plan) settled(ctx context.Context, do func() error) error {
	w := p.lookout()
	defer w.ends()
	for {
		err := do()
		var refused *graph.Error
		replicating, wait := errors.Is(err, errNotYet), p.cfg.Settle
		if errors.As(err, &refused) {
			replicating = slices.Contains(
				[]int{http.StatusNotFound, http.StatusForbidden, http.StatusConflict}, refused.Status,
			)
			if refused.Status == http.StatusForbidden { // more likely nobody has consented
				wait = min(wait, settleDenied)
			}
		}
		if !p.fresh || !replicating || w.over(wait) {
			return err
		}
		w.goesOn(wait)
		if stopped := p.pause(ctx); stopped != nil {
			return errors.Join(err, stopped)
		}
	}
}

// errNotYet marks an answer of the sign-in host that can come from a replica which does not know
// the application yet.
var errNotYet = errors.New("the tenant does not know the application")

const maxMetadata = 1 << 20 //bound:body metadata of the tenant that connect reads

func (p *Plan) fetchMetadata(ctx context.Context) error {
	return p.settled(ctx, func() error { return p.download(ctx) })
}

func (p *Plan) download(ctx context.Context) error {
	data, idp, err := p.metadataAt(ctx, "?appid="+p.State.Principal.AppID)
	if err != nil {
		return err
	}
	p.State.Metadata, p.State.IdP = data, idp
	for _, note := range append(idp.Ignored, saml.Expired(idp.ValidUntil, p.cfg.Now())) {
		note = "the tenant's federation metadata: " + note
		if !strings.HasSuffix(note, ": ") && !slices.Contains(p.Notes, note) { // it is downloaded again and again
			p.Notes = append(p.Notes, note)
		}
	}
	return nil
}

// get reads a document of the sign-in host.
func (p *Plan) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := p.cfg.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("download the federation metadata: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	data, err := io.ReadAll(io.LimitReader(res.Body, maxMetadata))
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download the federation metadata: %s answered %s: %w", address, res.Status, errNotYet)
	}
	return data, nil
}

// matches says whether a configuration of the center is what the tenant's metadata says now: same
// issuer and sign-in URL, and its keys are trusted. Others may be trusted besides, while keys are
// replaced.
func (p *Plan) matches(c adminapi.Configuration) bool {
	keys := p.thumbprints()
	if len(keys) == 0 || c.EntityID != p.State.IdP.EntityID || c.SignInURL != p.State.IdP.SignInURL {
		return false
	}
	return !slices.ContainsFunc(keys, func(want string) bool { return !slices.Contains(c.Thumbprints, want) })
}

// thumbprints are those of the keys in the tenant's metadata, SHA-256 in hexadecimal.
func (p *Plan) thumbprints() []string {
	list := make([]string, len(p.State.IdP.Certificates))
	for i, cert := range p.State.IdP.Certificates {
		sum := sha256.Sum256(cert.Raw)
		list[i] = hex.EncodeToString(sum[:])
	}
	return list
}

// knownLimit is how many user names are sent along for the report; a larger tenant's report leaves
// out who matches nobody.
const knownLimit = 20_000 //bound:list user names that connect sends along for the report

// report asks the center what the change does to its users, telling it whom the tenant knows.
func (p *Plan) report(ctx context.Context, center Previewer) error {
	in := adminapi.PreviewInput{IdentitySource: adminapi.SourceExternal}
	if p.State.Directory.UserCount > 0 {
		users, err := graph.All[graph.User](ctx, p.cfg.Graph, "/users?$top=999&$select=userPrincipalName")
		if err != nil {
			return err
		}
		if len(users) <= knownLimit {
			in.KnownUserNames = make([]string, len(users))
			for i, u := range users {
				in.KnownUserNames[i] = u.UserPrincipalName
			}
		}
	}
	var err error
	p.Report, err = center.Preview(ctx, in)
	return err
}
