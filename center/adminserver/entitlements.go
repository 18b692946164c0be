package adminserver

import (
	"context"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const entitlementsAtOnce = 100 //bound:list entitlements of a page of ListEntitlements

func (h *Handler) entitlements() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("EnableAccountAccess", awsapi.Changes, h.enableAccountAccess),
		awsapi.Op("DescribeAccountAccess", awsapi.Reads, h.describeAccountAccess),
		awsapi.Op("DisableAccountAccess", awsapi.Changes, h.disableAccountAccess),
		awsapi.Op("ListEntitlements", awsapi.Reads, h.listEntitlements),
		awsapi.Op("CreateEntitlement", awsapi.Changes, h.createEntitlement),
		awsapi.Op("DeleteEntitlement", awsapi.Changes, h.deleteEntitlement),
		awsapi.Op("PreviewMigration", awsapi.Reads, h.planMigration),
	}
}

func (h *Handler) showAccountAccess(a center.AccessManager) adminapi.AccountAccess {
	return adminapi.AccountAccess{
		ApplicationArn: h.Center.AccessManagerARN(a), TenantID: a.TenantID, CreatedAt: a.CreatedAt,
	}
}

// enableAccountAccess keeps the tags of an application that there is.
func (h *Handler) enableAccountAccess(
	ctx context.Context, who awsapi.Caller, _ adminapi.None,
) (adminapi.AccountAccess, error) {
	is, err := h.Center.AccessManager(ctx)
	if err != nil && refusal.CodeOf(err) != center.AccessManagerNotFound {
		return adminapi.AccountAccess{}, err
	}
	a, err := h.Center.CreateAccessManager(ctx, awsdoor.Actor(who), h.Center.Instance.ARN, is.Tags)
	return h.showAccountAccess(a), err
}

func (h *Handler) describeAccountAccess(
	ctx context.Context, _ awsapi.Caller, _ adminapi.None,
) (adminapi.AccountAccess, error) {
	a, err := h.Center.AccessManager(ctx)
	return h.showAccountAccess(a), err
}

// application is the ARN of the application, or AccessManagerNotFound.
func (h *Handler) application(ctx context.Context) (string, error) {
	a, err := h.Center.AccessManager(ctx)
	return h.Center.AccessManagerARN(a), err
}

func (h *Handler) disableAccountAccess(
	ctx context.Context, who awsapi.Caller, _ adminapi.None,
) (adminapi.None, error) {
	arn, err := h.application(ctx)
	if err == nil {
		err = h.Center.DeleteAccessManager(ctx, awsdoor.Actor(who), arn)
	}
	return adminapi.None{}, err
}

func (h *Handler) showEntitlement(ctx context.Context, e center.Entitlement) (adminapi.Entitlement, error) {
	shown := adminapi.Entitlement{
		EntitlementID: e.ID, RoleArn: e.RoleARN, PrincipalType: string(e.PrincipalType), PrincipalID: e.PrincipalID,
		Migrated: e.Migrated,
	}
	a, err := h.Center.Account(ctx, e.AccountID())
	shown.AccountName = a.Name
	if refusal.CodeOf(err) == center.AccountNotFound {
		err = nil
	}
	if err != nil {
		return shown, err
	}
	if e.PrincipalType == center.PrincipalGroup {
		var g center.Group
		g, err = h.Center.Group(ctx, center.GroupID(e.PrincipalID))
		shown.PrincipalName = g.DisplayName
	} else {
		var u center.User
		u, err = h.Center.User(ctx, center.UserID(e.PrincipalID))
		shown.PrincipalName = u.UserName
	}
	if code := refusal.CodeOf(err); code == center.UserNotFound || code == center.GroupNotFound {
		err = nil
	}
	return shown, err
}

func (h *Handler) listEntitlements(
	ctx context.Context, _ awsapi.Caller, in adminapi.PageInput,
) (adminapi.Entitlements, error) {
	out := adminapi.Entitlements{Entitlements: []adminapi.Entitlement{}}
	arn, err := h.application(ctx)
	if err != nil {
		return out, err
	}
	list, err := h.Center.Entitlements(
		ctx, arn, center.EntitlementQuery{After: in.NextToken, Limit: entitlementsAtOnce},
	)
	for _, e := range list {
		shown, bad := h.showEntitlement(ctx, e)
		if bad != nil {
			return out, bad
		}
		out.Entitlements = append(out.Entitlements, shown)
	}
	if len(list) == entitlementsAtOnce {
		out.NextToken = list[len(list)-1].ID
	}
	return out, err
}

func (h *Handler) createEntitlement(
	ctx context.Context, who awsapi.Caller, in adminapi.Entitlement,
) (adminapi.Entitlement, error) {
	arn, err := h.application(ctx)
	if err != nil {
		return adminapi.Entitlement{}, err
	}
	id, err := h.principalNamed(ctx, in.PrincipalType, in.PrincipalID)
	if err != nil {
		return adminapi.Entitlement{}, err
	}
	e, err := h.Center.CreateEntitlement(ctx, awsdoor.Actor(who), arn, center.Entitlement{
		RoleARN: in.RoleArn, PrincipalType: center.PrincipalType(in.PrincipalType), PrincipalID: id,
		Migrated: in.Migrated,
	})
	if err != nil {
		return adminapi.Entitlement{}, err
	}
	return h.showEntitlement(ctx, e)
}

func (h *Handler) deleteEntitlement(
	ctx context.Context, who awsapi.Caller, in adminapi.EntitlementInput,
) (adminapi.None, error) {
	arn, err := h.application(ctx)
	if err == nil {
		err = h.Center.DeleteEntitlement(ctx, awsdoor.Actor(who), arn, in.EntitlementID)
	}
	return adminapi.None{}, err
}

func (h *Handler) planMigration(
	ctx context.Context, _ awsapi.Caller, in adminapi.MigrationInput,
) (adminapi.Migration, error) {
	out := adminapi.Migration{
		Entitlements: []adminapi.Entitlement{},
		Roles:        []adminapi.MigratingRole{},
		Stays:        []adminapi.StayingAssignment{},
	}
	account, err := h.accountNamed(ctx, in.AccountID)
	if err != nil {
		return out, err
	}
	m, err := h.Center.PlanMigration(ctx, center.MigrationQuery{AccountID: account, Path: in.Path})
	for _, e := range m.Entitlements {
		out.Entitlements = append(out.Entitlements, adminapi.Entitlement{
			EntitlementID: e.ID, RoleArn: e.RoleARN, PrincipalType: string(e.PrincipalType),
			PrincipalID: e.PrincipalID, PrincipalName: e.Name, Migrated: e.Migrated,
		})
	}
	for _, r := range m.Roles {
		out.Roles = append(out.Roles, adminapi.MigratingRole{
			RoleArn: r.ARN, PermissionSet: r.PermissionSet,
			Needs: append([]string{}, r.Needs...), Lost: append([]string{}, r.Lost...),
		})
	}
	for _, s := range m.Stays {
		out.Stays = append(out.Stays, adminapi.StayingAssignment{
			AccountID: s.AccountID, PermissionSet: s.PermissionSet, PrincipalType: string(s.PrincipalType),
			PrincipalID: s.PrincipalID, Why: s.Why,
		})
	}
	return out, err
}
