package provisioning_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

const (
	stormUsers  = 6
	stormGroups = 3
)

// user is the latest of those who had a place: nobody gets the id of somebody who is gone.
func (s *storm) user(n int) provisioning.Ref {
	return provisioning.Ref{Kind: provisioning.User, ID: fmt.Sprintf("u%d-%d", n, s.people[n])}
}

func (s *storm) group(n int) provisioning.Ref {
	return provisioning.Ref{Kind: provisioning.Group, ID: fmt.Sprintf("g%d-%d", n, s.teams[n])}
}

// begin fills the source, and maybe the target.
func (s *storm) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range stormUsers {
		if s.r.IntN(3) > 0 {
			s.hire(n)
		}
	}
	for n := range stormGroups {
		if s.r.IntN(3) > 0 {
			s.found(n)
		}
	}
	var members []string
	for n := range 2 {
		if s.r.IntN(3) == 0 { // somebody is there already
			name := fmt.Sprintf("n%d@example.com", n)
			has := scim.Resource{"userName": name, "active": true}
			a := s.o.keep(&account{kind: provisioning.User, Resource: has})
			s.o.add(a)
			s.say("there is %s already", name)
			members = append(members, a.id)
		}
	}
	for n := range stormGroups {
		g := s.d.objects[s.group(n)]
		if g == nil || s.o.HidesGroups || s.r.IntN(2) == 0 {
			continue
		}
		has := scim.Resource{"displayName": g.directory["displayName"]}
		s.o.add(s.o.keep(&account{kind: provisioning.Group, Resource: has, members: slices.Clone(members)}))
		s.say("there is %s already, with %v", g.Name, members)
	}
}

func (s *storm) free(kind provisioning.Kind, prefix string) string {
	for {
		name := fmt.Sprintf("%s%d", prefix, s.r.IntN(10))
		if kind == provisioning.User {
			name += "@example.com"
		}
		if s.r.IntN(4) == 0 {
			name = strings.ToUpper(name[:1]) + name[1:]
		}
		taken := false
		for ref, o := range s.d.objects {
			has := o.directory["userPrincipalName"]
			if kind == provisioning.Group {
				has = o.directory["displayName"]
			}
			taken = taken || (ref.Kind == kind && strings.EqualFold(has, name) && !o.Deleted)
		}
		for id, a := range s.o.has[kind] { // whoever is nobody's there keeps the name, or is not deleted
			owner, err := s.Owner(context.Background(), kind, id)
			kept := s.careful && kind == provisioning.Group && err == nil && s.adopted(owner)
			has := a.String("userName") + a.String("displayName")
			if kind == provisioning.User {
				has = a.String("userName")
			}
			taken = taken || ((err != nil || kept) && strings.EqualFold(has, name))
		}
		if !taken {
			return name
		}
	}
}

func (s *storm) hire(n int) {
	s.people[n]++
	u := user(s.user(n).ID)
	u.directory["userPrincipalName"] = s.free(provisioning.User, "n")
	u.directory["mail"] = u.directory["userPrincipalName"]
	u.Name = u.directory["userPrincipalName"]
	s.d.add(u)
	s.say("hire %s as %s", u.ID, u.Name)
}

func (s *storm) found(n int) {
	s.teams[n]++
	g := group(s.group(n).ID)
	g.directory["displayName"] = s.free(provisioning.Group, "team ")
	g.Name = g.directory["displayName"]
	g.Members = s.some()
	s.d.add(g)
	s.say("group %s as %s of %v", g.ID, g.Name, g.Members)
}

