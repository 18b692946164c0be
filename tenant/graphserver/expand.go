package graphserver

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// maxExpanded is how many members $expand gives. Source: known limitations of $expand on directory
// objects.
const maxExpanded = 20 //bound:list members that $expand gives

// maxLevels bounds how many managers $expand goes up.
const maxLevels = 100 //bound:depth managers above each other that $expand gives

// expansion is a relation that $expand names, and what is wanted of the objects that it leads to.
type expansion struct {
	properties
	levels int // how many managers to go up
}

// target is the type that a relation leads to.
func target(relation string) *resource {
	switch relation {
	case "manager":
		return userType()
	case "appRoleAssignments", "appRoleAssignedTo":
		return assignmentType()
	case "roleDefinition":
		return roleDefinitionType()
	case "claimsMappingPolicies", "tokenIssuancePolicies":
		return policyType()
	}
	return objectType()
}

const selectionFailed = "Parsing OData Select and Expand failed: "

// selection reads $select and $expand. A relation in $select is a link, which there is none of
// here.
func (t *resource) selection(names, relations string) (properties, map[string]expansion, error) {
	selects, err := t.selected(names)
	if err != nil || relations == "" {
		return selects, nil, err
	}
	out := map[string]expansion{}
	for _, part := range split(relations, ',') {
		name, options, has := strings.Cut(strings.TrimSpace(part), "(")
		if has {
			var closed bool
			if options, closed = strings.CutSuffix(options, ")"); !closed {
				return nil, nil, badQuery(selectionFailed + "Found an unbalanced bracket expression.")
			}
		}
		i := slices.IndexFunc(t.relations, func(r string) bool { return strings.EqualFold(r, name) })
		if i < 0 {
			return nil, nil, t.noProperty(selectionFailed, name)
		}
		if out[t.relations[i]], err = readExpansion(t.relations[i], options); err != nil {
			return nil, nil, err
		}
	}
	return selects, out, nil
}

func (t *resource) selected(text string) (names properties, err error) {
	if text == "" {
		return nil, nil
	}
	names = properties{}
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		if part == "*" {
			return nil, nil
		}
		if name, _, ok := t.Properties.Path(part); ok {
			name, _, _ = strings.Cut(name, "/")
			names = append(names, name)
		} else if !slices.ContainsFunc(t.relations, func(r string) bool { return strings.EqualFold(r, part) }) {
			return nil, t.noProperty(selectionFailed, part)
		}
	}
	return names, nil
}

// readExpansion reads what stands in the brackets after a relation: $select, and of managers
// $levels.
func readExpansion(relation, options string) (e expansion, err error) {
	e.levels = 1
	for _, option := range split(options, ';') {
		name, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		switch name = strings.ToLower(strings.TrimPrefix(name, "$")); {
		case name == "" && value == "":
		case name == "select":
			e.properties, err = target(relation).selected(value)
		case name == "levels" && relation == "manager":
			if e.levels, err = strconv.Atoi(value); value == "max" {
				e.levels, err = maxLevels, nil
			}
			if err != nil || e.levels < 1 {
				err = badQuery(selectionFailed + "'" + quotable(value) + "' is no number of levels.")
			}
			e.levels = min(e.levels, maxLevels)
		default:
			err = unsupported("The query option '" + quotable(name) + "' is not supported within $expand.")
		}
		if err != nil {
			return e, err
		}
	}
	return e, nil
}

// split cuts a text at a separator that stands in no brackets.
func split(text string, at byte) (parts []string) {
	depth, from := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case at:
			if depth == 0 {
				parts, from = append(parts, text[from:i]), i+1
			}
		}
	}
	return append(parts, text[from:])
}

// expand adds what $expand asks for to objects of a type, which have their ids.
func (h *Handler) expand(ctx context.Context, o query, t *resource, list []object) error {
	for name, e := range o.expand {
		for _, x := range list {
			id, _ := x["id"].(string)
			related, err := h.related(ctx, t, name, id, e)
			if err != nil {
				return err
			}
			x[name] = related
		}
	}
	return nil
}

