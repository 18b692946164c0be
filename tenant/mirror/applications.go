package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Unread is what the other Graph did not give, and the permission that is likely missing.
type Unread struct{ What, Permission, Reason string }

// Applications is what was copied of the applications that are made for a center.
type Applications struct {
	Applications, Jobs, Policies int

	Unread []Unread
	// Left are what does not come along, such as certificates, whose keys nobody gives.
	Left []string
}

// applications copies.
type applications struct {
	*Mirror

	own  *graph.Client
	at   func(string) string
	done Applications
}

// CopyApplications copies the applications of the gallery's entry for IAM Identity Center: their
// settings, who is assigned, claims, and the settings and mappings of their provisioning jobs,
// which stay off. Keys and tokens do not come along. own is this tenant's Graph; at changes
// addresses of the other side's center to those of this one's.
func (m *Mirror) CopyApplications(
	ctx context.Context, own *graph.Client, at func(string) string,
) (Applications, error) {
	x := &applications{Mirror: m, own: own, at: at}
	principals, err := graph.All[graph.ServicePrincipal](
		ctx, m.Graph, "/servicePrincipals"+graph.Filter("applicationTemplateId", graph.AWSTemplateID),
	)
	if err != nil {
		return x.done, x.without("the applications", "Application.Read.All", err)
	}
	for _, sp := range principals {
		if err := x.application(ctx, sp); err != nil {
			return x.done, err
		}
	}
	return x.done, nil
}

// without notes what Graph refuses to give; any other error ends the copy.
func (x *applications) without(what, permission string, err error) error {
	var refused *graph.Error
	if errors.As(err, &refused) &&
		(refused.Status == http.StatusForbidden || refused.Status == http.StatusUnauthorized) {
		x.done.Unread = append(x.done.Unread, Unread{what, permission, err.Error()})
		return nil
	}
	return err
}

func (x *applications) application(ctx context.Context, sp graph.ServicePrincipal) error {
	whole := graph.ServicePrincipal{}
	if err := x.Graph.Do(ctx, http.MethodGet, "/servicePrincipals/"+sp.ID, nil, &whole); err != nil {
		return err
	}
	apps, err := graph.All[graph.Application](ctx, x.Graph, "/applications"+graph.Filter("appId", sp.AppID))
	if err != nil || len(apps) != 1 {
		return x.without("the application "+sp.DisplayName, "Application.Read.All", err)
	}
	a := tenant.Application{
		ID: tenant.ApplicationID(apps[0].ID), AppID: tenant.ClientID(sp.AppID),
		ServicePrincipalID: tenant.ServicePrincipalID(sp.ID), TemplateID: graph.AWSTemplateID,
		DisplayName: sp.DisplayName, NotificationEmails: whole.NotificationEmailAddresses,
		IdentifierURIs: x.all(apps[0].IdentifierURIs), ReplyURLs: x.all(whole.ReplyURLs),
		AssignmentRequired: whole.AppRoleAssignmentRequired == nil || *whole.AppRoleAssignmentRequired,
		Enabled:            whole.AccountEnabled == nil || *whole.AccountEnabled,
	}
	if web := apps[0].Web; web != nil {
		a.ReplyURLs, a.LogoutURL = x.all(web.RedirectURIs), x.at(web.LogoutURL)
	}
	if whole.LoginURL != nil {
		a.SignOnURL = x.at(*whole.LoginURL)
	}
	if whole.PreferredSingleSignOnMode != nil {
		a.SSOMode = *whole.PreferredSingleSignOnMode
	}
	if err := x.Tenant.ReplicateApplication(ctx, actor, a); err != nil {
		return err
	}
	x.done.Applications++
	x.certificates(whole)
	assigned, err := x.Assignments(ctx, sp.ID, true)
	if err == nil {
		err = x.Tenant.SetAssigned(ctx, actor, a.ServicePrincipalID, assigned.Holders, assigned.Roles)
	}
	if err = x.without("who is assigned to "+sp.DisplayName, "Application.Read.All", err); err != nil {
		return err
	}
	if err := x.policies(ctx, a); err != nil {
		return err
	}
	return x.jobs(ctx, a)
}

