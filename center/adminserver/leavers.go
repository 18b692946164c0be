package adminserver

import (
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const leaversAtOnce = 100 //bound:list leavers of a page of ListLeavers and ListOrphans

func (h *Handler) listLeavers(ctx context.Context, _ awsapi.Caller, in adminapi.PageInput) (adminapi.Leavers, error) {
	out := adminapi.Leavers{Leavers: []adminapi.Leaver{}}
	list, err := h.Center.Leavers(ctx, center.LeaverQuery{After: center.UserID(in.NextToken), Limit: leaversAtOnce})
	for _, l := range list {
		shown := adminapi.Leaver{
			User: showUser(l.User), Assignments: l.Assignments, Applications: l.Applications, Groups: []string{},
			Sessions: l.Sessions, OpenRoles: l.Roles, AccessKeys: append([]string{}, l.Keys...), Console: l.Console,
		}
		for _, g := range l.Groups {
			shown.Groups = append(shown.Groups, g.DisplayName)
		}
		out.Leavers = append(out.Leavers, shown)
	}
	if len(list) == leaversAtOnce {
		out.NextToken = string(list[len(list)-1].User.ID)
	}
	return out, err
}

func (h *Handler) listOrphans(ctx context.Context, _ awsapi.Caller, in adminapi.PageInput) (adminapi.Orphans, error) {
	out := adminapi.Orphans{Orphans: []adminapi.Orphan{}}
	var after center.Principal
	if in.NextToken != "" {
		of, id, ok := strings.Cut(in.NextToken, "/")
		if !ok {
			return out, &refusal.Error{Code: center.InvalidValue, Field: "NextToken"}
		}
		after = center.Principal{Type: center.PrincipalType(of), ID: id}
	}
	list, next, err := h.Center.Orphans(ctx, center.OrphanQuery{After: after, Limit: leaversAtOnce})
	for _, o := range list {
		shown := adminapi.Orphan{
			PrincipalType: string(o.PrincipalType), PrincipalID: o.PrincipalID, Name: o.Name, ExternalID: o.ExternalID,
			Assignments: o.Assignments, Applications: o.Applications, Rules: o.Rules,
			Successor: o.Successor, SuccessorName: o.SuccessorName,
		}
		if at := o.At.UTC(); !o.At.IsZero() {
			shown.DeletedAt = &at
		}
		out.Orphans = append(out.Orphans, shown)
	}
	if next.ID != "" {
		out.NextToken = string(next.Type) + "/" + next.ID
	}
	return out, err
}

func (h *Handler) relinkAssignments(
	ctx context.Context, who awsapi.Caller, in adminapi.MoveInput,
) (adminapi.Moved, error) {
	m, err := h.Center.Relink(ctx, awsdoor.Actor(who), principal(in), in.To)
	return moved(m), err
}

func (h *Handler) removeAccess(ctx context.Context, who awsapi.Caller, in adminapi.MoveInput) (adminapi.Moved, error) {
	if in.To != "" {
		return moved(center.Moved{}), &refusal.Error{Code: center.InvalidValue, Field: "To", Detail: "nobody gets them"}
	}
	m, err := h.Center.RemoveAccess(ctx, awsdoor.Actor(who), principal(in))
	return moved(m), err
}

func principal(in adminapi.MoveInput) center.Principal {
	return center.Principal{Type: center.PrincipalType(in.PrincipalType), ID: in.PrincipalID}
}

func moved(m center.Moved) adminapi.Moved {
	return adminapi.Moved{
		Assignments: m.Assignments, Applications: m.Applications, Rules: m.Rules, Memberships: m.Memberships,
		Left: m.Left, Problems: append([]string{}, m.Problems...),
	}
}

func (h *Handler) describeGroup(ctx context.Context, _ awsapi.Caller, in adminapi.GroupInput) (adminapi.Group, error) {
	if (in.GroupID == "") == (in.GroupName == "") {
		return adminapi.Group{}, &refusal.Error{
			Code: center.InvalidValue, Field: "GroupId", Detail: "use either GroupId or GroupName",
		}
	}
	find := func() (center.Group, error) { return h.Center.Group(ctx, center.GroupID(in.GroupID)) }
	if in.GroupName != "" {
		find = func() (center.Group, error) { return h.Center.GroupByName(ctx, in.GroupName) }
	}
	g, err := find()
	return adminapi.Group{GroupID: string(g.ID), DisplayName: g.DisplayName, ExternalID: g.ExternalID}, err
}
