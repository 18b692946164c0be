package admincenter

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// isPerson says whether a name is that of somebody of the directory: the admin center's own
// administrators have no at sign in theirs.
func isPerson(name string) bool { return strings.Contains(name, "@") }

// nobody is the id of somebody who is not in the directory any more, and who has no role.
const nobody = "nobody"

// personOf is the id of somebody of the directory, whose roles bound what they may; "" for the
// admin center's own administrators.
func personOf(ctx context.Context, t *tenant.Tenant, name string) (string, error) {
	if !isPerson(name) {
		return "", nil
	}
	u, err := t.UserByIDOrName(ctx, name)
	if refusal.KindOf(err) == refusal.NotFound {
		return nobody, nil
	}
	return string(u.ID), err
}

// area is a part of the admin center with the directory roles that may look at it, and those that
// may send its forms. What a form may change is for the rules of the tenant to say once more. Its
// path is a beginning, or where it has an asterisk, a whole one in which that stands for an id.
type area struct {
	path         string
	read, change []tenant.RoleTemplateID
}

var (
	anyRole []tenant.RoleTemplateID // everybody who has one

	ofApplications = []tenant.RoleTemplateID{tenant.ApplicationAdministrator, tenant.CloudApplicationAdministrator}
	ofLogs         = append([]tenant.RoleTemplateID{tenant.GlobalReader, tenant.ReportsReader}, ofApplications...)
	ofFactors      = []tenant.RoleTemplateID{tenant.AuthenticationAdministrator}
	ofPasswords    = append(
		[]tenant.RoleTemplateID{tenant.UserAdministrator, tenant.HelpdeskAdministrator}, ofFactors...,
	)
	ofUsers  = []tenant.RoleTemplateID{tenant.UserAdministrator}
	ofGroups = []tenant.RoleTemplateID{tenant.UserAdministrator, tenant.GroupsAdministrator}
	ofRoles  = []tenant.RoleTemplateID{tenant.PrivilegedRoleAdministrator}
	// ofAssigning give applications to people. Source: "Microsoft Entra built-in roles", who may
	// update servicePrincipals/appRoleAssignedTo. Every member of a directory may see which
	// applications there are.
	ofAssigning = append(
		[]tenant.RoleTemplateID{tenant.UserAdministrator, tenant.PrivilegedRoleAdministrator}, ofApplications...,
	)
	seeApplications = append([]tenant.RoleTemplateID{tenant.GlobalReader}, ofApplications...)
	seeAssignments  = append([]tenant.RoleTemplateID{tenant.GlobalReader}, ofAssigning...)
	ofDeleted       = slices.Concat(ofUsers, ofGroups, ofApplications)
)

// areas are the parts, the first that fits counts. A Global Administrator may everything.
var areas = []area{
	{"/admin/sign-in-logs", ofLogs, nil},
	{"/admin/audit", ofLogs, nil},
	{"/admin/clients", seeApplications, ofApplications},
	{"/admin/apps/gallery", seeApplications, ofApplications},
	{"/admin/apps/*/assignments", seeAssignments, ofAssigning},
	{"/admin/apps/*/assignments/delete", seeAssignments, ofAssigning},
	{"/admin/apps/*/provisioning/ondemand", ofApplications, ofApplications}, // there is nothing to look at
	{"/admin/apps/*", seeAssignments, ofApplications},
	{"/admin/apps/", seeApplications, ofApplications},
	{"/admin/apps", seeAssignments, ofApplications},
	{"/admin/users/*/password", nil, ofPasswords},
	{"/admin/users/*/revoke", nil, ofPasswords},
	{"/admin/users/*/factors", nil, ofFactors},
	{"/admin/users/*/groups", anyRole, ofGroups},
	{"/admin/users/*/groups/remove", nil, ofGroups},
	{"/admin/users/*/applications", seeAssignments, nil},
	{"/admin/users/*/authentication", append([]tenant.RoleTemplateID{tenant.GlobalReader}, ofPasswords...), nil},
	{"/admin/users/*/sign-ins", ofLogs, nil},
	{"/admin/users/*/audit", ofLogs, nil},
	{"/admin/users", anyRole, ofUsers},
	{"/admin/groups", anyRole, ofGroups},
	{"/admin/deleted", append([]tenant.RoleTemplateID{tenant.GlobalReader}, ofDeleted...), ofDeleted},
	{"/admin/roles/demand", nil, nil},
	{"/admin/roles", anyRole, ofRoles},
	{"/admin/", anyRole, nil},
}

