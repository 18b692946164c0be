package identitystore

import (
	"context"
	"strconv"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

// memberID is a union with a single member.
type memberID struct {
	UserID string `json:"UserId"`
}

type membershipInput struct {
	store
	GroupID      string   `json:"GroupId"`
	MemberID     memberID `json:"MemberId"`
	MembershipID string   `json:"MembershipId"`
}

// notTogether is a refusal to make somebody a member, for which AWS has other texts.
type notTogether struct{ error }

func (e notTogether) Unwrap() error { return e.error }

type membershipOutput struct {
	IdentityStoreID string `json:"IdentityStoreId"`
	MembershipID    string `json:"MembershipId"`
	MembershipArn   string
}

func (h *Handler) membershipOutput(id center.MembershipID) membershipOutput {
	return membershipOutput{h.Center.Instance.IdentityStoreID, string(id), membershipARN + string(id)}
}

func (h *Handler) createMembership(
	ctx context.Context, who awsapi.Caller, in membershipInput,
) (membershipOutput, error) {
	if err := h.check(in.store); err != nil {
		return membershipOutput{}, err
	}
	m, err := h.Center.CreateMembership(
		ctx, awsdoor.Actor(who), groupID(in.GroupID), userID(in.MemberID.UserID),
	)
	if err != nil {
		return membershipOutput{}, notTogether{err}
	}
	return h.membershipOutput(m.ID), nil
}

func (h *Handler) getMembershipID(ctx context.Context, _ awsapi.Caller, in membershipInput) (membershipOutput, error) {
	if err := h.check(in.store); err != nil {
		return membershipOutput{}, err
	}
	m, err := h.Center.MembershipOf(ctx, groupID(in.GroupID), userID(in.MemberID.UserID))
	return h.membershipOutput(m.ID), err
}

type membership struct {
	membershipOutput
	GroupID   string   `json:"GroupId"`
	MemberID  memberID `json:"MemberId"`
	CreatedAt awsapi.Timestamp
	UpdatedAt awsapi.Timestamp
	CreatedBy string `json:",omitempty"`
	UpdatedBy string `json:",omitempty"`
}

// showMembership translates a membership. One never changes, so both times are the same.
func (h *Handler) showMembership(m center.Membership) membership {
	return membership{
		h.membershipOutput(m.ID),
		string(m.GroupID),
		memberID{string(m.UserID)},
		awsapi.Timestamp(m.CreatedAt),
		awsapi.Timestamp(m.CreatedAt),
		m.CreatedBy,
		m.CreatedBy,
	}
}

func (h *Handler) describeMembership(ctx context.Context, _ awsapi.Caller, in membershipInput) (membership, error) {
	if err := h.check(in.store); err != nil {
		return membership{}, err
	}
	m, err := h.Center.Membership(ctx, membershipID(in.MembershipID))
	return h.showMembership(m), err
}

func (h *Handler) deleteMembership(ctx context.Context, who awsapi.Caller, in membershipInput) (awsapi.Empty, error) {
	if err := h.check(in.store); err != nil {
		return awsapi.Empty{}, err
	}
	return awsapi.Empty{}, h.Center.DeleteMembership(ctx, awsdoor.Actor(who), membershipID(in.MembershipID))
}

type listMembershipsInput struct {
	store
	GroupID    string   `json:"GroupId"`
	MemberID   memberID `json:"MemberId"`
	MaxResults *int
	NextToken  string
}

type listMembershipsOutput struct {
	GroupMemberships []membership
	NextToken        string `json:",omitempty"`
}

func (h *Handler) listMemberships(
	ctx context.Context, _ awsapi.Caller, in listMembershipsInput,
) (listMembershipsOutput, error) {
	if err := h.check(in.store); err != nil {
		return listMembershipsOutput{}, err
	}
	group := groupID(in.GroupID)
	return h.pageOfMemberships(
		ctx, "ListGroupMemberships/"+string(group), center.MembershipQuery{GroupID: group}, in,
	)
}

func (h *Handler) listMembershipsForMember(
	ctx context.Context, _ awsapi.Caller, in listMembershipsInput,
) (listMembershipsOutput, error) {
	if err := h.check(in.store); err != nil {
		return listMembershipsOutput{}, err
	}
	user := userID(in.MemberID.UserID)
	return h.pageOfMemberships(
		ctx, "ListGroupMembershipsForMember/"+string(user), center.MembershipQuery{UserID: user}, in,
	)
}

func (h *Handler) pageOfMemberships(
	ctx context.Context, list string, q center.MembershipQuery, in listMembershipsInput,
) (listMembershipsOutput, error) {
	out := listMembershipsOutput{GroupMemberships: []membership{}}
	size, err := awsapi.PageSize(in.MaxResults)
	if err != nil {
		return out, err
	}
	after, err := awsapi.DecodeToken(list, in.NextToken)
	if err != nil {
		return out, err
	}
	if after != "" {
		if q.After, err = strconv.ParseInt(after, 10, 64); err != nil {
			return out, invalid("NextToken is not a token of this operation")
		}
	}
	q.Limit = size + 1
	ms, err := h.Center.Memberships(ctx, q)
	if err != nil {
		return out, err
	}
	if len(ms) > size {
		ms = ms[:size]
		out.NextToken = awsapi.EncodeToken(list, strconv.FormatInt(ms[size-1].Position(q), 10))
	}
	for _, m := range ms {
		out.GroupMemberships = append(out.GroupMemberships, h.showMembership(m))
	}
	return out, nil
}

type isMemberInput struct {
	store
	MemberID memberID `json:"MemberId"`
	GroupIDs []string `json:"GroupIds"`
}

type isMemberResult struct {
	GroupID          string   `json:"GroupId"`
	MemberID         memberID `json:"MemberId"`
	MembershipExists bool
}

type isMemberOutput struct{ Results []isMemberResult }

// isMemberInGroups answers one entry for each group; groups that do not exist have no members.
func (h *Handler) isMemberInGroups(ctx context.Context, _ awsapi.Caller, in isMemberInput) (isMemberOutput, error) {
	out := isMemberOutput{Results: []isMemberResult{}}
	if err := h.check(in.store); err != nil {
		return out, err
	}
	user := userID(in.MemberID.UserID)
	ms, err := h.Center.Memberships(ctx, center.MembershipQuery{UserID: user})
	if err != nil {
		return out, err
	}
	member := map[center.GroupID]bool{}
	for _, m := range ms {
		member[m.GroupID] = true
	}
	for _, named := range in.GroupIDs {
		id := groupID(named)
		out.Results = append(out.Results, isMemberResult{string(id), memberID{string(user)}, member[id]})
	}
	return out, nil
}
