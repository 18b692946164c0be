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

const (
	// accessEach is how often each node looks for windows that begin and end. It is how late access
	// can be there, and how late it can be gone.
	accessEach = time.Second //bound:none how often, not how much
	// dueAtOnce bounds what is looked up of them at once; the rest follows.
	dueAtOnce = 50 //bound:list requests for access that the center works on at once
	// roleMadeEach is how often the center looks whether the role of a window has been made.
	roleMadeEach = 2 * time.Second //bound:none how often, not how much
)

func (c *Center) wakeAccess() { wake(c.accessWork) }

// openWindow makes the assignment of a request, or has it made with its role. A refusal comes
// before anything is written.
func (c *Center) openWindow(tx Tx, r *AccessRequest, now time.Time) error {
	r.State, r.StartedAt = AccessActive, now
	r.EndsAt = now.Add(r.Length)
	if !r.Start.IsZero() {
		r.EndsAt = r.Start.Add(r.Length)
	}
	creation, err := c.want(tx, r.origin(), r.assignment())
	if err != nil {
		return err
	}
	r.Creation, r.LookAt = "", time.Time{}
	if creation != nil && creation.Status == InProgress {
		r.Creation, r.LookAt = creation.ID, now.Add(roleMadeEach)
	}
	return tx.PutAccessRequest(*r)
}

// closeWindow takes an assignment back, unless somebody else wants it too, and with it the
// credentials of the role, unless the person has the role by another way.
func (c *Center) closeWindow(tx Tx, r *AccessRequest, state AccessState, by, reason string) error {
	now, err := c.clock(tx)
	if err != nil {
		return err
	}
	r.finish(state, now, by, reason)
	role, err := tx.Provisioned(r.AccountID, r.PermissionSetARN)
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	if err := c.wantNoMore(tx, r.origin(), r.assignment()); err != nil {
		return err
	}
	_, err = tx.RoleOf(r.UserID, r.AccountID, r.PermissionSetName)
	if errors.Is(err, refusal.ErrNoRow) {
		err = c.revokeRole(tx, r.UserID, role)
	}
	return errors.Join(err, tx.PutAccessRequest(*r), c.tell(tx, NoticeEnded, *r))
}

// revokeRole has one role refuse the credentials that a person has of it.
func (c *Center) revokeRole(tx Tx, user UserID, role Provisioned) error {
	if role.RoleName == "" {
		return nil
	}
	goes := false // and all that its credentials allow with it
	if !IsRoleARN(role.RoleName) {
		there, err := tx.Provisioned(role.AccountID, role.PermissionSetARN)
		goes = errors.Is(err, refusal.ErrNoRow) || (err == nil && there.RoleName != role.RoleName)
		if err != nil && !goes {
			return err
		}
	}
	sessions, err := tx.RoleSessionsOf(user)
	if err != nil {
		return err
	}
	now, err := c.clock(tx) // a node whose clock is slow would deny too little
	if err != nil {
		return err
	}
	since, err := refusedSince(tx, user, role.RoleName)
	if err != nil {
		return err
	}
	ours := another(now, since)
	for _, s := range slices.Backward(sessions) { // what IAM must be told stands in place of what is our own
		if s.RoleName != role.RoleName || !s.Until.After(now) {
			continue
		}
		switch {
		case s.Own:
		case !c.canBeTold(s) && c.OwnSTS: // an earlier release did not note whose they are: they may be ours
			if err := putRevocation(tx, s.revocation(ours, true)); err != nil {
				return err
			}
			continue
		case goes || !c.canBeTold(s): // nobody can tell the role; the credentials run out
			continue
		}
		before := ours
		if !s.Own {
			before = now.Add(revocationSlack)
			if _, err := c.queueRole(tx, s.AccountID, s.PermissionSetARN, s.RoleName); err != nil {
				return err
			}
		}
		if err := errors.Join(
			putRevocation(tx, s.revocation(before, s.Own)), tx.DeleteRoleSession(s),
		); err != nil {
			return err
		}
	}
	return nil
}

