package tenant

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// GrantKind is what a grant is redeemed by.
type GrantKind string

// The kinds.
const (
	GrantCode    GrantKind = "code"
	GrantDevice  GrantKind = "device"
	GrantRefresh GrantKind = "refresh"

	grantSignIn GrantKind = "sign-in" // waits for a second factor
	grantEnded  GrantKind = "ended"   // a family that was ended, in its place until its last access token has expired
)

// Grant is what a person has allowed a program, or is asked for. Only the digest of its secret is
// kept.
//
// The tokens that a program gets for one code are a family: one grant of the kind GrantRefresh,
// which each use of its refresh token renews. Refresh tokens are sealed names of a family with a
// number, so that an old one is known as such, and nothing is kept for each.
type Grant struct {
	Digest      string // of the secret; of a family: its name
	Kind        GrantKind
	UserCode    string // of a device code: what the person types
	Address     string // of a device code: where it was asked for
	ClientID    ClientID
	Account     Account
	Scopes      []string
	RedirectURI string
	Challenge   string // of PKCE, S256
	Nonce       string
	Answered    bool // of a device code
	Allowed     bool
	LastPoll    time.Time
	SignedInAt  time.Time // when the person signed in for it; zero when issued: as the account says
	// Under is the person's SessionsValidFrom then; nil: as the account says, or of an earlier
	// release.
	Under      *int64 `json:",omitempty"`
	ExpiresAt  time.Time
	Family     string // of a code: what it was redeemed for; empty: it was not
	Generation int    // of a family: how often it was renewed
}

// grantReader reads what people granted to programs.
type grantReader interface {
	Grant(digest string) (Grant, error)
	GrantByUserCode(code string) (Grant, error)
	GrantsOf(AccountID) ([]Grant, error)
	GrantsAfter(digest string, limit int) ([]Grant, error) // families, in the order of their digests
}

// grantWriter writes what people granted to programs.
type grantWriter interface {
	PutGrant(Grant) error
	DeleteGrant(digest string) error
	DeleteGrants(expired time.Time) error
	KeepGrantsOf(holder string, newest int) error // deletes the others, which expire first
	// KeepWaitingGrants leaves so many of the device codes that nobody has answered where there are
	// more than most: those that are not over first, and of them the newest of each holder in turn,
	// so that the holder with the most loses first.
	KeepWaitingGrants(most, left int, now time.Time) error
	DeleteGrantsOf(AccountID) error
}

// Lifetimes. Sources: device authorization response; "Refresh tokens" (90 days, renewed by each
// use; Entra ends none by its age, so the whole is ours to choose); that of a code is ours to
// choose too (RFC 6749, 4.1.2 says ten minutes at most).
const (
	codeLifetime    = 10 * time.Minute     //bound:life an authorization code of the tenant
	DeviceLifetime  = 15 * time.Minute     //bound:life a device code of the tenant
	refreshLifetime = 90 * 24 * time.Hour  //bound:life a refresh token of the tenant that is not used
	familyLifetime  = 365 * 24 * time.Hour //bound:life the refresh tokens of the tenant that follow one another
	endedLifetime   = 24 * time.Hour       //bound:life the memory that the access tokens of a family were ended
	DeviceInterval  = 5 * time.Second      //bound:rate time between two questions for a device code at the tenant
)

// grantsKept is how long a grant is known after its end, so that the program learns that it has
// expired.
const grantsKept = time.Hour //bound:life a grant of the tenant after its end

// grantsOver is before when a grant must have ended to be forgotten. Where the clock was moved
// forward the real time counts, since access tokens live by it: the end of a family must outlast
// them.
func (t *Tenant) grantsOver(now time.Time) time.Time { return now.Add(-t.ahead() - grantsKept) }

