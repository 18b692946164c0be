package store

import (
	"errors"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// kindRoles are the directory roles of a user, in one document.
const kindRoles = "directory roles"

func (t tx) RoleAssignments() (all []tenant.RoleAssignment, err error) {
	each, err := documents[[]tenant.RoleAssignment](t, kindRoles)
	for _, list := range each {
		all = append(all, list...)
	}
	return all, err
}

func (t tx) RoleAssignmentsOf(id tenant.UserID) ([]tenant.RoleAssignment, error) {
	list, err := document[[]tenant.RoleAssignment](t, kindRoles, string(id))
	if errors.Is(err, refusal.ErrNoRow) {
		err = nil
	}
	return list, err
}

func (t tx) PutRoleAssignmentsOf(id tenant.UserID, list []tenant.RoleAssignment) error {
	if len(list) == 0 {
		return t.deleteDocument(kindRoles, string(id))
	}
	return t.putDocument(kindRoles, string(id), list)
}

// kindSecurity is what is demanded of people who sign in.
const kindSecurity = "security defaults"

func (t tx) SecurityDefaults() (tenant.SecurityDefaults, error) {
	return document[tenant.SecurityDefaults](t, kindSecurity, "")
}

func (t tx) PutSecurityDefaults(d tenant.SecurityDefaults) error {
	return t.putDocument(kindSecurity, "", d)
}

// GrantsAfter lists what people have allowed programs for longer, in the order of their names.
func (t tx) GrantsAfter(after string, limit int) ([]tenant.Grant, error) {
	return list[tenant.Grant](t,
		`SELECT doc FROM grants WHERE holder LIKE 'refresh/%' AND digest > $1 ORDER BY digest LIMIT $2`, after, limit)
}
