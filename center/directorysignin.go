package center

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Signing in to the built-in directory takes a password and, mostly, more: another password where
// it was a one-time one, a second factor, or a device to register. Between its pages a sign-in is a
// ticket.

// Step is what a sign-in waits for.
type Step string

// The steps.
const (
	StepDone     Step = ""
	StepPassword Step = "password" // the user must set another password
	StepFactor   Step = "factor"   // the user must show a second factor
	StepRegister Step = "register" // the user must register one
	StepCode     Step = "code"     // the user must type the code that was sent by email
)

// Progress is how far a sign-in has come: what the browser is to keep, and for how long.
type Progress struct {
	Step     Step
	ReturnTo string

	Ticket         authn.Secret // to go on with; empty when unchanged, or done
	TicketLifetime time.Duration
	Session        authn.Secret // when done
	Lifetime       time.Duration
	Known          authn.Secret // of this browser from now on; empty when it has one
	KnownLifetime  time.Duration
}

// Pending is a sign-in as its next page shows it.
type Pending struct {
	Step     Step
	User     User
	Devices  []MFADevice
	Settings SignInSettings
}

// signingIn is one step of a sign-in in its transaction, which may run more than once.
type signingIn struct {
	waitingSignIn

	trust   bool
	by      audit.Actor
	from    Browser
	session string // the secrets that it may need
	known   string
	code    string
	mail    *Mail
	out     Progress

	breakGlass bool // an administrator has come in while users sign in elsewhere
}

func (c *Center) signingIn(by audit.Actor, from Browser, trust bool) *signingIn {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	// Before the transaction, which may run more than once: all runs mean the same secrets.
	return &signingIn{
		by:      by,
		from:    from,
		trust:   trust,
		session: authn.NewSecret(32),
		known:   authn.NewSecret(32),
		code:    fmt.Sprintf("%06d", n),
	}
}

// SignInUser checks a user's password and goes on to what is needed next. It fails with
// SignInFailed or SignInLocked, also for users who are disabled and while the identity source is an
// external one, and with NoDevice.
func (c *Center) SignInUser(
	ctx context.Context, by audit.Actor, name, password, returnTo string, from Browser,
) (Progress, error) {
	find := func(r Reader) (string, error) {
		u, err := directoryUser(r, name)
		return string(u.ID), err
	}
	by.Name = name
	var s *signingIn
	a := attempt{by: by, name: name, password: password, known: from.Known, find: find}
	err := c.verifyPassword(ctx, a, func(stored Password) error {
		by.Kind = audit.User
		s = c.signingIn(by, from, false)
		return c.beginSignIn(
			ctx, s, stored, name, returnTo, func(r Reader) (User, error) { return directoryUser(r, name) },
		)
	})
	return c.finishStep(ctx, s, err)
}

// beginSignIn makes the ticket of a sign-in whose password was right.
func (c *Center) beginSignIn(ctx context.Context, s *signingIn, stored Password, name, returnTo string,
	find func(Reader) (User, error)) error {
	secret := authn.NewSecret(32)
	return c.change(ctx, s.by, ActionCredentialVerification, func(tx Tx) (string, error) {
		u, err := find(tx)
		if err == nil && string(u.ID) != stored.Principal { // renamed meanwhile
			err = refusal.ErrNoRow
		}
		if err != nil {
			return name, refusal.IfNoRow(err, SignInFailed, "")
		}
		s.user, s.out = u, Progress{Ticket: authn.Secret(secret), TicketLifetime: signInLifetime}
		s.ticket = Ticket{
			Digest:    authn.Digest(secret),
			Purpose:   SigningIn,
			Principal: string(u.ID),
			ReturnTo:  returnTo,
			ExpiresAt: c.now().Add(signInLifetime),
		}
		if err := c.forgiveMistakes(tx, stored, s.from.Known); err != nil {
			return name, err
		}
		return name, c.advance(tx, s)
	})
}

// directoryUser finds a user who may sign in here.
func directoryUser(r Reader, name string) (User, error) {
	s, err := currentSource(r)
	if err != nil {
		return User{}, err
	}
	u, err := r.UserByName(name)
	if err == nil && (s.Type != Directory || !u.Active) {
		err = refusal.ErrNoRow
	}
	return u, err
}

// advance decides what comes next, and opens the session when nothing does.
func (c *Center) advance(tx Tx, s *signingIn) error {
	step, err := c.nextStep(tx, s)
	if err != nil {
		return err
	}
	// It may be of a run of the transaction before this one.
	s.mail = nil
	s.ticket.Step = step
	s.out.Step = step
	s.out.ReturnTo = s.ticket.ReturnTo
	switch step {
	case StepDone:
		return c.completeSignIn(tx, s)
	case StepCode:
		mail := codeMail(s.user, s.code)
		s.mail, s.ticket.CodeDigest = &mail, authn.Digest(s.code)
	case StepPassword, StepFactor, StepRegister:
	}
	return tx.PutTicket(s.ticket)
}

