package center

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Administrator is a person who may use the console. Administrators live outside the identity
// store, so that no change of the identity source can lock them out, and the portal does not know
// them.
type Administrator struct {
	Name         string
	CreatedAt    time.Time
	CreatedBy    string    // empty: made before this was noted
	LastSignInAt time.Time // zero: never, or before this was noted
}

// administratorReader reads administrators.
type administratorReader interface {
	Administrator(name string) (Administrator, error) // ignores letter case
	Administrators() ([]Administrator, error)
}

// administratorWriter writes administrators.
type administratorWriter interface {
	PutAdministrator(Administrator) error
	DeleteAdministrator(name string) error
}

const administratorPrefix = "administrator/"

// AdministratorPrincipal is what an administrator's password, devices, tickets and sessions belong
// to.
func AdministratorPrincipal(name string) string { return administratorPrefix + names.Fold(name) }

func isAdministrator(principal string) bool { return strings.HasPrefix(principal, administratorPrefix) }

// administratorOf finds the administrator whom a principal means. Names are found by their folded
// form, which is what follows the prefix.
func administratorOf(r administratorReader, principal string) (Administrator, error) {
	return r.Administrator(strings.TrimPrefix(principal, administratorPrefix))
}

// Administrators lists the administrators in the order of their names.
func (c *Center) Administrators(ctx context.Context) (all []authn.AdministratorSummary, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		all = nil
		list, err := r.Administrators()
		if err != nil {
			return err
		}
		for _, a := range list {
			principal := AdministratorPrincipal(a.Name)
			sessions, e1 := r.SessionsOf(UserID(principal))
			devices, e2 := r.MFADevicesOf(principal)
			password, e3 := r.Password(principal)
			if errors.Is(e3, refusal.ErrNoRow) {
				e3 = nil
			}
			if err := errors.Join(e1, e2, e3); err != nil {
				return err
			}
			open := slices.DeleteFunc(sessions, func(s Session) bool { return s.over(c.now()) })
			all = append(all, authn.AdministratorSummary{
				Name:            a.Name,
				CreatedAt:       a.CreatedAt,
				CreatedBy:       a.CreatedBy,
				LastSignInAt:    a.LastSignInAt,
				Sessions:        len(open),
				SecondFactors:   len(devices),
				OneTimePassword: password.OneTime,
			})
		}
		return nil
	})
	return all, err
}

func checkAdministratorName(name string) error {
	if name == "" || name != strings.TrimSpace(name) {
		detail := "use a name that does not begin or end with a space"
		return &refusal.Error{Code: InvalidValue, Field: "name", Detail: detail}
	}
	return checkText("name", name, maxUserName)
}

// SetAdministrator gives an administrator a password, and adds one who is not there yet: for the
// operator of the program. Everything that was opened with the old password ends. It fails with
// PasswordUnfit or InvalidValue.
func (c *Center) SetAdministrator(ctx context.Context, by audit.Actor, name, password string) error {
	if err := CheckPassword(password); err != nil {
		return c.Refuse(ctx, by, ActionSetAdministrator.String(), name, err)
	}
	hash := authn.HashPassword(password)
	return c.change(ctx, by, ActionSetAdministrator, func(tx Tx) (string, error) {
		return c.setAdministrator(tx, by, name, hash)
	})
}

func (c *Center) setAdministrator(tx Tx, by audit.Actor, name, hash string) (subject string, err error) {
	a, err := tx.Administrator(name)
	if errors.Is(err, refusal.ErrNoRow) {
		a, err = Administrator{Name: name, CreatedAt: c.now(), CreatedBy: by.Name}, checkAdministratorName(name)
	}
	if err != nil {
		return name, err
	}
	return a.Name, errors.Join(tx.PutAdministrator(a), setAdministratorPassword(tx, a.Name, hash, false, ""))
}

// ErrBegun says that somebody else has begun: there is an access key.
var ErrBegun = errors.New("there was a first start, perhaps of another node")

// MakeFirst makes the first administrator, and an access key of theirs, both or none. It fails with
// ErrBegun where there is a key: of nodes that start at once, one begins.
func (c *Center) MakeFirst(ctx context.Context, by audit.Actor, name, password string) (OpenedKey, error) {
	if err := CheckPassword(password); err != nil {
		return OpenedKey{}, c.Refuse(ctx, by, ActionSetAdministrator.String(), name, err)
	}
	hash, key := authn.HashPassword(password), c.newAccessKey(name, RoleAdministrator)
	err := c.change(ctx, by, ActionSetAdministrator, func(tx Tx) (string, error) {
		keys, err := tx.AccessKeys()
		if err != nil {
			return name, err
		}
		if len(keys) > 0 {
			return name, ErrBegun
		}
		subject, err := c.setAdministrator(tx, by, name, hash)
		if err != nil {
			return subject, err
		}
		made := c.event(by, ActionCreateAccessKey.String(), key.ID, nil)
		return subject, errors.Join(tx.PutAccessKey(key.AccessKey), tx.AppendEvent(made))
	})
	return key, err
}

