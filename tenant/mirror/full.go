package mirror

import (
	"context"
	"fmt"
	"net/http"
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

// maxUnmet bounds how many objects are asked for that were not met when everything was read.
const maxUnmet = 1000 //bound:list objects that a full reading of a Graph leaves out, and that are asked for

// believed says whether a reading of everything can be one: a directory in which nothing of a kind
// is left, or of which much is missing, is none. Somebody has to look at it.
func (c *census) believed(kind tenant.ObjectKind, unmet int) error {
	what := strings.ToLower(string(kind)) + "s"
	switch {
	case unmet > 0 && len(c.objects) == 0:
		return fmt.Errorf("it says that there are no %s at all, which is not believed", what)
	case unmet > maxUnmet:
		return fmt.Errorf("it leaves out %d %s that were there, which is not believed", unmet, what)
	}
	return nil
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
			continue
		}
		if err := m.leave(ctx, g.ID, seen.members[string(g.ID)], r); err != nil {
			return err
		}
	}
	if err := seen.believed(tenant.KindGroup, len(unmet)); err != nil {
		return err
	}
	for _, mark := range unmet {
		there, err := m.stillThere(ctx, mark, r)
		if err != nil {
			return err
		}
		if !there {
			r.Gone = append(r.Gone, mark)
			continue
		}
		members, told, err := m.membersOf(ctx, tenant.GroupID(mark.ID))
		if err != nil {
			return err
		}
		if !told { // they stay
			continue
		}
		in := map[string]bool{}
		for _, x := range members {
			in[string(x.Member.ID)] = true
		}
		r.Members = append(r.Members, members...)
		if err := m.leave(ctx, tenant.GroupID(mark.ID), in, r); err != nil {
			return err
		}
	}
	return nil
}

// leave takes those out of a group who are not in it there.
func (m *Mirror) leave(ctx context.Context, id tenant.GroupID, in map[string]bool, r *tenant.Replica) error {
	here, err := m.Tenant.Members(ctx, id)
	if err != nil {
		return err
	}
	for _, x := range here {
		if !in[string(x.MemberID)] {
			r.Members = append(r.Members, tenant.Change{
				Mark:    tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(id)},
				Member:  tenant.Mark{Kind: x.Kind, ID: x.MemberID},
				Removed: true,
			})
		}
	}
	return nil
}

// stillThere asks for an object that was not met, and takes what is there.
func (m *Mirror) stillThere(ctx context.Context, mark tenant.Mark, r *tenant.Replica) (bool, error) {
	page, err := m.readOne(ctx, mark)
	if err != nil {
		return false, fmt.Errorf("look for the %s %s: %w", strings.ToLower(string(mark.Kind)), mark.ID, err)
	}
	r.Users, r.Groups = append(r.Users, page.Users...), append(r.Groups, page.Groups...)
	return len(page.Users)+len(page.Groups) > 0, nil
}

// forgetUsers says what becomes of the users who were not met: who can be restored stays, disabled,
// and all others are gone.
func (m *Mirror) forgetUsers(ctx context.Context, seen *census, r *tenant.Replica) error {
	users, err := m.Tenant.Users(ctx, tenant.Query{})
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(u tenant.User) bool { return seen.objects[string(u.ID)] })
	if len(users) == 0 {
		return nil
	}
	if err := seen.believed(tenant.KindUser, min(len(users), maxUnmet)); err != nil {
		return err
	}
	restorable, err := m.deleted(ctx)
	if err != nil {
		return err
	}
	stays := func(u tenant.User) bool { return restorable[string(u.ID)] || (restorable == nil && u.Removed) }
	var unmet []tenant.User
	for _, u := range users {
		if u.Removed && stays(u) { // as it is
			r.Removed = append(r.Removed, u.ID)
			continue
		}
		unmet = append(unmet, u)
	}
	if err := seen.believed(tenant.KindUser, len(unmet)); err != nil {
		return err
	}
	for _, u := range unmet {
		mark := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}
		there, err := m.stillThere(ctx, mark, r)
		if err != nil {
			return err
		}
		switch {
		case there:
			continue
		case stays(u):
			r.Removed = append(r.Removed, u.ID)
			continue
		}
		if r.Gone = append(r.Gone, mark); restorable != nil {
			continue
		}
		if err := m.Tenant.SetNote(ctx, tenant.Note{Name: tenant.LeftNote(u.ID), Text: "?"}); err != nil {
			return err
		}
	}
	return nil
}

// deleted are the users who were deleted and can be restored; nil where that is not said.
func (m *Mirror) deleted(ctx context.Context) (map[string]bool, error) {
	list, err := graph.All[graph.DirectoryObject](
		ctx, m.Graph, "/directory/deletedItems/microsoft.graph.user?$select=id&$top=999",
	)
	if refused(err) || status(err) == http.StatusBadRequest {
		return nil, nil //nolint:nilnil // it is not said
	}
	ids := map[string]bool{}
	for _, x := range list {
		ids[x.ID] = true
	}
	return ids, err
}
