package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// attempt is a password that somebody sends for a name.
type attempt struct {
	by             audit.Actor
	name, password string
	known          string         // the secret of a browser
	standing       authn.Standing // of a sender whom no known browser identifies
	find           func(Reader) (principal string, err error)
}

// verifyPassword checks a password and then, where it is right, runs then, which must forgive the
// mistake that the attempt was counted as. It fails with SignInBusy, or with SignInFailed or
// SignInLocked, which must look the same to the outside. find returns the principal that the
// password belongs to, or refusal.ErrNoRow.
//
// An attempt is counted as a mistake before anybody looks at it: of many that come at once, to
// however many nodes, no more are looked at than of those that come one by one. Mistakes are
// counted for the name, but for a browser that its owner has signed in with they are counted apart:
// whoever guesses from elsewhere can make strangers wait, not the owner.
//
// A name that does not exist costs the same: a place, a mistake that is counted for nobody, a hash,
// and an event, which is refused with the same codes.
func (c *Center) verifyPassword(ctx context.Context, a attempt, then func(Password) error) error {
	const action = "CredentialVerification"
	if impossible(a.name) { // before anything is looked for or hashed
		return c.Refuse(
			ctx,
			a.by,
			action,
			a.name,
			&refusal.Error{Code: SignInFailed, Detail: "no user can have this name"},
		)
	}
	applicant, err := c.applicant(ctx, a)
	if err != nil {
		return err
	}
	full := applicant.Standing == authn.Administrator && c.Places.Full(applicant)
	leave, err := c.Places.Take(ctx, applicant)
	if err != nil {
		return c.Refuse(ctx, a.by, action, a.name, busy(err))
	}
	defer leave()
	counted, err := c.countAttempt(ctx, a)
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
		err = &refusal.Error{Code: SignInFailed, Detail: "no such user, no password, disabled, or signing in elsewhere"}
	case !right:
		err = &refusal.Error{Code: SignInFailed, Detail: "wrong password"}
	default:
		err = then(stored)
		if err != nil && refusal.CodeOf(err) != FactorRefused { // the password was no mistake
			err = errors.Join(err, c.forgiveAttempt(ctx, a, stored))
		}
		return err
	}
	err = c.Refuse(ctx, a.by, action, a.name, err)
	if full { // a stranger would have been turned away: nobody is to learn that the name is an administrator's
		c.Places.Pause(ctx)
		err = busy(err)
	}
	return err
}

// busy says that there was no place, for whatever reason.
func busy(reason error) error { return errors.Join(&refusal.Error{Code: SignInBusy}, reason) }

// place waits for a turn to hash a password that somebody chooses who is known already.
func (c *Center) place(ctx context.Context, name string) (leave func(), err error) {
	if leave, err = c.Places.Take(ctx, authn.Applicant{Standing: authn.Known, Name: name}); err != nil {
		err = busy(err)
	}
	return leave, err
}

// applicant finds out how whoever sends a password stands.
func (c *Center) applicant(ctx context.Context, a attempt) (who authn.Applicant, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		who = authn.Applicant{
			Standing: authn.Stranger,
			Address:  audit.Neighborhood(a.by.Address),
			Name:     names.Fold(a.name),
		}
		principal, err := a.find(r)
		if errors.Is(err, refusal.ErrNoRow) {
			return nil
		}
		if err != nil {
			return err
		}
		who.Standing, who.Name = a.standing, principal
		browser, err := c.knownBrowser(r, a.known, principal)
		if browser != nil {
			who.Standing = authn.Known
		}
		return err
	})
	return who, err
}

// unknownPrincipal is whom attempts for names are counted for that have no password: the same
// writes, in a few rows that say nothing.
func unknownPrincipal(name string) string { return "nobody/" + authn.Digest(names.Fold(name))[:2] }

// countedAttempt is an attempt that counts as a mistake, unless it came too early: then until says
// when the wait ends. A password without a hash is nobody's.
type countedAttempt struct {
	password Password
	until    time.Time
}

// countAttempt counts an attempt.
func (c *Center) countAttempt(ctx context.Context, a attempt) (counted countedAttempt, err error) {
	err = c.Store.Update(ctx, func(tx Tx) error {
		counted.until = time.Time{}
		principal, err := a.find(tx)
		p := &counted.password
		var browser *Ticket
		if err == nil {
			if browser, err = c.knownBrowser(tx, a.known, principal); err != nil {
				return err
			}
			*p, err = tx.Password(principal)
		}
		if errors.Is(err, refusal.ErrNoRow) {
			browser = nil
			*p, err = tx.Password(unknownPrincipal(a.name))
			p.Principal, p.Hash = unknownPrincipal(a.name), ""
			if errors.Is(err, refusal.ErrNoRow) {
				err = nil
			}
		}
		if err != nil {
			return err
		}
		lockout := &p.Lockout
		if browser != nil {
			lockout = &browser.Lockout
		}
		if lockout.Locked(c.now()) {
			counted.until = lockout.Until
		} else {
			*lockout = lockout.Failed(c.now())
		}
		if browser != nil {
			return tx.PutTicket(*browser)
		}
		return tx.PutPassword(*p)
	})
	return counted, err
}

// forgiveAttempt forgives an attempt whose password was right, but which led nowhere, also where
// nobody waits for the answer any more.
func (c *Center) forgiveAttempt(ctx context.Context, a attempt, stored Password) error {
	ctx, cancel := audit.Outlast(ctx, recordFor, recordWait)
	defer cancel()
	return c.Store.Update(ctx, func(tx Tx) error {
		err := c.forgiveMistakes(tx, stored, a.known)
		if refusal.CodeOf(err) == SignInFailed { // the password was changed meanwhile
			return nil
		}
		return err
	})
}

// forgiveMistakes forgets wrong passwords after a right one. It fails with SignInFailed where the
// password is another by now.
func (c *Center) forgiveMistakes(tx Tx, stored Password, secret string) error {
	fresh, err := tx.Password(stored.Principal)
	if err == nil && fresh.Hash != stored.Hash { // changed meanwhile
		err = refusal.ErrNoRow
	}
	if err != nil {
		return refusal.IfNoRow(err, SignInFailed, "")
	}
	browser, err := c.knownBrowser(tx, secret, stored.Principal)
	if err != nil {
		return err
	}
	if browser != nil {
		browser.Lockout = authn.Lockout{}
		return tx.PutTicket(*browser)
	}
	fresh.Lockout = authn.Lockout{}
	return tx.PutPassword(fresh)
}

// rememberBrowser keeps the browser that somebody has signed in with, who is known by it from now
// on: by the secret fresh, if it was not known before. It returns the secret that the browser must
// keep; empty: it has one.
func (c *Center) rememberBrowser(tx Tx, principal, secret, fresh string, edit func(*Ticket)) (authn.Secret, error) {
	browser, err := c.knownBrowser(tx, secret, principal)
	if err != nil {
		return "", err
	}
	var out authn.Secret
	if browser == nil {
		if err := forgetBrowsers(tx, principal); err != nil {
			return "", err
		}
		browser = &Ticket{Digest: authn.Digest(fresh), Purpose: KnownBrowser, Principal: principal}
		out = authn.Secret(fresh)
	}
	browser.ExpiresAt = c.now().Add(knownLifetime)
	edit(browser)
	return out, tx.PutTicket(*browser)
}
