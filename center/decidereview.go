package center

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ReviewVerdict is what somebody says about lines of a review.
type ReviewVerdict string

// The verdicts.
const (
	VerdictConfirm ReviewVerdict = "CONFIRM"
	VerdictRemove  ReviewVerdict = "REMOVE"
	VerdictRestore ReviewVerdict = "RESTORE" // what the review took is given back
)

var verdictActions = map[ReviewVerdict]Action{
	VerdictConfirm: ActionConfirmReviewedAccess,
	VerdictRemove:  ActionRemoveReviewedAccess,
	VerdictRestore: ActionRestoreReviewedAccess,
}

// DecideReview says of lines of a review that people keep what they have, that it goes at once, or
// that it is given back: of all of them or, where one is refused, of none. Owners may, but nobody
// confirms or restores what they have themselves; an administrator is nobody's user (""). It fails
// with AccessReviewNotFound, ReviewLineNotFound, NotReviewOwner, OwnReviewedAccess,
// AccessReviewClosed, or a code of kind Invalid.
func (c *Center) DecideReview(
	ctx context.Context, by audit.Actor, user UserID, review string, verdict ReviewVerdict, keys []string,
	comment string,
) (lines []ReviewLine, err error) {
	action, known := verdictActions[verdict]
	if !known {
		return nil, &refusal.Error{Code: InvalidValue, Field: "Verdict", Detail: "use CONFIRM, REMOVE or RESTORE"}
	}
	var rules []AssignmentRule
	err = c.change(ctx, by, action, func(tx Tx) (string, error) {
		lines, rules = nil, nil
		v, now, err := c.openReview(tx, review, verdict)
		if err != nil {
			return review, err
		}
		switch {
		case len(keys) == 0:
			return v.subject(), &refusal.Error{Code: MissingValue, Field: "Lines", Detail: "name a line at least"}
		case len(keys) > reviewLinesAtOnce:
			return v.subject(), &refusal.Error{Code: InvalidValue, Field: "Lines", Detail: "at most 200 at once"}
		}
		if err := checkProse("Comment", comment, maxReason); err != nil {
			return v.subject(), err
		}
		subject := ""
		for _, key := range keys {
			l, err := tx.ReviewLine(v.ID, key)
			if err != nil {
				return v.ID + "/" + key, refusal.IfNoRow(err, ReviewLineNotFound, key)
			}
			if err := mayDecide(tx, by, user, l, verdict); err != nil {
				return l.subject(), err
			}
			l.Comment = comment
			l.DecidedBy, l.DecidedAt = by.Name, now
			if err := c.carryOut(tx, v, &l, verdict); err != nil {
				return l.subject(), err
			}
			if l.Way == ByRule {
				rules = append(rules, *l.Rule)
			}
			lines = append(lines, l)
			if subject == "" {
				subject = l.subject() // the event of the change itself has it
			} else if err := tx.AppendEvent(c.event(by, action.name, l.subject(), nil)); err != nil {
				return l.subject(), err
			}
		}
		return subject, tx.PutReviewLines(lines)
	})
	if err == nil && verdict != VerdictConfirm {
		c.followRules(ctx, by, rules)
	}
	return lines, err
}

// followRules has rules that were deleted or given back followed at once. What fails is done when
// rules are applied next.
func (c *Center) followRules(ctx context.Context, by audit.Actor, rules []AssignmentRule) {
	for _, rule := range rules {
		var now AssignmentRule
		err := c.Store.Get(ctx, func(r Reader) (err error) {
			now, err = r.AssignmentRule(rule.ID)
			return err
		})
		if err == nil {
			_, err = c.applyRule(ctx, by, now)
		}
		if err != nil && !errors.Is(err, refusal.ErrNoRow) {
			c.Log.WarnContext(ctx, "follow a rule after a review", "rule", rule.ID, "error", err)
		}
	}
	c.wakeRules()
	c.wakeRoleWorkers()
	c.wakeAccess()
}

// openReview returns a review in which something can be decided, and the time.
func (c *Center) openReview(r Reader, id string, verdict ReviewVerdict) (v AccessReview, now time.Time, err error) {
	if v, err = r.AccessReview(id); err != nil {
		return v, now, refusal.IfNoRow(err, AccessReviewNotFound, id)
	}
	if now, err = c.clock(r); err != nil {
		return v, now, err
	}
	if verdict != VerdictRestore && (v.State != ReviewOpen || !now.Before(v.Deadline)) {
		err = &refusal.Error{Code: AccessReviewClosed, Subject: v.Name}
	}
	return v, now, err
}