// Shares. If there are too many, the oldest of the holder with the most go: nobody is refused
// because of others, or loses a code to somebody who asks for more. Source: our own choice.
const (
	maxDevices     = 1_000 //bound:rows device codes of the tenant that wait, those of the holder with the most go first
	maxDevicesEach = 200   //bound:rows device codes of the tenant that one address asked for
	maxGrantsEach  = 200   //bound:rows grants of each kind of one account at the tenant
)

// Waits says whether it is a device's that nobody has answered: strangers can make such ones.
func (g Grant) Waits() bool { return g.Kind == GrantDevice && !g.Answered }

// Holder is whose share of all grants it counts to.
func (g Grant) Holder() string {
	if g.Waits() {
		return "address/" + audit.Neighborhood(g.Address)
	}
	return string(g.Kind) + "/" + string(g.Account.ID)
}

// keepShare makes room for a grant.
func keepShare(tx Tx, g Grant, now time.Time) error {
	if g.Waits() {
		return errors.Join(
			tx.KeepGrantsOf(g.Holder(), maxDevicesEach-1),
			tx.KeepWaitingGrants(maxDevices-1, maxDevices*9/10, now),
		)
	}
	return tx.KeepGrantsOf(g.Holder(), maxGrantsEach-1)
}

// userCodeLetters leaves out what is easily mistaken.
const userCodeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// grantLife is how long a grant can be redeemed, since it was issued or renewed.
var grantLife = map[GrantKind]time.Duration{
	GrantCode:   codeLifetime,
	GrantDevice: DeviceLifetime,
	grantSignIn: codeLifetime,

	GrantRefresh: refreshLifetime,
}

// over says whether a grant has expired. One that is good for longer than any, or for which
// somebody is yet to sign in, was made by a clock that was ahead.
func (g Grant) over(now time.Time) bool {
	return !now.Before(g.ExpiresAt) || authn.Ahead(g.SignedInAt, now) ||
		authn.Ahead(g.ExpiresAt, now.Add(grantLife[g.Kind]))
}

// IssuedGrant is a grant with its secret.
type IssuedGrant struct {
	Grant
	Secret authn.Secret
}

// IssueGrant keeps a grant and returns its secret. A device code gets a code for the person as
// well.
func (t *Tenant) IssueGrant(ctx context.Context, g Grant) (IssuedGrant, error) {
	secret := authn.NewSecret(32)
	g.Digest = authn.Digest(secret)
	if g.Kind == GrantDevice {
		code := make([]byte, 9)
		_, _ = rand.Read(code) // it never fails
		for i := range code {
			code[i] = userCodeLetters[int(code[i])%len(userCodeLetters)] // 32 letters: each as likely
		}
		g.UserCode = string(code)
	}
	err := t.Store.Update(ctx, func(tx Tx) error {
		now, err := t.clock(tx)
		if err != nil {
			return err
		}
		if g.SignedInAt.IsZero() {
			g.SignedInAt, g.Under = signedInAt(g.Account, now), g.Account.Under
		}
		g.ExpiresAt = now.Add(grantLife[g.Kind])
		return errors.Join(keepShare(tx, g, now), tx.PutGrant(g)) // what is over goes when Sweep trusts the clock
	})
	return IssuedGrant{g, authn.Secret(secret)}, err
}

// Families lists what people have allowed programs for as long as they renew it.
func (t *Tenant) Families(ctx context.Context, after string, limit int) (list []Grant, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		list, err = r.GrantsAfter(after, limit)
		return err
	})
	return list, err
}

// signedInAt is when an account signed in for what it allows: what ended the sign-in since then
// ends the grant too, also in the moment between the look at the session and the grant.
func signedInAt(a Account, now time.Time) time.Time {
	if a.SignedInAt.IsZero() {
		return now
	}
	return a.SignedInAt
}

// Redemption is a program that shows a code or a refresh token.
type Redemption struct {
	Kind     GrantKind
	ClientID ClientID
	Secret   string
	Check    func(Grant) error // what else the door checks; nil: nothing

	Application *Application // that the program is; nil: none

	now time.Time // by which codes and tokens are over
}

