package center

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// The scopes that every application has. Source: the service model, CreateTokenWithIAM.
const (
	ScopeOpenID          = "openid"               // the answer has an ID token
	ScopeAWS             = "aws"                  // which says of which instance and application the token is
	ScopeIdentityContext = "sts:identity_context" // and what AWS services know the person by
)

// Scopes are those that the tokens of an application may have: what every application has, and what
// PutApplicationAccessScope gave it.
func (a Application) Scopes() []string {
	all := []string{ScopeOpenID, ScopeAWS, ScopeIdentityContext}
	for _, s := range a.AccessScopes {
		if !slices.Contains(all, s.Scope) {
			all = append(all, s.Scope)
		}
	}
	return all
}

// grant returns the application's grant of a type, if it has it.
func (a Application) grant(of GrantType) (Grant, bool) {
	i := slices.IndexFunc(a.Grants, func(g Grant) bool { return g.Type == of })
	if i < 0 {
		return Grant{}, false
	}
	return a.Grants[i], true
}

// SetGrant gives the application a grant, in place of the one of its type.
func (a *Application) SetGrant(g Grant) {
	_ = a.RemoveGrant(g.Type) // it may be new
	a.Grants = append(a.Grants, g)
	slices.SortFunc(a.Grants, func(x, y Grant) int { return strings.Compare(string(x.Type), string(y.Type)) })
}

// RemoveGrant takes a grant away. It fails with GrantNotFound.
func (a *Application) RemoveGrant(of GrantType) error {
	n := len(a.Grants)
	if a.Grants = slices.DeleteFunc(a.Grants, func(g Grant) bool { return g.Type == of }); len(a.Grants) == n {
		return &refusal.Error{Code: GrantNotFound, Subject: string(of)}
	}
	return nil
}

// SetScope gives the application a scope, in place of the one of its name.
func (a *Application) SetScope(s AccessScope) {
	_ = a.RemoveScope(s.Scope) // it may be new
	a.AccessScopes = append(a.AccessScopes, s)
	slices.SortFunc(a.AccessScopes, func(x, y AccessScope) int { return strings.Compare(x.Scope, y.Scope) })
}

// RemoveScope takes a scope away. It fails with AccessScopeNotFound.
func (a *Application) RemoveScope(name string) error {
	n := len(a.AccessScopes)
	a.AccessScopes = slices.DeleteFunc(a.AccessScopes, func(s AccessScope) bool { return s.Scope == name })
	if len(a.AccessScopes) == n {
		return &refusal.Error{Code: AccessScopeNotFound, Subject: name}
	}
	return nil
}

// open fails with ApplicationDisabled, or with GrantNotAllowed where the application does not have
// a grant.
func (a Application) open(to GrantType) error {
	if !a.Enabled {
		return &refusal.Error{Code: ApplicationDisabled, Subject: a.ARN}
	}
	if _, has := a.grant(to); !has {
		return &refusal.Error{Code: GrantNotAllowed, Subject: a.ARN, Detail: string(to)}
	}
	return nil
}

// narrowed are the scopes that are granted of those that are asked for; none: all that may be had.
// It fails with ScopeNotGranted.
func narrowed(asked, allowed []string) ([]string, error) {
	if len(asked) == 0 {
		return allowed, nil
	}
	var granted []string
	for _, s := range asked {
		if !slices.Contains(allowed, s) {
			return nil, &refusal.Error{Code: ScopeNotGranted, Subject: s[:min(len(s), maxScope)]}
		}
		if !slices.Contains(granted, s) {
			granted = append(granted, s)
		}
	}
	return granted, nil
}

// maxScope bounds how much of a scope is repeated. Source: the service model has no longer ones.
const maxScope = 152 //bound:none of a message

// AuthorizingClient returns who asks a person for an authorization code: a registered program, or
// an application by its ARN. An application restricts what the program may ask for that was
// registered for it: scopes, grants and redirect URIs. It fails with ClientInvalid,
// ApplicationDisabled or GrantNotAllowed.
func (c *Center) AuthorizingClient(ctx context.Context, id string) (OAuthClient, error) {
	isApplication := strings.HasPrefix(id, "arn:")
	client := OAuthClient{Application: id}
	var err error
	if !isApplication {
		client, err = c.OAuthClient(id)
	}
	if err != nil || client.Application == "" {
		return client, err
	}
	var a Application
	if err = c.Store.Get(ctx, func(r Reader) (err error) {
		a, err = r.Application(client.Application)
		return err
	}); err != nil {
		return client, refusal.IfNoRow(err, ClientInvalid, "")
	}
	if err := a.open(GrantAuthorizationCode); err != nil {
		return client, err
	}
	g, _ := a.grant(GrantAuthorizationCode)
	if isApplication {
		client = OAuthClient{
			Name:         a.Name,
			Scopes:       a.Scopes(),
			RedirectURIs: g.RedirectURIs,
			Application:  a.ARN,
			Signs:        true,
			digest:       authn.Digest(a.ARN),
		}
		return client, nil
	}
	client.Scopes = slices.DeleteFunc(
		slices.Clone(client.Scopes), func(s string) bool { return !slices.Contains(a.Scopes(), s) },
	)
	client.RedirectURIs = slices.DeleteFunc(
		slices.Clone(client.RedirectURIs), func(text string) bool { return !receives(g.RedirectURIs, text) },
	)
	return client, nil
}

// receives says whether one of the redirect URIs receives what goes to another one.
func receives(uris []string, text string) bool {
	asked, err := authn.ParseRedirectURI(text)
	return err == nil && slices.ContainsFunc(uris, func(registered string) bool {
		known, err := authn.ParseRedirectURI(registered)
		return err == nil && known.Receives(asked)
	})
}

// registerFor checks the registration of a program for an application. It fails with
// ApplicationNotFound, ApplicationDisabled, ScopeInvalid and RedirectInvalid.
func (c *Center) registerFor(ctx context.Context, client OAuthClient) error {
	a, err := c.Application(ctx, client.Application)
	if err != nil {
		return err
	}
	if !a.Enabled {
		return &refusal.Error{Code: ApplicationDisabled, Subject: a.ARN}
	}
	for _, s := range client.Scopes {
		if !slices.Contains(a.Scopes(), s) {
			return &refusal.Error{Code: ScopeNotGranted, Subject: s[:min(len(s), maxScope)]}
		}
	}
	g, _ := a.grant(GrantAuthorizationCode)
	for _, text := range client.RedirectURIs {
		if !receives(g.RedirectURIs, text) {
			return &refusal.Error{Code: RedirectInvalid, Subject: text}
		}
	}
	return nil
}
