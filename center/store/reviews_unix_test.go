//go:build unix

package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// dueReview begins a review of n assignments that ends what nobody confirms, soon.
func dueReview(t *testing.T, c *center.Center, n int, soon time.Duration) center.AccessReview {
	t.Helper()
	ctx := context.Background()
	w := centertest.Requests(t, c)
	for i := range n {
		id := fmt.Sprintf("2222333344%02d", i)
		e1 := w.PutAccount(ctx, centertest.Actor, center.Account{ID: id, Name: id})
		_, e2 := w.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: id, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(w.Grace.ID),
		})
		if err := errors.Join(e1, e2); err != nil {
			t.Fatal(err)
		}
	}
	v, err := c.StartAccessReview(ctx, centertest.Actor, center.AccessReview{
		Name: "Quarter", EndUnconfirmed: true, Deadline: c.Now().Add(2 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Store.Update(ctx, func(tx center.Tx) error {
		now, err := tx.Clock(c.Now())
		v.RemindAt, v.Deadline = time.Time{}, now.Add(soon)
		return errors.Join(err, tx.PutAccessReview(v))
	}); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAReviewClosesWhenANodeIsKilled: two nodes, whose clocks are hours apart, end what nobody has
// confirmed at the database's time; one is killed in the middle, and each line ends once.
func TestAReviewClosesWhenANodeIsKilled(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const lines = 24
	dsn := sqldbtest.Postgres(t)
	c := centertest.On(t, open(t, dsn), "http://localhost")
	c.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
	other := startNode(t, dsn)
	if other.ask("run"); other.good() {
		t.Fatal("the other node does not run")
	}
	v := dueReview(t, c, lines, time.Second)
	killed := make(chan struct{})
	go func() { // in the middle: some lines have ended
		defer close(killed)
		for {
			n, err := 0, error(nil)
			err = c.Store.View(ctx, func(r center.Reader) error {
				n, err = r.CountReviewLines(center.ReviewLineQuery{ReviewID: v.ID, State: center.LineEnded})
				return err
			})
			if err != nil || n > 0 {
				_ = other.process.Kill()
				return
			}
		}
	}()
	running(t, c)
	for begun := time.Now(); ; time.Sleep(betweenLooks) {
		now, err := c.AccessReview(ctx, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		if now.State == center.ReviewClosed {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("the review is %s", now.State)
		}
	}
	<-killed
	list, e1 := c.ReviewLines(ctx, center.ReviewLineQuery{ReviewID: v.ID, State: center.LineEnded})
	left, e2 := c.Assignments(ctx, center.AssignmentQuery{PermissionSetARN: v.PermissionSetARN})
	events, e3 := c.Events(ctx, center.EventQuery{})
	if err := errors.Join(e1, e2, e3); err != nil || len(list) != lines || len(left) != 0 {
		t.Errorf("%d of %d lines have ended, %d assignments are left, %v", len(list), lines, len(left), err)
	}
	ended, closed := map[string]int{}, 0
	for _, e := range events {
		switch e.Action {
		case "EndUnconfirmedAccess":
			ended[e.Subject]++
		case "ConcludeAccessReview":
			closed++
		}
	}
	for subject, n := range ended {
		if n != 1 {
			t.Errorf("%s ended %d times", subject, n)
		}
	}
	if len(ended) != lines || closed != 1 {
		t.Errorf("%d lines ended, and it was closed %d times", len(ended), closed)
	}
	centertest.Check(t, c)
}