// Redeemed is what a redemption comes to.
type Redeemed struct {
	Grant
	Refresh authn.Secret // empty: the program did not ask for one
}

// Redeem returns what a secret was issued for, to the program that it was issued to, with the next
// refresh token where the program asked for such. Family names the tokens that it leads to.
//
// A device code is good once the person has answered, and once. A code is good once: when it comes
// again somebody else has it too, and the family that it led to ends (RFC 6749, 4.1.2). A refresh
// token is good until its successor is used, since an answer can be lost; coming later it was
// stolen, and the family ends (RFC 9700, 4.14.2).
//
// It fails with GrantInvalid, GrantExpired, AuthorizationPending, SlowDown or
// AuthorizationDeclined; with GrantRevoked or SessionInvalid when the person's sessions were
// revoked meanwhile, or the person was disabled; and with what Check says.
func (t *Tenant) Redeem(ctx context.Context, by audit.Actor, r Redemption) (Redeemed, error) {
	var out Redeemed
	var refused error
	err := t.Store.Update(ctx, func(tx Tx) (err error) {
		if r.now, err = t.clock(tx); err != nil {
			return err
		}
		switch r.Kind {
		case GrantCode:
			out, err = t.redeemCode(tx, r)
		case GrantDevice:
			out, err = t.redeemDevice(tx, r)
		default:
			out, err = t.renew(tx, r)
		}
		refused = nil
		var kept *keptRefusal
		if errors.As(err, &kept) {
			refused = kept.error
			return nil
		}
		return err
	})
	if err != nil {
		return Redeemed{}, err
	}
	if c := refusal.CodeOf(refused); refused != nil && c != AuthorizationPending && c != SlowDown {
		by.Name = string(r.ClientID)
		refused = t.Refuse(ctx, by, "Redeem "+string(r.Kind), string(r.ClientID), refused)
	}
	return out, refused
}

// redeemableGrant returns the grant that a program may redeem, or a refusal that keeps what was
// written, as those of the functions below do.
func (t *Tenant) redeemableGrant(tx Tx, r Redemption, digest string) (Grant, error) {
	g, err := tx.Grant(digest)
	switch {
	case errors.Is(err, refusal.ErrNoRow),
		err == nil && (g.Kind != r.Kind || !strings.EqualFold(string(g.ClientID), string(r.ClientID))):
		return g, keeping(&refusal.Error{Code: GrantInvalid, Subject: string(r.ClientID)}, nil)
	case err != nil:
		return g, err
	case g.over(r.now):
		return g, keeping(&refusal.Error{Code: GrantExpired, Subject: string(r.ClientID)}, nil)
	}
	return g, nil
}

// completeGrant completes a grant by the person as they are now.
func (r Redemption) completeGrant(tx Tx, g Grant) (Grant, error) {
	g.Account.SignedInAt, g.Account.Under = g.SignedInAt, g.Under
	account, err := accountNow(tx, g.Account)
	if err == nil && !account.Administrator {
		var held []RoleAssignment
		held, err = tx.RoleAssignmentsOf(UserID(account.ID))
		account.Roles = roleIDs(held)
	}
	g.Account, g.Under = account, account.Under
	if err == nil && r.Application != nil && r.Application.AssignmentRequired {
		err = mustBeAssigned(tx, *r.Application, UserID(account.ID))
	}
	if err == nil && r.Check != nil {
		err = r.Check(g)
	}
	if code := refusal.CodeOf(err); code != refusal.None && code.Kind() != refusal.Unavailable {
		err = keeping(err, nil)
	}
	return g, err
}

// usedGrant ends a family whose secret has come a second time: somebody else has it too.
func (t *Tenant) usedGrant(tx Tx, r Redemption, family, detail string) (Redeemed, error) {
	refused := &refusal.Error{Code: GrantInvalid, Subject: string(r.ClientID), Detail: detail}
	return Redeemed{}, keeping(refused, endFamily(tx, family, r.now))
}

