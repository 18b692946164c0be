package mirror

import (
	"context"
	"fmt"
	"net/url"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Assigned is who is assigned to an application.
type Assigned struct {
	Holders []tenant.Holder
	Groups  map[tenant.PrincipalID]bool // those of them that are groups, or may be
	Roles   []tenant.Role               // of the application, where they matter
}

// Assignments are who is assigned to an application there, and its app roles where they matter.
func (m *Mirror) Assignments(ctx context.Context, there string, withRoles bool) (all Assigned, err error) {
	var app graph.ServicePrincipal
	path := "/servicePrincipals/" + url.PathEscape(there)
	if withRoles {
		if err := m.get(ctx, path+"?$select=id,appRoles", &app); err != nil {
			return all, fmt.Errorf("read the app roles: %w", err)
		}
	}
	all.Roles = make([]tenant.Role, len(app.AppRoles))
	for i, r := range app.AppRoles {
		all.Roles[i] = tenant.Role{ID: tenant.AppRoleID(r.ID), DisplayName: r.DisplayName, Disabled: !r.IsEnabled}
		if r.Value != nil {
			all.Roles[i].Value = *r.Value
		}
	}
	assigned, err := list[graph.AppRoleAssignment](ctx, m, path+"/appRoleAssignedTo?$top=999")
	if err != nil {
		return all, fmt.Errorf("read the assignments: %w", err)
	}
	all.Holders = make([]tenant.Holder, 0, len(assigned))
	all.Groups = map[tenant.PrincipalID]bool{}
	for _, a := range assigned {
		if a.PrincipalType != "ServicePrincipal" {
			h := tenant.Holder{Principal: tenant.PrincipalID(a.PrincipalID)}
			if withRoles {
				h.Role = tenant.AppRoleID(a.AppRoleID)
			}
			all.Holders = append(all.Holders, h)
			if a.PrincipalType != "User" {
				all.Groups[h.Principal] = true
			}
		}
	}
	return all, nil
}
