package center

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ProvisioningTenant is the SCIM endpoint of automatic provisioning; there is at most one.
type ProvisioningTenant struct {
	ID        string // the path segment of the endpoint: 3 alphanumerics, 8 hex digits, and the rest of a UUID
	CreatedAt time.Time
}

// Profile is the dialect of SCIM that a token's bearer speaks.
type Profile string

// The profiles.
const (
	ProfileAWS      Profile = "aws"      // what IAM Identity Center's endpoint does, limits included
	ProfileStandard Profile = "standard" // RFC 7643 and RFC 7644
)

// BearerToken is a SCIM access token. Only its digest is kept.
type BearerToken struct {
	ID              string
	TenantID        string
	Digest          string
	Profile         Profile // empty in tokens of the first release: ProfileAWS
	CreatedAt       time.Time
	ExpiresAt       time.Time
	LastUsedAt      time.Time // zero: never used
	LastUsedAddress string
	WarnedAt        time.Time // when the audit log last said that it expires soon

	Stored string `json:"-"` // the text that it is stored as, where it was read by its digest
}

// provisioningReader reads the provisioning endpoint and its tokens.
type provisioningReader interface {
	ProvisioningTenant() (ProvisioningTenant, error)
	BearerToken(id string) (BearerToken, error)
	BearerTokenByDigest(string) (BearerToken, error)
	BearerTokens() ([]BearerToken, error)
}

// provisioningWriter writes the provisioning endpoint and its tokens.
type provisioningWriter interface {
	PutProvisioningTenant(ProvisioningTenant) error
	DeleteProvisioningTenant() error
	PutBearerToken(BearerToken) error
	DeleteBearerToken(id string) error
	// RequireBearerToken has the transaction fail with ErrNoLongerSo, at the latest at its end,
	// unless a token is stored as it was read by its digest.
	RequireBearerToken(BearerToken) error
}

// Standard says whether the token's bearer speaks the standard profile.
func (t BearerToken) Standard() bool { return t.Profile == ProfileStandard }

// DaysLeft is how many whole days the token is valid for at a moment; negative after its end.
func (t BearerToken) DaysLeft(now time.Time) int {
	return int(math.Floor(t.ExpiresAt.Sub(now).Hours() / 24))
}

// ExpiresSoon says whether people should be told: from 90 days before the end. Source: user guide,
// "Rotate an access token".
func (t BearerToken) ExpiresSoon(now time.Time) bool { return t.ExpiresAt.Sub(now) <= warnBefore }

// warnEach is how often the audit log repeats a warning. Source: user guide, the events of the
// Health Dashboard.
func (t BearerToken) warnEach(now time.Time) time.Duration {
	const day = 24 * time.Hour
	switch left := t.ExpiresAt.Sub(now); {
	case left > 60*day:
		return 7 * day
	case left > 30*day:
		return 7 * day / 2
	case left > 15*day:
		return 7 * day / 3
	}
	return day
}

// Rules of access tokens. Source: user guide, "How to use automatic provisioning".
const (
	TokenLifetime = 365 * 24 * time.Hour //bound:life a SCIM token
	MaxTokens     = 2                    //bound:rows SCIM tokens
	warnBefore    = 90 * 24 * time.Hour  //bound:none when a warning begins
	// lastUsedStep is how coarsely the last use is recorded, so that a cycle of many requests does
	// not write each time.
	lastUsedStep = time.Minute //bound:none how coarsely the last use is recorded
)

// SCIMEndpoint is the tenant URL that an identity provider is given, with its trailing slash.
func (c *Center) SCIMEndpoint(t ProvisioningTenant) string { return c.URL + "/" + t.ID + "/scim/v2/" }

// ProvisioningTenant returns the SCIM tenant, or ProvisioningOff.
func (c *Center) ProvisioningTenant(ctx context.Context) (t ProvisioningTenant, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		t, err = r.ProvisioningTenant()
		return refusal.IfNoRow(err, ProvisioningOff, "")
	})
	return t, err
}

