// Package center is the AWS side: an IAM Identity Center. It holds the nouns (users, groups,
// permission sets, assignments, the identity source, sessions), the rules they follow, the codes
// of its refusals, and the Store that it needs.
//
// It knows no protocol: each door in a folder below translates between its wire and this package.
// Every change goes through Center.change, which authorizes the actor, runs the rule and records
// the event in one transaction.
//
// It may import audit, audit/chain, authn, awsconfig, center/memory, names and refusal.
package center

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center/memory"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Center is one IAM Identity Center instance.
type Center struct {
	Store  Store
	Sealer *authn.Sealer
	Log    *slog.Logger
	URL    string // where browsers and clients reach it, without a trailing slash
	Now    func() time.Time
	NewID  func() string
	Mailer Mailer     // nil: no email can be sent
	Roles  RoleKeeper // nil: roles are made in IAM by others, or nowhere. It is set before the center is served

	// Ahead is how far somebody has moved Now on purpose, to rehearse; nil: nobody can.
	Ahead func() time.Duration

	// Organization is kept in step with every OrganizationEach; nil: accounts are imported by hand.
	// Both are set before the center is served.
	Organization     Organization
	OrganizationEach time.Duration

	roleWork         chan struct{}
	ruleWork         chan struct{}
	organizationWork chan struct{}
	accessWork       chan struct{}
	reviewWork       chan struct{}
	noticeWork       chan struct{}
	webhookWork      chan struct{}
	relyingParty     *authn.RelyingParty // nil where browsers have no WebAuthn
	inBackground     chan struct{}
	refusals         audit.Tally // those that are only counted
	dropped          rate.Sometimes

	// What is remembered between requests, where no other process changes the store.
	remembered              credentials
	uses                    lastUses
	lookedAtWindows         atomic.Bool // since the start, at all that are open
	users                   memory.Records[userKeys]
	userPlaces, groupPlaces memory.Places
	// granted has the roles that were opened last, for as long as nothing but events is written:
	// what ends access is a write.
	granted memory.Snapshot[RoleChoice, sessionRole]

	// RefreshMetadata looks at what the identity provider publishes, when it is time to. The code
	// that assembles the doors sets it, before Run; nil: nobody looks.
	RefreshMetadata func(context.Context) error

	// Assertions reads the tokens of trusted token issuers. The code that assembles the doors sets
	// it; nil: none is taken.
	Assertions AssertionReader

	// Webhooks posts notices of requests for access. The code that assembles the doors sets it;
	// nil: none are posted.
	Webhooks Webhooks

	// OwnSTS says that credentials of roles are the center's own, whose STS asks RoleSessionOpen.
	// The code that assembles the doors sets it.
	OwnSTS bool

	setup map[string]string // what Begin was told; nil: it was not called

	// Chain keeps the log of events in an order of which each line can be verified.
	Chain    *chain.Keeper
	couriers []*chain.Courier
	sweeper  audit.Sweeper

	// Keep is how long events are kept. It is set before the center is served.
	Keep audit.Retention

	// Places decide whose password is looked at next.
	Places *authn.Places

	// Instance is read or made by Open and never changes afterwards.
	Instance Instance
}

// Instance is the identity of a center.
type Instance struct {
	ARN             string // arn:aws:sso:::instance/ssoins- and 16 hex digits
	IdentityStoreID string // d- and 10 hex digits
	OwnerAccountID  string // 12 digits
	Region          string
	SAMLTenantID    string // the opaque id in the assertion consumer service's URL
	CreatedAt       time.Time
	SealedProof     string // opens with the master key that the secrets are sealed with
	// CopiedAt is when it was made as a copy of the instance that it is called by, to rehearse on;
	// zero: it is none.
	CopiedAt time.Time `json:",omitzero"`
}

// Mark says on every page of a copy that it is one; empty for others.
func (i Instance) Mark() string {
	if i.CopiedAt.IsZero() {
		return ""
	}
	return "A rehearsal of " + i.shortID() + " (account " + i.OwnerAccountID + ", " + i.Region + "), made at " +
		i.CopiedAt.UTC().Format("2006-01-02 15:04 UTC") + ". Nothing here reaches the original."
}

// instanceReader reads the instance.
type instanceReader interface {
	Instance() (Instance, error)
}

// instanceWriter writes the instance.
type instanceWriter interface {
	PutInstance(Instance) error
}

// IdentityStoreARN is the ARN of the identity store. Source: service authorization reference,
// "Resource types defined by AWS Identity Store".
func (i Instance) IdentityStoreARN() string {
	return "arn:aws:identitystore::" + i.OwnerAccountID + ":identitystore/" + i.IdentityStoreID
}

// shortID is the part of the ARN that names the instance: ssoins- and 16 hex digits.
func (i Instance) shortID() string { return i.ARN[strings.LastIndexByte(i.ARN, '/')+1:] }

const instancePrefix = "arn:aws:sso:::instance/"

// Defaults of a new instance.
const (
	DefaultRegion  = "us-east-1"
	DefaultAccount = "111122223333"
)

