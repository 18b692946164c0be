package admincenter

import (
	"context"
	"encoding/pem"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// clientsData is the registrations, and the one that was made just now, whose secret is shown once.
type clientsData struct {
	listing[tenant.Client]
	Permissions []string
	Made        *tenant.Client
	Secret      string
	TokenURL    string
	Seen        string // of all registrations
}

func clientIDs(list []tenant.Client) (ids []string) {
	for _, c := range list {
		ids = append(ids, string(c.ID))
	}
	return ids
}

func clients(p page) error { return p.showClients(clientsData{}) }

func (p page) showClients(d clientsData) (err error) {
	d.Listing = p.Listing("name")
	all, err := p.h.Tenant.Clients(p.Context())
	if err != nil {
		return err
	}
	d.Seen = web.Seen(clientIDs(all))
	all = web.Found(d.Listing, all, func(c tenant.Client) []string { return []string{c.DisplayName, string(c.ID)} })
	d.Items, d.Pager = web.Page(d.Listing, all, pageSize, func(c tenant.Client, _ string) string {
		return c.DisplayName
	})
	if p.Exports() {
		return p.Export("app-registrations", []string{"appId", "displayName", "permissions", "createdDateTime"},
			func(row func(...string) error) error {
				for _, c := range d.Items {
					if err := row(string(c.ID), c.DisplayName, strings.Join(c.Granted(), " "),
						c.CreatedAt.UTC().Format(time.RFC3339)); err != nil {
						return err
					}
				}
				return nil
			})
	}
	d.Permissions, d.TokenURL = tenant.Permissions, p.h.Tenant.TokenURL()
	return p.Render("clients", "App registrations", "/admin/clients", d)
}

// createClient registers a program: with the certificate that was pasted, without anything if
// people sign in to it, and else with a secret.
func createClient(p page) error {
	c := tenant.Client{
		DisplayName: strings.TrimSpace(p.PostFormValue("name")),
		Public:      p.PostFormValue("public") == "true",
		Permissions: append([]string{}, p.PostForm["permission"]...),
	}
	c.RedirectURIs = strings.Fields(p.PostFormValue("redirect"))
	if text := strings.TrimSpace(p.PostFormValue("certificate")); text != "" {
		der, err := certificatePEM(text)
		if err != nil {
			return err
		}
		c.Certificates = [][]byte{der}
	}
	var made tenant.NewClient
	again, err := p.Once(func() ([]string, error) {
		list, err := p.h.Tenant.Clients(p.Context())
		return clientIDs(list), err
	}, func() (err error) {
		made, err = p.h.Tenant.RegisterClient(p.Context(), p.by, c, !c.Public && len(c.Certificates) == 0)
		return err
	})
	switch {
	case err != nil:
		return err
	case again:
		return p.Failed("/admin/clients", "Nothing was done: the registrations are not those that the page had when "+
			"you pressed the button. A registration whose secret you do not have can be deleted below.")
	}
	p.Visit = p.At("/admin/clients")
	return p.showClients(clientsData{Made: &made.Client, Secret: made.Secret.Reveal()})
}

func deleteClient(p page) error {
	question := web.Question{
		Title:  "Delete the registration?",
		Lines:  []string{"The program's tokens are refused from then on, and its secret is lost."},
		Button: "Delete the registration",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Tenant.DeleteClient(ctx, p.by, tenant.ClientID(p.PathValue("id")))
	}); !done {
		return err
	}
	return p.Done("/admin/clients", "The registration is deleted. Its tokens are refused from now on.")
}

// certificatePEM reads a certificate that was pasted.
func certificatePEM(text string) ([]byte, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, &refusal.Error{
			Code:    tenant.InvalidValue,
			Subject: "certificate",
			Detail:  "it must be PEM and begin with -----BEGIN CERTIFICATE-----",
		}
	}
	return block.Bytes, nil
}
