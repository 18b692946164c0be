package graphserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// reference reads an @odata.id body and returns the id at the end of the address.
func reference(r request) (string, error) {
	var in graph.Reference
	if err := decode(r, &in); err != nil {
		return "", err
	}
	return idOf(in.ID)
}

// idOf is the id at the end of an address such as …/users/x, or …/users('x').
func idOf(address string) (string, error) {
	id := strings.TrimSuffix(address[strings.LastIndexByte(address, '/')+1:], "')")
	if at := strings.Index(id, "('"); at >= 0 {
		id = id[at+2:]
	}
	if id == "" {
		return "", badRequest("Invalid URL format specified in @odata.bind for 'directoryObjects'.")
	}
	return id, nil
}

// groupObject is all of a group.
func groupObject(g tenant.Group) object {
	x := object{
		"id":              string(g.ID),
		"displayName":     g.DisplayName,
		"description":     nil,
		"mailEnabled":     false,
		"mailNickname":    g.MailNickname,
		"securityEnabled": g.SecurityEnabled,
		"groupTypes":      []string{},
		"mail":            nil,
		"createdDateTime": g.CreatedAt.Format(time.RFC3339),
		"visibility":      nil,
	}
	if g.Description != "" {
		x["description"] = g.Description
	}
	return x
}

// groups is the collection of groups.
func (h *Handler) groups() collection {
	return collection{h.groupsAfter, h.Tenant.CountGroups, nil, groupType()}
}

// groupsAfter reads groups in the order of their ids; those that are asked for by their name are
// looked up.
func (h *Handler) groupsAfter(ctx context.Context, o query) func(after string, limit int) ([]object, error) {
	return func(after string, limit int) (list []object, err error) {
		var groups []tenant.Group
		if name, ok := o.condition.Equals("displayName"); ok {
			groups, err = h.Tenant.GroupsByName(ctx, name)
			groups = slices.DeleteFunc(groups, func(g tenant.Group) bool { return string(g.ID) <= after })
			groups = groups[:min(limit, len(groups))]
		} else {
			groups, err = h.Tenant.Groups(ctx, tenant.Query{After: after, Limit: limit})
		}
		for _, g := range groups {
			x := groupObject(g)
			x[tooNew] = h.Rehearsal.tooNew(g.CreatedAt, h.Tenant.Now())
			list = append(list, x)
		}
		return list, err
	}
}

