package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/saml"
)

var (
	_ connect.Center  = (*Center)(nil)
	_ connect.Learner = (*Center)(nil)
	_ connect.Doubter = (*Center)(nil)

	_ connect.Addressed = (*Center)(nil)
)

// brought is what a person has brought and no step has used yet.
type brought struct {
	mu       sync.Mutex // a guide takes values while it asks whether they prove the task
	endpoint adminapi.Tenant
	token    string // a secret: in memory only
	proved   bool   // the endpoint has answered to the token
}

// DescribeDirectory tells about the instance. AWS does not say which identity source there is,
// unless a run has proved it.
func (c *Center) DescribeDirectory(context.Context) (adminapi.Directory, error) {
	d := adminapi.Directory{
		InstanceArn:     c.Instance.ARN,
		IdentityStoreID: c.Instance.IdentityStoreID,
		Region:          c.Instance.Region,
		AccountID:       c.Instance.OwnerAccountID,
		PortalURL:       c.addresses.Portal,
		ConsoleURL:      c.settings(),
	}
	if t := c.journal.Trust; t != nil && t.Status == adminapi.StatusEnabled {
		d.IdentitySource = adminapi.SourceExternal
	}
	return d, nil
}

// ServiceProvider has the issuer, which is computed, and the ACS URLs once they are known.
func (c *Center) ServiceProvider(context.Context) (adminapi.ServiceProvider, error) {
	return adminapi.ServiceProvider{
		EntityID: c.EntityID(), AcsURLs: c.journal.AcsURLs, SignInURL: c.addresses.Portal,
	}, nil
}

// LearnACS takes the reply URLs of an application with the instance's identifier for the
// instance's, if they can be.
func (c *Center) LearnACS(urls []string) error {
	if err := c.CheckACS(urls); err != nil {
		return err
	}
	c.journal.AcsURLs = urls
	return nil
}

// LearnEndpoint takes the address that a job has for the instance's SCIM endpoint, if it can be.
func (c *Center) LearnEndpoint(address string) (adminapi.Tenant, error) {
	endpoint, tenant, err := c.readEndpoint(address)
	if err == nil {
		c.journal.SCIM = adminapi.Tenant{TenantID: tenant, ScimEndpoint: endpoint}
	}
	return c.journal.SCIM, err
}

// Meet tells who can see at the tenant what AWS does not tell.
func (c *Center) Meet(w connect.Witness) { c.witness = w }

// Configurations has the identity provider that AWS was given, if that is proved: what was only
// handed over is handed over again.
func (c *Center) Configurations(context.Context) ([]adminapi.Configuration, error) {
	if t := c.journal.Trust; t == nil || t.Status != adminapi.StatusEnabled {
		return nil, nil
	}
	return []adminapi.Configuration{*c.journal.Trust}, nil
}

// Tenants has the SCIM endpoint, once it is known.
func (c *Center) Tenants(context.Context) ([]adminapi.Tenant, error) {
	if c.journal.SCIM.TenantID == "" {
		return nil, nil
	}
	return []adminapi.Tenant{c.journal.SCIM}, nil
}

// maxIdPMetadata is what the console takes. Source: the quotas of IAM Identity Center.
const maxIdPMetadata = 75_000 //bound:body the tenant's metadata, as AWS takes it

// CreateConfiguration has a person begin the change of the identity source, to learn where AWS
// takes assertions. The metadata goes with the next task.
func (c *Center) CreateConfiguration(ctx context.Context, metadata string) (adminapi.Configuration, error) {
	if len(metadata) > maxIdPMetadata {
		return adminapi.Configuration{}, fmt.Errorf(
			"the tenant's federation metadata has %d characters, and AWS takes %d: remove certificates of the "+
				"application that are no longer used", len(metadata), maxIdPMetadata,
		)
	}
	idp, err := saml.ParseIdentityProvider([]byte(metadata))
	if err != nil {
		return adminapi.Configuration{}, err
	}
	configuration := adminapi.Configuration{
		EntityID: idp.EntityID, SignInURL: idp.SignInURL, Status: adminapi.StatusPending,
	}
	for _, cert := range idp.Certificates {
		sum := sha256.Sum256(cert.Raw)
		configuration.Thumbprints = append(configuration.Thumbprints, hex.EncodeToString(sum[:]))
	}
	configuration.ConfigurationID = configuration.EntityID
	c.metadata = []byte(metadata)
	if len(c.journal.AcsURLs) == 0 {
		if err := c.do(ctx, c.taskACS()); err != nil {
			return adminapi.Configuration{}, err
		}
		c.warned = true
	}
	return configuration, c.note(func(j *journal) { j.Trust = &configuration })
}

