package center

import "time"

// RoleUse says when a user has opened a role last.
type RoleUse struct {
	AccountID        string
	PermissionSetARN string
	UserID           UserID
	At               time.Time
}

// RoleUseQuery selects uses of a permission set by a user or by the members of a group, in an
// account or, without one, in any.
type RoleUseQuery struct {
	AccountID        string
	PermissionSetARN string
	User             UserID
	Group            GroupID
}

// RoleUsesQuery selects uses of roles in an account, or of users, or both; one must be given.
type RoleUsesQuery struct {
	AccountID        string
	PermissionSetARN string
	Users            []UserID  // empty: of everybody
	Since            time.Time // zero: ever
}

// roleUseReader reads when roles were opened last.
type roleUseReader interface {
	RoleUses(RoleUsesQuery) ([]RoleUse, error)
	// LastRoleUse is the latest one.
	LastRoleUse(RoleUseQuery) (RoleUse, error)
	// CountHolders counts the enabled users who have one of the permission sets in any account.
	CountHolders(permissionSets []string) (int, error)
}

// roleUseWriter writes it.
type roleUseWriter interface {
	// NoteRoleUse counts as no write.
	NoteRoleUse(RoleUse) error
}
