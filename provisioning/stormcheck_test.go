package provisioning_test

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// dump tells what each side has.
func (s *storm) dump() {
	refs, _ := s.Known(context.Background())
	for _, ref := range refs {
		l, _ := s.Link(context.Background(), ref)
		s.say("link %v at %q adopted %v sent %v members %v held %v failure %s doubt %+v",
			ref.ID, l.TargetID, l.Adopted, l.Sent, l.Members, l.Held, l.Failure, l.Doubt)
	}
	for ref, o := range s.d.objects {
		s.say("source %v active %v assigned %v deleted %v %v %v manager %q",
			ref.ID, o.Active, o.Assigned, o.Deleted, o.directory, o.Members, o.Manager)
	}
	for _, a := range s.o.order {
		s.say("target %s %s: %v %v", a.kind, a.id, a.Resource, a.members)
	}
}

// check compares.
func (s *storm) check() { s.checkBut(nil) }

// checkBut compares, but for those who are held back.
func (s *storm) checkBut(held map[provisioning.Ref]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := map[string]provisioning.Ref{} // by id at the target
	for _, kind := range []provisioning.Kind{provisioning.User, provisioning.Group} {
		for id, a := range s.o.has[kind] {
			ref, err := s.Owner(context.Background(), kind, id)
			if err != nil && !s.o.NoExternal {
				ref = provisioning.Ref{Kind: kind, ID: a.String("externalId")}
			}
			of[string(kind)+id] = ref
		}
	}
	has := map[provisioning.Ref]bool{}
	for id, a := range s.o.has[provisioning.User] {
		ref := of["User"+id]
		// One without external ids that carries a creation out, or finds it, late may make two.
		known := ref.ID != "" || (s.o.NoExternal && (s.tarried || s.o.Lag > 0)) || a.String("displayName") == ""
		if !known && a.Resource["active"] == true {
			s.t.Errorf("%s (%s) was made, and nobody knows it", a.String("userName"), id)
		}
		if ref.ID == "" || (strings.HasPrefix(a.String("userName"), "deleted-") && a.Resource["active"] == false) {
			continue // nobody's
		}
		if held[ref] {
			continue
		}
		o := s.d.objects[ref]
		on := a.Resource["active"] == true
		wanted := o != nil && o.Active && o.Assigned && !o.Deleted
		switch {
		case on && !wanted:
			s.t.Errorf("%s (%s, %s) has left, and is active", a.String("userName"), ref.ID, id)
		case wanted && !on:
			s.t.Errorf("%s (%s, %s) is not active", a.String("userName"), ref.ID, id)
		case wanted && !s.same(a.String("userName"), o.directory["userPrincipalName"]):
			s.t.Errorf("%s is called %s, not %s", ref.ID, a.String("userName"), o.directory["userPrincipalName"])
		case wanted && a.String("title") != o.directory["jobTitle"]:
			s.t.Errorf("%s has title %q", ref.ID, a.String("title"))
		case o == nil && !s.o.SoftDelete && (!s.careful || !s.adopted(ref)):
			s.t.Errorf("%s (%s) is gone, and there", a.String("userName"), ref.ID)
		}
		if has[ref] && wanted {
			s.t.Errorf("%s is there twice", ref.ID)
		}
		has[ref] = true
	}
	s.checkGroups(of, has, held)
	for ref, o := range s.d.objects {
		wanted := o.Assigned && (ref.Kind == provisioning.Group || (o.Active && !o.Deleted))
		if wanted && !has[ref] && !held[ref] {
			s.t.Errorf("%v is not there", ref)
		}
	}
}

func (s *storm) checkGroups(of map[string]provisioning.Ref, has, held map[provisioning.Ref]bool) {
	for id, a := range s.o.has[provisioning.Group] {
		ref := of["Group"+id]
		o := s.d.objects[ref]
		if ref.ID == "" || held[ref] {
			continue
		}
		if gone := o == nil || !o.Assigned; gone && s.careful && s.adopted(ref) {
			continue // others may need it
		} else if gone {
			s.t.Errorf("the group %s (%s) is there", a.String("displayName"), ref.ID)
			continue
		}
		has[ref] = true
		if a.String("displayName") != o.directory["displayName"] {
			s.t.Errorf("%s is called %s, not %s", ref.ID, a.String("displayName"), o.directory["displayName"])
		}
		in := map[string]bool{}
		for _, m := range a.members {
			who := of["User"+m].ID
			if who == "" || held[provisioning.Ref{Kind: provisioning.User, ID: who}] {
				continue // a ghost, or nobody of ours
			}
			in[who] = true
			// Whom others have put into a group that was there before, stays.
			ours := s.made[ref.ID+"/"+who] || !s.adopted(ref)
			if !slices.Contains(o.Members, who) && ours {
				s.t.Errorf("%s (%s) is in %s, and should not", who, m, ref.ID)
			}
		}
		for _, who := range o.Members {
			at := provisioning.Ref{Kind: provisioning.User, ID: who}
			u := s.d.objects[at]
			if u != nil && !held[at] && u.Active && u.Assigned && !u.Deleted && !in[who] && !s.o.Leaves {
				s.t.Errorf("%s is not in %s", who, ref.ID)
			}
		}
	}
}

func (s *storm) adopted(ref provisioning.Ref) bool {
	link, _ := s.Link(context.Background(), ref)
	return link.Adopted
}

func (s *storm) same(a, b string) bool {
	return a == b || (s.o.Lowers && strings.EqualFold(a, b))
}
