package graphserver

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// objectCalls are the calls that are the same for several kinds of object, and the relations of
// users, groups and service principals. Sources: directoryObject resource type and its methods.
func (h *Handler) objectCalls() []route {
	list := []route{
		{"POST /directoryObjects/getByIds", toReadObjects, noOptions, h.getByIDs("")},
		{"POST /users/getByIds", toReadUsers, noOptions, h.getByIDs("user")},
		{"POST /groups/getByIds", toReadGroups, noOptions, h.getByIDs("group")},
		{"POST /applications/getByIds", toReadApplications, noOptions, h.getByIDs("application")},
		{"POST /servicePrincipals/getByIds", toReadApplications, noOptions, h.getByIDs("serviceprincipal")},
		{"GET /directoryObjects/{id}", toReadObjects, ofOne, h.getObject},
		{"GET /servicePrincipals/{id}/appRoleAssignments", toReadApplications, ofList, h.noAssignments},
	}
	for _, name := range []string{"memberOf", "transitiveMemberOf"} {
		list = append(list, route{"GET /servicePrincipals/{id}/" + name, toReadApplications, ofList, h.none},
			route{"GET /servicePrincipals/{id}/" + name + "/{cast}", toReadApplications, ofList, h.none})
	}
	relations := map[string][]string{
		"users":  {"directReports", "memberOf", "transitiveMemberOf"},
		"groups": {"members", "transitiveMembers", "memberOf", "transitiveMemberOf", "owners"},
	}
	for _, collection := range []string{"users", "groups"} {
		needs := toReadUsers
		if collection == "groups" {
			needs = toReadGroups
		}
		for _, name := range relations[collection] {
			list = append(list, related("/"+collection+"/{id}/"+name, needs, h.relation(name))...)
			if collection == "users" {
				list = append(list, related("/me/"+name, toReadOneself, mine(h.relation(name)))...)
			}
		}
	}
	list = append(list, route{"GET /me/manager", toReadOneself, ofOne, mine(h.getManager)})
	for collection, needs := range map[string]needs{
		"users": toReadGroups, "groups": toReadGroups, "directoryObjects": toReadObjects,
		"servicePrincipals": toReadApplications,
	} {
		for name, call := range h.memberships() {
			list = append(list, route{"POST /" + collection + "/{id}/" + name, needs, noOptions, call})
		}
	}
	for name, call := range h.memberships() {
		list = append(list, route{"POST /me/" + name, toReadOneself, noOptions, mine(call)})
	}
	slices.SortFunc(list, func(a, b route) int { return strings.Compare(a.pattern, b.pattern) })
	return list
}

// related are the routes of a relation: all of it, cast to one kind, and counted.
func related(path string, needs needs, call call) []route {
	return []route{
		{"GET " + path, needs, ofList, call},
		{"GET " + path + "/{cast}", needs, ofList, call},
		{"GET " + path + "/{cast}/$count", needs, ofCount, call},
	}
}

// mine serves for the person for whom a program calls what is served for a user.
func mine(fn call) call {
	return func(ctx context.Context, r request) (int, any, error) {
		switch a := r.caller.Account; {
		case a.ID == "":
			return 0, nil, badRequest("/me request is only valid with delegated authentication flow.")
		case a.Administrator: // those of the admin center are not in the directory
			return 0, nil, notThere(string(a.ID))
		default:
			r.SetPathValue("id", string(a.ID))
		}
		return fn(ctx, r)
	}
}

// notThere are Graph's words for an object that does not exist.
func notThere(id string) *wireError {
	return &wireError{
		status: http.StatusNotFound,
		code:   "Request_ResourceNotFound",
		message: "Resource '" + quotable(id) + "' does not exist or one of its queried reference-property objects " +
			"are not present.",
	}
}

