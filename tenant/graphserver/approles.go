package graphserver

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// appRole is a role of an application as clients send it.
type appRole struct {
	ID                 string   `json:"id"`
	DisplayName        string   `json:"displayName"`
	Description        string   `json:"description"`
	Value              *string  `json:"value"`
	IsEnabled          *bool    `json:"isEnabled"`
	AllowedMemberTypes []string `json:"allowedMemberTypes"`
	Origin             string   `json:"origin"`
}

// appRoles are the roles of an application as Graph has them.
func appRoles(a tenant.Application) (list []graph.AppRole) {
	for _, r := range a.AppRoles() {
		w := graph.AppRole{
			ID:                 string(r.ID),
			DisplayName:        r.DisplayName,
			Description:        r.Description,
			IsEnabled:          !r.Disabled,
			Origin:             "Application",
			AllowedMemberTypes: []string{"User"},
		}
		if r.Value != "" {
			w.Value = &r.Value
		}
		list = append(list, w)
	}
	return list
}

// setRoles replaces the app roles of an application: of those in the collection the tenant keeps
// what people and groups can be given.
func setRoles(a *tenant.Application, in given[*[]appRole]) error {
	if !in.sent {
		return nil
	}
	if in.value == nil {
		return wrongType("appRoles")
	}
	roles := []tenant.Role{}
	for _, r := range *in.value {
		if !slices.Equal(r.AllowedMemberTypes, []string{"User"}) {
			return badRequest("Gatehouse keeps app roles of people and groups only: the allowedMemberTypes of an " +
				`appRole must be ["User"].`)
		}
		role := tenant.Role{
			ID: tenant.AppRoleID(r.ID), DisplayName: r.DisplayName, Description: r.Description,
			Disabled: r.IsEnabled != nil && !*r.IsEnabled,
		}
		if r.Value != nil {
			role.Value = *r.Value
		}
		roles = append(roles, role)
	}
	a.OwnRoles = roles
	return nil
}
