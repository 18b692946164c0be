package adminapi

import (
	"context"
	"time"
)

// Leaver is a user who is disabled, with what is left of the user's access.
type Leaver struct {
	User
	Assignments  int      // to the user, not by a group
	Applications int      // assigned to the user, not by a group
	Groups       []string // by name, whose members the identity provider does not keep
	Sessions     int
	OpenRoles    int      // whose credentials nobody refuses
	AccessKeys   []string // keys of the center under the user's name
	Console      bool     // an administrator of the console has the user's name
}

// Orphan is a user or a group that is deleted, to which something is still assigned. It grants
// nothing.
type Orphan struct {
	PrincipalType string     // USER or GROUP
	PrincipalID   string     `json:"PrincipalId"`
	Name          string     `json:",omitempty"` // not known where an earlier release deleted it
	ExternalID    string     `json:"ExternalId,omitempty"`
	DeletedAt     *time.Time `json:",omitempty"`
	Assignments   int        // those of rules too
	Applications  int
	Rules         int
	// Successor is who came back under another id, with the same external id or name.
	Successor     string `json:",omitempty"`
	SuccessorName string `json:",omitempty"`
}

// PageInput asks for a page.
type PageInput struct {
	NextToken string `json:",omitempty"`
}

// Leavers is a page of disabled users who have something left.
type Leavers struct {
	Leavers   []Leaver
	NextToken string `json:",omitempty"`
}

// Orphans is a page of those who are deleted.
type Orphans struct {
	Orphans   []Orphan
	NextToken string `json:",omitempty"`
}

// MoveInput names whose assignments are moved or removed.
type MoveInput struct {
	PrincipalType string // USER or GROUP
	PrincipalID   string `json:"PrincipalId"`
	To            string `json:",omitempty"` // id of who gets them, of the same type
}

// Moved is what became of assignments. What is left takes another request; problems stay.
type Moved struct {
	Assignments, Applications, Rules, Memberships int

	Left     int
	Problems []string
}

// ListLeavers returns a page of disabled users who have something left.
func (c *Client) ListLeavers(ctx context.Context, next string) (Leavers, error) {
	return call[Leavers](ctx, c, "ListLeavers", PageInput{next})
}

// ListOrphans returns a page of those who are deleted and still assigned to something.
func (c *Client) ListOrphans(ctx context.Context, next string) (Orphans, error) {
	return call[Orphans](ctx, c, "ListOrphans", PageInput{next})
}

// RelinkAssignments gives what is assigned to a deleted user or group to another one. It repeats
// until nothing is left that can be moved.
func (c *Client) RelinkAssignments(ctx context.Context, in MoveInput) (Moved, error) {
	return c.moveAll(ctx, "RelinkAssignments", in)
}

// RemoveAccess removes what is assigned to a deleted user or group, or to a disabled user, whom it
// also removes from groups that the identity provider does not keep.
func (c *Client) RemoveAccess(ctx context.Context, in MoveInput) (Moved, error) {
	return c.moveAll(ctx, "RemoveAccess", in)
}

func (c *Client) moveAll(ctx context.Context, operation string, in MoveInput) (all Moved, err error) {
	for {
		m, err := call[Moved](ctx, c, operation, in)
		all.Assignments += m.Assignments
		all.Applications += m.Applications
		all.Rules += m.Rules
		all.Memberships += m.Memberships
		all.Left, all.Problems = m.Left, m.Problems
		if err != nil || m.Left == 0 || m.Assignments+m.Applications == 0 {
			return all, err
		}
	}
}

// GroupInput names a group, by id or by display name.
type GroupInput struct {
	GroupID   string `json:"GroupId,omitempty"`
	GroupName string `json:",omitempty"`
}

// Group is a group of the identity store.
type Group struct {
	GroupID     string `json:"GroupId"`
	DisplayName string
	ExternalID  string `json:"ExternalId,omitempty"`
}

// DescribeGroup returns the group that an id or a display name names.
func (c *Client) DescribeGroup(ctx context.Context, in GroupInput) (Group, error) {
	return call[Group](ctx, c, "DescribeGroup", in)
}
