package adminapi

import (
	"context"
	"time"
)

// Proof is what a user had open when all of it was ended, and what answers now. Fields are added,
// never changed: people keep these for years.
type Proof struct {
	Issuer      string    `json:"iss"` // the center's, whose published keys verify the signature
	ID          string    `json:"id"`
	UserID      string    `json:"user_id"`
	UserName    string    `json:"user_name"`
	DisplayName string    `json:"display_name,omitempty"`
	Center      string    `json:"center"`
	Action      string    `json:"action"`   // RevokeUser, DisableUser, UpdateUser or DeleteUser
	By          string    `json:"by"`       // who asked for it
	Began       time.Time `json:"began"`    // when it was ended
	Ended       time.Time `json:"ended"`    // when what answers now was looked at
	Complete    bool      `json:"complete"` // nothing that was open opens anything any more
	// SignIn is "allowed", or why it is refused now.
	SignIn string `json:"sign_in"`

	Sessions []UserSession `json:"sessions"` // that were open
	Left     []UserSession `json:"sessions_left"`
	Since    int           `json:"sessions_since"` // how many the user has opened since

	Before RoleAccess `json:"roles_before"`
	After  RoleAccess `json:"roles_after"`
	// Roles are those of Before, each with what it answers now.
	Roles []ProvedRole `json:"roles"`
}

// States of a role that was open.
const (
	RoleRefused = "refused"      // by IAM, or by the center's own STS
	RoleNotYet  = "not-yet"      // IAM has not taken the denial: it is tried again
	RoleOpen    = "open"         // the center does not keep the role: see DenyPolicy
	RoleRunOut  = "run-out"      // the credentials have run out
	RoleRemoved = "role-removed" // the role is not there any more
)

// ProvedRole is a role that was open.
type ProvedRole struct {
	AccountID   string     `json:"account_id"`
	RoleName    string     `json:"role_name"`
	SessionName string     `json:"session_name"`
	Until       time.Time  `json:"until"`
	State       string     `json:"state"`
	By          string     `json:"by,omitempty"`         // who refuses
	RefusedAt   *time.Time `json:"refused_at,omitempty"` // since when
	Reason      string     `json:"reason,omitempty"`     // why not yet
	Attempts    int        `json:"attempts,omitempty"`   // without success
}

// SignedProof is a proof with the center's signature: a JWS in its compact form, whose payload is
// the proof.
type SignedProof struct {
	Proof
	Signature string `json:"signature"`
}

// RevocationInput names a record.
type RevocationInput struct {
	RevocationID string `json:"RevocationId"`
}

// RevocationsInput asks for records, of one user or of everybody, newest first.
type RevocationsInput struct {
	UserID    string `json:"UserId,omitempty"`
	NextToken string `json:",omitempty"`
}

// RevocationRecord is one line of a list of records.
type RevocationRecord struct {
	RevocationID string `json:"RevocationId"`
	UserID       string `json:"UserId"`
	UserName     string
	Action       string
	By           string
	At           time.Time
	Sessions     int
	Roles        int
}

// Revocations is a page of records.
type Revocations struct {
	Revocations []RevocationRecord
	NextToken   string `json:",omitempty"`
}

// DescribeRevocation returns the proof of a revocation, as of now.
func (c *Client) DescribeRevocation(ctx context.Context, id string) (SignedProof, error) {
	return call[SignedProof](ctx, c, "DescribeRevocation", RevocationInput{RevocationID: id})
}

// ListRevocations returns a page of records.
func (c *Client) ListRevocations(ctx context.Context, in RevocationsInput) (Revocations, error) {
	return call[Revocations](ctx, c, "ListRevocations", in)
}

// DenyTemplateInput asks for the policy that refuses what is open after a revocation, in roles that
// the center does not keep.
type DenyTemplateInput struct {
	RevocationID string `json:"RevocationId"`
	Format       string // json, cloudformation or terraform
}

// DenyTemplate returns it; it is empty where nothing is open.
func (c *Client) DenyTemplate(ctx context.Context, in DenyTemplateInput) (string, error) {
	out, err := call[RoleTemplate](ctx, c, "GetDenyTemplate", in)
	return out.Template, err
}
