package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// Administrator is a person who may use the console. Administrators live outside the identity store, so that no change of the
// identity source can lock them out, and the portal does not know them.
type Administrator struct {
	Name      string
	CreatedAt time.Time
}

// AdministratorPrincipal is what an administrator's password and devices belong to.
func AdministratorPrincipal(name string) string { return "administrator/" + Fold(name) }

// SetAdministrator adds an administrator of the console, or gives one a new password.
func (c *Center) SetAdministrator(ctx context.Context, by audit.Actor, name, password string) error {
	hash := authn.HashPassword(password)
	return c.change(ctx, by, ActionSetAdministrator, func(tx Tx) (string, error) {
		if name == "" || len(password) < minPassword {
			return name, &Error{Code: InvalidValue, Field: "password", Detail: "want a name and a password of 8 characters or more"}
		}
		return name, errors.Join(
			tx.PutAdministrator(Administrator{Name: name, CreatedAt: c.now()}),
			tx.PutPassword(Password{Principal: AdministratorPrincipal(name), Hash: hash}))
	})
}

// SignInAdministrator opens a console session. code is that of an authenticator app, which an administrator who has registered one must give. It fails
// with SignInFailed, SignInLocked or SignInBusy and never says which part was wrong. While users sign in elsewhere, this is the way in when nothing else works, so
// that each use of it is an event of its own, and a warning in the log.
// Next to the session's secret it returns the one by which the browser is known from now on; empty: it has one.
func (c *Center) SignInAdministrator(ctx context.Context, by audit.Actor, name, password, code string, from Browser) (session, known authn.Secret, err error) {
	by.Name = name
	find := func(r Reader) (string, error) {
		a, err := r.Administrator(name)
		return AdministratorPrincipal(a.Name), err
	}
	a := attempt{by: by, name: name, password: password, known: from.Known, standing: authn.Administrator, find: find}
	err = c.verifyPassword(ctx, a, func(stored Password) error {
		by.Kind = audit.User
		session, known, err = c.openConsole(ctx, by, stored, name, code, from)
		return err
	})
	if CodeOf(err) == FactorRefused {
		err = errors.Join(&Error{Code: SignInFailed}, err)
	}
	return session, known, err
}

// openConsole opens a console session for an administrator whose password was right.
func (c *Center) openConsole(ctx context.Context, by audit.Actor, stored Password, name, code string, from Browser) (_, known authn.Secret, err error) {
	secret, fresh, breakGlass := authn.NewSecret(32), authn.NewSecret(32), false
	agent := from.UserAgent[:min(len(from.UserAgent), maxUserAgent)]
	err = c.change(ctx, by, ActionConsoleLogin, func(tx Tx) (string, error) {
		a, err := tx.Administrator(name)
		if err != nil {
			return name, orRefuse(err, SignInFailed, "")
		}
		if err := c.showAdministratorsCode(tx, stored.Principal, code); err != nil {
			return name, err
		}
		s, err := source(tx)
		if err != nil {
			return name, err
		}
		if breakGlass = s.Type == ExternalIdP; breakGlass {
			e := c.event(by, "BreakGlassAdministratorUsed", name, nil)
			e.Detail = "a local administrator has signed in to the console while users sign in at the identity provider; if nobody was to, end the session and change the password"
			if err := tx.AppendEvent(e); err != nil {
				return name, err
			}
		}
		session := Session{Digest: authn.Digest(secret), Kind: ConsoleSession, Administrator: a.Name, Address: by.Address, UserAgent: agent,
			CreatedAt: c.now(), ExpiresAt: c.now().Add(ConsoleSessionLifetime)}
		if err := c.forgiveMistakes(tx, stored, from.Known); err != nil {
			return name, err
		}
		known, err = c.remember(tx, stored.Principal, from.Known, fresh, func(*Ticket) {})
		return name, errors.Join(err, tx.PutSession(session))
	})
	if err == nil && breakGlass {
		c.Log.Warn("audit alert: a local administrator has signed in to the console", "administrator", name, "address", by.Address, "request_id", by.RequestID)
	}
	return authn.Secret(secret), known, err
}

func (c *Center) showAdministratorsCode(tx Tx, principal, code string) error {
	devices, err := tx.MFADevicesOf(principal)
	if err != nil || count(devices, Authenticator) == 0 {
		return err
	}
	return c.showAnyCode(tx, devices, code)
}
