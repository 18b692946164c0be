package center

import (
	"context"
	"regexp"

	"github.com/gatehouse-id/gatehouse/audit"
)

// Account is an AWS account that permission sets are assigned in.
type Account struct {
	ID    string // 12 digits
	Name  string
	Email string
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// PutAccount adds an account or renames it.
func (c *Center) PutAccount(ctx context.Context, by audit.Actor, a Account) error {
	return c.change(ctx, by, "PutAccount", func(tx Tx) (string, error) {
		if !accountID.MatchString(a.ID) {
			return a.ID, &Error{Code: InvalidValue, Field: "AccountId", Detail: "want 12 digits"}
		}
		if err := checkText("Name", a.Name, 128); err != nil {
			return a.ID, err
		}
		return a.ID, tx.PutAccount(a)
	})
}

// Account returns an account, or AccountNotFound.
func (c *Center) Account(ctx context.Context, id string) (a Account, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		a, err = r.Account(id)
		return orRefuse(err, AccountNotFound, id)
	})
	return a, err
}

// Accounts lists all accounts in the order of their ids.
func (c *Center) Accounts(ctx context.Context) (accounts []Account, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		accounts, err = r.Accounts()
		return err
	})
	return accounts, err
}
