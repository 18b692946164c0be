package adminserver

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// requestOperations are those on access that ends.
func (h *Handler) requestOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("ListRequestPolicies", awsapi.Reads, h.listPolicies),
		awsapi.Op("CreateRequestPolicy", awsapi.Changes, h.createPolicy),
		awsapi.Op("DeleteRequestPolicy", awsapi.Changes, h.deletePolicy),
		awsapi.Op("ListAccessRequests", awsapi.Reads, h.listRequests),
		awsapi.Op("EndAccess", awsapi.Changes, h.endAccess),
		awsapi.Op("GetRequestWebhook", awsapi.Reads, h.getWebhook),
		awsapi.Op("PutRequestWebhook", awsapi.Changes, h.putWebhook),
	}
}

func showPolicy(p center.RequestPolicy, n *namer) adminapi.RequestPolicy {
	return adminapi.RequestPolicy{
		PolicyID: p.ID, Name: p.Name, EligibleGroupID: string(p.Eligible), PermissionSetARN: p.PermissionSetARN,
		AccountID: p.AccountID, Unit: p.Unit, Tag: (*adminapi.Tag)(p.Tag),
		LongestSeconds: int64(p.Longest / time.Second), ApproverGroupID: string(p.Approvers), Approvals: p.Approvals,
		Emergency: p.Emergency, EligibleGroupName: n.group(string(p.Eligible)),
		PermissionSetName: n.set(p.PermissionSetARN), AccountName: n.account(p.AccountID),
		ApproverGroupName: n.group(string(p.Approvers)),
	}
}

func (h *Handler) listPolicies(
	ctx context.Context, _ awsapi.Caller, _ adminapi.None,
) (adminapi.RequestPolicies, error) {
	list, err := h.Center.RequestPolicies(ctx)
	out, n := adminapi.RequestPolicies{Policies: []adminapi.RequestPolicy{}}, h.namer(ctx)
	for _, p := range list {
		out.Policies = append(out.Policies, showPolicy(p, n))
	}
	return out, errors.Join(err, n.err)
}

func (h *Handler) createPolicy(
	ctx context.Context, who awsapi.Caller, in adminapi.RequestPolicy,
) (adminapi.RequestPolicy, error) {
	if in.PolicyID != "" {
		return in, &refusal.Error{Code: center.InvalidValue, Field: "PolicyId", Detail: "a new policy has none"}
	}
	if in.LongestSeconds > int64(center.MaxWindow/time.Second) {
		return in, &refusal.Error{Code: center.InvalidValue, Field: "LongestSeconds", Detail: "at most 30 days"}
	}
	eligible, e1 := h.groupNamed(ctx, in.EligibleGroupID)
	approvers, e2 := h.groupNamed(ctx, in.ApproverGroupID)
	set, e3 := h.setNamed(ctx, in.PermissionSetARN)
	at, e4 := h.place(ctx, adminapi.AccountPlace{AccountID: in.AccountID, Unit: in.Unit, Tag: in.Tag})
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		return in, err
	}
	p, err := h.Center.CreateRequestPolicy(ctx, awsdoor.Actor(who), center.RequestPolicy{
		Name: in.Name, Eligible: eligible, PermissionSetARN: set, Place: at,
		Longest: time.Duration(in.LongestSeconds) * time.Second, Approvers: approvers,
		Approvals: in.Approvals, Emergency: in.Emergency,
	})
	return showPolicy(p, h.namer(ctx)), err
}

func (h *Handler) deletePolicy(
	ctx context.Context, who awsapi.Caller, in adminapi.RequestPolicyInput,
) (adminapi.None, error) {
	id, err := h.policyNamed(ctx, in.PolicyID)
	if err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.DeleteRequestPolicy(ctx, awsdoor.Actor(who), id)
}

func (h *Handler) listRequests(
	ctx context.Context, _ awsapi.Caller, in adminapi.ListAccessRequestsInput,
) (adminapi.AccessRequests, error) {
	list, err := h.Center.AccessRequests(ctx, center.AccessRequestQuery{
		UserID: center.UserID(in.UserID), Live: in.Open, Before: in.Before,
	})
	out := adminapi.AccessRequests{Requests: []adminapi.AccessRequest{}}
	for _, r := range list {
		out.Requests = append(out.Requests, h.ShowRequest(r))
	}
	return out, err
}

func (h *Handler) endAccess(
	ctx context.Context, who awsapi.Caller, in adminapi.AccessRequestInput,
) (adminapi.AccessRequest, error) {
	r, err := h.Center.EndAccess(ctx, awsdoor.Actor(who), "", in.RequestID, in.Comment)
	return h.ShowRequest(r), err
}

func (h *Handler) getWebhook(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.RequestWebhook, error) {
	w, err := h.Center.RequestWebhook(ctx)
	return adminapi.RequestWebhook{URL: w.URL, Problem: w.Problem, PostedAt: w.PostedAt}, err
}

func (h *Handler) putWebhook(
	ctx context.Context, who awsapi.Caller, in adminapi.RequestWebhook,
) (adminapi.RequestWebhook, error) {
	secret, err := h.Center.PutRequestWebhook(ctx, awsdoor.Actor(who), in.URL)
	out := adminapi.RequestWebhook{URL: in.URL}
	if err == nil && in.URL != "" {
		out.Secret = secret.Reveal()
	}
	return out, err
}
