package center

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// MembershipID is a membership's id: a UUID.
type MembershipID string

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

// MembershipQuery selects the memberships of a group or of a user, in the order in which the users
// or the groups were made.
type MembershipQuery struct {
	GroupID GroupID
	UserID  UserID
	After   int64 // page by position: those after this one
	Offset  int
	Limit   int // 0: no limit

	Search     string // of a group: words that are parts of the user's names, ignoring letter case
	ByName     bool   // of a group: in the order of user names
	Descending bool
}

// MembershipChange is what one request does to a group's members.
type MembershipChange struct {
	Clear       bool // remove all who are there, before the others are added
	Remove, Add []UserID

	// Choose, unless it is nil, decides instead who is a member afterwards: of those who are, and
	// of those in Add.
	Choose func(members, others []Member) []UserID
}

// membershipReader reads who is in which group.
type membershipReader interface {
	Membership(MembershipID) (Membership, error)
	MembershipOf(GroupID, UserID) (Membership, error)
	Memberships(MembershipQuery) ([]Membership, error)
	CountMemberships(MembershipQuery) (int, error)
	Members(GroupID) ([]Member, error)
	GroupsOf(UserID) ([]Group, error)
}

// membershipWriter writes who is in which group.
type membershipWriter interface {
	// AddMember adds one user and says whether it did: false when there is no such group or user,
	// or the user is a member already. m is the membership when Update returns. Like AddUser,
	// AddMember and AddMembers may say at first that all were added.
	AddMember(group GroupID, user UserID, at time.Time, by string, m *Membership) (bool, error)
	// AddMembers adds users, each named once, and says how many were added: existing members, and
	// users that do not exist are skipped. If the group does not exist, nobody is added.
	AddMembers(group GroupID, users []UserID, at time.Time, by string) (int, error)
	// RemoveMembers removes users, each named once, and says how many were members. Like
	// AddMembers, it may say at first that all were.
	RemoveMembers(GroupID, []UserID) (int, error)
	DeleteMembershipsOf(UserID) error
	DeleteMembershipsIn(GroupID) error
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

// touchGroup notes that a group's members were changed.
func (c *Center) touchGroup(tx Tx, by audit.Actor, id GroupID) error {
	return tx.TouchGroup(id, c.now(), by.Name)
}

// changeMembers says whether anybody became a member, or is none any more.
func (c *Center) changeMembers(tx Tx, by audit.Actor, id GroupID, change MembershipChange) (changed bool, err error) {
	change.Add, change.Remove = each(change.Add), each(change.Remove)
	switch {
	case change.Choose != nil:
		change, err = change.chosen(tx, id)
	case change.Clear:
		change, err = change.cleared(tx, id)
	}
	if err != nil {
		return false, err
	}
	if len(change.Remove) > 0 {
		removed, err := tx.RemoveMembers(id, change.Remove)
		if err != nil {
			return false, err
		}
		changed = removed > 0
	}
	if len(change.Add) == 0 {
		return changed, nil
	}
	added, err := tx.AddMembers(id, change.Add, c.now(), by.Name)
	if err != nil || added == len(change.Add) {
		return true, err
	}
	return changed || added > 0, allThere(tx, change.Add) // some were members already, or do not exist
}

// each returns each user once.
func each(users []UserID) []UserID {
	if len(users) < 2 {
		return users
	}
	users = slices.Clone(users)
	slices.Sort(users)
	return slices.Compact(users)
}

// cleared is the change without Clear: only who is not to be a member is removed, so that the
// memberships of the others stay.
func (m MembershipChange) cleared(tx Tx, id GroupID) (MembershipChange, error) {
	now, err := tx.Memberships(MembershipQuery{GroupID: id})
	members := make([]UserID, len(now))
	for i, one := range now {
		members[i] = one.UserID
	}
	return difference(members, m.Add), err
}

// chosen is the change that Choose decides.
func (m MembershipChange) chosen(tx Tx, id GroupID) (MembershipChange, error) {
	now, err := tx.Members(id)
	if err != nil {
		return m, err
	}
	var others []Member
	if len(m.Add) > 0 {
		if err := allThere(tx, m.Add); err != nil {
			return m, err
		}
		users, err := tx.Users(UserQuery{IDs: m.Add})
		if err != nil {
			return m, err
		}
		for _, u := range users {
			others = append(others, Member{u.ID, u.DisplayName})
		}
	}
	members := make([]UserID, len(now))
	for i, one := range now {
		members[i] = one.ID
	}
	return difference(members, each(m.Choose(now, others))), nil
}

// difference is the change from some members to others; wanted is sorted.
func difference(members, wanted []UserID) MembershipChange {
	there := make(map[UserID]bool, len(members))
	var m MembershipChange
	for _, id := range members {
		there[id] = true
		if _, stays := slices.BinarySearch(wanted, id); !stays {
			m.Remove = append(m.Remove, id)
		}
	}
	for _, id := range wanted {
		if !there[id] {
			m.Add = append(m.Add, id)
		}
	}
	return m
}

// allThere fails with UserNotFound unless all the users exist.
func allThere(tx userReader, users []UserID) error {
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
			return subject, c.touchGroup(tx, by, group)
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
		_, err = tx.RemoveMembers(m.GroupID, []UserID{m.UserID})
		return string(id), errors.Join(err, c.touchGroup(tx, by, m.GroupID))
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
