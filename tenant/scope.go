package tenant

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// ScopedUser is a user with what provisioning must know about it.
type ScopedUser struct {
	ID      UserID
	Gone    bool
	Deleted bool // and can be restored
	InScope bool
	User    User
	Roles   []Role // of the application that the user is assigned
	Trace   string // the traceparent of the last change; empty: nobody follows it
}

// ScopedGroup is a group with its direct users that are in scope.
type ScopedGroup struct {
	ID      GroupID
	Gone    bool
	InScope bool
	Group   Group
	Members []UserID
	Trace   string // the traceparent of the last change; empty: nobody follows it
}

// Scope is what a job must look at.
type Scope struct {
	Users     []ScopedUser
	Groups    []ScopedGroup
	Watermark string
}

// ScopeSince returns what a job must look at: everything that is in scope for an empty watermark,
// else the objects that were marked since then and the groups of the users among them; and the
// objects in also. It is read from one snapshot, so nothing falls between two cycles.
func (t *Tenant) ScopeSince(ctx context.Context, j Job, watermark string, also []Mark) (scope Scope, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		scope = Scope{}
		after := int64(math.MaxInt64) // everything is read anyway
		if watermark != "" {
			after = number(watermark)
		}
		marks, last, err := r.Marks(after)
		if err != nil {
			return err
		}
		scope.Watermark = strconv.FormatInt(last, 10)
		if watermark != "" && len(marks)+len(also) == 0 {
			return nil // nothing has changed: nobody asks who is assigned
		}
		assigned, err := assignedPrincipals(r, j.ServicePrincipalID)
		if err != nil {
			return err
		}
		s := scoper{r, j.SyncAll, j.FlattenGroups, assigned}
		if watermark == "" {
			return s.everything(&scope, also)
		}
		if err := s.marked(&scope, append(marks, also...)); err != nil || t.Trace == nil {
			return err
		}
		traces, err := r.MarkTraces(after, maxTraces)
		scope.follow(traces)
		return err
	})
	return scope, err
}

// maxTraces is how many changes that somebody follows are followed in one cycle.
const maxTraces = 1000 //bound:list changes of which a cycle continues the traces

// follow says which trace has changed what.
func (s *Scope) follow(traces map[Mark]string) {
	for i := range s.Users {
		s.Users[i].Trace = traces[Mark{KindUser, PrincipalID(s.Users[i].ID)}]
	}
	for i := range s.Groups {
		s.Groups[i].Trace = traces[Mark{KindGroup, PrincipalID(s.Groups[i].ID)}]
	}
}

type scoper struct {
	Reader
	all      bool
	nested   bool // groups in groups count
	assigned assignments
}

// everything looks at all that is in scope, and at what the job has provisioned before: that may be
// out of scope now, or gone.
func (s scoper) everything(scope *Scope, before []Mark) error {
	seen := map[Mark]bool{}
	users, err := s.Users(Query{})
	if err != nil {
		return err
	}
	for _, u := range users {
		su, err := s.user(u.ID)
		if err != nil {
			return err
		}
		if su.InScope {
			scope.Users = append(scope.Users, su)
			seen[Mark{KindUser, PrincipalID(u.ID)}] = true
		}
	}
	groups, err := s.Groups(Query{})
	if err != nil {
		return err
	}
	for _, g := range groups {
		sg, err := s.group(g.ID)
		if err != nil {
			return err
		}
		if sg.InScope {
			scope.Groups = append(scope.Groups, sg)
			seen[Mark{KindGroup, PrincipalID(g.ID)}] = true
		}
	}
	var rest []Mark
	for _, m := range before {
		if !seen[m] {
			rest = append(rest, m)
		}
	}
	return s.each(scope, rest)
}

