package center_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestWhoMayDecide: approvers, not oneself, and those who have left count no more.
func TestWhoMayDecide(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	leave := func(w *requestWorld, u center.User) {
		var m center.Membership
		err := w.Store.View(ctx, func(r center.Reader) (err error) {
			m, err = r.MembershipOf(w.Approvers.ID, u.ID)
			return err
		})
		if err := errors.Join(err, w.DeleteMembership(ctx, centertest.Actor, m.ID)); err != nil {
			w.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		eyes  int
		steps func(w *requestWorld, id string) error // the last step's error
		state center.AccessState
		code  refusal.Code
	}{
		"one": {1, func(w *requestWorld, id string) error { _, err := w.approve(w.Linus, id); return err },
			center.AccessActive, refusal.None},
		"oneself": {1, func(w *requestWorld, id string) error { _, err := w.approve(w.Ada, id); return err },
			center.AccessPending, center.OwnAccessRequest},
		"somebody who left": {1, func(w *requestWorld, id string) error {
			leave(w, w.Grace)
			_, err := w.approve(w.Grace, id)
			return err
		}, center.AccessPending, center.NotApprover},
		"one of two": {2, func(w *requestWorld, id string) error { _, err := w.approve(w.Grace, id); return err },
			center.AccessPending, refusal.None},
		"the same one twice": {2, func(w *requestWorld, id string) error {
			_, _ = w.approve(w.Grace, id)
			_, err := w.approve(w.Grace, id)
			return err
		}, center.AccessPending, center.AccessDecidedAlready},
		"two": {2, func(w *requestWorld, id string) error {
			_, first := w.approve(w.Grace, id)
			_, err := w.approve(w.Linus, id)
			return errors.Join(first, err)
		}, center.AccessActive, refusal.None},
		"two, of whom one has left": {2, func(w *requestWorld, id string) error {
			_, first := w.approve(w.Grace, id)
			leave(w, w.Grace)
			_, err := w.approve(w.Linus, id)
			return errors.Join(first, err)
		}, center.AccessPending, refusal.None},
		"two, of whom one is disabled": {2, func(w *requestWorld, id string) error {
			_, first := w.approve(w.Grace, id)
			off := w.SetUserActive(ctx, centertest.Actor, w.Grace.ID, false)
			_, err := w.approve(w.Linus, id)
			return errors.Join(first, off, err)
		}, center.AccessPending, refusal.None},
		"one who denies": {2, func(w *requestWorld, id string) error {
			_, first := w.approve(w.Grace, id)
			_, err := w.DenyAccess(ctx, w.By(w.Linus), w.Linus.ID, id, "not today")
			return errors.Join(first, err)
		}, center.AccessDenied, refusal.None},
		"after it was denied": {1, func(w *requestWorld, id string) error {
			_, first := w.DenyAccess(ctx, w.By(w.Linus), w.Linus.ID, id, "not today")
			if first != nil {
				return first
			}
			_, err := w.approve(w.Grace, id)
			return err
		}, center.AccessDenied, center.AccessRequestClosed},
		"for somebody who may not ask anymore": {1, func(w *requestWorld, id string) error {
			if err := w.DeleteGroup(ctx, centertest.Actor, w.Engineers.ID); err != nil {
				return err
			}
			_, err := w.approve(w.Grace, id)
			return err
		}, center.AccessDenied, refusal.None},
		"too late": {1, func(w *requestWorld, id string) error {
			w.passes(3 * 24 * time.Hour)
			_, err := w.approve(w.Grace, id)
			return err
		}, center.AccessExpired, center.AccessRequestClosed},
		"what was taken back": {1, func(w *requestWorld, id string) error {
			if _, err := w.EndAccess(ctx, w.By(w.Ada), w.Ada.ID, id, ""); err != nil {
				return err
			}
			_, err := w.approve(w.Grace, id)
			return err
		}, center.AccessCanceled, center.AccessRequestClosed},
		"when the policy is gone": {1, func(w *requestWorld, id string) error {
			return w.DeleteRequestPolicy(ctx, centertest.Actor, w.Policy.ID)
		}, center.AccessDenied, refusal.None},
		"when the permission set is gone": {1, func(w *requestWorld, id string) error {
			return w.DeletePermissionSet(ctx, centertest.Actor, w.Set.ARN)
		}, center.AccessDenied, refusal.None},
		"when the person is gone": {1, func(w *requestWorld, id string) error {
			return w.DeleteUser(ctx, centertest.Actor, w.Ada.ID)
		}, center.AccessCanceled, refusal.None},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRequestWorld(t)
			p := w.NewPolicy("Four eyes")
			p.Approvals = c.eyes
			p, err := w.CreateRequestPolicy(ctx, centertest.Actor, p)
			if err != nil {
				t.Fatal(err)
			}
			if c.eyes == 1 {
				p = w.Policy
			}
			ask := w.Ask()
			ask.PolicyID = p.ID
			r := w.ask(ask)
			if err := c.steps(w, r.ID); refusal.CodeOf(err) != c.code || (err == nil) != (c.code == refusal.None) {
				t.Errorf("%v, want %v", err, c.code)
			}
			if got := w.state(r.ID); got != c.state || w.Has(t) != (c.state == center.AccessActive) {
				t.Errorf("it is %s (has it: %v), want %s", got, w.Has(t), c.state)
			}
			centertest.Check(t, w.Center)
		})
	}
}
