package adminserver

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

func showRule(r center.AssignmentRule, n *namer) adminapi.Rule {
	return adminapi.Rule{
		RuleID:            r.ID,
		Unit:              r.Unit,
		Tag:               (*adminapi.Tag)(r.Tag),
		PermissionSetARN:  r.PermissionSetARN,
		PrincipalType:     string(r.PrincipalType),
		PrincipalID:       r.PrincipalID,
		Problem:           r.Problem,
		PermissionSetName: n.set(r.PermissionSetARN),
		PrincipalName:     n.principal(string(r.PrincipalType), r.PrincipalID),
	}
}

// ruleOf reads a rule that is asked for. Its id and its problem are the center's to say.
func (h *Handler) ruleOf(ctx context.Context, r adminapi.Rule) (center.AssignmentRule, error) {
	if r.RuleID != "" || r.Problem != "" {
		return center.AssignmentRule{}, &refusal.Error{
			Code:   center.InvalidValue,
			Field:  "RuleId",
			Detail: "leave RuleId and Problem empty in a new rule",
		}
	}
	set, e1 := h.setNamed(ctx, r.PermissionSetARN)
	principal, e2 := h.principalNamed(ctx, r.PrincipalType, r.PrincipalID)
	return center.AssignmentRule{
		Unit:             r.Unit,
		Tag:              (*center.Tag)(r.Tag),
		PermissionSetARN: set,
		PrincipalType:    center.PrincipalType(r.PrincipalType),
		PrincipalID:      principal,
	}, errors.Join(e1, e2)
}

func (h *Handler) listRules(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.Rules, error) {
	list, err := h.Center.AssignmentRules(ctx)
	out, n := adminapi.Rules{Rules: []adminapi.Rule{}}, h.namer(ctx)
	for _, r := range list {
		out.Rules = append(out.Rules, showRule(r, n))
	}
	return out, errors.Join(err, n.err)
}

func (h *Handler) previewRule(ctx context.Context, _ awsapi.Caller, in adminapi.Rule) (adminapi.Accounts, error) {
	rule, err := h.ruleOf(ctx, in)
	if err != nil {
		return adminapi.Accounts{}, err
	}
	list, err := h.Center.AccountsFor(ctx, rule)
	return showAccounts(list), err
}

func (h *Handler) createRule(ctx context.Context, who awsapi.Caller, in adminapi.Rule) (adminapi.Rule, error) {
	rule, err := h.ruleOf(ctx, in)
	if err != nil {
		return adminapi.Rule{}, err
	}
	r, err := h.Center.CreateAssignmentRule(ctx, awsdoor.Actor(who), rule)
	return showRule(r, h.namer(ctx)), err
}

func (h *Handler) deleteRule(ctx context.Context, who awsapi.Caller, in adminapi.RuleInput) (adminapi.None, error) {
	return adminapi.None{}, h.Center.DeleteAssignmentRule(ctx, awsdoor.Actor(who), in.RuleID)
}
