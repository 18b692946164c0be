package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// What ends sessions. A session in the portal ends with the sessions of the programs that were
// allowed in it: their access and refresh tokens are good for nothing from then on, at once and on
// every node. Roles that were opened with a session go on until they expire: AWS knows nothing of
// sessions.

// SignOut ends a session, and returns the names of the programs whose sessions have ended with it.
func (c *Center) SignOut(ctx context.Context, by audit.Actor, secret string) (programs []string, err error) {
	err = c.change(ctx, by, ActionSignOut, func(tx Tx) (string, error) {
		programs = nil
		s, err := tx.Session(authn.Digest(secret))
		if errors.Is(err, refusal.ErrNoRow) {
			return by.Name, nil
		}
		if err != nil {
			return by.Name, err
		}
		all, err := tx.SessionsOf(s.UserID)
		if err != nil {
			return by.Name, err
		}
		for _, other := range all {
			if other.within(s) {
				programs = append(programs, other.UserAgent)
			}
		}
		return by.Name, endSession(tx, s, all)
	})
	return programs, err
}

// EndSession ends one session of a user. It fails with SessionInvalid when the user has no such
// session.
func (c *Center) EndSession(ctx context.Context, by audit.Actor, user UserID, digest string) error {
	return c.change(ctx, by, ActionDeleteSession, func(tx Tx) (string, error) {
		s, err := tx.Session(digest)
		if err == nil && s.UserID != user {
			err = refusal.ErrNoRow
		}
		if err != nil {
			return string(user), refusal.IfNoRow(err, SessionInvalid, string(user))
		}
		all, err := tx.SessionsOf(user)
		return string(user), errors.Join(err, endSession(tx, s, all))
	})
}

// EndSessions ends all sessions of a user but the one whose digest is kept ("": none).
func (c *Center) EndSessions(ctx context.Context, by audit.Actor, user UserID, kept string) error {
	return c.change(ctx, by, ActionDeleteSession, func(tx Tx) (string, error) {
		return string(user), endSessions(tx, user, kept)
	})
}

// within says whether a session is of a program that was allowed in another one.
func (s Session) within(other Session) bool { return s.Within != "" && s.Within == other.Digest }

// endSession ends a session and those within it; all are the sessions of the same user.
func endSession(tx Tx, s Session, all []Session) error {
	err := tx.DeleteSession(s.Digest)
	for _, other := range all {
		if other.within(s) {
			err = errors.Join(err, tx.DeleteSession(other.Digest))
		}
	}
	return err
}

// endSessions ends all sessions of a user but the one whose digest is kept, and what could still
// open one.
func endSessions(tx Tx, user UserID, kept string) error {
	sessions, err := tx.SessionsOf(user)
	return errors.Join(err, endAll(tx, user, sessions, kept))
}

func endAll(tx Tx, user UserID, sessions []Session, kept string) error {
	err := tx.DeleteClientGrantsOf(holderOf(user))
	for _, s := range sessions {
		if s.Digest != kept {
			err = errors.Join(err, tx.DeleteSession(s.Digest))
		}
	}
	return err
}

// Opened is what a user, or an administrator by principal name, has opened with credentials, and
// what may open more. It is read before anything is written: a change that asks after it has
// written goes one after the other on PostgreSQL, where others are prepared side by side.
type Opened struct {
	Sessions []Session
	Tickets  []Ticket
	Roles    []RoleSession
	Requests []AccessRequest // for access, that live
	At       time.Time       // when it was read, by the clock that windows of access go by
}

// openedReader reads what is open.
type openedReader interface {
	// OpenedBy is what SessionsOf, TicketsOf, RoleSessionsOf, AccessRequests and Clock say of one
	// principal, asked together.
	OpenedBy(principal string, now time.Time) (Opened, error)
}

// end ends all sessions but for the one whose digest is kept, sign-ins on their way, links in
// mails, and that a browser needs no second factor.
func (o Opened) end(tx Tx, principal, kept string) error {
	err := endAll(tx, UserID(principal), o.Sessions, kept)
	for _, t := range o.Tickets {
		switch {
		case t.Purpose == SigningIn, t.Purpose == SetsPassword:
			err = errors.Join(err, tx.DeleteTicket(t.Purpose, t.Digest))
		case t.Purpose == KnownBrowser && t.Trusted:
			t.Trusted, t.Address = false, ""
			err = errors.Join(err, tx.PutTicket(t))
		}
	}
	return err
}

// endCredentials ends all that was opened with the credentials that a user, or an administrator by
// principal name, had until now, but for the session whose digest is kept.
func endCredentials(tx Tx, principal, kept string) error {
	sessions, e1 := tx.SessionsOf(UserID(principal))
	tickets, e2 := tx.TicketsOf("", principal)
	return errors.Join(e1, e2, Opened{Sessions: sessions, Tickets: tickets}.end(tx, principal, kept))
}
