package admincenter

import (
	"strings"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// maxFound bounds how many users, and how many groups, the search of a form offers.
const maxFound = 10 //bound:list users or groups that the search of a form offers

// Fields of the form by which users and groups are found and chosen.
const (
	findField = "find"
	whoField  = "who"
)

// picker is the search for users and groups to add to something. Who is chosen stays chosen while
// the search goes on.
type picker struct {
	Find string
	Rows []pickable
}

// pickable is a user or a group that can be chosen.
type pickable struct {
	ID, Name, Detail string
	Chosen           bool
}

// picker finds whom the page's address searches for.
func (p page) picker() (d picker, err error) {
	q := p.URL.Query()
	d.Find = strings.TrimSpace(q.Get(findField))
	seen := map[string]bool{}
	add := func(chosen bool, x pickable) {
		if x.Chosen = chosen; !seen[x.ID] {
			seen[x.ID] = true
			d.Rows = append(d.Rows, x)
		}
	}
	for _, id := range q[whoField][:min(len(q[whoField]), maxPicked)] {
		x, err := p.pickable(id)
		if refusal.KindOf(err) == refusal.NotFound {
			continue // deleted since
		}
		if err != nil {
			return d, err
		}
		add(true, x)
	}
	if d.Find == "" {
		return d, nil
	}
	of := tenant.Query{Search: d.Find, By: tenant.ByName, Limit: maxFound}
	users, err := p.h.Tenant.FindUsers(p.Context(), of)
	if err != nil {
		return d, err
	}
	groups, err := p.h.Tenant.FindGroups(p.Context(), of)
	if err != nil {
		return d, err
	}
	for _, u := range users.Items {
		add(false, ofUser(u))
	}
	for _, g := range groups.Items {
		add(false, ofGroup(g))
	}
	return d, nil
}

func ofUser(u tenant.User) pickable {
	return pickable{ID: string(u.ID), Name: u.DisplayName, Detail: u.UserPrincipalName}
}

func ofGroup(g tenant.Group) pickable {
	return pickable{ID: string(g.ID), Name: g.DisplayName, Detail: "group"}
}

// pickable is the user or the group of an id.
func (p page) pickable(id string) (pickable, error) {
	u, err := p.h.Tenant.User(p.Context(), tenant.UserID(id))
	if refusal.KindOf(err) != refusal.NotFound {
		return ofUser(u), err
	}
	g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(id))
	return ofGroup(g), err
}