// some are some of the users that there are.
func (s *storm) some() (ids []string) {
	for n := range stormUsers {
		if o := s.d.objects[s.user(n)]; o != nil && !o.Deleted && s.r.IntN(2) == 0 {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

// happen changes the source, and maybe the target.
func (s *storm) happen(times int) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for range times {
		n, k := s.r.IntN(stormUsers), s.r.IntN(stormGroups)
		u, g := s.d.objects[s.user(n)], s.d.objects[s.group(k)]
		switch what := s.r.IntN(16); {
		case u == nil && what < 8:
			s.hire(n)
		case g == nil:
			s.found(k)
		case what < 9 && u != nil:
			s.person(u, what)
		case what < 15:
			s.team(g, what)
		case s.tampers:
			s.tamper()
		}
	}
}

func (s *storm) person(u *entry, what int) {
	edit := func(text string, change func(*entry)) {
		s.say("%s %s", text, u.ID)
		s.d.edit(u.Ref, change)
	}
	switch {
	case what < 3 && u.Deleted:
		edit("restore", func(e *entry) {
			if n := s.clashes(e); n {
				return
			}
			e.Deleted, e.Active = false, true
		})
	case what < 2:
		edit("disable or enable", func(e *entry) { e.Active = !e.Active && !e.Deleted })
	case what == 2:
		edit("delete softly", func(e *entry) {
			e.Deleted, e.Active = true, false
			for _, g := range s.d.objects {
				if slices.Contains(g.Members, e.ID) {
					s.d.edit(g.Ref, func(x *entry) { x.Members = drop(x.Members, e.ID) })
				}
			}
		})
	case what == 3:
		s.say("delete %s", u.ID)
		s.d.remove(u.Ref)
	case what == 4:
		edit("unassign or assign", func(e *entry) { e.Assigned = !e.Assigned })
	case what == 5:
		edit("rename", func(e *entry) {
			e.directory["userPrincipalName"] = s.free(provisioning.User, "n")
			e.directory["mail"] = e.directory["userPrincipalName"]
		})
		s.say("  to %s", u.directory["userPrincipalName"])
	case what == 6:
		for ref, o := range s.d.objects {
			if ref.Kind == provisioning.User && ref != u.Ref && !o.Deleted && !u.Deleted {
				a, b := u.directory["userPrincipalName"], o.directory["userPrincipalName"]
				s.say("%s and %s swap names", u.ID, o.ID)
				for e, name := range map[*entry]string{u: b, o: a} {
					s.d.edit(e.Ref, func(e *entry) {
						e.directory["userPrincipalName"], e.directory["mail"] = name, name
					})
				}
				return
			}
		}
	case what == 7:
		edit("title", func(e *entry) { e.directory["jobTitle"] = []string{"", "Dr", "Sir"}[s.r.IntN(3)] })
	default:
		edit("manager", func(e *entry) {
			if e.Manager = ""; s.r.IntN(2) == 0 {
				if n := s.r.IntN(stormUsers); s.d.objects[s.user(n)] != nil {
					e.Manager = s.user(n).ID
				}
			}
		})
	}
}

// clashes says whether somebody else has the name by now.
func (s *storm) clashes(u *entry) bool {
	for ref, o := range s.d.objects {
		if ref.Kind == provisioning.User && ref != u.Ref && !o.Deleted &&
			strings.EqualFold(o.directory["userPrincipalName"], u.directory["userPrincipalName"]) {
			return true
		}
	}
	return false
}

func (s *storm) team(g *entry, what int) {
	switch {
	case what == 14 && s.r.IntN(2) == 0:
		s.say("delete %s", g.ID)
		s.d.remove(g.Ref)
	case what == 14:
		s.say("unassign or assign %s", g.ID)
		s.d.edit(g.Ref, func(e *entry) { e.Assigned = !e.Assigned })
	case what == 13:
		s.d.edit(g.Ref, func(e *entry) { e.directory["displayName"] = s.free(provisioning.Group, "team ") })
		s.say("rename %s to %s", g.ID, g.directory["displayName"])
	default:
		s.d.edit(g.Ref, func(e *entry) { e.Members = s.some() })
		s.say("%s has %v", g.ID, g.Members)
	}
}

// tamper changes something at the target.
func (s *storm) tamper() {
	if len(s.o.order) == 0 {
		return
	}
	a := s.o.order[s.r.IntN(len(s.o.order))]
	if strings.HasPrefix(a.String("userName"), "deleted-") {
		return
	}
	switch what := s.r.IntN(5); {
	case a.kind == provisioning.User && what == 0, a.kind == provisioning.Group && what == 0:
		s.say("somebody deletes %s %s there", a.kind, a.id)
		s.o.remove(a)
	case a.kind == provisioning.User && what < 3:
		s.say("somebody disables or enables %s there", a.id)
		a.Resource["active"] = a.Resource["active"] != true
		s.o.keep(a)
	case a.kind == provisioning.User && a.String("title") != "":
		s.say("somebody gives %s a title", a.id)
		a.Resource["title"] = "Intruder"
	case a.kind == provisioning.User:
	case what < 3 && len(a.members) > 0:
		s.say("somebody removes %s from %s there", a.members[0], a.id)
		a.members = a.members[1:]
	default:
		for id := range s.o.has[provisioning.User] {
			if !slices.Contains(a.members, id) && !s.o.HidesGroups {
				s.say("somebody adds %s to %s there", id, a.id)
				a.members = append(a.members, id)
				return
			}
		}
	}
}
