package ssoadmin

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

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
	return permissionSetOutput{permissionSet{p.Name, p.ARN, p.Description, awsapi.Timestamp(p.CreatedAt), isoDuration(p.SessionDuration), p.RelayState}}
}

// isoDuration writes a duration of whole minutes as ISO 8601 text, such as PT1H30M.
func isoDuration(d time.Duration) string {
	text := fmt.Sprintf("PT%dH", int(d.Hours()))
	if m := int(d.Minutes()) % 60; m > 0 {
		text += fmt.Sprintf("%dM", m)
	}
	return text
}

var isoPattern = regexp.MustCompile(`^PT(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?$`)

// parseDuration reads the durations that the model allows; zero for an empty text.
func parseDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	m := isoPattern.FindStringSubmatch(text)
	if m == nil || text == "PT" {
		return 0, invalid("SessionDuration must be an ISO 8601 duration such as PT1H")
	}
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if n, err := strconv.Atoi(m[i+1]); err == nil {
			d += time.Duration(n) * unit
		}
	}
	return d, nil
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
}

func (h *Handler) createPermissionSet(ctx context.Context, who awsapi.Caller, in permissionSetInput) (permissionSetOutput, error) {
	if err := h.check(in.instance); err != nil {
		return permissionSetOutput{}, err
	}
	d, err := parseDuration(in.SessionDuration)
	if err != nil {
		return permissionSetOutput{}, err
	}
	p := center.PermissionSet{Name: in.Name, SessionDuration: d}
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
	if err := h.check(in.instance); err != nil {
		return center.PermissionSet{}, err
	}
	return h.Center.PermissionSet(ctx, in.PermissionSetArn)
}

func (h *Handler) describePermissionSet(ctx context.Context, _ awsapi.Caller, in permissionSetInput) (permissionSetOutput, error) {
	p, err := h.get(ctx, in)
	return show(p), err
}

func (h *Handler) updatePermissionSet(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	d, err := parseDuration(in.SessionDuration)
	if err != nil {
		return awsapi.Empty{}, err
	}
	return h.edit(ctx, who, "UpdatePermissionSet", in, func(p *center.PermissionSet) error {
		in.texts(p)
		if d > 0 {
			p.SessionDuration = d
		}
		return nil
	})
}

func (h *Handler) edit(ctx context.Context, who awsapi.Caller, action string, in permissionSetInput, change func(*center.PermissionSet) error) (awsapi.Empty, error) {
	if err := h.check(in.instance); err != nil {
		return awsapi.Empty{}, err
	}
	return awsapi.Empty{}, h.Center.UpdatePermissionSet(ctx, awsdoor.Actor(who), action, in.PermissionSetArn, change)
}

func (h *Handler) deletePermissionSet(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	if err := h.check(in.instance); err != nil {
		return awsapi.Empty{}, err
	}
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

func (h *Handler) listPermissionSets(ctx context.Context, _ awsapi.Caller, in listPermissionSetsInput) (listPermissionSetsOutput, error) {
	out := listPermissionSetsOutput{PermissionSets: []string{}}
	if err := h.check(in.instance); err != nil {
		return out, err
	}
	sets, err := h.Center.PermissionSets(ctx)
	if err != nil {
		return out, err
	}
	page, next, err := cut(in.paging, "ListPermissionSets", sets, func(p center.PermissionSet) string { return p.ARN })
	for _, p := range page {
		out.PermissionSets = append(out.PermissionSets, p.ARN)
	}
	out.NextToken = next
	return out, err
}

func (h *Handler) putInlinePolicy(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	if strings.TrimSpace(in.InlinePolicy) == "" {
		return awsapi.Empty{}, invalid("InlinePolicy is required")
	}
	return h.edit(ctx, who, "PutInlinePolicyToPermissionSet", in, func(p *center.PermissionSet) error {
		p.InlinePolicy = in.InlinePolicy
		return nil
	})
}

type inlinePolicyOutput struct{ InlinePolicy string }

// getInlinePolicy returns an empty text for a set without a policy, which the Terraform provider relies on.
func (h *Handler) getInlinePolicy(ctx context.Context, _ awsapi.Caller, in permissionSetInput) (inlinePolicyOutput, error) {
	p, err := h.get(ctx, in)
	return inlinePolicyOutput{p.InlinePolicy}, err
}

func (h *Handler) deleteInlinePolicy(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	return h.edit(ctx, who, "DeleteInlinePolicyFromPermissionSet", in, func(p *center.PermissionSet) error {
		p.InlinePolicy = ""
		return nil
	})
}

func (h *Handler) attachManagedPolicy(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	if err := h.check(in.instance); err != nil {
		return awsapi.Empty{}, err
	}
	return awsapi.Empty{}, h.Center.AttachManagedPolicy(ctx, awsdoor.Actor(who), in.PermissionSetArn, in.ManagedPolicyArn)
}

func (h *Handler) detachManagedPolicy(ctx context.Context, who awsapi.Caller, in permissionSetInput) (awsapi.Empty, error) {
	if err := h.check(in.instance); err != nil {
		return awsapi.Empty{}, err
	}
	return awsapi.Empty{}, h.Center.DetachManagedPolicy(ctx, awsdoor.Actor(who), in.PermissionSetArn, in.ManagedPolicyArn)
}

type managedPolicy struct{ Name, Arn string }

type managedPoliciesOutput struct{ AttachedManagedPolicies []managedPolicy }

// listManagedPolicies answers in one page: a set has at most 25 policies.
func (h *Handler) listManagedPolicies(ctx context.Context, _ awsapi.Caller, in permissionSetInput) (managedPoliciesOutput, error) {
	out := managedPoliciesOutput{[]managedPolicy{}}
	p, err := h.get(ctx, in)
	for _, arn := range p.ManagedPolicies {
		out.AttachedManagedPolicies = append(out.AttachedManagedPolicies, managedPolicy{arn[strings.LastIndexByte(arn, '/')+1:], arn})
	}
	return out, err
}