// taskACS asks for the one value that cannot be computed and is needed before the change.
func (c *Center) taskACS() Task {
	return Task{
		Title: "Begin to change the identity source, and copy the ACS URL",
		Why: "Nothing changes yet. The tenant needs the address at which AWS takes sign-ins, and only the console " +
			"shows it.",
		Link: c.settings(),
		Clicks: append(
			c.before(), "Identity source tab: Actions > Change identity source", "External identity provider > Next",
			"Under Service provider metadata, copy the IAM Identity Center Assertion Consumer Service (ACS) URL, of "+
				"Default IPv4 and of Dual-stack if both are there, or choose Download metadata file if the "+
				"button is there",
			"Leave this page of the console open",
		),
		Wants: []Want{{
			Name:  "acs",
			Label: "ACS URL, or the metadata file",
			File:  true,
			Is:    isServiceProvider,
			Take:  c.takeACS,
		}},
		Proved: func(context.Context) (bool, error) { return len(c.known()) > 0, nil },
	}
}

// before is what a person looks at before the identity source changes.
func (c *Center) before() []string {
	return []string{
		"See that the console is in account " + c.Instance.OwnerAccountID + c.inDelegated(),
		"See that the identity source is not Active Directory: stop here if it is (Ctrl+C), since that change " +
			"removes assignments and this command does not make it; gatehouse connect undo takes back what the " +
			"tenant has",
		"If an external identity provider is in force already, keep its metadata file, and what Actions > Manage " +
			"authentication shows of it: AWS forgets it with the change, and only with these can you go back to it",
	}
}

func (c *Center) inDelegated() string {
	if c.Delegated {
		return ", or in its delegated administrator"
	}
	return ""
}

// known are the ACS URLs so far.
func (c *Center) known() []string {
	c.hand.mu.Lock()
	defer c.hand.mu.Unlock()
	return c.journal.AcsURLs
}

func (c *Center) takeACS(_ context.Context, value []byte) error {
	urls, err := c.readServiceProvider(value)
	if err != nil {
		return err
	}
	c.hand.mu.Lock()
	defer c.hand.mu.Unlock()
	return c.note(func(j *journal) { j.AcsURLs = urls })
}

// EnableConfiguration has a person change the identity source and, unless the endpoint is known,
// enable automatic provisioning: its box is there only with an external identity provider, so a
// token that works proves the change as well. Otherwise a sign-in that AWS sent to the tenant does.
func (c *Center) EnableConfiguration(ctx context.Context, _ adminapi.ChangeInput) error {
	trust := c.journal.Trust
	if trust == nil {
		return errors.New("the identity provider's metadata was not handed over yet")
	}
	task := c.taskChange()
	var signedIn time.Time
	if c.cfg.Tokenless || c.journal.SCIM.TenantID != "" {
		task.Clicks = append(
			task.Clicks, "Open "+c.addresses.Portal+" in a private window and sign in: this proves that AWS sends "+
				"people to your tenant (the tenant's log may take minutes). If the source is your tenant already, do "+
				"only this",
		)
		if err := c.beginChange(ctx); err != nil {
			return err
		}
		task.Proved = func(ctx context.Context) (bool, error) {
			now, err := c.signIns(ctx, c.journal.Begun.At)
			signedIn = now.Last
			return c.journal.Begun.proved(now), err
		}
	} else {
		task.Clicks = append(
			task.Clicks, clickEnable,
			"Show token, and copy the SCIM endpoint and the access token: AWS shows it only now",
		)
		task.Wants = append(task.Wants, c.wantSCIM())
		if c.Delegated { // it binds nobody else
			task.Why += " " + ofSCP
		}
		task.Proved = func(context.Context) (bool, error) { return c.scimProved(), nil }
	}
	if missing := c.unreached(c.known()); len(missing) > 0 {
		task.Clicks = append(
			task.Clicks, "Identity source tab: Actions > Manage authentication > View ACS URLs > Copy all URLs, or "+
				"Download metadata file: the sign-in of "+strings.Join(missing, " and ")+" needs its own",
		)
		task.Wants = append(task.Wants, Want{
			Name: "acs", Label: "All ACS URLs, or the metadata file", File: true, Is: isServiceProvider,
			Take: c.takeAllACS,
		})
		before := task.Proved
		task.Proved = func(ctx context.Context) (bool, error) {
			if len(c.unreached(c.known())) > 0 {
				return false, nil
			}
			return before(ctx)
		}
	}
	if err := c.do(ctx, task); err != nil {
		return err
	}
	return c.note(func(j *journal) {
		j.Trust.Status = adminapi.StatusEnabled
		j.ProvedAt, j.Begun = time.Now().UTC(), begun{}
		if j.SignedInAt = signedIn.UTC(); !signedIn.IsZero() { // the log may have told minutes later
			j.ProvedAt = j.SignedInAt
		}
		j.Tokenless = c.cfg.Tokenless
		if c.hand.endpoint.TenantID != "" {
			j.SCIM = c.hand.endpoint
			j.pasted()
		}
	})
}

