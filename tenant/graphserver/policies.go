package graphserver

import (
	"context"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// policyKind is the kind that the path names: claimsMappingPolicies or tokenIssuancePolicies.
func policyKind(r request) tenant.PolicyKind {
	if strings.Contains(r.URL.Path, "/tokenIssuancePolicies") {
		return tenant.TokenIssuance
	}
	return tenant.ClaimsMapping
}

func policyObject(p tenant.Policy) object {
	return object{
		"@odata.type":           "#microsoft.graph." + string(p.Kind) + "Policy",
		"id":                    string(p.ID),
		"displayName":           p.DisplayName,
		"definition":            []string{p.Definition},
		"isOrganizationDefault": false,
	}
}

func (h *Handler) listPolicies(ctx context.Context, r request) (int, any, error) {
	list, err := h.Tenant.Policies(ctx, policyKind(r))
	if err != nil {
		return 0, nil, err
	}
	all := make([]object, len(list))
	for i, p := range list {
		all[i] = policyObject(p)
	}
	return h.answerList(r, policyType(), all)
}

func (h *Handler) getPolicy(ctx context.Context, r request) (int, any, error) {
	p, err := h.Tenant.Policy(ctx, policyKind(r), tenant.PolicyID(r.PathValue("policy")))
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, policyType(), policyObject(p))
}

// policyBody has what is to be set. A definition is a list with one text of JSON.
type policyBody struct {
	DisplayName           given[string]   `json:"displayName"`
	Definition            given[[]string] `json:"definition"`
	IsOrganizationDefault bool            `json:"isOrganizationDefault"`
}

func (b policyBody) into(p *tenant.Policy) error {
	if b.IsOrganizationDefault || b.Definition.sent && len(b.Definition.value) != 1 {
		return badRequest(
			"Property has an invalid value: the policy has one definition, and cannot be the organization's default.",
		)
	}
	b.DisplayName.into(&p.DisplayName)
	if b.Definition.sent {
		p.Definition = b.Definition.value[0]
	}
	return nil
}

func (h *Handler) createPolicy(ctx context.Context, r request) (int, any, error) {
	var in policyBody
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	p := tenant.Policy{Kind: policyKind(r)}
	if err := in.into(&p); err != nil {
		return 0, nil, err
	}
	p, err := h.Tenant.PutPolicy(ctx, r.by, p)
	return http.StatusCreated, policyObject(p), err
}

func (h *Handler) updatePolicy(ctx context.Context, r request) (int, any, error) {
	var in policyBody
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	p, err := h.Tenant.Policy(ctx, policyKind(r), tenant.PolicyID(r.PathValue("policy")))
	if err == nil {
		err = in.into(&p)
	}
	if err == nil {
		_, err = h.Tenant.PutPolicy(ctx, r.by, p)
	}
	return http.StatusNoContent, nil, err
}

func (h *Handler) deletePolicy(ctx context.Context, r request) (int, any, error) {
	p, err := h.Tenant.Policy(ctx, policyKind(r), tenant.PolicyID(r.PathValue("policy")))
	if err == nil {
		err = h.Tenant.DeletePolicy(ctx, r.by, p.ID)
	}
	return http.StatusNoContent, nil, err
}

// policiesOf lists the policy that a service principal or an application has.
func (h *Handler) policiesOf(ctx context.Context, r request) (int, any, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	list, err := h.attachedPolicies(ctx, a, policyKind(r))
	if err != nil {
		return 0, nil, err
	}
	return h.answerList(r, policyType(), list)
}

// attachedPolicies are the policies of a kind that an application has: one or none.
func (h *Handler) attachedPolicies(
	ctx context.Context, a tenant.Application, kind tenant.PolicyKind,
) ([]object, error) {
	id := a.ClaimsPolicyID
	if kind == tenant.TokenIssuance {
		id = a.IssuancePolicyID
	}
	if id == "" {
		return nil, nil
	}
	p, err := h.Tenant.Policy(ctx, kind, id)
	return []object{policyObject(p)}, err
}

func (h *Handler) attachPolicy(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	a, err := h.application(ctx, r)
	if err == nil {
		err = h.Tenant.AttachPolicy(ctx, r.by, tenant.AnyApplicationID(a.ID), policyKind(r), tenant.PolicyID(id))
	}
	return http.StatusNoContent, nil, err
}

// detachPolicy takes the policy that the path names away, where it is the one that is attached.
func (h *Handler) detachPolicy(ctx context.Context, r request) (int, any, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	attached := a.ClaimsPolicyID
	if policyKind(r) == tenant.TokenIssuance {
		attached = a.IssuancePolicyID
	}
	if id := r.PathValue("policy"); attached == "" || string(attached) != id {
		return 0, nil, &refusal.Error{Code: tenant.PolicyNotFound, Subject: id}
	}
	return http.StatusNoContent, nil, h.Tenant.AttachPolicy(ctx, r.by, tenant.AnyApplicationID(a.ID), policyKind(r), "")
}
