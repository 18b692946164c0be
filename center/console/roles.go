package console

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/saml"
)

// serveFederationMetadata is for everybody: AWS's administrators take it from here.
func (h *Handler) serveFederationMetadata(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("directory") != h.Center.Instance.IdentityStoreID {
		http.NotFound(w, r)
		return
	}
	data, err := federationMetadata(r.Context(), h.Center)
	if err != nil {
		h.Log.ErrorContext(r.Context(), "federation metadata", "error", err)
		http.Error(w, "Internal error.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	w.Header().Set("Content-Disposition", `attachment; filename="`+h.Center.SAMLProviderName()+`.xml"`)
	_, _ = w.Write(data) // the client has gone away
}

// accountRoles says what an account must have in IAM: the SAML provider, and a role for each permission set that is provisioned there.
func (h *Handler) accountRoles(ctx context.Context, _ awsapi.Caller, in adminapi.AccountInput) (adminapi.AccountRoles, error) {
	out := adminapi.AccountRoles{AccountID: in.AccountID, SAMLProviderName: h.Center.SAMLProviderName(), Roles: []adminapi.Role{}}
	if _, err := h.Center.Account(ctx, in.AccountID); err != nil {
		return out, err
	}
	metadata, err := federationMetadata(ctx, h.Center)
	if err != nil {
		return out, err
	}
	out.SAMLMetadata = string(metadata)
	roles, err := h.Center.Provisioned(ctx, center.ProvisionedQuery{AccountID: in.AccountID})
	if err != nil {
		return out, err
	}
	for _, r := range roles {
		set, err := h.Center.PermissionSet(ctx, r.PermissionSetARN)
		if err != nil {
			return out, err
		}
		out.Roles = append(out.Roles, showRole(in.AccountID, r.RoleName, set))
	}
	return out, nil
}

func showRole(account, name string, set center.PermissionSet) adminapi.Role {
	own := func(r center.PolicyReference) string { return "arn:aws:iam::" + account + ":policy" + r.Path + r.Name }
	role := adminapi.Role{RoleName: name, PermissionSet: set.Name, Description: set.Description, ManagedPolicyARNs: append([]string{}, set.ManagedPolicies...), InlinePolicy: set.InlinePolicy}
	for _, p := range set.CustomerPolicies {
		role.ManagedPolicyARNs = append(role.ManagedPolicyARNs, own(p))
	}
	if b := set.Boundary; b != nil {
		role.PermissionsBoundary = b.ManagedPolicy
		if b.CustomerPolicy != nil {
			role.PermissionsBoundary = own(*b.CustomerPolicy)
		}
	}
	return role
}

// federationMetadata is what AWS accounts must know of a center to trust it as a SAML provider.
func federationMetadata(ctx context.Context, c *center.Center) ([]byte, error) {
	key, certificate, err := c.FederationSigner(ctx)
	if err != nil {
		return nil, err
	}
	return saml.IdentityProviderMetadata(saml.IdentityProvider{EntityID: c.FederationEntityID(), SignInURL: c.PortalURL()}, saml.SigningKey{Key: key, Certificate: certificate})
}