func (c *Center) nextStep(r Reader, s *signingIn) (Step, error) {
	password, err := r.Password(s.ticket.Principal)
	if err != nil {
		return "", refusal.IfNoRow(err, SignInFailed, "")
	}
	if isAdministrator(s.ticket.Principal) {
		return nextOfAdministrator(r, s, password)
	}
	settings, err := signInSettings(r)
	if err != nil {
		return "", err
	}
	browser, err := c.knownBrowser(r, s.from.Known, s.ticket.Principal)
	if err != nil {
		return "", err
	}
	trusted := browser != nil && browser.Trusted && settings.MFA == MFAContextAware &&
		audit.Neighborhood(browser.Address) == audit.Neighborhood(s.by.Address)
	switch {
	// First, and without a factor: such a password is good for nothing but to be replaced. The
	// step after that asks for the factor, which has not been shown.
	case password.OneTime:
		return StepPassword, nil
	case settings.MFA == MFANever || s.ticket.Shown || trusted:
		return StepDone, nil
	}
	devices, err := r.MFADevicesOf(s.ticket.Principal)
	switch {
	case err != nil:
		return "", err
	case len(devices) > 0:
		return StepFactor, nil
	case settings.WithoutDevice == MustRegister:
		return StepRegister, nil
	// Whoever has just changed the address would be sent the code.
	case settings.WithoutDevice == EmailCode && s.user.AddressIsNew(c.now()):
		return "", &refusal.Error{
			Code:    NoDevice,
			Subject: s.user.UserName,
			Detail:  "no code is sent to an email address that is less than a day old",
		}
	case settings.WithoutDevice == EmailCode && c.Mailer != nil && s.user.PrimaryEmail() != "":
		return StepCode, nil
	case settings.WithoutDevice == AllowSignIn:
		return StepDone, nil
	}
	return "", &refusal.Error{Code: NoDevice, Subject: s.user.UserName}
}

// completeSignIn opens the session, and remembers the browser.
func (c *Center) completeSignIn(tx Tx, s *signingIn) error {
	session, err := c.newSession(tx, s.user, s.session, s.by, s.from)
	action := "UserAuthentication"
	if err == nil && isAdministrator(s.ticket.Principal) {
		action, session = ActionConsoleLogin.String(), session.ofConsole(s.user.UserName)
		s.breakGlass, err = c.noteAdministrator(tx, s.by, s.user.UserName)
	}
	if err != nil {
		return err
	}
	s.out.Known, err = c.rememberBrowser(tx, s.ticket.Principal, s.from.Known, s.known, func(browser *Ticket) {
		if s.trust {
			browser.Trusted, browser.Address = true, s.by.Address
		}
	})
	if err != nil {
		return err
	}
	s.out.KnownLifetime = knownLifetime
	s.out.Ticket = ""
	s.out.Session = authn.Secret(s.session)
	s.out.Lifetime = session.ExpiresAt.Sub(session.CreatedAt)
	return errors.Join(addSession(tx, session), tx.DeleteTicket(SigningIn, s.ticket.Digest),
		tx.AppendEvent(c.event(s.by, action, s.user.UserName, nil)))
}

// finishStep sends what a step has to send, after it is kept.
func (c *Center) finishStep(ctx context.Context, s *signingIn, err error) (Progress, error) {
	if err != nil {
		return Progress{}, err
	}
	if s.mail != nil {
		// After the transaction: one that runs again, or fails, must not send.
		c.Mailer.Send(ctx, *s.mail)
	}
	if s.breakGlass {
		c.Log.WarnContext(
			ctx, "audit alert: a local administrator signed in to the console", "administrator", s.user.UserName,
			"address", s.by.Address, "request_id", s.by.RequestID,
		)
	}
	return s.out, nil
}

// PendingSignIn returns a sign-in for its next page, or fails with TicketInvalid.
func (c *Center) PendingSignIn(ctx context.Context, ticket string) (p Pending, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		w, err := c.pendingSignIn(r, ticket)
		if err != nil {
			return err
		}
		devices, err := r.MFADevicesOf(w.ticket.Principal)
		if err != nil {
			return err
		}
		settings, err := signInSettings(r)
		p = Pending{Step: w.ticket.Step, User: w.user, Devices: devices, Settings: settings}
		return err
	})
	return p, err
}

// waitingSignIn is a sign-in between two steps.
type waitingSignIn struct {
	ticket Ticket
	user   User
}

