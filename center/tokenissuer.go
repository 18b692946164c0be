package center

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TokenIssuer is a trusted token issuer: an OAuth 2.0 authorization server whose JWTs name users of
// this center.
type TokenIssuer struct {
	ARN                        string
	Name                       string // 1 to 255 characters
	IssuerURL                  string // never changes
	ClaimAttributePath         string // the claim that names the user
	IdentityStoreAttributePath string // the attribute that it is compared with
	Tags                       []Tag  // in the order of their keys
}

// tokenIssuerReader reads trusted token issuers.
type tokenIssuerReader interface {
	TokenIssuer(arn string) (TokenIssuer, error)
	TokenIssuers() ([]TokenIssuer, error)
}

// tokenIssuerWriter writes trusted token issuers.
type tokenIssuerWriter interface {
	PutTokenIssuer(TokenIssuer) error
	DeleteTokenIssuer(arn string) error
}

// MaxTokenIssuers bounds the trusted token issuers of an instance. Source: user guide, quotas.
const MaxTokenIssuers = 10 //bound:rows trusted token issuers

// maxIssuer bounds the address of an issuer, in bytes. Source: the service model.
const maxIssuer = 512 //bound:text the address of a trusted token issuer, in bytes

var (
	tokenIssuerName = newPattern(`^[\w+=,.@-]{1,255}$`)
	claimPath       = newPattern(`^\p{L}+([._]\p{L}+){0,2}$`)
	storePath       = newPattern(`^\p{L}+(\.\p{L}+){0,2}$`)
)

func (i TokenIssuer) check() error {
	refuse := func(field, detail string) error {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: detail}
	}
	u, err := url.Parse(i.IssuerURL)
	switch {
	case !tokenIssuerName.match(i.Name):
		return refuse("Name", "use 1 to 255 letters, digits or + = , . @ - _")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" ||
		u.Fragment != "" || len(i.IssuerURL) > maxIssuer:
		return refuse("IssuerUrl", "use an http or https URL without a query or fragment")
	case !claimPath.match(i.ClaimAttributePath):
		return refuse("ClaimAttributePath", "use the name of a claim, such as email")
	case !storePath.match(i.IdentityStoreAttributePath):
		return refuse("IdentityStoreAttributePath", "use the path of an attribute, such as emails.value")
	}
	return nil
}

// usersBy are the attributes that find a user, by their paths in the identity store. Source: user
// guide, "Trusted token issuer configuration settings": email, user name, and external ID.
var usersBy = map[string]func(Reader, string) (User, error){
	"emails.value":   Reader.UserByEmail,
	"userName":       Reader.UserByName,
	"externalIds.id": Reader.UserByExternalID,
	"externalId":     Reader.UserByExternalID,
}

// checkNew is check, and refuses a mapping that would find nobody. What was kept before it was
// refused goes on finding nobody.
func (i TokenIssuer) checkNew(old TokenIssuer) error {
	if err := i.check(); err != nil {
		return err
	}
	if usersBy[i.IdentityStoreAttributePath] == nil && i.IdentityStoreAttributePath != old.IdentityStoreAttributePath {
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "IdentityStoreAttributePath",
			Detail: "use emails.value, userName or externalIds.id, which name one user",
		}
	}
	return nil
}

// userOf finds the user whom the claims of a token name.
func (i TokenIssuer) userOf(r Reader, claims map[string]any) (User, error) {
	refuse := func(detail string) (User, error) {
		return User{}, &refusal.Error{Code: AssertionUntrusted, Subject: i.ARN, Check: "user", Detail: detail}
	}
	value, _ := claimAt(claims, i.ClaimAttributePath).(string)
	find := usersBy[i.IdentityStoreAttributePath]
	if value == "" || find == nil {
		return refuse("the token has no text at the claim " + i.ClaimAttributePath +
			", or users are not found by " + i.IdentityStoreAttributePath)
	}
	u, err := find(r, value)
	if errors.Is(err, refusal.ErrNoRow) {
		return refuse("no user has the value of the claim " + i.ClaimAttributePath +
			" as " + i.IdentityStoreAttributePath)
	}
	return u, err
}

// claimAt is the value at the path of a claim: of a claim with that very name, or inside of others.
func claimAt(claims map[string]any, path string) any {
	if value, has := claims[path]; has {
		return value
	}
	name, rest, inside := strings.Cut(path, ".")
	within, _ := claims[name].(map[string]any)
	if !inside || within == nil {
		return nil
	}
	return claimAt(within, rest)
}

// issuerOf returns the trusted token issuer that a token says it is of, if the application takes
// tokens of it for one of the audiences; any: whatever the audience.
func (c *Center) issuerOf(r Reader, a Application, token string, audiences []string) (TokenIssuer, error) {
	named, err := c.Assertions.Issuer(token)
	if err != nil {
		return TokenIssuer{}, err
	}
	g, _ := a.grant(GrantJWTBearer)
	for _, authorized := range g.Issuers {
		i, err := r.TokenIssuer(authorized.ARN)
		if errors.Is(err, refusal.ErrNoRow) || err == nil && i.IssuerURL != named {
			continue
		}
		if err != nil || audiences == nil {
			return i, err
		}
		if !slices.ContainsFunc(audiences, func(to string) bool { return slices.Contains(authorized.Audiences, to) }) {
			err = &refusal.Error{
				Code:    AssertionUntrusted,
				Subject: i.ARN,
				Check:   "audience",
				Want:    strings.Join(authorized.Audiences, " "),
				Got:     audit.Cut(strings.Join(audiences, " "), maxIssuer),
			}
		}
		return i, err
	}
	return TokenIssuer{}, &refusal.Error{
		Code:    AssertionUntrusted,
		Subject: a.ARN,
		Check:   "issuer",
		Got:     audit.Cut(named, maxIssuer),
	}
}

