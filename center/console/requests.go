package console

import (
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

const requestsPath = "/console/requests"

// requestPages are the pages on access that ends.
var requestPages = map[string]action{
	"GET /console/requests":                  requests,
	"POST /console/requests/{id}/end":        endAccess,
	"POST /console/request-policies":         createPolicy,
	"POST /console/request-policies/delete":  deletePolicy,
	"POST /console/requests/webhook":         putWebhook,
	"POST /console/requests/webhook/disable": removeWebhook,
}

// policyLine is a policy with names.
type policyLine struct {
	Policy                          center.RequestPolicy
	Where, Set, Eligible, Approvers string
}

type requestsData struct {
	Open     []center.AccessRequest
	Over     []center.AccessRequest // the newest of them
	Policies []policyLine
	Webhook  center.RequestWebhook
	Secret   string // of the webhook, once
	Accounts []center.Account
	Units    []center.Unit
	Tags     []center.Tag
	Sets     []center.PermissionSet
	Lengths  []time.Duration
}

// overShown is how many requests that are over the page shows.
const overShown = 25 //bound:list requests for access that are over, on the console's page

// policyLengths are those that the form offers.
var policyLengths = []time.Duration{
	30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 24 * time.Hour,
	3 * 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour,
}

func requests(p page) error { return p.showRequests("") }

func (p page) showRequests(secret string) (err error) {
	ctx, c := p.Context(), p.h.Center
	d := requestsData{Secret: secret, Lengths: policyLengths}
	if d.Open, err = c.AccessRequests(ctx, center.AccessRequestQuery{Live: true}); err != nil {
		return err
	}
	newest, err := c.AccessRequests(ctx, center.AccessRequestQuery{})
	if err != nil {
		return err
	}
	for _, r := range newest {
		if !r.Live() && len(d.Over) < overShown {
			d.Over = append(d.Over, r)
		}
	}
	if d.Webhook, err = c.RequestWebhook(ctx); err != nil {
		return err
	}
	if d.Accounts, err = c.Accounts(ctx); err != nil {
		return err
	}
	if d.Sets, err = c.PermissionSets(ctx, center.PermissionSetQuery{}); err != nil {
		return err
	}
	d.Units, d.Tags = places(d.Accounts)
	if d.Policies, err = p.policyLines(d); err != nil {
		return err
	}
	return p.Render("requests", "Requests", requestsPath, d)
}

func (p page) policyLines(d requestsData) (lines []policyLine, err error) {
	list, err := p.h.Center.RequestPolicies(p.Context())
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, a := range d.Accounts {
		names[a.ID] = a.Name
	}
	for _, u := range d.Units {
		names[u.ID] = u.Name
	}
	for _, s := range d.Sets {
		names[s.ARN] = s.Name
	}
	group := func(id center.GroupID) string {
		name, failed := p.principalName(center.Assignment{
			PrincipalType: center.PrincipalGroup, PrincipalID: string(id),
		})
		if failed != nil {
			err = failed
		}
		return name
	}
	for _, policy := range list {
		lines = append(lines, policyLine{
			policy, names[policy.AccountID] + names[policy.Unit], names[policy.PermissionSetARN],
			group(policy.Eligible), group(policy.Approvers),
		})
	}
	return lines, err
}

// createPolicy makes a policy from its form.
func createPolicy(p page) error {
	form := p.PostFormValue
	longest, err := time.ParseDuration(form("longest"))
	if err != nil {
		return &refusal.Error{Code: center.InvalidValue, Field: "Longest"}
	}
	approvals, err := strconv.Atoi(form("approvals"))
	if err != nil {
		return &refusal.Error{Code: center.InvalidValue, Field: "Approvals"}
	}
	policy := center.RequestPolicy{
		Name: strings.TrimSpace(form("name")), PermissionSetARN: form("set"), Longest: longest, Approvals: approvals,
		Emergency: form("emergency") == "on", Place: placeOf(form("account")),
	}
	eligible, err := p.principalByName(center.PrincipalGroup, strings.TrimSpace(form("eligible")))
	if err != nil {
		return err
	}
	approvers, err := p.principalByName(center.PrincipalGroup, strings.TrimSpace(form("approvers")))
	if err != nil {
		return err
	}
	policy.Eligible, policy.Approvers = center.GroupID(eligible), center.GroupID(approvers)
	if _, err := p.h.Center.CreateRequestPolicy(p.Context(), p.by, policy); err != nil {
		return err
	}
	return p.Done(requestsPath, "The policy is created. The members of "+form("eligible")+" may ask in the portal.")
}

func deletePolicy(p page) error {
	question := web.Question{
		Title:  "Delete the policy?",
		Lines:  []string{"What waits for approval by it is denied. Windows that are open go on to their end."},
		Button: "Delete the policy",
	}
	if sure, err := p.Sure(question); !sure {
		return err
	}
	if err := p.h.Center.DeleteRequestPolicy(p.Context(), p.by, p.PostFormValue("id")); err != nil {
		return err
	}
	return p.Done(requestsPath, "The policy is deleted.")
}

func endAccess(p page) error {
	r, err := p.h.Center.EndAccess(p.Context(), p.by, "", p.PathValue("id"), "")
	if err != nil {
		return err
	}
	return p.Done(requestsPath, r.UserName+" no longer has "+r.PermissionSetName+" in "+r.AccountName+".")
}

func putWebhook(p page) error {
	secret, err := p.h.Center.PutRequestWebhook(p.Context(), p.by, strings.TrimSpace(p.PostFormValue("url")))
	if err != nil {
		return err
	}
	return p.showRequests(secret.Reveal())
}

func removeWebhook(p page) error {
	if _, err := p.h.Center.PutRequestWebhook(p.Context(), p.by, ""); err != nil {
		return err
	}
	return p.Done(requestsPath, "Notices are posted nowhere.")
}
