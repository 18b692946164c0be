package center

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Password is the password of a user (by user id) or an administrator (by principal name), with the
// memory of wrong attempts.
type Password struct {
	Principal   string
	Hash        string   // PHC string, argon2id
	Earlier     []string // the hashes of those that the user chose before it, the newest first
	OneTime     bool     // an administrator made it: it must be replaced at the next sign-in
	Lockout     authn.Lockout
	CodeLockout authn.Lockout // wrong codes, which only somebody who knows the password can send
}

// passwordReader reads passwords.
type passwordReader interface {
	Password(principal string) (Password, error)
}

// passwordWriter writes passwords.
type passwordWriter interface {
	PutPassword(Password) error
	DeletePassword(principal string) error
}

// The rules for passwords. Source: user guide, "Password requirements when managing identities in
// IAM Identity Center".
const (
	minPassword   = 8  //bound:text a password of the built-in directory, at the least, in characters
	maxPassword   = 64 //bound:text a password of the built-in directory, in characters
	keptPasswords = 3  // the last three are refused
	punctuation   = "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/"
)

// CheckPassword applies the rules that need no memory. It fails with PasswordUnfit, and says all
// that is missing.
func CheckPassword(password string) error {
	var missing []string
	if n := utf8.RuneCountInString(password); n < minPassword || n > maxPassword {
		missing = append(missing, "8 to 64 characters")
	}
	for _, class := range []struct {
		name string
		has  func(rune) bool
	}{
		{"a lower-case letter", unicode.IsLower},
		{"an upper-case letter", unicode.IsUpper},
		{"a digit", unicode.IsDigit},
		{"one of " + punctuation, func(c rune) bool { return strings.ContainsRune(punctuation, c) }},
	} {
		if strings.IndexFunc(password, class.has) < 0 {
			missing = append(missing, class.name)
		}
	}
	if len(missing) > 0 {
		return &refusal.Error{Code: PasswordUnfit, Detail: "it needs " + strings.Join(missing, ", ")}
	}
	return nil
}

// newPassword checks a password that somebody chooses and hashes it, outside any transaction, since
// that takes long. It fails with PasswordUnfit, PasswordReused or SignInBusy.
func (c *Center) newPassword(ctx context.Context, principal, password string) (hash string, err error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	leave, err := c.place(ctx, principal)
	if err != nil {
		return "", err
	}
	defer leave()
	return c.hashNew(ctx, principal, password)
}

// hashNew is newPassword for who has a place already, for a password that fulfils the rules which
// need no memory.
func (c *Center) hashNew(ctx context.Context, principal, password string) (hash string, err error) {
	var old Password
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		old, err = r.Password(principal)
		return err
	})
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return "", err
	}
	chosen := old.chosen()
	refused := slices.Clone(chosen[:min(len(chosen), keptPasswords)])
	if old.OneTime { // whoever has handed it over knows it
		refused = append(refused, old.Hash)
	}
	for _, earlier := range refused {
		if authn.CheckPassword(earlier, password) {
			return "", &refusal.Error{Code: PasswordReused}
		}
	}
	return authn.HashPassword(password), nil
}

// chosen is the hashes of what the user has chosen, the newest first: not of one-time passwords.
func (p Password) chosen() []string {
	if p.Hash == "" || p.OneTime {
		return p.Earlier
	}
	return slices.Insert(slices.Clone(p.Earlier), 0, p.Hash)
}

// putPassword replaces a principal's password, and ends what the old one has opened, but for the
// session whose digest is kept.
func putPassword(tx Tx, principal, hash string, oneTime bool, kept string) error {
	old, err := tx.Password(principal)
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	p := Password{
		Principal:   principal,
		Hash:        hash,
		OneTime:     oneTime,
		Earlier:     old.chosen(),
		CodeLockout: old.CodeLockout,
	}
	p.Earlier = p.Earlier[:min(len(p.Earlier), keptPasswords)]
	return errors.Join(tx.PutPassword(p), endCredentials(tx, principal, kept))
}

// SetPassword gives a user of the built-in directory a password. It fails with UserNotFound,
// PasswordUnfit or PasswordReused.
func (c *Center) SetPassword(ctx context.Context, by audit.Actor, id UserID, password string) error {
	hash, err := c.newPassword(ctx, string(id), password)
	if err != nil {
		return c.Refuse(ctx, by, "UpdatePassword", string(id), err)
	}
	return c.change(ctx, by, ActionUpdatePassword, func(tx Tx) (string, error) {
		if _, err := tx.User(id); err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		return string(id), putPassword(tx, string(id), hash, false, "")
	})
}

