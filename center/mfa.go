package center

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// DeviceType is a kind of second factor.
type DeviceType string

// The kinds.
const (
	Authenticator DeviceType = "TOTP"
	SecurityKey   DeviceType = "WEBAUTHN"
)

// MFADevice is a second factor of a user (by user id) or an administrator (by principal name).
type MFADevice struct {
	ID         string
	Principal  string
	Type       DeviceType
	Name       string
	SealedTOTP string // of an authenticator app
	LastStep   int64  // of the code that was accepted last
	Credential []byte // of a security key, as authn.RelyingParty returned it
	CreatedAt  time.Time
	LastUsedAt time.Time
}

// mfaDeviceReader reads second factors.
type mfaDeviceReader interface {
	MFADevice(id string) (MFADevice, error)
	MFADevicesOf(principal string) ([]MFADevice, error)
}

// mfaDeviceWriter writes second factors.
type mfaDeviceWriter interface {
	PutMFADevice(MFADevice) error
	DeleteMFADevice(id string) error
	DeleteMFADevicesOf(principal string) error
}

// Bounds of devices. Source: user guide, "Available MFA types" (eight in all).
const (
	maxAuthenticators = 2  //bound:rows authenticator apps of a user
	maxSecurityKeys   = 6  //bound:rows security keys of a user
	maxDeviceName     = 64 //bound:text the name of a device, in characters
)

// Devices lists the second factors of a principal.
func (c *Center) Devices(ctx context.Context, principal string) (devices []MFADevice, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		devices, err = r.MFADevicesOf(principal)
		return err
	})
	return devices, err
}

// RenameDevice renames a second factor of a principal. It fails with DeviceNotFound or
// InvalidValue.
func (c *Center) RenameDevice(ctx context.Context, by audit.Actor, principal, id, name string) error {
	return c.change(ctx, by, ActionUpdateMfaDevice, func(tx Tx) (string, error) {
		d, err := c.device(tx, principal, id)
		if err = errors.Join(err, selfService(tx, by)); err != nil {
			return principal, err
		}
		d.Name = strings.TrimSpace(name)
		return principal, errors.Join(checkDeviceName(d.Name), tx.PutMFADevice(d))
	})
}

// DeleteDevice takes a second factor away from a principal, and ends the sessions but for the one
// whose digest is kept: somebody else may have the device, and have signed in with it. It fails
// with DeviceNotFound.
func (c *Center) DeleteDevice(ctx context.Context, by audit.Actor, principal, id, kept string) error {
	return c.change(ctx, by, ActionDeleteMfaDevice, func(tx Tx) (string, error) {
		_, err := c.device(tx, principal, id)
		if err = errors.Join(err, selfService(tx, by)); err != nil {
			return principal, err
		}
		return principal, errors.Join(tx.DeleteMFADevice(id), endCredentials(tx, principal, kept))
	})
}

func (c *Center) device(r mfaDeviceReader, principal, id string) (MFADevice, error) {
	d, err := r.MFADevice(id)
	if err == nil && d.Principal != principal {
		err = refusal.ErrNoRow
	}
	return d, refusal.IfNoRow(err, DeviceNotFound, id)
}

func checkDeviceName(name string) error {
	if name == "" {
		return &refusal.Error{Code: MissingValue, Field: "device name"}
	}
	return checkText("device name", name, maxDeviceName)
}

// Enrolment is a device that is being registered: what the page shows, and the secret to finish
// with.
type Enrolment struct {
	Ticket authn.Secret
	TOTP   *authn.TOTP // nil: authenticator apps may not be registered
	// JSON for navigator.credentials.create; empty: security keys may not be registered, or not at
	// this address
	KeyOptions string
}

// Enrol begins to register a device for a principal, called name, in place of what was begun
// before. It fails with TooManyDevices.
func (c *Center) Enrol(ctx context.Context, principal, name string) (Enrolment, error) {
	secret := authn.NewSecret(32)
	e := Enrolment{Ticket: authn.Secret(secret)}
	settings, err := c.SignInSettings(ctx)
	if err != nil {
		return e, err
	}
	devices, err := c.Devices(ctx, principal)
	if err != nil {
		return e, err
	}
	t := Ticket{
		Digest:    authn.Digest(secret),
		Purpose:   Enrolling,
		Principal: principal,
		ExpiresAt: c.now().Add(signInLifetime),
	}
	if isAdministrator(principal) { // the settings are for users
		settings.Authenticator, settings.SecurityKeys = true, true
	}
	if settings.Authenticator && countDevices(devices, Authenticator) < maxAuthenticators {
		totp, err := authn.NewTOTP("Gatehouse", name)
		if err != nil {
			return e, err
		}
		e.TOTP = &totp
		t.SealedTOTP = c.Sealer.Seal(totpPurpose(principal), []byte(totp.Secret))
	}
	if settings.SecurityKeys && c.relyingParty != nil && countDevices(devices, SecurityKey) < maxSecurityKeys {
		challenge, err := c.relyingParty.BeginRegistration(holder(principal, name, devices))
		if err != nil {
			return e, err
		}
		e.KeyOptions, t.Challenge = string(challenge.Options), challenge.State
	}
	if e.TOTP == nil && e.KeyOptions == "" {
		return e, &refusal.Error{Code: TooManyDevices, Subject: principal}
	}
	return e, c.Store.Update(ctx, func(tx Tx) error {
		// one at a time: pages are loaded again and again
		return errors.Join(tx.DeleteTicketsOf(Enrolling, principal), tx.PutTicket(t))
	})
}

