package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ChangeAdministratorPassword is for administrators themselves, who must know the password that
// they have. It ends their other sessions and what programs were allowed. It fails with
// SignInFailed, SignInLocked or InvalidValue.
func (t *Tenant) ChangeAdministratorPassword(ctx context.Context, by audit.Actor,
	name, current, password, session, browser string) error {
	if err := CheckPassword(password); err != nil { // ahead of the present one, which costs a hash
		return t.Refuse(ctx, by, ActionChangePassword.name, name, err)
	}
	a := attempt{
		by:       by,
		action:   ActionChangePassword,
		name:     name,
		password: current,
		known:    browser,
		standing: authn.Known,
		find: func(r Reader) (Session, AccountID, error) {
			_, err := r.Administrator(name)
			return Session{}, administratorID(name), err
		},
	}
	return t.verifyPassword(ctx, a, func(stored Password, _ signInBegan) error {
		hash, err := newChoice(stored, password)
		if err != nil {
			return t.Refuse(ctx, by, ActionChangePassword.name, name, err)
		}
		return t.changeAdministrator(ctx, by, ActionChangePassword, name, func(tx Tx, a Administrator) error {
			kept, err := t.session(tx, session)
			var p Password
			if err == nil {
				p, err = t.forgivenPassword(tx, stored, browser)
			}
			if err != nil {
				return err
			}
			err = errors.Join(tx.PutPassword(p), t.setAdministratorPassword(tx, &a, hash, false))
			kept.Under = under(a.SessionsValidFrom)
			return errors.Join(err, tx.PutSession(kept))
		})
	})
}

// newChoice checks and hashes a password that somebody chooses in place of the present one.
func newChoice(stored Password, password string) (hash string, err error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	if authn.CheckPassword(stored.Hash, password) {
		return "", &refusal.Error{
			Code:    InvalidValue,
			Subject: "password",
			Detail:  "choose a password that differs from the current one",
		}
	}
	return authn.HashPassword(password), nil
}

// ReplaceOneTime goes on where a one-time password must be replaced. It fails with SessionInvalid
// when that has taken too long, and with InvalidValue, which changes nothing.
func (t *Tenant) ReplaceOneTime(ctx context.Context, by audit.Actor, ticket, password string) (Entry, error) {
	var who Session
	var stored Password
	err := t.Store.View(ctx, func(r Reader) (err error) {
		if who, err = t.settingPassword(r, ticket); err == nil {
			stored, err = r.Password(who.Account)
			err = refusal.IfNoRow(err, SessionInvalid, "")
		}
		return err
	})
	if err != nil {
		return Entry{}, t.Refuse(ctx, by, ActionChangePassword.name, "", err)
	}
	by.Kind, by.Name = audit.User, who.Administrator
	if by.Name == "" {
		by.Name = string(who.Account)
	}
	leave, err := t.Places.Take(ctx, authn.Applicant{Standing: authn.Known, Name: string(stored.Account)})
	if err != nil {
		return Entry{}, busy(err)
	}
	hash, err := newChoice(stored, password)
	leave()
	if err != nil {
		return Entry{}, t.Refuse(ctx, by, ActionChangePassword.name, by.Name, err)
	}
	if who.Administrator == "" {
		return t.replaceUsersOneTime(ctx, by, ticket, stored, hash)
	}
	var e Entry
	secret := authn.NewSecret(32)
	err = t.changeAdministrator(ctx, by, ActionChangePassword, who.Administrator, func(tx Tx, a Administrator) error {
		s, err := t.settingPassword(tx, ticket)
		if err == nil {
			_, err = t.forgivenPassword(tx, stored, "")
		}
		if err != nil {
			return err
		}
		if err := t.setAdministratorPassword(tx, &a, hash, false); err != nil {
			return err
		}
		s.SetsPassword, s.Under = false, under(a.SessionsValidFrom)
		e, err = t.openSession(tx, secret, s, false, Password{})
		return errors.Join(err, tx.AppendEvent(t.event(by, ActionAdministratorLoggedIn.name, a.Name, nil)))
	})
	return e, err
}

