package ssoadmin

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

type authorizedIssuer struct {
	TrustedTokenIssuerArn string
	AuthorizedAudiences   []string `json:",omitempty"`
}

// grant is a union: the member that is present tells the type.
type grant struct {
	AuthorizationCode *struct {
		RedirectURIs []string `json:"RedirectUris"`
	} `json:",omitzero"`
	JwtBearer *struct {
		AuthorizedTokenIssuers []authorizedIssuer
	} `json:",omitzero"`
	RefreshToken  *struct{} `json:",omitzero"`
	TokenExchange *struct{} `json:",omitzero"`
}

type grantInput struct {
	paging
	ApplicationArn string
	GrantType      string
	Grant          grant
}

// read refuses a grant that is of another type than the input says.
func (in grantInput) read() (center.Grant, error) {
	out := center.Grant{Type: center.GrantType(in.GrantType)}
	var members []center.GrantType
	if g := in.Grant.AuthorizationCode; g != nil {
		members, out.RedirectURIs = append(members, center.GrantAuthorizationCode), g.RedirectURIs
	}
	if g := in.Grant.JwtBearer; g != nil {
		members = append(members, center.GrantJWTBearer)
		for _, i := range g.AuthorizedTokenIssuers {
			out.Issuers = append(
				out.Issuers, center.AuthorizedIssuer{ARN: i.TrustedTokenIssuerArn, Audiences: i.AuthorizedAudiences},
			)
		}
	}
	if in.Grant.RefreshToken != nil {
		members = append(members, center.GrantRefreshToken)
	}
	if in.Grant.TokenExchange != nil {
		members = append(members, center.GrantTokenExchange)
	}
	if len(members) != 1 || members[0] != out.Type {
		return out, invalid("Grant must have exactly the member that belongs to the grant type " + in.GrantType)
	}
	return out, nil
}

func (in grantInput) typed(g center.Grant) bool { return string(g.Type) == in.GrantType }

func showGrant(g center.Grant) (out grant) {
	switch g.Type {
	case center.GrantAuthorizationCode:
		out.AuthorizationCode = &struct {
			RedirectURIs []string `json:"RedirectUris"`
		}{g.RedirectURIs}
	case center.GrantJWTBearer:
		list := []authorizedIssuer{}
		for _, i := range g.Issuers {
			list = append(list, authorizedIssuer{i.ARN, i.Audiences})
		}
		out.JwtBearer = &struct{ AuthorizedTokenIssuers []authorizedIssuer }{list}
	case center.GrantRefreshToken:
		out.RefreshToken = &struct{}{}
	case center.GrantTokenExchange:
		out.TokenExchange = &struct{}{}
	}
	return out
}

func (h *Handler) putGrant(ctx context.Context, who awsapi.Caller, in grantInput) (awsapi.Empty, error) {
	g, err := in.read()
	if err != nil {
		return awsapi.Empty{}, err
	}
	return h.editApplication(
		ctx,
		who,
		center.ActionPutApplicationGrant,
		in.ApplicationArn,
		func(a *center.Application) error {
			a.SetGrant(g)
			return nil
		},
	)
}

type grantOutput struct{ Grant grant }

func (h *Handler) getGrant(ctx context.Context, _ awsapi.Caller, in grantInput) (grantOutput, error) {
	a, err := h.Center.Application(ctx, in.ApplicationArn)
	if err != nil {
		return grantOutput{}, err
	}
	i := slices.IndexFunc(a.Grants, in.typed)
	if i < 0 {
		return grantOutput{}, &refusal.Error{Code: center.GrantNotFound, Subject: in.GrantType}
	}
	return grantOutput{showGrant(a.Grants[i])}, nil
}

func (h *Handler) deleteGrant(ctx context.Context, who awsapi.Caller, in grantInput) (awsapi.Empty, error) {
	return h.editApplication(
		ctx,
		who,
		center.ActionDeleteApplicationGrant,
		in.ApplicationArn,
		func(a *center.Application) error {
			return a.RemoveGrant(center.GrantType(in.GrantType))
		},
	)
}

type typedGrant struct {
	GrantType string
	Grant     grant
}

type grantsOutput struct{ Grants []typedGrant }

// listGrants answers in one page, which no other follows: there are four types of grant.
func (h *Handler) listGrants(ctx context.Context, _ awsapi.Caller, in grantInput) (grantsOutput, error) {
	out := grantsOutput{[]typedGrant{}}
	p, err := in.of(1, "ListApplicationGrants", in.ApplicationArn)
	if err != nil {
		return out, err
	}
	a, err := h.Center.Application(ctx, in.ApplicationArn)
	grants, _ := whole(p, a.Grants, func(g center.Grant) string { return string(g.Type) })
	for _, g := range grants {
		out.Grants = append(out.Grants, typedGrant{string(g.Type), showGrant(g)})
	}
	return out, err
}
