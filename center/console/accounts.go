package console

import (
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

type accountsData struct {
	Accounts []center.Account
	Import   *center.OrganizationImport // nil: no organization is read
}

func accounts(p page) error {
	ctx, c := p.Context(), p.h.Center
	list, err := c.Accounts(ctx)
	d := accountsData{Accounts: list}
	if err == nil && c.Organization != nil {
		var last center.OrganizationImport
		last, err = c.LastOrganizationImport(ctx)
		d.Import = &last
	}
	if err != nil {
		return err
	}
	return p.Render("accounts", "AWS accounts", "/console/accounts", d)
}

// putAccount changes what the form shows, and leaves units and tags as they are.
func putAccount(p page) error {
	id := p.PostFormValue("id")
	a, err := p.h.Center.Account(p.Context(), id)
	if err != nil && refusal.CodeOf(err) != center.AccountNotFound {
		return err
	}
	a.ID = id
	a.Name = p.PostFormValue("name")
	a.Email = p.PostFormValue("email")
	a.Suspended = p.PostFormValue("suspended") != ""
	if err := p.h.Center.PutAccount(p.Context(), p.by, a); err != nil {
		return err
	}
	return p.Done("/console/accounts", "The account is saved.")
}

func readOrganization(p page) error {
	if err := p.h.Center.StartOrganizationImport(p.Context(), p.by, false, false); err != nil {
		return err
	}
	return p.Done("/console/accounts", "Gatehouse is reading the organization.")
}
