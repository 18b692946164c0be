package center

import (
	"context"
	"errors"
	"net/mail"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// UsedAssertion remembers an assertion, or a request that was answered, until it would be refused
// for its age anyway.
type UsedAssertion struct {
	ID        string
	ExpiresAt time.Time
}

// assertionReader reads which assertions were used.
type assertionReader interface {
	UsedAssertion(id string) (UsedAssertion, error)
}

// assertionWriter writes which assertions were used.
type assertionWriter interface {
	PutUsedAssertion(UsedAssertion) error
}

// Lifetimes.
const (
	consoleSessionLifetime = 8 * time.Hour //bound:life a console session

	//bound:life a message of the identity provider, beyond its time
	clockSkew = 3 * time.Minute // between the identity provider's clock and ours, as package saml allows for
)

// MaxAssertion is how long an assertion may be, in characters. Source: user guide, limits.
const MaxAssertion = 50_000 //bound:text an assertion, in characters

// CheckNameID refuses the name in an assertion when it is no email address. It says what is wanted.
// Source: user guide, "Troubleshooting": a NameID must be an RFC 2822 address.
func CheckNameID(name string) error {
	if address, err := mail.ParseAddress(name); err != nil || address.Address != name {
		return errors.New("a user name that is an email address")
	}
	return nil
}

// VerifiedAssertion is what a door has verified of a SAML response: signature, issuer, audience,
// recipient and times.
type VerifiedAssertion struct {
	ID                  string
	Issuer              string // entity id of the identity provider that it was verified for
	NameID              string
	InResponseTo        string    // empty: the identity provider started the sign-in
	UsableUntil         time.Time // NotOnOrAfter with the allowed skew
	AuthnInstant        time.Time // when the person signed in there; zero: not said
	SessionNotOnOrAfter time.Time // zero: the identity provider sets no limit
	Attributes          []AssertedAttribute
}

// SignInWithAssertion opens a portal session for the user that a verified assertion names, in one
// transaction with the checks that need memory: the request was made by this browser and not
// answered yet, and the assertion was not used before. It returns the session's secret, how long it
// lasts, and the path to go to. It fails with RequestUnknown, AssertionReplayed, UserNotFound or
// UserDisabled.
func (c *Center) SignInWithAssertion(
	ctx context.Context, by audit.Actor, a VerifiedAssertion, from Browser,
) (_ authn.Secret, lifetime time.Duration, returnTo string, err error) {
	secret := authn.NewSecret(32)
	by.Kind, by.Name = audit.User, a.NameID // the identity provider has said who it is
	err = c.change(ctx, by, ActionExternalIdPDirectoryLogin, func(tx Tx) (string, error) {
		s, err := currentSource(tx)
		if err != nil {
			return a.NameID, err
		}
		if s.Type != ExternalIdP || s.IdP == nil || s.IdP.EntityID != a.Issuer { // changed since it was verified
			return a.NameID, &refusal.Error{
				Code:    SourceNotConfigured,
				Subject: a.Issuer,
				Detail:  "the identity source has changed in the meantime",
			}
		}
		request, err := c.consumeAssertion(tx, a, from)
		if err == nil && request.Rehearsal != "" {
			err = &refusal.Error{Code: RequestUnknown, Subject: a.InResponseTo, Detail: "the request was a rehearsal"}
		}
		if err != nil {
			return a.NameID, err
		}
		// From what the center has sealed, not from RelayState, which anybody on the way may
		// choose.
		returnTo = request.ReturnTo
		u, err := tx.UserByName(a.NameID)
		if errors.Is(err, refusal.ErrNoRow) {
			return a.NameID, unmatched(tx, a.NameID)
		}
		if err != nil {
			return a.NameID, err
		}
		if !u.Active {
			return a.NameID, &refusal.Error{Code: UserDisabled, Subject: a.NameID}
		}
		session, err := c.newSession(tx, u, secret, by, from)
		if err != nil {
			return a.NameID, err
		}
		settings, err := signInSettings(tx)
		if err != nil {
			return a.NameID, err
		}
		if settings.AccessControl {
			if session.Attributes, err = accessControl(a.Attributes); err != nil {
				return a.NameID, err
			}
		}
		if !a.SessionNotOnOrAfter.IsZero() && a.SessionNotOnOrAfter.Before(session.ExpiresAt) {
			session.ExpiresAt = a.SessionNotOnOrAfter // the shorter one counts: user guide, "authentication sessions"
		}
		lifetime = session.ExpiresAt.Sub(session.CreatedAt)
		return a.NameID, errors.Join(tx.PutUsedAssertion(UsedAssertion{a.ID, a.UsableUntil}), addSession(tx, session))
	})
	return authn.Secret(secret), lifetime, returnTo, err
}

// unmatched refuses a name that is no user's, and names the user who may have been meant: most
// often the name is the email address of a user who is called something else here.
func unmatched(r userReader, name string) error {
	refused := &refusal.Error{
		Code:    UserNotFound,
		Subject: name,
		Want:    "a user name that exists here",
		Got:     name,
		Detail: "the identity provider named a user who does not exist here: provision the user, or configure the " +
			"identity provider to send the user name",
	}
	u, err := r.UserByEmail(name)
	if err == nil {
		refused.Want = u.UserName
		refused.Detail = "this is the email address of the user " + u.UserName +
			": configure the identity provider to send the user name, or rename the user"
		return refused
	}
	if errors.Is(err, refusal.ErrNoRow) {
		return refused
	}
	return err
}
