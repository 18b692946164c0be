package killtest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/scim"
)

// source is what the tenant has, once nothing changes it any more.
type source struct {
	users    map[string]graph.User // by id
	deleted  map[string]bool       // that can be restored, and are disabled at the center
	groups   map[string]graph.Group
	members  map[string][]string // ids of people, by group
	managers map[string]string   // ids, by person
	assigned map[string]bool     // groups
}

// compare counts what was lost, and waits until the center is what the tenant is.
func (w *world) compare(ctx context.Context) error {
	began := time.Now()
	s, err := w.directory.source(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	w.acknowledge(s)
	for {
		differences, err := w.directory.differences(ctx, s)
		took := time.Since(began)
		if err == nil && len(differences) == 0 {
			w.figures.Settled = max(w.figures.Settled, took)
			w.Log("kill %d: equal after %s", w.figures.Kills, took.Round(time.Millisecond))
			return nil
		}
		if took > Quiet {
			w.figures.Apart++
			w.figures.Settled = max(w.figures.Settled, took)
			w.Log("kill %d: not equal after %s: %s; %v", w.figures.Kills, Quiet, strings.Join(differences, "; "), err)
			return ctx.Err()
		}
		pause(ctx, 50*time.Millisecond) // a poll
	}
}

// acknowledge counts the changes of the round, and those that are lost.
func (w *world) acknowledge(s source) {
	lost := func(what string, is bool) {
		if is {
			w.figures.Lost++
			w.Log("kill %d: lost: %s", w.figures.Kills, what)
		}
	}
	for _, x := range w.workers {
		w.figures.Acknowledged += x.acknowledged
		x.acknowledged = 0
		for _, p := range x.people {
			x.find(p, s)
			u, exists := s.users[p.id]
			lost(p.key+" exists", p.exists.settle(map[bool]string{true: "yes"}[exists]))
			if !exists {
				p.id = ""
				continue
			}
			lost(p.key+"'s name", p.name.settle(u.UserPrincipalName))
			lost(p.key+"'s title", p.title.settle(u.JobTitle))
			lost(p.key+" is enabled", p.enabled.settle(strconv.FormatBool(*u.AccountEnabled)))
			lost(p.key+"'s manager", p.manager.settle(s.managers[p.id]))
			for g, v := range p.member {
				in := map[bool]string{true: "yes"}[slices.Contains(s.members[g.id], p.id)]
				lost(p.key+" is in "+g.name, v.settle(in))
			}
		}
		lost(x.own.name+"'s name", x.own.title.settle(s.groups[x.own.id].DisplayName))
	}
}

// find finds a person whose creation was not answered.
func (x *worker) find(p *person, s source) {
	for id, u := range s.users {
		if p.id == "" && u.UserPrincipalName == p.name.known {
			p.id = id
		}
	}
}

func (d directory) source(ctx context.Context) (source, error) {
	s := source{
		users:    map[string]graph.User{},
		deleted:  map[string]bool{},
		groups:   map[string]graph.Group{},
		members:  map[string][]string{},
		managers: map[string]string{},
		assigned: map[string]bool{},
	}
	const properties = "id,userPrincipalName,displayName,givenName,surname,jobTitle,accountEnabled"
	users, err := all[graph.User](
		ctx, d, "/users?$top=999&$expand="+url.QueryEscape("manager($select=id)")+"&$select="+properties,
	)
	if err != nil {
		return s, err
	}
	for _, u := range users {
		s.users[u.ID] = u
		if u.Manager != nil {
			s.managers[u.ID] = u.Manager.ID
		}
	}
	deleted, err := all[graph.User](ctx, d, "/directory/deletedItems/microsoft.graph.user?$top=999")
	if err != nil {
		return s, err
	}
	for _, u := range deleted {
		s.deleted[u.ID] = true
	}
	groups, err := all[graph.Group](ctx, d, "/groups?$top=999")
	if err != nil {
		return s, err
	}
	for _, g := range groups {
		s.groups[g.ID] = g
		members, err := all[graph.DirectoryObject](ctx, d, "/groups/"+g.ID+"/members?$top=999")
		if err != nil {
			return s, err
		}
		for _, m := range members {
			s.members[g.ID] = append(s.members[g.ID], m.ID)
		}
	}
	assigned, err := all[graph.AppRoleAssignment](ctx, d, "/servicePrincipals/"+d.principal+"/appRoleAssignedTo")
	for _, a := range assigned {
		s.assigned[a.PrincipalID] = true
	}
	return s, err
}

// inScope says whether a person is in a group that is assigned.
func (s source) inScope(id string) bool {
	for g := range s.assigned {
		if slices.Contains(s.members[g], id) {
			return true
		}
	}
	return false
}

// differences says how the center differs from what the tenant has.
func (d directory) differences(ctx context.Context, s source) (list []string, err error) {
	differs := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	users, e1 := d.list(ctx, "/Users")
	groups, e2 := d.list(ctx, "/Groups")
	if e1 != nil || e2 != nil {
		return nil, fmt.Errorf("read the center: %w, %w", e1, e2)
	}
	there, by := map[string]scim.Resource{}, map[string]string{} // by the tenant's id; and that, by the center's
	for _, u := range users {
		id := u.String("externalId")
		kept := s.users[id].ID != "" || s.deleted[id] && u["active"] == false
		if !kept || there[id] != nil {
			differs("%s is at the center and should not be, active %v", u.String("userName"), u["active"])
		}
		there[id], by[u.String("id")] = u, id
	}
	for id, u := range s.users {
		c, in := there[id], s.inScope(id)
		active := c != nil && c["active"] == true
		switch wanted := in && *u.AccountEnabled; {
		case active != wanted:
			differs("%s: active is %v", u.UserPrincipalName, active)
		case wanted:
			for _, different := range d.person(u, s.managers[id], c, by) {
				differs("%s: %s", u.UserPrincipalName, different)
			}
		}
	}
	found := map[string]bool{}
	for _, g := range groups {
		id := g.String("externalId")
		if !s.assigned[id] || found[id] {
			differs("the group %s is at the center and should not be", g.String("displayName"))
			continue
		}
		found[id] = true
		if is := g.String("displayName"); is != s.groups[id].DisplayName {
			differs("the group %s is named %s", s.groups[id].DisplayName, is)
		}
		list = append(list, s.membership(id, g, by, there)...)
	}
	for id := range s.assigned {
		if !found[id] {
			differs("the group %s is missing", s.groups[id].DisplayName)
		}
	}
	slices.Sort(list)
	return list, nil
}

// person says how a person at the center differs from one at the tenant.
func (directory) person(
	u graph.User, manager string, c scim.Resource, by map[string]string,
) (list []string) {
	name, _ := c["name"].(map[string]any)
	for what, pair := range map[string][2]any{
		"name":       {c.String("userName"), u.UserPrincipalName},
		"display":    {c.String("displayName"), u.DisplayName},
		"title":      {c.String("title"), u.JobTitle},
		"last name":  {name["familyName"], u.Surname},
		"first name": {name["givenName"], u.GivenName},
	} {
		if pair[0] != pair[1] {
			list = append(list, fmt.Sprintf("%s is %v, not %v", what, pair[0], pair[1]))
		}
	}
	extension, _ := c[scim.EnterpriseURN].(map[string]any)
	boss, _ := extension["manager"].(map[string]any)
	id, _ := boss["value"].(string)
	if by[id] != manager {
		list = append(list, fmt.Sprintf("the manager is %q, not %q", by[id], manager))
	}
	return list
}

// membership says how the members of a group differ. Only who is at the center can be one.
func (s source) membership(
	id string, g scim.Resource, by map[string]string, there map[string]scim.Resource,
) (list []string) {
	have := map[string]bool{}
	members, _ := g["members"].([]any)
	for _, m := range members {
		member, _ := m.(map[string]any)
		value, _ := member["value"].(string)
		have[by[value]] = true
	}
	for _, m := range s.members[id] {
		if there[m] != nil && !have[m] {
			list = append(list, fmt.Sprintf("%s is no member of %s", s.users[m].UserPrincipalName,
				s.groups[id].DisplayName))
		}
		delete(have, m)
	}
	for _, m := range slices.Sorted(maps.Keys(have)) {
		list = append(list, fmt.Sprintf("%s is a member of %s and should not be",
			s.users[m].UserPrincipalName, s.groups[id].DisplayName))
	}
	return list
}

// list reads all resources under a path of the center.
func (d directory) list(ctx context.Context, path string) (all []scim.Resource, err error) {
	for {
		query := url.Values{"startIndex": {strconv.Itoa(len(all) + 1)}, "count": {"100"}}
		var page scim.ListResponse
		if err := d.scim.Do(ctx, http.MethodGet, path, query, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Resources...)
		if len(page.Resources) == 0 || page.TotalResults == nil || len(all) >= *page.TotalResults {
			return all, nil
		}
	}
}
