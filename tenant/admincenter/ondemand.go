package admincenter

import (
	"strings"

	engine "github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

type onDemandData struct {
	Job     *tenant.Job
	Picker  web.Picker
	Name    string // of what was provisioned
	DryRun  bool
	Steps   []onDemandStep
	Outcome string
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
	d := onDemandData{Job: &j.Job}
	d.Picker, err = p.Picker(web.PickFrom{
		Of: "users and groups", Most: 1 + maxOnDemandMembers, Named: p.pickable, Like: p.pickables,
		Held: func(web.Pickable) (string, error) { return "", nil },
	})
	if err != nil {
		return err
	}
	return p.Render("ondemand", "Provision on demand", "/admin/apps", p.of(j.app, "provisioning", d))
}

// maxOnDemandMembers is how many members of a group are provisioned with it. Source: "On-demand
// provisioning".
const maxOnDemandMembers = 5 //bound:list members of a group that are provisioned on demand

// chosenOnDemand is the user whom a form has chosen, or the group with some of its members.
func (p page) chosenOnDemand() (what tenant.Mark, members []tenant.UserID, err error) {
	_ = p.PostFormValue(web.Picked) // reads the form
	chosen, err := few(p.PostForm[web.Picked], 1+maxOnDemandMembers, "choose a user or a group")
	if err != nil {
		return what, nil, err
	}
	groups := 0
	for _, id := range chosen {
		x, err := p.pickedMark(id)
		switch {
		case err != nil:
			return what, nil, err
		case x.Kind == tenant.KindGroup:
			what = x
			groups++
		default:
			members = append(members, tenant.UserID(x.ID))
		}
	}
	if groups == 0 && len(members) == 1 {
		return tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(members[0])}, nil, nil
	}
	if groups != 1 || len(members) > maxOnDemandMembers {
		err = &refusal.Error{
			Code:    tenant.InvalidValue,
			Subject: "members",
			Detail: "choose one user, or one group: only groups have members, and at most five are provisioned on " +
				"demand",
		}
	}
	return what, members, err
}

func provisionOnDemand(p page) error {
	j, err := p.job()
	if err != nil {
		return err
	}
	if j.Credentials.SealedToken == "" {
		return &refusal.Error{Code: tenant.CredentialsMissing, Subject: string(j.ID)}
	}
	what, members, err := p.chosenOnDemand()
	if err != nil {
		return err
	}
	d := onDemandData{Job: &j.Job, DryRun: p.PostFormValue("do") == "preview"}
	d.Picker.Of = "users and groups"
	for _, id := range append([]string{string(what.ID)}, texts(members)...) { // they stay chosen
		row, err := p.pickable(id)
		if err != nil {
			return err
		}
		row.Chosen = true
		d.Picker.Rows = append(d.Picker.Rows, row)
	}
	d.Name = d.Picker.Rows[0].Name
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

func texts[T ~string](list []T) (all []string) {
	for _, x := range list {
		all = append(all, string(x))
	}
	return all
}
