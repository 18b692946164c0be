package tenant

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Session is a browser that has signed in. Only the digest of its secret is kept.
type Session struct {
	Digest        string
	Account       AccountID `json:"UserID"`
	Administrator string    // the name of one of the admin center; empty: a person
	Address       string    `json:",omitempty"` // where it was opened from
	UserAgent     string    `json:",omitempty"` // as the browser named itself
	SetsPassword  bool      `json:",omitempty"` // it is good for nothing but replacing a one-time password
	Methods       []string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	// Under is the SessionsValidFrom of the account when it was opened; nil: of an earlier release.
	Under *int64 `json:",omitempty"`
}

// sessionReader reads sessions.
type sessionReader interface {
	Session(digest string) (Session, error)
	SessionsOf(AccountID) ([]Session, error)
	CountSessions(now time.Time) (int, error) // those that have not expired
}

// sessionWriter writes sessions.
type sessionWriter interface {
	PutSession(Session) error
	DeleteSession(digest string) error
	DeleteSessionsOf(AccountID) error
	DeleteSessions(expired time.Time) (rows int, err error)
}

// How long a browser stays signed in: usually, and where the person wishes to stay so. Source:
// Entra's non-persistent and persistent sessions.
const (
	sessionLifetime    = 24 * time.Hour      //bound:life a session at the tenant
	persistentLifetime = 90 * 24 * time.Hour //bound:life a session at the tenant of a person who stays signed in
)

// Entry is what a sign-in has come to: a session, or where a second factor is needed what is asked
// for.
type Entry struct {
	Session       authn.Secret // empty: the challenge comes first
	Lifetime      time.Duration
	Known         authn.Secret // by which the browser is known from now on; empty: it has one
	KnownLifetime time.Duration
	Challenge     Challenge
}

// SignInUser opens a session for a person, or asks for a second factor where they have one. known
// is the secret of a browser that somebody has signed in with. It fails with SignInBusy,
// SignInFailed or SignInLocked and never says which part was wrong.
func (t *Tenant) SignInUser(
	ctx context.Context, by audit.Actor, name, password, known string, persistent bool,
) (Entry, error) {
	by.Name = name
	return t.signIn(ctx, attempt{
		by:       by,
		action:   ActionUserLoggedIn,
		name:     name,
		password: password,
		known:    known,
		find: func(r Reader) (Session, AccountID, error) {
			u, err := r.UserByPrincipalName(name)
			if err == nil && !u.Enabled {
				err = refusal.ErrNoRow
			}
			id := AccountID(u.ID)
			return Session{Account: id, Under: under(u.SessionsValidFrom), Methods: []string{MethodPassword}}, id, err
		},
	}, persistent)
}

// Browser is what is known of the browser that an administrator signs in with.
type Browser struct {
	Known     string // the secret of one that somebody has signed in with before
	UserAgent string // as it names itself
}

// SignInAdministrator opens a session of the admin center, as SignInUser does: it asks for a second
// factor if there is one, and for another password in place of a one-time one.
func (t *Tenant) SignInAdministrator(
	ctx context.Context, by audit.Actor, name, password string, from Browser,
) (Entry, error) {
	by.Name = name
	return t.signIn(
		ctx,
		attempt{
			by:       by,
			action:   ActionAdministratorLoggedIn,
			name:     name,
			password: password,
			known:    from.Known,
			standing: authn.Administrator,
			find: func(r Reader) (Session, AccountID, error) {
				a, err := r.Administrator(name)
				id := administratorID(name)
				return Session{
					Account:       id,
					Under:         under(a.SessionsValidFrom),
					Administrator: a.Name,
					Address:       by.Address,
					UserAgent:     from.UserAgent,
					Methods:       []string{MethodPassword},
				}, id, err
			},
		},
		false,
	)
}

