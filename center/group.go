package center

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// GroupID is a group's id: a UUID.
type GroupID string

// Group is a group of users. Groups are not nested.
type Group struct {
	ID          GroupID
	DisplayName string // 1–1024 characters, unique ignoring letter case
	ExternalID  string // the identity provider's id; unique, exact; empty when none
	Description string
	CreatedAt   time.Time
	CreatedBy   string
	UpdatedAt   time.Time
	UpdatedBy   string
	Version     int64 // counts changes, those of members too
}

// GroupQuery selects groups. Fields that are set narrow the result together.
type GroupQuery struct {
	IDs    []GroupID
	After  GroupID
	Offset int
	Limit  int
	Search string

	HasAccess  *bool // only groups to which an account is assigned, or such to which none is
	By         Order
	Descending bool
}

// groupReader reads groups.
type groupReader interface {
	Group(GroupID) (Group, error)
	GroupByName(string) (Group, error) // ignores letter case
	GroupByExternalID(string) (Group, error)
	Groups(GroupQuery) ([]Group, error)
	CountGroups(GroupQuery) (int, error)
}

// groupWriter writes groups.
type groupWriter interface {
	AddGroup(Group) error
	PutGroup(Group) error
	// TouchGroup counts a change of a group's members.
	TouchGroup(id GroupID, at time.Time, by string) error
	// TouchGroupsOf counts a change in all groups of a user, whom they show as a member.
	TouchGroupsOf(user UserID, at time.Time, by string) error
	DeleteGroup(GroupID) error
}

// check applies the rules of a group; what old has already may stay as it is.
func (g Group) check(tx groupReader, old Group) error {
	if strings.TrimSpace(g.DisplayName) == "" {
		return &refusal.Error{Code: MissingValue, Field: "displayName"}
	}
	for _, f := range []struct{ field, value, old, blanks string }{
		{"displayName", g.DisplayName, old.DisplayName, groupBlanks},
		{"description", g.Description, old.Description, blanks},
		{"externalId", g.ExternalID, old.ExternalID, blanks},
	} {
		if err := checkProse(f.field, f.value, maxText); err != nil {
			return err
		}
		if f.value == f.old {
			continue
		}
		if err := checkNew(f.field, f.value, f.blanks); err != nil {
			return err
		}
	}
	other, err := tx.GroupByName(g.DisplayName)
	if err == nil && other.ID != g.ID {
		return &refusal.Error{Code: GroupNameTaken, Subject: g.DisplayName, Detail: "held by group " + string(other.ID)}
	}
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	if g.ExternalID == "" {
		return nil
	}
	other, err = tx.GroupByExternalID(g.ExternalID)
	if err == nil && other.ID != g.ID {
		return &refusal.Error{Code: ExternalIDTaken, Subject: g.ExternalID, Detail: "held by group " + string(other.ID)}
	}
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	return nil
}

// touch notes who changed the group last.
func (g *Group) touch(c *Center, by audit.Actor, old Group) {
	g.UpdatedAt = c.now()
	g.UpdatedBy = by.Name
	g.Version = old.Version + 1
}

// CreateGroup adds a group with its first members. It fails with GroupNameTaken, ExternalIDTaken,
// UserNotFound, ManagedByProvisioning or a code of kind Invalid.
func (c *Center) CreateGroup(ctx context.Context, by audit.Actor, g Group, members ...UserID) (Group, error) {
	g.DisplayName = names.Normal(g.DisplayName)
	g.ID = GroupID(c.NewID())
	g.CreatedAt = c.now()
	g.CreatedBy = by.Name
	g.UpdatedAt, g.UpdatedBy = g.CreatedAt, by.Name
	defer c.groupPlaces.Forget()
	err := c.change(ctx, by, ActionCreateGroup, func(tx Tx) (string, error) {
		if err := g.check(tx, Group{}); err != nil {
			return g.DisplayName, err
		}
		if err := tx.AddGroup(g); err != nil {
			return g.DisplayName, err
		}
		_, err := c.changeMembers(tx, by, g.ID, MembershipChange{Add: members})
		return string(g.ID), err
	})
	return g, err
}

