package adminapi

import (
	"context"
	"time"
)

// RoleAccess is which roles a user has opened whose credentials have not run out: those that open
// something, and those that are refused.
type RoleAccess struct {
	UserID  string `json:"UserId"`
	Open    []OpenRole
	Revoked []RevokedRole
	// DenyPolicy refuses what is open, in roles that the center does not keep.
	DenyPolicy string `json:",omitempty"`
	// RevocationID is the record of what was open, in the answer of RevokeUser.
	RevocationID string `json:"RevocationId,omitempty"`
}

// Pending are the revocations that IAM does not have yet.
func (a RoleAccess) Pending() (n int) {
	for _, r := range a.Revoked {
		if !r.InForce {
			n++
		}
	}
	return n
}

// OpenRole is a role that a user has opened.
type OpenRole struct {
	AccountID        string `json:"AccountId"`
	RoleName         string
	PermissionSetARN string `json:"PermissionSetArn"`
	SessionName      string // and the source identity
	Until            time.Time
}

// RevokedRole is a role that refuses the credentials that a user got before a moment.
type RevokedRole struct {
	OpenRole
	Before  time.Time
	InForce bool   // IAM has it
	Reason  string `json:",omitempty"` // why not yet
}

// RevokeUser ends all that a user has open: sessions, what programs were granted, credentials of
// roles.
func (c *Client) RevokeUser(ctx context.Context, id string) (RoleAccess, error) {
	return call[RoleAccess](ctx, c, "RevokeUser", UserInput{UserID: id})
}

// ListRoleAccess says which roles a user has opened. It knows users that are deleted.
func (c *Client) ListRoleAccess(ctx context.Context, id string) (RoleAccess, error) {
	return call[RoleAccess](ctx, c, "ListRoleAccess", UserInput{UserID: id})
}
