package center

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// MigrationQuery says which assignments are to become entitlements.
type MigrationQuery struct {
	AccountID string // empty: all
	Path      string // of the roles that take the place of permission sets; empty: /
}

// Migration is which assignments become entitlements to roles that are called like the permission
// sets, and what does not. It changes nothing.
type Migration struct {
	Entitlements []MigratingEntitlement
	Roles        []MigratingRole
	Stays        []StayingAssignment
}

// MigratingEntitlement is an assignment as an entitlement.
type MigratingEntitlement struct {
	Entitlement        // its ID is empty where it is still to be made
	Name        string // of the principal
}

// MigratingRole is a role that must be in an account, and what of its permission set only somebody
// who keeps the role can carry over.
type MigratingRole struct {
	ARN           string
	PermissionSet string
	Needs         []string
	Lost          []string
}

// StayingAssignment is an assignment that cannot become an entitlement.
type StayingAssignment struct {
	Assignment
	PermissionSet string // its name
	Why           string
}

// migratedAtOnce bounds the assignments that one plan looks at.
const migratedAtOnce = 10_000 //bound:list assignments that a plan of a migration looks at

// PlanMigration says what becomes of assignments. It fails with QuotaExceeded where there are too
// many for one plan.
func (c *Center) PlanMigration(ctx context.Context, q MigrationQuery) (m Migration, err error) {
	if q.Path == "" {
		q.Path = "/"
	}
	if !IsRoleARN("arn:aws:iam::111122223333:role" + q.Path + "Role") {
		return m, &refusal.Error{Code: InvalidValue, Field: "Path", Detail: "begin and end it with a slash"}
	}
	err = c.Store.View(ctx, func(r Reader) error {
		m = Migration{}
		sets, e1 := r.PermissionSets(PermissionSetQuery{})
		list, e2 := r.Assignments(AssignmentQuery{AccountID: q.AccountID, Limit: migratedAtOnce + 1})
		if err := errors.Join(e1, e2); err != nil {
			return err
		}
		if len(list) > migratedAtOnce {
			return &refusal.Error{Code: QuotaExceeded, Detail: "too many assignments for one plan: name an account"}
		}
		p := migrationPlan{r: r, q: q, sets: map[string]PermissionSet{}, groups: map[string]int{}}
		for _, s := range sets {
			p.sets[s.ARN] = s
		}
		for _, a := range list {
			if err := p.take(a); err != nil {
				return err
			}
		}
		m = p.Migration
		return nil
	})
	return m, err
}

// migrationPlan goes through assignments.
type migrationPlan struct {
	Migration
	r      Reader
	q      MigrationQuery
	sets   map[string]PermissionSet
	groups map[string]int // that are entitled, by role
}

func (p *migrationPlan) take(a Assignment) error {
	set := p.sets[a.PermissionSetARN]
	arn := "arn:aws:iam::" + a.AccountID + ":role" + p.q.Path + set.Name
	name, why, err := p.obstacle(a)
	if err != nil {
		return err
	}
	is, err := p.r.Entitlements(EntitlementQuery{
		RoleARN: arn, PrincipalType: a.PrincipalType, PrincipalID: a.PrincipalID, Limit: 1,
	})
	if err != nil {
		return err
	}
	if why == "" && a.PrincipalType == PrincipalGroup {
		if p.groups[arn]++; p.groups[arn] > maxGroupsOfRole {
			why = "at most 20 groups can be entitled to one role"
		}
	}
	if why != "" {
		p.Stays = append(p.Stays, StayingAssignment{a, set.Name, why})
		return nil
	}
	e := MigratingEntitlement{Entitlement{
		RoleARN: arn, PrincipalType: a.PrincipalType, PrincipalID: a.PrincipalID,
	}, name}
	if len(is) > 0 {
		e.Entitlement = is[0]
	}
	p.Entitlements = append(p.Entitlements, e)
	if !slices.ContainsFunc(p.Roles, func(r MigratingRole) bool { return r.ARN == arn }) {
		p.Roles = append(p.Roles, migratingRole(arn, set))
	}
	return nil
}

// obstacle says why an assignment stays, or what its principal is called.
func (p *migrationPlan) obstacle(a Assignment) (name, why string, err error) {
	if a.PrincipalType == PrincipalGroup {
		g, e := p.r.Group(GroupID(a.PrincipalID))
		name, err = g.DisplayName, e
	} else {
		u, e := p.r.User(UserID(a.PrincipalID))
		name, err = u.UserName, e
	}
	if errors.Is(err, refusal.ErrNoRow) {
		return "", "whom it is assigned to is deleted", nil
	}
	if err != nil {
		return "", "", err
	}
	origins, err := p.r.OriginsOf(a)
	switch {
	case len(origins) == 0 || origins[0] == byHand:
	case slices.ContainsFunc(origins, isWindow):
		why = "a request for access is in force: it ends by itself"
	default:
		why = "an assignment rule wants it: rules make no entitlements"
	}
	return name, why, err
}

// migratingRole says what a role needs to do what a permission set does.
func migratingRole(arn string, set PermissionSet) MigratingRole {
	m := MigratingRole{ARN: arn, PermissionSet: set.Name}
	for _, policy := range set.ManagedPolicies {
		m.Needs = append(m.Needs, "the managed policy "+policy)
	}
	for _, own := range set.CustomerPolicies {
		m.Needs = append(m.Needs, "the customer managed policy "+own.Path+own.Name)
	}
	if set.InlinePolicy != "" {
		m.Needs = append(m.Needs, "the inline policy of the permission set")
	}
	if set.Boundary != nil {
		m.Needs = append(m.Needs, "the permissions boundary of the permission set")
	}
	if set.SessionDuration > usualRoleSession {
		m.Needs = append(m.Needs, "a maximum session duration of "+set.SessionDuration.String())
	}
	if set.RelayState != "" {
		m.Lost = append(m.Lost, "the relay state "+strings.TrimSpace(set.RelayState))
	}
	return m
}