// pendingSignIn finds a sign-in that may still go on.
func (c *Center) pendingSignIn(r Reader, secret string) (w waitingSignIn, err error) {
	if w.ticket, err = c.ticket(r, SigningIn, secret); err != nil {
		return w, err
	}
	principal := w.ticket.Principal
	if isAdministrator(principal) {
		w.user, err = administratorAsUser(r, principal)
		return w, refusal.IfNoRow(err, TicketInvalid, principal)
	}
	if w.user, err = r.User(UserID(principal)); err == nil {
		_, err = directoryUser(r, w.user.UserName)
	}
	return w, refusal.IfNoRow(err, TicketInvalid, principal)
}

// runStep runs one step of a sign-in that waits for it. check may refuse with FactorRefused, which
// is counted: after a few of them the sign-in has to begin again, and after more the user has to
// wait, since whoever sends codes knows the password.
func (c *Center) runStep(
	ctx context.Context, by audit.Actor, ticket string, want Step, trust bool, from Browser,
	check func(Tx, *signingIn) error,
) (Progress, error) {
	p, err := c.PendingSignIn(ctx, ticket)
	if err != nil {
		return Progress{}, c.Refuse(ctx, by, "CredentialVerification", "", err)
	}
	by.Kind, by.Name = audit.User, p.User.UserName
	s := c.signingIn(by, from, trust)
	err = c.change(ctx, by, ActionCredentialVerification, func(tx Tx) (_ string, err error) {
		s.out = Progress{}
		if s.waitingSignIn, err = c.pendingSignIn(tx, ticket); err != nil {
			return by.Name, err
		}
		// No page passes over the step that is due, and a ticket of the portal is none of the
		// console, whose sessions may do more.
		if s.ticket.Step != want || isAdministrator(s.ticket.Principal) != from.Console {
			return by.Name, &refusal.Error{Code: TicketInvalid, Detail: "the sign-in is waiting for another step"}
		}
		password, err := tx.Password(s.ticket.Principal)
		if err != nil {
			return by.Name, refusal.IfNoRow(err, TicketInvalid, "")
		}
		if password.CodeLockout.Locked(c.now()) {
			return by.Name, &refusal.Error{
				Code:   SignInLocked,
				Detail: "too many wrong codes; until " + password.CodeLockout.Until.Format(time.RFC3339),
			}
		}
		// counted in the same transaction, however many come at once
		if err := check(tx, s); refusal.CodeOf(err) == FactorRefused {
			return by.Name, keeping(err, c.countWrongCode(tx, ticket))
		} else if err != nil {
			return by.Name, err
		}
		password, err = tx.Password(s.ticket.Principal) // check may have replaced it
		if err == nil && password.CodeLockout != (authn.Lockout{}) {
			password.CodeLockout = authn.Lockout{}
			err = tx.PutPassword(password)
		}
		return by.Name, errors.Join(err, c.advance(tx, s))
	})
	return c.finishStep(ctx, s, err)
}

func (c *Center) countWrongCode(tx Tx, ticket string) error {
	t, err := c.ticket(tx, SigningIn, ticket)
	if err != nil {
		return err
	}
	p, err := tx.Password(t.Principal)
	if err != nil {
		return err
	}
	// Counted twice: the ticket ends, and the account waits, since whoever knows the password gets
	// another ticket at once.
	p.CodeLockout = p.CodeLockout.Failed(c.now())
	if t.Failures++; t.Failures >= maxFailures {
		return errors.Join(tx.PutPassword(p), tx.DeleteTicket(SigningIn, t.Digest))
	}
	return errors.Join(tx.PutPassword(p), tx.PutTicket(t))
}

// SignInWithNewPassword goes on where a one-time password must be replaced. It fails with
// PasswordUnfit or PasswordReused, too, which change nothing.
func (c *Center) SignInWithNewPassword(
	ctx context.Context, by audit.Actor, ticket, password string, from Browser,
) (Progress, error) {
	p, err := c.PendingSignIn(ctx, ticket)
	if err != nil {
		return Progress{}, c.Refuse(ctx, by, "UpdatePassword", "", err)
	}
	by.Kind, by.Name = audit.User, p.User.UserName
	hash, err := c.newPassword(ctx, string(p.User.ID), password)
	if err != nil {
		return Progress{}, c.Refuse(ctx, by, "UpdatePassword", p.User.UserName, err)
	}
	return c.runStep(ctx, by, ticket, StepPassword, false, from, func(tx Tx, s *signingIn) error {
		if isAdministrator(s.ticket.Principal) {
			return errors.Join(
				replaceOneTime(tx, s, hash), tx.AppendEvent(c.event(by, "UpdatePassword", s.user.UserName, nil)),
			)
		}
		return errors.Join(
			putPassword(tx, s.ticket.Principal, hash, false, ""),
			tx.AppendEvent(c.event(by, "UpdatePassword", s.user.UserName, nil)),
		)
	})
}