// ExternalIDIssuer is the issuer under which external ids written by SCIM appear in the
// identitystore API.
func (c *Center) ExternalIDIssuer(ctx context.Context) (issuer string, err error) {
	if known, ok := known(ctx, c, &c.remembered.issuers, ""); ok {
		return known, nil
	}
	age := c.remembered.issuers.Age()
	err = c.Store.Get(ctx, func(r Reader) error {
		t, err := r.ProvisioningTenant()
		if errors.Is(err, refusal.ErrNoRow) {
			t.ID, err = c.Instance.IdentityStoreID, nil
		}
		issuer = "https://scim.aws.com/" + t.ID
		return err
	})
	if err == nil && c.mayKeep() {
		c.remembered.issuers.Keep("", issuer, age)
	}
	return issuer, err
}

// CreateProvisioningTenant enables automatic provisioning. It fails with SourceNotConfigured while
// the identity source is the built-in directory, and with ProvisioningOn.
func (c *Center) CreateProvisioningTenant(ctx context.Context, by audit.Actor) (ProvisioningTenant, error) {
	t := ProvisioningTenant{ID: authn.NewHex(2)[:3] + c.NewID(), CreatedAt: c.now()}
	defer c.remembered.forget()
	err := c.change(ctx, by, ActionCreateProvisioningTenant, func(tx Tx) (string, error) {
		s, err := currentSource(tx)
		if err != nil {
			return t.ID, err
		}
		if s.Type != ExternalIdP {
			return t.ID, &refusal.Error{
				Code:   SourceNotConfigured,
				Detail: "change the identity source to an external identity provider first",
			}
		}
		if _, err := tx.ProvisioningTenant(); err == nil {
			return t.ID, &refusal.Error{Code: ProvisioningOn}
		} else if !errors.Is(err, refusal.ErrNoRow) {
			return t.ID, err
		}
		return t.ID, tx.PutProvisioningTenant(t)
	})
	return t, err
}

// DeleteProvisioningTenant disables automatic provisioning. Users and groups stay and become
// editable. Tokens must be deleted first: it fails with TokensRemain.
func (c *Center) DeleteProvisioningTenant(ctx context.Context, by audit.Actor) error {
	defer c.remembered.forget()
	return c.change(ctx, by, ActionDeleteProvisioningTenant, func(tx Tx) (string, error) {
		t, err := tx.ProvisioningTenant()
		if err != nil {
			return "", refusal.IfNoRow(err, ProvisioningOff, "")
		}
		tokens, err := tx.BearerTokens()
		if err != nil {
			return t.ID, err
		}
		if len(tokens) > 0 {
			return t.ID, &refusal.Error{Code: TokensRemain}
		}
		return t.ID, tx.DeleteProvisioningTenant()
	})
}

// NewBearerToken is an access token with its secret.
type NewBearerToken struct {
	BearerToken
	Secret authn.Secret
}

// CreateBearerToken makes an access token of one year for a profile (empty: ProfileAWS). The secret
// is returned here and never again. At most two exist at a time, so that one can be replaced
// without a gap: it fails with TooManyTokens.
func (c *Center) CreateBearerToken(
	ctx context.Context, by audit.Actor, profile Profile,
) (NewBearerToken, error) {
	if profile == "" {
		profile = ProfileAWS
	}
	secret := authn.NewSecret(384) // 512 characters; the real ones have 500 to 620
	token := BearerToken{
		ID:        c.NewID(),
		Digest:    authn.Digest(secret),
		Profile:   profile,
		CreatedAt: c.now(),
		ExpiresAt: c.now().Add(TokenLifetime),
	}
	defer c.remembered.forget()
	err := c.change(ctx, by, ActionCreateBearerToken, func(tx Tx) (string, error) {
		if profile != ProfileAWS && profile != ProfileStandard {
			return "", &refusal.Error{Code: InvalidValue, Field: "profile", Detail: "use aws or standard"}
		}
		t, err := tx.ProvisioningTenant()
		if err != nil {
			return "", refusal.IfNoRow(err, ProvisioningOff, "")
		}
		tokens, err := tx.BearerTokens()
		if err != nil {
			return "", err
		}
		if len(tokens) >= MaxTokens {
			return t.ID, &refusal.Error{Code: TooManyTokens}
		}
		token.TenantID = t.ID
		return token.ID, tx.PutBearerToken(token)
	})
	return NewBearerToken{token, authn.Secret(secret)}, err
}

// BearerTokens lists the access tokens.
func (c *Center) BearerTokens(ctx context.Context) (tokens []BearerToken, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		tokens, err = r.BearerTokens()
		return err
	})
	return tokens, err
}

