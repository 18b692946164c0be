package graphserver

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// roleCalls are the calls on directory roles: who has them, by either of Graph's two APIs. Sources:
// directoryRole, unifiedRoleDefinition and unifiedRoleAssignment resource types.
func (h *Handler) roleCalls() []route {
	const (
		definitions = "/roleManagement/directory/roleDefinitions"
		assignments = "/roleManagement/directory/roleAssignments"
	)
	return []route{
		{"GET /directoryRoles", toReadRoles, ofList, h.listRoles},
		{"POST /directoryRoles", toAssignRoles, noOptions, h.activateRole},
		{"GET /directoryRoles/{id}", toReadRoles, ofOne, h.getRole},
		{"GET /directoryRoles/{id}/members", toReadRoles, ofList, h.listRoleMembers},
		{"POST /directoryRoles/{id}/members/$ref", toAssignRoles, noOptions, h.addRoleMember},
		{"DELETE /directoryRoles/{id}/members/{member}/$ref", toAssignRoles, noOptions, h.removeRoleMember},
		{"GET /directoryRoleTemplates", toReadRoles, ofList, h.listRoles},
		{"GET /directoryRoleTemplates/{id}", toReadRoles, ofOne, h.getRole},
		{"GET " + definitions, toReadRoles, ofList, h.listRoleDefinitions},
		{"GET " + definitions + "/{id}", toReadRoles, ofOne, h.getRoleDefinition},
		{"GET " + assignments, toReadRoles, ofList, h.listRoleAssignments},
		{"POST " + assignments, toAssignRoles, noOptions, h.assignRole},
		{"GET " + assignments + "/{id}", toReadRoles, ofOne, h.getRoleAssignment},
		{"DELETE " + assignments + "/{id}", toAssignRoles, noOptions, h.unassignRole},
	}
}

var (
	roleType           = withRelations(ofSample("directoryRole", roleObject(tenant.DirectoryRole{})), "members")
	roleDefinitionType = ofSample("unifiedRoleDefinition", roleDefinitionObject(tenant.DirectoryRole{}))
	roleAssignmentType = withRelations(
		ofSample("unifiedRoleAssignment", roleAssignmentObject(tenant.RoleAssignment{})), "principal", "roleDefinition",
	)
)

// withRelations is a type whose objects have relations that $expand may name.
func withRelations(of func() *resource, relations ...string) func() *resource {
	return sync.OnceValue(func() *resource {
		t := *of()
		t.relations = relations
		return &t
	})
}

// roleObject is a role that is activated in the tenant, as all are. Its own id is that of the
// template.
func roleObject(r tenant.DirectoryRole) object {
	return object{
		"id": string(r.ID), "displayName": r.DisplayName, "description": r.Description,
		"roleTemplateId": string(r.ID), "deletedDateTime": nil,
	}
}

func roleDefinitionObject(r tenant.DirectoryRole) object {
	return object{
		"id": string(r.ID), "templateId": string(r.ID), "displayName": r.DisplayName, "description": r.Description,
		"isBuiltIn": true, "isEnabled": true, "version": "1", "resourceScopes": []string{"/"},
	}
}

func roleAssignmentObject(a tenant.RoleAssignment) object {
	return object{
		"id": a.ID, "principalId": string(a.PrincipalID), "roleDefinitionId": string(a.RoleID), "directoryScopeId": "/",
	}
}

func roleObjects(wire func(tenant.DirectoryRole) object) (list []object) {
	for _, r := range tenant.DirectoryRoles {
		list = append(list, wire(r))
	}
	return list
}

func (h *Handler) listRoles(_ context.Context, r request) (int, any, error) {
	return h.answerList(r, roleType(), roleObjects(roleObject))
}

func (h *Handler) listRoleDefinitions(_ context.Context, r request) (int, any, error) {
	return h.answerList(r, roleDefinitionType(), roleObjects(roleDefinitionObject))
}

// role is the role that the path names.
func (r request) role() (tenant.DirectoryRole, error) {
	id := strings.TrimPrefix(r.PathValue("id"), "roleTemplateId=") // the alternate key
	return tenant.FindRole(tenant.RoleTemplateID(id))
}

