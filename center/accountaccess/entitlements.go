package accountaccess

import (
	"context"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

type principalInCenter struct {
	UserID  string `json:"userId,omitempty"`
	GroupID string `json:"groupId,omitempty"`
}

type principalUnion struct {
	IdentityCenter principalInCenter `json:"identityCenter"`
}

// who says whom a principal names.
func (p principalUnion) who() (center.PrincipalType, string) {
	if p.IdentityCenter.GroupID != "" {
		return center.PrincipalGroup, p.IdentityCenter.GroupID
	}
	return center.PrincipalUser, p.IdentityCenter.UserID
}

func principalOf(e center.Entitlement) principalUnion {
	if e.PrincipalType == center.PrincipalGroup {
		return principalUnion{principalInCenter{GroupID: e.PrincipalID}}
	}
	return principalUnion{principalInCenter{UserID: e.PrincipalID}}
}

type newPrincipalRole struct {
	Principal principalUnion `json:"principal"`
	RoleArn   string         `json:"roleArn"`
}

type newEntitlement struct {
	PrincipalRole newPrincipalRole `json:"principalRole"`
}

type createEntitlementInput struct {
	ApplicationArn string         `json:"applicationArn"`
	Entitlement    newEntitlement `json:"entitlement"`
}

type entitlementID struct {
	EntitlementID string `json:"entitlementId"`
}

func (h *Handler) createEntitlement(
	ctx context.Context, who awsapi.Caller, in createEntitlementInput,
) (entitlementID, error) {
	role := in.Entitlement.PrincipalRole
	e := center.Entitlement{RoleARN: role.RoleArn}
	e.PrincipalType, e.PrincipalID = role.Principal.who()
	made, err := h.Center.CreateEntitlement(ctx, awsdoor.Actor(who), in.ApplicationArn, e)
	return entitlementID{made.ID}, err
}

type principalRole struct {
	Principal   principalUnion `json:"principal"`
	RoleArn     string         `json:"roleArn"`
	Account     string         `json:"account"`
	AccountName string         `json:"accountName,omitempty"`
}

type entitlement struct {
	PrincipalRole principalRole `json:"principalRole"`
}

type entitlementInput struct {
	ApplicationArn string `json:"applicationArn"`
	EntitlementID  string `json:"entitlementId"`
}

type entitlementOutput struct {
	ApplicationArn string          `json:"applicationArn"`
	EntitlementID  string          `json:"entitlementId"`
	Entitlement    entitlement     `json:"entitlement"`
	CreatedAt      awsapi.DateTime `json:"createdAt"`
}

// accountNames are the names of accounts that were looked up.
type accountNames map[string]string

// show is an entitlement with the name of its account.
func (h *Handler) show(ctx context.Context, e center.Entitlement, names accountNames) (entitlement, error) {
	id := e.AccountID()
	name, known := names[id]
	if !known {
		a, err := h.Center.Account(ctx, id)
		if err != nil && refusal.CodeOf(err) != center.AccountNotFound {
			return entitlement{}, err
		}
		name = a.Name
		names[id] = name
	}
	return entitlement{principalRole{principalOf(e), e.RoleARN, id, name}}, nil
}

func (h *Handler) getEntitlement(
	ctx context.Context, _ awsapi.Caller, in entitlementInput,
) (out entitlementOutput, err error) {
	e, err := h.Center.Entitlement(ctx, in.ApplicationArn, in.EntitlementID)
	if err != nil {
		return out, err
	}
	out = entitlementOutput{
		ApplicationArn: in.ApplicationArn, EntitlementID: e.ID, CreatedAt: awsapi.DateTime(e.CreatedAt),
	}
	out.Entitlement, err = h.show(ctx, e, accountNames{})
	return out, err
}

func (h *Handler) deleteEntitlement(
	ctx context.Context, who awsapi.Caller, in entitlementInput,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.DeleteEntitlement(ctx, awsdoor.Actor(who), in.ApplicationArn, in.EntitlementID)
}

type roleFilter struct {
	Principal *principalUnion `json:"principal"`
	RoleArn   string          `json:"roleArn"`
	Account   string          `json:"account"`
}

type filter struct {
	PrincipalRole roleFilter `json:"principalRole"`
}

type listEntitlementsInput struct {
	ApplicationArn string `json:"applicationArn"`
	Filter         filter `json:"filter"`
	paging
}

type entitlementEntry struct {
	EntitlementID string          `json:"entitlementId"`
	Entitlement   entitlement     `json:"entitlement"`
	CreatedAt     awsapi.DateTime `json:"createdAt"`
}

type entitlementsOutput struct {
	Entitlements []entitlementEntry `json:"entitlements"`
	NextToken    string             `json:"nextToken,omitempty"`
}

// listEntitlements needs a criterion. Source: seen at the service, which refuses an empty filter.
func (h *Handler) listEntitlements(
	ctx context.Context, _ awsapi.Caller, in listEntitlementsInput,
) (out entitlementsOutput, err error) {
	out.Entitlements = []entitlementEntry{}
	by := in.Filter.PrincipalRole
	if by == (roleFilter{}) {
		return out, &awsapi.Error{
			Code: "ValidationException", Message: "filter must have a principal, a roleArn or an account",
		}
	}
	q := center.EntitlementQuery{RoleARN: by.RoleArn, AccountID: by.Account}
	if by.Principal != nil {
		q.PrincipalType, q.PrincipalID = by.Principal.who()
	}
	size, err := awsapi.PageSize(in.MaxResults)
	if err != nil {
		return out, err
	}
	list := "ListEntitlements/" + string(q.PrincipalType) + "/" + q.PrincipalID + "/" + q.RoleARN + "/" + q.AccountID
	if q.After, err = awsapi.DecodeToken(list, in.NextToken); err != nil {
		return out, err
	}
	q.Limit = size + 1
	found, err := h.Center.Entitlements(ctx, in.ApplicationArn, q)
	if len(found) > size {
		found = found[:size]
		out.NextToken = awsapi.EncodeToken(list, found[size-1].ID)
	}
	names := accountNames{}
	for _, e := range found {
		shown, bad := h.show(ctx, e, names)
		if bad != nil {
			return out, bad
		}
		out.Entitlements = append(out.Entitlements, entitlementEntry{e.ID, shown, awsapi.DateTime(e.CreatedAt)})
	}
	return out, err
}
