package center

import (
	"cmp"
	"context"
	"slices"
)

// AccountAccess is what a user may do in one account.
type AccountAccess struct {
	Account        Account
	PermissionSets []PermissionSet // in the order of their names
}

// AccessQuery selects accounts in which a user has a role, by own assignments and by groups.
type AccessQuery struct {
	User   UserID
	Search string // part of the account's name, id or email address, or of a role's name; ignores letter case
	ByName bool   // in the order of names and skipped by Offset, instead of in the order of ids and after After
	Offset int
	After  string
	Limit  int // 0: all
}

// accessReader reads what users may use, which follows from assignments.
type accessReader interface {
	AccountsOf(AccessQuery) ([]Account, error)
	RolesOf(user UserID, account string) ([]PermissionSet, error) // in the order of names
	RoleOf(user UserID, account, permissionSet string) (Role, error)
}

// AccountsOf lists the accounts in which a user has a role.
func (c *Center) AccountsOf(ctx context.Context, q AccessQuery) (list []Account, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.AccountsOf(q)
		return err
	})
	return list, err
}

// RolesOf lists the permission sets that a user has in an account, in the order of their names.
func (c *Center) RolesOf(ctx context.Context, user UserID, account string) (list []PermissionSet, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.RolesOf(user, account)
		return err
	})
	return list, err
}

// Access lists accounts with the permission sets that a user has in them.
func (c *Center) Access(ctx context.Context, q AccessQuery) (list []AccountAccess, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		accounts, err := r.AccountsOf(q)
		if err != nil {
			return err
		}
		list = make([]AccountAccess, 0, len(accounts))
		for _, a := range accounts {
			sets, err := r.RolesOf(q.User, a.ID)
			if err != nil {
				return err
			}
			list = append(list, AccountAccess{a, sets})
		}
		return nil
	})
	return list, err
}

// ApplicationsOf lists the applications that a user may open from the portal, in the order of their
// names.
func (c *Center) ApplicationsOf(ctx context.Context, user UserID) (list []Application, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		assigned, err := r.ApplicationAssignments(ApplicationAssignmentQuery{HeldBy: user})
		if err != nil {
			return err
		}
		mine := map[string]bool{}
		for _, a := range assigned {
			mine[a.ApplicationARN] = true
		}
		all, err := r.Applications("", 0)
		list = slices.DeleteFunc(
			all, func(a Application) bool { return !a.Enabled || a.Hidden || !a.ForEveryone && !mine[a.ARN] },
		)
		return err
	})
	slices.SortFunc(
		list, func(a, b Application) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ARN, b.ARN)) },
	)
	return list, err
}
