package graphserver

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// maxLog is how many of the newest entries the logs reach back to.
const maxLog = 1000 //bound:list entries that the logs reach back to

// newestFirst answers a log: filtered, and the newest first.
func (h *Handler) newestFirst(r request, t *resource, all []object) (int, any, error) {
	o, err := options(r, t)
	if err != nil {
		return 0, nil, err
	}
	all = slices.DeleteFunc(all, func(x object) bool { return !o.selects(x) })
	o.sort(all)
	o.inLogs = true
	return http.StatusOK, h.answer(r, o, all[min(o.offset, len(all)):], nil), nil
}

// signIns is the sign-in log. Source: signIn resource type.
func (h *Handler) signIns(ctx context.Context, r request) (int, any, error) {
	list, err := h.Tenant.SignIns(ctx, maxLog)
	if err != nil {
		return 0, nil, err
	}
	all := make([]object, len(list))
	for i, x := range list {
		all[i] = signInObject(x)
	}
	return h.newestFirst(r, signInType(), all)
}

func signInObject(s tenant.SignIn) object {
	status := object{"errorCode": float64(s.AADSTS), "failureReason": "Other.", "additionalDetails": nil}
	if s.Reason != "" {
		status["failureReason"] = s.Reason
	}
	app := s.Application
	if app == "" {
		app = "My Apps"
	}
	return object{
		"id":                  s.ID,
		"createdDateTime":     s.Time.UTC().Format(time.RFC3339),
		"userPrincipalName":   s.PrincipalName(),
		"userDisplayName":     s.User,
		"appDisplayName":      app,
		"ipAddress":           s.Address,
		"clientAppUsed":       "Browser",
		"correlationId":       s.RequestID,
		"isInteractive":       true,
		"resourceDisplayName": app,
		"status":              status,
	}
}

// directoryAudits is the audit log. Source: directoryAudit resource type.
func (h *Handler) directoryAudits(ctx context.Context, r request) (int, any, error) {
	events, err := h.Tenant.Events(ctx, maxLog)
	if err != nil {
		return 0, nil, err
	}
	all := make([]object, len(events))
	for i, e := range events {
		all[i] = auditObject(e)
	}
	return h.newestFirst(r, auditType(), all)
}

func auditObject(e audit.Event) object {
	result, by := "success", object{
		"user": nil,
		"app":  object{"displayName": e.Actor.Name, "servicePrincipalName": nil},
	}
	if e.Result != audit.Granted {
		result = "failure"
	}
	if e.Actor.Kind == audit.User || e.Actor.Kind == audit.Administrator {
		by = object{"app": nil, "user": object{"userPrincipalName": e.Actor.Name, "ipAddress": e.Actor.Address}}
	}
	return object{
		"id":                  e.ID,
		"activityDateTime":    e.Time.UTC().Format(time.RFC3339),
		"activityDisplayName": e.Action,
		"result":              result,
		"resultReason":        e.Detail,
		"correlationId":       e.Actor.RequestID,
		"initiatedBy":         by,
		"targetResources":     []object{{"displayName": e.Subject}},
		"loggedByService":     "Core Directory",
	}
}

// auditSample has what an entry says of a person and what it says of a program.
func auditSample() object {
	by := func(kind audit.Kind) object { return auditObject(audit.Event{Actor: audit.Actor{Kind: kind}}) }
	person, program := by(audit.User), by(audit.Application)
	person["initiatedBy"].(object)["app"] = program["initiatedBy"].(object)["app"]
	return person
}