// Config is what Open needs to know.
type Config struct {
	Store  Store
	Sealer *authn.Sealer   // of the master key; nil: Key is loaded, or made where the store is empty
	Key    authn.MasterKey // where the master key is
	Place  DataPlace       // where its data is; nil: nothing is remembered of it
	Log    *slog.Logger
	URL    string
	Mailer Mailer // nil: no email can be sent
	Region string // of a new instance; DefaultRegion when empty
	// Identity is another instance's, which one that holds nothing yet takes over; nil: none.
	Identity *Identity
	// Copy says that the center is a copy of the one with that identity, to rehearse on. A center
	// that stays, and holds something, does not become one.
	Copy bool
	// WithoutPermissionSets has a new instance begin without, until an administrator enables them.
	WithoutPermissionSets bool
	Now                   func() time.Time // time.Now when nil
}

// Open reads the instance from the store, or makes it when the store is empty. It fails with
// authn.ErrNoMasterKey or authn.ErrOtherMasterKey where the master key is not the one that the
// store's secrets were sealed with.
func Open(ctx context.Context, cfg Config) (*Center, error) {
	c := &Center{
		Store:            cfg.Store,
		Sealer:           cfg.Sealer,
		Log:              cfg.Log,
		URL:              cfg.URL,
		Now:              cfg.Now,
		NewID:            newID,
		Mailer:           cfg.Mailer,
		Keep:             audit.DefaultRetention,
		dropped:          rate.Sometimes{Interval: time.Minute},
		Places:           authn.Shared,
		relyingParty:     authn.NewRelyingParty(cfg.URL, "Gatehouse"),
		inBackground:     make(chan struct{}, maxBackground),
		roleWork:         make(chan struct{}, roleWorkers+1),
		ruleWork:         make(chan struct{}, 1),
		organizationWork: make(chan struct{}, 1),
		accessWork:       make(chan struct{}, 1),
		reviewWork:       make(chan struct{}, 1),
		noticeWork:       make(chan struct{}, 1),
		webhookWork:      make(chan struct{}, 1),
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Store.Watch(c.forgetChanged)
	if err := c.openInstance(ctx, cfg); err != nil {
		return nil, fmt.Errorf("open the instance: %w", err)
	}
	c.Chain = c.newChain()
	return c, nil
}

// now is the time in UTC and whole milliseconds, which is what stores keep.
func (c *Center) now() time.Time { return c.Now().UTC().Truncate(time.Millisecond) }

// newID makes a UUID of version 7 (RFC 9562 §5.7): one made later sorts after one made earlier, so
// that new rows stand together in every index.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// SAML addresses. AWS's own forms have the region in the host name; ours keep its paths under the
// center's URL.

// EntityID is the service provider's entity id, which is also the audience of assertions.
func (c *Center) EntityID() string {
	return c.URL + "/platform/saml/" + c.Instance.IdentityStoreID
}

// ACSURL is the assertion consumer service.
func (c *Center) ACSURL() string { return c.URL + "/platform/saml/acs/" + c.Instance.SAMLTenantID }

// PortalURL is the access portal: the sign-on URL for the identity provider.
func (c *Center) PortalURL() string { return c.URL + "/start" }

// ConsoleURL is the administrators' console.
func (c *Center) ConsoleURL() string { return c.URL + "/console/" }

// change is the only way to change anything: it checks that the actor may, runs one rule and
// records in the same transaction who did what. A refusal changes nothing and is recorded too. rule
// may run more than once and must have no other effect.
func (c *Center) change(
	ctx context.Context, by audit.Actor, action Action, rule func(Tx) (subject string, err error),
) error {
	return c.changeBy(ctx, &by, action, rule)
}

// changeBy is change for a rule that finds out who the actor is, and says so to the event.
func (c *Center) changeBy(
	ctx context.Context, by *audit.Actor, action Action, rule func(Tx) (subject string, err error),
) error {
	var subject string
	var refused error
	var kept audit.Admission
	trust := claimOf(ctx)
	err := c.Store.Update(ctx, func(tx Tx) (err error) {
		refused = nil
		if err := trust.requiredBy(tx); err != nil {
			return err
		}
		if err := c.authorize(tx, *by, action); err != nil {
			return err
		}
		if subject, err = rule(tx); err != nil {
			var stays *keptRefusal
			if !errors.As(err, &stays) {
				return err
			}
			refused = stays.error
			return kept.Append(&c.refusals, tx, c.event(*by, action.name, subject, refused))
		}
		return tx.AppendEvent(c.event(*by, action.name, subject, nil))
	})
	err = c.judged(ctx, trust, err)
	if err != nil || refused == nil {
		kept.GiveBack(&c.refusals)
	}
	if errors.Is(err, ErrNoLongerSo) {
		return err
	}
	if refusal.Tried(err) {
		return refused
	}
	if refusal.Glanced(ctx) {
		return errors.Join(err, refused)
	}
	if code := refusal.CodeOf(err); code != refusal.None && code.Kind() != refusal.Unavailable {
		return errors.Join(err, c.record(ctx, c.event(*by, action.name, subject, err)))
	}
	if err == nil && refused != nil {
		err = c.recordAll(ctx, kept.Logged(ctx, c.Log))
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

func (c *Center) event(by audit.Actor, action, subject string, err error) audit.Event {
	e := audit.Event{ID: c.NewID(), Time: c.now(), Actor: by, Action: action, Subject: subject, Result: audit.Granted}
	if err != nil {
		e.Result = audit.Refused
		e.Code = refusal.CodeOf(err).String()
		e.Detail = refusal.Detail(err)
		var refused *refusal.Error
		if errors.As(err, &refused) {
			e.Check = refused.Check
			e.Want = refused.Want
			e.Got = refused.Got
		}
	}
	return e
}
