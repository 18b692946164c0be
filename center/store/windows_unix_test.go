//go:build unix

package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// windows are open windows of access of one person, each in an account of its own.
type windows struct {
	*centertest.RequestWorld
	t    *testing.T
	open []center.AccessRequest
	ends time.Time // the first of them, by the clock that counts
}

// openWindows opens n windows that end soon, one shortly after the other.
func openWindows(t *testing.T, c *center.Center, n int, soon time.Duration) *windows {
	t.Helper()
	ctx := context.Background()
	w := &windows{RequestWorld: centertest.Requests(t, c), t: t}
	for i := range n {
		id := fmt.Sprintf("2222333344%02d", i)
		p := w.NewPolicy(id)
		p.AccountID = id
		e1 := w.PutAccount(ctx, centertest.Actor, center.Account{ID: id, Name: id})
		_, e2 := w.CreateRequestPolicy(ctx, centertest.Actor, p)
		ask := w.Ask()
		ask.AccountID = id
		r, e3 := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, ask)
		r, e4 := w.ApproveAccess(ctx, w.By(w.Grace), w.Grace.ID, r.ID, "")
		if err := errors.Join(e1, e2, e3, e4); err != nil {
			t.Fatal(err)
		}
		w.open = append(w.open, r)
	}
	if err := c.Store.Update(ctx, func(tx center.Tx) error {
		now, err := tx.Clock(c.Now())
		w.ends = now.Add(soon)
		for i := range w.open {
			w.open[i].EndsAt = w.ends.Add(time.Duration(i) * 200 * time.Millisecond)
			err = errors.Join(err, tx.PutAccessRequest(w.open[i]))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// betweenLooks is between two looks at a condition.
const betweenLooks = 2 * time.Millisecond

// waitForEnd looks until all windows are closed, and reports one that closed too early. It returns
// how late the last one was.
func (w *windows) waitForEnd() time.Duration {
	w.t.Helper()
	ctx := context.Background()
	begun := time.Now()
	for {
		var now time.Time
		var left []center.Assignment
		if err := w.Store.View(ctx, func(r center.Reader) (err error) {
			now, err = r.Clock(w.Now())
			if err == nil {
				left, err = r.Assignments(center.AssignmentQuery{HeldBy: w.Ada.ID})
			}
			return err
		}); err != nil {
			w.t.Fatal(err)
		}
		due := 0
		for _, r := range w.open {
			if !r.EndsAt.After(now) {
				due++
			}
		}
		if len(left) < len(w.open)-due {
			w.t.Fatalf("%d assignments are left, although %d windows are open", len(left), len(w.open)-due)
		}
		if len(left) == 0 {
			return now.Sub(w.open[len(w.open)-1].EndsAt)
		}
		if time.Since(begun) > time.Minute {
			w.t.Fatalf("%d windows never closed", len(left))
		}
		time.Sleep(betweenLooks)
	}
}

// left is how many assignments there are.
func (w *windows) left() int {
	w.t.Helper()
	list, err := w.Assignments(context.Background(), center.AssignmentQuery{HeldBy: w.Ada.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

func (w *windows) wantEnded() {
	w.t.Helper()
	for _, r := range w.open {
		if r, err := w.AccessRequest(context.Background(), r.ID); err != nil || r.State != center.AccessEnded {
			w.t.Errorf("a request is %s, %v", r.State, err)
		}
	}
	centertest.Check(w.t, w.Center)
}

// running has a center do its own work until the test ends.
func running(t *testing.T, c *center.Center) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		c.Run(ctx)
		close(over)
	}()
	t.Cleanup(func() {
		stop()
		<-over
	})
}

// TestWindowsEndWhenANodeIsKilled: two nodes, whose clocks are hours apart, end windows at the
// database's time; one is killed while they end, and the other goes on.
func TestWindowsEndWhenANodeIsKilled(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"a fast clock": 3 * time.Hour, "a slow clock": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			dsn := sqldbtest.Postgres(t)
			c := centertest.On(t, open(t, dsn), "http://localhost")
			c.Now = func() time.Time { return time.Now().Add(wrong) }
			other := startNode(t, dsn)
			if other.ask("run"); other.good() {
				t.Fatal("the other node does not run")
			}
			w := openWindows(t, c, 8, time.Second)
			killed := time.AfterFunc(time.Second+700*time.Millisecond, func() { _ = other.process.Kill() })
			defer killed.Stop()
			running(t, c)
			t.Logf("the last window closed %s after its end", w.waitForEnd())
			w.wantEnded()
		})
	}
}

// inbox has the mails that a center sends.
type inbox struct{ mails []center.Mail }

func (b *inbox) Send(_ context.Context, m center.Mail) { b.mails = append(b.mails, m) }

// TestNodesWhoseClocksDiffer tell approvers, deny leavers and forget by the database's time: a fast
// one keeps no notice from the others and forgets nothing early, a slow one denies all that is out.
func TestNodesWhoseClocksDiffer(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"a fast clock": 3 * time.Hour, "a slow clock": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			dsn, ctx := sqldbtest.Postgres(t), context.Background()
			node := centertest.On(t, open(t, dsn), "http://localhost")
			right := centertest.On(t, open(t, dsn), "http://localhost")
			node.Now = func() time.Time { return time.Now().Add(wrong) }
			box := &inbox{}
			node.Mailer, right.Mailer = box, box
			w := centertest.Requests(t, node)
			if _, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask()); err != nil {
				t.Fatal(err)
			}
			if more, err := right.MailNotice(ctx); err != nil || !more || len(box.mails) == 0 {
				t.Errorf("the other node mails nothing: %v, %v, %v", more, err, box.mails)
			}
			role := "arn:aws:iam::" + w.Account.ID + ":role/Keeper"
			session := center.RoleSession{
				UserID: w.Ada.ID, Name: "ada", AccountID: w.Account.ID, RoleName: role, PermissionSetARN: role,
				Until: time.Now().Add(time.Hour),
			}
			if err := node.Store.Update(ctx, func(tx center.Tx) error {
				return tx.ExtendRoleSession(session)
			}); err != nil {
				t.Fatal(err)
			}
			node.Roles = struct{ center.RoleKeeper }{} // nobody works on them here
			if _, err := node.RevokeUser(ctx, centertest.Actor, w.Ada.ID); err != nil {
				t.Fatal(err)
			}
			eve, e1 := right.CreateUser(ctx, centertest.Actor, centertest.Person("eve"))
			node.Keep = audit.Retention{Events: time.Hour, Refusals: time.Hour}
			e2 := node.Sweep(ctx)
			all, e3 := right.Events(ctx, center.EventQuery{})
			kept := slices.ContainsFunc(all, func(e audit.Event) bool { return e.Subject == string(eve.ID) })
			if err := errors.Join(e1, e2, e3); err != nil || !kept {
				t.Errorf("what the other node has logged is there: %t, %v", kept, err)
			}
			if err := node.Store.View(ctx, func(r center.Reader) error {
				denied, e1 := r.RoleRevocations(role)
				if len(denied) != 1 || time.Since(denied[0].Before).Abs() > time.Minute {
					t.Errorf("denied: %+v", denied)
				}
				now, e2 := r.Clock(time.Time{})
				job, e3 := r.NextRoleJob(now, now.Add(time.Hour))
				if job.RoleName != role {
					t.Errorf("the other node gets the work %+v", job)
				}
				return errors.Join(e1, e2, e3)
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestANodeThatKeepsLessRemovesNothing that the others want to keep; where there are no others, it
// does.
func TestANodeThatKeepsLessRemovesNothing(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	earlier := centertest.On(t, open(t, dsn), "http://localhost")
	earlier.Now = func() time.Time { return time.Now().Add(-2 * time.Hour) }
	if _, err := earlier.CreateUser(ctx, centertest.Actor, centertest.Person("ada")); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		before []time.Duration
		events int
	}{{[]time.Duration{0}, 1}, {nil, 0}} {
		for _, keep := range append(x.before, time.Hour) {
			node := centertest.On(t, open(t, dsn), "http://localhost")
			node.Keep = audit.Retention{Events: keep, Refusals: keep}
			if err := node.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
		left, err := earlier.Events(ctx, center.EventQuery{})
		if err != nil || len(left) != x.events {
			t.Errorf("after nodes that keep %v and an hour, %d events are left, %v", x.before, len(left), err)
		}
		if err := earlier.Store.Update(ctx, func(tx center.Tx) error {
			return tx.EventChain().PutEventNote("sweep", "") // as if days had passed
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARoleThatASlowNodeOpenedIsRevoked at another node, and known until its credentials have run
// out, although by the slow node's clock that was long ago.
func TestARoleThatASlowNodeOpenedIsRevoked(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	node := centertest.On(t, open(t, dsn), "http://localhost")
	right := centertest.On(t, open(t, dsn), "http://localhost")
	w := centertest.Requests(t, right)
	if _, err := w.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		PermissionSetARN: w.Set.ARN, AccountID: w.Account.ID,
		PrincipalType: center.PrincipalUser, PrincipalID: string(w.Ada.ID),
	}); err != nil {
		t.Fatal(err)
	}
	node.Now = func() time.Time { return time.Now().Add(-3 * time.Hour) }
	secret := authn.Digest("secret")
	if err := node.Store.Update(ctx, func(tx center.Tx) error {
		return tx.PutSession(center.Session{
			Digest: secret, Kind: center.PortalSession, UserID: w.Ada.ID, ExpiresAt: time.Now().Add(time.Hour),
		})
	}); err != nil {
		t.Fatal(err)
	}
	b := &broker.Sandbox{Sealer: node.Sealer, Now: time.Now}
	choice := center.RoleChoice{Session: secret, Account: w.Account.ID, PermissionSet: w.Set.Name}
	if _, err := node.RoleCredentials(ctx, w.By(w.Ada), b, choice); err != nil {
		t.Fatal(err)
	}
	right.Roles = struct{ center.RoleKeeper }{} // nobody works on them here
	if a, err := right.RoleAccess(ctx, w.Ada.ID); err != nil || len(a.Open) != 1 {
		t.Errorf("what is open: %+v, %v", a, err)
	}
	ended, err := right.RevokeUser(ctx, centertest.Actor, w.Ada.ID)
	if err != nil || len(ended.Roles) != 1 {
		t.Errorf("the proof lists %+v, %v", ended.Roles, err)
	}
}

// TestAWindowThatEndsWhileTheDatabaseIsAway is closed as soon as it is back.
func TestAWindowThatEndsWhileTheDatabaseIsAway(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	way, cutOff := relayed(t, dsn)
	c := centertest.On(t, open(t, dsn), "http://localhost")
	w := openWindows(t, c, 2, 500*time.Millisecond)
	node := centertest.On(t, open(t, cutOff), "http://localhost")
	way.hold()
	running(t, node)
	for now := w.ends; !now.After(w.open[1].EndsAt); time.Sleep(betweenLooks) {
		if err := c.Store.View(context.Background(), func(r center.Reader) (err error) {
			now, err = r.Clock(time.Time{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if w.left() != 2 {
		t.Error("somebody else closed them")
	}
	way.cut() // and the next connection is good again
	t.Logf("closed %s after the end of the last", w.waitForEnd())
	w.wantEnded()
}

// TestAWindowThatEndsWhileNothingRuns is closed when the center is started again.
func TestAWindowThatEndsWhileNothingRuns(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "center.db"), context.Background()
	s := open(t, path)
	w := openWindows(t, centertest.On(t, s, "http://localhost"), 2, -time.Second)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w.Center = centertest.On(t, open(t, path), "http://localhost")
	if more, err := w.WorkOnAccess(ctx); err != nil || more || w.left() > 0 {
		t.Errorf("after the start: %v, %d are left", err, w.left())
	}
	w.wantEnded()
}

// Deliver implements center.Mailer.
func (b *inbox) Deliver(ctx context.Context, m center.Mail) error {
	b.Send(ctx, m)
	return nil
}