// endWindows ends what a person has asked for and has: the person is disabled, deleted, or all
// that is open is revoked.
func (c *Center) endWindows(tx Tx, live []AccessRequest) (err error) {
	for _, r := range live {
		const why = "all that the person had open was ended"
		switch r.State {
		case AccessActive:
			err = c.closeWindow(tx, &r, AccessEnded, audit.SystemActor.Name, why)
		case AccessPending, AccessScheduled:
			r.finish(AccessCanceled, c.now(), audit.SystemActor.Name, why)
			err = tx.PutAccessRequest(r)
		case AccessEnded, AccessDenied, AccessCanceled, AccessExpired, AccessFailed:
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isWindow says whether a window wants an assignment, and not a rule.
func isWindow(origin string) bool { return strings.HasPrefix(origin, windowOrigin) }

// unassignWindows ends the windows that want an assignment which somebody deletes. What somebody
// made by hand goes too; where a rule wants it, it stays.
func (c *Center) unassignWindows(tx Tx, by audit.Actor, request *AssignmentRequest, origins []string) error {
	a := request.Assignment
	ruled := ""
	for _, o := range origins {
		id, window := strings.CutPrefix(o, windowOrigin)
		switch {
		case o == byHand:
			if err := tx.DeleteOrigin(byHand, a); err != nil {
				return err
			}
		case !window:
			ruled = o
		default:
			r, err := tx.AccessRequest(id)
			if err != nil {
				return refusal.IfNoRow(err, AccessRequestNotFound, id)
			}
			if err := c.closeWindow(tx, &r, AccessEnded, by.Name, "the assignment was deleted"); err != nil {
				return err
			}
		}
	}
	request.Status = Succeeded
	if ruled != "" && origins[0] != byHand {
		request.Status, request.FailureReason = Failed, followsRule(ruled)
	}
	return tx.PutAssignmentRequest(*request)
}

// stillWanted fails where a rule or a window does not want anymore what its request waits for.
func stillWanted(r Reader, request AssignmentRequest) error {
	if request.Origin == "" {
		return nil
	}
	origins, err := r.OriginsOf(request.Assignment)
	if err == nil && !slices.Contains(origins, request.Origin) {
		err = &refusal.Error{
			Code: RoleNotAssigned, Subject: request.Assignment.subject(), Detail: "nobody wants the assignment anymore",
		}
	}
	return err
}

// errNotDue says that a request needs nothing anymore: another node was faster.
var errNotDue = errors.New("the request is not due")

// WorkOnAccess does what is due: windows begin and end, and what nobody has decided on runs out. It
// says whether there may be more.
func (c *Center) WorkOnAccess(ctx context.Context) (bool, error) {
	var due []AccessRequest
	err := c.Store.Get(ctx, func(r Reader) (err error) {
		due, err = r.DueAccessRequests(c.now(), dueAtOnce)
		return err
	})
	var failed []error
	for _, r := range due {
		err := c.attendTo(ctx, r)
		if !errors.Is(err, errNotDue) {
			failed = append(failed, err)
		}
	}
	if len(due) > 0 {
		c.wakeRoleWorkers()
		wake(c.noticeWork)
	}
	return len(due) == dueAtOnce, errors.Join(append(failed, err)...)
}

// endAhead closes the windows that were opened by a clock that was ahead, which are not due yet.
// The first look after a start is at all that are open: a node of the release before has noted of
// none when it was opened.
func (c *Center) endAhead(ctx context.Context) error {
	if !c.lookedAtWindows.Load() {
		err := c.endAllAhead(ctx)
		c.lookedAtWindows.Store(err == nil)
		return err
	}
	var list []AccessRequest
	err := c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.AccessOpenedAfter(c.now(), dueAtOnce)
		return err
	})
	return errors.Join(err, c.endThoseAhead(ctx, list))
}

func (c *Center) endAllAhead(ctx context.Context) error {
	var failed []error
	for q := (AccessRequestQuery{Live: true, Limit: maxRequestsShown}); ; {
		list, err := c.AccessRequests(ctx, q)
		failed = append(failed, err, c.endThoseAhead(ctx, list))
		if err != nil || len(list) < q.Limit {
			return errors.Join(failed...)
		}
		q.Before = list[len(list)-1].ID
	}
}

func (c *Center) endThoseAhead(ctx context.Context, list []AccessRequest) error {
	var failed []error
	for _, r := range list {
		if r.ahead(c.now()) {
			if err := c.attendTo(ctx, r); !errors.Is(err, errNotDue) {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

// attendTo does what is due about one request, if it is still.
func (c *Center) attendTo(ctx context.Context, seen AccessRequest) error {
	action := ActionEndAccess
	switch seen.State {
	case AccessPending:
		action = ActionExpireAccess
	case AccessScheduled:
		action = ActionStartAccess
	case AccessActive:
		if seen.Creation != "" && seen.LookAt.Before(seen.EndsAt) && !seen.ahead(c.now()) {
			return c.lookAtRole(ctx, seen)
		}
	case AccessEnded, AccessDenied, AccessCanceled, AccessExpired, AccessFailed:
		return errNotDue
	}
	var refused error
	err := c.change(ctx, audit.SystemActor, action, func(tx Tx) (string, error) {
		r, now, err := c.stillDue(tx, seen)
		if err != nil {
			return seen.subject(), err
		}
		switch r.State {
		case AccessPending:
			r.finish(AccessExpired, now, audit.SystemActor.Name, "nobody decided in time")
			return r.subject(), errors.Join(tx.PutAccessRequest(r), c.tell(tx, NoticeDenied, r))
		case AccessScheduled:
			refused, err = c.begin(tx, &r, now)
			return r.subject(), err
		case AccessActive:
			return r.subject(), c.closeWindow(tx, &r, AccessEnded, audit.SystemActor.Name, "its time was over")
		case AccessEnded, AccessDenied, AccessCanceled, AccessExpired, AccessFailed:
		}
		return r.subject(), errNotDue
	})
	if err == nil && refused != nil {
		err = c.Refuse(ctx, audit.SystemActor, action.name, seen.subject(), refused)
		if refusal.CodeOf(err) != refusal.None {
			err = nil // it is recorded, and the request says so
		}
	}
	return err
}

// stillDue reads a request again.
func (c *Center) stillDue(tx Tx, seen AccessRequest) (AccessRequest, time.Time, error) {
	now, e1 := c.clock(tx)
	r, e2 := tx.AccessRequest(seen.ID)
	if errors.Is(e2, refusal.ErrNoRow) {
		e2 = errNotDue
	}
	if err := errors.Join(e1, e2); err != nil {
		return r, now, err
	}
	if r.State != seen.State || r.Due().After(now) && !r.ahead(now) {
		return r, now, errNotDue
	}
	return r, now, nil
}

// begin opens a window whose start has come, or says why it cannot be.
func (c *Center) begin(tx Tx, r *AccessRequest, now time.Time) (refused, err error) {
	why, err := mayStillHave(tx, *r)
	if err != nil {
		return nil, err
	}
	if !r.Start.Add(r.Length).After(now) {
		why = "its time was over before it began"
	}
	if why == "" {
		begun := *r
		err := c.openWindow(tx, &begun, now)
		if code := refusal.CodeOf(err); code == refusal.None || code.Kind() == refusal.Unavailable {
			*r = begun
			return nil, err
		}
		refused, why = err, err.Error() // nothing is written yet
	}
	r.finish(AccessFailed, now, audit.SystemActor.Name, why)
	return refused, errors.Join(tx.PutAccessRequest(*r), c.tell(tx, NoticeEnded, *r))
}

// lookAtRole looks whether the role that a window waits for has been made.
func (c *Center) lookAtRole(ctx context.Context, seen AccessRequest) error {
	return c.Store.Update(ctx, func(tx Tx) error {
		r, now, err := c.stillDue(tx, seen)
		if err != nil {
			return err
		}
		creation, err := tx.AssignmentRequest(r.Creation)
		switch {
		case err != nil && !errors.Is(err, refusal.ErrNoRow):
			return err
		case err == nil && creation.Status == InProgress:
			r.LookAt = now.Add(roleMadeEach)
		case err == nil && creation.Status == Failed:
			err := c.closeWindow(tx, &r, AccessFailed, audit.SystemActor.Name, creation.FailureReason)
			said := &refusal.Error{Code: RoleRefused, Detail: creation.FailureReason}
			return errors.Join(
				err, tx.AppendEvent(c.event(audit.SystemActor, ActionStartAccess.name, r.subject(), said)),
			)
		default:
			r.Creation, r.LookAt = "", time.Time{}
		}
		return tx.PutAccessRequest(r)
	})
}

// want has an assignment exist for an origin: a rule or a window. It returns the request for it,
// unless it is there already. A refusal comes before anything is written.
func (c *Center) want(tx Tx, origin string, a Assignment) (*AssignmentRequest, error) {
	there, err := tx.Assignments(a.query())
	if err != nil {
		return nil, err
	}
	origins, err := tx.OriginsOf(a)
	if err != nil {
		return nil, err
	}
	byHandToo := len(there) > 0 && len(origins) == 0
	if len(there) == 0 && len(origins) == 0 {
		byHandToo, err = c.madeByHand(tx, a)
		if err != nil {
			return nil, err
		}
	}
	var request *AssignmentRequest
	if len(there) == 0 {
		request = &AssignmentRequest{
			ID: c.NewID(), Kind: Creation, Assignment: a, Origin: origin, CreatedAt: c.now(),
		}
		if err := c.assign(tx, request); err != nil {
			return nil, err
		}
	}
	if byHandToo {
		err = tx.PutOrigin(byHand, a)
	}
	return request, errors.Join(err, tx.PutOrigin(origin, a))
}

// madeByHand says whether somebody has asked for an assignment by hand, which waits for its role.
func (c *Center) madeByHand(tx Tx, a Assignment) (bool, error) {
	if c.Roles == nil {
		return false, nil
	}
	jobs, err := tx.RoleJobs(RoleJobQuery{
		AccountID: a.AccountID, PermissionSetARN: a.PermissionSetARN, Retire: new(bool),
	})
	for _, job := range jobs {
		waiting, failed := tx.WaitingFor(job.RoleName)
		if slices.ContainsFunc(waiting, func(r AssignmentRequest) bool {
			return r.Kind == Creation && r.Origin == "" && r.Assignment == a
		}) {
			return true, nil
		}
		err = errors.Join(err, failed)
	}
	return false, err
}

// wantNoMore takes an origin's wish for an assignment back, and the assignment where nobody else
// wants it.
func (c *Center) wantNoMore(tx Tx, origin string, a Assignment) error {
	there, err := tx.Assignments(a.query())
	if err != nil {
		return err
	}
	origins, err := tx.OriginsOf(a)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(origins, func(o string) bool { return o == origin })
	if len(others) == 0 && len(there) > 0 {
		request := AssignmentRequest{ID: c.NewID(), Kind: Deletion, Assignment: a, CreatedAt: c.now()}
		err = c.unassign(tx, &request)
	}
	if slices.Equal(others, []string{byHand}) { // an assignment like any other again
		err = tx.DeleteOrigin(byHand, a)
	}
	return errors.Join(err, tx.DeleteOrigin(origin, a))
}

// query selects the assignment alone.
func (a Assignment) query() AssignmentQuery {
	return AssignmentQuery{
		AccountID:        a.AccountID,
		PermissionSetARN: a.PermissionSetARN,
		PrincipalType:    a.PrincipalType,
		PrincipalID:      a.PrincipalID,
		Limit:            1,
	}
}
