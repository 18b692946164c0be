package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// Administrator is a person who may use the admin center.
type Administrator struct {
	Name      string
	CreatedAt time.Time
}

// Password is the password of a user (by user id) or an administrator (by principal name), with the memory of wrong attempts.
type Password struct {
	Principal   string
	Hash        string
	Lockout     authn.Lockout
	CodeLockout authn.Lockout  // the memory of wrong codes, which only who knows the password can send
	Known       []KnownBrowser `json:",omitempty"` // the one that was used last comes last
}

// Session is a browser that has signed in. Only the digest of its secret is kept.
type Session struct {
	Digest        string
	UserID        string // of a person
	Administrator string // of the admin center
	Methods       []string
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

// How long a browser stays signed in: usually, and where the person wishes to stay so. Source: Entra's non-persistent and persistent sessions.
const (
	SessionLifetime    = 24 * time.Hour      //bound:life a session at the tenant
	PersistentLifetime = 90 * 24 * time.Hour //bound:life a session at the tenant of a person who stays signed in
)

func administratorPrincipal(name string) string { return "administrator/" + fold(name) }

// SetAdministrator adds an administrator of the admin center, or gives one a new password.
func (t *Tenant) SetAdministrator(ctx context.Context, by audit.Actor, name, password string) error {
	hash := authn.HashPassword(password)
	return t.change(ctx, by, ActionSetAdministrator, func(tx Tx, _ *Touched) (string, error) {
		if name == "" || len(password) < 8 {
			return name, &Error{Code: InvalidValue, Subject: "password", Detail: "want a name and a password of 8 characters or more"}
		}
		return name, errors.Join(
			tx.PutAdministrator(Administrator{Name: name, CreatedAt: t.now()}),
			tx.PutPassword(Password{Principal: administratorPrincipal(name), Hash: hash}))
	})
}

// Entry is what a sign-in has come to: a session, or where a second factor is needed what is asked for.
type Entry struct {
	Session    authn.Secret // empty: the challenge comes first
	Known      authn.Secret // by which the browser is known from now on; empty: it has one
	Persistent bool
	Challenge  Challenge
}

// SignInUser opens a session for a person, or asks for a second factor where they have one. known is the secret of a browser that
// somebody has signed in with. It fails with SignInBusy, SignInFailed or SignInLocked and never says which part was wrong.
func (t *Tenant) SignInUser(ctx context.Context, by audit.Actor, name, password, known string, persistent bool) (Entry, error) {
	by.Name = name
	return t.signIn(ctx, attempt{by: by, action: ActionUserLoggedIn, name: name, password: password, known: known,
		find: func(r Reader) (Session, string, error) {
			u, err := r.UserByPrincipalName(name)
			if err == nil && !u.Enabled {
				err = ErrNoRow
			}
			return Session{UserID: u.ID, Methods: []string{MethodPassword}}, u.ID, err
		}}, persistent)
}

// SignInAdministrator opens a session of the admin center. It fails as SignInUser does.
func (t *Tenant) SignInAdministrator(ctx context.Context, by audit.Actor, name, password, known string) (Entry, error) {
	by.Name = name
	return t.signIn(ctx, attempt{by: by, action: ActionAdministratorLoggedIn, name: name, password: password, known: known,
		standing: authn.Administrator, find: func(r Reader) (Session, string, error) {
			a, err := r.Administrator(name)
			return Session{Administrator: a.Name}, administratorPrincipal(name), err
		}}, false)
}

// signIn checks a password outside any transaction, since hashing takes long, and records the outcome in one.
func (t *Tenant) signIn(ctx context.Context, a attempt, persistent bool) (e Entry, err error) {
	began := t.now()
	err = t.verifyPassword(ctx, a, func(stored Password) (err error) {
		if e.Challenge, err = t.second(ctx, stored.Principal, began, persistent); err != nil {
			return err
		}
		if e.Challenge.Ticket != "" { // wrong codes are counted apart
			return t.takeBack(ctx, a, stored)
		}
		e, err = t.enter(ctx, a, stored, persistent)
		return err
	})
	if err != nil {
		e = Entry{}
	}
	return e, err
}

// enter opens the session of somebody whose password was right.
func (t *Tenant) enter(ctx context.Context, a attempt, stored Password, persistent bool) (e Entry, err error) {
	a.by.Kind = audit.User
	secret, fresh := authn.NewSecret(32), authn.NewSecret(32)
	err = t.change(ctx, a.by, a.action, func(tx Tx, _ *Touched) (string, error) {
		s, principal, err := a.find(tx)
		if err == nil && principal != stored.Principal { // renamed meanwhile
			err = ErrNoRow
		}
		if err != nil {
			return a.name, orRefuse(err, SignInFailed, "")
		}
		p, err := t.forgiven(tx, stored, a.known)
		if err != nil {
			return a.name, err
		}
		e = Entry{Session: authn.Secret(secret), Known: p.remember(a.known, fresh, t.now()), Persistent: persistent}
		return a.name, errors.Join(tx.PutPassword(p), tx.PutSession(t.newSession(secret, s, persistent)))
	})
	return e, err
}

// second asks for a second factor who has one. Administrators have none.
func (t *Tenant) second(ctx context.Context, principal string, began time.Time, persistent bool) (c Challenge, err error) {
	f, err := t.Factors(ctx, principal)
	if err != nil || !f.Any() {
		return c, err
	}
	var u User
	err = t.Store.View(ctx, func(r Reader) (err error) {
		u, err = r.User(principal)
		return orRefuse(err, SignInFailed, "")
	})
	if err != nil {
		return c, err
	}
	return t.challenge(ctx, u, f, began, persistent)
}

// newSession completes a session that begins now.
func (t *Tenant) newSession(secret string, s Session, persistent bool) Session {
	lifetime := SessionLifetime
	if persistent {
		lifetime = PersistentLifetime
	}
	s.Digest, s.CreatedAt, s.ExpiresAt = authn.Digest(secret), t.now(), t.now().Add(lifetime)
	return s
}

// SessionUser returns the person behind a session, and the session, or SessionInvalid.
func (t *Tenant) SessionUser(ctx context.Context, secret string) (u User, s Session, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		if s, err = t.session(r, secret); err != nil {
			return err
		}
		u, err = r.User(s.UserID)
		if err == nil && !u.Enabled {
			return &Error{Code: SessionInvalid, Detail: "the user is disabled"}
		}
		return orRefuse(err, SessionInvalid, "")
	})
	return u, s, err
}

// SessionAdministrator returns the name behind a session of the admin center, or SessionInvalid.
func (t *Tenant) SessionAdministrator(ctx context.Context, secret string) (name string, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		s, err := t.session(r, secret)
		if err == nil && s.Administrator == "" {
			return &Error{Code: SessionInvalid}
		}
		name = s.Administrator
		return err
	})
	return name, err
}

func (t *Tenant) session(r Reader, secret string) (Session, error) {
	if secret == "" {
		return Session{}, &Error{Code: SessionInvalid}
	}
	s, err := r.Session(authn.Digest(secret))
	if err == nil && !t.now().Before(s.ExpiresAt) {
		err = ErrNoRow
	}
	return s, orRefuse(err, SessionInvalid, "")
}

// SignOut ends a session.
func (t *Tenant) SignOut(ctx context.Context, by audit.Actor, secret string) error {
	return t.change(ctx, by, ActionSignOut, func(tx Tx, _ *Touched) (string, error) {
		return by.Name, tx.DeleteSession(authn.Digest(secret))
	})
}
