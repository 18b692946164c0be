package scimserver

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

func (h *Handler) createGroup(ctx context.Context, r *request) (answer, error) {
	in, err := readGroup(r)
	if err != nil {
		return answer{}, err
	}
	g, err := h.Center.CreateGroup(ctx, r.by, in.Group, in.members...)
	if err != nil {
		return answer{}, err
	}
	return h.showGroup(ctx, r, http.StatusCreated, g)
}

// wholeGroup is a group with its members.
type wholeGroup struct {
	center.Group
	members []center.UserID
}

// readGroup reads a whole group. Entra adds attributes of its own; they are dropped.
func readGroup(r *request) (wholeGroup, error) {
	var body scim.Resource
	if err := scim.Decode(r.body, &body); err != nil {
		return wholeGroup{}, err
	}
	wire, _, err := scim.GroupSchema.Normalize(body)
	if err != nil {
		return wholeGroup{}, err
	}
	if id := wire.String("id"); r.id != "" && id != "" && id != r.id {
		return wholeGroup{}, bad(scim.Mutability, "The body's id is another group's.")
	}
	members, err := r.memberIDs(wire["members"])
	if err != nil {
		return wholeGroup{}, err
	}
	if err := r.fewEnough(len(members)); err != nil {
		return wholeGroup{}, err
	}
	g := center.Group{DisplayName: wire.String("displayName"), ExternalID: wire.String("externalId")}
	return wholeGroup{g, members}, nil
}

// fewEnough bounds the memberships of one request. Source of AWS's bound: SCIM guide, CreateGroup
// and PatchGroup.
func (p profile) fewEnough(n int) error {
	if n <= p.maxMembers {
		return nil
	}
	if p.standard {
		return bad(scim.TooMany, "More than 20,000 membership changes.")
	}
	return bad(scim.TooMany, "More than 100 membership changes.")
}

// showGroup is the answer that shows one group, in the standard profile with its members.
func (h *Handler) showGroup(ctx context.Context, r *request, status int, g center.Group) (answer, error) {
	members, err := h.shownMembers(ctx, r, g.ID)
	if err != nil {
		return answer{}, err
	}
	out := answer{status: status, body: r.appendGroup(buffer(), &g, members), version: g.Version + 1}
	if status == http.StatusCreated {
		out.id, out.location = string(g.ID), r.base+"/Groups/"+string(g.ID)
	}
	return r.projected(out, scim.GroupSchema)
}

// shownMembers is what the standard profile shows as members. They can be many, and are read only
// where they are shown.
func (h *Handler) shownMembers(ctx context.Context, r *request, id center.GroupID) (list []reference, err error) {
	if !r.standard || !r.projection().wants("members") {
		return nil, nil
	}
	err = h.Center.Store.View(ctx, func(rd center.Reader) (err error) {
		list, err = membersOf(rd, id)
		return err
	})
	return list, err
}

// appendGroup writes a group. AWS never returns members.
func (r *request) appendGroup(b []byte, g *center.Group, members []reference) []byte {
	o := &object{b: b}
	o.begin()
	o.text("id", string(g.ID))
	o.text("externalId", g.ExternalID)
	r.meta(o, "Group", string(g.ID), g.CreatedAt, g.UpdatedAt, g.Version+1)
	o.name("schemas")
	o.b = append(o.b, `["`+scim.GroupURN+`"]`...)
	o.text("displayName", g.DisplayName)
	if members != nil {
		r.references(o, "members", "Users", "User", members)
	}
	o.shut()
	return o.b
}

func (h *Handler) getGroup(ctx context.Context, r *request) (answer, error) {
	g, err := h.Center.Group(ctx, center.GroupID(r.id))
	if err != nil {
		return answer{}, err
	}
	return h.showGroup(ctx, r, http.StatusOK, g)
}

// putGroup replaces a group with its members. Only the standard profile has it.
func (h *Handler) putGroup(ctx context.Context, r *request) (answer, error) {
	in, err := readGroup(r)
	if err != nil {
		return answer{}, err
	}
	g, err := h.Center.UpdateGroup(
		ctx,
		r.by,
		center.GroupID(r.id),
		center.MembershipChange{Clear: true, Add: in.members},
		func(g *center.Group) error {
			if err := r.precondition(g.Version, r.id); err != nil {
				return err
			}
			g.DisplayName, g.ExternalID = in.DisplayName, in.ExternalID
			return nil
		},
	)
	if err != nil {
		return answer{}, err
	}
	return h.showGroup(ctx, r, http.StatusOK, g)
}

func (h *Handler) deleteGroup(ctx context.Context, r *request) (answer, error) {
	err := h.Center.DeleteGroup(
		ctx, r.by, center.GroupID(r.id), func(g center.Group) error { return r.precondition(g.Version, r.id) },
	)
	return answer{status: http.StatusNoContent}, err
}

// patchGroup answers with 204, also in the standard profile, where the members could be many,
// unless attributes asks for the group (RFC 7644 §3.5.2).
func (h *Handler) patchGroup(ctx context.Context, r *request) (answer, error) {
	var patch scim.PatchRequest
	if err := scim.Decode(r.body, &patch); err != nil {
		return answer{}, err
	}
	edit, err := r.groupChanges(patch)
	if err != nil {
		return answer{}, err
	}
	g, err := h.Center.UpdateGroup(ctx, r.by, center.GroupID(r.id), edit.members, func(g *center.Group) error {
		if edit.name != nil {
			g.DisplayName = *edit.name
		}
		if edit.externalID != nil {
			g.ExternalID = *edit.externalID
		}
		return r.precondition(g.Version, r.id)
	})
	if err != nil {
		return answer{}, err
	}
	if r.standard && r.query.Has("attributes") {
		return h.showGroup(ctx, r, http.StatusOK, g)
	}
	return answer{status: http.StatusNoContent, version: g.Version + 1}, nil
}

