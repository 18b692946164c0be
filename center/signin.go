package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// Administrator is a person who may use the console. Administrators live outside the identity store, so that no change of the
// identity source can lock them out.
type Administrator struct {
	Name      string
	CreatedAt time.Time
}

// Password is the password of a user (by user id) or an administrator (by principal name), with the memory of wrong attempts.
type Password struct {
	Principal string
	Hash      string // PHC string, argon2id
	Lockout   authn.Lockout
}

// SessionKind tells portal sessions from console sessions.
type SessionKind string

// The kinds of session.
const (
	PortalSession  SessionKind = "portal"
	ConsoleSession SessionKind = "console"
)

// Session is a browser that has signed in. Only the digest of its secret is kept.
type Session struct {
	Digest        string
	Kind          SessionKind
	UserID        UserID // of a portal session
	Administrator string // of a console session
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

// AuthnRequest is a sign-in that has been sent to the identity provider and not come back yet.
type AuthnRequest struct {
	ID            string
	BrowserDigest string // the digest of the secret in the browser that asked
	ReturnTo      string // path on this center to go to afterwards
	ExpiresAt     time.Time
}

// UsedAssertion remembers an assertion until it would be refused for its age anyway.
type UsedAssertion struct {
	ID        string
	ExpiresAt time.Time
}

// Lifetimes. Source for the session: user guide, "authentication sessions".
const (
	PortalSessionLifetime  = 8 * time.Hour
	ConsoleSessionLifetime = 8 * time.Hour
	AuthnRequestLifetime   = 10 * time.Minute
)

// signInActions are what people who are not administrators do for themselves.
var signInActions = map[string]bool{
	"StartExternalIdPLogin": true, "ExternalIdPDirectoryLogin": true, "UserAuthentication": true, "ConsoleLogin": true, "SignOut": true, "Federate": true,
}

func administratorPrincipal(name string) string { return "administrator/" + Fold(name) }

// SetAdministrator adds an administrator of the console, or gives one a new password.
func (c *Center) SetAdministrator(ctx context.Context, by audit.Actor, name, password string) error {
	hash := authn.HashPassword(password)
	return c.change(ctx, by, "SetAdministrator", func(tx Tx) (string, error) {
		if name == "" || len(password) < 8 {
			return name, &Error{Code: InvalidValue, Field: "password", Detail: "want a name and a password of 8 characters or more"}
		}
		return name, errors.Join(
			tx.PutAdministrator(Administrator{Name: name, CreatedAt: c.now()}),
			tx.PutPassword(Password{Principal: administratorPrincipal(name), Hash: hash}))
	})
}

// SetPassword gives a user of the built-in directory a password.
func (c *Center) SetPassword(ctx context.Context, by audit.Actor, id UserID, password string) error {
	hash := authn.HashPassword(password)
	return c.change(ctx, by, "UpdatePassword", func(tx Tx) (string, error) {
		if _, err := tx.User(id); err != nil {
			return string(id), orRefuse(err, UserNotFound, string(id))
		}
		if len(password) < 8 || len(password) > 64 {
			return string(id), &Error{Code: InvalidValue, Field: "password", Detail: "want 8 to 64 characters"}
		}
		return string(id), tx.PutPassword(Password{Principal: string(id), Hash: hash})
	})
}

// SignInAdministrator opens a console session. It fails with SignInFailed or SignInLocked and never says which part was wrong.
func (c *Center) SignInAdministrator(ctx context.Context, by audit.Actor, name, password string) (authn.Secret, error) {
	find := func(r Reader) (Session, string, error) {
		a, err := r.Administrator(name)
		return Session{Kind: ConsoleSession, Administrator: a.Name, ExpiresAt: c.now().Add(ConsoleSessionLifetime)}, administratorPrincipal(name), err
	}
	return c.signInWithPassword(ctx, by, "ConsoleLogin", name, password, find)
}

// SignInUser opens a portal session for a user of the built-in directory. It fails as SignInAdministrator does, also for users who
// are disabled and while the identity source is an external one.
func (c *Center) SignInUser(ctx context.Context, by audit.Actor, name, password string) (authn.Secret, error) {
	find := func(r Reader) (Session, string, error) {
		s, err := source(r)
		if err != nil {
			return Session{}, "", err
		}
		u, err := r.UserByName(name)
		if err == nil && (s.Type != Directory || !u.Active) {
			err = ErrNoRow
		}
		return Session{Kind: PortalSession, UserID: u.ID, ExpiresAt: c.now().Add(PortalSessionLifetime)}, string(u.ID), err
	}
	return c.signInWithPassword(ctx, by, "UserAuthentication", name, password, find)
}

// signInWithPassword checks a password outside any transaction, since hashing takes long, and records the outcome in one. find
// returns the session to open and the principal that the password belongs to, or ErrNoRow.
func (c *Center) signInWithPassword(ctx context.Context, by audit.Actor, action, name, password string,
	find func(Reader) (Session, string, error)) (authn.Secret, error) {
	by.Name = name
	var stored Password
	err := c.Store.View(ctx, func(r Reader) error {
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
	switch authn.Judge(stored.Hash, stored.Lockout, password, c.now()) {
	case authn.Unknown:
		return "", c.Refuse(ctx, by, action, name, &Error{Code: SignInFailed, Detail: "no such user, no password, disabled, or signing in elsewhere"})
	case authn.Locked:
		return "", c.Refuse(ctx, by, action, name, &Error{Code: SignInLocked, Detail: "until " + stored.Lockout.Until.Format(time.RFC3339)})
	case authn.Wrong:
		err := c.Store.Update(ctx, func(tx Tx) error {
			p, err := tx.Password(stored.Principal)
			if err != nil {
				return err
			}
			p.Lockout = p.Lockout.Failed(c.now())
			return tx.PutPassword(p)
		})
		if err != nil {
			return "", err
		}
		return "", c.Refuse(ctx, by, action, name, &Error{Code: SignInFailed, Detail: "wrong password"})
	case authn.Right:
	}
	by.Kind = audit.User
	secret := authn.NewSecret(32)
	err = c.change(ctx, by, action, func(tx Tx) (string, error) {
		session, principal, err := find(tx)
		if err != nil {
			return name, orRefuse(err, SignInFailed, "")
		}
		session.Digest, session.CreatedAt = authn.Digest(secret), c.now()
		return name, errors.Join(tx.PutPassword(Password{Principal: principal, Hash: stored.Hash}), tx.PutSession(session))
	})
	return authn.Secret(secret), err
}

// StartAuthnRequest remembers a sign-in that is about to go to the identity provider. browser is a secret that only this browser has.
func (c *Center) StartAuthnRequest(ctx context.Context, browser, returnTo string) (AuthnRequest, IdPConfiguration, error) {
	request := AuthnRequest{ID: "_" + c.NewID(), BrowserDigest: authn.Digest(browser), ReturnTo: returnTo, ExpiresAt: c.now().Add(AuthnRequestLifetime)}
	var idp IdPConfiguration
	err := c.Store.Update(ctx, func(tx Tx) error {
		s, err := source(tx)
		if err != nil {
			return err
		}
		if s.Type != ExternalIdP || s.IdP == nil {
			return &Error{Code: SourceNotConfigured}
		}
		idp = *s.IdP
		return tx.PutAuthnRequest(request)
	})
	return request, idp, err
}

// VerifiedAssertion is what a door has verified of a SAML response: signature, issuer, audience, recipient and times.
type VerifiedAssertion struct {
	ID                  string
	NameID              string
	InResponseTo        string    // empty: the identity provider started the sign-in
	UsableUntil         time.Time // NotOnOrAfter with the allowed skew
	SessionNotOnOrAfter time.Time // zero: the identity provider sets no limit
}

// SignInWithAssertion opens a portal session for the user that a verified assertion names, in one transaction with the checks that
// need memory: the request was made by this browser and not answered yet, and the assertion was not used before.
// It returns the session's secret and the path to go to. It fails with RequestUnknown, AssertionReplayed, UserNotFound or UserDisabled.
func (c *Center) SignInWithAssertion(ctx context.Context, by audit.Actor, a VerifiedAssertion, browser string) (authn.Secret, string, error) {
	secret, returnTo := authn.NewSecret(32), ""
	by.Kind, by.Name = audit.User, a.NameID // the identity provider has said who it is
	err := c.change(ctx, by, "ExternalIdPDirectoryLogin", func(tx Tx) (string, error) {
		returnTo = ""
		if _, err := tx.UsedAssertion(a.ID); err == nil { // first: a replay also answers a request that is gone
			return a.NameID, &Error{Code: AssertionReplayed, Subject: a.ID}
		} else if !errors.Is(err, ErrNoRow) {
			return a.NameID, err
		}
		if a.InResponseTo != "" {
			request, err := tx.AuthnRequest(a.InResponseTo)
			switch {
			case err != nil:
				return a.NameID, orRefuse(err, RequestUnknown, a.InResponseTo)
			case !c.now().Before(request.ExpiresAt):
				return a.NameID, &Error{Code: RequestUnknown, Subject: a.InResponseTo, Detail: "the request is too old"}
			case !authn.Equal(request.BrowserDigest, authn.Digest(browser)):
				return a.NameID, &Error{Code: RequestUnknown, Subject: a.InResponseTo, Detail: "the request was made by another browser"}
			}
			returnTo = request.ReturnTo
			if err := tx.DeleteAuthnRequest(request.ID); err != nil {
				return a.NameID, err
			}
		}
		u, err := tx.UserByName(a.NameID)
		if err != nil {
			return a.NameID, orRefuse(err, UserNotFound, a.NameID)
		}
		if !u.Active {
			return a.NameID, &Error{Code: UserDisabled, Subject: a.NameID}
		}
		expires := c.now().Add(PortalSessionLifetime)
		if !a.SessionNotOnOrAfter.IsZero() && a.SessionNotOnOrAfter.Before(expires) {
			expires = a.SessionNotOnOrAfter
		}
		session := Session{Digest: authn.Digest(secret), Kind: PortalSession, UserID: u.ID, CreatedAt: c.now(), ExpiresAt: expires}
		return a.NameID, errors.Join(tx.PutUsedAssertion(UsedAssertion{a.ID, a.UsableUntil}), tx.PutSession(session))
	})
	return authn.Secret(secret), returnTo, err
}

// PortalUser returns the user behind a portal session, or SessionInvalid.
func (c *Center) PortalUser(ctx context.Context, secret string) (u User, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		s, err := session(r, secret, PortalSession, c.now())
		if err != nil {
			return err
		}
		u, err = r.User(s.UserID)
		if err == nil && !u.Active {
			return &Error{Code: SessionInvalid, Detail: "the user is disabled"}
		}
		return orRefuse(err, SessionInvalid, string(s.UserID))
	})
	return u, err
}

// ConsoleAdministrator returns the name behind a console session, or SessionInvalid.
func (c *Center) ConsoleAdministrator(ctx context.Context, secret string) (name string, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		s, err := session(r, secret, ConsoleSession, c.now())
		name = s.Administrator
		return err
	})
	return name, err
}

func session(r Reader, secret string, kind SessionKind, now time.Time) (Session, error) {
	if secret == "" {
		return Session{}, &Error{Code: SessionInvalid}
	}
	s, err := r.Session(authn.Digest(secret))
	if err == nil && (s.Kind != kind || !now.Before(s.ExpiresAt)) {
		err = ErrNoRow
	}
	return s, orRefuse(err, SessionInvalid, "")
}

// SignOut ends a session.
func (c *Center) SignOut(ctx context.Context, by audit.Actor, secret string) error {
	return c.change(ctx, by, "SignOut", func(tx Tx) (string, error) {
		return by.Name, tx.DeleteSession(authn.Digest(secret))
	})
}