// anyObject is a user, a group, an application or a service principal, with its kind in small
// letters.
func (h *Handler) anyObject(ctx context.Context, id string) (x object, kind string, err error) {
	if u, err := h.Tenant.User(ctx, tenant.UserID(id)); err == nil {
		return typed(userObject(u), graph.DirectoryUserType), "user", nil
	} else if refusal.KindOf(err) != refusal.NotFound {
		return nil, "", err
	}
	if g, err := h.Tenant.Group(ctx, tenant.GroupID(id)); err == nil {
		return typed(groupObject(g), graph.DirectoryGroupType), "group", nil
	} else if refusal.KindOf(err) != refusal.NotFound {
		return nil, "", err
	}
	a, err := h.Tenant.Application(ctx, tenant.AnyApplicationID(id))
	switch {
	case refusal.KindOf(err) == refusal.NotFound:
		return nil, "", notThere(id)
	case err != nil:
		return nil, "", err
	case id == string(a.ID):
		x = objects([]graph.Application{applicationToWire(a)})[0]
		return typed(x, "#microsoft.graph.application"), "application", nil
	case id == string(a.ServicePrincipalID) && !a.NoPrincipal:
		x = objects([]graph.ServicePrincipal{principalToWire(a)})[0]
		return typed(x, "#microsoft.graph.servicePrincipal"), "serviceprincipal", nil
	}
	return nil, "", notThere(id)
}

func (h *Handler) getObject(ctx context.Context, r request) (int, any, error) {
	x, kind, err := h.anyObject(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	t := map[string]func() *resource{
		"user": userType, "group": groupType, "application": applicationType, "serviceprincipal": principalType,
	}[kind]()
	o, err := options(r, t)
	if err != nil {
		return 0, nil, err
	}
	var defaults properties
	if kind == "user" {
		defaults = userDefaults
	}
	x = o.shape(x, defaults)
	return http.StatusOK, x, h.expand(ctx, o, t, []object{x})
}

// Bounds of the actions on several objects. Sources: directoryObject: getByIds, checkMemberGroups,
// getMemberGroups.
const (
	maxIDs         = 1000  //bound:list ids of objects that are asked for at once
	maxChecked     = 20    //bound:list groups that a membership is looked for in at once
	maxMemberships = 11000 //bound:list groups of a member that are answered at once
)

// foreignTypes are the types that may be asked for beside those that there are here: any that is
// derived from directoryObject. Source: directoryObject: getByIds.
var foreignTypes = []string{"directoryobject", "directoryobjectpartnerreference", "directoryroletemplate", "domain",
	"policybase", "resourcespecificpermissiongrant", "extensionproperty", "contract"}

// getByIDs gives objects by their ids, in the order of these. What does not exist, or is of another
// type, is left out.
func (h *Handler) getByIDs(only string) call {
	return func(ctx context.Context, r request) (int, any, error) {
		var in struct {
			IDs   []string `json:"ids"`
			Types []string `json:"types"`
		}
		if err := decode(r, &in); err != nil {
			return 0, nil, err
		}
		switch {
		case len(in.IDs) == 0:
			return 0, nil, badRequest("The request must have at least one value for 'ids'.")
		case len(in.IDs) > maxIDs:
			return 0, nil, tooMany("ids", maxIDs)
		}
		var types []string
		for _, name := range in.Types {
			name = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(name), "#"), "microsoft.graph.")
			if _, ok := castable[name]; !ok && !slices.Contains(foreignTypes, name) {
				return 0, nil, badRequest("Invalid value specified for property 'types': '" + quotable(name) + "'.")
			}
			types = append(types, name)
		}
		page := graph.Page[object]{Context: h.Tenant.GraphURL() + "/$metadata#directoryObjects", Value: []object{}}
		seen := map[string]bool{}
		for _, id := range in.IDs {
			if seen[id] {
				continue
			}
			seen[id] = true
			x, kind, err := h.anyObject(ctx, id)
			if refusal.KindOf(err) == refusal.NotFound || isNotThere(err) {
				continue
			}
			if err != nil {
				return 0, nil, err
			}
			wanted := len(types) == 0 || slices.Contains(types, kind) || slices.Contains(types, "directoryobject")
			if wanted && (only == "" || only == kind) {
				page.Value = append(page.Value, x)
			}
		}
		return http.StatusOK, page, nil
	}
}

