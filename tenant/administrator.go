package tenant

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Administrator is a person who may use the admin center, and who may do what the Global
// Administrator of Entra may.
type Administrator struct {
	Name              string
	CreatedAt         time.Time
	CreatedBy         string    // empty: made before this was noted
	LastSignInAt      time.Time // zero: never, or before this was noted
	SessionsValidFrom time.Time // of sign-ins and tokens; another one at each end of all sessions
}

// administratorReader reads administrators.
type administratorReader interface {
	Administrator(name string) (Administrator, error)
	Administrators() ([]Administrator, error)
}

// administratorWriter writes administrators.
type administratorWriter interface {
	PutAdministrator(Administrator) error
	DeleteAdministrator(name string, id AccountID) error // with the password and the second factors
}

const administratorPrefix = "administrator/"

func administratorID(name string) AccountID { return AccountID(administratorPrefix + names.Fold(name)) }

// AdministratorAccount is an administrator as second factors know people.
func AdministratorAccount(name string) Account {
	return Account{ID: administratorID(name), Name: name, DisplayName: name, Administrator: true}
}

// holder is whom an account id means, as they are now.
type holder struct {
	Account
	enabled   bool
	validFrom time.Time // what is opened now is opened under it
}

func holderOf(r Reader, id AccountID) (holder, error) {
	name, administrator := strings.CutPrefix(string(id), administratorPrefix)
	if !administrator {
		u, err := r.User(UserID(id))
		return holder{u.Account(), u.Enabled, u.SessionsValidFrom}, err
	}
	a, err := r.Administrator(name)
	return holder{AdministratorAccount(a.Name), true, a.SessionsValidFrom}, err
}

// Administrators lists the administrators in the order of their names.
func (t *Tenant) Administrators(ctx context.Context) (all []authn.AdministratorSummary, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		all = nil
		list, err := r.Administrators()
		if err != nil {
			return err
		}
		for _, a := range list {
			id := administratorID(a.Name)
			sessions, e1 := r.SessionsOf(id)
			f, e2 := factors(r, id)
			password, e3 := r.Password(id)
			if err := errors.Join(e1, e2, nilIfNoRow(e3)); err != nil {
				return err
			}
			open := slices.DeleteFunc(sessions, t.opensNothing)
			devices := len(f.Keys)
			if f.SealedSecret != "" {
				devices++
			}
			all = append(all, authn.AdministratorSummary{
				Name:            a.Name,
				CreatedAt:       a.CreatedAt,
				CreatedBy:       a.CreatedBy,
				LastSignInAt:    a.LastSignInAt,
				Sessions:        len(open),
				SecondFactors:   devices,
				OneTimePassword: password.OneTime,
			})
		}
		return nil
	})
	return all, err
}

// maxAdministratorName is our own choice.
const maxAdministratorName = 128 //bound:text the name of an administrator of the tenant, in characters

// checkAdministratorName refuses a name that cannot be signed in with: an at sign is what tells the
// names of users from those of administrators.
func checkAdministratorName(name string) error {
	if name == "" || name != strings.TrimSpace(name) || utf8.RuneCountInString(name) > maxAdministratorName ||
		!utf8.ValidString(name) ||
		strings.IndexFunc(name, unicode.IsControl) >= 0 ||
		strings.Contains(name, "@") {
		detail := "use 1 to 128 characters without an at sign, a space at either end or a control character"
		return &refusal.Error{Code: InvalidValue, Subject: "name", Detail: detail}
	}
	return nil
}

// SetAdministrator gives an administrator a password, and adds one who is not there yet: for the
// operator of the program. Everything that was opened with the old password ends. It fails with
// InvalidValue.
func (t *Tenant) SetAdministrator(ctx context.Context, by audit.Actor, name, password string) error {
	if err := CheckPassword(password); err != nil {
		return t.Refuse(ctx, by, ActionSetAdministrator.name, name, err)
	}
	hash := authn.HashPassword(password)
	return t.change(ctx, by, ActionSetAdministrator, func(tx Tx, _ *Touched) (string, error) {
		return t.setAdministrator(tx, by, name, hash)
	})
}

