package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Merge brings what a copy of an instance has into a center that stays. What the center has already
// is not brought again, so a merge that was interrupted is completed by the next. It removes
// nothing, and enables nobody whom the center has disabled.
type Merge struct {
	From *center.Center // the copy
	To   *center.Center // nil: none yet, for a plan
	// Update changes what both have, where it differs. Applications stay as they are here: the copy
	// has no SAML settings of them.
	Update bool
	// Ends says whether an assignment is there for a while only, and until when; nil: none is. Such
	// stay out: here they would not end.
	Ends func(context.Context, center.Assignment) (until time.Time, ends bool, err error)

	write   bool
	parts   []*Difference
	without map[string]bool // ids of what stays out, since something here has its name
	sets    map[string]center.PermissionSet
}

// Difference is what a merge does, or has done, to the objects of a kind. For programs too: fields
// are added, never changed.
type Difference struct {
	Kind     string   `json:"kind"`
	New      int      `json:"new"`
	Changed  int      `json:"changed"`
	Kept     int      `json:"kept"` // differ, and stay as they are here
	Same     int      `json:"same"`
	Taken    int      `json:"taken"`    // stay out: something else here has their name, or a key
	Ends     int      `json:"ends"`     // stay out: they end at the source, and would not here
	Examples []string `json:"examples"` // of those that change, stay as they are, or stay out
}

// Changes is how many objects are brought or changed.
func (d *Difference) Changes() int { return d.New + d.Changed }

const maxExamples = 10 //bound:list names that a plan of an import gives of a kind

func (d *Difference) example(format string, args ...any) {
	if len(d.Examples) < maxExamples {
		d.Examples = append(d.Examples, fmt.Sprintf(format, args...))
	}
}

// Settings is the kind of the instance's own settings.
const Settings = "settings"

// Roles is the kind of what is provisioned where.
const Roles = "provisioned permission sets"

// Plan says what Apply would do.
func (m *Merge) Plan(ctx context.Context) ([]*Difference, error) { return m.run(ctx, false) }

// Apply does it, and says what it did.
func (m *Merge) Apply(ctx context.Context) ([]*Difference, error) { return m.run(ctx, true) }

func (m *Merge) run(ctx context.Context, write bool) ([]*Difference, error) {
	m.write, m.parts = write, nil
	m.without, m.sets = map[string]bool{}, map[string]center.PermissionSet{}
	for _, part := range []func(context.Context) error{
		m.accounts, m.users, m.groups, m.memberships, m.permissionSets, m.roles, m.assignments, m.tokenIssuers,
		m.applications, m.applicationAssignments, m.settings,
	} {
		if err := part(ctx); err != nil {
			return m.parts, err
		}
	}
	return m.parts, nil
}

// kind begins with the objects of a kind.
func (m *Merge) kind(name string) *Difference {
	d := &Difference{Kind: name, Examples: []string{}}
	m.parts = append(m.parts, d)
	return d
}

// here reads from the center that stays; nothing where there is none.
func (m *Merge) here(ctx context.Context, read func(center.Reader) error) error {
	if m.To == nil {
		return nil
	}
	return m.To.Store.View(ctx, read)
}

func (m *Merge) there(ctx context.Context, read func(center.Reader) error) error {
	return m.From.Store.View(ctx, read)
}

func (m *Merge) put(ctx context.Context, r center.Replica) error {
	if !m.write {
		return nil
	}
	return m.To.Replicate(ctx, actor, r)
}

// missing makes an error of a row that is not there none, and says whether it is there.
func missing(err error) (bool, error) {
	if errors.Is(err, refusal.ErrNoRow) {
		return false, nil
	}
	return err == nil, err
}