// readAssertion checks the token of a trusted token issuer that an application takes tokens of.
// Who may not ask for tokens has nobody asked for keys.
func (c *Center) readAssertion(ctx context.Context, who Signatory, asked ApplicationRequest) (Assertion, error) {
	if c.Assertions == nil {
		return Assertion{}, &refusal.Error{Code: GrantTypeUnsupported, Subject: string(asked.Grant)}
	}
	var i TokenIssuer
	err := c.Store.View(ctx, func(r Reader) error {
		a, err := openTo(r, who, asked)
		if err == nil {
			i, err = c.issuerOf(r, a, asked.Assertion, nil)
		}
		return err
	})
	if err != nil {
		return Assertion{}, err
	}
	out, err := c.Assertions.Read(ctx, i.IssuerURL, asked.Assertion)
	if out.Audiences == nil {
		out.Audiences = []string{} // none, which no application takes
	}
	return out, err
}

// CreateTokenIssuer adds a trusted token issuer. It fails with TokenIssuerTaken when another one
// has its issuer URL, and with QuotaExceeded. Repeating a creation with the same client token
// returns what the first one made.
func (c *Center) CreateTokenIssuer(
	ctx context.Context, by audit.Actor, i TokenIssuer, clientToken string,
) (TokenIssuer, error) {
	wanted := i
	i.ARN = fmt.Sprintf(
		"arn:aws:sso::%s:trustedTokenIssuer/%s/tti-%s", c.Instance.OwnerAccountID, c.Instance.shortID(), c.NewID(),
	)
	err := c.change(ctx, by, ActionCreateTrustedTokenIssuer, func(tx Tx) (string, error) {
		made, err := c.idempotentARN(tx, "CreateTrustedTokenIssuer", clientToken, wanted, i.ARN)
		if err != nil {
			return i.Name, err
		}
		if made != i.ARN {
			i, err = tx.TokenIssuer(made)
			return made, refusal.IfNoRow(err, TokenIssuerNotFound, made)
		}
		if err := i.checkNew(TokenIssuer{}); err != nil {
			return i.Name, err
		}
		if i.Tags, err = withTags(nil, i.Tags); err != nil {
			return i.Name, err
		}
		all, err := tx.TokenIssuers()
		switch {
		case err != nil:
			return i.Name, err
		case slices.ContainsFunc(all, func(o TokenIssuer) bool { return o.IssuerURL == i.IssuerURL }):
			return i.Name, &refusal.Error{Code: TokenIssuerTaken, Subject: i.IssuerURL}
		case len(all) >= MaxTokenIssuers:
			return i.Name, &refusal.Error{
				Code:    QuotaExceeded,
				Subject: i.Name,
				Detail:  "at most 10 trusted token issuers",
			}
		}
		return i.ARN, tx.PutTokenIssuer(i)
	})
	return i, err
}

// UpdateTokenIssuer changes a trusted token issuer by edit, which may run more than once. The
// issuer URL never changes. It fails with TokenIssuerNotFound.
func (c *Center) UpdateTokenIssuer(ctx context.Context, by audit.Actor, arn string, edit func(*TokenIssuer)) error {
	return c.change(ctx, by, ActionUpdateTrustedTokenIssuer, func(tx Tx) (string, error) {
		old, err := tx.TokenIssuer(arn)
		if err != nil {
			return arn, refusal.IfNoRow(err, TokenIssuerNotFound, arn)
		}
		i := old
		edit(&i)
		i.ARN, i.IssuerURL = old.ARN, old.IssuerURL
		if err := i.checkNew(old); err != nil {
			return arn, err
		}
		return arn, tx.PutTokenIssuer(i)
	})
}

// DeleteTokenIssuer deletes a trusted token issuer. It fails with TokenIssuerInUse while an
// application's grant names it.
func (c *Center) DeleteTokenIssuer(ctx context.Context, by audit.Actor, arn string) error {
	return c.change(ctx, by, ActionDeleteTrustedTokenIssuer, func(tx Tx) (string, error) {
		if _, err := tx.TokenIssuer(arn); err != nil {
			return arn, refusal.IfNoRow(err, TokenIssuerNotFound, arn)
		}
		applications, err := tx.Applications("", 0)
		if err != nil {
			return arn, err
		}
		for _, a := range applications {
			for _, g := range a.Grants {
				if slices.ContainsFunc(g.Issuers, func(i AuthorizedIssuer) bool { return i.ARN == arn }) {
					return arn, &refusal.Error{Code: TokenIssuerInUse, Subject: a.ARN}
				}
			}
		}
		return arn, tx.DeleteTokenIssuer(arn)
	})
}

// TokenIssuer returns a trusted token issuer, or TokenIssuerNotFound.
func (c *Center) TokenIssuer(ctx context.Context, arn string) (i TokenIssuer, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		i, err = r.TokenIssuer(arn)
		return refusal.IfNoRow(err, TokenIssuerNotFound, arn)
	})
	return i, err
}

// TokenIssuers lists the trusted token issuers in the order of their ARNs.
func (c *Center) TokenIssuers(ctx context.Context) (list []TokenIssuer, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.TokenIssuers()
		return err
	})
	return list, err
}
