package adminserver

import (
	"context"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

func showAccount(a center.Account) adminapi.Account {
	out := adminapi.Account{
		ID:       a.ID,
		Name:     a.Name,
		Email:    a.Email,
		Status:   adminapi.AccountActive,
		Imported: a.Imported,
	}
	if a.Suspended {
		out.Status = adminapi.AccountSuspended
	}
	for _, u := range a.Units {
		out.OrganizationalUnits = append(out.OrganizationalUnits, adminapi.OrganizationalUnit(u))
	}
	for _, t := range a.Tags {
		out.Tags = append(out.Tags, adminapi.Tag(t))
	}
	return out
}

func showAccounts(list []center.Account) adminapi.Accounts {
	out := adminapi.Accounts{Accounts: []adminapi.Account{}}
	for _, a := range list {
		out.Accounts = append(out.Accounts, showAccount(a))
	}
	return out
}

func (h *Handler) listAccounts(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.Accounts, error) {
	list, err := h.Center.Accounts(ctx)
	return showAccounts(list), err
}

func (h *Handler) putAccounts(ctx context.Context, who awsapi.Caller, in adminapi.Accounts) (adminapi.None, error) {
	if n := len(in.Accounts); n < 1 || n > adminapi.MaxAccountsAtOnce {
		return adminapi.None{}, &refusal.Error{
			Code:   center.InvalidValue,
			Field:  "Accounts",
			Detail: "use 1 to 100 accounts",
		}
	}
	var list []center.Account
	for _, a := range in.Accounts {
		if a.Status != "" && a.Status != adminapi.AccountActive && a.Status != adminapi.AccountSuspended {
			return adminapi.None{}, &refusal.Error{
				Code:    center.InvalidValue,
				Field:   "Status",
				Subject: a.ID,
				Detail:  "use ACTIVE or SUSPENDED",
			}
		}
		account := center.Account{
			ID:        a.ID,
			Name:      a.Name,
			Email:     a.Email,
			Suspended: a.Status == adminapi.AccountSuspended,
			Imported:  a.Imported,
		}
		for _, u := range a.OrganizationalUnits {
			account.Units = append(account.Units, center.Unit(u))
		}
		for _, t := range a.Tags {
			account.Tags = append(account.Tags, center.Tag(t))
		}
		list = append(list, account)
	}
	return adminapi.None{}, h.Center.PutAccounts(ctx, awsdoor.Actor(who), list)
}

func (h *Handler) importAccounts(
	ctx context.Context, who awsapi.Caller, in adminapi.ImportInput,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.StartOrganizationImport(ctx, awsdoor.Actor(who), in.DryRun, in.Force)
}

func (h *Handler) describeImport(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.Import, error) {
	o, err := h.Center.LastOrganizationImport(ctx)
	out := adminapi.Import{
		Running: o.Running(),
		DryRun:  o.DryRun,
		Read:    o.Read,
		Total:   o.Total,
		Error:   o.Error,
		Changes: []adminapi.AccountChange{},
	}
	if !o.FinishedAt.IsZero() {
		out.FinishedAt = &o.FinishedAt
	}
	for _, c := range o.Changes {
		out.Changes = append(out.Changes, adminapi.AccountChange{Change: c.Change, Account: showAccount(c.Account)})
	}
	return out, err
}
