package center

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ApproveAccess is an approver's yes to a request, or to its extension. With the last that is
// needed the window opens, or waits for its start. Whose approval is counted is looked at anew each
// time: an approver who has left the group, or is disabled, counts no more. Who asked and may not
// ask anymore is denied. It fails with AccessRequestNotFound, OwnAccessRequest, NotApprover,
// AccessRequestClosed or AccessDecidedAlready.
func (c *Center) ApproveAccess(
	ctx context.Context, by audit.Actor, approver UserID, id, comment string,
) (request AccessRequest, err error) {
	err = c.change(ctx, by, ActionApproveAccess, func(tx Tx) (string, error) {
		var now time.Time
		request, now, err = c.toDecide(tx, approver, id, comment)
		if err != nil {
			return id, err
		}
		if request.decidedBy(approver) {
			return request.subject(), &refusal.Error{Code: AccessDecidedAlready, Subject: id}
		}
		decision := AccessDecision{By: approver, UserName: by.Name, Approve: true, Comment: comment, At: now}
		if request.State == AccessActive {
			return request.subject(), c.approveExtension(tx, &request, decision)
		}
		request.Decisions = append(request.Decisions, decision)
		enough, err := enoughApprovals(tx, request, request.Decisions)
		if err != nil {
			return request.subject(), err
		}
		if !enough {
			return request.subject(), tx.PutAccessRequest(request)
		}
		if why, err := mayStillHave(tx, request); err != nil || why != "" {
			request.finish(AccessDenied, now, audit.SystemActor.Name, why)
			return request.subject(), errors.Join(err, tx.PutAccessRequest(request), c.tell(tx, NoticeDenied, request))
		}
		request.DecidedAt = now
		if request.Start.After(now) {
			request.State = AccessScheduled
			err = tx.PutAccessRequest(request)
		} else {
			err = c.openWindow(tx, &request, now)
		}
		return request.subject(), errors.Join(err, c.tell(tx, NoticeApproved, request))
	})
	c.wakeRoleWorkers()
	c.wakeAccess()
	return request, err
}

// approveExtension counts an approval of an extension, and has the window end later when there are
// enough.
func (c *Center) approveExtension(tx Tx, request *AccessRequest, decision AccessDecision) error {
	extension := *request.Extension
	extension.Decisions = append(slices.Clone(extension.Decisions), decision)
	request.Extension = &extension
	enough, err := enoughApprovals(tx, *request, extension.Decisions)
	if err != nil || !enough {
		return errors.Join(err, tx.PutAccessRequest(*request))
	}
	request.Extension = nil
	why, err := mayStillHave(tx, *request)
	if err != nil {
		return err
	}
	if why == "" {
		request.EndsAt = request.EndsAt.Add(extension.Length)
		request.Extensions = append(request.Extensions, extension)
		return errors.Join(tx.PutAccessRequest(*request), c.tell(tx, NoticeApproved, *request))
	}
	request.EndReason = why
	return errors.Join(tx.PutAccessRequest(*request), c.tell(tx, NoticeDenied, *request))
}

// DenyAccess is an approver's no to a request, or to its extension. One is enough. It fails as
// ApproveAccess does.
func (c *Center) DenyAccess(
	ctx context.Context, by audit.Actor, approver UserID, id, comment string,
) (request AccessRequest, err error) {
	err = c.change(ctx, by, ActionDenyAccess, func(tx Tx) (string, error) {
		var now time.Time
		request, now, err = c.toDecide(tx, approver, id, comment)
		if err != nil {
			return id, err
		}
		decision := AccessDecision{By: approver, UserName: by.Name, Comment: comment, At: now}
		request.Decisions = append(request.Decisions, decision)
		if request.State == AccessActive {
			request.Extension = nil
		} else {
			request.finish(AccessDenied, now, by.Name, comment)
		}
		return request.subject(), errors.Join(tx.PutAccessRequest(request), c.tell(tx, NoticeDenied, request))
	})
	return request, err
}

// ReviewAccess says afterwards whether emergency access was right. Where it was not, and is open
// still, it ends. It fails with AccessRequestNotFound, OwnAccessRequest, NotApprover or
// AccessRequestClosed.
func (c *Center) ReviewAccess(
	ctx context.Context, by audit.Actor, approver UserID, id string, right bool, comment string,
) (request AccessRequest, err error) {
	err = c.change(ctx, by, ActionReviewAccess, func(tx Tx) (string, error) {
		request, err = forApprover(tx, approver, id)
		if err != nil {
			return id, err
		}
		if !request.ToReview() {
			return request.subject(), &refusal.Error{Code: AccessRequestClosed, Detail: "there is nothing to review"}
		}
		if err := checkProse("Comment", comment, maxReason); err != nil {
			return request.subject(), err
		}
		now, err := c.clock(tx)
		if err != nil {
			return request.subject(), err
		}
		request.Review = &AccessDecision{By: approver, UserName: by.Name, Approve: right, Comment: comment, At: now}
		if !right && request.State == AccessActive {
			const why = "the review found it not justified"
			return request.subject(), c.closeWindow(tx, &request, AccessEnded, by.Name, why)
		}
		return request.subject(), tx.PutAccessRequest(request)
	})
	c.wakeRoleWorkers()
	return request, err
}

