// Package tenant is the Entra side: a small Microsoft Entra ID tenant. It holds the nouns (users,
// groups, applications with their service principals, app role assignments, synchronization jobs,
// sessions), the rules they follow, the codes of its refusals, and the Store it needs.
//
// It knows no protocol: each door in a folder below translates between its wire and this package.
// Every change goes through Tenant.change, which runs the rule, records the event and notes what
// provisioning must look at again, in one transaction.
//
// It may import audit, audit/chain, authn, names, outbound, provisioning/mapping and refusal.
package tenant

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Tenant is one tenant.
type Tenant struct {
	Store     Store
	Sealer    *authn.Sealer
	Log       *slog.Logger
	URL       string // where browsers and clients reach it, without a trailing slash
	Now       func() time.Time
	Clock     *Clock // what Now reads where it can be moved; else nil
	NewID     func() string
	NewRSAKey func() (*rsa.PrivateKey, error) // makes what signs tokens and assertions

	// Organization is read or made by Open and never changes afterwards.
	Organization Organization

	// Places decide whose password is looked at next.
	Places *authn.Places

	// TokenKey signs access tokens.
	TokenKey *rsa.PrivateKey

	// Changed is called after a change that provisioning must look at; it must not block. It may be
	// nil.
	Changed func()

	// Trace returns the traceparent of the span that a context is in, which is kept with a change
	// so that provisioning continues it; nil: nobody follows changes.
	Trace func(context.Context) string

	// Provision runs the synchronization jobs until the context ends. The code that assembles the
	// doors sets it, before Run; nil: no job is run.
	Provision func(context.Context)

	// Chain keeps the log of events in an order of which each line can be verified.
	Chain    *chain.Keeper
	couriers []*chain.Courier
	sweeper  audit.Sweeper

	// Keep is how long events are kept. It is set before the tenant is served.
	Keep audit.Retention

	refusals audit.Tally // those that are only counted

	// Notify sends a mail to people whom a job's settings name, and returns when the mail server
	// has taken it, or why not. It is set before the tenant is served; nil: no mail is sent.
	Notify     func(ctx context.Context, to, subject, text string) error
	noticeWork chan struct{}
}

// Organization is the identity of a tenant.
type Organization struct {
	ID             string // the tenant id, a UUID
	DisplayName    string
	Domain         string // the verified domain of user principal names
	SealedTokenKey string
	CreatedAt      time.Time
	// CopiedAt is when it was made as a copy of the tenant that it is called by, to rehearse on;
	// zero: it is no copy.
	CopiedAt time.Time `json:",omitzero"`
}

// Mark says on every page of a copy that it is one; empty for others.
func (o Organization) Mark() string {
	if o.CopiedAt.IsZero() {
		return ""
	}
	return "A rehearsal of the tenant " + o.ID + ", made at " + o.CopiedAt.UTC().Format("2006-01-02 15:04 UTC") +
		". Nothing here reaches the original."
}

// OpensWith says whether it is this master key that the tenant's secrets were sealed with.
func (o Organization) OpensWith(sealer *authn.Sealer) error {
	_, err := sealer.Open(tokenKeyPurpose, o.SealedTokenKey)
	return err
}

// organizationReader reads the organization.
type organizationReader interface {
	Organization() (Organization, error)
}

// organizationWriter writes the organization.
type organizationWriter interface {
	PutOrganization(Organization) error
}

// Config is what Open needs to know.
type Config struct {
	Store       Store
	Sealer      *authn.Sealer   // of the master key; nil: Key is loaded, or made where the store is empty
	Key         authn.MasterKey // where the master key is
	Place       DataPlace       // where its data is; nil: nothing is remembered of it
	Log         *slog.Logger
	URL         string
	TenantID    string           // of a new tenant; a new one when empty
	DisplayName string           // of a new tenant; DefaultName when empty
	Domain      string           // of a new tenant; DefaultDomain when empty
	Copy        bool             // a new tenant is a copy of another, to rehearse on
	Now         func() time.Time // time.Now when nil
	Clock       *Clock           // instead of Now, where the clock can be moved

	NewRSAKey func() (*rsa.PrivateKey, error) // makes an RSA-2048 key; nil: a random one
}