func (t *Tenant) setAdministrator(tx Tx, by audit.Actor, name, hash string) (subject string, err error) {
	a, err := tx.Administrator(name)
	if errors.Is(err, refusal.ErrNoRow) {
		a, err = Administrator{Name: name, CreatedAt: t.now(), CreatedBy: by.Name}, checkAdministratorName(name)
	}
	if err != nil {
		return name, err
	}
	return a.Name, t.setAdministratorPassword(tx, &a, hash, false)
}

// ErrBegun says that somebody else has begun: there is an administrator.
var ErrBegun = errors.New("there was a first start, perhaps of another node")

// MakeFirst makes the first administrator, and a program that has all permissions, both or none. It
// fails with ErrBegun where there is an administrator: of nodes that start at once, one begins.
func (t *Tenant) MakeFirst(
	ctx context.Context, by audit.Actor, name, password, program string,
) (made NewClient, err error) {
	if err := CheckPassword(password); err != nil {
		return made, t.Refuse(ctx, by, ActionSetAdministrator.name, name, err)
	}
	hash := authn.HashPassword(password)
	made = t.newClient(Client{DisplayName: program, Permissions: slices.Clone(Permissions)}, true)
	err = t.change(ctx, by, ActionSetAdministrator, func(tx Tx, _ *Touched) (string, error) {
		all, err := tx.Administrators()
		if err != nil {
			return name, err
		}
		if len(all) > 0 {
			return name, ErrBegun
		}
		subject, err := t.setAdministrator(tx, by, name, hash)
		if err != nil {
			return subject, err
		}
		added := t.event(by, ActionAddApplication.name, string(made.ID), nil)
		return subject, errors.Join(tx.PutClient(made.Client), tx.AppendEvent(added))
	})
	return made, err
}

// setAdministratorPassword replaces a password and ends what was opened with it: sessions, sign-ins
// on their way, and what programs were allowed.
func (t *Tenant) setAdministratorPassword(tx Tx, a *Administrator, hash string, oneTime bool) error {
	id := administratorID(a.Name)
	return errors.Join(putPassword(tx, id, hash, oneTime), t.endAdministrator(tx, a))
}

// endAdministrator ends everything that an administrator has open.
func (t *Tenant) endAdministrator(tx Tx, a *Administrator) error {
	return errors.Join(t.endOpened(tx, administratorID(a.Name), &a.SessionsValidFrom), tx.PutAdministrator(*a))
}

// NewPassword makes a password that fulfils the rule.
func NewPassword() string { return authn.NewSecret(15) }

// AddAdministrator adds an administrator with a one-time password, which is returned here and never
// again. It must be replaced at the next sign-in: nobody chooses somebody else's password. It fails
// with AdministratorTaken or InvalidValue.
func (t *Tenant) AddAdministrator(ctx context.Context, by audit.Actor, name string) (authn.Secret, error) {
	password := NewPassword()
	hash, err := t.hashPassword(ctx, "set by "+by.Name, password)
	if err != nil {
		return "", err
	}
	err = t.change(ctx, by, ActionAddAdministrator, func(tx Tx, _ *Touched) (string, error) {
		switch _, err := tx.Administrator(name); {
		case err == nil:
			return name, &refusal.Error{Code: AdministratorTaken, Subject: name}
		case !errors.Is(err, refusal.ErrNoRow):
			return name, err
		}
		if err := checkAdministratorName(name); err != nil {
			return name, err
		}
		a := Administrator{Name: name, CreatedAt: t.now(), CreatedBy: by.Name}
		return name, t.setAdministratorPassword(tx, &a, hash, true)
	})
	return authn.Secret(password), err
}

// changeAdministrator runs a change of an administrator who must be there, or fails with
// AdministratorNotFound.
func (t *Tenant) changeAdministrator(ctx context.Context, by audit.Actor, action Action, name string,
	rule func(Tx, Administrator) error) error {
	return t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		a, err := tx.Administrator(name)
		if err != nil {
			return name, refusal.IfNoRow(err, AdministratorNotFound, name)
		}
		return a.Name, rule(tx, a)
	})
}

// actsOnSelf says whether an administrator acts on himself.
func actsOnSelf(by audit.Actor, a Administrator) bool {
	return by.Kind == audit.Administrator && names.Fold(by.Name) == names.Fold(a.Name)
}

