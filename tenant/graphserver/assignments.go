package graphserver

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// getAssignment answers one of them. Source: Get appRoleAssignment.
func (h *Handler) getAssignment(ctx context.Context, r request) (int, any, error) {
	app, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return h.assignment(ctx, r, tenant.AssignmentQuery{ServicePrincipalID: app.ServicePrincipalID})
}

func (h *Handler) getAssignmentOf(ctx context.Context, r request) (int, any, error) {
	id, err := h.principal(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return h.assignment(ctx, r, tenant.AssignmentQuery{PrincipalID: id})
}

// assignment answers the one that the path names, if it is among those that q finds.
func (h *Handler) assignment(ctx context.Context, r request, q tenant.AssignmentQuery) (int, any, error) {
	all, err := h.Tenant.Assignments(ctx, q)
	if err != nil {
		return 0, nil, err
	}
	id := r.PathValue("assignment")
	i := slices.IndexFunc(all, func(a tenant.Assignment) bool { return string(a.ID) == id })
	if i < 0 {
		return 0, nil, &refusal.Error{Code: tenant.AssignmentNotFound, Subject: id}
	}
	objects, err := h.assignmentObjectsOf(ctx)(all[i : i+1])
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, assignmentType(), objects[0])
}
