package scimserver

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/scim"
)

// The two kinds of resource that can be listed.

var users = kind{
	schema: scim.UserSchema,
	from: func(p center.Pages, rd center.Reader, offset, limit int) ([]found, int, error) {
		list, total, err := p.Users(rd, offset, limit)
		return foundUsers(list), total, err
	},
	after: func(rd center.Reader, id string, limit int) ([]found, error) {
		list, err := rd.Users(center.UserQuery{After: center.UserID(id), Limit: limit})
		return foundUsers(list), err
	},
	byIDs: func(rd center.Reader, ids []string) ([]found, error) {
		list, err := rd.Users(center.UserQuery{IDs: as[center.UserID](ids)})
		return foundUsers(list), err
	},
	lookUp: func(rd center.Reader, attribute, value string) (list []found, indexed bool, err error) {
		var u center.User
		switch strings.TrimPrefix(attribute, strings.ToLower(scim.UserURN)+":") {
		case "username":
			u, err = rd.UserByName(value)
		case "externalid":
			u, err = rd.UserByExternalID(value)
		case "id":
			u, err = rd.User(center.UserID(value))
		default:
			return nil, false, nil
		}
		return oneOrNone(found{id: string(u.ID), user: &u}, err)
	},
	related: func(attribute string) relation {
		if attribute != "groups.value" && attribute != "groups" {
			return nil
		}
		return func(rd center.Reader, group string, _ bool) ([]string, error) {
			ms, err := rd.Memberships(center.MembershipQuery{GroupID: center.GroupID(group)})
			ids := make([]string, len(ms))
			for i, m := range ms {
				ids[i] = string(m.UserID)
			}
			slices.Sort(ids)
			return ids, err
		}
	},
}

var groups = kind{
	schema: scim.GroupSchema,
	from: func(p center.Pages, rd center.Reader, offset, limit int) ([]found, int, error) {
		list, total, err := p.Groups(rd, offset, limit)
		return foundGroups(list), total, err
	},
	after: func(rd center.Reader, id string, limit int) ([]found, error) {
		list, err := rd.Groups(center.GroupQuery{After: center.GroupID(id), Limit: limit})
		return foundGroups(list), err
	},
	byIDs: func(rd center.Reader, ids []string) ([]found, error) {
		list, err := rd.Groups(center.GroupQuery{IDs: as[center.GroupID](ids)})
		return foundGroups(list), err
	},
	lookUp: func(rd center.Reader, attribute, value string) (list []found, indexed bool, err error) {
		var g center.Group
		switch strings.TrimPrefix(attribute, strings.ToLower(scim.GroupURN)+":") {
		case "displayname":
			g, err = rd.GroupByName(value)
		case "externalid":
			g, err = rd.GroupByExternalID(value)
		case "id":
			g, err = rd.Group(center.GroupID(value))
		default:
			return nil, false, nil
		}
		return oneOrNone(found{id: string(g.ID), group: &g}, err)
	},
	// To AWS a member who does not exist is 404 and an empty value 400, not an empty list. Source:
	// SCIM guide, ListGroups.
	related: func(attribute string) relation {
		if attribute != "members.value" && attribute != "members" && attribute != "member" {
			return nil
		}
		return func(rd center.Reader, user string, strict bool) ([]string, error) {
			if strict && user == "" {
				return nil, bad(scim.InvalidFilter, "The member's id is empty.")
			}
			if _, err := rd.User(center.UserID(user)); errors.Is(err, refusal.ErrNoRow) {
				if strict {
					err = &refusal.Error{Code: center.UserNotFound, Subject: user}
				} else {
					err = nil
				}
				return nil, err
			} else if err != nil {
				return nil, err
			}
			ms, err := rd.Memberships(center.MembershipQuery{UserID: center.UserID(user)})
			ids := make([]string, len(ms))
			for i, m := range ms {
				ids[i] = string(m.GroupID)
			}
			slices.Sort(ids)
			return ids, err
		}
	},
}

func as[T ~string](ids []string) []T {
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = T(id)
	}
	return out
}

func foundUsers(list []center.User) []found {
	out := make([]found, len(list))
	for i := range list {
		out[i] = found{id: string(list[i].ID), user: &list[i]}
	}
	return out
}

func foundGroups(list []center.Group) []found {
	out := make([]found, len(list))
	for i := range list {
		out[i] = found{id: string(list[i].ID), group: &list[i]}
	}
	return out
}

// oneOrNone is a list of what a look-up found.
func oneOrNone(f found, err error) ([]found, bool, error) {
	if errors.Is(err, refusal.ErrNoRow) {
		return nil, true, nil
	}
	return []found{f}, true, err
}

// groupsOf is what the standard profile shows as a user's groups.
func groupsOf(rd center.Reader, id center.UserID) ([]reference, error) {
	list, err := rd.GroupsOf(id)
	out := make([]reference, len(list))
	for i, g := range list {
		out[i] = reference{string(g.ID), g.DisplayName}
	}
	return out, err
}

// membersOf is what the standard profile shows as a group's members.
func membersOf(rd center.Reader, id center.GroupID) ([]reference, error) {
	list, err := rd.Members(id)
	out := make([]reference, len(list))
	for i, m := range list {
		out[i] = reference{string(m.ID), m.DisplayName}
	}
	return out, err
}

func (h *Handler) listUsers(ctx context.Context, r *request) (answer, error) {
	if name, ok := r.nameFilter(); ok {
		return h.findUser(ctx, r, name)
	}
	return h.listKind(ctx, r, users)
}

func (h *Handler) listGroups(ctx context.Context, r *request) (answer, error) {
	return h.listKind(ctx, r, groups)
}

func (h *Handler) listKind(ctx context.Context, r *request, k kind) (answer, error) {
	q, err := r.listQuery()
	if err != nil {
		return answer{}, err
	}
	return h.list(ctx, r, k, q)
}

// nameFilter recognises the query that identity providers send most, userName eq and nothing else,
// without the general parser.
func (r *request) nameFilter() (name string, ok bool) {
	const before = `userName eq "`
	filter := r.query["filter"]
	if r.standard || len(r.query) != 1 || len(filter) != 1 || len(filter[0]) > scim.MaxFilterLength {
		return "", false
	}
	name, ok = strings.CutPrefix(filter[0], before)
	name, closed := strings.CutSuffix(name, `"`)
	return name, ok && closed && !strings.ContainsAny(name, `"\`)
}

// findUser answers it.
func (h *Handler) findUser(ctx context.Context, r *request, name string) (answer, error) {
	l := &listing{request: r, query: query{page: page{start: 1}}}
	u, err := h.Center.UserByName(ctx, name)
	switch {
	case err == nil:
		l.total, l.shown = 1, []found{{user: &u}}
	case refusal.CodeOf(err) != center.UserNotFound:
		return answer{}, err
	}
	return l.answer()
}