// DataPlace remembers whose data is where a tenant keeps it, and refuses others: Admit is asked
// before anything is made, with an empty id for an empty store. Keep is told whose it is now.
type DataPlace interface {
	Admit(id string) error
	Keep(id string) error
}

// Admits fails where a tenant of this configuration would not begin with the data: it is another
// one's by Place, or sealed with another master key. Ask before data of an older release is
// changed, after which that release may not take it back.
func (cfg Config) Admits(r Reader) error {
	o, err := r.Organization()
	if errors.Is(err, refusal.ErrNoRow) { // a first start died
		return nil
	}
	if err != nil {
		return err
	}
	if err := cfg.admit(o); err != nil {
		return err
	}
	_, err = cfg.key().LoadFor(o.OpensWith)
	return err
}

func (cfg Config) admit(o Organization) error {
	if cfg.Place == nil {
		return nil
	}
	return cfg.Place.Admit(o.ID)
}

// key is where the master key is.
func (cfg Config) key() authn.MasterKey {
	key := cfg.Key
	key.Loaded = cfg.Sealer
	return key
}

// Defaults of a new tenant.
const (
	DefaultName   = "Northwind Traders"
	DefaultDomain = "northwind.example"
)

const tokenKeyPurpose = "token-key"

// Open reads the organization from the store, or makes it when the store is empty. It fails with
// authn.ErrNoMasterKey or authn.ErrOtherMasterKey where the master key is not the one that the
// store's secrets were sealed with.
func Open(ctx context.Context, cfg Config) (*Tenant, error) {
	t := &Tenant{
		Store:     cfg.Store,
		Sealer:    cfg.Sealer,
		Log:       cfg.Log,
		URL:       cfg.URL,
		Now:       cfg.Now,
		NewID:     uuid.NewString,
		NewRSAKey: cfg.NewRSAKey,
		Places:    authn.Shared,
		Keep:      audit.DefaultRetention,

		noticeWork: make(chan struct{}, 1),
	}
	switch {
	case cfg.Clock != nil:
		t.Clock, t.Now = cfg.Clock, cfg.Clock.Now
	case t.Now == nil:
		t.Now = time.Now
	}
	if t.NewRSAKey == nil {
		t.NewRSAKey = randomKey
	}
	if t.Log == nil {
		t.Log = slog.New(slog.DiscardHandler)
	}
	der, err := t.openOrganization(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the tenant: %w", err)
	}
	if cfg.Place != nil {
		if err := cfg.Place.Keep(t.Organization.ID); err != nil { // it serves all the same
			t.Log.WarnContext(ctx, "a later start will not notice that the database was lost", "error", err)
		}
	}
	if t.TokenKey, err = x509.ParsePKCS1PrivateKey(der); err != nil {
		return nil, fmt.Errorf("open the tenant's token key: %w", err)
	}
	if err := t.bindTokens(ctx); err != nil {
		return nil, fmt.Errorf("bind saved tokens to their addresses: %w", err)
	}
	t.Chain = t.newChain()
	return t, nil
}

// Ready says what keeps the tenant from serving at the moment, by what was looked at; nil is good.
func (t *Tenant) Ready(ctx context.Context) map[string]error {
	key := t.Store.View(ctx, func(r Reader) error {
		o, err := r.Organization()
		if err == nil {
			err = o.OpensWith(t.Sealer)
		}
		return err
	})
	return map[string]error{"database": t.Store.Ready(ctx), "master key": key}
}

// openOrganization reads the organization and finds the master key that its secrets were sealed
// with, or makes both in an empty store. It returns the key that signs tokens, which shows that the
// master key is the right one.
func (t *Tenant) openOrganization(ctx context.Context, cfg Config) (tokenKey []byte, err error) {
	key := cfg.key()
	opens := func(s *authn.Sealer) (err error) {
		tokenKey, err = s.Open(tokenKeyPurpose, t.Organization.SealedTokenKey)
		return err
	}
	err = t.Store.View(ctx, func(r Reader) (err error) {
		t.Organization, err = r.Organization()
		return err
	})
	empty := errors.Is(err, refusal.ErrNoRow)
	if err != nil && !empty {
		return nil, err
	}
	if err := cfg.admit(t.Organization); err != nil {
		return nil, err
	}
	if !empty {
		t.Sealer, err = key.LoadFor(opens)
		return tokenKey, err
	}
	if t.Sealer, err = key.LoadOrMake(); err != nil { // before the data: data without its key is lost
		return nil, err
	}
	made, err := t.newOrganization(cfg)
	if err != nil {
		return nil, err
	}
	if err := t.Store.Update(ctx, func(tx Tx) (err error) {
		t.Organization, err = tx.Organization()
		if !errors.Is(err, refusal.ErrNoRow) { // another node was faster
			return err
		}
		t.Organization = made
		return tx.PutOrganization(made)
	}); err != nil {
		return nil, err
	}
	return tokenKey, key.Other(opens(t.Sealer))
}

