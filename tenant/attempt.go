package tenant

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// attempt is a password that somebody sends for a name.
type attempt struct {
	by             audit.Actor
	action         Action
	name, password string
	known          string         // the secret of a browser
	standing       authn.Standing // of a sender whom no known browser identifies
	find           func(Reader) (_ Session, _ AccountID, err error)
}

// verifyPassword checks a password and then, where it is right, runs then, which must forgive the
// mistake that the attempt was counted as. It fails with SignInBusy, or with SignInFailed or
// SignInLocked, which must look the same to the outside.
//
// An attempt is counted as a mistake before anybody looks at it: of many that come at once, to
// however many nodes, no more are looked at than of those that come one by one. Mistakes are
// counted for the name, but for a browser that its owner has signed in with they are counted apart:
// whoever guesses from elsewhere can make strangers wait, not the owner.
//
// A name that does not exist costs the same: a place, a mistake that is counted for nobody, a hash,
// and an event, which is refused with the same codes.
func (t *Tenant) verifyPassword(ctx context.Context, a attempt, then func(Password, signInBegan) error) error {
	if !plainText(a.name, maxText) { // before anything is looked for or hashed
		return t.Refuse(
			ctx,
			a.by,
			a.action.name,
			a.name,
			&refusal.Error{Code: SignInFailed, Detail: "no user can have this name"},
		)
	}
	applicant, err := t.applicant(ctx, a)
	if err != nil {
		return err
	}
	full := applicant.Standing == authn.Administrator && t.Places.Full(applicant)
	leave, err := t.Places.Take(ctx, applicant)
	if err != nil {
		return t.Refuse(ctx, a.by, a.action.name, a.name, busy(err))
	}
	defer leave()
	counted, err := t.countAttempt(ctx, a)
	if err != nil {
		return err
	}
	stored, until := counted.password, counted.until
	right := authn.CheckPassword(stored.Hash, a.password) // also where nobody is to know: it takes its time
	switch {
	case !until.IsZero() && stored.Hash == "": // the code of another event would be another write
		err = &refusal.Error{Code: SignInLocked, Detail: "no such user, and too many attempts for names like it"}
	case !until.IsZero():
		err = &refusal.Error{Code: SignInLocked, Detail: "until " + until.Format(time.RFC3339)}
	case stored.Hash == "":
		err = &refusal.Error{Code: SignInFailed, Detail: "no such user, no password, or disabled"}
	case !right:
		err = &refusal.Error{Code: SignInFailed, Detail: "wrong password"}
	default:
		if err = then(stored, counted.began); err != nil { // the password was no mistake
			err = errors.Join(err, t.forgiveAttempt(ctx, a, stored))
		}
		return err
	}
	err = t.Refuse(ctx, a.by, a.action.name, a.name, err)
	if full { // a stranger would have been turned away: nobody is to learn that the name is an administrator's
		t.Places.Pause(ctx)
		err = busy(err)
	}
	return err
}

// busy says that there was no place, for whatever reason.
func busy(reason error) error { return errors.Join(&refusal.Error{Code: SignInBusy}, reason) }

// hashPassword hashes a password that somebody chooses who is known already. It fails with
// SignInBusy.
func (t *Tenant) hashPassword(ctx context.Context, name, password string) (string, error) {
	leave, err := t.Places.Take(ctx, authn.Applicant{Standing: authn.Known, Name: name})
	if err != nil {
		return "", busy(err)
	}
	defer leave()
	return authn.HashPassword(password), nil
}

// applicant finds out how whoever sends a password stands.
func (t *Tenant) applicant(ctx context.Context, a attempt) (who authn.Applicant, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		who = authn.Applicant{
			Standing: authn.Stranger,
			Address:  audit.Neighborhood(a.by.Address),
			Name:     names.Fold(a.name),
		}
		_, id, err := a.find(r)
		if errors.Is(err, refusal.ErrNoRow) {
			return nil
		}
		if err != nil {
			return err
		}
		who.Standing, who.Name = a.standing, string(id)
		p, err := r.Password(id)
		if err == nil && p.browserIndex(a.known, t.now()) >= 0 {
			who.Standing = authn.Known
		}
		return nilIfNoRow(err)
	})
	return who, err
}

// unknownAccount is whom attempts for names are counted for that have no password: the same writes,
// in a few rows that say nothing.
func unknownAccount(name string) AccountID {
	return AccountID("nobody/" + authn.Digest(names.Fold(name))[:2])
}

// countedAttempt is an attempt that counts as a mistake, unless it came too early: then until says
// when the wait ends. A password without a hash is nobody's.
type countedAttempt struct {
	password Password
	until    time.Time
	began    signInBegan
}