func (a area) has(address string) bool {
	if strings.Contains(a.path, "*") {
		matches, _ := path.Match(a.path, address) // the patterns above are good
		return matches
	}
	return strings.HasPrefix(address, a.path)
}

// access is what the admin center opens for whoever asks. A page offers what it opens, and no more.
type access struct {
	all  bool // one of the admin center's own administrators
	held []tenant.RoleTemplateID
}

// Opens says whether a page may be looked at.
func (a access) Opens(address string) bool { return a.may(http.MethodGet, address) }

// Sends says whether a form may be sent there.
func (a access) Sends(address string) bool { return a.may(http.MethodPost, address) }

func (a access) may(method, address string) bool {
	i := slices.IndexFunc(areas, func(part area) bool { return part.has(address) })
	for _, role := range a.held {
		reads := method == http.MethodGet && (areas[i].read == nil || slices.Contains(areas[i].read, role))
		writes := method != http.MethodGet && slices.Contains(areas[i].change, role)
		if role == tenant.GlobalAdministrator || reads || writes {
			return true
		}
	}
	return a.all
}

// holds says whether one of some roles is held, or one that may everything.
func (a access) holds(roles []tenant.RoleTemplateID) bool {
	return a.all || slices.ContainsFunc(a.held, func(role tenant.RoleTemplateID) bool {
		return role == tenant.GlobalAdministrator || slices.Contains(roles, role)
	})
}

// accessOf is that of somebody of the directory, by their roles; without a person, it is that of an
// administrator of the admin center.
func (h *Handler) accessOf(ctx context.Context, person string) (a access, err error) {
	if a.all = person == ""; !a.all {
		a.held, err = h.Tenant.RolesOf(ctx, tenant.AccountID(person))
	}
	return a, err
}

// accountPath is where the admin center's own administrators look after themselves.
const accountPath = "/admin/account"

// admits is what pages offer to whoever signed in.
func (h *Handler) admits(ctx context.Context, name string) (web.May, error) {
	person, err := personOf(ctx, h.Tenant, name)
	if person == "" || err != nil {
		return nil, err
	}
	a, err := h.accessOf(ctx, person)
	return func(method, address string) bool {
		return !strings.HasPrefix(address, "/admin/") || // their own account is elsewhere
			!strings.HasPrefix(address, accountPath) && (a.may(method, address) || address == "/admin/logout")
	}, err
}

// admits refuses somebody of the directory whose roles do not open a page.
func (a access) admits(r *http.Request) error {
	if a.may(r.Method, r.URL.Path) {
		return nil
	}
	return &refusal.Error{Code: tenant.NotAllowed, Subject: r.URL.Path, Detail: "no directory role of yours allows it"}
}

// ownElsewhere refuses what somebody of the directory does to their own account here.
func ownElsewhere(v web.Visit) error {
	if !isPerson(v.Admin) {
		return nil
	}
	return &refusal.Error{Code: tenant.NotAllowed, Subject: v.Admin,
		Detail: "your password, sign-in methods and sessions are under My Apps, Security info"}
}

// roleLine is a directory role with the people who have it.
type roleLine struct {
	tenant.DirectoryRole
	Holders []roleHolder
}

type roleHolder struct {
	Assignment tenant.RoleAssignment
	User       tenant.User
}

// rolesPath is the page of the directory roles.
const rolesPath = "/admin/roles"

type rolesData struct {
	Roles  []roleLine
	Picker web.Picker
	Role   tenant.RoleTemplateID // that the form gives
}

