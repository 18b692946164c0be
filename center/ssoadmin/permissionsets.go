package ssoadmin

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// permissionSets are the operations on permission sets and their policies.
func (h *Handler) permissionSets() []awsapi.Operation {
	return []awsapi.Operation{
		within(h, "CreatePermissionSet", changes, h.createPermissionSet),
		within(h, "DescribePermissionSet", reads, h.describePermissionSet),
		within(h, "UpdatePermissionSet", changes, h.updatePermissionSet),
		within(h, "DeletePermissionSet", changes, h.deletePermissionSet),
		within(h, "ListPermissionSets", reads, h.listPermissionSets),
		within(h, "PutInlinePolicyToPermissionSet", changes, h.putInlinePolicy),
		within(h, "GetInlinePolicyForPermissionSet", reads, h.getInlinePolicy),
		within(h, "DeleteInlinePolicyFromPermissionSet", changes, h.deleteInlinePolicy),
		within(h, "AttachManagedPolicyToPermissionSet", changes, h.attachManagedPolicy),
		within(h, "DetachManagedPolicyFromPermissionSet", changes, h.detachManagedPolicy),
		within(h, "ListManagedPoliciesInPermissionSet", reads, h.listManagedPolicies),
		within(h, "AttachCustomerManagedPolicyReferenceToPermissionSet", changes, h.attachCustomerPolicy),
		within(h, "DetachCustomerManagedPolicyReferenceFromPermissionSet", changes, h.detachCustomerPolicy),
		within(h, "ListCustomerManagedPolicyReferencesInPermissionSet", reads, h.listCustomerPolicies),
		within(h, "PutPermissionsBoundaryToPermissionSet", changes, h.putBoundary),
		within(h, "GetPermissionsBoundaryForPermissionSet", reads, h.getBoundary),
		within(h, "DeletePermissionsBoundaryFromPermissionSet", changes, h.deleteBoundary),
	}
}

type permissionSet struct {
	Name             string
	PermissionSetArn string
	Description      string `json:",omitempty"`
	CreatedDate      awsapi.Timestamp
	SessionDuration  string
	RelayState       string `json:",omitempty"`
}

type permissionSetOutput struct{ PermissionSet permissionSet }

func show(p center.PermissionSet) permissionSetOutput {
	return permissionSetOutput{
		permissionSet{
			p.Name, p.ARN, p.Description, awsapi.Timestamp(p.CreatedAt), spelled(p), p.RelayState,
		},
	}
}

type permissionSetInput struct {
	instance
	PermissionSetArn string
	Name             string
	Description      *string
	SessionDuration  string
	RelayState       *string
	InlinePolicy     string
	ManagedPolicyArn string
	Tags             []tag

	CustomerManagedPolicyReference policyReference
	PermissionsBoundary            permissionsBoundary
}

type policyReference struct{ Name, Path string }

// read gives a reference the path that the model has for one without.
func (r policyReference) read() center.PolicyReference {
	if r.Path == "" {
		r.Path = "/"
	}
	return center.PolicyReference(r)
}

type permissionsBoundary struct {
	CustomerManagedPolicyReference *policyReference `json:",omitzero"`
	ManagedPolicyArn               string           `json:",omitempty"`
}

func (h *Handler) createPermissionSet(
	ctx context.Context, who awsapi.Caller, in permissionSetInput,
) (permissionSetOutput, error) {
	d, err := parseDuration(in.SessionDuration)
	if err != nil {
		return permissionSetOutput{}, err
	}
	p := center.PermissionSet{
		Name:            in.Name,
		SessionDuration: d,
		SessionText:     in.SessionDuration,
		Tags:            readTags(in.Tags),
	}
	in.texts(&p)
	p, err = h.Center.CreatePermissionSet(ctx, awsdoor.Actor(who), p)
	return show(p), err
}

func (in permissionSetInput) texts(p *center.PermissionSet) {
	if in.Description != nil {
		p.Description = *in.Description
	}
	if in.RelayState != nil {
		p.RelayState = *in.RelayState
	}
}

// get returns the permission set that the input names.
func (h *Handler) get(ctx context.Context, in permissionSetInput) (center.PermissionSet, error) {
	return h.Center.PermissionSet(ctx, in.PermissionSetArn)
}

func (h *Handler) describePermissionSet(
	ctx context.Context, _ awsapi.Caller, in permissionSetInput,
) (permissionSetOutput, error) {
	p, err := h.get(ctx, in)
	return show(p), err
}

