package center

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// SignInAdministrator checks an administrator's password and goes on to what is needed next:
// another password in place of a one-time one, a second factor if one is registered, and then a
// console session. It fails with SignInBusy, and with SignInFailed or SignInLocked, which must look
// the same to the outside. The further steps are those of users: SignInWithNewPassword,
// SignInWithCode and SignInWithKey.
//
// While users sign in elsewhere, this is the way in when nothing else works, so that each use of it
// is an event of its own, and a warning in the log.
func (c *Center) SignInAdministrator(ctx context.Context, by audit.Actor, name, password, returnTo string,
	from Browser) (Progress, error) {
	by.Name, from.Console = name, true
	var s *signingIn
	a := attempt{
		by:       by,
		name:     name,
		password: password,
		known:    from.Known,
		standing: authn.Administrator,
		find:     administratorNamed(name),
	}
	err := c.verifyPassword(ctx, a, func(stored Password) error {
		by.Kind = audit.User
		s = c.signingIn(by, from, false)
		return c.beginSignIn(ctx, s, stored, name, returnTo, func(r Reader) (User, error) {
			return administratorAsUser(r, stored.Principal)
		})
	})
	return c.finishStep(ctx, s, err)
}

// administratorAsUser is an administrator in the form in which the steps of a sign-in know people.
// The id is a principal, which no user can have.
func administratorAsUser(r administratorReader, principal string) (User, error) {
	a, err := administratorOf(r, principal)
	return User{ID: UserID(AdministratorPrincipal(a.Name)), UserName: a.Name, DisplayName: a.Name, Active: true}, err
}

// nextOfAdministrator decides what comes next for an administrator. The settings of sign-in are for
// users: who has registered a factor is asked for one each time, and before another password is
// set, so that a one-time password alone changes nothing.
func nextOfAdministrator(r Reader, s *signingIn, password Password) (Step, error) {
	devices, err := r.MFADevicesOf(s.ticket.Principal)
	switch {
	case err != nil:
		return "", err
	case len(devices) > 0 && !s.ticket.Shown:
		return StepFactor, nil
	case password.OneTime:
		return StepPassword, nil
	}
	return StepDone, nil
}

// ofConsole makes a session one of the console.
func (s Session) ofConsole(name string) Session {
	s.Kind = ConsoleSession
	s.Administrator = name
	s.ExpiresAt = s.CreatedAt.Add(consoleSessionLifetime)
	return s
}

// noteAdministrator notes that an administrator has signed in, and whether as by breaking the
// glass.
func (c *Center) noteAdministrator(tx Tx, by audit.Actor, name string) (breakGlass bool, err error) {
	a, err := tx.Administrator(name)
	if err != nil {
		return false, refusal.IfNoRow(err, SignInFailed, "")
	}
	a.LastSignInAt = c.now()
	s, err := currentSource(tx)
	if err = errors.Join(err, tx.PutAdministrator(a)); err != nil || s.Type != ExternalIdP {
		return false, err
	}
	e := c.event(by, "BreakGlassAdministratorUsed", name, nil)
	e.Detail = "a local administrator signed in to the console while users sign in at the identity provider; " +
		"if you did not expect this, sign the administrator out and set another password"
	return true, tx.AppendEvent(e)
}

// replaceOneTime sets the password that an administrator has chosen in place of a one-time one.
func replaceOneTime(tx Tx, s *signingIn, hash string) error {
	return setAdministratorPassword(tx, s.user.UserName, hash, false, "")
}
