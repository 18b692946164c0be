package center

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// GroupID is a group's id: a UUID.
type GroupID string

// MembershipID is a membership's id: a UUID.
type MembershipID string

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

// Membership is one user's place in one group.
type Membership struct {
	ID        MembershipID
	GroupID   GroupID
	UserID    UserID
	CreatedAt time.Time
	CreatedBy string

	// Where the membership stands in lists of its user's groups and of its group's members: for
	// MembershipQuery.After, and for nothing else.
	GroupPosition, UserPosition int64
}

// Member is a user as a member of a group.
type Member struct {
	ID          UserID
	DisplayName string
}

// Position is the membership's place in a list that q selects.
func (m Membership) Position(q MembershipQuery) int64 {
	if q.GroupID != "" {
		return m.UserPosition
	}
	return m.GroupPosition
}

// GroupQuery selects groups. Fields that are set narrow the result together.
type GroupQuery struct {
	IDs    []GroupID
	After  GroupID
	Offset int
	Limit  int
	Search string
}

// MembershipQuery selects the memberships of a group or of a user, in the order in which the users
// or the groups were made.
type MembershipQuery struct {
	GroupID GroupID
	UserID  UserID
	After   int64 // page by position: those after this one
	Offset  int
	Limit   int // 0: no limit
}

// MembershipChange is what one request does to a group's members.
type MembershipChange struct {
	Clear       bool // remove all who are there, before the others are added
	Remove, Add []UserID
}

func (g Group) check(tx Reader) error {
	if strings.TrimSpace(g.DisplayName) == "" {
		return &refusal.Error{Code: MissingValue, Field: "displayName"}
	}
	for _, f := range []struct{ field, value string }{
		{"displayName", g.DisplayName}, {"description", g.Description}, {"externalId", g.ExternalID},
	} {
		if err := checkText(f.field, lines.Replace(f.value), maxText); err != nil {
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

// changed notes that a group's members were changed.
func (c *Center) changed(tx Tx, by audit.Actor, id GroupID) error {
	return tx.TouchGroup(id, c.now(), by.Name)
}

// CreateGroup adds a group with its first members. It fails with GroupNameTaken, ExternalIDTaken,
// UserNotFound, ManagedByProvisioning or a code of kind Invalid.
func (c *Center) CreateGroup(ctx context.Context, by audit.Actor, g Group, members ...UserID) (Group, error) {
	g.DisplayName = names.Normal(g.DisplayName)
	g.ID = GroupID(c.NewID())
	g.CreatedAt = c.now()
	g.CreatedBy = by.Name
	g.UpdatedAt, g.UpdatedBy = g.CreatedAt, by.Name
	defer c.groupPlaces.forget()
	err := c.change(ctx, by, ActionCreateGroup, func(tx Tx) (string, error) {
		if err := g.check(tx); err != nil {
			return g.DisplayName, err
		}
		if err := tx.AddGroup(g); err != nil {
			return g.DisplayName, err
		}
		return string(g.ID), c.changeMembers(tx, by, g.ID, MembershipChange{Add: members})
	})
	return g, err
}

// UpdateGroup changes a group by edit, and its members in the same transaction. Members to add that
// are members already, and members to remove that are none, are no error: identity providers repeat
// themselves. edit may be called more than once.
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
		g.touch(c, by, old)
		if g.DisplayName != old.DisplayName || g.ExternalID != old.ExternalID || g.Description != old.Description {
			if err := errors.Join(g.check(tx), tx.PutGroup(g)); err != nil {
				return string(id), err
			}
		} else if err := c.changed(tx, by, id); err != nil {
			return string(id), err
		}
		return string(id), c.changeMembers(tx, by, id, members)
	})
	return g, err
}

func (c *Center) changeMembers(tx Tx, by audit.Actor, id GroupID, change MembershipChange) error {
	if change.Clear {
		if err := tx.DeleteMembershipsIn(id); err != nil {
			return err
		}
	}
	if len(change.Remove) > 0 {
		if err := tx.RemoveMembers(id, change.Remove); err != nil {
			return err
		}
	}
	if len(change.Add) == 0 {
		return nil
	}
	add := slices.Clone(change.Add)
	slices.Sort(add)
	add = slices.Compact(add)
	added, err := tx.AddMembers(id, add, c.now(), by.Name)
	if err != nil || added == len(add) {
		return err
	}
	return allThere(tx, add) // some were members already, or do not exist
}