// signIn checks a password outside any transaction, since hashing takes long, and records the
// outcome in one.
func (t *Tenant) signIn(ctx context.Context, a attempt, persistent bool) (e Entry, err error) {
	err = t.verifyPassword(ctx, a, func(stored Password, began signInBegan) (err error) {
		if e.Challenge, err = t.secondFactorChallenge(ctx, stored.Account, began, persistent); err != nil {
			return err
		}
		if e.Challenge.Ticket != "" { // wrong codes are counted apart
			return t.forgiveAttempt(ctx, a, stored)
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
		s, id, err := a.find(tx)
		if err == nil && id != stored.Account { // renamed meanwhile
			err = refusal.ErrNoRow
		}
		if err != nil {
			return a.name, refusal.IfNoRow(err, SignInFailed, "")
		}
		p, err := t.forgivenPassword(tx, stored, a.known)
		if err != nil {
			return a.name, err
		}
		if e, err = t.openSession(tx, secret, s, persistent, p); err != nil {
			return a.name, err
		}
		e.Known, e.KnownLifetime = p.rememberBrowser(a.known, fresh, t.now()), knownLifetime
		return a.name, tx.PutPassword(p)
	})
	return e, err
}

// secondFactorChallenge asks for a second factor where there is one.
func (t *Tenant) secondFactorChallenge(
	ctx context.Context, id AccountID, began signInBegan, persistent bool,
) (c Challenge, err error) {
	f, err := t.Factors(ctx, id)
	if err != nil || !f.Any() {
		return c, err
	}
	var h holder
	err = t.Store.View(ctx, func(r Reader) (err error) {
		h, err = holderOf(r, id)
		return refusal.IfNoRow(err, SignInFailed, "")
	})
	if err != nil {
		return c, err
	}
	return t.challenge(ctx, h.Account, f, began, persistent)
}

// Over says whether a session has ended. One that begins later was opened by a clock that was
// ahead: it would go on for as long as that was.
func (s Session) Over(now time.Time) bool {
	return !now.Before(s.ExpiresAt) || authn.Ahead(s.CreatedAt, now)
}

// newSession completes a session that begins now.
func newSession(secret string, s Session, persistent bool, now time.Time) Session {
	lifetime := sessionLifetime
	if persistent {
		lifetime = persistentLifetime
	}
	s.Digest = authn.Digest(secret)
	s.CreatedAt = now
	s.ExpiresAt = now.Add(lifetime)
	return s
}

// SignedIn is a person in a session.
type SignedIn struct {
	User         User
	Session      Session
	MustRegister bool // a second factor, before they get anywhere
}

// SessionUser returns the person behind a session, and the session, or SessionInvalid.
func (t *Tenant) SessionUser(ctx context.Context, secret string) (in SignedIn, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		if in.Session, err = t.session(r, secret); err != nil {
			return err
		}
		in.User, err = r.User(UserID(in.Session.Account)) // of an administrator there is none
		if err == nil && !in.User.Enabled {
			return &refusal.Error{Code: SessionInvalid, Detail: "the user is disabled"}
		}
		if err == nil {
			err = in.Session.hasEnded(in.User.SessionsValidFrom)
		}
		if err != nil {
			return refusal.IfNoRow(err, SessionInvalid, "")
		}
		in.MustRegister, err = mustRegister(r, in.User.ID)
		return err
	})
	return in, err
}

// SessionAdministrator returns the name behind a session of the admin center, or SessionInvalid.
func (t *Tenant) SessionAdministrator(ctx context.Context, secret string) (name string, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		s, err := t.session(r, secret)
		if err == nil && s.Administrator == "" {
			return &refusal.Error{Code: SessionInvalid}
		}
		name = s.Administrator
		var a Administrator
		if err == nil {
			a, err = r.Administrator(name)
		}
		if err == nil {
			err = s.hasEnded(a.SessionsValidFrom)
		}
		return refusal.IfNoRow(err, SessionInvalid, name)
	})
	return name, err
}

func (t *Tenant) session(r sessionClock, secret string) (Session, error) {
	if secret == "" {
		return Session{}, &refusal.Error{Code: SessionInvalid}
	}
	return t.livingSession(r, secret, false)
}

// sessionClock reads sessions, and tells whether they are over.
type sessionClock interface {
	sessionReader
	clockReader
}

// livingSession finds a session that is not over: one that opens something, or one that is good for
// nothing but replacing a one-time password.
func (t *Tenant) livingSession(r sessionClock, secret string, setsPassword bool) (Session, error) {
	s, err := r.Session(authn.Digest(secret))
	if err != nil {
		return s, refusal.IfNoRow(err, SessionInvalid, "")
	}
	now, err := t.clock(r)
	if err == nil && (s.SetsPassword != setsPassword || s.Over(now)) {
		err = &refusal.Error{Code: SessionInvalid}
	}
	return s, err
}

// SignOut ends a session.
func (t *Tenant) SignOut(ctx context.Context, by audit.Actor, secret string) error {
	return t.change(ctx, by, ActionSignOut, func(tx Tx, _ *Touched) (string, error) {
		return by.Name, tx.DeleteSession(authn.Digest(secret))
	})
}
