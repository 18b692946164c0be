//go:build unix

package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// deadly is a store whose process is killed before the n-th statement that writes.
type deadly struct {
	center.Store
	left int
}

// Update implements center.Store.
func (d *deadly) Update(ctx context.Context, fn func(center.Tx) error) error {
	return d.Store.Update(ctx, func(tx center.Tx) error { return fn(deadlyTx{tx, d}) })
}

func (d *deadly) step() {
	if d.left--; d.left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal arrives
	}
}

type deadlyTx struct {
	center.Tx
	d *deadly
}

func (t deadlyTx) AddUser(u center.User) (bool, error) { t.d.step(); return t.Tx.AddUser(u) }
func (t deadlyTx) PutUser(u center.User) error         { t.d.step(); return t.Tx.PutUser(u) }
func (t deadlyTx) PutUserKeepingKeys(u center.User) error {
	t.d.step()
	return t.Tx.PutUserKeepingKeys(u)
}
func (t deadlyTx) DeleteUser(id center.UserID) error   { t.d.step(); return t.Tx.DeleteUser(id) }
func (t deadlyTx) AddGroup(g center.Group) error       { t.d.step(); return t.Tx.AddGroup(g) }
func (t deadlyTx) DeleteGroup(id center.GroupID) error { t.d.step(); return t.Tx.DeleteGroup(id) }
func (t deadlyTx) TouchGroupsOf(id center.UserID, at time.Time, by string) error {
	t.d.step()
	return t.Tx.TouchGroupsOf(id, at, by)
}
func (t deadlyTx) DeleteMembershipsOf(id center.UserID) error {
	t.d.step()
	return t.Tx.DeleteMembershipsOf(id)
}
func (t deadlyTx) DeleteMembershipsIn(id center.GroupID) error {
	t.d.step()
	return t.Tx.DeleteMembershipsIn(id)
}
func (t deadlyTx) DeleteSessionsOf(id center.UserID) error {
	t.d.step()
	return t.Tx.DeleteSessionsOf(id)
}
func (t deadlyTx) DeletePassword(p string) error   { t.d.step(); return t.Tx.DeletePassword(p) }
func (t deadlyTx) AppendEvent(e audit.Event) error { t.d.step(); return t.Tx.AppendEvent(e) }
func (t deadlyTx) AddMembers(g center.GroupID, users []center.UserID, at time.Time, by string) (int, error) {
	t.d.step()
	return t.Tx.AddMembers(g, users, at, by)
}

// changes are what the killed process does to a store that holds ada, a member of crew.
var changes = map[string]func(context.Context, *center.Center, center.User) error{
	"create a group with members": func(ctx context.Context, c *center.Center, ada center.User) error {
		_, err := c.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "new"}, ada.ID)
		return err
	},
	"rename a user": func(ctx context.Context, c *center.Center, ada center.User) error {
		_, err := c.UpdateUser(
			ctx, centertest.Actor, ada.ID,
			func(u *center.User) error { u.UserName, u.Active = "lovelace", false; return nil },
		)
		return err
	},
	"delete a user": func(ctx context.Context, c *center.Center, ada center.User) error {
		return c.DeleteUser(ctx, centertest.Actor, ada.ID)
	},
}

// state is what a change must leave whole: all of it, or nothing.
func state(t *testing.T, c *center.Center) string {
	t.Helper()
	text := ""
	err := c.Store.View(context.Background(), func(r center.Reader) error {
		users, e1 := r.Users(center.UserQuery{})
		groups, e2 := r.Groups(center.GroupQuery{})
		events, e3 := r.Events(center.EventQuery{})
		text = fmt.Sprint(len(events), " events ")
		for _, u := range users {
			text += fmt.Sprint(u.UserName, u.Active, u.Version, " ")
		}
		for _, g := range groups {
			n, err := r.CountMemberships(center.MembershipQuery{GroupID: g.ID})
			if err != nil {
				return err
			}
			text += fmt.Sprint(g.DisplayName, n, " ")
		}
		return errors.Join(e1, e2, e3)
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestCrashHelper is the process that is killed; it does nothing unless it is started by the test
// below.
func TestCrashHelper(t *testing.T) {
	dsn := os.Getenv("GATEHOUSE_CRASH_DSN")
	if dsn == "" {
		return
	}
	left, err := strconv.Atoi(os.Getenv("GATEHOUSE_CRASH_AT"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	c := centertest.On(t, s, "http://127.0.0.1")
	ada, err := c.UserByName(context.Background(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	c.Store = &deadly{s, left}
	if err := changes[os.Getenv("GATEHOUSE_CRASH_CHANGE")](context.Background(), c, ada); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestACrashBetweenAnyTwoStatements kills a process before each statement of a change in turn, on
// both engines: nothing of the change remains, the data is sound, and once no statement is left to
// be killed at, all of it is there.
func TestACrashBetweenAnyTwoStatements(t *testing.T) {
	for change := range changes {
		for engine, dsn := range map[string]string{
			"SQLite":     filepath.Join(t.TempDir(), "center.db"),
			"PostgreSQL": sqldbtest.Postgres(t),
		} {
			t.Run(change+" on "+engine, func(t *testing.T) {
				t.Parallel()
				ctx := context.Background()
				s := open(t, dsn)
				c := centertest.On(t, s, "http://127.0.0.1")
				person := centertest.Person("ada")
				ada, err := c.CreateUser(ctx, centertest.Actor, person)
				if err == nil {
					_, err = c.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "crew"}, ada.ID)
				}
				if err != nil {
					t.Fatal(err)
				}
				before := state(t, c)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				for at := 1; ; at++ {
					helper := exec.Command(os.Args[0], "-test.run=^TestCrashHelper$") // #nosec G204 -- this test itself
					helper.Env = append(
						os.Environ(), "GATEHOUSE_CRASH_DSN="+dsn, "GATEHOUSE_CRASH_CHANGE="+change,
						"GATEHOUSE_CRASH_AT="+strconv.Itoa(at),
					)
					out, err := helper.CombinedOutput()
					var exit *exec.ExitError
					killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
					if err != nil && !killed {
						t.Fatalf("%v: %s", err, out)
					}
					again, err := store.Open(ctx, dsn)
					if err != nil {
						t.Fatal(err)
					}
					c.Store = again
					after := state(t, c)
					if problems, err := again.Check(ctx, func(int) {}); err != nil || len(problems) > 0 {
						t.Errorf("after a crash at statement %d: %v, %v", at, problems, err)
					}
					if err := again.Close(); err != nil {
						t.Fatal(err)
					}
					if killed && after != before {
						t.Errorf("a crash at statement %d left %q, before it was %q", at, after, before)
					}
					if !killed {
						if after == before || at < 3 {
							t.Errorf("the change did nothing: %q, after %d statements", after, at)
						}
						return
					}
				}
			})
		}
	}
}
