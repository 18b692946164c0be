package mirror

import (
	"context"
	"errors"

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

// forgetUnseen removes what was not met when everything was read, and keeps the link to go on by:
// if it did not come to that, everything is read again.
func (m *Mirror) forgetUnseen(ctx context.Context, c collection, seen *census) error {
	var r tenant.Replica
	kind, note := c.kind, tenant.Note{Name: c.note, Text: seen.next}
	if kind == tenant.KindUser {
		if err := m.forgetUsers(ctx, seen, &r); err != nil {
			return err
		}
		return m.keep(ctx, r, note)
	}
	groups, err := m.Tenant.Groups(ctx, tenant.Query{})
	if err != nil {
		return err
	}
	for _, g := range groups {
		if !seen.objects[string(g.ID)] {
			r.Gone = append(r.Gone, tenant.Mark{Kind: kind, ID: tenant.PrincipalID(g.ID)})
			continue
		}
		there, err := m.Tenant.Members(ctx, g.ID)
		if err != nil {
			return err
		}
		for _, x := range there {
			if !seen.members[string(g.ID)][string(x.MemberID)] {
				r.Members = append(
					r.Members,
					tenant.Change{
						Mark:    tenant.Mark{Kind: kind, ID: tenant.PrincipalID(g.ID)},
						Member:  tenant.Mark{Kind: x.Kind, ID: x.MemberID},
						Removed: true,
					},
				)
			}
		}
	}
	return m.keep(ctx, r, note)
}

// forgetUsers says what becomes of the users who were not met: who can be restored stays, disabled,
// and all others are gone. A directory in which nobody is left is none: somebody has to read it.
func (m *Mirror) forgetUsers(ctx context.Context, seen *census, r *tenant.Replica) error {
	users, err := m.Tenant.Users(ctx, tenant.Query{})
	if err != nil {
		return err
	}
	var unseen []tenant.User
	for _, u := range users {
		if !seen.objects[string(u.ID)] {
			unseen = append(unseen, u)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	if len(seen.objects) == 0 {
		return errors.New("it says that there are no users at all, which is not believed")
	}
	restorable, err := m.deleted(ctx)
	if err != nil {
		return err
	}
	for _, u := range unseen {
		if restorable[string(u.ID)] || (restorable == nil && u.Removed) {
			r.Removed = append(r.Removed, u.ID)
			continue
		}
		gone := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}
		if r.Gone = append(r.Gone, gone); restorable != nil {
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
	if refused(err) {
		return nil, nil //nolint:nilnil // it is not said
	}
	ids := map[string]bool{}
	for _, x := range list {
		ids[x.ID] = true
	}
	return ids, err
}