// setAdministratorPassword replaces a password and ends what was opened with it, but for the
// session whose digest is kept.
func setAdministratorPassword(tx Tx, name, hash string, oneTime bool, kept string) error {
	principal := AdministratorPrincipal(name)
	return putPassword(tx, principal, hash, oneTime, kept)
}

// AddAdministrator adds an administrator with a one-time password, which is returned here and never
// again. It must be replaced at the next sign-in: nobody chooses somebody else's password. It fails
// with AdministratorTaken or InvalidValue.
func (c *Center) AddAdministrator(ctx context.Context, by audit.Actor, name string) (authn.Secret, error) {
	password := NewPassword()
	leave, err := c.place(ctx, by.Name)
	if err != nil {
		return "", err
	}
	hash := authn.HashPassword(password)
	leave()
	err = c.change(ctx, by, ActionAddAdministrator, func(tx Tx) (string, error) {
		switch _, err := tx.Administrator(name); {
		case err == nil:
			return name, &refusal.Error{Code: AdministratorTaken, Subject: name}
		case !errors.Is(err, refusal.ErrNoRow):
			return name, err
		}
		if err := checkAdministratorName(name); err != nil {
			return name, err
		}
		return name, errors.Join(tx.PutAdministrator(Administrator{Name: name, CreatedAt: c.now(), CreatedBy: by.Name}),
			setAdministratorPassword(tx, name, hash, true, ""))
	})
	return authn.Secret(password), err
}

// NewPassword makes a password that fulfils the rules.
func NewPassword() string {
	for {
		if password := authn.NewSecret(15); CheckPassword(password) == nil {
			return password
		}
	}
}

// changeAdministrator runs a change of an administrator who must be there, or fails with
// AdministratorNotFound.
func (c *Center) changeAdministrator(ctx context.Context, by audit.Actor, action Action, name string,
	rule func(Tx, Administrator) error) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		a, err := tx.Administrator(name)
		if err != nil {
			return name, refusal.IfNoRow(err, AdministratorNotFound, name)
		}
		return a.Name, rule(tx, a)
	})
}

// ResetAdministratorPassword gives another administrator a one-time password in place of a
// forgotten one, and ends the sessions. It fails with AdministratorNotFound or OwnAdministrator.
func (c *Center) ResetAdministratorPassword(ctx context.Context, by audit.Actor, name string) (authn.Secret, error) {
	password := NewPassword()
	leave, err := c.place(ctx, by.Name)
	if err != nil {
		return "", err
	}
	hash := authn.HashPassword(password)
	leave()
	err = c.changeAdministrator(ctx, by, ActionResetAdministratorPassword, name, func(tx Tx, a Administrator) error {
		if actsOnSelf(by, a) {
			return &refusal.Error{Code: OwnAdministrator, Subject: a.Name}
		}
		return setAdministratorPassword(tx, a.Name, hash, true, "")
	})
	return authn.Secret(password), err
}

// actsOnSelf says whether an administrator acts on himself.
func actsOnSelf(by audit.Actor, a Administrator) bool {
	return by.Kind == audit.Administrator && names.Fold(by.Name) == names.Fold(a.Name)
}

// RemoveAdministrator removes an administrator with password, devices and sessions, at once and on
// every node, and disables the access keys that bear the name. The last enabled key of an
// administrator stays enabled: it is returned. It fails with AdministratorNotFound,
// LastAdministrator or OwnAdministrator.
func (c *Center) RemoveAdministrator(ctx context.Context, by audit.Actor, name string) (left []AccessKey, err error) {
	defer c.remembered.forget()
	err = c.changeAdministrator(ctx, by, ActionRemoveAdministrator, name, func(tx Tx, a Administrator) error {
		all, err := tx.Administrators()
		switch {
		case err != nil:
			return err
		case actsOnSelf(by, a):
			return &refusal.Error{Code: OwnAdministrator, Subject: a.Name}
		case len(all) == 1:
			return &refusal.Error{Code: LastAdministrator, Subject: a.Name}
		}
		if left, err = c.disableKeysOf(tx, by, a.Name); err != nil {
			return err
		}
		principal := AdministratorPrincipal(a.Name)
		return errors.Join(tx.DeleteSessionsOf(UserID(principal)), tx.DeletePassword(principal),
			tx.DeleteMFADevicesOf(principal), dropTickets(tx, principal),
			tx.DeleteTicketsOf(Enrolling, principal), tx.DeleteTicketsOf(KnownBrowser, principal),
			tx.DeleteAdministrator(a.Name))
	})
	return left, err
}