// UpdateGroup changes a group by edit, and its members in the same transaction. Members to add that
// are members already, and members to remove that are none, are no error: identity providers repeat
// themselves. edit may be called more than once. What changes nothing leaves the group as it was,
// with its version.
func (c *Center) UpdateGroup(
	ctx context.Context, by audit.Actor, id GroupID, members MembershipChange, edit func(*Group) error,
) (Group, error) {
	var g Group
	err := c.change(ctx, by, ActionUpdateGroup, func(tx Tx) (string, error) {
		old, err := tx.Group(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, GroupNotFound, string(id))
		}
		g = old
		if err := edit(&g); err != nil {
			return string(id), err
		}
		g.DisplayName = names.Normal(g.DisplayName)
		g.ID = old.ID
		g.CreatedAt = old.CreatedAt
		g.CreatedBy = old.CreatedBy
		edited := g != old
		if edited {
			if err := g.check(tx, old); err != nil {
				return string(id), err
			}
		}
		moved, err := c.changeMembers(tx, by, id, members)
		if err != nil {
			return string(id), err
		}
		switch {
		case edited:
			g.touch(c, by, old)
			return string(id), tx.PutGroup(g)
		case moved:
			g.touch(c, by, old)
			return string(id), c.touchGroup(tx, by, id)
		}
		return string(id), nil
	})
	return g, err
}

// DeleteGroup removes a group and its memberships. Its assignments stay listable but grant nothing.
// rules may refuse.
func (c *Center) DeleteGroup(ctx context.Context, by audit.Actor, id GroupID, rules ...func(Group) error) error {
	defer c.groupPlaces.Forget()
	return c.change(ctx, by, ActionDeleteGroup, func(tx Tx) (string, error) {
		g, err := tx.Group(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, GroupNotFound, string(id))
		}
		for _, rule := range rules {
			if err := rule(g); err != nil {
				return string(id), err
			}
		}
		return string(id), errors.Join(
			c.keepDeparted(tx, PrincipalGroup, string(id), g.DisplayName, g.ExternalID),
			tx.DeleteMembershipsIn(id), tx.DeleteGroup(id),
		)
	})
}

// Group returns one group, or GroupNotFound.
func (c *Center) Group(ctx context.Context, id GroupID) (Group, error) {
	return findGroup(ctx, c, string(id), func(r Reader) (Group, error) { return r.Group(id) })
}

// GroupByName finds a group by display name, ignoring letter case, or fails with GroupNotFound.
func (c *Center) GroupByName(ctx context.Context, name string) (Group, error) {
	return findGroup(ctx, c, name, func(r Reader) (Group, error) { return r.GroupByName(name) })
}

// GroupByExternalID finds a group by the identity provider's id, exactly, or fails with
// GroupNotFound.
func (c *Center) GroupByExternalID(ctx context.Context, id string) (Group, error) {
	return findGroup(ctx, c, id, func(r Reader) (Group, error) { return r.GroupByExternalID(id) })
}

func findGroup(ctx context.Context, c *Center, subject string, find func(Reader) (Group, error)) (g Group, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		g, err = find(r)
		return refusal.IfNoRow(err, GroupNotFound, subject)
	})
	return g, err
}

// Groups lists groups in the order of their ids.
func (c *Center) Groups(ctx context.Context, q GroupQuery) (groups []Group, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		groups, err = r.Groups(q)
		return err
	})
	return groups, err
}

// CountGroups says how many groups there are without the limits of q.
func (c *Center) CountGroups(ctx context.Context, q GroupQuery) (n int, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		n, err = r.CountGroups(q)
		return err
	})
	return n, err
}