func tooMany(name string, most int) error {
	return badRequest("Too many elements in the collection '" + name + "'. The maximum is " + strconv.Itoa(most) + ".")
}

// isNotThere says whether an error is notThere's.
func isNotThere(err error) bool { return err != nil && answerTo(err).status == http.StatusNotFound }

// memberships are the actions that look for the groups of an object. All of them are transitive.
func (h *Handler) memberships() map[string]call {
	return map[string]call{
		"checkMemberGroups":  h.checkMemberships,
		"checkMemberObjects": h.checkMemberships,
		"getMemberGroups":    h.getMemberships,
		"getMemberObjects":   h.getMemberships,
	}
}

// groupIDsOf are the groups that the object that the path names is in, directly or not.
func (h *Handler) groupIDsOf(ctx context.Context, r request) ([]tenant.GroupID, error) {
	var id tenant.PrincipalID
	var err error
	switch {
	case strings.HasPrefix(r.URL.Path, root+"/servicePrincipals/"):
		_, err := h.application(ctx, r)
		return nil, err
	case strings.HasPrefix(r.URL.Path, root+"/directoryObjects/"):
		_, kind, err := h.anyObject(ctx, r.PathValue("id"))
		if err != nil || kind != "user" && kind != "group" {
			return nil, err
		}
		id = tenant.PrincipalID(r.PathValue("id"))
	default:
		if id, err = h.principal(ctx, r); err != nil {
			return nil, err
		}
	}
	return h.Tenant.GroupsOf(ctx, id, true)
}

// checkMemberships answers those of some groups that the object is in.
func (h *Handler) checkMemberships(ctx context.Context, r request) (int, any, error) {
	var in struct {
		GroupIDs []string `json:"groupIds"`
		IDs      []string `json:"ids"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	name := "groupIds"
	ids, other := in.GroupIDs, in.IDs
	if strings.HasSuffix(r.URL.Path, "/checkMemberObjects") {
		name = "ids"
		ids, other = other, ids
	}
	switch {
	case other != nil || ids == nil:
		return 0, nil, badRequest("A value is required for parameter '" + name + "', and for no other.")
	case len(ids) > maxChecked:
		return 0, nil, tooMany(name, maxChecked)
	}
	all, err := h.groupIDsOf(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	found := []string{}
	for _, id := range ids {
		if slices.Contains(all, tenant.GroupID(id)) && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	return http.StatusOK, h.texts(found), nil
}

// getMemberships answers all groups that the object is in. That only security groups are wanted can
// be said of users and service principals.
func (h *Handler) getMemberships(ctx context.Context, r request) (int, any, error) {
	var in struct {
		SecurityEnabledOnly bool `json:"securityEnabledOnly"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if in.SecurityEnabledOnly && strings.HasPrefix(r.URL.Path, root+"/groups/") {
		return 0, nil, badRequest("The parameter 'securityEnabledOnly' must be false for a group.")
	}
	all, err := h.groupIDsOf(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	if len(all) > maxMemberships {
		return 0, nil, &wireError{
			status:  http.StatusBadRequest,
			code:    "Directory_ResultSizeLimitExceeded",
			message: "The result size limit of " + strconv.Itoa(maxMemberships) + " was exceeded.",
		}
	}
	found := []string{}
	for _, id := range all {
		if in.SecurityEnabledOnly {
			g, err := h.Tenant.Group(ctx, id)
			if err != nil && refusal.KindOf(err) != refusal.NotFound {
				return 0, nil, err
			}
			if !g.SecurityEnabled {
				continue
			}
		}
		found = append(found, string(id))
	}
	slices.Sort(found)
	return http.StatusOK, h.texts(found), nil
}

func (h *Handler) texts(list []string) graph.Page[string] {
	return graph.Page[string]{Context: h.Tenant.GraphURL() + "/$metadata#Collection(Edm.String)", Value: list}
}

// noAssignments serves the roles that a service principal has itself: none here.
func (h *Handler) noAssignments(ctx context.Context, r request) (int, any, error) {
	if _, err := h.application(ctx, r); err != nil {
		return 0, nil, err
	}
	return h.answerList(r, assignmentType(), nil)
}
