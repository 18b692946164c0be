package tenant

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ApplicationPassword is a secret of an application or of its service principal, by which it proves
// itself for tokens. Only its digest is kept. Source: passwordCredential resource type.
type ApplicationPassword struct {
	KeyID       string
	DisplayName string `json:",omitempty"`
	Hint        string // its first three characters
	Digest      string
	Start       time.Time
	End         time.Time
}

const (
	//bound:rows passwords of an application, and as many of its service principal
	maxPasswords = 50
	// passwordYears is how long a password is good when nobody says. Source: application:
	// addPassword.
	passwordYears = 2
	maxHint       = 3   //bound:none how much of a password is shown
	maxLabel      = 256 //bound:text the name of an application's password
)

// newSecretOf makes the secret of a password.
func (t *Tenant) newSecretOf(p *ApplicationPassword) (authn.Secret, error) {
	invalid := func(subject, detail string) error {
		return &refusal.Error{Code: InvalidValue, Subject: subject, Detail: detail}
	}
	if p.Start.IsZero() {
		p.Start = t.now()
	}
	if p.End.IsZero() {
		p.End = p.Start.AddDate(passwordYears, 0, 0)
	}
	p.Start, p.End = p.Start.UTC(), p.End.UTC()
	switch {
	case utf8.RuneCountInString(p.DisplayName) > maxLabel:
		return "", invalid("displayName", "use at most 256 characters")
	case !p.End.After(p.Start):
		return "", invalid("endDateTime", "it must be after startDateTime")
	case !p.End.After(t.now()):
		return "", invalid("endDateTime", "it must be in the future")
	case p.End.Year() > 9999:
		return "", invalid("endDateTime", "it is not a date")
	}
	secret := authn.NewSecret(30)
	p.KeyID = t.NewID()
	p.Hint, p.Digest = secret[:maxHint], authn.Digest(secret)
	return authn.Secret(secret), nil
}

// passwordsOf are those of an application, or of its service principal.
func (a *Application) passwordsOf(principal bool) *[]ApplicationPassword {
	if principal {
		return &a.PrincipalPasswords
	}
	return &a.Passwords
}

// AddPassword gives an application or its service principal a secret, which is returned here and
// never again. It fails with ApplicationNotFound or InvalidValue. Sources: application:
// addPassword, servicePrincipal: addPassword.
func (t *Tenant) AddPassword(
	ctx context.Context, by audit.Actor, id AnyApplicationID, principal bool, p ApplicationPassword,
) (ApplicationPassword, authn.Secret, error) {
	secret, err := t.newSecretOf(&p)
	if err != nil {
		return p, "", err
	}
	_, err = t.UpdateApplication(ctx, by, id, func(a *Application) error {
		all := a.passwordsOf(principal)
		if len(*all) >= maxPasswords {
			return &refusal.Error{Code: InvalidValue, Subject: "passwordCredentials",
				Detail: "there are 50 already: remove one first"}
		}
		*all = append(slices.Clone(*all), p)
		return nil
	})
	return p, secret, err
}

// RemovePassword takes a secret away: it is refused at once. It fails with ApplicationNotFound or
// InvalidValue.
func (t *Tenant) RemovePassword(
	ctx context.Context, by audit.Actor, id AnyApplicationID, principal bool, keyID string,
) error {
	_, err := t.UpdateApplication(ctx, by, id, func(a *Application) error {
		all := a.passwordsOf(principal)
		i := slices.IndexFunc(*all, func(p ApplicationPassword) bool { return strings.EqualFold(p.KeyID, keyID) })
		if i < 0 {
			return &refusal.Error{Code: InvalidValue, Subject: "keyId", Detail: "no password has this keyId"}
		}
		*all = slices.Delete(slices.Clone(*all), i, i+1)
		return nil
	})
	return err
}

// asClient is the application as a program that calls Graph: one that has a password, and acts for
// people who sign in. Nobody can grant it application permissions.
func (a Application) asClient() (Client, error) {
	passwords := slices.Concat(a.Passwords, a.PrincipalPasswords)
	switch {
	case a.NoPrincipal, len(passwords) == 0:
		return Client{}, refusal.ErrNoRow
	case !a.Enabled:
		return Client{}, &refusal.Error{Code: ApplicationDisabled, Subject: a.DisplayName}
	}
	return Client{
		ID: a.AppID, DisplayName: a.DisplayName, Permissions: []string{}, RedirectURIs: a.ReplyURLs,
		CreatedAt: a.CreatedAt, Application: &a,
	}, nil
}

// checkPassword checks a secret of an application: ClientInvalid, or SecretExpired for one that is
// no longer good.
func (a Application) checkPassword(secret string, now time.Time) error {
	digest := authn.Digest(secret)
	known := false
	for _, p := range slices.Concat(a.Passwords, a.PrincipalPasswords) {
		if !authn.Equal(p.Digest, digest) {
			continue
		}
		if !now.Before(p.Start) && now.Before(p.End) {
			return nil
		}
		known = known || !now.Before(p.End)
	}
	if known {
		return &refusal.Error{Code: SecretExpired, Subject: string(a.AppID)}
	}
	return &refusal.Error{Code: ClientInvalid, Subject: string(a.AppID)}
}
