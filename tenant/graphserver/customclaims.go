package graphserver

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// customClaimsPath is of Graph's beta, the only version that has the claims policy.
const customClaimsPath = "/beta/servicePrincipals/{id}/claimsPolicy"

// nameIDFormats are the names that Graph has for the formats of a NameID.
var nameIDFormats = map[string]string{
	"": "default",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress":               "emailAddress",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified":                "unspecified",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName": "windowsDomainQualifiedName",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent":                 "persistent",
}

// customClaims shows the NameID that was set in the admin center: the page and this policy are one.
// Source: customClaimsPolicy resource type (beta); reference of claims customization. The page's
// claims beyond the NameID are expressions, for which the policy has no form: they are left out.
func (h *Handler) customClaims(ctx context.Context, r request) (int, any, error) {
	a, err := h.Tenant.Application(ctx, tenant.AnyApplicationID(r.PathValue("id")))
	if err != nil {
		return 0, nil, err
	}
	if string(a.ServicePrincipalID) != r.PathValue("id") || a.NoPrincipal {
		return 0, nil, notThere(r.PathValue("id"))
	}
	claims := []object{}
	if a.NameID != (tenant.NameIDSource{}) {
		attribute := a.NameID.Attribute
		if attribute == "" {
			attribute = "userPrincipalName"
		}
		claims = append(claims, object{
			"@odata.type":  "#microsoft.graph.samlNameIdClaim",
			"nameIdFormat": nameIDFormats[a.NameID.Format],
			"configurations": []object{{
				"condition": nil, "transformations": []object{},
				"attribute": object{
					"@odata.type": "#microsoft.graph.sourcedAttribute", "id": attribute, "source": "user",
					"isExtensionAttribute": false,
				},
			}},
		})
	}
	return http.StatusOK, object{
		"id": string(a.ServicePrincipalID), "includeBasicClaimSet": true, "includeApplicationIdInIssuer": false,
		"audienceOverride": nil, "claims": claims,
	}, nil
}