func (t *Tenant) redeemCode(tx Tx, r Redemption) (Redeemed, error) {
	g, err := t.redeemableGrant(tx, r, authn.Digest(r.Secret))
	if err != nil {
		return Redeemed{}, err
	}
	if g.Family != "" {
		return t.usedGrant(tx, r, g.Family, "the code was already used: the tokens that it gave are revoked")
	}
	g.Family = authn.Digest(authn.NewSecret(32))
	if err := tx.PutGrant(g); err != nil { // used, whatever comes of it
		return Redeemed{}, err
	}
	if g, err = r.completeGrant(tx, g); err != nil {
		return Redeemed{}, err
	}
	return t.beginFamily(tx, g, r.now)
}

func (t *Tenant) redeemDevice(tx Tx, r Redemption) (Redeemed, error) {
	g, err := t.redeemableGrant(tx, r, authn.Digest(r.Secret))
	if err != nil {
		return Redeemed{}, err
	}
	if !g.Answered {
		if since := r.now.Sub(g.LastPoll); since >= 0 && since < DeviceInterval-time.Second {
			return Redeemed{}, keeping(&refusal.Error{Code: SlowDown}, nil)
		}
		g.LastPoll = r.now
		return Redeemed{}, keeping(&refusal.Error{Code: AuthorizationPending}, tx.PutGrant(g))
	}
	if err := tx.DeleteGrant(g.Digest); err != nil {
		return Redeemed{}, err
	}
	if !g.Allowed {
		return Redeemed{}, keeping(&refusal.Error{Code: AuthorizationDeclined}, nil)
	}
	g.Family = authn.Digest(authn.NewSecret(32))
	if g, err = r.completeGrant(tx, g); err != nil {
		return Redeemed{}, err
	}
	return t.beginFamily(tx, g, r.now)
}

// offlineAccess is the scope by which a program asks for a refresh token.
const offlineAccess = "offline_access"

// beginFamily begins the family of a grant that was redeemed.
func (t *Tenant) beginFamily(tx Tx, g Grant, now time.Time) (Redeemed, error) {
	if !slices.Contains(g.Scopes, offlineAccess) {
		return Redeemed{Grant: g}, nil
	}
	family := Grant{
		Digest:     g.Family,
		Kind:       GrantRefresh,
		ClientID:   g.ClientID,
		Account:    g.Account,
		Scopes:     g.Scopes,
		SignedInAt: g.SignedInAt,
		Under:      g.Under,
		ExpiresAt:  g.renewedUntil(now),
	}
	out := Redeemed{Grant: g, Refresh: t.sealRefresh(refreshToken{g.Family, 0})}
	return out, errors.Join(keepShare(tx, family, now), tx.PutGrant(family))
}

// renewedUntil is how long a family lasts that is renewed now.
func (g Grant) renewedUntil(now time.Time) time.Time {
	until, end := now.Add(refreshLifetime), g.SignedInAt.Add(familyLifetime)
	if until.Before(end) {
		return until
	}
	return end
}

// RefreshLifetime is how long the refresh token of a grant that was redeemed now is good.
func (t *Tenant) RefreshLifetime(g Grant) time.Duration { return g.renewedUntil(t.now()).Sub(t.now()) }