func (x *applications) all(addresses []string) []string {
	out := []string{}
	for _, a := range addresses {
		if here := x.at(a); !slices.Contains(out, here) { // those of several Regions become one
			out = append(out, here)
		}
	}
	return out
}

// certificates says which signing certificates stay with the original.
func (x *applications) certificates(sp graph.ServicePrincipal) {
	seen := map[string]bool{}
	for _, k := range sp.KeyCredentials {
		if seen[k.CustomKeyIdentifier] {
			continue // a certificate is listed for signing and for verifying
		}
		seen[k.CustomKeyIdentifier] = true
		x.done.Left = append(x.done.Left, "the signing key of “"+sp.DisplayName+"” (its certificate ends on "+
			k.EndDateTime.UTC().Format("2006-01-02")+"): the copy gets its own when it is connected")
	}
}

// policies copies the claims of an application. One that has a policy here keeps it: it was copied.
func (x *applications) policies(ctx context.Context, a tenant.Application) error {
	list, err := graph.All[struct {
		DisplayName string   `json:"displayName"`
		Definition  []string `json:"definition"`
	}](ctx, x.Graph, "/servicePrincipals/"+string(a.ServicePrincipalID)+"/claimsMappingPolicies")
	if err != nil {
		return x.without("the claims of "+a.DisplayName, "Policy.Read.All and Application.ReadWrite.All", err)
	}
	here, err := x.Tenant.Application(ctx, tenant.AnyApplicationID(a.ID))
	if err != nil || here.ClaimsPolicyID != "" || len(list) == 0 || len(list[0].Definition) == 0 {
		return err
	}
	p, err := x.Tenant.PutPolicy(ctx, actor, tenant.Policy{
		Kind: tenant.ClaimsMapping, DisplayName: list[0].DisplayName, Definition: list[0].Definition[0],
	})
	if err == nil {
		err = x.Tenant.AttachPolicy(ctx, actor, tenant.AnyApplicationID(a.ID), tenant.ClaimsMapping, p.ID)
	}
	if err != nil { // such as claims of a kind that a tenant of ours does not have
		x.done.Left = append(x.done.Left, "the claims of “"+a.DisplayName+"”: "+err.Error())
		return nil
	}
	x.done.Policies++
	return nil
}

// jobs copies the provisioning job of an application: its scope and its mappings, without address
// and token. It does not run.
func (x *applications) jobs(ctx context.Context, a tenant.Application) error {
	sync := "/servicePrincipals/" + string(a.ServicePrincipalID) + "/synchronization"
	theirs, err := graph.All[graph.SynchronizationJob](ctx, x.Graph, sync+"/jobs")
	if err != nil || len(theirs) == 0 {
		return x.without("the provisioning job of "+a.DisplayName, "Synchronization.Read.All", err)
	}
	jobs, err := x.Tenant.Jobs(ctx, a.ServicePrincipalID)
	if err == nil && len(jobs) == 0 {
		var made tenant.Job
		made, err = x.Tenant.CreateJob(ctx, actor, a.ServicePrincipalID, graph.AWSSyncTemplate)
		jobs = append(jobs, made)
	}
	if err != nil {
		return err
	}
	x.done.Jobs++
	var secrets graph.Secrets
	if err := x.Graph.Do(ctx, http.MethodGet, sync+"/secrets", nil, &secrets); err == nil {
		all := slices.Contains(secrets.Value, graph.KeyValue{Key: graph.KeySyncAll, Value: "true"})
		if err := x.Tenant.ConfigureJob(ctx, actor, jobs[0].ID, tenant.JobSettings{SyncAll: &all}); err != nil {
			return err
		}
	} else if err = x.without("the scope of provisioning", "Synchronization.ReadWrite.All", err); err != nil {
		return err
	}
	var schema json.RawMessage
	if err := x.Graph.Do(ctx, http.MethodGet, sync+"/jobs/"+theirs[0].ID+"/schema", nil, &schema); err != nil {
		return x.without("the mappings of "+a.DisplayName, "Synchronization.Read.All", err)
	}
	err = x.own.Do(ctx, http.MethodPut, sync+"/jobs/"+string(jobs[0].ID)+"/schema", schema, nil)
	var refused *graph.Error
	if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		x.done.Left = append(x.done.Left, "the mappings of “"+a.DisplayName+"”: "+refused.Error())
		return nil
	}
	return err
}
