package mirror

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Assignments are who is assigned to an application there, and its app roles where they matter.
func (m *Mirror) Assignments(
	ctx context.Context, there string, withRoles bool,
) (holders []tenant.Holder, roles []tenant.Role, err error) {
	var app graph.ServicePrincipal
	path := "/servicePrincipals/" + url.PathEscape(there)
	if withRoles {
		if err := m.Graph.Do(ctx, http.MethodGet, path+"?$select=id,appRoles", nil, &app); err != nil {
			return nil, nil, fmt.Errorf("read the app roles: %w", err)
		}
	}
	roles = make([]tenant.Role, len(app.AppRoles))
	for i, r := range app.AppRoles {
		roles[i] = tenant.Role{ID: tenant.AppRoleID(r.ID), DisplayName: r.DisplayName, Disabled: !r.IsEnabled}
		if r.Value != nil {
			roles[i].Value = *r.Value
		}
	}
	list, err := graph.All[graph.AppRoleAssignment](ctx, m.Graph, path+"/appRoleAssignedTo?$top=999")
	if err != nil {
		return nil, nil, fmt.Errorf("read the assignments: %w", err)
	}
	holders = make([]tenant.Holder, 0, len(list))
	for _, a := range list {
		if a.PrincipalType != "ServicePrincipal" {
			h := tenant.Holder{Principal: tenant.PrincipalID(a.PrincipalID)}
			if withRoles {
				h.Role = tenant.AppRoleID(a.AppRoleID)
			}
			holders = append(holders, h)
		}
	}
	return holders, roles, nil
}