// EnrolFor begins to register a device for a user on behalf of an administrator. It fails with
// NotAllowed, UserNotFound or TooManyDevices.
func (c *Center) EnrolFor(ctx context.Context, by audit.Actor, id UserID) (Enrolment, error) {
	var u User
	err := c.Store.View(ctx, func(r Reader) (err error) {
		if err = c.authorize(r, by, ActionRegisterMfaDevice); err != nil {
			return err
		}
		u, err = r.User(id)
		return refusal.IfNoRow(err, UserNotFound, string(id))
	})
	if err != nil {
		return Enrolment{}, c.Refuse(ctx, by, ActionRegisterMfaDevice.name, string(id), err)
	}
	return c.Enrol(ctx, string(id), u.UserName)
}

func totpPurpose(principal string) string { return "totp/" + principal }

// selfService refuses users who change their devices themselves where that is not allowed.
func selfService(r signInSettingsReader, by audit.Actor) error {
	if by.Kind != audit.User {
		return nil
	}
	s, err := signInSettings(r)
	if err == nil && !s.SelfService {
		err = &refusal.Error{Code: NotAllowed, Detail: "users do not manage their own devices here"}
	}
	return err
}

// holder is a principal with its security keys.
func holder(principal, name string, devices []MFADevice) authn.Holder {
	h := authn.Holder{ID: principal, Name: name, DisplayName: name}
	if isAdministrator(principal) { // a name can be longer than the 64 bytes that there are
		h.ID = authn.Digest(principal)
	}
	for _, d := range devices {
		if d.Type == SecurityKey {
			h.Credentials = append(h.Credentials, d.Credential)
		}
	}
	return h
}

func countDevices(devices []MFADevice, kind DeviceType) (n int) {
	for _, d := range devices {
		if d.Type == kind {
			n++
		}
	}
	return n
}

// NewDevice is what a person sends to finish an enrolment: the code that the app shows, or what the
// security key answered.
type NewDevice struct {
	Ticket   string // of Enrol
	Name     string
	Code     string
	Response []byte
}

// FinishEnrolment registers the device for a principal. It fails with TicketInvalid, FactorRefused,
// InvalidValue or TooManyDevices.
func (c *Center) FinishEnrolment(ctx context.Context, by audit.Actor, principal string, in NewDevice) error {
	return c.change(ctx, by, ActionRegisterMfaDevice, func(tx Tx) (string, error) {
		if err := selfService(tx, by); err != nil {
			return principal, err
		}
		return principal, c.finishEnrolment(tx, principal, in)
	})
}

func (c *Center) finishEnrolment(tx Tx, principal string, in NewDevice) error {
	t, err := c.ticket(tx, Enrolling, in.Ticket)
	if err != nil {
		return err
	}
	if t.Principal != principal {
		return &refusal.Error{Code: TicketInvalid}
	}
	devices, err := tx.MFADevicesOf(principal)
	if err != nil {
		return err
	}
	d := MFADevice{
		ID:         c.NewID(),
		Principal:  principal,
		Name:       strings.TrimSpace(in.Name),
		CreatedAt:  c.now(),
		LastUsedAt: c.now(),
	}
	if err := checkDeviceName(d.Name); err != nil {
		return err
	}
	if len(in.Response) > 0 {
		d.Type = SecurityKey
		if d.Credential, err = c.registerKey(t, holder(principal, d.Name, devices), in.Response); err != nil {
			return err
		}
	} else {
		d.Type, d.SealedTOTP = Authenticator, t.SealedTOTP
		if err := c.showCode(&d, in.Code); err != nil {
			return err
		}
	}
	if countDevices(devices, Authenticator) >= maxAuthenticators && d.Type == Authenticator ||
		countDevices(devices, SecurityKey) >= maxSecurityKeys && d.Type == SecurityKey {
		return &refusal.Error{Code: TooManyDevices, Subject: principal}
	}
	return errors.Join(tx.PutMFADevice(d), tx.DeleteTicket(Enrolling, t.Digest))
}

func (c *Center) registerKey(t Ticket, h authn.Holder, response []byte) ([]byte, error) {
	if c.relyingParty == nil || len(t.Challenge) == 0 {
		return nil, &refusal.Error{Code: FactorRefused, Detail: "security keys cannot be registered here"}
	}
	credential, err := c.relyingParty.FinishRegistration(h, t.Challenge, response)
	if err != nil {
		return nil, &refusal.Error{Code: FactorRefused, Detail: err.Error()}
	}
	return credential, nil
}

// showCode checks the code of an authenticator app and notes its use.
func (c *Center) showCode(d *MFADevice, code string) error {
	if d.SealedTOTP == "" {
		return &refusal.Error{Code: FactorRefused, Detail: "no authenticator app"}
	}
	secret, err := c.Sealer.Open(totpPurpose(d.Principal), d.SealedTOTP)
	if err != nil {
		return err
	}
	step, ok := authn.CheckTOTP(string(secret), strings.ReplaceAll(code, " ", ""), c.now(), d.LastStep)
	if !ok {
		return &refusal.Error{
			Code:   FactorRefused,
			Detail: "wrong or used code; if it persists, check the clock of the device",
		}
	}
	d.LastStep, d.LastUsedAt = step, c.now()
	return nil
}

// showAnyCode looks for the authenticator app among devices that shows this code, and notes its
// use.
func (c *Center) showAnyCode(tx Tx, devices []MFADevice, code string) error {
	err := error(&refusal.Error{Code: FactorRefused, Detail: "no authenticator app is registered"})
	for _, d := range devices {
		if d.Type != Authenticator {
			continue
		}
		if err = c.showCode(&d, code); err == nil {
			return tx.PutMFADevice(d)
		}
	}
	return err
}
