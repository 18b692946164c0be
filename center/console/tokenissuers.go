package console

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

// issuerURL is the page of a trusted token issuer. Its address has the last part of the ARN.
func issuerURL(arn string) string { return "/console/token-issuers/" + path.Base(arn) }

func (p page) issuerARN() string {
	i := p.h.Center.Instance
	return "arn:aws:sso::" + i.OwnerAccountID + ":trustedTokenIssuer/" + path.Base(i.ARN) + "/" + p.PathValue("id")
}

// issuerForm reads what the forms have in common.
func (p page) issuerForm(i *center.TokenIssuer) {
	i.Name = strings.TrimSpace(p.PostFormValue("name"))
	i.ClaimAttributePath = strings.TrimSpace(p.PostFormValue("claim"))
	i.IdentityStoreAttributePath = p.PostFormValue("attribute")
}

func createIssuer(p page) error {
	i := center.TokenIssuer{IssuerURL: strings.TrimSpace(p.PostFormValue("issuer"))}
	p.issuerForm(&i)
	i, err := p.h.Center.CreateTokenIssuer(p.Context(), p.by, i, "")
	if err != nil {
		return err
	}
	return p.Done(issuerURL(i.ARN), "The trusted token issuer is added. Applications take its tokens when their "+
		"grants name it.")
}

func (p page) exportIssuers() error {
	list, err := p.h.Center.TokenIssuers(p.Context())
	if err != nil {
		return err
	}
	columns := []string{"trustedTokenIssuerArn", "name", "issuerUrl", "claimAttributePath",
		"identityStoreAttributePath"}
	return p.Export("trusted-token-issuers", columns, func(row func(...string) error) error {
		for _, i := range list {
			err := row(i.ARN, i.Name, i.IssuerURL, i.ClaimAttributePath, i.IdentityStoreAttributePath)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// userAttributes are what a claim may be compared with, as the form offers it.
var userAttributes = []struct{ Path, Name string }{
	{"emails.value", "email address"}, {"userName", "user name"}, {"externalIds.id", "external ID"},
}

type issuerData struct {
	center.TokenIssuer
	ID         string
	Attributes []struct{ Path, Name string }
	UsedBy     []center.Application
}

func tokenIssuer(p page) error {
	ctx, c := p.Context(), p.h.Center
	i, err := c.TokenIssuer(ctx, p.issuerARN())
	if err != nil {
		return err
	}
	d := issuerData{TokenIssuer: i, ID: p.PathValue("id"), Attributes: userAttributes}
	all, err := c.Applications(ctx, "", 0)
	if err != nil {
		return err
	}
	for _, a := range all {
		if slices.ContainsFunc(a.Grants, func(g center.Grant) bool {
			return slices.ContainsFunc(g.Issuers, func(x center.AuthorizedIssuer) bool { return x.ARN == i.ARN })
		}) {
			d.UsedBy = append(d.UsedBy, a)
		}
	}
	return p.Render("token-issuer", i.Name, "/console/applications", d)
}

// updateIssuer asks before users are found by something else: tokens that name somebody now may
// name somebody else then.
func updateIssuer(p page) error {
	i, err := p.h.Center.TokenIssuer(p.Context(), p.issuerARN())
	if err != nil {
		return err
	}
	next := i
	p.issuerForm(&next)
	update := func(ctx context.Context) error {
		return p.h.Center.UpdateTokenIssuer(ctx, p.by, i.ARN, p.issuerForm)
	}
	if next.ClaimAttributePath != i.ClaimAttributePath ||
		next.IdentityStoreAttributePath != i.IdentityStoreAttributePath {
		question := web.Question{
			Title: "Find users another way?",
			Lines: []string{
				"Now, the claim " + i.ClaimAttributePath + " is compared with " + i.IdentityStoreAttributePath + ".",
				"Then, the claim " + next.ClaimAttributePath + " is compared with " +
					next.IdentityStoreAttributePath + ".",
				"A token that names one person now may name another one then, or nobody.",
			},
			Button: "Save",
		}
		if done, err := p.SureOf(question, update); !done {
			return err
		}
	} else if err := update(p.Context()); err != nil {
		return err
	}
	return p.Done(issuerURL(i.ARN), "The trusted token issuer is changed.")
}

func deleteIssuer(p page) error {
	i, err := p.h.Center.TokenIssuer(p.Context(), p.issuerARN())
	if err != nil {
		return err
	}
	question := web.Question{
		Title:  "Delete the trusted token issuer " + i.Name + "?",
		Lines:  []string{"Tokens of " + i.IssuerURL + " are no longer taken. A new one has another ARN."},
		Button: "Delete the trusted token issuer",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteTokenIssuer(ctx, p.by, i.ARN)
	}); !done {
		return err
	}
	return p.Done("/console/applications", "The trusted token issuer is deleted.")
}