// updatePermissionSet clears a relay state that is not sent, and keeps everything else that is not.
// Source: what the Terraform provider must do about it, hashicorp/terraform-provider-aws#17411.
func (h *Handler) updatePermissionSet(
	ctx context.Context, who awsapi.Caller, in permissionSetInput,
) (awsapi.Empty, error) {
	d, err := parseDuration(in.SessionDuration)
	if err != nil {
		return awsapi.Empty{}, err
	}
	return h.edit(ctx, who, center.ActionUpdatePermissionSet, in, func(p *center.PermissionSet) error {
		p.RelayState = ""
		in.texts(p)
		if d > 0 {
			p.SessionDuration, p.SessionText = d, in.SessionDuration
		}
		return nil
	})
}

func (h *Handler) edit(
	ctx context.Context, who awsapi.Caller, action center.Action, in permissionSetInput,
	change func(*center.PermissionSet) error,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.UpdatePermissionSet(ctx, awsdoor.Actor(who), action, in.PermissionSetArn, change)
}

func (h *Handler) deletePermissionSet(
	ctx context.Context, who awsapi.Caller, in permissionSetInput,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.DeletePermissionSet(ctx, awsdoor.Actor(who), in.PermissionSetArn)
}

type listPermissionSetsInput struct {
	instance
	paging
}

type listPermissionSetsOutput struct {
	PermissionSets []string
	NextToken      string `json:",omitempty"`
}

func (h *Handler) listPermissionSets(
	ctx context.Context, _ awsapi.Caller, in listPermissionSetsInput,
) (listPermissionSetsOutput, error) {
	out := listPermissionSetsOutput{PermissionSets: []string{}}
	p, err := in.of(1, "ListPermissionSets")
	if err != nil {
		return out, err
	}
	sets, err := h.Center.PermissionSets(ctx, center.PermissionSetQuery{After: p.begin(), Limit: p.limit()})
	sets, out.NextToken = cut(p, sets, func(p center.PermissionSet) string { return p.ARN })
	for _, s := range sets {
		out.PermissionSets = append(out.PermissionSets, s.ARN)
	}
	return out, err
}

func (h *Handler) putInlinePolicy(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	if strings.TrimSpace(in.InlinePolicy) == "" {
		return awsapi.Empty{}, invalid("InlinePolicy is blank")
	}
	return h.edit(ctx, who, center.ActionPutInlinePolicy, in, func(p *center.PermissionSet) error {
		p.InlinePolicy = in.InlinePolicy
		return nil
	})
}

type inlinePolicyOutput struct{ InlinePolicy string }

// getInlinePolicy returns an empty text for a set without a policy, which the Terraform provider
// relies on.
func (h *Handler) getInlinePolicy(
	ctx context.Context, _ awsapi.Caller, in permissionSetInput,
) (inlinePolicyOutput, error) {
	p, err := h.get(ctx, in)
	return inlinePolicyOutput{p.InlinePolicy}, err
}

func (h *Handler) deleteInlinePolicy(
	ctx context.Context, who awsapi.Caller, in permissionSetInput,
) (awsapi.Empty, error) {
	return h.edit(ctx, who, center.ActionDeleteInlinePolicy, in, func(p *center.PermissionSet) error {
		p.InlinePolicy = ""
		return nil
	})
}

func (h *Handler) attachManagedPolicy(
	ctx context.Context, who awsapi.Caller, in permissionSetInput,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.AttachManagedPolicy(
		ctx, awsdoor.Actor(who), in.PermissionSetArn, in.ManagedPolicyArn,
	)
}

func (h *Handler) detachManagedPolicy(
	ctx context.Context, who awsapi.Caller, in permissionSetInput,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.DetachManagedPolicy(
		ctx, awsdoor.Actor(who), in.PermissionSetArn, in.ManagedPolicyArn,
	)
}

type listPoliciesInput struct {
	instance
	paging
	PermissionSetArn string
}

type managedPolicy struct{ Name, Arn string }

type managedPoliciesOutput struct {
	AttachedManagedPolicies []managedPolicy
	NextToken               string `json:",omitempty"`
}

