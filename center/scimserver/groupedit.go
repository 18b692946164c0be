package scimserver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// groupEdit is what a PATCH does to a group.
type groupEdit struct {
	name, externalID *string
	members          center.MembershipChange
	named            int // members that the request names, whether they cancel each other or not

	steps   []memberStep // what is done to members, in order
	filters int          // comparisons that only the members themselves can answer
}

// memberStep is one operation on members.
type memberStep struct {
	clear       bool
	add, remove []center.UserID
	filter      scim.Filter // removes the members that meet it; nil: none
}

// maxMemberFilters bounds the comparisons of one request that look at each member of a group: all
// other changes wait for them.
const maxMemberFilters = 50 //bound:list comparisons with each member of a group in one SCIM PATCH

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
		changes, err := r.parseOperation(scim.GroupSchema, op)
		if err != nil {
			return edit, err
		}
		for _, c := range changes {
			if err := edit.apply(r.profile, c); err != nil {
				return edit, err
			}
		}
	}
	return edit, r.fewEnough(edit.named)
}

var plainOptions = json.JoinOptions(json.MatchCaseInsensitiveNames(true), json.RejectUnknownMembers(true))

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
		e.remove(ids)
	}
	return true
}

// apply adds one change of a PATCH to the edit.
func (e *groupEdit) apply(p profile, c scim.Change) error {
	name := c.Path.Attribute.Name
	switch {
	case c.Path.ReadOnly() || name == "schemas":
		return bad(scim.Mutability, c.Path.String()+" cannot be changed.")
	case name == "members":
		return e.applyMembers(p, c)
	case name == "displayName" && c.Op == "remove": // RFC 7644 §3.5.2.2
		return bad(scim.Mutability, "displayName cannot be removed.")
	case c.Op == "add" && c.Value == nil: // nothing to add
		return nil
	}
	text, ok := c.Value.(string)
	if !ok && c.Value != nil {
		return bad(scim.InvalidValue, name+" is not a string.")
	}
	if name == "displayName" {
		e.name = &text
	} else {
		e.externalID = &text
	}
	return nil
}

func (e *groupEdit) applyMembers(p profile, c scim.Change) error {
	if c.Path.Sub != "" || (c.Path.Filter != nil && c.Op != "remove") {
		return bad(scim.Mutability, "A member can be added and removed, but not changed.")
	}
	if c.Path.Filter != nil {
		return e.removeWhere(p, c.Path.Filter)
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
		e.steps = append(e.steps, memberStep{clear: true, add: ids})
	case c.Op == "add":
		e.add(ids)
	default:
		e.remove(ids)
	}
	return nil
}

// removeWhere removes the members that meet a filter. One that only names them needs no look at
// the others. AWS's profile takes one name.
func (e *groupEdit) removeWhere(p profile, f scim.Filter) error {
	ids, ok := namedBy(f)
	switch {
	case ok && (p.standard || len(ids) == 1):
		e.remove(ids)
		return nil
	case !p.standard:
		return bad(scim.InvalidFilter, "Only remove with value eq is allowed on single members.")
	}
	if e.filters += comparisons(f); e.filters > maxMemberFilters {
		return bad(scim.TooMany, "More than 50 comparisons with the members of a group.")
	}
	e.steps = append(e.steps, memberStep{filter: f})
	return nil
}

// comparisons counts what a filter compares.
func comparisons(f scim.Filter) int {
	switch f := f.(type) {
	case scim.And:
		return comparisons(f.Left) + comparisons(f.Right)
	case scim.Or:
		return comparisons(f.Left) + comparisons(f.Right)
	case scim.Not:
		return comparisons(f.Filter)
	}
	return 1
}

// namedBy reads a filter that names members: value eq "A" or value eq "B".
func namedBy(f scim.Filter) (ids []center.UserID, ok bool) {
	switch f := f.(type) {
	case scim.Or:
		left, ok1 := namedBy(f.Left)
		right, ok2 := namedBy(f.Right)
		return append(left, right...), ok1 && ok2
	case scim.Compare:
		id, isText := f.Value.(string)
		return []center.UserID{center.UserID(id)}, isText && f.Op == "eq" && strings.EqualFold(f.Attribute, "value")
	}
	return nil, false
}

// add and remove make the operations of one request take effect in their order: who was to be
// removed before stays, who was to be added is not.
func (e *groupEdit) add(ids []center.UserID) {
	e.named += len(ids)
	e.members.Remove = without(e.members.Remove, ids)
	e.members.Add = append(e.members.Add, ids...)
	e.steps = append(e.steps, memberStep{add: ids})
}

func (e *groupEdit) remove(ids []center.UserID) {
	e.named += len(ids)
	e.members.Add = without(e.members.Add, ids)
	e.members.Remove = append(e.members.Remove, ids...)
	e.steps = append(e.steps, memberStep{remove: ids})
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

// change is what the edit does to members. Where a filter decides, the steps are taken one after
// the other, over the members as they are then.
func (e *groupEdit) change() center.MembershipChange {
	if e.filters == 0 {
		return e.members
	}
	var added []center.UserID
	for _, s := range e.steps {
		added = append(added, s.add...)
	}
	return center.MembershipChange{Add: added, Choose: e.choose}
}

// choose takes the steps.
func (e *groupEdit) choose(members, others []center.Member) []center.UserID {
	known := make(map[center.UserID]scim.Resource, len(members)+len(others))
	in := make(map[center.UserID]bool, len(members))
	for i, list := range [][]center.Member{members, others} {
		for _, m := range list {
			known[m.ID] = scim.Resource{"value": string(m.ID), "display": m.DisplayName, "type": "User"}
			in[m.ID] = in[m.ID] || i == 0
		}
	}
	for _, s := range e.steps {
		if s.clear {
			clear(in)
		}
		for _, id := range s.remove {
			delete(in, id)
		}
		for _, id := range s.add {
			in[id] = true
		}
		for id, is := range in {
			if is && s.filter != nil && memberSchema.Matches(s.filter, known[id]) {
				delete(in, id)
			}
		}
	}
	var chosen []center.UserID
	for id, is := range in {
		if is {
			chosen = append(chosen, id)
		}
	}
	return chosen
}

// memberSchema is what filters over members know.
var memberSchema = func() scim.Schema {
	for _, a := range scim.GroupSchema.Attributes {
		if a.Name == "members" {
			return scim.Schema{Attributes: a.Sub}
		}
	}
	panic("groups have no members")
}()

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
			member := scim.Resource(m)
			id = member.String("value")
			if strings.EqualFold(member.String("type"), "Group") {
				return nil, bad(scim.InvalidValue, "Groups cannot be members of groups.")
			}
			if !p.standard && member.String("display") != "" {
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
