package console

import (
	"context"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

func accounts(p page) error {
	list, err := p.h.Center.Accounts(p.Context())
	if err != nil {
		return err
	}
	return p.Render("accounts", "AWS accounts", "/console/accounts", list)
}

func (h *Handler) listAccounts(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.Accounts, error) {
	list, err := h.Center.Accounts(ctx)
	out := adminapi.Accounts{Accounts: []adminapi.Account{}}
	for _, a := range list {
		status := adminapi.AccountActive
		if a.Suspended {
			status = adminapi.AccountSuspended
		}
		out.Accounts = append(out.Accounts, adminapi.Account{ID: a.ID, Name: a.Name, Email: a.Email, Status: status})
	}
	return out, err
}

func (h *Handler) putAccounts(ctx context.Context, who awsapi.Caller, in adminapi.Accounts) (adminapi.None, error) {
	if n := len(in.Accounts); n < 1 || n > adminapi.MaxAccountsAtOnce {
		return adminapi.None{}, &center.Error{Code: center.InvalidValue, Field: "Accounts", Detail: "want 1 to 100 accounts"}
	}
	var list []center.Account
	for _, a := range in.Accounts {
		if a.Status != "" && a.Status != adminapi.AccountActive && a.Status != adminapi.AccountSuspended {
			return adminapi.None{}, &center.Error{Code: center.InvalidValue, Field: "Status", Subject: a.ID, Detail: "want ACTIVE or SUSPENDED"}
		}
		list = append(list, center.Account{ID: a.ID, Name: a.Name, Email: a.Email, Suspended: a.Status == adminapi.AccountSuspended})
	}
	return adminapi.None{}, h.Center.PutAccounts(ctx, awsdoor.Actor(who), list)
}

func putAccount(p page) error {
	a := center.Account{ID: p.PostFormValue("id"), Name: p.PostFormValue("name"), Email: p.PostFormValue("email"), Suspended: p.PostFormValue("suspended") != ""}
	if err := p.h.Center.PutAccount(p.Context(), p.by, a); err != nil {
		return err
	}
	return p.Done("/console/accounts", "The account is saved.")
}

func permissionSets(p page) error {
	list, err := p.h.Center.PermissionSets(p.Context(), center.PermissionSetQuery{})
	if err != nil {
		return err
	}
	return p.Render("permission-sets", "Permission sets", "/console/permission-sets", list)
}

func createPermissionSet(p page) error {
	hours, err := strconv.Atoi(p.PostFormValue("hours"))
	if err != nil {
		hours = 1
	}
	set, err := p.h.Center.CreatePermissionSet(p.Context(), p.by, center.PermissionSet{
		Name: p.PostFormValue("name"), Description: p.PostFormValue("description"), SessionDuration: time.Duration(hours) * time.Hour})
	if err != nil {
		return err
	}
	if policy := p.PostFormValue("policy"); policy != "" {
		if err := p.h.Center.AttachManagedPolicy(p.Context(), p.by, set.ARN, policy); err != nil {
			return err
		}
	}
	return p.Done("/console/permission-sets", "The permission set is created.")
}

func deletePermissionSet(p page) error {
	if err := p.h.Center.DeletePermissionSet(p.Context(), p.by, p.PostFormValue("arn")); err != nil {
		return err
	}
	return p.Done("/console/permission-sets", "The permission set is deleted.")
}

// assignmentLine is an assignment with names. The principal of a deleted user or group has none.
type assignmentLine struct {
	Assignment            center.Assignment
	Account, Set, Subject string
}

type assignmentsData struct {
	Lines    []assignmentLine
	Accounts []center.Account
	Sets     []center.PermissionSet
}

func assignments(p page) error {
	ctx, c := p.Context(), p.h.Center
	var d assignmentsData
	list, err := c.Assignments(ctx, center.AssignmentQuery{Limit: 500})
	if err != nil {
		return err
	}
	if d.Accounts, err = c.Accounts(ctx); err != nil {
		return err
	}
	if d.Sets, err = c.PermissionSets(ctx, center.PermissionSetQuery{}); err != nil {
		return err
	}
	names := map[string]string{}
	for _, a := range d.Accounts {
		names[a.ID] = a.Name
	}
	for _, s := range d.Sets {
		names[s.ARN] = s.Name
	}
	for _, a := range list {
		if names[a.PrincipalID] == "" {
			if names[a.PrincipalID], err = p.principalName(a); err != nil {
				return err
			}
		}
		d.Lines = append(d.Lines, assignmentLine{a, names[a.AccountID], names[a.PermissionSetARN], names[a.PrincipalID]})
	}
	return p.Render("assignments", "Assignments", "/console/assignments", d)
}

func (p page) principalName(a center.Assignment) (string, error) {
	if a.PrincipalType == center.PrincipalGroup {
		g, err := p.h.Center.Group(p.Context(), center.GroupID(a.PrincipalID))
		if center.KindOf(err) == center.NotFound {
			return "deleted group", nil
		}
		return g.DisplayName, err
	}
	u, err := p.h.Center.User(p.Context(), center.UserID(a.PrincipalID))
	if center.KindOf(err) == center.NotFound {
		return "deleted user", nil
	}
	return u.UserName, err
}

// createAssignment finds the principal by name: a user name or a group's display name.
func createAssignment(p page) error {
	a := center.Assignment{AccountID: p.PostFormValue("account"), PermissionSetARN: p.PostFormValue("set"), PrincipalType: center.PrincipalType(p.PostFormValue("type"))}
	if a.PrincipalType == center.PrincipalGroup {
		g, err := p.h.Center.GroupByName(p.Context(), p.PostFormValue("principal"))
		if err != nil {
			return err
		}
		a.PrincipalID = string(g.ID)
	} else {
		u, err := p.h.Center.UserByName(p.Context(), p.PostFormValue("principal"))
		if err != nil {
			return err
		}
		a.PrincipalID = string(u.ID)
	}
	if _, err := p.h.Center.CreateAssignment(p.Context(), p.by, a); err != nil {
		return err
	}
	return p.Done("/console/assignments", "The assignment is made.")
}

func deleteAssignment(p page) error {
	_, err := p.h.Center.DeleteAssignment(p.Context(), p.by, center.Assignment{
		AccountID: p.PostFormValue("account"), PermissionSetARN: p.PostFormValue("set"),
		PrincipalType: center.PrincipalType(p.PostFormValue("type")), PrincipalID: p.PostFormValue("principal")})
	if err != nil {
		return err
	}
	return p.Done("/console/assignments", "The assignment is deleted.")
}

type auditData struct {
	Events    []audit.Event
	Reference string
	Explained []center.Explanation // the same events, when they are those of one reference
	Before    int64                // milliseconds; 0: no further page
}

func auditLog(p page) error {
	q := center.EventQuery{RequestID: p.URL.Query().Get("reference"), Limit: pageSize + 1}
	if ms, err := strconv.ParseInt(p.URL.Query().Get("before"), 10, 64); err == nil {
		q.Before = time.UnixMilli(ms)
	}
	events, err := p.h.Center.Events(p.Context(), q)
	if err != nil {
		return err
	}
	d := auditData{Events: events, Reference: q.RequestID}
	if q.RequestID != "" {
		for _, e := range events {
			d.Explained = append(d.Explained, center.ExplainEvent(e))
		}
	}
	if len(events) > pageSize {
		d.Events = events[:pageSize]
		d.Before = events[pageSize-1].Time.UnixMilli()
	}
	return p.Render("audit", "Audit", "/console/audit", d)
}