// disableKeysOf disables the access keys that are for a name, and returns those that stay: without
// one enabled key of an administrator nothing could call the APIs any more.
func (c *Center) disableKeysOf(tx Tx, by audit.Actor, name string) (left []AccessKey, err error) {
	keys, err := tx.AccessKeys()
	if err != nil {
		return nil, err
	}
	others := 0
	for _, k := range keys {
		if names.Fold(k.Principal) != names.Fold(name) && !k.Disabled && k.EffectiveRole() == RoleAdministrator {
			others++
		}
	}
	for _, k := range keys {
		if names.Fold(k.Principal) != names.Fold(name) || k.Disabled {
			continue
		}
		if others == 0 && k.EffectiveRole() == RoleAdministrator {
			left = append(left, k)
			continue
		}
		k.Disabled = true
		e := c.event(by, ActionUpdateAccessKey.String(), k.ID, nil)
		err = errors.Join(err, tx.PutAccessKey(k), tx.AppendEvent(e))
	}
	return left, err
}

// ResetAdministratorMFA takes all second factors of an administrator away, and ends the sessions:
// the next sign-in takes the password alone. It fails with AdministratorNotFound.
func (c *Center) ResetAdministratorMFA(ctx context.Context, by audit.Actor, name string) error {
	return c.changeAdministrator(ctx, by, ActionResetAdministratorMfa, name, func(tx Tx, a Administrator) error {
		principal := AdministratorPrincipal(a.Name)
		return errors.Join(tx.DeleteMFADevicesOf(principal), tx.DeleteTicketsOf(Enrolling, principal),
			endCredentials(tx, principal, ""))
	})
}

// SignOutAdministrator ends all console sessions of an administrator, and sign-ins on their way. It
// fails with AdministratorNotFound.
func (c *Center) SignOutAdministrator(ctx context.Context, by audit.Actor, name string) error {
	return c.changeAdministrator(ctx, by, ActionSignOutAdministrator, name, func(tx Tx, a Administrator) error {
		principal := AdministratorPrincipal(a.Name)
		return errors.Join(dropTickets(tx, principal), endSessions(tx, UserID(principal), ""))
	})
}

// ChangeAdministratorPassword is for administrators themselves, who must know the password that
// they have. It ends their other sessions. browser is the secret of a known one, whose mistakes are
// counted apart. It fails with SignInFailed, SignInLocked, SignInBusy, PasswordUnfit or
// PasswordReused.
func (c *Center) ChangeAdministratorPassword(ctx context.Context, by audit.Actor,
	name, current, password, session, browser string) error {
	if err := CheckPassword(password); err != nil { // ahead of the present one, which costs a hash
		return c.Refuse(ctx, by, ActionUpdatePassword.String(), name, err)
	}
	principal := AdministratorPrincipal(name)
	a := attempt{
		by:       by,
		name:     name,
		password: current,
		known:    browser,
		standing: authn.Known,
		find:     administratorNamed(name),
	}
	return c.verifyPassword(ctx, a, func(stored Password) error {
		hash, err := c.hashNew(ctx, principal, password)
		if err != nil {
			return c.Refuse(ctx, by, ActionUpdatePassword.String(), name, err)
		}
		return c.changeAdministrator(ctx, by, ActionUpdatePassword, name, func(tx Tx, a Administrator) error {
			if err := c.forgiveMistakes(tx, stored, browser); err != nil {
				return err
			}
			return setAdministratorPassword(tx, a.Name, hash, false, authn.Digest(session))
		})
	})
}

// administratorNamed finds the principal of an administrator for verifyPassword.
func administratorNamed(name string) func(Reader) (string, error) {
	return func(r Reader) (string, error) {
		a, err := r.Administrator(name)
		return AdministratorPrincipal(a.Name), err
	}
}

// AdministratorPasswordIs says whether a password is the one that an administrator has. It does not
// count towards the lock-out: it is for the operator of the program.
func (c *Center) AdministratorPasswordIs(ctx context.Context, name, password string) (same bool, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		stored, err := r.Password(AdministratorPrincipal(name))
		same = err == nil && authn.CheckPassword(stored.Hash, password)
		if errors.Is(err, refusal.ErrNoRow) {
			err = nil
		}
		return err
	})
	return same, err
}