// related is what a relation of an object leads to: one object, or a list.
func (h *Handler) related(ctx context.Context, t *resource, name, id string, e expansion) (any, error) {
	list := []object{}
	switch name {
	case "manager":
		return h.managers(ctx, tenant.UserID(id), e)
	case "appRoleAssignedTo":
		all, err := h.assignmentObjects(ctx, tenant.AssignmentQuery{ServicePrincipalID: tenant.ServicePrincipalID(id)})
		return shapeAll(all, e), err
	case "appRoleAssignments":
		if t.Type == "servicePrincipal" { // they hold none here
			return list, nil
		}
		all, err := h.assignmentObjects(ctx, tenant.AssignmentQuery{PrincipalID: tenant.PrincipalID(id)})
		return shapeAll(all, e), err
	case "principal", "roleDefinition":
		return h.ofRoleAssignment(ctx, name, id, e)
	case "claimsMappingPolicies":
		return h.relatedPolicy(ctx, id, tenant.ClaimsMapping, e)
	case "tokenIssuancePolicies":
		return h.relatedPolicy(ctx, id, tenant.TokenIssuance, e)
	}
	marks, err := h.marksOf(ctx, t, name, tenant.PrincipalID(id), maxExpanded)
	if err != nil {
		return nil, err
	}
	for _, m := range marks[:min(maxExpanded, len(marks))] {
		x, err := h.directoryObject(ctx, m)
		if refusal.KindOf(err) == refusal.NotFound { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, e.shape(x, memberDefaults))
	}
	return list, nil
}

func shapeAll(all []object, e expansion) []object {
	list := []object{}
	for _, x := range all[:min(maxExpanded, len(all))] {
		list = append(list, e.shape(x, nil))
	}
	return list
}

func (h *Handler) relatedPolicy(
	ctx context.Context, id string, kind tenant.PolicyKind, e expansion,
) ([]object, error) {
	a, err := h.Tenant.Application(ctx, tenant.AnyApplicationID(id))
	if err != nil {
		return nil, err
	}
	all, err := h.attachedPolicies(ctx, a, kind)
	return shapeAll(all, e), err
}

// managers is the manager of a user, with those above where levels ask for them; nothing where
// there is none.
func (h *Handler) managers(ctx context.Context, id tenant.UserID, e expansion) (any, error) {
	var first, below object
	seen := map[tenant.UserID]bool{id: true}
	u, err := h.Tenant.User(ctx, id)
	for range e.levels {
		if err == nil && u.ManagerID == "" {
			break
		}
		if err == nil {
			u, err = h.manager(ctx, u)
		}
		if refusal.KindOf(err) == refusal.NotFound || err == nil && seen[u.ID] { // deleted, or in a circle
			break
		}
		if err != nil {
			return nil, err
		}
		seen[u.ID] = true
		x := e.shape(typed(userObject(u), graph.DirectoryUserType), userDefaults)
		if first == nil {
			first = x
		} else {
			below["manager"] = x
		}
		below = x
	}
	if first == nil {
		return nil, nil
	}
	return first, nil
}

// marksOf are the objects that a relation of users and groups leads to, in the order of their ids.
// The limit may be passed over where all are read at once anyway.
func (h *Handler) marksOf(
	ctx context.Context, t *resource, relation string, id tenant.PrincipalID, limit int,
) (all []tenant.Mark, err error) {
	switch {
	case t.Type == "user" || t.Type == "group":
	case t.Type == "directoryRole":
		return h.roleMembers(ctx, tenant.RoleTemplateID(id))
	case relation != "owners": // applications are in no groups
		return nil, nil
	default:
		a, err := h.Tenant.Application(ctx, tenant.AnyApplicationID(id))
		if err == nil {
			all, err = h.ownerMarks(ctx, a, t.Type == "servicePrincipal")
		}
		return all, err
	}
	switch relation {
	case "members": // in the order of their ids
		var members []tenant.Member
		members, err = h.Tenant.MembersAfter(ctx, tenant.GroupID(id), "", limit)
		for _, m := range members {
			all = append(all, tenant.Mark{Kind: m.Kind, ID: m.MemberID})
		}
	case "transitiveMembers":
		all, err = h.Tenant.TransitiveMembers(ctx, tenant.GroupID(id))
	case "owners":
		var g tenant.Group
		g, err = h.Tenant.Group(ctx, tenant.GroupID(id))
		all = marks(tenant.KindUser, g.Owners)
	case "memberOf", "transitiveMemberOf":
		var ids []tenant.GroupID
		ids, err = h.Tenant.GroupsOf(ctx, id, relation == "transitiveMemberOf")
		all = marks(tenant.KindGroup, ids)
		if err == nil && t.Type == "user" {
			var roles []tenant.RoleTemplateID
			roles, err = h.Tenant.RolesOf(ctx, tenant.AccountID(id))
			all = append(all, marks(tenant.KindDirectoryRole, roles)...)
		}
	case "directReports":
		var ids []tenant.UserID
		ids, err = h.Tenant.DirectReports(ctx, tenant.UserID(id))
		all = marks(tenant.KindUser, ids)
	}
	slices.SortFunc(all, func(a, b tenant.Mark) int { return cmp.Compare(a.ID, b.ID) })
	return all, err
}

func marks[ID ~string](kind tenant.ObjectKind, ids []ID) []tenant.Mark {
	all := make([]tenant.Mark, len(ids))
	for i, id := range ids {
		all[i] = tenant.Mark{Kind: kind, ID: tenant.PrincipalID(id)}
	}
	return all
}