// marked looks at each marked object once. A user brings its groups along: a member that enters the
// scope late is then noticed, which Entra's own service does not do without a restart.
func (s scoper) marked(scope *Scope, marks []Mark) error {
	seen := map[Mark]bool{}
	var rest []Mark
	groups := []GroupID{}
	addGroup := func(id GroupID) {
		if m := (Mark{KindGroup, PrincipalID(id)}); !seen[m] {
			seen[m] = true
			groups = append(groups, id)
		}
	}
	for _, m := range marks {
		if m.Kind == KindGroup {
			addGroup(GroupID(m.ID))
			continue
		}
		if seen[m] {
			continue
		}
		seen[m] = true
		rest = append(rest, m)
		in, err := groupsOf(s, m.ID, s.nested)
		if err != nil {
			return err
		}
		for _, id := range in {
			addGroup(id)
		}
	}
	if s.nested {
		for _, id := range slices.Clone(groups) { // what is in them is in those around them, or was until now
			around, e1 := groupsOf(s, PrincipalID(id), true)
			inside, e2 := membersOf(s, id, true)
			if err := errors.Join(e1, e2); err != nil {
				return err
			}
			for _, id := range around {
				addGroup(id)
			}
			for _, m := range inside {
				if m.Kind == KindUser && !seen[m] {
					seen[m] = true
					rest = append(rest, m)
				}
			}
		}
	}
	for _, id := range groups {
		rest = append(rest, Mark{KindGroup, PrincipalID(id)})
	}
	return s.each(scope, rest)
}

// each looks at the objects that are named.
func (s scoper) each(scope *Scope, marks []Mark) error {
	for _, m := range marks {
		if m.Kind == KindGroup {
			g, err := s.group(GroupID(m.ID))
			if err != nil {
				return err
			}
			scope.Groups = append(scope.Groups, g)
			continue
		}
		u, err := s.user(UserID(m.ID))
		if err != nil {
			return err
		}
		scope.Users = append(scope.Users, u)
	}
	return nil
}

func (s scoper) user(id UserID) (ScopedUser, error) {
	u, err := s.User(id)
	if errors.Is(err, refusal.ErrNoRow) {
		return s.deletedUser(id)
	}
	if err != nil {
		return ScopedUser{}, err
	}
	out := ScopedUser{ID: id, User: u, InScope: s.all, Roles: slices.Clone(s.assigned[PrincipalID(id)])}
	groups, err := groupsOf(s, PrincipalID(id), s.nested)
	for _, g := range groups {
		for _, role := range s.assigned[PrincipalID(g)] {
			if !slices.Contains(out.Roles, role) {
				out.Roles = append(out.Roles, role)
			}
		}
	}
	out.InScope = out.InScope || len(out.Roles) > 0
	return out, err
}

// deletedUser looks at a user who is not there: deleted for good, or so that they can be restored.
// One whose name somebody else has by now is gone for the target, which has only one of a name.
func (s scoper) deletedUser(id UserID) (ScopedUser, error) {
	item, err := s.DeletedItem(string(id))
	if err != nil || item.User == nil {
		return ScopedUser{ID: id, Gone: true}, nilIfNoRow(err)
	}
	_, err = s.UserByPrincipalName(item.User.UserPrincipalName)
	if errors.Is(err, refusal.ErrNoRow) {
		return ScopedUser{ID: id, Deleted: true, User: *item.User}, nil
	}
	return ScopedUser{ID: id, Gone: true}, err
}

func (s scoper) group(id GroupID) (ScopedGroup, error) {
	g, err := s.Group(id)
	if errors.Is(err, refusal.ErrNoRow) {
		return ScopedGroup{ID: id, Gone: true}, nil
	}
	if err != nil {
		return ScopedGroup{}, err
	}
	out := ScopedGroup{ID: id, InScope: g.SecurityEnabled && (s.all || s.assigned.has(PrincipalID(id))), Group: g}
	if !out.InScope {
		return out, nil
	}
	members, err := membersOf(s, id, s.nested)
	for _, m := range members { // in scope by this very group, or because all are
		if m.Kind == KindUser {
			out.Members = append(out.Members, UserID(m.ID))
		}
	}
	return out, err
}