// equal compares what somebody sees of two objects: counts and times of changes are their own.
func equal[T any](a, b T) bool {
	for _, v := range []*T{&a, &b} {
		s := reflect.ValueOf(v).Elem()
		for i := range s.NumField() {
			switch s.Type().Field(i).Name {
			case "CreatedAt", "CreatedBy", "UpdatedAt", "UpdatedBy", "Version", "Revision", "AddressChangedAt",
				"RolesSince", "Imported", "AddedAt":
				s.Field(i).SetZero()
			}
		}
	}
	x, e1 := json.Marshal(a)
	y, e2 := json.Marshal(b)
	return e1 == nil && e2 == nil && string(x) == string(y)
}

// decide says whether an object that both have is to be changed.
func (m *Merge) decide(d *Difference, name string, same bool) bool {
	switch {
	case same:
		d.Same++
	case m.Update:
		d.Changed++
		d.example("%s changes", name)
		return true
	default:
		d.Kept++
		d.example("%s differs, and stays as it is here", name)
	}
	return false
}

// refused notes that the center does not take a change, and gives back what is no refusal.
func (d *Difference) refused(name string, err error) error {
	if code := refusal.CodeOf(err); err == nil || code == refusal.None || code.Kind() == refusal.Unavailable {
		return err
	}
	d.Changed--
	d.Taken++
	d.example("%s stays as it is: %v", name, err)
	return nil
}

func (m *Merge) taken(d *Difference, id, name, by string) {
	m.without[id] = true
	d.Taken++
	d.example("%s stays out: %s", name, by)
}

// batch is how many objects one transaction has.
const batch = 100 //bound:list objects of an import in one transaction