// SignInWithCode goes on with the code of an authenticator app, or the one that was sent by email.
// trust declares the browser trusted.
func (c *Center) SignInWithCode(
	ctx context.Context, by audit.Actor, ticket, code string, trust bool, from Browser,
) (Progress, error) {
	p, err := c.PendingSignIn(ctx, ticket)
	if err != nil {
		return Progress{}, c.Refuse(ctx, by, "CredentialVerification", "", err)
	}
	want := StepFactor
	if p.Step == StepCode {
		want = StepCode
	}
	return c.runStep(ctx, by, ticket, want, trust, from, func(tx Tx, s *signingIn) error {
		s.ticket.Shown = true
		if want == StepCode {
			if !authn.Equal(s.ticket.CodeDigest, authn.Digest(code)) {
				return &refusal.Error{Code: FactorRefused, Detail: "wrong code from the email"}
			}
			return nil
		}
		devices, err := tx.MFADevicesOf(s.ticket.Principal)
		if err != nil {
			return err
		}
		return c.showAnyCode(tx, devices, code)
	})
}

// KeyOptions asks for a security key: JSON for navigator.credentials.get. It is empty where the
// user has none, or none that works at this address.
func (c *Center) KeyOptions(ctx context.Context, ticket string) (options string, err error) {
	if c.relyingParty == nil {
		return "", nil
	}
	err = c.Store.Update(ctx, func(tx Tx) error {
		w, err := c.pendingSignIn(tx, ticket)
		if err != nil {
			return err
		}
		devices, err := tx.MFADevicesOf(w.ticket.Principal)
		if err != nil || countDevices(devices, SecurityKey) == 0 {
			return err
		}
		challenge, err := c.relyingParty.BeginLogin(holder(w.ticket.Principal, w.user.UserName, devices))
		if err != nil {
			return err
		}
		// A new challenge each time: an answer that was recorded is good for no other.
		options, w.ticket.Challenge = string(challenge.Options), challenge.State
		return tx.PutTicket(w.ticket)
	})
	return options, err
}

// SignInWithKey goes on with a security key's answer to KeyOptions.
func (c *Center) SignInWithKey(
	ctx context.Context, by audit.Actor, ticket string, response []byte, trust bool, from Browser,
) (Progress, error) {
	return c.runStep(ctx, by, ticket, StepFactor, trust, from, func(tx Tx, s *signingIn) error {
		all, err := tx.MFADevicesOf(s.ticket.Principal)
		if err != nil {
			return err
		}
		var keys []MFADevice
		for _, d := range all {
			if d.Type == SecurityKey {
				keys = append(keys, d)
			}
		}
		if c.relyingParty == nil || len(s.ticket.Challenge) == 0 {
			return &refusal.Error{Code: FactorRefused, Detail: "no security key was requested"}
		}
		used, err := c.relyingParty.FinishLogin(
			holder(s.ticket.Principal, s.user.UserName, keys), s.ticket.Challenge, response,
		)
		if err != nil {
			return &refusal.Error{Code: FactorRefused, Detail: err.Error()}
		}
		s.ticket.Shown, s.ticket.Challenge = true, nil
		key := keys[used.Index]
		key.Credential, key.LastUsedAt = used.Credential, c.now()
		return tx.PutMFADevice(key)
	})
}

// EnrolSigningIn is Enrol for a user whose sign-in waits for a device.
func (c *Center) EnrolSigningIn(ctx context.Context, ticket string) (Enrolment, error) {
	p, err := c.PendingSignIn(ctx, ticket)
	if err != nil {
		return Enrolment{}, err
	}
	if p.Step != StepRegister {
		return Enrolment{}, &refusal.Error{Code: TicketInvalid, Detail: "the sign-in is waiting for another step"}
	}
	return c.Enrol(ctx, string(p.User.ID), p.User.UserName)
}

// SignInWithNewDevice goes on with the device that the user has registered.
func (c *Center) SignInWithNewDevice(
	ctx context.Context, by audit.Actor, ticket string, in NewDevice, from Browser,
) (Progress, error) {
	return c.runStep(ctx, by, ticket, StepRegister, false, from, func(tx Tx, s *signingIn) error {
		s.ticket.Shown = true
		return errors.Join(
			c.finishEnrolment(tx, s.ticket.Principal, in),
			tx.AppendEvent(c.event(s.by, "RegisterMfaDevice", s.user.UserName, nil)),
		)
	})
}