func roles(p page) error {
	lines := make([]roleLine, len(tenant.DirectoryRoles))
	err := p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		list, err := r.RoleAssignments()
		if err != nil {
			return err
		}
		for i, role := range tenant.DirectoryRoles {
			lines[i] = roleLine{DirectoryRole: role}
			for _, a := range list {
				if a.RoleID != role.ID {
					continue
				}
				u, err := r.User(a.PrincipalID)
				if errors.Is(err, refusal.ErrNoRow) { // deleted by a node of an earlier release
					u = tenant.User{ID: a.PrincipalID, DisplayName: string(a.PrincipalID)}
				} else if err != nil {
					return err
				}
				lines[i].Holders = append(lines[i].Holders, roleHolder{a, u})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	d := rolesData{Roles: lines, Role: tenant.RoleTemplateID(p.URL.Query().Get("role"))}
	if d.Picker, err = p.userPicker(maxPicked, hasRole(lines, d.Role)); err != nil {
		return err
	}
	return p.Render("roles", "Roles", rolesPath, d)
}

// hasRole says of a role who has it.
func hasRole(lines []roleLine, role tenant.RoleTemplateID) func(web.Pickable) string {
	return func(x web.Pickable) string {
		for _, line := range lines {
			if line.ID == role && slices.ContainsFunc(line.Holders, func(h roleHolder) bool {
				return string(h.User.ID) == x.ID
			}) {
				return "has the role already"
			}
		}
		return ""
	}
}

// assignRole gives a role to the users who were chosen. Of several, those who have it keep it.
func assignRole(p page) error {
	_ = p.PostFormValue(web.Picked) // reads the form
	ids, err := few(p.PostForm[web.Picked], maxPicked, "choose a user")
	if err != nil {
		return err
	}
	role, err := tenant.FindRole(tenant.RoleTemplateID(p.PostFormValue("role")))
	if err != nil {
		return err
	}
	users := make([]tenant.User, len(ids))
	for i, id := range ids {
		if users[i], err = p.h.Tenant.UserByIDOrName(p.Context(), id); err != nil {
			return err
		}
		ids[i] = string(users[i].ID)
	}
	done := users[0].DisplayName + " is a " + role.DisplayName + " now."
	if len(ids) > 1 {
		done = names.Counted("%d {user has|users have} the role ", len(ids)) + role.DisplayName + " now."
	}
	return p.each(tenant.KindUser, ids, p.back(rolesPath), done, func(id string) error {
		_, err := p.h.Tenant.AssignRole(p.Context(), p.by, tenant.UserID(id), role.ID)
		if refusal.CodeOf(err) == tenant.RoleAssignmentExists && len(ids) > 1 {
			return nil
		}
		return err
	})
}

func setDemand(p page) error {
	d := tenant.SecurityDefaults{Factor: tenant.Demand(p.PostFormValue("demand"))}
	if err := p.h.Tenant.SetSecurityDefaults(p.Context(), p.by, d); err != nil {
		return err
	}
	return p.Done(signInPath, "The requirement is saved.")
}

func unassignRole(p page) error {
	id := p.PostFormValue("assignment")
	list, err := p.h.Tenant.RoleAssignments(p.Context())
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.ID != id {
			continue
		}
		name, err := p.called(tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(a.PrincipalID)})
		if refusal.KindOf(err) == refusal.NotFound {
			name, err = string(a.PrincipalID), nil
		}
		role, unknown := tenant.FindRole(a.RoleID)
		if err := errors.Join(err, unknown); err != nil {
			return err
		}
		question := web.Question{
			Title: "Take the role " + role.DisplayName + " from " + name + "?",
			Lines: []string{"What they do by it ends at once. You can assign it again."}, Button: "Take it away",
		}
		if done, err := p.SureOf(question, func(ctx context.Context) error {
			return p.h.Tenant.UnassignRole(ctx, p.by, id)
		}); !done {
			return err
		}
		return p.Done(p.back(rolesPath), "The role is taken away.")
	}
	return &refusal.Error{Code: tenant.RoleAssignmentNotFound, Subject: id}
}