// takeAllACS takes the reply URLs of every Region at once.
func (c *Center) takeAllACS(ctx context.Context, value []byte) error {
	urls, err := c.readServiceProvider(value)
	if err != nil {
		return err
	}
	if missing := c.unreached(urls); len(missing) > 0 {
		return fmt.Errorf("there is none of %s among them: copy all URLs", strings.Join(missing, " and "))
	}
	return c.takeACS(ctx, value)
}

// offered is what the file is called that a person hands over.
const offered = "entra-for-aws.xml"

func (c *Center) taskChange() Task {
	var first []string
	if !c.warned { // where the ACS URL is known, nobody has begun
		first = c.before()
	}
	return Task{
		Title: "Change the identity source",
		Why: "From here on people sign in at your tenant, also those of another identity provider that is in force " +
			"now. Sessions that are open live on.",
		Link: c.settings(),
		Clicks: append(
			first, "In the page that is open (or Actions > Change identity source > External identity provider > "+
				"Next): under IdP SAML metadata, Choose file, and take the prepared file",
			"Next", "Type ACCEPT, and choose Change identity source",
		),
		Offer: &File{Name: offered, Data: c.metadata},
		Copy:  connect.Confirmation,
	}
}

// beginChange notes when the change was begun, and the newest sign-in of before: a run that was
// interrupted goes on with them.
func (c *Center) beginChange(ctx context.Context) error {
	if !c.journal.Begun.At.IsZero() {
		return nil
	}
	now := time.Now().UTC()
	before, _ := c.signIns(ctx, now) // who cannot be seen now may be later
	return c.note(func(j *journal) { j.Begun = begun{now, before.Last, before.Seen} })
}

// signIns are those in which AWS sent somebody to the tenant since.
func (c *Center) signIns(ctx context.Context, since time.Time) (connect.SignIns, error) {
	if c.witness == nil {
		return connect.SignIns{}, errors.New("nobody can see the tenant's sign-ins")
	}
	seen, err := c.witness.SignIns(ctx, c.connected(since))
	if errors.Is(err, connect.ErrUnseen) { // AWS's own record may have it
		recorded, failed := c.RecordedSignIns(ctx, since)
		if recorded.Seen > 0 {
			return recorded, nil
		}
		return recorded, errors.Join(err, failed)
	}
	return seen, err
}

// connected is since when a witness is asked so that nothing counts that was before the last
// connection was taken back.
func (c *Center) connected(since time.Time) time.Time {
	if back := c.journal.TakenBackAt.Add(connect.ClockSkew); back.After(since) {
		return back
	}
	return since
}

// ProveSignIn has a person sign in once through the portal, unless the tenant's log has a sign-in
// since the identity source was changed. Without a guide it only looks.
func (c *Center) ProveSignIn(ctx context.Context) (seen connect.SignIns, err error) {
	seen, err = c.proveSignIn(ctx)
	if err == nil && seen.Succeeded > 0 && c.journal.SignedInAt.IsZero() {
		err = c.note(func(j *journal) { j.SignedInAt = seen.Last.UTC() })
	}
	return seen, err
}

// Unproved is since when the tenant is taken for the identity source because a token works. That is
// none of its proof where another identity provider had automatic provisioning on before. Zero: a
// sign-in has proved it.
func (c *Center) Unproved() time.Time {
	if t := c.journal.Trust; t == nil || t.Status != adminapi.StatusEnabled || !c.journal.SignedInAt.IsZero() {
		return time.Time{}
	}
	return c.connected(c.journal.ProvedAt)
}

