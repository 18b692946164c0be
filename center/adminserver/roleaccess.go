package adminserver

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/center/iam"
	"github.com/gatehouse-id/gatehouse/center/proof"
	"github.com/gatehouse-id/gatehouse/refusal"
)

func (h *Handler) revokeUser(
	ctx context.Context, who awsapi.Caller, in adminapi.UserInput,
) (adminapi.RoleAccess, error) {
	ended, err := h.Center.RevokeUser(ctx, awsdoor.Actor(who), center.UserID(in.UserID))
	if err != nil {
		return adminapi.RoleAccess{}, err
	}
	out, err := h.listRoleAccess(ctx, who, in)
	out.RevocationID = ended.ID
	return out, err
}

func (h *Handler) describeRevocation(
	ctx context.Context, _ awsapi.Caller, in adminapi.RevocationInput,
) (adminapi.SignedProof, error) {
	return proof.Of(ctx, h.Center, in.RevocationID)
}

func (h *Handler) denyTemplate(
	ctx context.Context, _ awsapi.Caller, in adminapi.DenyTemplateInput,
) (adminapi.RoleTemplate, error) {
	if !slices.Contains([]string{"json", "cloudformation", "terraform"}, in.Format) {
		return adminapi.RoleTemplate{}, &refusal.Error{Code: center.InvalidValue, Field: "Format"}
	}
	p, err := h.Center.Proof(ctx, in.RevocationID)
	if err != nil || p.Deny == "" {
		return adminapi.RoleTemplate{}, err
	}
	d := iam.Denial{Policy: p.Deny, Roles: map[string][]string{}}
	for _, r := range p.Roles {
		name := center.NameOfRole(r.RoleName)
		if r.State == center.RoleOpen && !slices.Contains(d.Roles[r.AccountID], name) {
			d.Roles[r.AccountID] = append(d.Roles[r.AccountID], name)
		}
	}
	text, err := d.Write(in.Format)
	return adminapi.RoleTemplate{Template: string(text)}, err
}

const revocationsAtOnce = 100 //bound:list records of a page of ListRevocations

func (h *Handler) listRevocations(
	ctx context.Context, _ awsapi.Caller, in adminapi.RevocationsInput,
) (adminapi.Revocations, error) {
	out := adminapi.Revocations{Revocations: []adminapi.RevocationRecord{}}
	list, err := h.Center.Revocations(ctx, center.RevocationQuery{
		UserID: center.UserID(in.UserID), Before: in.NextToken, Limit: revocationsAtOnce + 1,
	})
	if len(list) > revocationsAtOnce {
		list = list[:revocationsAtOnce]
		out.NextToken = list[revocationsAtOnce-1].ID
	}
	for _, r := range list {
		out.Revocations = append(out.Revocations, adminapi.RevocationRecord{
			RevocationID: r.ID, UserID: string(r.UserID), UserName: r.UserName, Action: r.Action, By: r.By,
			At: r.At.UTC(), Sessions: len(r.Sessions), Roles: len(r.Roles),
		})
	}
	return out, err
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
