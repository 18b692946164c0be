package adminserver

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// accessOperations are those on access that ends, reviews, entitlements and labels.
func (h *Handler) accessOperations() []awsapi.Operation {
	return slices.Concat(h.requestOperations(), h.reviewOperations(), h.entitlements(), []awsapi.Operation{
		awsapi.Op("ListAccountLabels", awsapi.Reads, h.listLabels),
		awsapi.Op("PutAccountLabel", awsapi.Changes, h.putLabel),
		awsapi.Op("DeleteAccountLabel", awsapi.Changes, h.deleteLabel),
	})
}

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
	if err != nil {
		return adminapi.Accounts{}, err
	}
	labels, err := h.Center.AccountLabels(ctx)
	out := showAccounts(list)
	for i, a := range list {
		of := labels.Of(a)
		out.Accounts[i].Environment, out.Accounts[i].Color = of.Environment, string(of.Color)
	}
	return out, err
}

func (h *Handler) listLabels(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.AccountLabels, error) {
	labels, err := h.Center.AccountLabels(ctx)
	out := adminapi.AccountLabels{Labels: []adminapi.AccountLabel{}}
	for _, l := range labels.List() {
		out.Labels = append(out.Labels, adminapi.AccountLabel{
			AccountPlace: adminapi.AccountPlace{AccountID: l.AccountID, Unit: l.Unit, Tag: (*adminapi.Tag)(l.Tag)},
			Environment:  l.Environment, Color: string(l.Color),
		})
	}
	return out, err
}

// place is where something counts, of which the account may be named.
func (h *Handler) place(ctx context.Context, in adminapi.AccountPlace) (center.Place, error) {
	account, err := h.accountNamed(ctx, in.AccountID)
	return center.Place{AccountID: account, Unit: in.Unit, Tag: (*center.Tag)(in.Tag)}, err
}

func (h *Handler) putLabel(ctx context.Context, who awsapi.Caller, in adminapi.AccountLabel) (adminapi.None, error) {
	at, err := h.place(ctx, in.AccountPlace)
	if err == nil {
		err = h.Center.PutAccountLabel(ctx, awsdoor.Actor(who), center.AccountLabel{
			Place: at, Environment: in.Environment, Color: center.AccountColor(in.Color),
		})
	}
	return adminapi.None{}, err
}

func (h *Handler) deleteLabel(ctx context.Context, who awsapi.Caller, in adminapi.AccountPlace) (adminapi.None, error) {
	at, err := h.place(ctx, in)
	if err == nil {
		err = h.Center.DeleteAccountLabel(ctx, awsdoor.Actor(who), at)
	}
	return adminapi.None{}, err
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
		if a.Environment != "" || a.Color != "" {
			return adminapi.None{}, &refusal.Error{
				Code: center.InvalidValue, Field: "Environment", Subject: a.ID, Detail: "use PutAccountLabel",
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