// signInBegan is when a sign-in began, before its password was looked at, and under which
// SessionsValidFrom: what ends all sessions while it waits for a second factor ends it too.
type signInBegan struct {
	at    time.Time
	under *int64
}

// countAttempt counts an attempt.
func (t *Tenant) countAttempt(ctx context.Context, a attempt) (counted countedAttempt, err error) {
	err = t.Store.Update(ctx, func(tx Tx) error {
		now, err := t.clock(tx)
		if err != nil {
			return err
		}
		counted.until = time.Time{}
		p := &counted.password
		s, id, err := a.find(tx)
		counted.began = signInBegan{now, s.Under}
		if err == nil {
			*p, err = tx.Password(id)
		}
		if errors.Is(err, refusal.ErrNoRow) {
			*p, err = tx.Password(unknownAccount(a.name))
			p.Account = unknownAccount(a.name)
			p.Hash = ""
			err = nilIfNoRow(err)
		}
		if err != nil {
			return err
		}
		lockout := p.lockout(a.known, t.now())
		if lockout.Locked(t.now()) {
			counted.until = lockout.Until
		} else {
			*lockout = lockout.Failed(t.now())
		}
		return tx.PutPassword(*p)
	})
	return counted, err
}

// forgiveAttempt forgives an attempt whose password was right, but which led nowhere, also where
// nobody waits for the answer any more.
func (t *Tenant) forgiveAttempt(ctx context.Context, a attempt, stored Password) error {
	ctx, cancel := audit.Outlast(ctx, recordFor, recordWait)
	defer cancel()
	return t.Store.Update(ctx, func(tx Tx) error {
		p, err := t.forgivenPassword(tx, stored, a.known)
		if refusal.CodeOf(err) == SignInFailed { // the password was changed meanwhile
			return nil
		}
		return errors.Join(err, tx.PutPassword(p))
	})
}

// forgivenPassword is a password whose mistakes are forgotten, since it was right. The caller puts
// it. It fails with SignInFailed where the password is another by now.
func (t *Tenant) forgivenPassword(r passwordReader, stored Password, known string) (Password, error) {
	p, err := r.Password(stored.Account)
	if err == nil && p.Hash != stored.Hash { // it was reset while the old one was being checked
		err = refusal.ErrNoRow
	}
	if err == nil {
		*p.lockout(known, t.now()) = authn.Lockout{}
	}
	return p, refusal.IfNoRow(err, SignInFailed, "")
}

// KnownBrowser is a browser that somebody has signed in with. Only the digest of its secret is
// kept.
type KnownBrowser struct {
	Digest    string
	Lockout   authn.Lockout
	ExpiresAt time.Time
}

// isKnown says whether a browser is known still. One that is known for longer than any was noted by
// a clock that was ahead.
func (b KnownBrowser) isKnown(now time.Time) bool {
	return now.Before(b.ExpiresAt) && !authn.Ahead(b.ExpiresAt, now.Add(knownLifetime))
}

// knownLifetime is how long a browser is known after it was last signed in with.
//
//bound:life the mark of a browser that is known at the tenant
const knownLifetime = 90 * 24 * time.Hour

// maxKnown is how many browsers somebody is known with; the one that was used the longest ago is
// forgotten.
const maxKnown = 20 //bound:rows browsers that a person is known with at the tenant

// browserIndex says which known browser a secret is of; none: -1.
func (p *Password) browserIndex(secret string, now time.Time) int {
	if secret == "" {
		return -1
	}
	digest := authn.Digest(secret)
	return slices.IndexFunc(p.Known, func(b KnownBrowser) bool { return b.Digest == digest && b.isKnown(now) })
}

// lockout is the memory of wrong passwords that counts for a browser.
func (p *Password) lockout(secret string, now time.Time) *authn.Lockout {
	if i := p.browserIndex(secret, now); i >= 0 {
		return &p.Known[i].Lockout
	}
	return &p.Lockout
}

// rememberBrowser notes the browser that somebody has signed in with: by the secret fresh, if it
// was not known before. It returns the secret that the browser must keep; empty: it has one.
func (p *Password) rememberBrowser(secret, fresh string, now time.Time) (keep authn.Secret) {
	b := KnownBrowser{Digest: authn.Digest(fresh)}
	if i := p.browserIndex(secret, now); i >= 0 {
		b = p.Known[i]
		p.Known = slices.Delete(p.Known, i, i+1)
	} else {
		keep = authn.Secret(fresh)
	}
	b.ExpiresAt = now.Add(knownLifetime)
	p.Known = append(p.Known, b)
	p.Known = p.Known[max(0, len(p.Known)-maxKnown):]
	return keep
}
