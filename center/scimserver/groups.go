package scimserver

import (
	"context"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// maxMembers is how many memberships one request may name. Source: SCIM guide, CreateGroup and PatchGroup.
const maxMembers = 100

func (h *Handler) createGroup(ctx context.Context, r request) (answer, error) {
	var body scim.Resource
	if err := scim.Decode(r.Body, &body); err != nil {
		return answer{}, err
	}
	wire, _, err := scim.GroupSchema.Normalize(body) // Entra adds attributes of its own; they are dropped
	if err != nil {
		return answer{}, err
	}
	members, err := memberIDs(wire["members"])
	if err != nil {
		return answer{}, err
	}
	if len(members) > maxMembers {
		return answer{}, unparsable("More than 100 members.")
	}
	g, err := h.Center.CreateGroup(ctx, r.by, center.Group{DisplayName: wire.String("displayName"), ExternalID: wire.String("externalId")}, members...)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, groupToWire(g)}, nil
}

func (h *Handler) getGroup(ctx context.Context, r request) (answer, error) {
	g, err := h.Center.Group(ctx, center.GroupID(r.id))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, groupToWire(g)}, nil
}

func (h *Handler) deleteGroup(ctx context.Context, r request) (answer, error) {
	if err := h.Center.DeleteGroup(ctx, r.by, center.GroupID(r.id)); err != nil {
		return answer{}, err
	}
	return answer{http.StatusNoContent, nil}, nil
}