// ResetAdministratorPassword gives another administrator a one-time password in place of a
// forgotten one, and ends what is open. It fails with AdministratorNotFound or OwnAdministrator.
func (t *Tenant) ResetAdministratorPassword(ctx context.Context, by audit.Actor, name string) (authn.Secret, error) {
	password := NewPassword()
	hash, err := t.hashPassword(ctx, "set by "+by.Name, password)
	if err != nil {
		return "", err
	}
	err = t.changeAdministrator(ctx, by, ActionResetAdministratorPassword, name, func(tx Tx, a Administrator) error {
		if actsOnSelf(by, a) {
			return &refusal.Error{Code: OwnAdministrator, Subject: a.Name}
		}
		return t.setAdministratorPassword(tx, &a, hash, true)
	})
	return authn.Secret(password), err
}

// RemoveAdministrator removes an administrator with password, second factors, sessions and what
// programs were allowed, at once and on every node. It fails with AdministratorNotFound,
// LastAdministrator or OwnAdministrator.
func (t *Tenant) RemoveAdministrator(ctx context.Context, by audit.Actor, name string) error {
	return t.changeAdministrator(ctx, by, ActionRemoveAdministrator, name, func(tx Tx, a Administrator) error {
		all, err := tx.Administrators()
		switch {
		case err != nil:
			return err
		case actsOnSelf(by, a):
			return &refusal.Error{Code: OwnAdministrator, Subject: a.Name}
		case len(all) == 1:
			return &refusal.Error{Code: LastAdministrator, Subject: a.Name}
		}
		id := administratorID(a.Name)
		return errors.Join(tx.DeleteSessionsOf(id), tx.DeleteGrantsOf(id),
			tx.DeleteAdministrator(a.Name, id))
	})
}

// ResetAdministratorMFA takes all second factors of an administrator away, and ends what is open:
// the next sign-in takes the password alone. It fails with AdministratorNotFound.
func (t *Tenant) ResetAdministratorMFA(ctx context.Context, by audit.Actor, name string) error {
	return t.changeAdministrator(ctx, by, ActionResetAdministratorFactors, name, func(tx Tx, a Administrator) error {
		return errors.Join(tx.PutFactors(Factors{Account: administratorID(a.Name)}), t.endAdministrator(tx, &a))
	})
}

// SignOutAdministrator ends all sessions of an administrator, and what programs were allowed. It
// fails with AdministratorNotFound.
func (t *Tenant) SignOutAdministrator(ctx context.Context, by audit.Actor, name string) error {
	return t.changeAdministrator(ctx, by, ActionSignOutAdministrator, name, func(tx Tx, a Administrator) error {
		return t.endAdministrator(tx, &a)
	})
}

// opensNothing says whether a session has ended, or has only begun.
func (t *Tenant) opensNothing(s Session) bool { return s.SetsPassword || s.Over(t.now()) }

// AdministratorSessions lists the sessions of an administrator, the newest first.
func (t *Tenant) AdministratorSessions(ctx context.Context, name string) (sessions []Session, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		sessions, err = r.SessionsOf(administratorID(name))
		return err
	})
	sessions = slices.DeleteFunc(sessions, t.opensNothing)
	slices.SortFunc(sessions, func(a, b Session) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return sessions, err
}

// EndAdministratorSession ends one session of an administrator, or ("") all but the one whose
// secret is kept. What programs were allowed goes on. It fails with SessionInvalid when there is no
// such session.
func (t *Tenant) EndAdministratorSession(ctx context.Context, by audit.Actor, name, digest, kept string) error {
	return t.changeAdministrator(ctx, by, ActionEndAdministratorSession, name, func(tx Tx, a Administrator) error {
		all, err := tx.SessionsOf(administratorID(a.Name))
		found := digest == ""
		for _, s := range all {
			if s.Digest == digest || digest == "" && s.Digest != authn.Digest(kept) {
				err, found = errors.Join(err, tx.DeleteSession(s.Digest)), true
			}
		}
		if err == nil && !found {
			return &refusal.Error{Code: SessionInvalid}
		}
		return err
	})
}

// AdministratorPasswordIs says whether a password is the one that an administrator has. It does not
// count towards the lock-out: it is for the operator of the program.
func (t *Tenant) AdministratorPasswordIs(ctx context.Context, name, password string) (same bool, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		stored, err := r.Password(administratorID(name))
		same = err == nil && authn.CheckPassword(stored.Hash, password)
		return nilIfNoRow(err)
	})
	return same, err
}