// EndAccess ends a window early, or takes back what has not begun. Who asked may, and who may
// decide on it; an administrator is nobody's user (""). It fails with AccessRequestNotFound,
// NotApprover or AccessRequestClosed.
func (c *Center) EndAccess(
	ctx context.Context, by audit.Actor, user UserID, id, reason string,
) (request AccessRequest, err error) {
	err = c.change(ctx, by, ActionEndAccess, func(tx Tx) (string, error) {
		request, err = tx.AccessRequest(id)
		if err != nil {
			return id, refusal.IfNoRow(err, AccessRequestNotFound, id)
		}
		if by.Kind == audit.User && request.UserID != user {
			if request, err = forApprover(tx, user, id); err != nil {
				return id, err
			}
		}
		if err := checkProse("Reason", reason, maxReason); err != nil {
			return request.subject(), err
		}
		now, err := c.clock(tx)
		if err != nil {
			return request.subject(), err
		}
		switch request.State {
		case AccessActive:
			return request.subject(), c.closeWindow(tx, &request, AccessEnded, by.Name, reason)
		case AccessPending, AccessScheduled:
			request.finish(AccessCanceled, now, by.Name, reason)
			return request.subject(), errors.Join(tx.PutAccessRequest(request), c.tell(tx, NoticeEnded, request))
		case AccessEnded, AccessDenied, AccessCanceled, AccessExpired, AccessFailed:
		}
		return request.subject(), &refusal.Error{
			Code: AccessRequestClosed, Detail: "the request is " + strings.ToLower(string(request.State)),
		}
	})
	c.wakeRoleWorkers()
	return request, err
}

// toDecide returns a request that somebody may approve or deny, and the time.
func (c *Center) toDecide(r Reader, approver UserID, id, comment string) (AccessRequest, time.Time, error) {
	request, err := forApprover(r, approver, id)
	if err != nil {
		return request, time.Time{}, err
	}
	if err := checkProse("Comment", comment, maxReason); err != nil {
		return request, time.Time{}, err
	}
	now, err := c.clock(r)
	late := request.State == AccessPending && !now.Before(request.ExpiresAt) ||
		request.State == AccessActive && !now.Before(request.EndsAt)
	if err == nil && (!request.ToDecide() || late) {
		err = &refusal.Error{
			Code: AccessRequestClosed, Detail: "the request is " + strings.ToLower(string(request.State)),
		}
	}
	return request, now, err
}

// forApprover returns a request that somebody is to decide on: not one's own.
func forApprover(r Reader, approver UserID, id string) (AccessRequest, error) {
	request, err := r.AccessRequest(id)
	if err != nil {
		return request, refusal.IfNoRow(err, AccessRequestNotFound, id)
	}
	if request.UserID == approver {
		return request, &refusal.Error{Code: OwnAccessRequest, Subject: id}
	}
	counts, err := isApprover(r, request, approver)
	if err == nil && !counts {
		err = &refusal.Error{Code: NotApprover, Subject: id}
	}
	return request, err
}

// isApprover says whether somebody may decide on a request now.
func isApprover(r Reader, request AccessRequest, user UserID) (bool, error) {
	if user == request.UserID {
		return false, nil
	}
	u, err := r.User(user)
	if err == nil && u.Active {
		_, err = r.MembershipOf(request.Approvers, user)
	}
	if errors.Is(err, refusal.ErrNoRow) {
		return false, nil
	}
	return err == nil && u.Active, err
}

// enoughApprovals says whether as many approve as must, of those who may still.
func enoughApprovals(r Reader, request AccessRequest, decisions []AccessDecision) (bool, error) {
	n := 0
	for _, d := range decisions {
		counts, err := isApprover(r, request, d.By)
		if err != nil {
			return false, err
		}
		if counts && d.Approve {
			n++
		}
	}
	return n >= request.Approvals, nil
}

// mayStillHave says why a person may not have anymore what was asked for; empty: the person may.
func mayStillHave(r Reader, request AccessRequest) (string, error) {
	for _, look := range []func() error{
		func() error { _, err := activeUser(r, request.UserID); return err },
		func() error { _, err := openAccount(r, request.AccountID); return err },
		func() error {
			_, err := r.PermissionSet(request.PermissionSetARN)
			return refusal.IfNoRow(err, PermissionSetNotFound, request.PermissionSetARN)
		},
		func() error {
			p, err := r.RequestPolicy(request.PolicyID)
			if err == nil {
				_, err = r.MembershipOf(p.Eligible, request.UserID)
			}
			return refusal.IfNoRow(err, AccessNotOffered, request.UserName)
		},
	} {
		if err := look(); err != nil {
			if code := refusal.CodeOf(err); code != refusal.None && code.Kind() != refusal.Unavailable {
				return code.What(), nil
			}
			return "", err
		}
	}
	return "", nil
}
