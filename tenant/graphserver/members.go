package graphserver

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// memberDefaults are the properties of members, owners and groups of somebody that are given
// without $select.
var memberDefaults = append(
	properties{"description", "securityEnabled", "mailEnabled", "mailNickname"},
	userDefaults...)

// castable are the segments after a collection of directory objects that leave only one kind.
var castable = map[string]tenant.ObjectKind{
	"microsoft.graph.user":  tenant.KindUser,
	"microsoft.graph.group": tenant.KindGroup,
}

// answerRelation serves a collection of directory objects: all of it, cast to one kind, or counted.
// A page costs as many look-ups as it has lines.
func (h *Handler) answerRelation(ctx context.Context, r request, all []tenant.Mark) (int, any, error) {
	o, err := options(r, objectType)
	if err != nil {
		return 0, nil, err
	}
	last := r.PathValue("cast")
	kind, cast := castable[last]
	if last != "" && last != "$count" && !cast {
		return 0, nil, errNoResource
	}
	if cast {
		if !o.count || !strings.EqualFold(r.Header.Get("ConsistencyLevel"), "eventual") {
			return 0, nil, unsupported("A cast needs the header 'ConsistencyLevel: eventual' and $count=true.")
		}
		all = slices.DeleteFunc(all, func(m tenant.Mark) bool { return m.Kind != kind })
	}
	if last == "$count" {
		return answerCount(r, len(all))
	}
	slices.SortFunc(all, func(a, b tenant.Mark) int { return cmp.Compare(a.ID, b.ID) })
	next := func(after string, limit int) (batch []object, err error) {
		for _, m := range all {
			if string(m.ID) <= after || len(batch) == limit {
				continue
			}
			x, err := h.directoryObject(ctx, m)
			if refusal.KindOf(err) == refusal.NotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			batch = append(batch, x)
		}
		return batch, nil
	}
	p, err := h.page(r, o, next, memberDefaults, func() (int, error) { return len(all), nil })
	return http.StatusOK, p, err
}

// directoryObject is all of a user or a group, with its type.
func (h *Handler) directoryObject(ctx context.Context, m tenant.Mark) (object, error) {
	if m.Kind == tenant.KindGroup {
		g, err := h.Tenant.Group(ctx, tenant.GroupID(m.ID))
		return typed(groupObject(g), graph.DirectoryGroupType), err
	}
	u, err := h.Tenant.User(ctx, tenant.UserID(m.ID))
	return typed(userObject(u), graph.DirectoryUserType), err
}

func (h *Handler) listMembers(ctx context.Context, r request) (int, any, error) {
	members, err := h.Tenant.Members(ctx, tenant.GroupID(r.PathValue("id")))
	if err != nil {
		return 0, nil, err
	}
	all := make([]tenant.Mark, len(members))
	for i, m := range members {
		all[i] = tenant.Mark{Kind: m.Kind, ID: m.MemberID}
	}
	return h.answerRelation(ctx, r, all)
}

func (h *Handler) listTransitiveMembers(ctx context.Context, r request) (int, any, error) {
	all, err := h.Tenant.TransitiveMembers(ctx, tenant.GroupID(r.PathValue("id")))
	if err != nil {
		return 0, nil, err
	}
	return h.answerRelation(ctx, r, all)
}

func (h *Handler) listMemberOf(ctx context.Context, r request) (int, any, error) {
	return h.groupsOf(ctx, r, false)
}

func (h *Handler) listTransitiveMemberOf(ctx context.Context, r request) (int, any, error) {
	return h.groupsOf(ctx, r, true)
}

func (h *Handler) groupsOf(ctx context.Context, r request, transitive bool) (int, any, error) {
	id, err := h.principal(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	ids, err := h.Tenant.GroupsOf(ctx, id, transitive)
	if err != nil {
		return 0, nil, err
	}
	all := make([]tenant.Mark, len(ids))
	for i, id := range ids {
		all[i] = tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(id)}
	}
	return h.answerRelation(ctx, r, all)
}

func (h *Handler) listOwners(ctx context.Context, r request) (int, any, error) {
	g, err := h.Tenant.Group(ctx, tenant.GroupID(r.PathValue("id")))
	if err != nil {
		return 0, nil, err
	}
	var all []tenant.Mark
	for _, id := range g.Owners {
		all = append(all, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)})
	}
	return h.answerRelation(ctx, r, all)
}

func (h *Handler) addOwner(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.Tenant.AddOwner(ctx, r.by, tenant.GroupID(r.PathValue("id")), tenant.UserID(id))
}

func (h *Handler) removeOwner(ctx context.Context, r request) (int, any, error) {
	return http.StatusNoContent, nil, h.Tenant.RemoveOwner(
		ctx, r.by, tenant.GroupID(r.PathValue("id")), tenant.UserID(r.PathValue("member")),
	)
}

func (h *Handler) addMember(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.Tenant.AddMember(
		ctx, r.by, tenant.GroupID(r.PathValue("id")), tenant.PrincipalID(id),
	)
}

func (h *Handler) removeMember(ctx context.Context, r request) (int, any, error) {
	return http.StatusNoContent, nil, h.Tenant.RemoveMember(
		ctx, r.by, tenant.GroupID(r.PathValue("id")), tenant.PrincipalID(r.PathValue("member")),
	)
}
