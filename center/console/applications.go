package console

import (
	"path"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

type applicationsData struct {
	Applications []center.Application
	Providers    []center.ApplicationProvider
	More         bool // than are shown
	Issuers      []issuerLine
	Attributes   []struct{ Path, Name string }
}

func applications(p page) error {
	list, err := p.h.Center.Applications(p.Context(), "", maxShown+1)
	if err != nil {
		return err
	}
	issuers, err := p.h.Center.TokenIssuers(p.Context())
	if err != nil {
		return err
	}
	d := applicationsData{
		Providers:  center.ApplicationProviders,
		More:       len(list) > maxShown,
		Attributes: userAttributes,
	}
	for _, i := range issuers {
		d.Issuers = append(d.Issuers, issuerLine{TokenIssuer: i, ID: path.Base(i.ARN)})
	}
	d.Applications = list[:min(len(list), maxShown)]
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
	Assigned    []assignedLine
	More        bool // than are shown
}

// assignedLine is who has an application, with the name.
type assignedLine struct {
	center.ApplicationAssignment
	Subject string
}

func application(p page) error {
	ctx, c := p.Context(), p.h.Center
	a, err := c.Application(ctx, p.applicationARN())
	if err != nil {
		return err
	}
	list, err := c.ApplicationAssignments(
		ctx, center.ApplicationAssignmentQuery{ApplicationARN: a.ARN, Limit: maxShown + 1},
	)
	if err != nil {
		return err
	}
	d := applicationData{Application: a, ID: p.PathValue("id"), More: len(list) > maxShown}
	if a.TakesSAML() {
		d.SAML, err = p.samlData()
	} else {
		d.OAuth, err = p.oauthData(a)
	}
	if err != nil {
		return err
	}
	for _, x := range list[:min(len(list), maxShown)] {
		name, err := p.principalName(center.Assignment{PrincipalType: x.PrincipalType, PrincipalID: x.PrincipalID})
		if err != nil {
			return err
		}
		d.Assigned = append(d.Assigned, assignedLine{x, name})
	}
	return p.Render("application", a.Name, "/console/applications", d)
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
	if sure, err := p.Sure(question); !sure {
		return err
	}
	if err := p.h.Center.DeleteApplication(p.Context(), p.by, p.applicationARN()); err != nil {
		return err
	}
	return p.Done("/console/applications", "The application is deleted.")
}

func assignApplication(p page) error {
	a := center.ApplicationAssignment{
		ApplicationARN: p.applicationARN(),
		PrincipalType:  center.PrincipalType(p.PostFormValue("type")),
	}
	var err error
	if a.PrincipalID, err = p.principalByName(a.PrincipalType, p.PostFormValue("principal")); err != nil {
		return err
	}
	if err := p.h.Center.AssignApplication(p.Context(), p.by, a); err != nil {
		return err
	}
	return p.Done(applicationURL(a.ApplicationARN), "The application is assigned.")
}

func unassignApplication(p page) error {
	a := center.ApplicationAssignment{
		ApplicationARN: p.applicationARN(),
		PrincipalType:  center.PrincipalType(p.PostFormValue("type")),
		PrincipalID:    p.PostFormValue("principal"),
	}
	if err := p.h.Center.UnassignApplication(p.Context(), p.by, a); err != nil {
		return err
	}
	return p.Done(applicationURL(a.ApplicationARN), "The assignment is removed.")
}
