package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// census has the objects that were met while everything was read: all others here no longer exist
// there.
type census struct {
	objects map[string]bool
	members map[string]map[string]bool
	next    string // the link to go on by, kept when what was not met is gone
}

// some are some objects here that are not of a kind, and were not deleted.
func (m *Mirror) some(ctx context.Context, not tenant.ObjectKind) (list []tenant.Mark, err error) {
	if not == tenant.KindUser {
		groups, err := m.Tenant.Groups(ctx, tenant.Query{Limit: maxLast})
		for _, g := range groups {
			list = append(list, tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(g.ID)})
		}
		return list, err
	}
	users, err := m.Tenant.Users(ctx, tenant.Query{})
	users = slices.DeleteFunc(users, func(u tenant.User) bool { return u.Removed })
	for _, u := range users[:min(len(users), maxLast)] {
		list = append(list, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)})
	}
	return list, err
}

// forgetUnseen removes what was not met when everything was read, if it is not there when it is
// asked for by itself either. It keeps the link to go on by: if it did not come to that, everything
// is read again.
func (m *Mirror) forgetUnseen(ctx context.Context, c collection, seen *census) error {
	var r tenant.Replica
	forget := m.forgetGroups
	if c.kind == tenant.KindUser {
		forget = m.forgetUsers
	}
	if err := forget(ctx, seen, &r); err != nil {
		return err
	}
	return m.keep(ctx, r, tenant.Note{Name: c.note, Text: seen.next})
}

// forgetGroups says what becomes of the groups that were not met, and of members.
func (m *Mirror) forgetGroups(ctx context.Context, seen *census, r *tenant.Replica) error {
	groups, err := m.Tenant.Groups(ctx, tenant.Query{})
	if err != nil {
		return err
	}
	var unmet []tenant.Mark
	for _, g := range groups {
		if !seen.objects[string(g.ID)] {
			unmet = append(unmet, tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(g.ID)})
		}
	}
	asked, err := m.judge(ctx, seen, tenant.KindGroup, unmet)
	if err != nil {
		return err
	}
	held, err := m.heldOf(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if !seen.objects[string(g.ID)] {
			continue
		}
		if err := m.leave(ctx, g.ID, seen.members[string(g.ID)], held, r); err != nil {
			return err
		}
	}
	return m.askGroups(ctx, asked, r)
}

// askGroups says what becomes of groups that were not met: who is not there is gone.
func (m *Mirror) askGroups(ctx context.Context, unmet []tenant.Mark, r *tenant.Replica) error {
	held, err := m.heldOf(ctx)
	if err != nil {
		return err
	}
	for _, mark := range unmet {
		there, err := m.stillThere(ctx, mark, r)
		if errors.Is(err, errLeftOut) { // it stays, with its members
			continue
		}
		if err != nil {
			return err
		}
		if !there {
			r.Gone = append(r.Gone, mark)
			continue
		}
		members, err := m.membersOf(ctx, tenant.GroupID(mark.ID))
		if err != nil {
			return err
		}
		if members == nil { // they stay
			if err := m.missed(ctx, mark); err != nil {
				return err
			}
			continue
		}
		r.Members = append(r.Members, members...)
		if err := m.leave(ctx, tenant.GroupID(mark.ID), idsOf(members), held, r); err != nil {
			return err
		}
	}
	return nil
}

// idsOf are those who are in a group.
func idsOf(members []tenant.Change) map[string]bool {
	ids := map[string]bool{}
	for _, x := range members {
		ids[string(x.Member.ID)] = true
	}
	return ids
}

// leave takes those out of a group who are not in it there, unless they are held.
func (m *Mirror) leave(
	ctx context.Context, id tenant.GroupID, in map[string]bool, held map[tenant.PrincipalID]bool, r *tenant.Replica,
) error {
	here, err := m.Tenant.Members(ctx, id)
	if err != nil {
		return err
	}
	for _, x := range here {
		if !in[string(x.MemberID)] && !held[x.MemberID] {
			r.Members = append(r.Members, tenant.Change{
				Mark:    tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(id)},
				Member:  tenant.Mark{Kind: x.Kind, ID: x.MemberID},
				Removed: true,
			})
		}
	}
	return nil
}

