package center

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// AccountRole is a permission set's role as IAM must have it in an account.
type AccountRole struct {
	AccountID    string
	Name         string
	Description  string
	Policies     []string // ARNs of managed policies, those of the account itself too
	InlinePolicy string   // JSON, or empty
	Boundary     string   // an ARN, or empty
	Revoked      []RoleRevocation
}

// RoleIn is the permission set's role in an account, under the name that it has there.
func (p PermissionSet) RoleIn(account, name string) AccountRole {
	own := func(r PolicyReference) string { return "arn:aws:iam::" + account + ":policy" + r.Path + r.Name }
	role := AccountRole{
		AccountID:    account,
		Name:         name,
		Description:  p.Description,
		Policies:     append([]string{}, p.ManagedPolicies...),
		InlinePolicy: p.InlinePolicy,
	}
	for _, c := range p.CustomerPolicies {
		role.Policies = append(role.Policies, own(c))
	}
	if b := p.Boundary; b != nil {
		role.Boundary = b.ManagedPolicy
		if b.CustomerPolicy != nil {
			role.Boundary = own(*b.CustomerPolicy)
		}
	}
	return role
}

// driftEach is how often a role is compared with IAM.
const driftEach = 6 * time.Hour //bound:none how often, not how much

// CheckRole compares with IAM the role that has not been looked at for longest, and says whether
// there was one whose time had come. A role whose permission set has been changed since it was
// provisioned is passed over: it differs, and is meant to until it is provisioned.
func (c *Center) CheckRole(ctx context.Context) (bool, error) {
	var p Provisioned
	var set PermissionSet
	var revoked []RoleRevocation
	next := func(r Reader) (err error) {
		p, err = r.LeastChecked(c.now().Add(-driftEach), c.now().Add(longerThanAll))
		return err
	}
	err := c.Store.Get(ctx, next)
	if err == nil {
		err = c.Store.Update(ctx, func(tx Tx) (err error) {
			if err = next(tx); err != nil {
				return err
			}
			var e2 error
			set, err = tx.PermissionSet(p.PermissionSetARN)
			revoked, e2 = tx.RoleRevocations(p.RoleName)
			// so that nobody else looks at it meanwhile
			return errors.Join(err, e2, tx.PutDrift(p.RoleName, c.now(), p.Drift))
		})
	}
	if errors.Is(err, refusal.ErrNoRow) {
		return false, nil
	}
	if err != nil || set.Revision != p.Revision {
		return err == nil, err
	}
	limited, cancel := context.WithTimeout(ctx, rolePatience)
	defer cancel()
	role := set.RoleIn(p.AccountID, p.RoleName)
	role.Revoked = revoked
	drift, said := c.Roles.Drift(limited, role)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if said != nil {
		drift = []string{"it could not be checked: " + reasonOf(said)}
	}
	return true, c.noteDrift(ctx, p, drift)
}

// noteDrift keeps how a role differs, and makes an event of it when that is news.
func (c *Center) noteDrift(ctx context.Context, p Provisioned, drift []string) error {
	return c.Store.Update(ctx, func(tx Tx) error {
		err := tx.PutDrift(p.RoleName, c.now(), drift)
		if len(drift) > 0 && fmt.Sprint(drift) != fmt.Sprint(p.Drift) {
			e := c.event(audit.SystemActor, "RoleDrifted", p.AccountID+"/"+p.RoleName, nil)
			e.Detail = fmt.Sprint(drift)
			err = errors.Join(err, tx.AppendEvent(e))
		}
		return err
	})
}

// RecheckRoles has the roles of an account, or ("") of all, compared with IAM soon instead of when
// their time comes. It fails with RolesNotKept.
func (c *Center) RecheckRoles(ctx context.Context, by audit.Actor, account string) error {
	err := c.change(ctx, by, ActionRecheckRoles, func(tx Tx) (string, error) {
		if c.Roles == nil {
			return account, &refusal.Error{Code: RolesNotKept}
		}
		return account, tx.ForgetChecks(account)
	})
	c.wakeRoleWorkers()
	return err
}

// RoleJobs lists what is to be done in IAM.
func (c *Center) RoleJobs(ctx context.Context, q RoleJobQuery) (jobs []RoleJob, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		jobs, err = r.RoleJobs(q)
		return err
	})
	return jobs, err
}
