package tenant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Factors are a person's second factors. A person who has any needs one at each sign-in.
type Factors struct {
	Account      AccountID `json:"UserID"`
	SealedSecret string    // of the authenticator app, for the purpose "totp/" + Account; empty: none
	LastStep     int64     // of the code that was accepted last
	Keys         []Key
}

// Key is a security key or a passkey.
type Key struct {
	ID, Name   string
	Credential []byte
	CreatedAt  time.Time
}

// factorsReader reads second factors.
type factorsReader interface {
	Factors(AccountID) (Factors, error)
}

// factorsWriter writes second factors.
type factorsWriter interface {
	PutFactors(Factors) error
}

// Any says whether there is one.
func (f Factors) Any() bool { return f.SealedSecret != "" || len(f.Keys) > 0 }

const maxKeys = 10 //bound:rows security keys of a person of the tenant

// maxKeyName is our own choice.
const maxKeyName = 64 //bound:text the name of a security key of a person of the tenant, in bytes

// The methods by which somebody has signed in, as the claim authnmethodsreferences has them.
// Source: SAML token reference.
const (
	// #nosec G101 -- a name
	MethodPassword = "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password"
	MethodMultiple = "http://schemas.microsoft.com/claims/multipleauthn"
)

// Factors returns a person's second factors.
func (t *Tenant) Factors(ctx context.Context, id AccountID) (f Factors, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		f, err = factors(r, id)
		return err
	})
	return f, err
}

func factors(r factorsReader, id AccountID) (Factors, error) {
	f, err := r.Factors(id)
	f.Account = id
	return f, nilIfNoRow(err)
}

func totpPurpose(id AccountID) string { return "totp/" + string(id) }

// AuthenticatorOffer is what an authenticator app is set up with, and a ticket to come back with.
type AuthenticatorOffer struct {
	authn.TOTP
	Ticket string
}

// NewAuthenticator begins to register an authenticator app.
func (t *Tenant) NewAuthenticator(a Account) (AuthenticatorOffer, error) {
	app, err := authn.NewTOTP(t.Organization.DisplayName, a.Name)
	return AuthenticatorOffer{app, t.Sealer.Seal(totpPurpose(a.ID), []byte(app.Secret))}, err
}

// AddAuthenticator registers the app that a ticket is of, once it has shown a right code; it takes
// the place of another one. It fails with FactorWrong.
func (t *Tenant) AddAuthenticator(ctx context.Context, by audit.Actor, a Account, ticket, code string) error {
	secret, err := t.Sealer.Open(totpPurpose(a.ID), ticket)
	if err != nil {
		return t.Refuse(
			ctx,
			by,
			ActionRegisterAuthenticator.name,
			a.Name,
			&refusal.Error{Code: FactorWrong},
		)
	}
	return t.changeFactors(ctx, by, ActionRegisterAuthenticator, a, func(f *Factors) error {
		last := int64(0)
		if old, err := t.Sealer.Open(totpPurpose(a.ID), f.SealedSecret); err == nil && string(old) == string(secret) {
			last = f.LastStep // it is registered already: its codes are good once
		}
		step, ok := authn.CheckTOTP(string(secret), digits(code), t.Now(), last)
		if !ok {
			return &refusal.Error{Code: FactorWrong}
		}
		f.SealedSecret, f.LastStep = ticket, step
		return nil
	})
}

func digits(code string) string { return strings.ReplaceAll(strings.TrimSpace(code), " ", "") }

// keyHolder is a person for the library of security keys.
func keyHolder(a Account, f Factors) authn.Holder {
	h := authn.Holder{ID: string(a.ID), Name: a.Name, DisplayName: a.DisplayName}
	if a.Administrator { // a name can be longer than the 64 bytes that there are
		h.ID = authn.Digest(string(a.ID))
	}
	for _, k := range f.Keys {
		h.Credentials = append(h.Credentials, k.Credential)
	}
	return h
}

func keyPurpose(id AccountID) string { return "security-key/" + string(id) }

// KeyOffer is the browser's options for a new security key, and a ticket to come back with.
type KeyOffer struct{ Options, Ticket string }

// NewKey begins to register a security key. The offer is empty where browsers have none.
func (t *Tenant) NewKey(ctx context.Context, a Account) (KeyOffer, error) {
	party := authn.NewRelyingParty(t.URL, t.Organization.DisplayName)
	f, err := t.Factors(ctx, a.ID)
	if err != nil || party == nil {
		return KeyOffer{}, err
	}
	challenge, err := party.BeginRegistration(keyHolder(a, f))
	return KeyOffer{string(challenge.Options), t.Sealer.Seal(keyPurpose(a.ID), challenge.State)}, err
}