// stillThere asks for an object that was not met, and takes what is there. No delta has told, or
// tells, what has become of a user's manager meanwhile. It fails with errLeftOut where the object
// cannot be read.
func (m *Mirror) stillThere(ctx context.Context, mark tenant.Mark, r *tenant.Replica) (bool, error) {
	page, err := m.readOne(ctx, mark, true, nil)
	if errors.Is(err, errLeftOut) {
		return false, cmp.Or(m.missed(ctx, mark), err)
	}
	if err != nil {
		return false, fmt.Errorf("look for the %s %s: %w", strings.ToLower(string(mark.Kind)), mark.ID, err)
	}
	r.Users, r.Groups = append(r.Users, page.Users...), append(r.Groups, page.Groups...)
	r.Members, r.Settled = append(r.Members, page.Members...), append(r.Settled, page.Settled...)
	return len(page.Users)+len(page.Groups) > 0, nil
}

// forgetUsers says what becomes of the users who were not met: who can be restored stays, disabled,
// as everybody does where that is not said, and all others are gone.
func (m *Mirror) forgetUsers(ctx context.Context, seen *census, r *tenant.Replica) error {
	users, err := m.Tenant.Users(ctx, tenant.Query{})
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(u tenant.User) bool { return seen.objects[string(u.ID)] })
	var restorable map[string]bool
	if len(users) > 0 {
		if restorable, err = m.deleted(ctx); err != nil {
			return err
		}
	}
	var said, unmet []tenant.Mark
	for _, u := range users {
		mark := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}
		switch {
		case u.Removed && (restorable == nil || restorable[string(u.ID)]): // as it is
			r.Removed = append(r.Removed, u.ID)
		case u.Removed || restorable[string(u.ID)]:
			said = append(said, mark)
		default:
			unmet = append(unmet, mark)
		}
	}
	asked, err := m.judge(ctx, seen, tenant.KindUser, unmet)
	if err != nil {
		return err
	}
	if len(said) <= maxUnmet {
		return m.askUsers(ctx, append(asked, said...), restorable, r)
	}
	for _, mark := range said { // they were not met, and it is said besides
		if restorable[string(mark.ID)] {
			r.Removed = append(r.Removed, tenant.UserID(mark.ID))
			continue
		}
		r.Gone = append(r.Gone, mark)
	}
	return m.askUsers(ctx, asked, restorable, r)
}

// askUsers says what becomes of users who were not met.
func (m *Mirror) askUsers(
	ctx context.Context, unmet []tenant.Mark, restorable map[string]bool, r *tenant.Replica,
) error {
	for _, mark := range unmet {
		there, err := m.stillThere(ctx, mark, r)
		unread := errors.Is(err, errLeftOut)
		switch {
		case err != nil && !unread:
			return err
		case there:
		case restorable[string(mark.ID)], restorable == nil && !unread: // it is said, or nobody knows
			r.Removed = append(r.Removed, tenant.UserID(mark.ID))
		case !unread:
			r.Gone = append(r.Gone, mark)
		}
	}
	return nil
}

// deleted are the users who were deleted and can be restored; nil where that is not said.
func (m *Mirror) deleted(ctx context.Context) (map[string]bool, error) {
	list, err := list[graph.DirectoryObject](
		ctx, m, "/directory/deletedItems/microsoft.graph.user?$select=id&$top=999",
	)
	if graph.Lasting(err) || graph.NoResource(err) {
		return nil, nil //nolint:nilnil // it is not said
	}
	ids := map[string]bool{}
	for _, x := range list {
		ids[x.ID] = true
	}
	return ids, err
}
