package graphserver

import (
	"cmp"
	"context"
	"math"
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

// castable are the types by which a collection of directory objects can be narrowed. Of those
// without a kind this tenant puts none in a group.
var castable = map[string]tenant.ObjectKind{
	"user":               tenant.KindUser,
	"group":              tenant.KindGroup,
	"administrativeunit": "",
	"application":        tenant.KindApplication,
	"device":             "",
	"directoryrole":      tenant.KindDirectoryRole,
	"orgcontact":         "",
	"serviceprincipal":   tenant.KindServicePrincipal,
}

// typesOfKinds are the types of what a collection is narrowed to.
var typesOfKinds = map[tenant.ObjectKind]func() *resource{
	tenant.KindUser: userType, tenant.KindGroup: groupType, tenant.KindApplication: applicationType,
	tenant.KindServicePrincipal: principalType, tenant.KindDirectoryRole: roleType,
}

// castOf reads a segment such as microsoft.graph.user, or graph.user.
func castOf(segment string) (kind tenant.ObjectKind, ok bool) {
	name, ok := strings.CutPrefix(strings.TrimPrefix(strings.ToLower(segment), "microsoft."), "graph.")
	if ok {
		kind, ok = castable[name]
	}
	return kind, ok
}

// answerRelation serves a collection of directory objects: all of it, cast to one kind, or counted.
// A page costs as many look-ups as it has lines. A cast of a transitive collection is an advanced
// query; one of a direct one is not. Source: "Advanced query capabilities".
func (h *Handler) answerRelation(ctx context.Context, r request, all []tenant.Mark) (int, any, error) {
	last, t := r.PathValue("cast"), objectType()
	if last != "" && last != "$count" && last != "$ref" {
		kind, ok := castOf(last)
		if !ok {
			return 0, nil, noSegment(last)
		}
		all = slices.DeleteFunc(all, func(m tenant.Mark) bool { return kind == "" || m.Kind != kind })
		if of := typesOfKinds[kind]; of != nil {
			t = of()
		}
	}
	o, err := options(r, t)
	if err != nil {
		return 0, nil, err
	}
	counted := last == "$count" || strings.HasSuffix(r.URL.Path, "/$count")
	if last != "" && last != "$ref" && !counted && strings.Contains(r.URL.Path, "/transitive") && !o.count {
		return 0, nil, needsAdvanced("cast")
	}
	slices.SortFunc(all, func(a, b tenant.Mark) int { return cmp.Compare(a.ID, b.ID) })
	next := h.objectsAfter(ctx, all)
	if counted {
		n := len(all)
		if o.narrows() {
			o.count = true
			_, n, err = o.collect(next)
		}
		if err != nil {
			return 0, nil, err
		}
		return answerCount(r, n)
	}
	p, err := h.page(r, o, next, memberDefaults, func() (int, error) { return len(all), nil })
	if err == nil {
		err = h.expand(ctx, o, t, p.Value)
	}
	if last == "$ref" {
		p.Context = h.Tenant.GraphURL() + "/$metadata#Collection($ref)"
		for i, x := range p.Value {
			p.Value[i] = object{"@odata.id": h.Tenant.GraphURL() + "/directoryObjects/" + x["id"].(string)}
		}
	}
	return http.StatusOK, p, err
}

// objectsAfter reads objects of a list that is in the order of its ids.
func (h *Handler) objectsAfter(ctx context.Context, all []tenant.Mark) func(string, int) ([]object, error) {
	return func(after string, limit int) (batch []object, err error) {
		from, _ := slices.BinarySearchFunc(all, after, func(m tenant.Mark, after string) int {
			if after != "" && string(m.ID) <= after {
				return -1
			}
			return 1
		})
		for _, m := range all[from:] {
			if len(batch) == limit {
				break
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
}

// directoryObject is all of an object, with its type.
func (h *Handler) directoryObject(ctx context.Context, m tenant.Mark) (object, error) {
	switch m.Kind {
	case tenant.KindGroup:
		g, err := h.Tenant.Group(ctx, tenant.GroupID(m.ID))
		return typed(groupObject(g), graph.DirectoryGroupType), err
	case tenant.KindDirectoryRole:
		role, err := tenant.FindRole(tenant.RoleTemplateID(m.ID))
		return typed(roleObject(role), "#microsoft.graph.directoryRole"), err
	case tenant.KindApplication, tenant.KindServicePrincipal:
		x, _, err := h.anyObject(ctx, string(m.ID))
		if isNotThere(err) {
			x, err = h.program(ctx, tenant.ClientID(m.ID))
		}
		return x, err
	}
	u, err := h.Tenant.User(ctx, tenant.UserID(m.ID))
	return typed(userObject(u), graph.DirectoryUserType), err
}

// relation serves a relation of the user or the group that the path names.
func (h *Handler) relation(name string) call {
	return func(ctx context.Context, r request) (int, any, error) {
		id, err := h.principal(ctx, r)
		if err != nil {
			return 0, nil, err
		}
		t := userType()
		if strings.HasPrefix(r.URL.Path, root+"/groups/") {
			t = groupType()
		}
		all, err := h.marksOf(ctx, t, name, id, math.MaxInt32)
		if err != nil {
			return 0, nil, err
		}
		return h.answerRelation(ctx, r, all)
	}
}

// none serves a relation in which nothing can be here.
func (h *Handler) none(ctx context.Context, r request) (int, any, error) {
	if _, err := h.application(ctx, r); err != nil {
		return 0, nil, err
	}
	return h.answerRelation(ctx, r, nil)
}

var errOwnerExists = badRequest(
	"One or more added object references already exist for the following modified properties: 'owners'.",
)

func (h *Handler) addOwner(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	err = h.Tenant.AddOwner(ctx, r.by, tenant.GroupID(r.PathValue("id")), tenant.UserID(id))
	if refusal.CodeOf(err) == tenant.MemberExists {
		err = errOwnerExists
	}
	return http.StatusNoContent, nil, err
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