// AddKey registers the security key that has answered. It fails with FactorWrong or InvalidValue.
func (t *Tenant) AddKey(ctx context.Context, by audit.Actor, a Account, ticket, response, name string) error {
	party := authn.NewRelyingParty(t.URL, t.Organization.DisplayName)
	state, err := t.Sealer.Open(keyPurpose(a.ID), ticket)
	if err != nil || party == nil {
		return t.Refuse(ctx, by, ActionRegisterSecurityKey.name, a.Name, &refusal.Error{Code: FactorWrong})
	}
	return t.changeFactors(ctx, by, ActionRegisterSecurityKey, a, func(f *Factors) error {
		credential, err := party.FinishRegistration(keyHolder(a, *f), state, []byte(response))
		same := func(k Key) bool { return bytes.Equal(k.Credential, credential) }
		if err != nil || slices.ContainsFunc(f.Keys, same) { // the same answer again
			return &refusal.Error{Code: FactorWrong}
		}
		if name = strings.TrimSpace(name); name == "" || len(name) > maxKeyName || len(f.Keys) >= maxKeys {
			return &refusal.Error{
				Code:    InvalidValue,
				Subject: "security key",
				Detail:  "use a name of 1 to 64 characters, and at most ten keys",
			}
		}
		f.Keys = append(f.Keys, Key{ID: t.NewID(), Name: name, Credential: credential, CreatedAt: t.now()})
		return nil
	})
}

// RemoveFactor deletes a security key by its id, or the authenticator app for an empty one.
func (t *Tenant) RemoveFactor(ctx context.Context, by audit.Actor, a Account, keyID string) error {
	return t.changeFactors(ctx, by, ActionDeleteSignInMethod, a, func(f *Factors) error {
		if keyID == "" {
			f.SealedSecret, f.LastStep = "", 0
			return nil
		}
		for i, k := range f.Keys {
			if k.ID == keyID {
				f.Keys = append(f.Keys[:i:i], f.Keys[i+1:]...)
			}
		}
		return nil
	})
}

// ResetFactors takes all second factors of a user away, who has lost them or no longer trusts them,
// and ends what was opened with them. The next sign-in takes the password alone, and has them
// register anew where the tenant requires a factor. It fails with UserNotFound.
func (t *Tenant) ResetFactors(ctx context.Context, by audit.Actor, id UserID) error {
	return t.endAfter(ctx, by, ActionDeleteSecurityInfo, id, func(tx Tx) error {
		return errors.Join(tx.PutFactors(Factors{Account: AccountID(id)}), unlockCodes(tx, AccountID(id)))
	})
}

// unlockCodes forgets wrong codes: they were of a factor that is not there any more.
func unlockCodes(tx Tx, id AccountID) error {
	p, err := tx.Password(id)
	if err != nil {
		return nilIfNoRow(err)
	}
	p.CodeLockout = authn.Lockout{}
	return tx.PutPassword(p)
}

func (t *Tenant) changeFactors(
	ctx context.Context, by audit.Actor, action Action, a Account, edit func(*Factors) error,
) error {
	return t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		f, err := factors(tx, a.ID)
		if err != nil {
			return a.Name, err
		}
		if err := edit(&f); err != nil {
			return a.Name, err
		}
		return a.Name, tx.PutFactors(f)
	})
}

// Challenge is what somebody whose password was right is asked for.
type Challenge struct {
	Ticket     string // to come back with
	Lifetime   time.Duration
	Code       bool   // of the authenticator app
	KeyOptions string // for the browser, of a security key; empty: none can be used here

	NewPassword bool // another password, in place of a one-time one
}

// waiting is a sign-in between the password and the second factor. It is a grant, so that it is
// good once.
type waiting struct {
	Account    AccountID `json:"UserID"`
	Persistent bool
	Key        []byte // what the library of security keys must be given back
}

// challenge begins to ask for a second factor, of a sign-in that began when the password was read.
func (t *Tenant) challenge(
	ctx context.Context, a Account, f Factors, began signInBegan, persistent bool,
) (Challenge, error) {
	w := waiting{Account: a.ID, Persistent: persistent}
	c, err := t.offerFactors(a, f, &w)
	if err != nil {
		return c, err
	}
	data, err := json.Marshal(w)
	if err != nil {
		return c, err
	}
	g, err := t.IssueGrant(
		ctx,
		Grant{
			Kind:       grantSignIn,
			SignedInAt: began.at,
			Under:      began.under,
			Account:    Account{ID: a.ID},
			Nonce:      t.Sealer.Seal(signInPurpose(a.ID), data),
		},
	)
	c.Ticket = g.Secret.Reveal()
	c.Lifetime = codeLifetime
	return c, err
}

