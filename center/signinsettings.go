package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// SignInSettings are what an administrator chooses about sign-in. What concerns MFA counts for the
// built-in directory only: with an external identity provider, its own rules count. Source: user
// guide, "Configure MFA", "Configure session duration", "Attributes for access control".
type SignInSettings struct {
	PortalSession time.Duration // 15 minutes to 90 days
	AccessControl bool          // attributes for access control are taken from assertions, and their rules enforced
	MFA           MFAMode
	WithoutDevice WithoutDevice
	SecurityKeys  bool // may be registered: security keys, passkeys and built-in authenticators
	Authenticator bool // may be registered: authenticator apps
	SelfService   bool // users add, rename and delete their own devices
}

// signInSettingsReader reads the rules for sign-ins.
type signInSettingsReader interface {
	SignInSettings() (SignInSettings, error)
}

// signInSettingsWriter writes the rules for sign-ins.
type signInSettingsWriter interface {
	PutSignInSettings(SignInSettings) error
}

// MFAMode is when a second factor is asked for.
type MFAMode string

// The modes.
const (
	// not in a browser that the user has declared trusted, as long as its address stays the same
	MFAContextAware MFAMode = "CONTEXT_AWARE"
	MFAAlways       MFAMode = "ALWAYS_ON"
	MFANever        MFAMode = "DISABLED"
)

// WithoutDevice is what happens to a user who needs a second factor and has no device.
type WithoutDevice string

// The choices.
const (
	MustRegister WithoutDevice = "REQUIRE_REGISTRATION"
	EmailCode    WithoutDevice = "EMAIL_OTP"
	BlockSignIn  WithoutDevice = "BLOCK"
	AllowSignIn  WithoutDevice = "ALLOW"
)

// Bounds of a portal session.
const (
	MinPortalSession     = 15 * time.Minute    //bound:none the shortest that can be set
	MaxPortalSession     = 90 * 24 * time.Hour //bound:life a portal session, at the most
	DefaultPortalSession = 8 * time.Hour       //bound:life a portal session, unless set otherwise
)

// defaultSignInSettings are a new instance's. Source: user guide, for instances made since 2023.
var defaultSignInSettings = SignInSettings{
	PortalSession: DefaultPortalSession,
	MFA:           MFAContextAware,
	WithoutDevice: MustRegister,
	SecurityKeys:  true,
	Authenticator: true,
	SelfService:   true,
}

func signInSettings(r signInSettingsReader) (SignInSettings, error) {
	s, err := r.SignInSettings()
	if errors.Is(err, refusal.ErrNoRow) {
		return defaultSignInSettings, nil
	}
	return s, err
}

// SignInSettings returns the settings in force.
func (c *Center) SignInSettings(ctx context.Context) (s SignInSettings, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		s, err = signInSettings(r)
		return err
	})
	return s, err
}

// UpdateSignInSettings replaces the settings. Sessions that are open keep their length. It fails
// with InvalidValue.
func (c *Center) UpdateSignInSettings(ctx context.Context, by audit.Actor, s SignInSettings) error {
	return c.EditSignInSettings(ctx, by, func(now *SignInSettings) { *now = s })
}

// EditSignInSettings is UpdateSignInSettings for those that edit changes.
func (c *Center) EditSignInSettings(ctx context.Context, by audit.Actor, edit func(*SignInSettings)) error {
	return c.change(ctx, by, ActionUpdateSignInSettings, func(tx Tx) (string, error) {
		s, err := signInSettings(tx)
		if err != nil {
			return "", err
		}
		edit(&s)
		return "", errors.Join(s.check(), tx.PutSignInSettings(s))
	})
}

func (s SignInSettings) check() error {
	switch {
	case s.PortalSession < MinPortalSession || s.PortalSession > MaxPortalSession:
		return &refusal.Error{Code: InvalidValue, Field: "portal session", Detail: "use 15 minutes to 90 days"}
	case s.MFA != MFAContextAware && s.MFA != MFAAlways && s.MFA != MFANever:
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "MFA mode",
			Detail: "use CONTEXT_AWARE, ALWAYS_ON or DISABLED",
		}
	case s.WithoutDevice != MustRegister && s.WithoutDevice != EmailCode && s.WithoutDevice != BlockSignIn &&
		s.WithoutDevice != AllowSignIn:
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "users without a device",
			Detail: "use REQUIRE_REGISTRATION, EMAIL_OTP, BLOCK or ALLOW",
		}
	case s.MFA != MFANever && !s.SecurityKeys && !s.Authenticator:
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "MFA types",
			Detail: "use security keys, authenticator apps, or both",
		}
	}
	return nil
}
