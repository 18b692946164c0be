package console

import (
	"cmp"
	"context"
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
	listing[center.AccessRequest] // its status is open, over or all
	Policies                      []policyLine
	Webhook                       center.RequestWebhook
	Secret                        string // of the webhook, once
	Accounts                      []center.Account
	Units                         []center.Unit
	Tags                          []center.Tag
	Sets                          []center.PermissionSet
	Lengths                       []time.Duration
	Labels                        map[string]center.AccountLabel // of accounts, by their ids
}

// Which requests the list shows: those that are open unless the address says otherwise.
const openRequests, overRequests, allRequests = "open", "over", "all"

// policyLengths are those that the form offers.
var policyLengths = []time.Duration{
	30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 24 * time.Hour,
	3 * 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour,
}

func requests(p page) error { return p.showRequests("") }

func (p page) showRequests(secret string) (err error) {
	ctx, c := p.Context(), p.h.Center
	d := requestsData{Secret: secret, Lengths: policyLengths}
	d.Listing = p.Listing("")
	d.Status = cmp.Or(d.Filter("state", overRequests, allRequests), openRequests)
	s := p.sought(d.listing)
	if p.Exports() {
		return p.exportRequests(s)
	}
	found, err := s.page(p.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	d.Items, d.Pager = found.Items, d.After(found.Next, len(found.Items))
	if d.Webhook, err = c.RequestWebhook(ctx); err != nil {
		return err
	}
	if d.Accounts, err = c.Accounts(ctx); err != nil {
		return err
	}
	if d.Labels, err = p.labelsOf(d.Accounts); err != nil {
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

// sought are the requests that the address selects, the newest first.
func (p page) sought(l listing[center.AccessRequest]) seeking[center.AccessRequest] {
	like := keeps(l.Listing, func(r center.AccessRequest) []string {
		return []string{r.UserName, r.PermissionSetName, r.AccountName, r.AccountID, r.PolicyName, r.Reason, r.Ticket}
	})
	return seeking[center.AccessRequest]{
		Read: func(before string, limit int) ([]center.AccessRequest, error) {
			return p.h.Center.AccessRequests(p.Context(), center.AccessRequestQuery{
				Live: l.Status == openRequests, Before: before, Limit: limit,
			})
		},
		Name: func(r center.AccessRequest) string { return r.ID },
		Keep: func(r center.AccessRequest) bool { return (l.Status != overRequests || !r.Live()) && like(r) },
	}
}

func (p page) exportRequests(s seeking[center.AccessRequest]) error {
	columns := []string{"id", "state", "userId", "userName", "accountId", "accountName", "permissionSetArn",
		"permissionSetName", "policyName", "reason", "ticket", "emergency", "createdAt", "decidedBy", "startedAt",
		"endsAt", "endedAt", "endedBy", "endReason"}
	return p.Export("access-requests", columns, func(row func(...string) error) error {
		return s.all(func(r center.AccessRequest) error {
			var deciders []string
			for _, d := range r.Decisions {
				deciders = append(deciders, d.UserName)
			}
			return row(r.ID, string(r.State), string(r.UserID), r.UserName, r.AccountID, r.AccountName,
				r.PermissionSetARN, r.PermissionSetName, r.PolicyName, r.Reason, r.Ticket,
				strconv.FormatBool(r.Emergency), inFile(r.CreatedAt), strings.Join(deciders, ", "),
				inFile(r.StartedAt), inFile(r.EndsAt), inFile(r.EndedAt), r.EndedBy, r.EndReason)
		})
	})
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
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteRequestPolicy(ctx, p.by, p.PostFormValue("id"))
	}); !done {
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
	p.Visit = p.At(requestsPath)
	return p.showRequests(secret.Reveal())
}

func removeWebhook(p page) error {
	if _, err := p.h.Center.PutRequestWebhook(p.Context(), p.by, ""); err != nil {
		return err
	}
	return p.Done(requestsPath, "Notices are posted nowhere.")
}