// renew gives a family its next refresh token.
func (t *Tenant) renew(tx Tx, r Redemption) (Redeemed, error) {
	token := t.openRefresh(r.Secret)
	g, err := t.redeemableGrant(tx, r, token.Family)
	if err != nil {
		return Redeemed{}, err
	}
	if token.Generation != g.Generation && token.Generation != g.Generation-1 {
		const used = "the refresh token was already used: the tokens that followed it are revoked"
		return t.usedGrant(tx, r, g.Digest, used)
	}
	renewed, err := r.completeGrant(tx, g)
	if err != nil {
		return Redeemed{}, err
	}
	renewed.Family, renewed.ExpiresAt = g.Digest, g.renewedUntil(r.now)
	g.Under = renewed.Under
	if token.Generation == g.Generation { // else the same successor again
		g.Generation, g.ExpiresAt = g.Generation+1, renewed.ExpiresAt
		err = tx.PutGrant(g)
	}
	return Redeemed{Grant: renewed, Refresh: t.sealRefresh(refreshToken{g.Digest, token.Generation + 1})}, err
}

// endFamily ends the tokens of a family: the refresh tokens for good, and the access tokens until
// the last of them has expired.
func endFamily(tx Tx, family string, now time.Time) error {
	return errors.Join(
		tx.DeleteGrant(family),
		tx.PutGrant(Grant{Digest: family, Kind: grantEnded, ExpiresAt: now.Add(endedLifetime)}),
	)
}

// FamilyEnded says whether the access tokens of a family are refused before their time.
func (t *Tenant) FamilyEnded(ctx context.Context, family string) (ended bool, err error) {
	if family == "" { // of a release before families
		return false, nil
	}
	err = t.Store.View(ctx, func(r Reader) error {
		g, err := r.Grant(family)
		ended = err == nil && g.Kind == grantEnded
		if errors.Is(err, refusal.ErrNoRow) {
			return nil
		}
		return err
	})
	return ended, err
}

// refreshToken is what a refresh token says.
type refreshToken struct {
	Family     string
	Generation int
}

const (
	purposeRefresh = "refresh-token"
	maxRefresh     = 1 << 10 //bound:text a refresh token of the tenant that is looked at
)

func (t *Tenant) sealRefresh(r refreshToken) authn.Secret {
	plain, err := json.Marshal(r)
	if err != nil {
		panic(err) // a plain struct
	}
	return authn.Secret(t.Sealer.Seal(purposeRefresh, plain))
}

// openRefresh reads a refresh token. One of a release before families is the first of its own.
func (t *Tenant) openRefresh(secret string) (r refreshToken) {
	if len(secret) > maxRefresh {
		return r
	}
	if plain, err := t.Sealer.Open(purposeRefresh, secret); err == nil && json.Unmarshal(plain, &r) == nil {
		return r
	}
	return refreshToken{Family: authn.Digest(secret)}
}

// PendingDevice returns the device code that waits under what a person has typed, or GrantInvalid.
func (t *Tenant) PendingDevice(ctx context.Context, userCode string) (g Grant, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		now, err := t.clock(r)
		if err != nil {
			return err
		}
		g, err = r.GrantByUserCode(strings.ToUpper(strings.TrimSpace(userCode)))
		if err == nil && (g.Answered || g.over(now)) {
			err = refusal.ErrNoRow
		}
		return refusal.IfNoRow(err, GrantInvalid, "")
	})
	return g, err
}

// Answer records what a person has answered a device.
func (t *Tenant) Answer(ctx context.Context, by audit.Actor, userCode string, a Account, allowed bool) error {
	g, err := t.PendingDevice(ctx, userCode)
	if err != nil {
		return err
	}
	action := ActionDeclineDevice
	if allowed {
		action = ActionAllowDevice
	}
	return t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		now, err := t.clock(tx)
		if err != nil {
			return string(g.ClientID), err
		}
		answered, err := tx.Grant(g.Digest)
		if err == nil && answered.Answered {
			err = refusal.ErrNoRow
		}
		if err != nil {
			return string(g.ClientID), refusal.IfNoRow(err, GrantInvalid, "")
		}
		answered.Answered = true
		answered.Allowed = allowed
		answered.Account = a
		answered.SignedInAt, answered.Under = signedInAt(a, now), a.Under
		return string(g.ClientID), tx.PutGrant(answered)
	})
}