// activateRole finds that a role is activated, as all are. Source: directoryRole: create; the words
// are those of the directory for what is there already.
func (h *Handler) activateRole(_ context.Context, r request) (int, any, error) {
	var in struct {
		Template    tenant.RoleTemplateID `json:"roleTemplateId"`
		DisplayName string                `json:"displayName"`
		Description string                `json:"description"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if _, err := tenant.FindRole(in.Template); err != nil {
		return 0, nil, err
	}
	return 0, nil, badRequest(
		"A conflicting object with one or more of the specified property values is present in the directory.")
}

func (h *Handler) getRole(_ context.Context, r request) (int, any, error) {
	role, err := r.role()
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, roleType(), roleObject(role))
}

func (h *Handler) getRoleDefinition(_ context.Context, r request) (int, any, error) {
	role, err := r.role()
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, roleDefinitionType(), roleDefinitionObject(role))
}

func (h *Handler) listRoleMembers(ctx context.Context, r request) (int, any, error) {
	role, err := r.role()
	if err != nil {
		return 0, nil, err
	}
	all, err := h.roleMembers(ctx, role.ID)
	if err != nil {
		return 0, nil, err
	}
	return h.answerRelation(ctx, r, all)
}

func (h *Handler) roleMembers(ctx context.Context, id tenant.RoleTemplateID) (all []tenant.Mark, err error) {
	list, err := h.Tenant.RoleAssignments(ctx)
	for _, a := range list {
		if a.RoleID == id {
			all = append(all, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(a.PrincipalID)})
		}
	}
	return all, err
}

// ofRoleAssignment is who has a role, or which one it is.
func (h *Handler) ofRoleAssignment(ctx context.Context, relation, id string, e expansion) (any, error) {
	a, err := h.roleAssignment(ctx, func(a tenant.RoleAssignment) bool { return a.ID == id })
	if err != nil {
		return nil, err
	}
	if relation == "principal" {
		x, err := h.directoryObject(ctx, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(a.PrincipalID)})
		if err != nil {
			return nil, err
		}
		return e.shape(x, userDefaults), nil
	}
	role, err := tenant.FindRole(a.RoleID)
	return e.shape(roleDefinitionObject(role), nil), err
}

func (h *Handler) addRoleMember(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	_, err = h.Tenant.AssignRole(ctx, r.by, tenant.UserID(id), tenant.RoleTemplateID(r.PathValue("id")))
	return http.StatusNoContent, nil, err
}

func (h *Handler) removeRoleMember(ctx context.Context, r request) (int, any, error) {
	role, err := r.role()
	if err != nil {
		return 0, nil, err
	}
	a, err := h.roleAssignment(ctx, func(a tenant.RoleAssignment) bool {
		return a.RoleID == role.ID && string(a.PrincipalID) == r.PathValue("member")
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.Tenant.UnassignRole(ctx, r.by, a.ID)
}

// roleAssignment is the first one that meets a condition, or RoleAssignmentNotFound.
func (h *Handler) roleAssignment(
	ctx context.Context, wanted func(tenant.RoleAssignment) bool,
) (tenant.RoleAssignment, error) {
	list, err := h.Tenant.RoleAssignments(ctx)
	for _, a := range list {
		if wanted(a) {
			return a, err
		}
	}
	if err == nil {
		err = &refusal.Error{Code: tenant.RoleAssignmentNotFound}
	}
	return tenant.RoleAssignment{}, err
}

func (h *Handler) listRoleAssignments(ctx context.Context, r request) (int, any, error) {
	list, err := h.Tenant.RoleAssignments(ctx)
	if err != nil {
		return 0, nil, err
	}
	all := make([]object, len(list))
	for i, a := range list {
		all[i] = roleAssignmentObject(a)
	}
	return h.answerList(r, roleAssignmentType(), all)
}

func (h *Handler) getRoleAssignment(ctx context.Context, r request) (int, any, error) {
	a, err := h.roleAssignment(ctx, func(a tenant.RoleAssignment) bool { return a.ID == r.PathValue("id") })
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, roleAssignmentType(), roleAssignmentObject(a))
}

// assignRole gives a user a role in the whole tenant, which is the only scope here.
func (h *Handler) assignRole(ctx context.Context, r request) (int, any, error) {
	var in struct {
		PrincipalID      string `json:"principalId"`
		RoleDefinitionID string `json:"roleDefinitionId"`
		DirectoryScopeID string `json:"directoryScopeId"`
		AppScopeID       string `json:"appScopeId"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if in.DirectoryScopeID != "/" || in.AppScopeID != "" {
		return 0, nil, badRequest("Roles are assigned in the whole tenant: directoryScopeId must be '/'.")
	}
	a, err := h.Tenant.AssignRole(ctx, r.by, tenant.UserID(in.PrincipalID), tenant.RoleTemplateID(in.RoleDefinitionID))
	return http.StatusCreated, roleAssignmentObject(a), err
}

func (h *Handler) unassignRole(ctx context.Context, r request) (int, any, error) {
	return http.StatusNoContent, nil, h.Tenant.UnassignRole(ctx, r.by, r.PathValue("id"))
}
