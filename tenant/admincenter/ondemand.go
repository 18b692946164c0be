package admincenter

import (
	"strings"

	engine "github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

type onDemandData struct {
	Job           *tenant.Job
	Name, Members string
	DryRun        bool
	Steps         []onDemandStep
	Outcome       string
}

type onDemandStep struct {
	Title string
	engine.Step
}

// The titles of the portal for the five steps.
var stepTitles = map[string]string{
	"connect": "Test connection",
	"import":  "Import user",
	"scope":   "Determine if user is in scope",
	"match":   "Match user between source and target system",
	"act":     "Perform action",
}

func onDemandPage(p page) error {
	j, err := p.job()
	if err != nil {
		return err
	}
	data := p.of(j.app, "provisioning", onDemandData{Job: &j.Job})
	return p.Render("ondemand", "Provision on demand", "/admin/apps", data)
}

// maxOnDemandMembers is how many members of a group are provisioned with it. Source: "On-demand
// provisioning".
const maxOnDemandMembers = 5 //bound:list members of a group that are provisioned on demand

func provisionOnDemand(p page) error {
	j, err := p.job()
	if err != nil {
		return err
	}
	d := onDemandData{
		Job:     &j.Job,
		Name:    strings.TrimSpace(p.PostFormValue("name")),
		Members: p.PostFormValue("members"),
		DryRun:  p.PostFormValue("do") == "preview",
	}
	if j.Credentials.SealedToken == "" {
		return &refusal.Error{Code: tenant.CredentialsMissing, Subject: string(j.ID)}
	}
	what, err := p.principal(d.Name)
	if err != nil {
		return err
	}
	var members []tenant.UserID
	for _, name := range strings.Fields(d.Members) {
		u, err := p.h.Tenant.UserByIDOrName(p.Context(), name)
		if err != nil {
			return err
		}
		members = append(members, u.ID)
	}
	if len(members) > maxOnDemandMembers || (what.Kind == tenant.KindUser && len(members) > 0) {
		return &refusal.Error{
			Code:    tenant.InvalidValue,
			Subject: "members",
			Detail:  "only groups have members, and at most five are provisioned on demand",
		}
	}
	x, err := p.h.OnDemand(p.Context(), j.Job, what, members, d.DryRun)
	if err != nil {
		return err
	}
	if !d.DryRun {
		err := p.h.Tenant.RecordGranted(p.Context(), p.by, tenant.ActionProvisionOnDemand, string(what.ID))
		if err != nil {
			return err
		}
	}
	for _, s := range x.Steps {
		title := stepTitles[s.Name]
		if what.Kind == tenant.KindGroup {
			title = strings.ReplaceAll(title, "user", "group")
		}
		d.Steps = append(d.Steps, onDemandStep{title, s})
	}
	d.Outcome = string(x.Outcome())
	return p.Render("ondemand", "Provision on demand", "/admin/apps", p.of(j.app, "provisioning", d))
}
