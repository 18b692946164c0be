package center

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Account is an AWS account that permission sets are assigned in.
type Account struct {
	ID    string // 12 digits
	Name  string
	Email string
	// closed or suspended at AWS, or gone from the organization: it is shown, but no role is opened
	// in it
	Suspended bool
	Units     []Unit `json:",omitempty"` // the root and the organizational units that it is in, from the root down
	Tags      []Tag  `json:",omitempty"` // in the order of their keys
	Imported  bool   `json:",omitempty"` // from an organization, which it is kept in step with
}

// accountReader reads accounts.
type accountReader interface {
	Account(id string) (Account, error)
	Accounts() ([]Account, error)
	CountAccounts() (int, error)
}

// accountWriter writes accounts.
type accountWriter interface {
	PutAccount(Account) error
}

// Unit is an organizational unit, or the root of an organization.
type Unit struct{ ID, Name string }

// equal compares all there is of two accounts.
func (a Account) equal(b Account) bool {
	same := a.ID == b.ID && a.Name == b.Name && a.Email == b.Email && a.Suspended == b.Suspended &&
		a.Imported == b.Imported
	return same && slices.Equal(a.Units, b.Units) && slices.Equal(a.Tags, b.Tags)
}

// maxUnits bounds how deep an account lies: the root and five levels. Source: AWS Organizations,
// quotas.
const maxUnits = 6 //bound:depth organizational units above an account, with the root

// MaxAccounts bounds the accounts of an instance. Source: user guide, quotas.
const MaxAccounts = 7000 //bound:rows accounts

var accountID = newPattern(`^\d{12}$`)

// PutAccount adds an account or changes it. It fails with QuotaExceeded or a code of kind Invalid.
func (c *Center) PutAccount(ctx context.Context, by audit.Actor, a Account) error {
	return c.PutAccounts(ctx, by, []Account{a})
}

// PutAccounts adds or changes accounts, all or none of them.
func (c *Center) PutAccounts(ctx context.Context, by audit.Actor, accounts []Account) error {
	return c.putAccounts(ctx, by, accounts, func(Tx) error { return nil })
}

// putAccounts is PutAccounts where may says so, in the same transaction.
func (c *Center) putAccounts(ctx context.Context, by audit.Actor, accounts []Account, may func(Tx) error) error {
	defer c.wakeRules()
	return c.change(ctx, by, ActionPutAccount, func(tx Tx) (string, error) {
		subject := names.Counted("%d {account|accounts}", len(accounts))
		if err := may(tx); err != nil {
			return subject, err
		}
		for _, a := range accounts {
			if len(accounts) == 1 {
				subject = a.ID
			}
			if err := a.check(); err != nil {
				return a.ID, err
			}
			var err error
			if a.Tags, err = withTags(nil, a.Tags); err != nil {
				return a.ID, err
			}
			if err := tx.PutAccount(a); err != nil {
				return a.ID, err
			}
		}
		n, err := tx.CountAccounts()
		if err == nil && n > MaxAccounts {
			err = &refusal.Error{
				Code:    QuotaExceeded,
				Subject: subject,
				Detail:  fmt.Sprintf("at most %d accounts", MaxAccounts),
			}
		}
		return subject, err
	})
}

func (a Account) check() error {
	if !accountID.match(a.ID) {
		return &refusal.Error{Code: InvalidValue, Field: "AccountId", Subject: a.ID, Detail: "use 12 digits"}
	}
	if a.Name == "" {
		return &refusal.Error{Code: MissingValue, Field: "Name", Subject: a.ID}
	}
	if len(a.Units) > maxUnits {
		return &refusal.Error{
			Code:    InvalidValue,
			Field:   "OrganizationalUnits",
			Subject: a.ID,
			Detail:  "deeper than six",
		}
	}
	for _, u := range a.Units {
		if err := errors.Join(
			checkText("OrganizationalUnits", u.ID, 128), checkText("OrganizationalUnits", u.Name, 128),
		); err != nil {
			return err
		}
	}
	return errors.Join(checkText("Name", a.Name, 128), checkText("Email", a.Email, 254))
}

// Account returns an account, or AccountNotFound.
func (c *Center) Account(ctx context.Context, id string) (a Account, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		a, err = r.Account(id)
		return refusal.IfNoRow(err, AccountNotFound, id)
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
