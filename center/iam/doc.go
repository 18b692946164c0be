// Package iam is about what AWS accounts have in IAM for a center: the center as a SAML provider,
// and a role for each permission set that is provisioned there. It creates, repairs and removes
// them through IAM's API (Keeper, which is a center.RoleKeeper), or writes them as a template, for
// people who do not want to give the center rights in IAM (AccountRoles).
//
// It may import center, center/broker, refusal and saml.
package iam

import (
	"context"
	"regexp"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/saml"
)

// ProviderMetadata is what AWS accounts must know of a center to trust it as a SAML provider. It is
// the same each time.
func ProviderMetadata(ctx context.Context, c *center.Center) ([]byte, error) {
	key, err := c.FederationSigner(ctx)
	if err != nil {
		return nil, err
	}
	return saml.IdentityProviderMetadata(
		saml.IdentityProvider{EntityID: c.FederationEntityID(), SignInURL: c.PortalURL()},
		saml.SigningKey(key),
	)
}

// Trust is who may open the roles, and where they are.
type Trust struct {
	Path string // of the roles; begins and ends with a slash
	Hub  string // ARN of the role or user that opens roles with AssumeRole; empty: none
}

type object = map[string]any

// policy is the trust policy of the roles. provider is the SAML provider's ARN, or an expression
// for it.
func (t Trust) policy(provider any) object {
	statements := []object{{
		"Effect":    "Allow",
		"Principal": object{"Federated": provider},
		"Action":    []string{"sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"},
		"Condition": object{"StringEquals": object{"SAML:aud": broker.SignInEndpoint}},
	}}
	if t.Hub != "" {
		statements = append(
			statements,
			object{
				"Effect":    "Allow",
				"Principal": object{"AWS": t.Hub},
				"Action":    []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
			},
		)
	}
	return object{"Version": "2012-10-17", "Statement": statements}
}

// outsideDescription is what IAM does not take in the description of a role. Source: IAM API
// reference, CreateRole.
var outsideDescription = regexp.MustCompile(`[^\t\n\r\x20-\x7E\x{A1}-\x{FF}]`)

func description(r center.AccountRole) string {
	return outsideDescription.ReplaceAllString(r.Description, "?")
}