func (h *Handler) patchGroup(ctx context.Context, r request) (answer, error) {
	var patch scim.PatchRequest
	if err := scim.Decode(r.Body, &patch); err != nil {
		return answer{}, err
	}
	edit, err := groupChanges(patch)
	if err != nil {
		return answer{}, err
	}
	_, err = h.Center.UpdateGroup(ctx, r.by, center.GroupID(r.id), edit.members, func(g *center.Group) error {
		if edit.name != nil {
			g.DisplayName = *edit.name
		}
		if edit.externalID != nil {
			g.ExternalID = *edit.externalID
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusNoContent, nil}, nil
}

type groupEdit struct {
	name, externalID *string
	members          center.MembershipChange
}

// groupChanges parses a PATCH and applies AWS's rules: names, external ids, and members to add or to remove by name. Members
// cannot be replaced, and the limit counts over the whole request.
func groupChanges(patch scim.PatchRequest) (groupEdit, error) {
	var edit groupEdit
	if len(patch.Operations) == 0 {
		return edit, unparsable("Operations is missing or empty.")
	}
	for _, op := range patch.Operations {
		changes, err := scim.GroupSchema.ParseOperation(op)
		if err != nil {
			return edit, err
		}
		if op.Path == "" && len(changes) != 1 {
			return edit, unparsable("An operation allows omitting path only for Add and Replace with a value of a single attribute.")
		}
		if err := edit.apply(changes[0]); err != nil {
			return edit, err
		}
	}
	if len(edit.members.Add)+len(edit.members.Remove) > maxMembers {
		return edit, unparsable("More than 100 membership changes.")
	}
	return edit, nil
}

func (e *groupEdit) apply(c scim.Change) error {
	switch c.Path.Attribute.Name {
	case "displayName", "externalId":
		text, ok := c.Value.(string)
		if !ok && c.Op != "remove" {
			return unparsable(c.Path.Attribute.Name + " is not a string.")
		}
		if c.Path.Attribute.Name == "displayName" {
			e.name = &text
		} else {
			e.externalID = &text
		}
		return nil
	case "members":
		return e.applyMembers(c)
	}
	return unparsable(c.Path.Attribute.Name + " cannot be changed.")
}

func (e *groupEdit) applyMembers(c scim.Change) error {
	if c.Path.Filter != nil {
		f, ok := c.Path.Filter.(scim.Compare)
		id, isText := f.Value.(string)
		if !ok || !isText || f.Op != "eq" || !strings.EqualFold(f.Attribute, "value") || c.Op != "remove" {
			return unparsable("Only remove with value eq is allowed on single members.")
		}
		e.members.Remove = append(e.members.Remove, center.UserID(id))
		return nil
	}
	if c.Op == "replace" || (c.Op == "remove" && c.Value == nil) {
		return &scim.Error{Status: http.StatusBadRequest, Detail: textMembers}
	}
	ids, err := memberIDs(c.Value)
	if err != nil {
		return err
	}
	if c.Op == "add" {
		e.members.Add = append(e.members.Add, ids...)
	} else {
		e.members.Remove = append(e.members.Remove, ids...)
	}
	return nil
}

// memberIDs reads a member list: objects with a value, a single object, or plain ids, as some clients send them.
func memberIDs(v any) ([]center.UserID, error) {
	items, ok := v.([]any)
	if !ok && v != nil {
		items = []any{v}
	}
	ids := make([]center.UserID, 0, len(items))
	for _, item := range items {
		id, _ := item.(string)
		if m, ok := item.(map[string]any); ok {
			id = scim.Resource(m).String("value")
		}
		if id == "" {
			return nil, unparsable("A member has no value.")
		}
		ids = append(ids, center.UserID(id))
	}
	return ids, nil
}

// groupToWire translates a group. Members are never returned.
func groupToWire(g center.Group) scim.Resource {
	r := scim.Resource{
		"id": string(g.ID), "displayName": g.DisplayName, "schemas": []any{scim.GroupURN},
		"meta": map[string]any{"resourceType": "Group", "created": stamp(g.CreatedAt), "lastModified": stamp(g.UpdatedAt)},
	}
	set(r, "externalId", g.ExternalID)
	return r
}

// listGroups answers the filters that AWS supports: one equality, or id and member. Source: SCIM guide, ListGroups.
func (h *Handler) listGroups(ctx context.Context, r request) (answer, error) {
	page, err := parsePage(r)
	if err != nil {
		return answer{}, err
	}
	filter, err := equalities(r.URL.Query().Get("filter"))
	if err != nil {
		return answer{}, err
	}
	var groups []center.Group
	total := 0
	switch keys := strings.Join(filter.names, ","); keys {
	case "":
		groups, total, err = h.Center.Groups(ctx, center.GroupQuery{After: center.GroupID(page.after), Offset: page.start - 1, Limit: page.count + page.more})
	case "displayname":
		groups, total, err = found(h.Center.GroupByName(ctx, filter.values["displayname"]))
	case "externalid":
		groups, total, err = found(h.Center.GroupByExternalID(ctx, filter.values["externalid"]))
	case "id":
		groups, total, err = found(h.Center.Group(ctx, center.GroupID(filter.values["id"])))
	case "id,members", "id,member", "id,members.value":
		groups, total, err = h.ifMember(ctx, center.GroupID(filter.values["id"]), center.UserID(filter.values[filter.names[1]]))
	case "members.value", "members":
		groups, total, err = h.groupsOf(ctx, center.UserID(filter.values[filter.names[0]]), page)
	default:
		return answer{}, unparsable("The filter is not supported: " + keys + ".")
	}
	if err != nil {
		return answer{}, err
	}
	wire := make([]scim.Resource, len(groups))
	for i, g := range groups {
		wire[i] = groupToWire(g)
		if !strings.EqualFold(r.URL.Query().Get("excludedAttributes"), "members") {
			wire[i]["members"] = []any{}
		}
	}
	return answer{http.StatusOK, page.list(wire, total)}, nil
}

// ifMember returns the group when the user is in it. A member that names no user is 404, an empty one 400.
func (h *Handler) ifMember(ctx context.Context, group center.GroupID, user center.UserID) ([]center.Group, int, error) {
	if user == "" {
		return nil, 0, unparsable("The member is empty.")
	}
	if _, err := h.Center.User(ctx, user); err != nil {
		return nil, 0, err
	}
	if _, err := h.Center.MembershipOf(ctx, group, user); err != nil {
		_, n, err := found(0, err)
		return nil, n, err
	}
	return found(h.Center.Group(ctx, group))
}

func (h *Handler) groupsOf(ctx context.Context, user center.UserID, page page) ([]center.Group, int, error) {
	if user == "" {
		return nil, 0, unparsable("The member is empty.")
	}
	ms, err := h.Center.Memberships(ctx, center.MembershipQuery{UserID: user})
	if err != nil {
		return nil, 0, err
	}
	ids := make([]string, len(ms))
	for i, m := range ms {
		ids[i] = string(m.GroupID)
	}
	wanted := page.cut(ids)
	typed := make([]center.GroupID, len(wanted))
	for i, id := range wanted {
		typed[i] = center.GroupID(id)
	}
	groups, _, err := h.Center.Groups(ctx, center.GroupQuery{IDs: typed})
	return groups, len(ms), err
}