// replaceUsersOneTime is the end of ReplaceOneTime for somebody of the directory.
func (t *Tenant) replaceUsersOneTime(
	ctx context.Context, by audit.Actor, ticket string, stored Password, hash string,
) (e Entry, err error) {
	secret := authn.NewSecret(32)
	err = t.change(ctx, by, ActionChangePassword, func(tx Tx, _ *Touched) (string, error) {
		s, err := t.settingPassword(tx, ticket)
		if err == nil {
			_, err = t.forgivenPassword(tx, stored, "")
		}
		var u User
		if err == nil {
			u, err = tx.User(UserID(stored.Account))
		}
		if err == nil && !u.Enabled {
			err = refusal.ErrNoRow
		}
		if err != nil {
			return by.Name, refusal.IfNoRow(err, SessionInvalid, "")
		}
		err = errors.Join(putPassword(tx, stored.Account, hash, false), t.endSessions(tx, &u), tx.PutUser(u))
		if err != nil {
			return by.Name, err
		}
		s.SetsPassword, s.Under = false, under(u.SessionsValidFrom)
		e, err = t.openSession(tx, secret, s, false, Password{})
		return by.Name, errors.Join(err, tx.AppendEvent(t.event(by, ActionUserLoggedIn.name, u.UserPrincipalName, nil)))
	})
	return e, err
}

// settingPassword finds the session that is good for nothing but replacing a one-time password.
func (t *Tenant) settingPassword(r sessionClock, secret string) (Session, error) {
	return t.livingSession(r, secret, true)
}

// maxUserAgent bounds what is kept of a browser's name, in bytes.
const maxUserAgent = 200 //bound:text the name of a browser that the tenant keeps, in bytes

// openSession opens a session for somebody whose password was p, or asks for another in place of a
// one-time one.
func (t *Tenant) openSession(tx Tx, secret string, s Session, persistent bool, p Password) (Entry, error) {
	now, err := t.clock(tx)
	if err != nil {
		return Entry{}, err
	}
	s = newSession(secret, s, persistent, now)
	s.UserAgent = s.UserAgent[:min(len(s.UserAgent), maxUserAgent)]
	if p.OneTime {
		s.SetsPassword, s.ExpiresAt = true, now.Add(codeLifetime)
		return Entry{Challenge: Challenge{Ticket: secret, Lifetime: codeLifetime, NewPassword: true}},
			errors.Join(makeRoom(tx, s.Account), tx.PutSession(s))
	}
	err = errors.Join(makeRoom(tx, s.Account), tx.PutSession(s))
	if s.Administrator != "" {
		a, failed := tx.Administrator(s.Administrator)
		if failed != nil {
			return Entry{}, refusal.IfNoRow(failed, SignInFailed, "")
		}
		a.LastSignInAt = now
		err = errors.Join(err, tx.PutAdministrator(a))
	}
	return Entry{Session: authn.Secret(secret), Lifetime: s.ExpiresAt.Sub(s.CreatedAt)}, err
}

// maxSessions bounds the sessions of one account: a script that signs in again and again would
// leave them behind without end.
const maxSessions = 100 //bound:rows sessions of one account at the tenant

// makeRoom makes room for one session more of an account. Where there are too many, those that
// were opened first go.
func makeRoom(tx Tx, account AccountID) error {
	all, err := tx.SessionsOf(account)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b Session) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for _, old := range all[:max(0, len(all)-maxSessions+1)] {
		err = errors.Join(err, tx.DeleteSession(old.Digest))
	}
	return err
}

// PendingChallenge says what a sign-in waits for. It fails with SessionInvalid when it has taken
// too long.
func (t *Tenant) PendingChallenge(ctx context.Context, ticket string) (c Challenge, err error) {
	err = t.Store.Update(ctx, func(tx Tx) error {
		if _, err := t.settingPassword(tx, ticket); refusal.CodeOf(err) != SessionInvalid {
			c = Challenge{Ticket: ticket, NewPassword: true}
			return err
		}
		s, err := t.pendingSignIn(tx, authn.Digest(ticket))
		if err != nil {
			return err
		}
		f, err := factors(tx, s.waiting.Account)
		if err != nil {
			return err
		}
		if c, err = t.offerFactors(s.account, f, &s.waiting); err != nil {
			return err
		}
		data, err := json.Marshal(s.waiting)
		c.Ticket, s.grant.Nonce = ticket, t.Sealer.Seal(signInPurpose(s.waiting.Account), data)
		return errors.Join(err, tx.PutGrant(s.grant))
	})
	return c, err
}

func signInPurpose(id AccountID) string { return "sign-in/" + string(id) }

// offerFactors says which factors can be shown, and notes what the answer must be given back with.
func (t *Tenant) offerFactors(a Account, f Factors, w *waiting) (Challenge, error) {
	c := Challenge{Code: f.SealedSecret != ""}
	party := authn.NewRelyingParty(t.URL, t.Organization.DisplayName)
	if party == nil || len(f.Keys) == 0 {
		return c, nil
	}
	challenge, err := party.BeginLogin(keyHolder(a, f))
	c.KeyOptions, w.Key = string(challenge.Options), challenge.State
	return c, err
}
