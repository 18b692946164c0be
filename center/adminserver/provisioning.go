package adminserver

import (
	"context"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

func (h *Handler) showTenant(t center.ProvisioningTenant) adminapi.Tenant {
	return adminapi.Tenant{TenantID: t.ID, ScimEndpoint: h.Center.SCIMEndpoint(t), CreationTime: t.CreatedAt}
}

func (h *Handler) createTenant(ctx context.Context, who awsapi.Caller, _ adminapi.None) (adminapi.Tenant, error) {
	t, err := h.Center.CreateProvisioningTenant(ctx, awsdoor.Actor(who))
	return h.showTenant(t), err
}

func (h *Handler) listTenants(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.Tenants, error) {
	t, err := h.Center.ProvisioningTenant(ctx)
	if refusal.CodeOf(err) == center.ProvisioningOff {
		return adminapi.Tenants{Tenants: []adminapi.Tenant{}}, nil
	}
	return adminapi.Tenants{Tenants: []adminapi.Tenant{h.showTenant(t)}}, err
}

// ofTenant refuses the id of a SCIM tenant that is not there.
func (h *Handler) ofTenant(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	t, err := h.Center.ProvisioningTenant(ctx)
	if err == nil && t.ID != id {
		err = &refusal.Error{
			Code:   center.InvalidValue,
			Field:  "TenantId",
			Detail: "there is no such tenant; use the one from ListProvisioningTenants",
		}
	}
	return err
}

func (h *Handler) deleteTenant(ctx context.Context, who awsapi.Caller, in adminapi.TenantInput) (adminapi.None, error) {
	if err := h.ofTenant(ctx, in.TenantID); err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.DeleteProvisioningTenant(ctx, awsdoor.Actor(who))
}

func showToken(t center.BearerToken) adminapi.BearerToken {
	out := adminapi.BearerToken{
		TokenID:         t.ID,
		TenantID:        t.TenantID,
		Profile:         string(t.Profile),
		LastUsedAddress: t.LastUsedAddress,
		CreationTime:    t.CreatedAt,
		ExpirationTime:  t.ExpiresAt,
	}
	if !t.LastUsedAt.IsZero() {
		out.LastUsedTime = &t.LastUsedAt
	}
	return out
}

func (h *Handler) createBearerToken(
	ctx context.Context, who awsapi.Caller, in adminapi.NewToken,
) (adminapi.BearerToken, error) {
	if err := h.ofTenant(ctx, in.TenantID); err != nil {
		return adminapi.BearerToken{}, err
	}
	t, err := h.Center.CreateBearerToken(ctx, awsdoor.Actor(who), center.Profile(in.Profile))
	out := showToken(t.BearerToken)
	out.Value = t.Secret.Reveal()
	return out, err
}

func (h *Handler) listBearerTokens(
	ctx context.Context, _ awsapi.Caller, in adminapi.TenantInput,
) (adminapi.BearerTokens, error) {
	if err := h.ofTenant(ctx, in.TenantID); err != nil {
		return adminapi.BearerTokens{}, err
	}
	tokens, err := h.Center.BearerTokens(ctx)
	out := adminapi.BearerTokens{BearerTokens: []adminapi.BearerToken{}}
	for _, t := range tokens {
		out.BearerTokens = append(out.BearerTokens, showToken(t))
	}
	return out, err
}

func (h *Handler) deleteBearerToken(
	ctx context.Context, who awsapi.Caller, in adminapi.TokenInput,
) (adminapi.None, error) {
	if err := h.ofTenant(ctx, in.TenantID); err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.DeleteBearerToken(ctx, awsdoor.Actor(who), in.TokenID)
}
