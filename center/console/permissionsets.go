package console

import (
	"context"
	"errors"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// setsData is the list of permission sets, with the policies that a new one is made of.
type setsData struct {
	listing[center.PermissionSet]
	Policies []managedPolicy
}

func permissionSets(p page) error {
	l := setsData{listing[center.PermissionSet]{Listing: p.Listing("name")}, managedPolicies}
	list, err := p.h.Center.PermissionSets(p.Context(), center.PermissionSetQuery{})
	if err != nil {
		return err
	}
	list = web.Found(l.Listing, list, func(s center.PermissionSet) []string {
		return append([]string{s.Name, s.Description, s.ARN}, s.ManagedPolicies...)
	})
	name := func(s center.PermissionSet, _ string) string { return s.Name }
	l.Items, l.Pager = web.Page(l.Listing, list, pageSize, name)
	if p.Exports() {
		columns := []string{"permissionSetArn", "name", "description", "sessionDuration", "managedPolicies",
			"inlinePolicy"}
		return p.Export("permission-sets", columns, func(row func(...string) error) error {
			for _, s := range l.Items {
				if err := row(s.ARN, s.Name, s.Description, s.SessionDuration.String(),
					strings.Join(s.ManagedPolicies, " "), s.InlinePolicy); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return p.Render("permission-sets", "Permission sets", "/console/permission-sets", l)
}

func createPermissionSet(p page) error {
	hours, err := strconv.Atoi(p.PostFormValue("hours"))
	if err != nil {
		hours = 1
	}
	set := center.PermissionSet{
		Name:            p.PostFormValue("name"),
		Description:     p.PostFormValue("description"),
		SessionDuration: time.Duration(hours) * time.Hour,
	}
	if policy := policyARN(p.PostFormValue("policy")); policy != "" {
		set.ManagedPolicies = []string{policy}
	}
	if set, err = p.h.Center.CreatePermissionSet(p.Context(), p.by, set); err != nil {
		return err
	}
	if p.PostFormValue("then") == "assign" {
		return p.Done(assignPath+"?set="+path.Base(set.ARN), "The permission set is created. Who gets it?")
	}
	return p.Done(setURL(set.ARN), "The permission set is created.")
}

func deletePermissionSet(p page) error {
	name := path.Base(p.PostFormValue("arn"))
	if set, err := p.h.Center.PermissionSet(p.Context(), p.PostFormValue("arn")); err == nil {
		name = set.Name
	}
	question := web.Question{
		Title:  "Delete the permission set " + name + "?",
		Lines:  []string{"Its policies and settings are lost. It is assigned nowhere."},
		Button: "Delete the permission set",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeletePermissionSet(ctx, p.by, p.PostFormValue("arn"))
	}); !done {
		return err
	}
	return p.Done("/console/permission-sets", "The permission set is deleted.")
}

// setURL is the page of a permission set. Its address has the last part of the ARN.
func setURL(arn string) string { return "/console/permission-sets/" + path.Base(arn) }

func (p page) setARN() string { return p.setARNOf(p.PathValue("id")) }

// roleLine is a role of a permission set, with how it is.
type roleLine struct {
	center.Provisioned
	Account string
	Status  center.RoleStatus
}

type permissionSetData struct {
	Set     center.PermissionSet
	ID      string
	Hours   int
	Roles   listing[roleLine]
	Making  []center.RoleJob
	Stale   bool // some roles are not what the permission set is
	Kept    bool // in IAM, by this center
	Command string
	Access  given
	// Policies are those that can be attached.
	Policies []managedPolicy
}

func permissionSet(p page) error {
	ctx, c := p.Context(), p.h.Center
	set, err := c.PermissionSet(ctx, p.setARN())
	if err != nil {
		return err
	}
	d := permissionSetData{
		Set:   set,
		ID:    p.PathValue("id"),
		Hours: int(set.SessionDuration / time.Hour),
		Kept:  c.Roles != nil,

		Policies: managedPolicies,
	}
	d.Access, err = p.givenOf(center.AssignmentQuery{PermissionSetARN: set.ARN}, "set="+d.ID, "set")
	if err != nil {
		return err
	}
	roles, e1 := c.Provisioned(ctx, center.ProvisionedQuery{PermissionSetARN: set.ARN})
	jobs, e2 := c.RoleJobs(ctx, center.RoleJobQuery{PermissionSetARN: set.ARN})
	accounts, e3 := c.Accounts(ctx)
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	names, work := map[string]string{}, map[string]bool{}
	for _, a := range accounts {
		names[a.ID] = a.Name
	}
	for _, j := range jobs {
		work[j.RoleName] = true
	}
	there := map[string]bool{}
	var all []roleLine
	for _, r := range roles {
		there[r.RoleName] = true
		line := roleLine{r, names[r.AccountID], r.Status(set, work[r.RoleName])}
		d.Stale = d.Stale || r.Revision != set.Revision || len(r.Drift) > 0
		all = append(all, line)
	}
	d.Roles.Listing = p.Listing("account")
	all = web.Found(d.Roles.Listing, all, func(r roleLine) []string {
		return []string{r.Account, r.AccountID, r.RoleName, string(r.Status)}
	})
	d.Roles.Items, d.Roles.Pager = web.Page(d.Roles.Listing, all, pageSize, func(r roleLine, _ string) string {
		return r.Account
	})
	for _, j := range jobs {
		if !there[j.RoleName] {
			d.Making = append(d.Making, j)
		}
	}
	if p.Exports() {
		columns := []string{"accountId", "account", "roleName", "status"}
		return p.Export("accounts", columns, func(row func(...string) error) error {
			for _, r := range d.Roles.Items {
				if err := row(r.AccountID, r.Account, r.RoleName, string(r.Status)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	d.Command = "aws sso-admin provision-permission-set --endpoint-url " + c.URL + " --region " + c.Instance.Region +
		" \\\n  --instance-arn " + c.Instance.ARN +
		" \\\n  --permission-set-arn " + set.ARN + " --target-type ALL_PROVISIONED_ACCOUNTS"
	return p.Render("permission-set", set.Name, "/console/permission-sets", d)
}

// editSet changes a permission set and goes back to its page.
func editSet(p page, action center.Action, done string, edit func(*center.PermissionSet) error) error {
	if err := p.h.Center.UpdatePermissionSet(p.Context(), p.by, action, p.setARN(), edit); err != nil {
		return err
	}
	return p.Done(setURL(p.setARN()), done)
}

func updatePermissionSet(p page) error {
	hours, err := strconv.Atoi(p.PostFormValue("hours"))
	if err != nil {
		return &refusal.Error{Code: center.InvalidValue, Field: "SessionDuration", Detail: "use 1 to 12 hours"}
	}
	return editSet(
		p,
		center.ActionUpdatePermissionSet,
		"The permission set is changed.",
		func(s *center.PermissionSet) error {
			s.Description = p.PostFormValue("description")
			s.RelayState = strings.TrimSpace(p.PostFormValue("relay"))
			s.SessionDuration = time.Duration(hours) * time.Hour
			return nil
		},
	)
}

// changePolicies attaches and detaches policies of both kinds: the form's button says which.
func changePolicies(p page) error {
	ctx := p.Context()
	c := p.h.Center
	arn := p.setARN()
	managed := policyARN(p.PostFormValue("managed"))
	own := center.PolicyReference{
		Name: strings.TrimSpace(p.PostFormValue("name")),
		Path: strings.TrimSpace(p.PostFormValue("path")),
	}
	var err error
	switch p.PostFormValue("change") {
	case "attach":
		err = c.AttachManagedPolicy(ctx, p.by, arn, managed)
	case "detach":
		err = c.DetachManagedPolicy(ctx, p.by, arn, managed)
	case "attach-own":
		err = c.AttachCustomerPolicy(ctx, p.by, arn, own)
	case "detach-own":
		err = c.DetachCustomerPolicy(ctx, p.by, arn, own)
	default:
		err = &refusal.Error{Code: center.InvalidRequest}
	}
	if err != nil {
		return err
	}
	return p.Done(setURL(arn), "The policies are changed.")
}

func putInlinePolicy(p page) error {
	action, done := center.ActionPutInlinePolicy, "The inline policy is saved."
	policy := strings.TrimSpace(p.PostFormValue("policy"))
	if policy == "" {
		action, done = center.ActionDeleteInlinePolicy, "The inline policy is removed."
	}
	return editSet(p, action, done, func(s *center.PermissionSet) error { s.InlinePolicy = policy; return nil })
}

func putBoundary(p page) error {
	action, done := center.ActionPutPermissionsBoundary, "The permissions boundary is set."
	var b *center.Boundary
	switch managed, name := policyARN(p.PostFormValue("managed")), strings.TrimSpace(p.PostFormValue("name")); {
	case managed != "" && name != "":
		return &refusal.Error{
			Code:   center.InvalidValue,
			Field:  "PermissionsBoundary",
			Detail: "choose an AWS managed policy or a customer managed policy, not both",
		}
	case managed != "":
		b = &center.Boundary{ManagedPolicy: managed}
	case name != "":
		b = &center.Boundary{
			CustomerPolicy: &center.PolicyReference{Name: name, Path: strings.TrimSpace(p.PostFormValue("path"))},
		}
	default:
		action, done = center.ActionDeletePermissionsBoundary, "The permissions boundary is removed."
	}
	return editSet(p, action, done, func(s *center.PermissionSet) error { s.Boundary = b; return nil })
}

func provisionSet(p page) error {
	r, err := p.h.Center.ProvisionPermissionSet(p.Context(), p.by, p.setARN(), "")
	if err != nil {
		return err
	}
	if r.Status == center.InProgress {
		return p.Done(setURL(p.setARN()), "The roles are being updated.")
	}
	return p.Done(setURL(p.setARN()), "The permission set is provisioned in all its accounts.")
}

func recheckSet(p page) error {
	if err := p.h.Center.RecheckRoles(p.Context(), p.by, ""); err != nil {
		return err
	}
	return p.Done(setURL(p.setARN()), "The roles are being compared with IAM.")
}
