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
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

// SessionLifetime is how long a browser stays signed in. Source: Entra's non-persistent session, 24 hours.
const SessionLifetime = 24 * time.Hour

var signInActions = map[string]bool{"UserLoggedIn": true, "AdministratorLoggedIn": true, "Sign out": true}

func administratorPrincipal(name string) string { return "administrator/" + fold(name) }

// SetAdministrator adds an administrator of the admin center, or gives one a new password.
func (t *Tenant) SetAdministrator(ctx context.Context, by audit.Actor, name, password string) error {
	hash := authn.HashPassword(password)
	return t.change(ctx, by, "Set administrator", func(tx Tx, _ *Touched) (string, error) {
		if name == "" || len(password) < 8 {
			return name, &Error{Code: InvalidValue, Subject: "password", Detail: "want a name and a password of 8 characters or more"}
		}
		return name, errors.Join(
			tx.PutAdministrator(Administrator{Name: name, CreatedAt: t.now()}),
			tx.PutPassword(Password{Principal: administratorPrincipal(name), Hash: hash}))
	})
}

// SignInUser opens a session for a person. It fails with SignInFailed or SignInLocked and never says which part was wrong.
func (t *Tenant) SignInUser(ctx context.Context, by audit.Actor, name, password string) (authn.Secret, error) {
	return t.signIn(ctx, by, "UserLoggedIn", name, password, func(r Reader) (Session, string, error) {
		u, err := r.UserByPrincipalName(name)
		if err == nil && !u.Enabled {
			err = ErrNoRow
		}
		return Session{UserID: u.ID}, u.ID, err
	})
}

// SignInAdministrator opens a session of the admin center. It fails as SignInUser does.
func (t *Tenant) SignInAdministrator(ctx context.Context, by audit.Actor, name, password string) (authn.Secret, error) {
	return t.signIn(ctx, by, "AdministratorLoggedIn", name, password, func(r Reader) (Session, string, error) {
		a, err := r.Administrator(name)
		return Session{Administrator: a.Name}, administratorPrincipal(name), err
	})
}

// signIn checks a password outside any transaction, since hashing takes long, and records the outcome in one.
func (t *Tenant) signIn(ctx context.Context, by audit.Actor, action, name, password string, find func(Reader) (Session, string, error)) (authn.Secret, error) {
	by.Name = name
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
		return "", err
	}
	switch authn.Judge(stored.Hash, stored.Lockout, password, t.now()) {
	case authn.Unknown:
		return "", t.Refuse(ctx, by, action, name, &Error{Code: SignInFailed, Detail: "no such user, no password, or disabled"})
	case authn.Busy:
		return "", t.Refuse(ctx, by, action, name, &Error{Code: SignInLocked, Detail: "too many passwords are being checked at the moment"})
	case authn.Locked:
		return "", t.Refuse(ctx, by, action, name, &Error{Code: SignInLocked, Detail: "until " + stored.Lockout.Until.Format(time.RFC3339)})
	case authn.Wrong:
		err := t.Store.Update(ctx, func(tx Tx) error {
			p, err := tx.Password(stored.Principal)
			if err != nil {
				return err
			}
			p.Lockout = p.Lockout.Failed(t.now())
			return tx.PutPassword(p)
		})
		if err != nil {
			return "", err
		}
		return "", t.Refuse(ctx, by, action, name, &Error{Code: SignInFailed, Detail: "wrong password"})
	case authn.Right:
	}
	by.Kind = audit.User
	secret := authn.NewSecret(32)
	err = t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		s, principal, err := find(tx)
		if err != nil {
			return name, orRefuse(err, SignInFailed, "")
		}
		s.Digest, s.CreatedAt, s.ExpiresAt = authn.Digest(secret), t.now(), t.now().Add(SessionLifetime)
		return name, errors.Join(tx.PutPassword(Password{Principal: principal, Hash: stored.Hash}), tx.PutSession(s))
	})
	return authn.Secret(secret), err
}

// SessionUser returns the person behind a session and when it began, or SessionInvalid.
func (t *Tenant) SessionUser(ctx context.Context, secret string) (u User, since time.Time, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		s, err := t.session(r, secret)
		if err != nil {
			return err
		}
		u, err = r.User(s.UserID)
		since = s.CreatedAt
		if err == nil && !u.Enabled {
			return &Error{Code: SessionInvalid, Detail: "the user is disabled"}
		}
		return orRefuse(err, SessionInvalid, "")
	})
	return u, since, err
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
	return t.change(ctx, by, "Sign out", func(tx Tx, _ *Touched) (string, error) {
		return by.Name, tx.DeleteSession(authn.Digest(secret))
	})
}