// ChangePassword is SetPassword for users themselves, who must know the password that they have,
// and ends their other sessions. browser is the secret of a known one, whose mistakes are counted
// apart. It fails with SignInFailed or SignInLocked, too.
func (c *Center) ChangePassword(
	ctx context.Context, by audit.Actor, id UserID, current, password, session, browser string,
) error {
	find := func(r Reader) (string, error) {
		u, err := r.User(id)
		if err == nil {
			_, err = directoryUser(r, u.UserName)
		}
		return string(id), err
	}
	if err := CheckPassword(password); err != nil { // ahead of the current one, which costs a hash
		return c.Refuse(ctx, by, "UpdatePassword", string(id), err)
	}
	a := attempt{by: by, name: string(id), password: current, known: browser, standing: authn.Known, find: find}
	return c.verifyPassword(ctx, a, func(stored Password) error {
		hash, err := c.hashNew(ctx, string(id), password)
		if err != nil {
			return c.Refuse(ctx, by, "UpdatePassword", string(id), err)
		}
		return c.change(ctx, by, ActionUpdatePassword, func(tx Tx) (string, error) {
			if err := c.forgiveMistakes(tx, stored, browser); err != nil {
				return string(id), err
			}
			return string(id), putPassword(tx, string(id), hash, false, authn.Digest(session))
		})
	})
}

// CreateInvitedUser is CreateUser, and Invite for the new user: both or neither.
func (c *Center) CreateInvitedUser(
	ctx context.Context, by audit.Actor, u User, rules ...func(User) error,
) (User, error) {
	secret := authn.NewSecret(32)
	var mail Mail
	u, err := c.createUser(ctx, by, u, func(tx Tx, u User) (err error) {
		if err := c.authorize(tx, by, ActionSendPasswordLink); err != nil {
			return err
		}
		if mail, err = c.passwordLink(tx, u, secret); err != nil {
			return err
		}
		return tx.AppendEvent(c.event(by, ActionSendPasswordLink.name, string(u.ID), nil))
	}, rules...)
	if err == nil {
		c.Mailer.Send(ctx, mail)
	}
	return u, err
}

// NewUser is a user who was made with a password to hand over.
type NewUser struct {
	User
	Password authn.Secret
}

// CreateUserWithPassword is CreateUser, and OneTimePassword for the new user: both or neither.
func (c *Center) CreateUserWithPassword(
	ctx context.Context, by audit.Actor, u User, rules ...func(User) error,
) (NewUser, error) {
	password := authn.NewSecret(12)
	leave, err := c.place(ctx, "set by "+by.Name)
	if err != nil {
		return NewUser{}, err
	}
	hash := authn.HashPassword(password)
	leave()
	u, err = c.createUser(ctx, by, u, func(tx Tx, u User) error {
		if err := c.authorize(tx, by, ActionUpdatePassword); err != nil {
			return err
		}
		return errors.Join(putPassword(tx, string(u.ID), hash, true, ""),
			tx.AppendEvent(c.event(by, ActionUpdatePassword.name, string(u.ID), nil)))
	}, rules...)
	return NewUser{u, authn.Secret(password)}, err
}