// mayDecide refuses who is not the owner, and who would confirm their own access.
func mayDecide(r Reader, by audit.Actor, user UserID, l ReviewLine, verdict ReviewVerdict) error {
	if by.Kind != audit.User {
		return nil
	}
	owns, err := isOwner(r, l, user)
	if err != nil {
		return err
	}
	if !owns {
		return &refusal.Error{Code: NotReviewOwner, Subject: l.Key}
	}
	if verdict == VerdictRemove {
		return nil
	}
	own, err := among(r, Principal{l.Assignment.PrincipalType, l.Assignment.PrincipalID}, user)
	if own {
		err = errors.Join(err, &refusal.Error{Code: OwnReviewedAccess, Subject: l.Key})
	}
	return err
}

// isOwner says whether somebody who may sign in is the owner of a line now.
func isOwner(r Reader, l ReviewLine, user UserID) (bool, error) {
	u, err := r.User(user)
	if errors.Is(err, refusal.ErrNoRow) {
		return false, nil
	}
	if err != nil || !u.Active {
		return false, err
	}
	return among(r, l.Owner, user)
}

// among says whether a user is a principal, or a member of it.
func among(r Reader, p Principal, user UserID) (bool, error) {
	if p.Type != PrincipalGroup {
		return p.ID == string(user), nil
	}
	_, err := r.MembershipOf(GroupID(p.ID), user)
	if errors.Is(err, refusal.ErrNoRow) {
		return false, nil
	}
	return err == nil, err
}

// carryOut does what a verdict says of one line, and notes it there.
func (c *Center) carryOut(tx Tx, v AccessReview, l *ReviewLine, verdict ReviewVerdict) error {
	switch verdict {
	case VerdictConfirm:
		if l.State != LineOpen && l.State != LineConfirmed {
			return &refusal.Error{
				Code: AccessReviewClosed, Subject: l.Key, Detail: "what was taken can only be restored",
			}
		}
		l.State = LineConfirmed
		return nil
	case VerdictRemove:
		if l.State != LineOpen && l.State != LineConfirmed {
			return &refusal.Error{Code: AccessReviewClosed, Subject: l.Key, Detail: "it is taken already"}
		}
		return c.takeAway(tx, l, LineRemoved)
	case VerdictRestore:
	}
	return c.giveBack(tx, v, l)
}

// takeAway takes what a line is about, and what credentials are out of it. Somebody may have taken
// it before.
func (c *Center) takeAway(tx Tx, l *ReviewLine, taken LineState) error {
	l.State = taken
	switch l.Way {
	case ByRule:
		rule, err := tx.AssignmentRule(l.Rule.ID)
		if errors.Is(err, refusal.ErrNoRow) || err == nil && rule.Deleting {
			l.State = LineGone
			return nil
		}
		rule.Deleting = true
		return errors.Join(err, tx.PutAssignmentRule(rule))
	case ByRequest:
		q, err := tx.AccessRequest(l.RequestID)
		if errors.Is(err, refusal.ErrNoRow) || err == nil && q.State != AccessActive {
			l.State = LineGone
			return nil
		}
		if err != nil {
			return err
		}
		return c.closeWindow(tx, &q, AccessEnded, l.DecidedBy, "a review of access took it")
	case ByRole:
		return c.takeEntitlement(tx, l)
	case ByUser, ByGroup:
	}
	there, err := tx.Assignments(l.Assignment.query())
	if err != nil {
		return err
	}
	origins, err := tx.OriginsOf(l.Assignment)
	if err != nil {
		return err
	}
	if len(there) == 0 || len(origins) > 0 && origins[0] != byHand {
		l.State = LineGone
		return nil
	}
	role, err := tx.Provisioned(l.Assignment.AccountID, l.Assignment.PermissionSetARN)
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	if err := c.wantNoMore(tx, byHand, l.Assignment); err != nil {
		return err
	}
	return c.refuseHolders(tx, l.Assignment, role)
}

