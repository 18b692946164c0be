package admincenter

import (
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// assignmentList is the list of whom an application is assigned to.
type assignmentList struct {
	principals
	Lines    []assignmentLine
	Roles    []tenant.Role // of the application: those that somebody can have
	Role     tenant.AppRoleID
	JobID    tenant.JobID // empty: nobody is provisioned
	States   []stateBadge // that can be asked for
	Standing tenant.LinkState
	Picker   web.Picker
	Given    tenant.AppRoleID // to whom the picker finds
}

// Narrowed says whether the list leaves somebody out.
func (d assignmentList) Narrowed() bool {
	return d.Search != "" || d.Kind != "" || d.Role != "" || d.Standing != ""
}

type assignmentLine struct {
	tenant.Principal
	stateBadge

	Role string
}

func assignments(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	d := assignmentList{Roles: rolesOf(a)}
	q, err := p.assignmentQuery(a, &d)
	if err != nil {
		return err
	}
	more := extra{[]string{"role"}, []string{"role", "assignmentId"}, func(x tenant.Principal) []string {
		return []string{roleName(a, x.Assignment.RoleID), string(x.Assignment.ID)}
	}}
	if q.JobID != "" {
		more.orders, more.columns = append(more.orders, "provisioning"), append(more.columns, "provisioning")
		cells := more.cells
		more.cells = func(x tenant.Principal) []string { return append(cells(x), string(x.State)) }
	}
	d.principals, err = p.principals(q, "users-and-groups", more)
	if d.sent || err != nil {
		return err
	}
	d.Given = p.roleOf(a, p.URL.Query().Get("give"))
	if d.Picker, err = p.picker(p.isAssigned(a, d.Given)); err != nil {
		return err
	}
	for _, x := range d.Items {
		d.Lines = append(d.Lines, assignmentLine{x, stateBadge{x.State}, roleName(a, x.Assignment.RoleID)})
	}
	return p.Render("assignments", "Users and groups", "/admin/apps", p.of(a, "assignments", d))
}

// assignmentQuery is what the address of the list selects.
func (p page) assignmentQuery(a tenant.Application, d *assignmentList) (q tenant.PrincipalQuery, err error) {
	q.ServicePrincipalID = a.ServicePrincipalID
	var offered []string
	for _, r := range d.Roles {
		q.Roles = append(q.Roles, r.ID)
		offered = append(offered, string(r.ID))
	}
	l := p.Listing("name")
	d.Role = tenant.AppRoleID(l.Filter("role", offered...))
	q.RoleID = d.Role
	jobs, err := p.h.Tenant.Jobs(p.Context(), a.ServicePrincipalID)
	if len(jobs) == 0 || err != nil {
		return q, err
	}
	d.JobID = jobs[0].ID
	var states []string
	for _, s := range tenant.LinkStates {
		d.States = append(d.States, stateBadge{s})
		states = append(states, string(s))
	}
	d.Standing = tenant.LinkState(l.Filter("provisioning", states...))
	q.JobID, q.State = d.JobID, d.Standing
	return q, nil
}

// assignmentsListed are the ids of the assignments of the list.
func (p page) assignmentsListed(limit int) ([]string, error) {
	a, err := p.app()
	if err != nil {
		return nil, err
	}
	q, err := p.assignmentQuery(a, &assignmentList{Roles: rolesOf(a)})
	if err != nil {
		return nil, err
	}
	return p.principalsListed(q, limit, func(x tenant.Principal) string { return string(x.Assignment.ID) })
}

// rolesOf are the roles that somebody can have at an application, by name: its own, and that of who
// has none of them.
func rolesOf(a tenant.Application) []tenant.Role {
	roles := append(slices.Clone(a.AppRoles()), tenant.Role{ID: tenant.DefaultAccess, DisplayName: defaultAccess})
	slices.SortStableFunc(roles, func(a, b tenant.Role) int {
		return strings.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName))
	})
	return roles
}

// defaultAccess is what the role of who has none is called.
const defaultAccess = "Default Access"

// roleName is what an application calls a role.
func roleName(a tenant.Application, id tenant.AppRoleID) string {
	for _, r := range a.AppRoles() {
		if r.ID == id {
			return r.DisplayName
		}
	}
	return defaultAccess
}
