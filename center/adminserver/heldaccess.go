package adminserver

import (
	"context"
	"strconv"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const waysAtOnce = 1000 //bound:list ways of a page of ListHeldAccess

func (h *Handler) listHeldAccess(
	ctx context.Context, _ awsapi.Caller, in adminapi.HeldAccessInput,
) (adminapi.HeldAccessPage, error) {
	out := adminapi.HeldAccessPage{Ways: []adminapi.HeldAccess{}}
	offset := 0
	if in.NextToken != "" {
		var err error
		if offset, err = strconv.Atoi(in.NextToken); err != nil || offset < 0 {
			return out, &refusal.Error{Code: center.InvalidValue, Field: "NextToken"}
		}
	}
	account, err := h.accountNamed(ctx, in.AccountID)
	if err != nil {
		return out, err
	}
	list, total, err := h.Center.HeldAccess(ctx, center.HeldAccessQuery{
		Account: account, User: center.UserID(in.UserID), Administrative: in.Administrative,
		Offset: offset, Limit: waysAtOnce,
	})
	out.Total = total
	for _, a := range list {
		out.Ways = append(out.Ways, showHeld(a))
	}
	if offset += len(list); len(list) == waysAtOnce && offset < total {
		out.NextToken = strconv.Itoa(offset)
	}
	return out, err
}

func showHeld(a center.HeldAccess) adminapi.HeldAccess {
	u := showUser(a.User)
	shown := adminapi.HeldAccess{
		UserID: u.UserID, UserName: u.UserName, UserStatus: u.Status,
		AccountID: a.Account.ID, AccountName: a.Account.Name,
		PermissionSet: a.PermissionSet.Name, PermissionSetARN: a.PermissionSet.ARN,
		Why: a.Reach.Why, Way: string(center.PrincipalUser), Rules: a.Rules, ByHand: a.ByHand,
	}
	switch {
	case a.Reach.Administers:
		shown.Reach = adminapi.ReachAdministers
	case a.Reach.Unread:
		shown.Reach = adminapi.ReachUnread
	}
	if a.Group != nil {
		shown.Way = string(center.PrincipalGroup)
		shown.GroupID, shown.GroupName = string(a.Group.ID), a.Group.DisplayName
	}
	if at := a.LastUsed.UTC(); !a.LastUsed.IsZero() {
		shown.LastUsed = &at
	}
	if shown.Request = a.Request; a.Request != "" {
		until := a.Until.UTC()
		shown.Until = &until
	}
	return shown
}
