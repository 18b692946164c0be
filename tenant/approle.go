package tenant

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// AppRoleID is the id of an application's role: a UUID.
type AppRoleID string

// DefaultAccess is the role of who is assigned without one. Source: appRoleAssignment.
const DefaultAccess AppRoleID = "00000000-0000-0000-0000-000000000000"

// Role is an app role of an application. Source: appRole resource type.
type Role struct {
	ID          AppRoleID
	DisplayName string
	Description string `json:",omitempty"`
	Value       string `json:",omitempty"` // what an application calls it
	Disabled    bool   `json:",omitempty"` // nobody is given it any more
}

// Bounds of app roles. Source: appRole resource type, value and description; the number of roles is
// that of entries of an application manifest.
const (
	maxAppRoles  = 1200 //bound:list app roles of an application
	maxRoleValue = 120  //bound:text the value of an app role, in bytes
)

// AppRoles are the roles of an application: its own, or those of the gallery.
func (a Application) AppRoles() []Role {
	if a.OwnRoles == nil {
		return GalleryRoles
	}
	return a.OwnRoles
}

// mayBeGiven refuses roles that nobody can be assigned.
func (a Application) mayBeGiven(id AppRoleID) error {
	switch r, there := a.role(id); {
	case len(a.AppRoles()) == 0 && id == DefaultAccess:
		return nil
	case !there || r.Disabled:
		return &refusal.Error{Code: AppRoleNotFound, Subject: string(id)}
	}
	return nil
}

// checkRoles refuses app roles that are wrong, and the removal of one that is enabled. Source:
// appRole resource type; the error CannotDeleteOrUpdateEnabledEntitlement.
func (a Application) checkRoles(old Application) error {
	invalid := func(detail string) error {
		return &refusal.Error{Code: InvalidValue, Subject: "appRoles", Detail: detail}
	}
	if slices.Equal(a.AppRoles(), old.AppRoles()) {
		return nil
	}
	if len(a.OwnRoles) > maxAppRoles {
		return invalid("at most 1200")
	}
	ids, values := map[AppRoleID]bool{}, map[string]bool{}
	for _, r := range a.OwnRoles {
		id, err := uuid.Parse(string(r.ID))
		switch {
		case err != nil || string(r.ID) != id.String() || r.ID == DefaultAccess:
			return invalid("an id must be a UUID")
		case ids[r.ID]:
			return invalid("the id " + string(r.ID) + " stands twice")
		case checkDisplayName(r.DisplayName) != nil:
			return invalid("a display name has 1 to 256 characters, and no control characters")
		case utf8.RuneCountInString(r.Description) > maxDescription:
			return invalid("a description has at most 1024 characters")
		case len(r.Value) > maxRoleValue, strings.ContainsFunc(r.Value, noRoleValue), strings.HasPrefix(r.Value, "."):
			return invalid("a value has at most 120 visible ASCII characters, no blanks, and does not begin with a dot")
		case r.Value != "" && values[r.Value]:
			return invalid("the value " + r.Value + " stands twice")
		}
		ids[r.ID], values[r.Value] = true, true
	}
	for _, r := range old.AppRoles() {
		if !r.Disabled && !ids[r.ID] {
			return &refusal.Error{Code: AppRoleEnabled, Subject: r.DisplayName}
		}
	}
	return nil
}

func noRoleValue(r rune) bool { return r <= ' ' || r > '~' }

// rolesChanged marks everybody whose role has changed, and takes roles away that are gone.
func rolesChanged(tx Tx, touched *Touched, old, now Application) error {
	if slices.Equal(old.AppRoles(), now.AppRoles()) {
		return nil
	}
	list, err := tx.Assignments(AssignmentQuery{ServicePrincipalID: now.ServicePrincipalID})
	for _, a := range list {
		was, _ := old.role(a.RoleID)
		is, there := now.role(a.RoleID)
		if was != is {
			err = errors.Join(err, touchPrincipal(tx, touched, a))
		}
		if !there && was.ID != "" {
			err = errors.Join(err, tx.DeleteAssignment(a.ID))
		}
	}
	return err
}

func (a Application) role(id AppRoleID) (Role, bool) {
	for _, r := range a.AppRoles() {
		if r.ID == id {
			return r, true
		}
	}
	return Role{}, false
}

// assignments are the roles of an application that each principal is assigned; who is not assigned
// is not there.
type assignments map[PrincipalID][]Role

// has says whether a principal is assigned.
func (a assignments) has(id PrincipalID) bool { return len(a[id]) > 0 }

// rolesReader is what is read to know who has which role.
type rolesReader interface {
	applicationReader
	assignmentReader
}

func assignedPrincipals(r rolesReader, servicePrincipalID ServicePrincipalID) (assignments, error) {
	app, err := r.Application(AnyApplicationID(servicePrincipalID))
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return nil, err
	}
	return assignedTo(r, app, servicePrincipalID)
}

// assignedTo is assignedPrincipals for an application that is at hand.
func assignedTo(r assignmentReader, app Application, servicePrincipalID ServicePrincipalID) (assignments, error) {
	roles := map[AppRoleID]Role{}
	for _, role := range app.AppRoles() {
		roles[role.ID] = role
	}
	list, err := r.Assignments(AssignmentQuery{ServicePrincipalID: servicePrincipalID})
	assigned := assignments{}
	for _, a := range list {
		role, known := roles[a.RoleID]
		if !known {
			role = Role{ID: a.RoleID}
		}
		assigned[a.PrincipalID] = append(assigned[a.PrincipalID], role)
	}
	return assigned, err
}
