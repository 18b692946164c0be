package console

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

type accountsData struct {
	listing[center.Account]
	Import *center.OrganizationImport // nil: no organization is read
	Labels center.AccountLabels
	Lines  []labelLine
	// Accounts, Units and Tags are what can be labeled.
	Accounts []center.Account
	Units    []center.Unit
	Tags     []center.Tag
	Colors   []center.AccountColor
}

func accounts(p page) error {
	ctx, c := p.Context(), p.h.Center
	d := accountsData{}
	d.Listing = p.Listing("name", "id", "email", "environment")
	list, err := c.Accounts(ctx)
	if err != nil {
		return err
	}
	if d.Labels, err = c.AccountLabels(ctx); err != nil {
		return err
	}
	d.Accounts, d.Colors = slices.Clone(list), center.AccountColors
	d.Units, d.Tags = places(list)
	d.Lines = labelLines(d.Labels, list, d.Units)
	list = web.Found(d.Listing, list, func(a center.Account) []string {
		texts := []string{a.Name, a.ID, a.Email, d.Labels.Of(a).Environment}
		for _, u := range a.Units {
			texts = append(texts, u.Name)
		}
		for _, t := range a.Tags {
			texts = append(texts, t.Text())
		}
		return texts
	})
	d.Items, d.Pager = web.Page(d.Listing, list, pageSize, func(a center.Account, by string) string {
		return map[string]string{
			"name": a.Name, "id": a.ID, "email": a.Email, "environment": d.Labels.Of(a).Environment,
		}[by]
	})
	if p.Exports() {
		return p.exportAccounts(d.Items, d.Labels)
	}
	if c.Organization != nil {
		var last center.OrganizationImport
		last, err = c.LastOrganizationImport(ctx)
		d.Import = &last
	}
	if err != nil {
		return err
	}
	return p.Render("accounts", "AWS accounts", "/console/accounts", d)
}

func (p page) exportAccounts(list []center.Account, labels center.AccountLabels) error {
	columns := []string{"id", "name", "email", "suspended", "units", "tags", "environment", "color"}
	return p.Export("accounts", columns, func(row func(...string) error) error {
		for _, a := range list {
			var units, tags []string
			for _, u := range a.Units {
				units = append(units, u.Name)
			}
			for _, t := range a.Tags {
				tags = append(tags, t.Text())
			}
			l := labels.Of(a)
			if err := row(a.ID, a.Name, a.Email, strconv.FormatBool(a.Suspended), strings.Join(units, " / "),
				strings.Join(tags, " "), l.Environment, string(l.Color)); err != nil {
				return err
			}
		}
		return nil
	})
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
	return p.Done(p.back("/console/accounts"), "The account is saved.")
}

// accountData is the page of one account. Its ways are those that the table of ways shows.
type accountData struct {
	Account center.Account
	User    center.User // nobody: the ways are those of all
	waysTable
	Only     bool // what administers it
	Assigned int
	Roles    entitlementTable    // that are in it already
	Label    center.AccountLabel // which may be that of a tag or a unit
	Own      bool                // it is the account's own
	Labels   center.AccountLabels
	Colors   []center.AccountColor
}

func account(p page) error {
	ctx, c := p.Context(), p.h.Center
	d := accountData{Only: p.URL.Query().Get("only") == "administrators"}
	var err error
	if d.Account, err = c.Account(ctx, p.PathValue("id")); err != nil {
		return err
	}
	if d.Labels, err = c.AccountLabels(ctx); err != nil {
		return err
	}
	d.Label, d.Colors = d.Labels.Of(d.Account), center.AccountColors
	d.Own = d.Label.AccountID != ""
	if d.waysTable, err = p.ways(
		center.HeldAccessQuery{Account: d.Account.ID, Administrative: d.Only},
	); d.sent || err != nil {
		return err
	}
	assigned, err := c.FindAssignments(ctx, center.AssignmentQuery{AccountID: d.Account.ID, Limit: 1}, "")
	if err != nil {
		return err
	}
	d.Assigned = assigned.Total
	if d.Roles, err = p.entitledOf(center.EntitlementQuery{AccountID: d.Account.ID}); err != nil {
		return err
	}
	return p.Render("account", d.Account.Name, "/console/accounts", d)
}

func readOrganization(p page) error {
	if err := p.h.Center.StartOrganizationImport(p.Context(), p.by, false, false); err != nil {
		return err
	}
	return p.Done("/console/accounts", "Gatehouse is reading the organization.")
}