// refuseHolders has a role refuse the credentials of those who had it by an assignment that is
// gone, unless they have it by another way.
func (c *Center) refuseHolders(tx Tx, a Assignment, role Provisioned) error {
	uses, err := tx.RoleUses(RoleUsesQuery{
		AccountID: a.AccountID, PermissionSetARN: a.PermissionSetARN,
		Since: c.now().Add(-longestRoleSession - time.Hour), // older ones have run out, by any clock
	})
	if err != nil {
		return err
	}
	for _, u := range uses {
		held, err := among(tx, Principal{a.PrincipalType, a.PrincipalID}, u.UserID)
		if err != nil {
			return err
		}
		if !held {
			continue
		}
		choice := a.PermissionSetARN
		if !IsRoleARN(choice) {
			set, err := tx.PermissionSet(choice)
			if err != nil {
				return refusal.IfNoRow(err, PermissionSetNotFound, choice)
			}
			choice = set.Name
		}
		_, err = chosenRole(tx, u.UserID, a.AccountID, choice)
		if errors.Is(err, refusal.ErrNoRow) {
			err = c.revokeRole(tx, u.UserID, role)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// giveBack restores what a review has taken.
func (c *Center) giveBack(tx Tx, v AccessReview, l *ReviewLine) error {
	before, err := tx.ReviewLine(v.ID, l.Key)
	if err != nil {
		return err
	}
	until := before.DecidedAt.Add(time.Duration(v.RestoreDays) * 24 * time.Hour)
	switch {
	case !l.Taken():
		return &refusal.Error{Code: NothingToRestore, Subject: l.Key, Detail: "the review has not taken it"}
	case l.Way == ByRequest:
		return &refusal.Error{Code: NothingToRestore, Subject: l.Key, Detail: "a window does not come back: ask again"}
	case l.Way == ByRole && l.Entitlement == nil: // a node of an earlier release has written the line
		return &refusal.Error{Code: NothingToRestore, Subject: l.Key, Detail: "entitle to the role anew"}
	case !l.DecidedAt.Before(until):
		return &refusal.Error{
			Code: NothingToRestore, Subject: l.Key,
			Detail: names.Counted("%d {day has|days have} passed: assign it anew", v.RestoreDays),
		}
	}
	l.State = LineRestored
	if v.State == ReviewOpen && l.DecidedAt.Before(v.Deadline) {
		l.State = LineOpen // and has to be decided on again
	}
	a := l.Assignment
	if l.Way == ByRole {
		return giveEntitlementBack(tx, *l.Entitlement)
	}
	if l.Way == ByRule {
		if _, err := tx.PermissionSet(a.PermissionSetARN); err != nil {
			return refusal.IfNoRow(err, PermissionSetNotFound, a.PermissionSetARN)
		}
		rule := *l.Rule
		rule.Deleting, rule.Problem = false, ""
		return errors.Join(checkPrincipal(tx, a.PrincipalType, a.PrincipalID), tx.PutAssignmentRule(rule))
	}
	request := AssignmentRequest{ID: c.NewID(), Kind: Creation, Assignment: a, CreatedAt: l.DecidedAt}
	if err := c.assign(tx, &request); err != nil {
		return err
	}
	origins, err := tx.OriginsOf(a)
	if err == nil && len(origins) > 0 {
		err = tx.PutOrigin(byHand, a)
	}
	return err
}

// CloseAccessReview brings a review's deadline to now. Where keep is set, what nobody has confirmed
// stays, whatever was said when it began. It fails with AccessReviewNotFound or AccessReviewClosed.
func (c *Center) CloseAccessReview(
	ctx context.Context, by audit.Actor, id string, keep bool,
) (v AccessReview, err error) {
	err = c.change(ctx, by, ActionCloseAccessReview, func(tx Tx) (string, error) {
		var now time.Time
		if v, now, err = c.openReview(tx, id, VerdictConfirm); err != nil {
			return id, err
		}
		v.State, v.ClosedBy = ReviewClosing, by.Name
		v.Deadline = now
		v.EndUnconfirmed = v.EndUnconfirmed && !keep
		return v.subject(), tx.PutAccessReview(v)
	})
	wake(c.reviewWork)
	return v, err
}

// WorkOnReviews does what is due about reviews: owners are reminded, and at the deadline what
// nobody has confirmed ends or stays. It says whether there may be more. While the clock is doubted
// it closes only what an administrator has closed: a deadline that comes a year early would take
// the access of everybody.
func (c *Center) WorkOnReviews(ctx context.Context) (more bool, err error) {
	var due []AccessReview
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		open := func(v AccessReview) bool { return v.State == ReviewOpen }
		if due, err = r.DueAccessReviews(c.now(), maxOpenReviews); err != nil || !slices.ContainsFunc(due, open) {
			return err
		}
		now, err := c.clock(r)
		if err != nil || c.sweeper.Doubts(now.Add(-c.ahead())) {
			due = slices.DeleteFunc(slices.Clone(due), open)
		}
		return err
	})
	for _, v := range due {
		failed := c.attendToReview(ctx, v)
		if !errors.Is(failed, errNotDue) {
			err = errors.Join(err, failed)
		}
		wake(c.noticeWork)
	}
	return len(due) > 0, err
}

func (c *Center) attendToReview(ctx context.Context, seen AccessReview) error {
	var lines []ReviewLine
	err := c.Store.Update(ctx, func(tx Tx) error {
		lines = nil
		v, now, err := c.dueReview(tx, seen.ID)
		if err != nil {
			return err
		}
		if v.State == ReviewOpen && now.Before(v.Deadline) {
			v.RemindAt = time.Time{}
			return errors.Join(tx.PutAccessReview(v), c.tellOwners(tx, NoticeReviewReminder, v))
		}
		if v.State == ReviewOpen {
			v.State = ReviewClosing
			if err := tx.PutAccessReview(v); err != nil {
				return err
			}
		}
		lines, err = tx.ReviewLines(ReviewLineQuery{ReviewID: v.ID, State: LineOpen, Limit: dueAtOnce})
		if err != nil || v.EndUnconfirmed {
			return err
		}
		for i := range lines {
			lines[i].State, lines[i].DecidedAt = LineKept, now
		}
		return tx.PutReviewLines(lines)
	})
	if err != nil {
		return err
	}
	var rules []AssignmentRule
	for _, l := range lines {
		ended, failed := c.endUnconfirmed(ctx, l)
		if ended.Way == ByRule {
			rules = append(rules, *ended.Rule)
		}
		if code := refusal.CodeOf(failed); code != refusal.None && code.Kind() != refusal.Unavailable {
			failed = c.keepLine(ctx, l, failed) // which is recorded, and must not stop the rest
		}
		if !errors.Is(failed, errNotDue) {
			err = errors.Join(err, failed)
		}
	}
	c.followRules(ctx, audit.SystemActor, rules)
	if err != nil || len(lines) > 0 {
		return err
	}
	return c.concludeReview(ctx, seen.ID)
}

// dueReview reads a review again: another node may have been faster.
func (c *Center) dueReview(tx Tx, id string) (v AccessReview, now time.Time, err error) {
	now, err = c.clock(tx)
	if err != nil {
		return v, now, err
	}
	v, err = tx.AccessReview(id)
	if errors.Is(err, refusal.ErrNoRow) || err == nil && (v.Due().IsZero() || v.Due().After(now)) {
		err = errNotDue
	}
	return v, now, err
}

// endUnconfirmed takes what nobody has confirmed, once.
func (c *Center) endUnconfirmed(ctx context.Context, seen ReviewLine) (l ReviewLine, err error) {
	err = c.change(ctx, audit.SystemActor, ActionEndUnconfirmedAccess, func(tx Tx) (string, error) {
		v, now, err := c.dueReview(tx, seen.ReviewID)
		if err != nil {
			return seen.subject(), err
		}
		if l, err = tx.ReviewLine(seen.ReviewID, seen.Key); err != nil {
			return seen.subject(), err
		}
		if l.State != LineOpen || v.State != ReviewClosing || !v.EndUnconfirmed {
			return seen.subject(), errNotDue
		}
		l.DecidedAt, l.DecidedBy = now, audit.SystemActor.Name
		return l.subject(), errors.Join(c.takeAway(tx, &l, LineEnded), tx.PutReviewLines([]ReviewLine{l}))
	})
	return l, err
}

// keepLine notes why something stays that nobody has confirmed.
func (c *Center) keepLine(ctx context.Context, l ReviewLine, why error) error {
	return c.Store.Update(ctx, func(tx Tx) error {
		now, err := c.clock(tx)
		l.State, l.DecidedAt = LineKept, now
		l.Comment = "It could not end: " + refusal.Detail(why)
		return errors.Join(err, tx.PutReviewLines([]ReviewLine{l}))
	})
}

// concludeReview closes a review in which nothing is open anymore.
func (c *Center) concludeReview(ctx context.Context, id string) error {
	by := audit.SystemActor
	return c.change(ctx, by, ActionConcludeAccessReview, func(tx Tx) (string, error) {
		v, now, err := c.dueReview(tx, id)
		if err != nil {
			return id, err
		}
		n, err := tx.CountReviewLines(ReviewLineQuery{ReviewID: id, State: LineOpen})
		if err != nil {
			return id, err
		}
		if n > 0 || v.State != ReviewClosing {
			return id, errNotDue
		}
		v.State, v.ClosedAt = ReviewClosed, now
		return v.subject(), errors.Join(tx.PutAccessReview(v), c.tellOwners(tx, NoticeReviewClosed, v))
	})
}