// allThere fails with UserNotFound unless all the users exist.
func allThere(tx Reader, users []UserID) error {
	n, err := tx.CountUsers(UserQuery{IDs: users})
	if err != nil || n == len(users) {
		return err
	}
	for _, id := range users {
		if _, err := tx.User(id); err != nil {
			return refusal.IfNoRow(err, UserNotFound, string(id))
		}
	}
	return nil
}

// DeleteGroup removes a group and its memberships. Its assignments stay listable but grant nothing.
// rules may refuse.
func (c *Center) DeleteGroup(ctx context.Context, by audit.Actor, id GroupID, rules ...func(Group) error) error {
	defer c.groupPlaces.forget()
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
		return string(id), errors.Join(tx.DeleteMembershipsIn(id), tx.DeleteGroup(id))
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

// CreateMembership adds one user to one group. It fails with GroupNotFound, UserNotFound,
// MembershipExists or ManagedByProvisioning.
func (c *Center) CreateMembership(
	ctx context.Context, by audit.Actor, group GroupID, user UserID,
) (m Membership, err error) {
	subject := string(group) + "/" + string(user)
	err = c.change(ctx, by, ActionCreateGroupMembership, func(tx Tx) (string, error) {
		added, err := tx.AddMember(group, user, c.now(), by.Name, &m)
		if err != nil {
			return subject, err
		}
		if added {
			return subject, c.changed(tx, by, group)
		}
		if _, err := tx.Group(group); err != nil {
			return subject, refusal.IfNoRow(err, GroupNotFound, string(group))
		}
		if _, err := tx.User(user); err != nil {
			return subject, refusal.IfNoRow(err, UserNotFound, string(user))
		}
		return subject, &refusal.Error{Code: MembershipExists, Subject: subject}
	})
	return m, err
}

// DeleteMembership removes one membership, or fails with MembershipNotFound.
func (c *Center) DeleteMembership(ctx context.Context, by audit.Actor, id MembershipID) error {
	return c.change(ctx, by, ActionDeleteGroupMembership, func(tx Tx) (string, error) {
		m, err := tx.Membership(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, MembershipNotFound, string(id))
		}
		return string(id), errors.Join(tx.RemoveMembers(m.GroupID, []UserID{m.UserID}), c.changed(tx, by, m.GroupID))
	})
}

// Membership returns one membership, or MembershipNotFound.
func (c *Center) Membership(ctx context.Context, id MembershipID) (m Membership, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		m, err = r.Membership(id)
		return refusal.IfNoRow(err, MembershipNotFound, string(id))
	})
	return m, err
}

// MembershipOf returns the membership of user in group, or MembershipNotFound.
func (c *Center) MembershipOf(ctx context.Context, group GroupID, user UserID) (m Membership, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		m, err = r.MembershipOf(group, user)
		return refusal.IfNoRow(err, MembershipNotFound, string(group)+"/"+string(user))
	})
	return m, err
}

// Memberships lists memberships of a group or a user. It fails with GroupNotFound or UserNotFound
// when that does not exist.
func (c *Center) Memberships(ctx context.Context, q MembershipQuery) (ms []Membership, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		if q.GroupID != "" {
			if _, err := r.Group(q.GroupID); err != nil {
				return refusal.IfNoRow(err, GroupNotFound, string(q.GroupID))
			}
		}
		if q.UserID != "" {
			if _, err := r.User(q.UserID); err != nil {
				return refusal.IfNoRow(err, UserNotFound, string(q.UserID))
			}
		}
		ms, err = r.Memberships(q)
		return err
	})
	return ms, err
}

// CountMemberships says how many memberships there are without the limits of q.
func (c *Center) CountMemberships(ctx context.Context, q MembershipQuery) (n int, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		n, err = r.CountMemberships(q)
		return err
	})
	return n, err
}