// DeleteBearerToken revokes an access token at once.
func (c *Center) DeleteBearerToken(ctx context.Context, by audit.Actor, id string) error {
	defer c.remembered.forget()
	return c.change(ctx, by, ActionDeleteBearerToken, func(tx Tx) (string, error) {
		if _, err := tx.BearerToken(id); err != nil {
			return id, refusal.IfNoRow(err, TokenNotFound, id)
		}
		return id, tx.DeleteBearerToken(id)
	})
}

// AuthenticateToken returns the token that secret belongs to, when it is valid for the SCIM tenant.
// It fails with TokenInvalid or TokenExpired, without telling one from the other kind of invalid.
// The lookup is by digest, so its time tells nothing. address is where the request came from.
func (c *Center) AuthenticateToken(ctx context.Context, tenant, secret, address string) (BearerToken, error) {
	token, err := c.bearerToken(ctx, authn.Digest(secret))
	if err != nil {
		return BearerToken{}, err
	}
	now := c.now()
	switch {
	case !authn.Equal(token.TenantID, tenant):
		return BearerToken{}, &refusal.Error{
			Code:    TokenInvalid,
			Subject: token.ID,
			Detail:  "the token belongs to another tenant",
		}
	case !now.Before(token.ExpiresAt):
		return BearerToken{}, &refusal.Error{
			Code:    TokenExpired,
			Subject: token.ID,
			Detail:  "expired at " + token.ExpiresAt.Format(time.RFC3339),
		}
	case authn.Within(lastUsedStep, token.LastUsedAt, now):
		return token, nil
	}
	return token, c.noteUse(ctx, func(tx Tx) error {
		fresh, err := tx.BearerToken(token.ID)
		if err != nil {
			return refusal.IfNoRow(err, TokenInvalid, token.ID)
		}
		fresh.LastUsedAt, fresh.LastUsedAddress = now, address
		return tx.PutBearerToken(fresh)
	})
}

func (c *Center) bearerToken(ctx context.Context, digest string) (BearerToken, error) {
	token, ok := trusted(ctx, c, &c.remembered.tokens, digest, c.trustToken)
	if ok {
		return token, nil
	}
	age := c.remembered.tokens.Age()
	err := c.Store.Get(ctx, func(r Reader) (err error) {
		token, err = r.BearerTokenByDigest(digest)
		return refusal.IfNoRow(err, TokenInvalid, "")
	})
	if err == nil && c.mayKeep() {
		c.remembered.tokens.Keep(digest, token, age)
	}
	return token, err
}

// sameRights says whether two readings of a token differ in nothing but its use.
func (t BearerToken) sameRights(other BearerToken) bool {
	return t.ID == other.ID && t.TenantID == other.TenantID && t.Profile == other.Profile &&
		t.ExpiresAt.Equal(other.ExpiresAt)
}

// ExpiringTokens lists the access tokens that people should be told of, the one that ends first at
// the front.
func (c *Center) ExpiringTokens(ctx context.Context) ([]BearerToken, error) {
	tokens, err := c.BearerTokens(ctx)
	now := c.now()
	tokens = slices.DeleteFunc(tokens, func(t BearerToken) bool { return !t.ExpiresSoon(now) })
	slices.SortFunc(tokens, func(a, b BearerToken) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	return tokens, err
}

// WarnOfExpiry leaves an audit event for each access token that expires within 90 days, more often
// as the end comes nearer: an expired one stops provisioning, and nothing else would say so. A
// background job calls it now and then.
func (c *Center) WarnOfExpiry(ctx context.Context) error {
	return c.Store.Update(ctx, func(tx Tx) error {
		tokens, err := tx.BearerTokens()
		if err != nil {
			return err
		}
		now := c.now()
		for _, t := range tokens {
			if !t.ExpiresSoon(now) || authn.Within(t.warnEach(now), t.WarnedAt, now) {
				continue
			}
			t.WarnedAt = now
			e := c.event(audit.SystemActor, "BearerTokenExpiring", t.ID, nil)
			e.Detail = names.Counted(
				"the access token expires at %s, in %d {day|days}; create a second one and give it to the identity provider",
				t.ExpiresAt.Format(time.RFC3339), t.DaysLeft(now),
			)
			if err := errors.Join(tx.PutBearerToken(t), tx.AppendEvent(e)); err != nil {
				return err
			}
		}
		return nil
	})
}
