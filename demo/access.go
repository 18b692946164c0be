package demo

import (
	"context"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// accounts are the company's AWS accounts.
var accounts = []center.Account{
	{ID: "111122223333", Name: "Management", Email: "aws-management@" + tenant.DefaultDomain},
	{ID: "222233334444", Name: "Production", Email: "aws-production@" + tenant.DefaultDomain},
	{ID: "333344445555", Name: "Staging", Email: "aws-staging@" + tenant.DefaultDomain},
	{ID: "444455556666", Name: "Development", Email: "aws-development@" + tenant.DefaultDomain},
}

var permissionSets = []struct{ name, description, policy string }{
	{"AdministratorAccess", "Everything", "arn:aws:iam::aws:policy/AdministratorAccess"},
	{"PowerUserAccess", "Everything but identities", "arn:aws:iam::aws:policy/PowerUserAccess"},
	{"ReadOnlyAccess", "Look, do not touch", "arn:aws:iam::aws:policy/ReadOnlyAccess"},
}

// grants say which group gets which permission set in which of the accounts, by their indexes.
var grants = []struct{ group, set, accounts string }{
	{"Platform Engineering", "AdministratorAccess", "0123"},
	{"Engineering", "PowerUserAccess", "23"},
	{"Engineering", "ReadOnlyAccess", "1"},
	{"Data", "PowerUserAccess", "3"},
	{"Security", "ReadOnlyAccess", "0123"},
	{"Finance", "ReadOnlyAccess", "0"},
	{"Support", "ReadOnlyAccess", "1"},
}

// CreateAccess gives a center the company's accounts and permission sets. Where an earlier call was
// interrupted, it makes what is missing.
func CreateAccess(ctx context.Context, c *center.Center, by audit.Actor) error {
	for _, a := range accounts {
		if err := c.PutAccount(ctx, by, a); err != nil {
			return err
		}
	}
	for _, s := range permissionSets {
		p, err := c.CreatePermissionSet(ctx, by, center.PermissionSet{Name: s.name, Description: s.description})
		if refusal.CodeOf(err) == center.PermissionSetTaken {
			continue
		}
		if err != nil {
			return err
		}
		if err := c.AttachManagedPolicy(ctx, by, p.ARN, s.policy); err != nil {
			return err
		}
	}
	return nil
}

// Assign gives the company's groups their permission sets, as far as the groups are there. It
// returns how many are missing.
func Assign(ctx context.Context, c *center.Center, by audit.Actor) (missing int, err error) {
	sets, err := c.PermissionSets(ctx, center.PermissionSetQuery{})
	if err != nil {
		return 0, err
	}
	arns := map[string]string{}
	for _, s := range sets {
		arns[s.Name] = s.ARN
	}
	for _, grant := range grants {
		g, err := c.GroupByName(ctx, grant.group)
		if refusal.CodeOf(err) == center.GroupNotFound {
			missing++
			continue
		}
		if err != nil {
			return 0, err
		}
		for _, i := range grant.accounts {
			_, err := c.CreateAssignment(ctx, by, center.Assignment{
				AccountID:        accounts[i-'0'].ID,
				PermissionSetARN: arns[grant.set],
				PrincipalType:    center.PrincipalGroup,
				PrincipalID:      string(g.ID),
			})
			if err != nil {
				return 0, err
			}
		}
	}
	return missing, nil
}
