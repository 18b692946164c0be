package graphserver

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// onDemandMembers is how many members of a group may be named in one request. Source: "On-demand
// provisioning".
const onDemandMembers = 5 //bound:list members of a group that are provisioned on demand through Graph

// provisionOnDemand provisions one object now. Whatever comes of it is a success here: the pair of
// texts in the answer says what it was. Source: synchronizationJob: provisionOnDemand.
func (h *Handler) provisionOnDemand(ctx context.Context, r request) (int, any, error) {
	var in graph.ProvisionOnDemand
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	j, err := h.job(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	if len(in.Parameters) != 1 || len(in.Parameters[0].Subjects) != 1 {
		return 0, nil, badRequest("Exactly one subject can be provisioned in one request.")
	}
	p := in.Parameters[0]
	if p.RuleID != j.Mappings().RuleID {
		return 0, nil, badRequest("The ruleId '" + p.RuleID + "' is not one of the job's schema.")
	}
	subject := p.Subjects[0]
	kind := tenant.ObjectKind(subject.ObjectTypeName)
	if kind != tenant.KindUser && kind != tenant.KindGroup {
		return 0, nil, badRequest("The objectTypeName must be User or Group.")
	}
	var members []tenant.UserID
	if subject.Links != nil {
		for _, m := range subject.Links.Members {
			members = append(members, tenant.UserID(m.ObjectID))
		}
	}
	if len(members) > onDemandMembers || (kind == tenant.KindUser && len(members) > 0) {
		return 0, nil, badRequest("Only groups have members, of which at most 5 can be provisioned in one request.")
	}
	if j.Credentials.SealedToken == "" {
		return 0, nil, &refusal.Error{Code: tenant.CredentialsMissing, Subject: string(j.ID)}
	}
	x, err := h.OnDemand(ctx, j, tenant.Mark{Kind: kind, ID: tenant.PrincipalID(subject.ObjectID)}, members, false)
	if err != nil {
		return 0, nil, err
	}
	if x.Object.Gone {
		return 0, nil, &refusal.Error{Code: tenant.UserNotFound, Subject: subject.ObjectID}
	}
	if err := h.Tenant.RecordGranted(ctx, r.by, tenant.ActionProvisionOnDemand, subject.ObjectID); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, explanationToWire(x), nil
}

// stepNames are Entra's names of the five steps and their types in logs. Source: samples of
// provisioning logs.
var stepNames = map[string]struct{ name, kind string }{
	"connect": {"EntryConnect", "import"},
	"import":  {"EntryImport", "import"},
	"scope":   {"EntrySynchronizationScoping", "scoping"},
	"match":   {"EntryMatching", "matching"},
	"act":     {"EntryExport", "export"},
}

func explanationToWire(x provisioning.Explanation) graph.KeyValue {
	type property struct {
		DisplayName string `json:"displayName"`
		OldValue    string `json:"oldValue"`
		NewValue    string `json:"newValue"`
	}
	type step struct {
		Name        string            `json:"name"`
		Type        string            `json:"type"`
		Status      string            `json:"status"`
		Description string            `json:"description"`
		Details     map[string]string `json:"details"`
	}
	steps, properties := []step{}, []property{}
	reason := ""
	for _, s := range x.Steps {
		details := map[string]string{}
		for _, d := range s.Details {
			details[d.Name] = d.Value
		}
		steps = append(steps, step{stepNames[s.Name].name, stepNames[s.Name].kind, string(s.Status), s.Reason, details})
		if s.Status != provisioning.Success && reason == "" {
			reason = s.Reason
		}
	}
	action := string(provisioning.Other)
	code := ""
	target := ""
	for _, e := range x.Entries {
		if e.Ref == x.Object.Ref && (action == string(provisioning.Other) || e.Outcome == provisioning.Failure) {
			action = string(e.Action)
			code = e.Code
			target = e.TargetID
		}
		for _, c := range e.Changes {
			properties = append(properties, property{c.Path, c.Old, c.New})
		}
	}
	result := map[provisioning.Outcome]string{
		provisioning.Success: "Success",
		provisioning.Failure: "Failure",
		provisioning.Skipped: "Skipped",
	}[x.Outcome()]
	if code == "" && result == "Skipped" {
		code = reason
	}
	key, _ := json.Marshal(map[string]any{
		"result":  result,
		"details": map[string]any{"errorCode": code, "errorMessage": reason},
	})
	value, _ := json.Marshal(map[string]any{
		"action":             action,
		"changeId":           "",
		"modifiedProperties": properties,
		"provisioningSteps":  steps,
		"statusInfo":         map[string]string{"status": string(x.Outcome())},
		"sourceIdentity": map[string]string{
			"id":           x.Object.ID,
			"displayName":  x.Object.Name,
			"identityType": string(x.Object.Kind),
		},
		"targetIdentity": map[string]string{
			"id":           target,
			"displayName":  x.Object.Name,
			"identityType": string(x.Object.Kind),
		},
	}) // texts always encode
	return graph.KeyValue{Key: string(key), Value: string(value)}
}