func (h *Handler) createGroup(ctx context.Context, r request) (int, any, error) {
	var in struct {
		DisplayName     string         `json:"displayName"`
		Description     given[*string] `json:"description"`
		MailEnabled     *bool          `json:"mailEnabled"`
		MailNickname    string         `json:"mailNickname"`
		SecurityEnabled *bool          `json:"securityEnabled"`
		GroupTypes      []string       `json:"groupTypes"`
		Members         []string       `json:"members@odata.bind"`
		Owners          []string       `json:"owners@odata.bind"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	members, err := boundIDs[tenant.PrincipalID](in.Members)
	if err != nil {
		return 0, nil, err
	}
	owners, err := boundIDs[tenant.UserID](in.Owners)
	if err != nil {
		return 0, nil, err
	}
	for _, required := range []struct {
		name  string
		given bool
	}{
		{"displayName", in.DisplayName != ""}, {"mailEnabled", in.MailEnabled != nil},
		{"mailNickname", in.MailNickname != ""}, {"securityEnabled", in.SecurityEnabled != nil},
	} {
		if !required.given {
			return 0, nil, badRequest("A value is required for property '" + required.name + "' of resource 'Group'.")
		}
	}
	if len(members)+len(owners) > maxBound {
		return 0, nil, tooMany("members and owners", maxBound)
	}
	description, err := groupText("description", in.Description)
	if err != nil {
		return 0, nil, err
	}
	if !fitsNickname(in.MailNickname) {
		return 0, nil, badRequest(invalidValue("group", "mailNickname"))
	}
	if *in.MailEnabled || len(in.GroupTypes) > 0 {
		return 0, nil, badRequest("Only security groups are supported.")
	}
	g, err := h.Tenant.CreateGroup(ctx, r.by, tenant.Group{
		DisplayName:     in.DisplayName,
		Description:     description,
		MailNickname:    in.MailNickname,
		SecurityEnabled: *in.SecurityEnabled,
		Owners:          owners,
	}, members...)
	return http.StatusCreated, groupObject(g), err
}

func (h *Handler) getGroup(ctx context.Context, r request) (int, any, error) {
	o, err := options(r, groupType())
	if err != nil {
		return 0, nil, err
	}
	g, err := h.Tenant.Group(ctx, tenant.GroupID(r.PathValue("id")))
	if err != nil {
		return 0, nil, err
	}
	x := o.shape(groupObject(g), nil)
	return http.StatusOK, x, h.expand(ctx, o, groupType(), []object{x})
}

// maxBound is how many members one request adds. Source: "Add members".
const maxBound = 20 //bound:list members that one request to Graph adds to a group

// boundIDs reads the ids of objects that a request names by their addresses, each once.
func boundIDs[ID ~string](addresses []string) ([]ID, error) {
	if len(addresses) > maxBound {
		return nil, badRequest("At most 20 members can be added in one request.")
	}
	ids := make([]ID, len(addresses))
	for i, a := range addresses {
		id, err := idOf(a)
		if err != nil {
			return nil, err
		}
		if ids[i] = ID(id); slices.Contains(ids[:i], ids[i]) {
			return nil, badRequest("The reference to '" + quotable(id) + "' is duplicated.")
		}
	}
	return ids, nil
}

// groupText is a text of a group, which null clears. Graph refuses an empty one.
func groupText(name string, g given[*string]) (string, error) {
	switch {
	case !g.sent || g.value == nil:
		return "", nil
	case *g.value == "":
		return "", badRequest(invalidValue("group", name))
	}
	return *g.value, nil
}

// groupPatch is what may be changed of a group.
type groupPatch struct {
	DisplayName     given[*string] `json:"displayName"`
	Description     given[*string] `json:"description"`
	MailNickname    given[*string] `json:"mailNickname"`
	MailEnabled     givenBool      `json:"mailEnabled"`
	SecurityEnabled givenBool      `json:"securityEnabled"`
	GroupTypes      []string       `json:"groupTypes"`
	Members         []string       `json:"members@odata.bind"`
}

func (h *Handler) updateGroup(ctx context.Context, r request) (int, any, error) {
	var in groupPatch
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	id := r.PathValue("id")
	members, err := boundIDs[tenant.PrincipalID](in.Members)
	if err != nil {
		return 0, nil, err
	}
	var mail, security bool
	e1, e2 := in.MailEnabled.into("mailEnabled", &mail), in.SecurityEnabled.into("securityEnabled", &security)
	name, e3 := groupText("displayName", in.DisplayName)
	description, e4 := groupText("description", in.Description)
	nickname, e5 := groupText("mailNickname", in.MailNickname)
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		return 0, nil, err
	}
	if in.MailNickname.sent && (nickname == "" || !fitsNickname(nickname)) {
		return 0, nil, badRequest(invalidValue("group", "mailNickname"))
	}
	if mail || len(in.GroupTypes) > 0 {
		return 0, nil, badRequest("Only security groups are supported.")
	}
	_, err = h.Tenant.UpdateGroup(ctx, r.by, tenant.GroupID(id), func(g *tenant.Group) {
		if in.DisplayName.sent {
			g.DisplayName = name
		}
		if in.Description.sent {
			g.Description = description
		}
		if in.MailNickname.sent {
			g.MailNickname = nickname
		}
		if in.SecurityEnabled.sent {
			g.SecurityEnabled = security
		}
	}, members...)
	return http.StatusNoContent, nil, err
}

func (h *Handler) deleteGroup(ctx context.Context, r request) (int, any, error) {
	return http.StatusNoContent, nil, h.Tenant.DeleteGroup(ctx, r.by, tenant.GroupID(r.PathValue("id")))
}
