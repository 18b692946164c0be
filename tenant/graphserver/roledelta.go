package graphserver

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// roleState is what the link of a delta query of directory roles carries: who had which. The roles
// themselves never change.
type roleState struct {
	Issued int64               `json:"t"` // seconds since 1970
	Held   map[string][]string `json:"h"` // the ids of people by the first part of a role's
	IDs    []string            `json:"i,omitempty"`
	Select properties          `json:"f,omitempty"`
}

//bound:list people with directory roles whom a delta query follows, whom its link names
const maxDeltaMembers = 120

// rolesDelta answers with all roles and their members at first, and then with those whose members
// have changed. Source: directoryRole: delta.
func (h *Handler) rolesDelta(ctx context.Context, r request) (int, any, error) {
	s, begins, err := h.roleState(r)
	if err != nil {
		return 0, nil, err
	}
	list, err := h.Tenant.RoleAssignments(ctx)
	if err != nil {
		return 0, nil, err
	}
	if len(list) > maxDeltaMembers {
		return 0, nil, unsupported("Gatehouse follows 120 members of roles at most with a delta query.")
	}
	held := map[string][]string{}
	for _, a := range list {
		held[shortRole(a.RoleID)] = append(held[shortRole(a.RoleID)], string(a.PrincipalID))
	}
	page := graph.DeltaPage[object]{Context: h.Tenant.GraphURL() + "/$metadata#directoryRoles", Value: []object{}}
	for _, role := range tenant.DirectoryRoles {
		if len(s.IDs) > 0 && !slices.Contains(s.IDs, string(role.ID)) {
			continue
		}
		members := []object{}
		was, is := s.Held[shortRole(role.ID)], held[shortRole(role.ID)]
		for _, id := range is {
			if !slices.Contains(was, id) {
				members = append(members, object{"@odata.type": graph.DirectoryUserType, "id": id})
			}
		}
		for _, id := range was {
			if !slices.Contains(is, id) {
				members = append(members, object{
					"@odata.type": graph.DirectoryUserType, "id": id, "@removed": object{"reason": "deleted"},
				})
			}
		}
		if r.URL.Query().Get("$deltatoken") == "latest" || !begins && len(members) == 0 {
			continue
		}
		x := s.Select.shape(roleObject(role), nil)
		if len(s.Select) == 0 || slices.Contains(s.Select, "members") {
			x["members@delta"] = members
		}
		page.Value = append(page.Value, x)
	}
	s.Held, s.Issued = held, h.Tenant.Now().Unix()
	err = h.linkDelta(r, &page, s, false)
	return http.StatusOK, page, err
}

// shortRole is enough of a role's id to know it by.
func shortRole(id tenant.RoleTemplateID) string {
	short, _, _ := strings.Cut(string(id), "-")
	return short
}

// roleState begins a delta query, or goes on from a link.
func (h *Handler) roleState(r request) (s roleState, begins bool, err error) {
	q := r.URL.Query()
	switch token := q.Get("$deltatoken"); {
	case q.Has("$skiptoken"):
		return s, false, errToken
	case token == "" || token == "latest":
		if s.IDs, err = deltaIDs(q.Get("$filter")); err != nil {
			return s, false, err
		}
		s.Select, err = roleType().selected(q.Get("$select"))
		return s, true, err
	}
	if err := openDelta(r, &s); err != nil {
		return s, false, err
	}
	return s, false, h.fresh(r, s.Issued)
}

// objectsState is what the link of a delta query of directory objects carries: one state for each
// kind of object, and which is being read.
type objectsState struct {
	Kinds []deltaState `json:"k"`
	At    int          `json:"a,omitempty"`
}

var (
	deltaKinds = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\(?isof\('microsoft\.graph\.(user|group)'\)\)?$`)
	})
	orBetween = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i) or `) })
)

// objectsDelta answers with all users or groups at first, one kind after the other, and then with
// what has changed. Source: directoryObject: delta.
func (h *Handler) objectsDelta(ctx context.Context, r request) (int, any, error) {
	s, err := h.objectsState(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	size, err := deltaSize(r)
	if err != nil {
		return 0, nil, err
	}
	page := graph.DeltaPage[object]{Context: h.Tenant.GraphURL() + "/$metadata#directoryObjects", Value: []object{}}
	for left := size; left > 0 && s.At < len(s.Kinds); {
		read, err := h.readDelta(ctx, r, &s.Kinds[s.At], left)
		if err != nil {
			return 0, nil, err
		}
		kind := "#microsoft.graph." + strings.ToLower(string(s.Kinds[s.At].Kind))
		for _, x := range read.objects {
			page.Value = append(page.Value, typed(x, kind))
		}
		if left -= len(read.objects); read.more {
			break
		}
		s.At++
	}
	more := s.At < len(s.Kinds)
	if !more {
		s.At = 0
	}
	err = h.linkDelta(r, &page, s, more)
	return http.StatusOK, page, err
}

// objectsState begins a delta query, or goes on from a link.
func (h *Handler) objectsState(ctx context.Context, r request) (s objectsState, err error) {
	q := r.URL.Query()
	if token := q.Get("$skiptoken") + q.Get("$deltatoken"); token != "" && token != "latest" {
		if err := openDelta(r, &s); err != nil {
			return s, err
		}
		if len(s.Kinds) == 0 || len(s.Kinds) > 2 || s.At < 0 || s.At >= len(s.Kinds) {
			return s, errToken
		}
		for _, k := range s.Kinds {
			if (k.Kind != tenant.KindUser && k.Kind != tenant.KindGroup) || k.Number < 0 {
				return s, errToken
			}
		}
		return s, h.fresh(r, max(s.Kinds[0].Issued, s.Kinds[len(s.Kinds)-1].Issued))
	}
	if q.Get("$select") != "" {
		return s, unsupported("Gatehouse has $select with the delta queries of users and of groups only.")
	}
	kinds := map[string]bool{}
	var ids []string
	filter := strings.TrimSpace(q.Get("$filter"))
	if filter == "" { // Source: the answer of a tenant, published in August 2026
		return s, unsupported(
			"Delta query is not supported for directoryObjects without a valid resource type or id filter.",
		)
	}
	for _, part := range orBetween().Split(filter, -1) {
		if m := deltaKinds().FindStringSubmatch(strings.TrimSpace(part)); m != nil {
			kinds[m[1]] = true
		}
	}
	if len(kinds) == 0 {
		ids, err = deltaIDs(filter)
	} else if len(kinds) != len(orBetween().Split(filter, -1)) {
		err = unsupported("A delta query of directory objects can be filtered by isof or by id.")
	}
	if err != nil {
		return s, err
	}
	number, err := h.Tenant.LastChange(ctx)
	for _, kind := range []tenant.ObjectKind{tenant.KindUser, tenant.KindGroup} {
		if len(kinds) == 0 || kinds[strings.ToLower(string(kind))] {
			s.Kinds = append(s.Kinds, deltaState{
				Kind: kind, Reading: !q.Has("$deltatoken"), Number: number, IDs: ids, Issued: h.Tenant.Now().Unix(),
			})
		}
	}
	return s, err
}