// VerifyFactor ends a sign-in by a code or by what a security key has answered. After a wrong one
// another may follow, but after a few of them the sender must wait: it is somebody who knows the
// password. It fails with FactorWrong, SignInLocked or SessionInvalid, when the sign-in has taken
// too long.
//
// Reading the factor, judging it and noting its use are one transaction: a code opens one session,
// however many it is sent to.
func (t *Tenant) VerifyFactor(
	ctx context.Context, by audit.Actor, ticket, code, response string, from Browser,
) (e Entry, err error) {
	digest := authn.Digest(ticket)
	secret := authn.NewSecret(32)
	fresh := authn.NewSecret(32)
	action := ActionUserLoggedIn
	err = t.Store.View(ctx, func(r Reader) error { // whose it is, for the events
		s, err := t.pendingSignIn(r, digest)
		by.Name = s.account.Name
		if s.account.Administrator {
			action = ActionAdministratorLoggedIn
		}
		return err
	})
	if err != nil {
		return e, err
	}
	by.Kind = audit.User
	err = t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		pending, err := t.pendingSignIn(tx, digest)
		if err != nil {
			return by.Name, err
		}
		w, a := pending.waiting, pending.account
		p, err := tx.Password(a.ID)
		if err != nil {
			return by.Name, refusal.IfNoRow(err, SignInFailed, "")
		}
		if p.CodeLockout.Locked(t.now()) {
			return by.Name, &refusal.Error{
				Code:   SignInLocked,
				Detail: "too many wrong codes; until " + p.CodeLockout.Until.Format(time.RFC3339),
			}
		}
		f, err := factors(tx, a.ID)
		if err != nil {
			return by.Name, err
		}
		if !t.useFactor(a, &f, w, code, response) {
			p.CodeLockout = p.CodeLockout.Failed(t.now())
			return by.Name, keeping(&refusal.Error{Code: FactorWrong}, tx.PutPassword(p))
		}
		p.CodeLockout = authn.Lockout{}
		s := Session{Account: a.ID, Under: pending.grant.Under, Methods: []string{MethodPassword, MethodMultiple}}
		if a.Administrator {
			s.Administrator = a.Name
			s.Address = by.Address
			s.UserAgent = from.UserAgent
		}
		if e, err = t.openSession(tx, secret, s, w.Persistent, p); err != nil {
			return by.Name, err
		}
		e.Known, e.KnownLifetime = p.rememberBrowser(from.Known, fresh, t.now()), knownLifetime
		return by.Name, errors.Join(tx.DeleteGrant(digest), tx.PutFactors(f), tx.PutPassword(p))
	})
	if err != nil {
		e = Entry{}
	}
	return e, err
}

// pendingSignIn is a sign-in that waits for its second factor, and the person's account.
type pendingSignIn struct {
	grant   Grant
	waiting waiting
	account Account
}

// pendingSignIn finds a sign-in that waits for its second factor, or fails with SessionInvalid.
func (t *Tenant) pendingSignIn(r Reader, digest string) (s pendingSignIn, err error) {
	now, err := t.clock(r)
	if err != nil {
		return s, err
	}
	g, err := r.Grant(digest)
	if err == nil && (g.Kind != grantSignIn || g.over(now)) {
		err = refusal.ErrNoRow
	}
	if err != nil {
		return s, refusal.IfNoRow(err, SessionInvalid, "")
	}
	data, err := t.Sealer.Open(signInPurpose(g.Account.ID), g.Nonce)
	if err == nil {
		err = json.Unmarshal(data, &s.waiting)
	}
	if err != nil {
		return s, err
	}
	h, err := holderOf(r, s.waiting.Account)
	// with a password that is not theirs any more
	if err == nil && (!h.enabled || !isUnder(g.Under, g.SignedInAt, h.validFrom)) {
		err = refusal.ErrNoRow
	}
	g.Under = under(h.validFrom)
	s.grant, s.account = g, h.Account
	return s, refusal.IfNoRow(err, SessionInvalid, "")
}

// useFactor says whether a factor is right, and notes in it that it was used.
func (t *Tenant) useFactor(a Account, f *Factors, w waiting, code, response string) bool {
	if response != "" {
		party := authn.NewRelyingParty(t.URL, t.Organization.DisplayName)
		if party == nil || w.Key == nil {
			return false
		}
		used, err := party.FinishLogin(keyHolder(a, *f), w.Key, []byte(response))
		if err == nil {
			f.Keys[used.Index].Credential = used.Credential
		}
		return err == nil
	}
	secret, err := t.Sealer.Open(totpPurpose(a.ID), f.SealedSecret)
	if err != nil {
		return false
	}
	step, ok := authn.CheckTOTP(string(secret), digits(code), t.Now(), f.LastStep)
	f.LastStep = max(f.LastStep, step)
	return ok
}
