package mirror

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/center"
)

func (m *Merge) permissionSets(ctx context.Context) error {
	d := m.kind(PermissionSets)
	sets, err := m.From.PermissionSets(ctx, center.PermissionSetQuery{})
	if err != nil {
		return err
	}
	for _, p := range sets {
		if err := m.permissionSet(ctx, d, p); err != nil {
			return err
		}
	}
	return nil
}

func (m *Merge) permissionSet(ctx context.Context, d *Difference, p center.PermissionSet) error {
	var old, named center.PermissionSet
	found, taken := false, false
	err := m.here(ctx, func(r center.Reader) (err error) {
		old, err = r.PermissionSet(p.ARN)
		if found, err = missing(err); err == nil {
			named, err = r.PermissionSetByName(p.Name)
			taken, err = missing(err)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !found && taken:
		m.taken(d, p.ARN, p.Name, named.ARN+" has its name")
		return nil
	case !found:
		d.New++
		m.sets[p.ARN] = p
		return m.put(ctx, center.Replica{PermissionSets: []center.PermissionSet{p}})
	}
	m.sets[p.ARN] = old
	if !m.decide(d, p.Name, equal(p, old)) || !m.write {
		return nil
	}
	// Its roles are behind from now on.
	err = m.To.UpdatePermissionSet(ctx, actor, center.ActionUpdatePermissionSet, p.ARN,
		func(is *center.PermissionSet) error { *is = p; return nil })
	return d.refused(p.Name, err)
}

// roles brings where permission sets are provisioned, and what is out of date there. Roles that are
// here already stay.
func (m *Merge) roles(ctx context.Context) error {
	d := m.kind(Roles)
	for after := (center.Provisioned{}); ; {
		roles, err := m.From.Provisioned(ctx, center.ProvisionedQuery{After: after, Limit: batch})
		if err != nil || len(roles) == 0 {
			return err
		}
		after = roles[len(roles)-1]
		var fresh []center.Provisioned
		for _, p := range roles {
			set, brought := m.sets[p.PermissionSetARN]
			if !brought {
				d.Taken++
				continue
			}
			found := false
			if err := m.here(ctx, func(r center.Reader) (err error) {
				_, err = r.Provisioned(p.AccountID, p.PermissionSetARN)
				found, err = missing(err)
				return err
			}); err != nil {
				return err
			}
			if found {
				d.Same++
				continue
			}
			d.New++
			latest := p.Revision == 1 // a copy's sets have the first
			if p.Revision = set.Revision; !latest {
				p.Revision--
			}
			fresh = append(fresh, p)
		}
		if err := m.put(ctx, center.Replica{Roles: fresh}); err != nil {
			return err
		}
	}
}

func (m *Merge) assignments(ctx context.Context) error {
	d := m.kind(Assignments)
	for after := (center.Assignment{}); ; {
		list, err := m.From.Assignments(ctx, center.AssignmentQuery{After: after, Limit: batch})
		if err != nil || len(list) == 0 {
			return err
		}
		after = list[len(list)-1]
		var fresh []center.Assignment
		for _, a := range list {
			if _, brought := m.sets[a.PermissionSetARN]; !brought || m.without[a.PrincipalID] {
				d.Taken++
				continue
			}
			have := 0
			if err := m.here(ctx, func(r center.Reader) (err error) {
				have, err = r.CountAssignments(center.AssignmentQuery{
					AccountID: a.AccountID, PermissionSetARN: a.PermissionSetARN, PrincipalType: a.PrincipalType,
					PrincipalID: a.PrincipalID,
				})
				return err
			}); err != nil {
				return err
			}
			if have > 0 {
				d.Same++
				continue
			}
			if out, err := m.ending(ctx, d, a); out || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			d.New++
			if len(d.Examples) < maxExamples {
				d.example("%s in %s for %s", m.sets[a.PermissionSetARN].Name, a.AccountID, m.holder(ctx, a))
			}
			fresh = append(fresh, a)
		}
		if err := m.put(ctx, center.Replica{Assignments: fresh}); err != nil {
			return err
		}
	}
}

// ending says whether an assignment stays out since it ends at the source.
func (m *Merge) ending(ctx context.Context, d *Difference, a center.Assignment) (bool, error) {
	if m.Ends == nil {
		return false, nil
	}
	until, ends, err := m.Ends(ctx, a)
	if err != nil || !ends {
		return false, err
	}
	d.Ends++
	d.example("%s in %s for %s stays out: a request has given it until %s", m.sets[a.PermissionSetARN].Name,
		a.AccountID, m.holder(ctx, a), until.UTC().Format("2006-01-02 15:04 UTC"))
	return true, nil
}

// holder is the name of whoever has an assignment.
func (m *Merge) holder(ctx context.Context, a center.Assignment) string {
	name := a.PrincipalID
	_ = m.there(ctx, func(r center.Reader) error { // the id says enough
		if a.PrincipalType == center.PrincipalGroup {
			g, err := r.Group(center.GroupID(a.PrincipalID))
			name = cmp.Or(g.DisplayName, name)
			return err
		}
		u, err := r.User(center.UserID(a.PrincipalID))
		name = cmp.Or(u.UserName, name)
		return err
	})
	return name
}

func (m *Merge) tokenIssuers(ctx context.Context) error {
	d := m.kind(TokenIssuers)
	issuers, err := m.From.TokenIssuers(ctx)
	if err != nil {
		return err
	}
	var have []center.TokenIssuer
	if m.To != nil {
		if have, err = m.To.TokenIssuers(ctx); err != nil {
			return err
		}
	}
	for _, i := range issuers {
		at := slices.IndexFunc(have, func(o center.TokenIssuer) bool { return o.ARN == i.ARN })
		switch {
		case at < 0 && slices.ContainsFunc(have, func(o center.TokenIssuer) bool { return o.Name == i.Name }):
			m.taken(d, i.ARN, i.Name, "another one has its name")
			continue
		case at < 0:
			d.New++
		case !m.decide(d, i.Name, equal(i, have[at])):
			continue
		}
		if err := m.put(ctx, center.Replica{TokenIssuers: []center.TokenIssuer{i}}); err != nil {
			return err
		}
	}
	return nil
}

// applications brings those that are not here. One that is here has settings that AWS shows to
// nobody.
func (m *Merge) applications(ctx context.Context) error {
	d := m.kind(Applications)
	var list []center.Application
	if err := m.there(ctx, func(r center.Reader) (err error) {
		list, err = r.Applications("", 0)
		return err
	}); err != nil {
		return err
	}
	for _, a := range list {
		found := false
		if err := m.here(ctx, func(r center.Reader) (err error) {
			_, err = r.Application(a.ARN)
			found, err = missing(err)
			return err
		}); err != nil {
			return err
		}
		if found {
			d.Same++
			continue
		}
		d.New++
		if err := m.put(ctx, center.Replica{Applications: []center.Application{a}}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Merge) applicationAssignments(ctx context.Context) error {
	d := m.kind(ApplicationAssignments)
	list, err := m.From.ApplicationAssignments(ctx, center.ApplicationAssignmentQuery{})
	if err != nil {
		return err
	}
	have := map[center.ApplicationAssignment]bool{}
	if m.To != nil {
		here, err := m.To.ApplicationAssignments(ctx, center.ApplicationAssignmentQuery{})
		if err != nil {
			return err
		}
		for _, a := range here {
			have[a] = true
		}
	}
	var fresh []center.ApplicationAssignment
	for _, a := range list {
		switch {
		case have[a]:
			d.Same++
		case m.without[a.PrincipalID]:
			d.Taken++
		default:
			d.New++
			fresh = append(fresh, a)
		}
	}
	for part := range slices.Chunk(fresh, batch) {
		if err := m.put(ctx, center.Replica{ApplicationAssignments: part}); err != nil {
			return err
		}
	}
	return nil
}

// settings brings the instance's own: Regions, tags, attributes for access control.
func (m *Merge) settings(ctx context.Context) error {
	d := m.kind(Settings)
	var wanted, have center.InstanceSettings
	read := func(s *center.InstanceSettings) func(center.Reader) error {
		return func(r center.Reader) (err error) {
			*s, err = r.InstanceSettings()
			_, err = missing(err) // nobody has set anything
			return err
		}
	}
	if err := errors.Join(m.there(ctx, read(&wanted)), m.here(ctx, read(&have))); err != nil {
		return err
	}
	none := center.InstanceSettings{}
	switch {
	case equal(have, wanted):
		d.Same++
		return nil
	case equal(have, none):
		d.New++
	case !m.decide(d, "what the instance is set to", false):
		return nil
	}
	return m.put(ctx, center.Replica{Settings: &wanted})
}