func (c *Center) proveSignIn(ctx context.Context) (seen connect.SignIns, err error) {
	if c.witness == nil {
		return seen, errors.New("nobody can see the tenant's sign-ins")
	}
	look := func(ctx context.Context) (bool, error) {
		seen, err = c.witness.SignIns(ctx, c.connected(c.journal.ProvedAt))
		return seen.Succeeded > 0, err
	}
	if succeeded, err := look(ctx); succeeded || c.cfg.Guide == nil || errors.Is(err, connect.ErrUnseen) {
		return seen, err
	}
	err = c.do(ctx, Task{
		Title: "Sign in once",
		Why: "The proof that all of it works: AWS sends you to your tenant, and the tenant sends you back. It is " +
			"read from the tenant's sign-in log, which may be minutes late.",
		Link: c.addresses.Portal,
		Clicks: []string{
			"Sign in as somebody who is assigned to the application",
			"If AWS leads you elsewhere than to your tenant, the identity source was not changed. Do so now: " +
				"Settings > Actions > Change identity source > External identity provider, with " + offered +
				", and sign in again",
		},
		Proved: func(ctx context.Context) (bool, error) {
			succeeded, err := look(ctx)
			if err == nil && !succeeded && seen.Refused != "" {
				err = errors.New("your tenant refused the last sign-in: " + seen.Refused)
			}
			return succeeded, err
		},
	})
	return seen, err
}

// DisableConfiguration has a person change back to the Identity Center directory. Somebody may have
// changed to another identity provider since the last run.
func (c *Center) DisableConfiguration(ctx context.Context, _ adminapi.ConfirmInput) error {
	issuer := ""
	if t := c.journal.Trust; t != nil {
		issuer = t.EntityID
	}
	return c.changeBack(ctx, "Change the identity source back", issuer)
}

// HandedOver says whether a run on this machine has handed over a tenant's metadata.
func (c *Center) HandedOver() bool { return c.journal.Trust != nil }

// ChangeBackFrom has a person look what the identity source is, and change it back if it is of the
// issuer.
func (c *Center) ChangeBackFrom(ctx context.Context, issuer string) error {
	return c.changeBack(ctx, "Change the identity source back, if it is your tenant", issuer)
}

func (c *Center) changeBack(ctx context.Context, title, issuer string) error {
	word := c.word()
	word.Label = "DONE, when the console says that it has succeeded, or that it is not your tenant"
	err := c.do(ctx, Task{
		Title: title,
		Why: "With the Identity Center directory people sign in at AWS again: old passwords work, and users that " +
			"SCIM made need one. Users, groups and assignments stay.",
		Link: c.settings(),
		Clicks: []string{
			"Identity source tab: Actions > Manage authentication. If the IdP issuer URL is another than " + issuer +
				", or there is no external identity provider, change nothing and type DONE below",
			"Actions > Change identity source",
			"Identity Center directory > Next; or, where another identity provider was in force before, External " +
				"identity provider, with the metadata file of that one",
			"Type ACCEPT, and choose Change identity source", "Type DONE below",
		},
		Copy:   connect.Confirmation,
		Wants:  []Want{word},
		Proved: func(context.Context) (bool, error) { return c.saidSo(), nil },
	})
	if err != nil {
		return err
	}
	return c.note(func(j *journal) {
		j.Trust, j.ProvedAt = nil, time.Time{}
		j.SignedInAt = time.Time{}
		j.Begun, j.TakenBackAt = begun{}, time.Now().UTC()
		j.Tokenless = false
	})
}

// word is what a person says where nothing can be proved: AWS does not tell what its identity
// source is.
func (c *Center) word() Want {
	const want = "DONE"
	c.hand.mu.Lock()
	c.hand.proved = false
	c.hand.mu.Unlock()
	return Want{
		Name: "word", Label: want + ", when the console says that it has succeeded",
		Take: func(_ context.Context, value []byte) error {
			if strings.TrimSpace(string(value)) != want {
				return fmt.Errorf("type %s when the console says that it has succeeded", want)
			}
			c.hand.mu.Lock()
			defer c.hand.mu.Unlock()
			c.hand.proved = true
			return nil
		},
	}
}

func (c *Center) saidSo() bool {
	c.hand.mu.Lock()
	defer c.hand.mu.Unlock()
	return c.hand.proved
}

// do has a person do a task, unless it is proved already.
func (c *Center) do(ctx context.Context, t Task) error {
	if done, err := t.Proved(ctx); err == nil && done {
		return nil
	}
	if c.cfg.Guide == nil {
		return fmt.Errorf("%s: AWS has no API for it, and nobody is there to do it", t.Title)
	}
	return c.cfg.Guide.Do(ctx, t)
}
