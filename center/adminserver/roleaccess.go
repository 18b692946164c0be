package adminserver

import (
	"context"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

func (h *Handler) revokeUser(
	ctx context.Context, who awsapi.Caller, in adminapi.UserInput,
) (adminapi.RoleAccess, error) {
	if err := h.Center.RevokeUser(ctx, awsdoor.Actor(who), center.UserID(in.UserID)); err != nil {
		return adminapi.RoleAccess{}, err
	}
	return h.listRoleAccess(ctx, who, in)
}

func (h *Handler) listRoleAccess(
	ctx context.Context, _ awsapi.Caller, in adminapi.UserInput,
) (adminapi.RoleAccess, error) {
	out := adminapi.RoleAccess{UserID: in.UserID, Open: []adminapi.OpenRole{}, Revoked: []adminapi.RevokedRole{}}
	a, err := h.Center.RoleAccess(ctx, center.UserID(in.UserID))
	if err != nil {
		return out, err
	}
	for _, s := range a.Open {
		out.Open = append(out.Open, adminapi.OpenRole{
			AccountID: s.AccountID, RoleName: s.RoleName, PermissionSetARN: s.PermissionSetARN, SessionName: s.Name,
			Until: s.Until.UTC(),
		})
	}
	for _, r := range a.Revoked {
		out.Revoked = append(out.Revoked, adminapi.RevokedRole{
			OpenRole: adminapi.OpenRole{
				AccountID: r.AccountID, RoleName: r.RoleName, PermissionSetARN: r.PermissionSetARN,
				SessionName: r.Name, Until: r.Until.UTC(),
			},
			Before: r.Before.UTC(), InForce: r.InForce, Reason: a.Reasons[r.RoleName],
		})
	}
	out.DenyPolicy, err = h.Center.DenyPolicy(a)
	return out, err
}