type groupEdit struct {
	name, externalID *string
	members          center.MembershipChange
	named            int // members that the request names, whether they cancel each other or not
}

// groupChanges parses a PATCH and applies the profile's rules. AWS's are: names, external ids, and
// members to add or to remove by name. Members cannot be replaced, and the limit counts over the
// whole request.
func (r *request) groupChanges(patch scim.PatchRequest) (groupEdit, error) {
	var edit groupEdit
	if len(patch.Operations) == 0 {
		return edit, bad(scim.InvalidSyntax, "Operations is missing or empty.")
	}
	for _, op := range patch.Operations {
		if edit.plain(op) {
			continue
		}
		changes, err := scim.GroupSchema.ParseOperation(op)
		if err != nil {
			return edit, err
		}
		if op.Path == "" && len(changes) != 1 && !r.standard {
			return edit, bad(
				scim.InvalidSyntax,
				"An operation allows omitting path only for Add and Replace with a value of a single attribute.",
			)
		}
		for _, c := range changes {
			if r.standard && op.Path == "" && (c.Path.Attribute.ReadOnly || c.Path.Attribute.Name == "schemas") {
				continue
			}
			if err := edit.apply(r.profile, c); err != nil {
				return edit, err
			}
		}
	}
	return edit, r.fewEnough(edit.named)
}

// plain makes the change that most requests ask for: to add members, or to remove them by name. ok
// is false, and nothing is changed, for any other.
func (e *groupEdit) plain(op scim.Operation) (ok bool) {
	var list []struct {
		Value string `json:"value"`
		Ref   string `json:"$ref"`
	}
	add := strings.EqualFold(op.Op, "add")
	if op.Path != "members" || (!add && !strings.EqualFold(op.Op, "remove")) || len(op.Value) == 0 ||
		op.Value[0] != '[' || json.Unmarshal(op.Value, &list, plainOptions) != nil {
		return false
	}
	ids := make([]center.UserID, len(list))
	for i, m := range list {
		if ids[i] = center.UserID(m.Value); m.Value == "" {
			return false
		}
	}
	if add {
		e.add(ids)
	} else {
		e.remove(ids...)
	}
	return true
}

func (e *groupEdit) apply(p profile, c scim.Change) error {
	switch c.Path.Attribute.Name {
	case "displayName", "externalId":
		text, ok := c.Value.(string)
		if !ok && c.Op != "remove" {
			return bad(scim.InvalidValue, c.Path.Attribute.Name+" is not a string.")
		}
		if c.Path.Attribute.Name == "displayName" {
			e.name = &text
		} else {
			e.externalID = &text
		}
		return nil
	case "members":
		return e.applyMembers(p, c)
	}
	return bad(scim.Mutability, c.Path.Attribute.Name+" cannot be changed.")
}

func (e *groupEdit) applyMembers(p profile, c scim.Change) error {
	if c.Path.Filter != nil {
		f, ok := c.Path.Filter.(scim.Compare)
		id, isText := f.Value.(string)
		if !ok || !isText || f.Op != "eq" || !strings.EqualFold(f.Attribute, "value") || c.Op != "remove" {
			return bad(scim.InvalidFilter, "Only remove with value eq is allowed on single members.")
		}
		e.remove(center.UserID(id))
		return nil
	}
	all := c.Op == "replace" || (c.Op == "remove" && c.Value == nil)
	if all && !p.standard {
		return &scim.Error{Status: http.StatusBadRequest, Detail: textMembers}
	}
	ids, err := p.memberIDs(c.Value)
	if err != nil {
		return err
	}
	switch {
	case all:
		e.named += len(ids)
		e.members = center.MembershipChange{Clear: true, Add: ids}
	case c.Op == "add":
		e.add(ids)
	default:
		e.remove(ids...)
	}
	return nil
}

// add and remove make the operations of one request take effect in their order: who was to be
// removed before stays, who was to be added is not.
func (e *groupEdit) add(ids []center.UserID) {
	e.named += len(ids)
	e.members.Remove = without(e.members.Remove, ids)
	e.members.Add = append(e.members.Add, ids...)
}

func (e *groupEdit) remove(ids ...center.UserID) {
	e.named += len(ids)
	e.members.Add = without(e.members.Add, ids)
	e.members.Remove = append(e.members.Remove, ids...)
}

func without(list, ids []center.UserID) []center.UserID {
	if len(list) == 0 {
		return list
	}
	gone := make(map[center.UserID]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	return slices.DeleteFunc(list, func(id center.UserID) bool { return gone[id] })
}

// memberIDs reads a member list: objects with a value, a single object, or plain ids, as some
// clients send them.
func (p profile) memberIDs(v any) ([]center.UserID, error) {
	items, ok := v.([]any)
	if !ok && v != nil {
		items = []any{v}
	}
	ids := make([]center.UserID, 0, len(items))
	for _, item := range items {
		id, _ := item.(string)
		if m, ok := item.(map[string]any); ok {
			id = scim.Resource(m).String("value")
			if strings.EqualFold(scim.Resource(m).String("type"), "Group") {
				return nil, bad(scim.InvalidValue, "Groups cannot be members of groups.")
			}
			if !p.standard && scim.Resource(m).String("display") != "" {
				return nil, bad(scim.InvalidValue, "members.display is not supported.")
			}
		}
		if id == "" {
			return nil, bad(scim.InvalidValue, "A member has no value.")
		}
		ids = append(ids, center.UserID(id))
	}
	return ids, nil
}
