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
	Principal string
	Hash      string
	Lockout   authn.Lockout
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

// SignInUser opens a session for a person, or asks for a second factor where they have one: the secret is empty then. It fails with SignInFailed or SignInLocked
// and never says which part was wrong.
func (t *Tenant) SignInUser(ctx context.Context, by audit.Actor, name, password string, persistent bool) (authn.Secret, Challenge, error) {
	return t.signIn(ctx, by, ActionUserLoggedIn, name, password, persistent, func(r Reader) (Session, string, error) {
		u, err := r.UserByPrincipalName(name)
		if err == nil && !u.Enabled {
			err = ErrNoRow
		}
		return Session{UserID: u.ID, Methods: []string{MethodPassword}}, u.ID, err
	})
}

// SignInAdministrator opens a session of the admin center. It fails as SignInUser does.
func (t *Tenant) SignInAdministrator(ctx context.Context, by audit.Actor, name, password string) (authn.Secret, error) {
	secret, _, err := t.signIn(ctx, by, ActionAdministratorLoggedIn, name, password, false, func(r Reader) (Session, string, error) {
		a, err := r.Administrator(name)
		return Session{Administrator: a.Name}, administratorPrincipal(name), err
	})
	return secret, err
}

// signIn checks a password outside any transaction, since hashing takes long, and records the outcome in one.
func (t *Tenant) signIn(ctx context.Context, by audit.Actor, action Action, name, password string, persistent bool, find func(Reader) (Session, string, error)) (authn.Secret, Challenge, error) {
	by.Name = name
	began := t.now()
	var stored Password
	err := t.Store.View(ctx, func(r Reader) error {
		_, principal, err := find(r)
		if err != nil {
			return err
		}
		stored, err = r.Password(principal)
		return err
	})
	if err != nil && !errors.Is(err, ErrNoRow) {
		return "", Challenge{}, err
	}
	switch authn.Judge(stored.Hash, stored.Lockout, password, t.now()) {
	case authn.Unknown:
		return "", Challenge{}, t.Refuse(ctx, by, action.name, name, &Error{Code: SignInFailed, Detail: "no such user, no password, or disabled"})
	case authn.Busy:
		return "", Challenge{}, t.Refuse(ctx, by, action.name, name, &Error{Code: SignInLocked, Detail: "too many passwords are being checked at the moment"})
	case authn.Locked:
		return "", Challenge{}, t.Refuse(ctx, by, action.name, name, &Error{Code: SignInLocked, Detail: "until " + stored.Lockout.Until.Format(time.RFC3339)})
	case authn.Wrong:
		if err := t.countFailure(ctx, stored.Principal); err != nil {
			return "", Challenge{}, err
		}
		return "", Challenge{}, t.Refuse(ctx, by, action.name, name, &Error{Code: SignInFailed, Detail: "wrong password"})
	case authn.Right:
	}
	if c, err := t.second(ctx, stored.Principal, began, persistent); err != nil || c.Ticket != "" {
		return "", c, err
	}
	by.Kind = audit.User
	secret := authn.NewSecret(32)
	err = t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		s, principal, err := find(tx)
		if err != nil {
			return name, orRefuse(err, SignInFailed, "")
		}
		p, err := tx.Password(principal)
		if err == nil && p.Hash != stored.Hash { // it was reset while the old one was being checked
			err = ErrNoRow
		}
		if err != nil {
			return name, orRefuse(err, SignInFailed, "")
		}
		p.Lockout = authn.Lockout{}
		return name, errors.Join(tx.PutPassword(p), tx.PutSession(t.newSession(secret, s, persistent)))
	})
	return authn.Secret(secret), Challenge{}, err
}

// countFailure counts a wrong password or second factor towards the lock-out.
func (t *Tenant) countFailure(ctx context.Context, principal string) error {
	return t.Store.Update(ctx, func(tx Tx) error {
		p, err := tx.Password(principal)
		if err != nil {
			return err
		}
		p.Lockout = p.Lockout.Failed(t.now())
		return tx.PutPassword(p)
	})
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
