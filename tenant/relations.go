package tenant

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// List is a part of a list, and how many there are in all.
type List[T any] struct {
	Items []T
	Total int
}

// FindUsers lists the users that a query selects, and counts those that it would without a limit.
func (t *Tenant) FindUsers(ctx context.Context, q Query) (list List[User], err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		var e1, e2 error
		list.Items, e1 = r.Users(q)
		list.Total, e2 = r.CountUsers(q)
		return errors.Join(e1, e2)
	})
	return list, err
}

// FindGroups is FindUsers for groups.
func (t *Tenant) FindGroups(ctx context.Context, q Query) (list List[Group], err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		var e1, e2 error
		list.Items, e1 = r.Groups(q)
		list.Total, e2 = r.CountGroups(q)
		return errors.Join(e1, e2)
	})
	return list, err
}

// CountUsers counts the users.
func (t *Tenant) CountUsers(ctx context.Context) (n int, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		n, err = r.CountUsers(Query{})
		return err
	})
	return n, err
}

// CountGroups counts the groups.
func (t *Tenant) CountGroups(ctx context.Context) (n int, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		n, err = r.CountGroups(Query{})
		return err
	})
	return n, err
}

// FindPrincipals lists the members of a group, or whom an application is assigned to, and counts
// those that it would without a limit.
func (t *Tenant) FindPrincipals(ctx context.Context, q PrincipalQuery) (list List[Principal], err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		var e1, e2 error
		list.Items, e1 = r.Principals(q)
		list.Total, e2 = r.CountPrincipals(q)
		return errors.Join(e1, e2)
	})
	return list, err
}

// GroupsByName lists the groups of a name, ignoring the letter case of ASCII letters.
func (t *Tenant) GroupsByName(ctx context.Context, name string) (groups []Group, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		groups, err = r.GroupsByName(name)
		return err
	})
	return groups, err
}

// MembersAfter lists so many direct members of a group, in the order of their ids, from the one
// after an id on.
func (t *Tenant) MembersAfter(
	ctx context.Context, groupID GroupID, after PrincipalID, limit int,
) (members []Member, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		members, err = r.MembersAfter(groupID, after, limit)
		return err
	})
	return members, err
}

// TransitiveMembers lists everybody and every group in a group or in a group in it, each once. It
// fails with GroupNotFound.
func (t *Tenant) TransitiveMembers(ctx context.Context, groupID GroupID) (all []Mark, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		if _, err := r.Group(groupID); err != nil {
			return refusal.IfNoRow(err, GroupNotFound, string(groupID))
		}
		all, err = membersOf(r, groupID, true)
		return err
	})
	return all, err
}

// membersOf lists who is in a group; with transitive also who is in a group in it. Groups may
// contain each other: each object is named once.
func membersOf(r memberReader, groupID GroupID, transitive bool) (all []Mark, err error) {
	seen, queue := map[Mark]bool{{KindGroup, PrincipalID(groupID)}: true}, []GroupID{groupID}
	for len(queue) > 0 {
		members, err := r.Members(queue[0])
		if err != nil {
			return nil, err
		}
		queue = queue[1:]
		for _, m := range members {
			mark := Mark{m.Kind, m.MemberID}
			if seen[mark] {
				continue
			}
			seen[mark] = true
			all = append(all, mark)
			if m.Kind == KindGroup && transitive {
				queue = append(queue, GroupID(m.MemberID))
			}
		}
	}
	return all, nil
}

// GroupsOf lists the ids of the groups that an object is a member of; with transitive also those
// that these are in.
func (t *Tenant) GroupsOf(ctx context.Context, id PrincipalID, transitive bool) (ids []GroupID, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		ids, err = groupsOf(r, id, transitive)
		return err
	})
	return ids, err
}

