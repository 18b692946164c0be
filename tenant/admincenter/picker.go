package admincenter

import (
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// maxFound bounds how many users, and how many groups, the search of a form offers.
const maxFound = 10 //bound:list users or groups that the search of a form offers

// picker finds users and groups to add to something that says who has been added before.
func (p page) picker(held func(tenant.PrincipalID) (string, error)) (web.Picker, error) {
	return p.Picker(web.PickFrom{
		Of: "users and groups", Most: maxPicked, Named: p.pickable, Like: p.pickables,
		Held: func(x web.Pickable) (string, error) { return held(tenant.PrincipalID(x.ID)) },
	})
}

// userPicker finds users only. already says why somebody cannot be chosen; nil: everybody can.
func (p page) userPicker(most int, already func(web.Pickable) string) (web.Picker, error) {
	return p.Picker(web.PickFrom{
		Of: "users", Most: most,
		Named: func(id string) (web.Pickable, error) {
			u, err := p.h.Tenant.UserByIDOrName(p.Context(), id)
			if refusal.KindOf(err) == refusal.NotFound {
				return web.Pickable{}, nil
			}
			return ofUser(u), err
		},
		Like: func(search string) (list []web.Pickable, err error) {
			found, err := p.h.Tenant.Users(
				p.Context(), tenant.Query{Search: search, By: tenant.ByName, Limit: maxFound},
			)
			for _, u := range found {
				list = append(list, ofUser(u))
			}
			return list, err
		},
		Held: func(x web.Pickable) (string, error) {
			if already == nil {
				return "", nil
			}
			return already(x), nil
		},
	})
}

// pickables are the users and the groups that a search finds.
func (p page) pickables(search string) (list []web.Pickable, err error) {
	of := tenant.Query{Search: search, By: tenant.ByName, Limit: maxFound}
	users, e1 := p.h.Tenant.FindUsers(p.Context(), of)
	groups, e2 := p.h.Tenant.FindGroups(p.Context(), of)
	for _, u := range users.Items {
		list = append(list, ofUser(u))
	}
	for _, g := range groups.Items {
		list = append(list, ofGroup(g))
	}
	return list, errors.Join(e1, e2)
}

func ofUser(u tenant.User) web.Pickable {
	return web.Pickable{ID: string(u.ID), Name: u.DisplayName, Detail: u.UserPrincipalName}
}

func ofGroup(g tenant.Group) web.Pickable {
	return web.Pickable{ID: string(g.ID), Name: g.DisplayName, Detail: "group"}
}

// pickedMark is whom a form chose. Only an id stands for them: whoever makes groups could give one
// the id as its name, and the one who was chosen may be gone.
func (p page) pickedMark(id string) (tenant.Mark, error) {
	u, err := p.h.Tenant.User(p.Context(), tenant.UserID(id))
	if refusal.KindOf(err) != refusal.NotFound {
		return tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}, err
	}
	g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(id))
	if refusal.KindOf(err) == refusal.NotFound {
		err = &refusal.Error{
			Code: tenant.UserNotFound, Subject: id, Detail: "whom you chose is not there any more: search again",
		}
	}
	return tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(g.ID)}, err
}

// pickable is the user or the group of an id; one without an id where it was deleted since.
func (p page) pickable(id string) (web.Pickable, error) {
	u, err := p.h.Tenant.User(p.Context(), tenant.UserID(id))
	if refusal.KindOf(err) != refusal.NotFound {
		return ofUser(u), err
	}
	g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(id))
	if refusal.KindOf(err) == refusal.NotFound {
		return web.Pickable{}, nil
	}
	return ofGroup(g), err
}

// isMember says of a group who is in it.
func (p page) isMember(group tenant.GroupID) func(tenant.PrincipalID) (string, error) {
	return func(id tenant.PrincipalID) (already string, err error) {
		err = p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
			already = ""
			_, err := r.Member(group, id)
			if errors.Is(err, refusal.ErrNoRow) {
				return nil
			}
			already = "a member already"
			return err
		})
		return already, err
	}
}

// isAssigned says of an application who has a role of it.
func (p page) isAssigned(a tenant.Application, role tenant.AppRoleID) func(tenant.PrincipalID) (string, error) {
	return func(id tenant.PrincipalID) (string, error) {
		has, err := p.h.Tenant.Assignments(p.Context(), tenant.AssignmentQuery{
			ServicePrincipalID: a.ServicePrincipalID, PrincipalID: id,
		})
		if slices.ContainsFunc(has, func(x tenant.Assignment) bool { return x.RoleID == role }) {
			return "assigned already", err
		}
		return "", err
	}
}
