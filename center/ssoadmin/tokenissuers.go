package ssoadmin

import (
	"context"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

func (h *Handler) tokenIssuers() []awsapi.Operation {
	return []awsapi.Operation{
		within(h, "CreateTrustedTokenIssuer", changes, h.createIssuer),
		op("DescribeTrustedTokenIssuer", reads, h.describeIssuer),
		op("UpdateTrustedTokenIssuer", changes, h.updateIssuer),
		op("DeleteTrustedTokenIssuer", changes, h.deleteIssuer),
		within(h, "ListTrustedTokenIssuers", reads, h.listIssuers),
	}
}

type oidcJWT struct {
	IssuerURL                  string `json:"IssuerUrl,omitempty"`
	ClaimAttributePath         string `json:",omitempty"`
	IdentityStoreAttributePath string `json:",omitempty"`
	JwksRetrievalOption        string `json:",omitempty"`
}

// issuerConfiguration is a union with a single member.
type issuerConfiguration struct {
	OidcJwtConfiguration *oidcJWT `json:",omitzero"`
}

type issuerInput struct {
	instance
	TrustedTokenIssuerArn           string
	Name                            string
	TrustedTokenIssuerType          string // one value only, as the shape says
	TrustedTokenIssuerConfiguration issuerConfiguration
	ClientToken                     string
	Tags                            []tag
}

type issuerArnOutput struct{ TrustedTokenIssuerArn string }

func (h *Handler) createIssuer(ctx context.Context, who awsapi.Caller, in issuerInput) (issuerArnOutput, error) {
	c := in.TrustedTokenIssuerConfiguration.OidcJwtConfiguration // the shape of the union has it
	i, err := h.Center.CreateTokenIssuer(
		ctx,
		awsdoor.Actor(who),
		center.TokenIssuer{
			Name:                       in.Name,
			IssuerURL:                  c.IssuerURL,
			ClaimAttributePath:         c.ClaimAttributePath,
			IdentityStoreAttributePath: c.IdentityStoreAttributePath,
			Tags:                       readTags(in.Tags),
		},
		in.ClientToken,
	)
	return issuerArnOutput{i.ARN}, err
}

const issuerType = "OIDC_JWT"

type issuerDetail struct {
	TrustedTokenIssuerArn           string
	Name                            string
	TrustedTokenIssuerType          string
	TrustedTokenIssuerConfiguration issuerConfiguration
}

func (h *Handler) describeIssuer(ctx context.Context, _ awsapi.Caller, in issuerInput) (issuerDetail, error) {
	i, err := h.Center.TokenIssuer(ctx, in.TrustedTokenIssuerArn)
	return issuerDetail{
		i.ARN,
		i.Name,
		issuerType,
		issuerConfiguration{
			&oidcJWT{i.IssuerURL, i.ClaimAttributePath, i.IdentityStoreAttributePath, "OPEN_ID_DISCOVERY"},
		},
	}, err
}

func (h *Handler) updateIssuer(ctx context.Context, who awsapi.Caller, in issuerInput) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.UpdateTokenIssuer(
		ctx,
		awsdoor.Actor(who),
		in.TrustedTokenIssuerArn,
		func(i *center.TokenIssuer) {
			if in.Name != "" {
				i.Name = in.Name
			}
			c := in.TrustedTokenIssuerConfiguration.OidcJwtConfiguration
			if c == nil {
				return
			}
			if c.ClaimAttributePath != "" {
				i.ClaimAttributePath = c.ClaimAttributePath
			}
			if c.IdentityStoreAttributePath != "" {
				i.IdentityStoreAttributePath = c.IdentityStoreAttributePath
			}
		},
	)
}

func (h *Handler) deleteIssuer(ctx context.Context, who awsapi.Caller, in issuerInput) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.DeleteTokenIssuer(ctx, awsdoor.Actor(who), in.TrustedTokenIssuerArn)
}

type issuerMetadata struct{ TrustedTokenIssuerArn, Name, TrustedTokenIssuerType string }

type issuersOutput struct {
	TrustedTokenIssuers []issuerMetadata
	NextToken           string `json:",omitempty"`
}

type listIssuersInput struct {
	instance
	paging
}

func (h *Handler) listIssuers(ctx context.Context, _ awsapi.Caller, in listIssuersInput) (issuersOutput, error) {
	out := issuersOutput{TrustedTokenIssuers: []issuerMetadata{}}
	p, err := in.of(1, "ListTrustedTokenIssuers")
	if err != nil {
		return out, err
	}
	all, err := h.Center.TokenIssuers(ctx)
	all, out.NextToken = whole(p, all, func(i center.TokenIssuer) string { return i.ARN })
	for _, i := range all {
		out.TrustedTokenIssuers = append(out.TrustedTokenIssuers, issuerMetadata{i.ARN, i.Name, issuerType})
	}
	return out, err
}