func groupsOf(r memberReader, id PrincipalID, transitive bool) (ids []GroupID, err error) {
	seen, queue := map[PrincipalID]bool{id: true}, []PrincipalID{id}
	for len(queue) > 0 {
		in, err := r.MemberOf(queue[0])
		if err != nil {
			return nil, err
		}
		queue = queue[1:]
		for _, m := range in {
			around := PrincipalID(m.GroupID)
			if seen[around] {
				continue
			}
			seen[around] = true
			ids = append(ids, m.GroupID)
			if transitive {
				queue = append(queue, around)
			}
		}
	}
	return ids, nil
}

// maxOwners bounds the owners of a group. Source: service limits of the directory.
const maxOwners = 100 //bound:rows owners of a group

// AddOwner makes a user an owner of a group. It fails with GroupNotFound, UserNotFound or
// MemberExists.
func (t *Tenant) AddOwner(ctx context.Context, by audit.Actor, groupID GroupID, userID UserID) error {
	return t.changeOwners(ctx, by, ActionAddOwnerToGroup, groupID, func(tx Tx, owners []UserID) ([]UserID, error) {
		if _, err := tx.User(userID); err != nil {
			return nil, refusal.IfNoRow(err, UserNotFound, string(userID))
		}
		if slices.Contains(owners, userID) {
			return nil, &refusal.Error{Code: MemberExists, Subject: string(userID)}
		}
		if len(owners) >= maxOwners {
			return nil, &refusal.Error{Code: InvalidValue, Subject: "owners", Detail: "a group can have at most 100"}
		}
		return append(owners, userID), nil
	})
}

// RemoveOwner takes an owner away, but never the last one. It fails with GroupNotFound,
// MemberNotFound or LastOwner.
func (t *Tenant) RemoveOwner(ctx context.Context, by audit.Actor, groupID GroupID, userID UserID) error {
	return t.changeOwners(ctx, by, ActionRemoveOwnerFromGroup, groupID, func(_ Tx, owners []UserID) ([]UserID, error) {
		i := slices.Index(owners, userID)
		switch {
		case i < 0:
			return nil, &refusal.Error{Code: MemberNotFound, Subject: string(userID)}
		case len(owners) == 1:
			return nil, &refusal.Error{Code: LastOwner, Subject: string(userID)}
		}
		return slices.Delete(owners, i, i+1), nil
	})
}

func (t *Tenant) changeOwners(
	ctx context.Context, by audit.Actor, action Action, groupID GroupID, edit func(Tx, []UserID) ([]UserID, error),
) error {
	return t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		g, err := tx.Group(groupID)
		if err != nil {
			return string(groupID), refusal.IfNoRow(err, GroupNotFound, string(groupID))
		}
		owners, err := edit(tx, slices.Clone(g.Owners))
		if err != nil {
			return string(groupID), err
		}
		g.Owners = owners
		return string(groupID), tx.PutGroup(g)
	})
}

// Journal lists so many changes of users, or of groups and their members, after a number.
func (t *Tenant) Journal(ctx context.Context, kind ObjectKind, after int64, limit int) (changes []Change, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		changes, err = r.Journal(kind, after, limit)
		return err
	})
	return changes, err
}

// LastChange is the number of the newest change.
func (t *Tenant) LastChange(ctx context.Context) (last int64, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		_, last, err = r.Marks(1<<62 - 1)
		return err
	})
	return last, err
}

// DirectReports lists the ids of the users whose manager somebody is.
func (t *Tenant) DirectReports(ctx context.Context, manager UserID) (ids []UserID, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		ids = nil
		m, err := r.User(manager)
		if err != nil {
			return refusal.IfNoRow(err, UserNotFound, string(manager))
		}
		// earlier releases kept the user principal name where a program had named the manager by it
		for _, by := range []UserID{m.ID, UserID(m.UserPrincipalName)} {
			reports, err := r.UsersManagedBy(by)
			if err != nil {
				return err
			}
			for _, u := range reports {
				ids = append(ids, u.ID)
			}
		}
		return nil
	})
	return ids, err
}

// ObjectKindOf says whether an id is a user's or a group's; UserNotFound when it is neither.
func (t *Tenant) ObjectKindOf(ctx context.Context, id PrincipalID) (kind ObjectKind, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		kind, err = kindOf(r, id)
		return err
	})
	return kind, err
}
