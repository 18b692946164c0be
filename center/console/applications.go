package console

import (
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/web"
)

type applicationsData struct {
	listing[center.Application]
	Providers  []center.ApplicationProvider
	Issuers    []issuerLine
	Attributes []struct{ Path, Name string }
}

func applications(p page) error {
	l := listing[center.Application]{Listing: p.Listing("name")}
	list, err := p.h.Center.Applications(p.Context(), "", 0)
	if err != nil {
		return err
	}
	list = web.Found(l.Listing, list, func(a center.Application) []string {
		return []string{a.Name, a.Description, a.URL, a.ARN}
	})
	name := func(a center.Application, _ string) string { return a.Name }
	l.Items, l.Pager = web.Page(l.Listing, list, pageSize, name)
	if p.Exports() && p.URL.Query().Get("of") == "issuers" {
		return p.exportIssuers()
	}
	if p.Exports() {
		columns := []string{"applicationArn", "name", "description", "url", "enabled", "hidden", "forEveryone"}
		return p.Export("applications", columns, func(row func(...string) error) error {
			for _, a := range l.Items {
				if err := row(a.ARN, a.Name, a.Description, a.URL, strconv.FormatBool(a.Enabled),
					strconv.FormatBool(a.Hidden), strconv.FormatBool(a.ForEveryone)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	issuers, err := p.h.Center.TokenIssuers(p.Context())
	if err != nil {
		return err
	}
	d := applicationsData{listing: l, Providers: center.ApplicationProviders, Attributes: userAttributes}
	for _, i := range issuers {
		d.Issuers = append(d.Issuers, issuerLine{TokenIssuer: i, ID: path.Base(i.ARN)})
	}
	return p.Render("applications", "Applications", "/console/applications", d)
}

// applicationURL is the page of an application. Its address has the last part of the ARN.
func applicationURL(arn string) string { return "/console/applications/" + path.Base(arn) }

func (p page) applicationARN() string {
	i := p.h.Center.Instance
	return "arn:aws:sso::" + i.OwnerAccountID + ":application/" + path.Base(i.ARN) + "/" + p.PathValue("id")
}

// applicationForm reads what the forms have in common.
func (p page) applicationForm(a *center.Application) {
	a.Name = p.PostFormValue("name")
	a.Description = p.PostFormValue("description")
	a.URL = strings.TrimSpace(p.PostFormValue("url"))
	a.Hidden = p.PostFormValue("hidden") != ""
	a.ForEveryone = p.PostFormValue("everyone") != ""
	a.OpensItself = a.URL != ""
}

func createApplication(p page) error {
	a := center.Application{ProviderARN: p.PostFormValue("provider"), Enabled: true}
	p.applicationForm(&a)
	a, err := p.h.Center.CreateApplication(p.Context(), p.by, a, "")
	if err != nil {
		return err
	}
	return p.Done(applicationURL(a.ARN), "The application is created.")
}

type applicationData struct {
	Application center.Application
	SAML        *samlData  // of a SAML application
	OAuth       *oauthData // of an OAuth application
	ID          string
	Assigned    listing[assignedLine]
	Picker      web.Picker
}

// assignedLine is who has an application, with the name.
type assignedLine struct {
	center.ApplicationAssignment
	Subject string
}

// Who is who has the application.
func (l assignedLine) Who() principalLink {
	return principalOf(l.PrincipalType, l.PrincipalID, l.Subject)
}

func application(p page) error {
	ctx, c := p.Context(), p.h.Center
	a, err := c.Application(ctx, p.applicationARN())
	if err != nil {
		return err
	}
	d := applicationData{Application: a, ID: p.PathValue("id")}
	if a.TakesSAML() {
		d.SAML, err = p.samlData()
	} else {
		d.OAuth, err = p.oauthData(a)
	}
	if err != nil {
		return err
	}
	if d.Assigned, err = p.assigned(a.ARN); err != nil {
		return err
	}
	if p.Exports() {
		columns := []string{"principalType", "principalId", "name"}
		return p.Export("assigned", columns, func(row func(...string) error) error {
			for _, x := range d.Assigned.Items {
				if err := row(string(x.PrincipalType), x.PrincipalID, x.Subject); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if d.Picker, err = p.picker("users and groups", true, p.isAssigned(a.ARN)); err != nil {
		return err
	}
	return p.Render("application", a.Name, "/console/applications", d)
}

// assigned is the page of those who have an application, in the order of their names.
func (p page) assigned(arn string) (l listing[assignedLine], err error) {
	l.Listing = p.Listing("name")
	list, err := p.h.Center.ApplicationAssignments(
		p.Context(), center.ApplicationAssignmentQuery{ApplicationARN: arn},
	)
	if err != nil {
		return l, err
	}
	var all []assignedLine
	for _, x := range list {
		name, err := p.principalName(center.Assignment{PrincipalType: x.PrincipalType, PrincipalID: x.PrincipalID})
		if err != nil {
			return l, err
		}
		all = append(all, assignedLine{x, name})
	}
	all = web.Found(l.Listing, all, func(x assignedLine) []string { return []string{x.Subject, x.PrincipalID} })
	l.Items, l.Pager = web.Page(l.Listing, all, pageSize, func(x assignedLine, _ string) string { return x.Subject })
	return l, nil
}

func updateApplication(p page) error {
	err := p.h.Center.UpdateApplication(
		p.Context(),
		p.by,
		center.ActionUpdateApplication,
		p.applicationARN(),
		func(a *center.Application) error {
			p.applicationForm(a)
			a.Enabled = p.PostFormValue("enabled") != ""
			return nil
		},
	)
	if err != nil {
		return err
	}
	return p.Done(applicationURL(p.applicationARN()), "The application is changed.")
}

func deleteApplication(p page) error {
	a, err := p.h.Center.Application(p.Context(), p.applicationARN())
	if err != nil {
		return err
	}
	question := web.Question{
		Title:  "Delete the application " + a.Name + "?",
		Lines:  []string{"Nobody can open it any more. Its assignments, its settings and its certificate are lost."},
		Button: "Delete the application",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteApplication(ctx, p.by, p.applicationARN())
	}); !done {
		return err
	}
	return p.Done("/console/applications", "The application is deleted.")
}

// unassignApplication takes an application from the chosen, or from one.
func unassignApplication(p page) error {
	arn := p.applicationARN()
	a, err := p.h.Center.Application(p.Context(), arn)
	if err != nil {
		return err
	}
	picks := []string{p.PostFormValue("type") + " " + p.PostFormValue("principal")}
	if p.PostFormValue(web.Pick) != "" {
		if picks, err = p.picked(nil); err != nil {
			return err
		}
	}
	of := func(pick string) center.ApplicationAssignment {
		kind, id, _ := strings.Cut(pick, " ")
		return center.ApplicationAssignment{
			ApplicationARN: arn, PrincipalType: center.PrincipalType(kind), PrincipalID: id,
		}
	}
	all := web.Several{IDs: picks, Back: p.back(applicationURL(arn)),
		Name: func(pick string) (string, error) {
			x := of(pick)
			return p.principalName(center.Assignment{PrincipalType: x.PrincipalType, PrincipalID: x.PrincipalID})
		},
		Deed: func(ctx context.Context, pick string) error {
			return p.h.Center.UnassignApplication(ctx, p.by, of(pick))
		}}
	if sure, err := all.SureOf(p.Visit, func(picks []string) (web.Question, error) {
		lines, err := web.Called(picks, all.Name)
		return unassigning(a, picks, lines), err
	}); !sure {
		return err
	}
	if done, err := all.Do(p.Visit); !done {
		return err
	}
	if len(all.IDs) == 1 {
		return p.Done(all.Back, "The assignment is removed.")
	}
	return p.Done(all.Back, names.Counted("%d {assignment|assignments} removed.", len(all.IDs)))
}

// unassigning asks before an application is taken from some who are called so.
func unassigning(a center.Application, picks, called []string) web.Question {
	loss := "Whoever has " + a.Name + " by this alone cannot open it any more. You can assign it again."
	if a.ForEveryone {
		loss = "The application stays open to everyone. You can assign it again."
	}
	if len(picks) == 1 && len(called) == 1 {
		return web.Question{
			Title: "Remove " + called[0] + " from " + a.Name + "?", Lines: []string{loss},
			Button: "Remove the assignment",
		}
	}
	n := names.Counted("%d {assignment|assignments}", len(picks))
	return web.Question{
		Title: "Remove " + n + " of " + a.Name + "?", Lines: append(called, loss), Button: "Remove " + n,
	}
}