func (h *Handler) listManagedPolicies(
	ctx context.Context, _ awsapi.Caller, in listPoliciesInput,
) (managedPoliciesOutput, error) {
	out := managedPoliciesOutput{AttachedManagedPolicies: []managedPolicy{}}
	p, err := in.of(1, "ListManagedPoliciesInPermissionSet", in.PermissionSetArn)
	if err != nil {
		return out, err
	}
	set, err := h.Center.PermissionSet(ctx, in.PermissionSetArn)
	attached, next := whole(p, slices.Sorted(slices.Values(set.ManagedPolicies)), same)
	for _, arn := range attached {
		out.AttachedManagedPolicies = append(
			out.AttachedManagedPolicies, managedPolicy{arn[strings.LastIndexByte(arn, '/')+1:], arn},
		)
	}
	out.NextToken = next
	return out, err
}

func (h *Handler) attachCustomerPolicy(
	ctx context.Context, who awsapi.Caller, in permissionSetInput,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.AttachCustomerPolicy(
		ctx, awsdoor.Actor(who), in.PermissionSetArn, in.CustomerManagedPolicyReference.read(),
	)
}

func (h *Handler) detachCustomerPolicy(
	ctx context.Context, who awsapi.Caller, in permissionSetInput,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.DetachCustomerPolicy(
		ctx, awsdoor.Actor(who), in.PermissionSetArn, in.CustomerManagedPolicyReference.read(),
	)
}

type customerPoliciesOutput struct {
	CustomerManagedPolicyReferences []policyReference
	NextToken                       string `json:",omitempty"`
}

func (h *Handler) listCustomerPolicies(
	ctx context.Context, _ awsapi.Caller, in listPoliciesInput,
) (customerPoliciesOutput, error) {
	out := customerPoliciesOutput{CustomerManagedPolicyReferences: []policyReference{}}
	p, err := in.of(1, "ListCustomerManagedPolicyReferencesInPermissionSet", in.PermissionSetArn)
	if err != nil {
		return out, err
	}
	set, err := h.Center.PermissionSet(ctx, in.PermissionSetArn)
	pathAndName := func(r center.PolicyReference) string { return r.Path + r.Name }
	attached := slices.SortedFunc(
		slices.Values(set.CustomerPolicies),
		func(a, b center.PolicyReference) int { return strings.Compare(pathAndName(a), pathAndName(b)) },
	)
	attached, out.NextToken = whole(p, attached, pathAndName)
	for _, r := range attached {
		out.CustomerManagedPolicyReferences = append(out.CustomerManagedPolicyReferences, policyReference(r))
	}
	return out, err
}

func (h *Handler) putBoundary(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	if b := in.PermissionsBoundary; b.ManagedPolicyArn != "" && b.CustomerManagedPolicyReference != nil {
		return awsapi.Empty{}, invalid("Only ManagedPolicyArn or CustomerManagedPolicyReference should be given")
	}
	return h.edit(ctx, who, center.ActionPutPermissionsBoundary, in, func(p *center.PermissionSet) error {
		p.Boundary = &center.Boundary{ManagedPolicy: in.PermissionsBoundary.ManagedPolicyArn}
		if r := in.PermissionsBoundary.CustomerManagedPolicyReference; r != nil {
			read := r.read()
			p.Boundary.CustomerPolicy = &read
		}
		return nil
	})
}

type boundaryOutput struct{ PermissionsBoundary permissionsBoundary }

// getBoundary refuses a set without a boundary, which the Terraform provider relies on.
func (h *Handler) getBoundary(ctx context.Context, _ awsapi.Caller, in permissionSetInput) (boundaryOutput, error) {
	p, err := h.get(ctx, in)
	if err == nil && p.Boundary == nil {
		err = &refusal.Error{Code: center.BoundaryNotFound, Subject: in.PermissionSetArn}
	}
	if err != nil {
		return boundaryOutput{}, err
	}
	out := permissionsBoundary{ManagedPolicyArn: p.Boundary.ManagedPolicy}
	if r := p.Boundary.CustomerPolicy; r != nil {
		shown := policyReference(*r)
		out.CustomerManagedPolicyReference = &shown
	}
	return boundaryOutput{out}, nil
}

func (h *Handler) deleteBoundary(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	return h.edit(ctx, who, center.ActionDeletePermissionsBoundary, in, func(p *center.PermissionSet) error {
		if p.Boundary == nil {
			return &refusal.Error{Code: center.BoundaryNotFound, Subject: in.PermissionSetArn}
		}
		p.Boundary = nil
		return nil
	})
}
