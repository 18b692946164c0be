//go:build unix

package store_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// aged gives a tenant what sweeps remove one day: an event, and somebody in the recycle bin.
func aged(t *testing.T, tn *tenant.Tenant) (left func() (events, deleted int)) {
	t.Helper()
	ctx := context.Background()
	u, err := tn.CreateUser(ctx, tenanttest.Actor, tenant.User{
		UserPrincipalName: "ada@northwind.example", DisplayName: "Ada", MailNickname: "ada",
	}, "")
	if err == nil {
		err = tn.DeleteUser(ctx, tenanttest.Actor, u.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() (int, int) {
		t.Helper()
		events, err := tn.Events(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		deleted := 0
		if err := tn.Store.View(ctx, func(r tenant.Reader) error {
			deleted, err = r.CountDeletedItems(tenant.KindUser, time.Time{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return len(events), deleted
	}
}

// TestAFastNodeForgetsNothing that all nodes share: by its own clock all of it is too old.
func TestAFastNodeForgetsNothing(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	left := aged(t, tenanttest.On(t, open(t, dsn)))
	fast := tenanttest.On(t, open(t, dsn))
	fast.Now = func() time.Time { return time.Now().AddDate(2, 0, 0) }
	if err := fast.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if events, deleted := left(); events != 2 || deleted != 1 {
		t.Errorf("%d events and %d users in the recycle bin are left", events, deleted)
	}
}

// said passes on that something was logged.
type said chan string

func (said) Enabled(context.Context, slog.Level) bool { return true }
func (s said) WithAttrs([]slog.Attr) slog.Handler     { return s }
func (s said) WithGroup(string) slog.Handler          { return s }
func (s said) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		s <- r.Message
	}
	return nil
}

// TestAFastClockAtTheStartRemovesNothing for a day in which the program runs: the only node has
// booted two years ahead.
func TestAFastClockAtTheStartRemovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := open(t, filepath.Join(t.TempDir(), "tenant.db"))
		left := aged(t, tenanttest.On(t, s))
		const fast = 2 * 365 * 24 * time.Hour
		warned := make(said, 100)
		for _, x := range []struct {
			name        string
			ahead, runs time.Duration // of the test's own clock
			makes       bool
			events      int // 0: whatever
			deleted     int
		}{
			{"at the first start", fast, time.Minute, true, 3, 1},
			{"after what has happened by that clock", fast, time.Hour, false, 3, 1},
			{"put right", 0, time.Hour, false, 3, 1},
			{"ahead once more", fast, 23 * time.Hour, false, 3, 1},
			{"for a day in all", fast, 2 * time.Hour, false, 0, 0},
		} {
			tn := tenanttest.On(t, s)
			tn.Now = func() time.Time { return time.Now().Add(x.ahead) }
			tn.Log = slog.New(warned)
			running, stop := context.WithCancel(ctx)
			go tn.Run(running)
			synctest.Wait() // for the first sweep
			if x.makes {
				if _, err := tn.CreateGroup(ctx, tenanttest.Actor, tenant.Group{DisplayName: "Crew"}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(x.runs)
			stop()
			synctest.Wait() // for Run to have ended
			events, deleted := left()
			if x.events > 0 && events != x.events || deleted != x.deleted {
				t.Errorf("%s: %d events and %d users in the recycle bin are left", x.name, events, deleted)
			}
		}
		if len(warned) == 0 {
			t.Error("nobody is told")
		}
	})
}

// TestAClockThatJumpsRemovesNothing while the program runs, until it is put right.
func TestAClockThatJumpsRemovesNothing(t *testing.T) {
	ctx := context.Background()
	tn := tenanttest.On(t, open(t, filepath.Join(t.TempDir(), "tenant.db")))
	left, ahead := aged(t, tn), time.Duration(0)
	tn.Now = func() time.Time { return time.Now().Add(ahead) }
	for _, ahead = range []time.Duration{0, 2 * 365 * 24 * time.Hour, 0} {
		for range 2 {
			if err := tn.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
			if events, deleted := left(); events != 2 || deleted != 1 {
				t.Errorf("%s ahead, %d events and %d users in the recycle bin are left", ahead, events, deleted)
			}
			kept, err := tn.Kept(ctx)
			if err != nil || kept.Doubted != (ahead > 0) {
				t.Errorf("%s ahead it is doubted: %t, %v", ahead, kept.Doubted, err)
			}
		}
	}
}

// TestANodeThatKeepsLessRemovesNothing that the others want to keep; where there are no others, it
// does.
func TestANodeThatKeepsLessRemovesNothing(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	earlier := tenanttest.On(t, open(t, dsn))
	earlier.Now = func() time.Time { return time.Now().Add(-2 * time.Hour) }
	left := aged(t, earlier)
	for _, x := range []struct {
		before []time.Duration
		events int
	}{{[]time.Duration{0}, 2}, {nil, 0}} {
		for _, keep := range append(x.before, time.Hour) {
			node := tenanttest.On(t, open(t, dsn))
			node.Keep = audit.Retention{Events: keep, Refusals: keep}
			if err := node.Sweep(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if events, _ := left(); events != x.events {
			t.Errorf("after nodes that keep %v and an hour, %d events are left", x.before, events)
		}
		if err := earlier.Store.Update(context.Background(), func(tx tenant.Tx) error {
			return tx.EventChain().PutEventNote("sweep", "") // as if days had passed
		}); err != nil {
			t.Fatal(err)
		}
	}
}
