package identitystore

import (
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

type createGroupInput struct {
	store
	DisplayName, Description string
}

// groupNamed is how a group is named in answers.
type groupNamed struct {
	IdentityStoreID string `json:"IdentityStoreId"`
	GroupID         string `json:"GroupId"`
	GroupArn        string
}

func (h *Handler) nameGroup(id center.GroupID) groupNamed {
	return groupNamed{h.Center.Instance.IdentityStoreID, string(id), groupARN + string(id)}
}

type groupOutput struct {
	groupNamed
	Revision string
}

func (h *Handler) groupOutput(g center.Group) groupOutput {
	return groupOutput{h.nameGroup(g.ID), revisionOf(g.Version)}
}

func (h *Handler) createGroup(ctx context.Context, who awsapi.Caller, in createGroupInput) (groupOutput, error) {
	if err := h.check(in.store); err != nil {
		return groupOutput{}, err
	}
	g, err := h.Center.CreateGroup(
		ctx, awsdoor.Actor(who), center.Group{DisplayName: in.DisplayName, Description: in.Description},
	)
	return h.groupOutput(g), err
}

type group struct {
	groupOutput
	DisplayName          string
	Description          string       `json:",omitempty"`
	ExternalIDs          []externalID `json:"ExternalIds,omitempty"`
	CreatedAt, UpdatedAt awsapi.Timestamp
	CreatedBy, UpdatedBy string `json:",omitempty"`
}

func (h *Handler) showGroup(g center.Group, issuer string) group {
	return group{
		h.groupOutput(g),
		g.DisplayName,
		g.Description,
		externalIDs(issuer, g.ExternalID),
		awsapi.Timestamp(g.CreatedAt),
		awsapi.Timestamp(g.UpdatedAt),
		g.CreatedBy,
		g.UpdatedBy,
	}
}

type groupInput struct {
	store
	GroupID  string `json:"GroupId"`
	Revision string
}

func (h *Handler) describeGroup(ctx context.Context, _ awsapi.Caller, in groupInput) (group, error) {
	if err := h.check(in.store); err != nil {
		return group{}, err
	}
	g, err := h.Center.Group(ctx, groupID(in.GroupID))
	if err != nil {
		return group{}, err
	}
	issuer, err := h.Center.ExternalIDIssuer(ctx)
	return h.showGroup(g, issuer), err
}

func (h *Handler) deleteGroup(ctx context.Context, who awsapi.Caller, in groupInput) (awsapi.Empty, error) {
	if err := h.check(in.store); err != nil {
		return awsapi.Empty{}, err
	}
	return awsapi.Empty{}, h.Center.DeleteGroup(
		ctx, awsdoor.Actor(who), groupID(in.GroupID),
		func(g center.Group) error { return unchanged(in.Revision, g.Version, string(g.ID)) },
	)
}

type updateGroupInput struct {
	store
	GroupID    string `json:"GroupId"`
	Operations []operation
	Revision   string
}

func (h *Handler) updateGroup(ctx context.Context, who awsapi.Caller, in updateGroupInput) (groupOutput, error) {
	if err := h.check(in.store); err != nil {
		return groupOutput{}, err
	}
	g, err := h.Center.UpdateGroup(
		ctx,
		awsdoor.Actor(who),
		groupID(in.GroupID),
		center.MembershipChange{},
		func(g *center.Group) error {
			if err := unchanged(in.Revision, g.Version, string(g.ID)); err != nil {
				return err
			}
			for _, op := range in.Operations {
				field, ok := map[string]*string{
					"displayName": &g.DisplayName,
					"description": &g.Description,
				}[op.AttributePath]
				if !ok {
					return invalid("there is no attribute " + op.AttributePath)
				}
				if err := op.checkTexts(); err != nil {
					return err
				}
				if err := op.text(field, op.missing()); err != nil {
					return err
				}
			}
			return nil
		},
	)
	return h.groupOutput(g), err
}

type listGroupsInput struct {
	store
	Filters    []filter
	MaxResults *int
	NextToken  string
}

type listGroupsOutput struct {
	Groups    []group
	NextToken string `json:",omitempty"`
}

func (h *Handler) listGroups(ctx context.Context, _ awsapi.Caller, in listGroupsInput) (listGroupsOutput, error) {
	out := listGroupsOutput{Groups: []group{}}
	if err := h.check(in.store); err != nil {
		return out, err
	}
	size, err := awsapi.PageSize(in.MaxResults)
	if err != nil {
		return out, err
	}
	after, err := listed("ListGroups", in.Filters, in.NextToken)
	if err != nil {
		return out, err
	}
	issuer, err := h.Center.ExternalIDIssuer(ctx)
	if err != nil {
		return out, err
	}
	var groups []center.Group
	if len(in.Filters) > 0 {
		if len(in.Filters) != 1 || !strings.EqualFold(in.Filters[0].AttributePath, "DisplayName") {
			return out, invalid("Filters takes one filter on DisplayName")
		}
		g, err := h.Center.GroupByName(ctx, in.Filters[0].AttributeValue)
		if err != nil && refusal.KindOf(err) != refusal.NotFound {
			return out, err
		}
		if err == nil {
			groups = append(groups, g)
		}
	} else if groups, err = h.Center.Groups(
		ctx, center.GroupQuery{After: center.GroupID(after), Limit: size + 1},
	); err != nil {
		return out, err
	}
	if len(groups) > size {
		groups = groups[:size]
		out.NextToken = awsapi.EncodeToken("ListGroups", string(groups[size-1].ID))
	}
	for _, g := range groups {
		out.Groups = append(out.Groups, h.showGroup(g, issuer))
	}
	return out, nil
}

func (h *Handler) getGroupID(ctx context.Context, _ awsapi.Caller, in getIDInput) (groupNamed, error) {
	if err := h.check(in.store); err != nil {
		return groupNamed{}, err
	}
	g, err := h.findGroup(ctx, in.AlternateIdentifier)
	return h.nameGroup(g.ID), err
}

func (h *Handler) findGroup(ctx context.Context, a alternateIdentifier) (center.Group, error) {
	if a.ExternalID != nil {
		issuer, err := h.Center.ExternalIDIssuer(ctx)
		if err != nil {
			return center.Group{}, err
		}
		if a.ExternalID.Issuer != issuer {
			return center.Group{}, &refusal.Error{Code: center.GroupNotFound, Subject: a.ExternalID.ID}
		}
		return h.Center.GroupByExternalID(ctx, a.ExternalID.ID)
	}
	_, value, err := a.unique("displayName")
	if err != nil {
		return center.Group{}, err
	}
	return h.Center.GroupByName(ctx, value)
}