// OneTimePassword makes a password for an administrator to hand over. It must be replaced at the
// next sign-in. It is returned here and never again. Everything that was opened with the earlier
// password ends.
func (c *Center) OneTimePassword(ctx context.Context, by audit.Actor, id UserID) (authn.Secret, error) {
	password := authn.NewSecret(12)
	leave, err := c.place(ctx, string(id))
	if err != nil {
		return "", err
	}
	hash := authn.HashPassword(password)
	leave()
	err = c.change(ctx, by, ActionUpdatePassword, func(tx Tx) (string, error) {
		u, err := tx.User(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		if !u.Active {
			return string(id), &refusal.Error{Code: UserDisabled, Subject: u.UserName}
		}
		return string(id), putPassword(tx, string(id), hash, true, "")
	})
	return authn.Secret(password), err
}

// Invite sends a user of the built-in directory a link to set a password with: as an invitation, or
// where the user has a password already, to reset it. It fails with UserNotFound, UserDisabled,
// NoAddress or MailOff.
//
// Where the address is a new one it fails with AddressNew, unless the administrator says that it is
// the user's.
func (c *Center) Invite(ctx context.Context, by audit.Actor, id UserID, addressIsTheirs bool) error {
	secret := authn.NewSecret(32)
	var mail Mail
	err := c.change(ctx, by, ActionSendPasswordLink, func(tx Tx) (_ string, err error) {
		u, err := tx.User(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		if u.AddressIsNew(c.now()) && !addressIsTheirs {
			return string(id), &refusal.Error{Code: AddressNew, Subject: u.UserName}
		}
		mail, err = c.passwordLink(tx, u, secret)
		return string(id), err
	})
	if err == nil {
		c.Mailer.Send(ctx, mail)
	}
	return err
}

// ForgotPassword sends the user of a name a link to set another password with. It says nothing
// about whether there is such a user, and takes as long either way: what it does is done after it
// has returned.
func (c *Center) ForgotPassword(ctx context.Context, by audit.Actor, name string) {
	by.Name = name
	if impossible(name) {
		refused := &refusal.Error{Code: UserNotFound}
		_ = c.Refuse(ctx, by, "ForgotPassword", name, refused) // everybody is answered the same
		return
	}
	c.background(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
		defer cancel()
		secret := authn.NewSecret(32)
		var mail Mail
		err := c.change(ctx, by, ActionForgotPassword, func(tx Tx) (string, error) {
			s, err := currentSource(tx)
			if err != nil {
				return name, err
			}
			u, err := tx.UserByName(name)
			if err != nil {
				return name, refusal.IfNoRow(err, UserNotFound, name)
			}
			if s.Type != Directory {
				return name, &refusal.Error{Code: SignInFailed, Detail: "the user signs in at the identity provider"}
			}
			sent, err := tx.TicketsOf(SetsPassword, string(u.ID))
			if err != nil {
				return name, err
			}
			if slices.ContainsFunc(sent, func(t Ticket) bool { return authn.Within(linkEach, t.CreatedAt, c.now()) }) {
				return name, &refusal.Error{Code: LinkSent, Subject: name}
			}
			if u.AddressIsNew(c.now()) {
				return name, keeping(&refusal.Error{Code: AddressNew, Subject: u.UserName}, c.dateAddress(tx, u))
			}
			mail, err = c.passwordLink(tx, u, secret)
			return name, err
		})
		if err == nil {
			c.Mailer.Send(ctx, mail)
		} else if code := refusal.CodeOf(err); code == refusal.None || code.Kind() == refusal.Unavailable {
			c.Log.ErrorContext(ctx, "forgotten password", "request_id", by.RequestID, "error", err)
		}
	})
}

// passwordLink makes a ticket to set a password with, which ends earlier ones, and the mail that
// carries it.
func (c *Center) passwordLink(tx Tx, u User, secret string) (Mail, error) {
	switch {
	case c.Mailer == nil:
		return Mail{}, &refusal.Error{Code: MailOff}
	case !u.Active:
		return Mail{}, &refusal.Error{Code: UserDisabled, Subject: u.UserName}
	case u.PrimaryEmail() == "":
		return Mail{}, &refusal.Error{Code: NoAddress, Subject: u.UserName}
	}
	_, err := tx.Password(string(u.ID))
	invitation := errors.Is(err, refusal.ErrNoRow)
	if err != nil && !invitation {
		return Mail{}, err
	}
	lifetime := resetLifetime
	if invitation {
		lifetime = invitationLifetime
	}
	err = errors.Join(
		tx.DeleteTicketsOf(SetsPassword, string(u.ID)),
		tx.PutTicket(Ticket{
			Digest:    authn.Digest(secret),
			Purpose:   SetsPassword,
			Principal: string(u.ID),
			CreatedAt: c.now(),
			ExpiresAt: c.now().Add(lifetime),
		}),
	)
	link := c.URL + PasswordPath + "?ticket=" + url.QueryEscape(secret)
	return passwordMail(u, link, invitation, c.now().Add(lifetime)), err
}

// PasswordPath is where links in emails lead. The sign-in door serves it.
const PasswordPath = "/platform/password" // #nosec G101 -- a path

// PasswordTicket returns whose password the holder of a link may set, or fails with TicketInvalid.
func (c *Center) PasswordTicket(ctx context.Context, secret string) (u User, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		t, err := c.ticket(r, SetsPassword, secret)
		if err != nil {
			return err
		}
		u, err = r.User(UserID(t.Principal))
		return refusal.IfNoRow(err, TicketInvalid, t.Principal)
	})
	return u, err
}

// SetPasswordWithTicket sets the password that a link in an email is for, once, and ends the user's
// sessions: somebody else may know a forgotten password. The user signs in with the new one
// afterwards. It fails with TicketInvalid, UserDisabled, PasswordUnfit or PasswordReused.
func (c *Center) SetPasswordWithTicket(ctx context.Context, by audit.Actor, secret, password string) error {
	u, err := c.PasswordTicket(ctx, secret)
	if err != nil {
		return c.Refuse(ctx, by, "UpdatePassword", "", err)
	}
	by.Kind, by.Name = audit.User, u.UserName
	hash, err := c.newPassword(ctx, string(u.ID), password)
	if err != nil {
		return c.Refuse(ctx, by, "UpdatePassword", string(u.ID), err)
	}
	return c.change(ctx, by, ActionUpdatePassword, func(tx Tx) (string, error) {
		if _, err := c.ticket(tx, SetsPassword, secret); err != nil { // used meanwhile
			return string(u.ID), err
		}
		fresh, err := tx.User(u.ID)
		if err == nil && !fresh.Active {
			err = &refusal.Error{Code: UserDisabled, Subject: u.UserName}
		}
		if err != nil {
			return string(u.ID), refusal.IfNoRow(err, TicketInvalid, string(u.ID))
		}
		return string(u.ID), putPassword(tx, string(u.ID), hash, false, "")
	})
}