func (m *Merge) accounts(ctx context.Context) error {
	d := m.kind(Accounts)
	accounts, err := m.From.Accounts(ctx)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(accounts, batch) {
		var put []center.Account
		for _, a := range part {
			var old center.Account
			found := false
			err := m.here(ctx, func(r center.Reader) (err error) {
				old, err = r.Account(a.ID)
				found, err = missing(err)
				return err
			})
			if err != nil {
				return err
			}
			if found {
				a.Tags, a.Imported = old.Tags, old.Imported // the center's own
			} else {
				d.New++
			}
			if !found || m.decide(d, a.ID+" "+a.Name, equal(a, old)) {
				put = append(put, a)
			}
		}
		if err := m.put(ctx, center.Replica{Accounts: put}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Merge) users(ctx context.Context) error {
	d := m.kind(Users)
	for after := center.UserID(""); ; {
		var users, fresh []center.User
		err := m.there(ctx, func(r center.Reader) (err error) {
			users, err = r.Users(center.UserQuery{After: after, Limit: batch})
			return err
		})
		if err != nil || len(users) == 0 {
			return err
		}
		after = users[len(users)-1].ID
		for _, u := range users {
			isNew, err := m.user(ctx, d, u)
			if err != nil {
				return err
			}
			if isNew {
				fresh = append(fresh, u)
			}
		}
		if err := m.put(ctx, center.Replica{Users: fresh}); err != nil {
			return err
		}
	}
}

// user changes a user who is here already, and says whether it is a new one.
func (m *Merge) user(ctx context.Context, d *Difference, u center.User) (isNew bool, err error) {
	var old center.User
	var holders []center.UserKeys
	found := false
	err = m.here(ctx, func(r center.Reader) (err error) {
		old, err = r.User(u.ID)
		if found, err = missing(err); err == nil {
			holders, err = r.UsersHolding(u.UserName, u.PrimaryEmail(), u.ExternalID)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	for _, k := range holders {
		if k.ID != u.ID && !found {
			m.taken(d, string(u.ID), u.UserName, "the user "+k.UserName+" has its name, address or external id")
			return false, nil
		}
	}
	if !found {
		d.New++
		return true, nil
	}
	if u.Active && !old.Active {
		d.example("%s stays disabled", u.UserName)
		u.Active = false
	}
	if !m.decide(d, u.UserName, equal(u, old)) || !m.write {
		return false, nil
	}
	_, err = m.To.UpdateUser(ctx, actor, u.ID, func(is *center.User) error {
		u.AddressChangedAt, u.RolesSince = is.AddressChangedAt, is.RolesSince
		*is = u
		return nil
	})
	return false, d.refused(u.UserName, err)
}

func (m *Merge) groups(ctx context.Context) error {
	d := m.kind(Groups)
	for after := center.GroupID(""); ; {
		var groups, fresh []center.Group
		err := m.there(ctx, func(r center.Reader) (err error) {
			groups, err = r.Groups(center.GroupQuery{After: after, Limit: batch})
			return err
		})
		if err != nil || len(groups) == 0 {
			return err
		}
		after = groups[len(groups)-1].ID
		for _, g := range groups {
			isNew, err := m.group(ctx, d, g)
			if err != nil {
				return err
			}
			if isNew {
				fresh = append(fresh, g)
			}
		}
		if err := m.put(ctx, center.Replica{Groups: fresh}); err != nil {
			return err
		}
	}
}

func (m *Merge) group(ctx context.Context, d *Difference, g center.Group) (isNew bool, err error) {
	var old, named center.Group
	found, taken := false, false
	err = m.here(ctx, func(r center.Reader) (err error) {
		old, err = r.Group(g.ID)
		if found, err = missing(err); err == nil {
			named, err = r.GroupByName(g.DisplayName)
			taken, err = missing(err)
		}
		if err == nil && !taken && g.ExternalID != "" {
			named, err = r.GroupByExternalID(g.ExternalID)
			taken, err = missing(err)
		}
		return err
	})
	switch {
	case err != nil:
		return false, err
	case !found && taken:
		m.taken(d, string(g.ID), g.DisplayName, "the group "+named.DisplayName+" has its name or external id")
		return false, nil
	case !found:
		d.New++
		return true, nil
	}
	if !m.decide(d, g.DisplayName, equal(g, old)) || !m.write {
		return false, nil
	}
	_, err = m.To.UpdateGroup(ctx, actor, g.ID, center.MembershipChange{}, func(is *center.Group) error {
		is.DisplayName, is.Description = g.DisplayName, g.Description
		is.ExternalID = g.ExternalID
		return nil
	})
	return false, d.refused(g.DisplayName, err)
}

// memberships brings the members that groups lack. It takes nobody out.
func (m *Merge) memberships(ctx context.Context) error {
	d := m.kind(Memberships)
	for after := center.GroupID(""); ; {
		var groups []center.Group
		err := m.there(ctx, func(r center.Reader) (err error) {
			groups, err = r.Groups(center.GroupQuery{After: after, Limit: batch})
			return err
		})
		if err != nil || len(groups) == 0 {
			return err
		}
		for _, g := range groups {
			after = g.ID
			if m.without[string(g.ID)] {
				continue
			}
			if err := m.members(ctx, d, g); err != nil {
				return err
			}
		}
	}
}

func (m *Merge) members(ctx context.Context, d *Difference, g center.Group) error {
	var wanted, have []center.Member
	err := m.there(ctx, func(r center.Reader) (err error) {
		wanted, err = r.Members(g.ID)
		return err
	})
	if err == nil {
		err = m.here(ctx, func(r center.Reader) (err error) {
			have, err = r.Members(g.ID)
			return err
		})
	}
	if err != nil {
		return err
	}
	is := map[center.UserID]bool{}
	for _, x := range have {
		is[x.ID] = true
	}
	var lacking []center.UserID
	for _, x := range wanted {
		switch {
		case is[x.ID]:
			d.Same++
		case m.without[string(x.ID)]:
			d.Taken++
		default:
			d.New++
			lacking = append(lacking, x.ID)
		}
	}
	if !m.write || len(lacking) == 0 {
		return nil
	}
	if len(have) == 0 {
		return m.put(ctx, center.Replica{Members: []center.Members{{Group: g.ID, Users: lacking}}})
	}
	d.example("%s gets %d more of its members", g.DisplayName, len(lacking))
	change := center.MembershipChange{Add: lacking}
	_, err = m.To.UpdateGroup(ctx, actor, g.ID, change, func(*center.Group) error { return nil })
	return err
}