// randomKey makes a key of the kind that Entra ID signs with.
func randomKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func (t *Tenant) newOrganization(cfg Config) (Organization, error) {
	key, err := t.NewRSAKey()
	if err != nil {
		return Organization{}, err
	}
	o := Organization{
		ID:             cmp.Or(cfg.TenantID, t.NewID()),
		DisplayName:    cmp.Or(cfg.DisplayName, DefaultName),
		Domain:         cmp.Or(cfg.Domain, DefaultDomain),
		CreatedAt:      t.now(),
		SealedTokenKey: t.Sealer.Seal(tokenKeyPurpose, x509.MarshalPKCS1PrivateKey(key)),
	}
	if cfg.Copy {
		o.CopiedAt = o.CreatedAt
	}
	return o, nil
}

// now is the time in UTC and whole milliseconds, which is what stores keep.
func (t *Tenant) now() time.Time { return t.Now().UTC().Truncate(time.Millisecond) }

// Issuer is the entity id in SAML responses and metadata. It is a name, not an address, so it is
// Entra's own.
func (t *Tenant) Issuer() string { return "https://sts.windows.net/" + t.Organization.ID + "/" }

// SignInURL is the SAML single sign-on service.
func (t *Tenant) SignInURL() string { return t.URL + "/" + t.Organization.ID + "/saml2" }

// PathSegments are the names that stand for the tenant in the paths of its endpoints: the id and
// the domain.
func (t *Tenant) PathSegments() []string { return []string{t.Organization.ID, t.Organization.Domain} }

// MetadataURL is the federation metadata document of an application.
func (t *Tenant) MetadataURL(appID ClientID) string {
	return t.URL + "/" + t.Organization.ID + "/federationmetadata/2007-06/federationmetadata.xml?appid=" +
		string(appID)
}

// TokenURL is the OAuth 2.0 token endpoint.
func (t *Tenant) TokenURL() string { return t.URL + "/" + t.Organization.ID + "/oauth2/v2.0/token" }

// GraphURL is the root of Microsoft Graph v1.0.
func (t *Tenant) GraphURL() string { return t.URL + "/v1.0" }

// AdminCenterURL is the administrators' pages.
func (t *Tenant) AdminCenterURL() string { return t.URL + "/admin/" }

// Touched collects what a rule changed that provisioning must look at again.
type Touched struct{ changes []Change }

// Mark names an object that may have to be provisioned.
type Mark struct {
	Kind ObjectKind
	ID   PrincipalID
}

// ObjectKind tells users from groups.
type ObjectKind string

// The kinds of directory object.
const (
	KindUser  ObjectKind = "User"
	KindGroup ObjectKind = "Group"
)

// Change is one line of the directory's journal: an object that has changed or may have to be
// provisioned, or a member that came to a group or left it.
type Change struct {
	Mark
	Member  Mark // of the group; empty when the object itself is meant
	Removed bool // the member
	// Properties are those of the object that have changed, by Graph's names; nil: it may be any,
	// and empty: none, but whether the object is provisioned may be another matter now.
	Properties []string
	Number     int64
	Time       time.Time
	Trace      string // the traceparent of the request that has made it; empty: nobody follows it
}

// changeReader reads what changed in the directory, which jobs and replicas follow.
type changeReader interface {
	Marks(after int64) (marks []Mark, last int64, err error)
	// MarkTraces are the traces of the first changes after one, the newest of each object.
	MarkTraces(after int64, limit int) (map[Mark]string, error)
	Journal(kind ObjectKind, after int64, limit int) ([]Change, error) // in the order of their numbers
	// LastMark is the number of the newest change before a time; 0: there is none. The newest of
	// all does not count: numbers go on from it.
	LastMark(before time.Time) (int64, error)
	CountMarks(after int64) (n int, oldest time.Time, err error)
}

