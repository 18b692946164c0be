package center

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// SessionKind tells portal sessions from console sessions.
type SessionKind string

// The kinds of session.
const (
	PortalSession  SessionKind = "portal"
	ConsoleSession SessionKind = "console"
	ClientSession  SessionKind = "client" // of a program that a user has allowed to act, such as the aws CLI
	// of an application, or of a program that was registered for one: its scopes say what it may do
	ApplicationSession SessionKind = "application"
)

// Session is a browser that has signed in. Only the digest of its secret is kept; it is the
// session's id where sessions are listed and ended.
type Session struct {
	Digest        string
	Kind          SessionKind
	UserID        UserID            // of a portal session; of a console session, the administrator's principal
	Administrator string            // of a console session
	Address       string            // where it was opened from
	UserAgent     string            // as the browser, or the program, named itself
	Attributes    map[string]string `json:",omitempty"` // attributes for access control that the identity provider sent
	CreatedAt     time.Time
	ExpiresAt     time.Time

	// Of a client's session.
	// digest of the portal session in which it was allowed, with which it ends
	Within      string    `json:",omitempty"`
	ClientID    string    `json:",omitempty"` // digest of the registration that the session belongs to
	Generation  int       `json:",omitempty"` // how often its refresh token was rotated
	RefreshedAt time.Time // when that was last

	// Of a session of AWS Sign-In, which gets credentials of one role.
	Account       string `json:",omitempty"`
	PermissionSet string `json:",omitempty"` // its name
	Key           string `json:",omitempty"` // thumbprint of the key that the program holds

	// Of an application's session.
	Application string   `json:",omitempty"` // its ARN
	Scopes      []string `json:",omitempty"` // that were granted
	IssuedBy    string   `json:",omitempty"` // ARN of the trusted token issuer that named the user
}

// over says whether a session has ended. One that begins later was opened by a clock that was
// ahead: it would go on for as long as that was.
func (s Session) over(now time.Time) bool {
	return !now.Before(s.ExpiresAt) || authn.Ahead(s.CreatedAt, now)
}

// sessionReader reads sessions.
type sessionReader interface {
	Session(digest string) (Session, error)
	SessionsOf(UserID) ([]Session, error)
	CountSessions(now time.Time) (SessionCount, error) // those that have not expired
}

// SessionCount is how many sessions there are.
type SessionCount struct{ People, Administrators int }

// sessionWriter writes sessions.
type sessionWriter interface {
	PutSession(Session) error
	DeleteSession(digest string) error
	DeleteSessionsOf(UserID) error
}

// Browser is what is known of the browser that someone signs in with. The secrets are in cookies;
// an empty one is none.
type Browser struct {
	Outstanding string // the sign-ins that it has sent to the identity provider, as Outgoing gave them
	Known       string // of a browser that somebody has signed in with before
	UserAgent   string
	Console     bool // it signs in at the console, where administrators do
}

// maxUserAgent bounds what is kept of a browser's name, in bytes.
const maxUserAgent = 200 //bound:text the name of a browser that is kept, in bytes

// newSession makes a portal session of the configured length.
func (c *Center) newSession(r Reader, u User, secret string, by audit.Actor, from Browser) (Session, error) {
	settings, e1 := signInSettings(r)
	now, e2 := c.clock(r) // what asks for a new sign-in goes by it, at whatever node
	agent := from.UserAgent[:min(len(from.UserAgent), maxUserAgent)]
	return Session{
		Digest:    authn.Digest(secret),
		Kind:      PortalSession,
		UserID:    u.ID,
		Address:   by.Address,
		UserAgent: agent,
		CreatedAt: now,
		ExpiresAt: now.Add(settings.PortalSession),
	}, errors.Join(e1, e2)
}

// maxSessions bounds the portal sessions of a user: a script that signs in again and again would
// leave them behind without end.
const maxSessions = 100 //bound:rows portal sessions of a user

// maxOfApplication bounds the sessions of a user at one application, which can open one with each
// token that it asks for, and maxOfApplications those at all.
const (
	maxOfApplication  = 20  //bound:rows sessions of a user at one application
	maxOfApplications = 200 //bound:rows sessions of a user at all applications
)

// addSession adds a session. Where there are too many, those that end first make room: of
// applications, none of another kind.
func addSession(tx Tx, s Session) error {
	all, err := tx.SessionsOf(s.UserID)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b Session) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	if s.Kind != ApplicationSession {
		err = makeRoom(tx, all, maxSessions, func(o Session) bool { return o.Kind != ApplicationSession })
		return errors.Join(err, tx.PutSession(s))
	}
	return errors.Join(
		makeRoom(tx, all, maxOfApplication, func(o Session) bool { return o.Application == s.Application }),
		makeRoom(tx, all, maxOfApplications, func(o Session) bool { return o.Kind == ApplicationSession }),
		tx.PutSession(s),
	)
}

// makeRoom ends the first sessions of a kind until one more may be added. all are the sessions of a
// user.
func makeRoom(tx Tx, all []Session, most int, is func(Session) bool) (err error) {
	of := slices.DeleteFunc(slices.Clone(all), func(s Session) bool { return !is(s) })
	for _, old := range of[:max(0, len(of)-most+1)] {
		err = errors.Join(err, endSession(tx, old, all))
	}
	return err
}

// PortalUser returns the user behind a portal session, or SessionInvalid.
func (c *Center) PortalUser(ctx context.Context, secret string) (u User, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		s, err := session(r, secret, PortalSession, c.now())
		if err != nil {
			return err
		}
		u, err = s.user(r)
		return err
	})
	return u, err
}

// user returns the user of a session, or SessionInvalid when there is none any more or it is
// disabled.
func (s Session) user(r Reader) (User, error) {
	u, err := r.User(s.UserID)
	if err == nil && !u.Active {
		return u, &refusal.Error{Code: SessionInvalid, Detail: "the user is disabled"}
	}
	return u, refusal.IfNoRow(err, SessionInvalid, string(s.UserID))
}

// ConsoleAdministrator returns the name behind a console session, or SessionInvalid.
func (c *Center) ConsoleAdministrator(ctx context.Context, secret string) (name string, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		s, err := session(r, secret, ConsoleSession, c.now())
		if err == nil {
			_, err = r.Administrator(s.Administrator)
			err = refusal.IfNoRow(err, SessionInvalid, s.Administrator)
		}
		name = s.Administrator
		return err
	})
	return name, err
}

func session(r sessionReader, secret string, kind SessionKind, now time.Time) (Session, error) {
	if secret == "" {
		return Session{}, &refusal.Error{Code: SessionInvalid}
	}
	return openSession(r, authn.Digest(secret), now, kind)
}

// openSession returns a session of one of some kinds by its digest, or SessionInvalid when it has
// ended.
func openSession(r sessionReader, digest string, now time.Time, kinds ...SessionKind) (Session, error) {
	s, err := r.Session(digest)
	if err == nil && (!slices.Contains(kinds, s.Kind) || s.over(now)) {
		err = refusal.ErrNoRow
	}
	return s, refusal.IfNoRow(err, SessionInvalid, "")
}

// Sessions lists the portal sessions of a user, the newest first.
func (c *Center) Sessions(ctx context.Context, user UserID) (sessions []Session, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		sessions, err = r.SessionsOf(user)
		return err
	})
	now := c.now()
	sessions = slices.DeleteFunc(sessions, func(s Session) bool { return s.over(now) })
	slices.SortFunc(sessions, func(a, b Session) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return sessions, err
}