// changeWriter writes what changed in the directory, which jobs and replicas follow.
type changeWriter interface {
	AppendMarks([]Change) error // gives them their numbers
	DeleteMarks(upTo int64) error
}

func (m *Touched) add(kind ObjectKind, id PrincipalID) {
	m.changes = append(m.changes, Change{Mark: Mark{kind, id}})
}

// changed is add for an object of which some properties have changed.
func (m *Touched) changed(kind ObjectKind, id PrincipalID, properties []string) {
	m.changes = append(m.changes, Change{Mark: Mark{kind, id}, Properties: append([]string{}, properties...)})
}

// scope is add for an object that is as it was: only whether it is provisioned may have changed.
func (m *Touched) scope(kind ObjectKind, id PrincipalID) { m.changed(kind, id, nil) }

func (m *Touched) member(groupID GroupID, member Mark, removed bool) {
	m.changes = append(m.changes, Change{Mark: Mark{KindGroup, PrincipalID(groupID)}, Member: member, Removed: removed})
}

// change is the only way to change anything: it checks that the actor may, runs one rule, and
// records in the same transaction who did what and which objects provisioning must look at. A
// refusal changes nothing and is recorded too. rule may run more than once.
func (t *Tenant) change(
	ctx context.Context, by audit.Actor, action Action, rule func(Tx, *Touched) (subject string, err error),
) error {
	return t.changeIf(ctx, by, action, func(tx Tx) error { return authorizeIn(tx, by, action) }, rule)
}

// changeIf is change where it takes more than the action to say whether the actor may.
func (t *Tenant) changeIf(
	ctx context.Context, by audit.Actor, action Action, may func(Tx) error,
	rule func(Tx, *Touched) (subject string, err error),
) error {
	var subject string
	var touched Touched
	var refused error
	var kept audit.Admission
	err := t.Store.Update(ctx, func(tx Tx) (err error) {
		touched, refused = Touched{}, nil
		if err := may(tx); err != nil {
			return err
		}
		if subject, err = rule(tx, &touched); err != nil {
			var stays *keptRefusal
			if !errors.As(err, &stays) {
				return err
			}
			refused = stays.error
			return kept.Append(&t.refusals, tx, t.event(by, action.name, subject, refused))
		}
		if len(touched.changes) > 0 {
			traceparent := ""
			if t.Trace != nil {
				traceparent = t.Trace(ctx)
			}
			for i := range touched.changes {
				touched.changes[i].Time, touched.changes[i].Trace = t.now(), traceparent
			}
			if err := tx.AppendMarks(touched.changes); err != nil {
				return err
			}
		}
		return tx.AppendEvent(t.event(by, action.name, subject, nil))
	})
	if err != nil || refused == nil {
		kept.GiveBack(&t.refusals)
	}
	if refusal.Tried(err) {
		return refused
	}
	if refusal.Glanced(ctx) {
		return errors.Join(err, refused)
	}
	if code := refusal.CodeOf(err); code != refusal.None && code.Kind() != refusal.Unavailable {
		return errors.Join(err, t.record(ctx, t.event(by, action.name, subject, err)))
	}
	if err == nil && len(touched.changes) > 0 && t.Changed != nil {
		t.Changed()
	}
	if err == nil && refused != nil {
		err = t.recordAll(ctx, kept.Logged(ctx, t.Log))
	}
	return errors.Join(err, refused)
}

// keptRefusal is a refusal that keeps what its rule has written, such as that a code was wrong.
type keptRefusal struct{ error }

// keeping makes a rule refuse and keep what it has written, unless writing it has failed.
func keeping(refused, written error) error {
	if written != nil {
		return written
	}
	return &keptRefusal{refused}
}

func (t *Tenant) event(by audit.Actor, action, subject string, err error) audit.Event {
	e := audit.Event{ID: t.NewID(), Time: t.now(), Actor: by, Action: action, Subject: subject, Result: audit.Granted}
	if err != nil {
		e.Result = audit.Refused
		e.Code = refusal.CodeOf(err).String()
		e.Detail = err.Error()
	}
	return e
}
