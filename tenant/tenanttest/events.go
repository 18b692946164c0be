package tenanttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/audittest"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// retention sweeps events of every age, also such as came in another order than their times, and
// expects exactly those to stay that are kept so long.
func retention(t *testing.T, s tenant.Store) {
	now, day := time.UnixMilli(1_800_000_000_000), 24*time.Hour
	keep := audit.Retention{Events: 400 * day, Refusals: 30 * day}
	random := rand.New(rand.NewPCG(1, 2))
	var want []string
	update(t, s, func(tx tenant.Tx) error {
		want = nil
		for i := range 600 {
			age := time.Duration(random.IntN(500)) * day
			e := audit.Event{
				ID:     fmt.Sprintf("e%03d", i),
				Time:   now.Add(-age),
				Actor:  audit.Actor{Kind: audit.Administrator, Name: "ada"},
				Result: audit.Refused,
			}
			switch i % 3 {
			case 0:
				e.Actor = audit.Actor{Kind: audit.Anonymous}
			case 1:
				e.Result = audit.Granted
			}
			if age <= keep.Events && (i%3 != 0 || age <= keep.Refusals) {
				want = append(want, e.ID)
			}
			if err := tx.AppendEvent(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err := keep.Sweep(context.Background(), now, func(
		before time.Time, strangers bool, limit int,
	) (n int, err error) {
		err = s.Update(context.Background(), func(tx tenant.Tx) error {
			n, err = tx.DeleteEvents(before, strangers, limit)
			return err
		})
		return n, err
	}); err != nil {
		t.Fatal(err)
	}
	var have []string
	view(t, s, func(r tenant.Reader) error {
		found, err := r.FindEvents(audit.Query{Limit: 1000})
		for _, e := range found.Events {
			have = append(have, e.ID)
		}
		return err
	})
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("%d events are left of 600, want %d", len(have), len(want))
	}
}

// bounded appends an event as a stranger would like it, and expects a small one.
func bounded(t *testing.T, s tenant.Store) {
	long := strings.Repeat("\x1b\xff", 1<<19)
	update(t, s, func(tx tenant.Tx) error {
		return tx.AppendEvent(
			audit.Event{
				ID:      "e",
				Time:    time.UnixMilli(1),
				Actor:   audit.Actor{Kind: audit.Anonymous, Name: long, RequestID: long},
				Subject: long,
				Detail:  long,
				Got:     long,
			},
		)
	})
	view(t, s, func(r tenant.Reader) error {
		found, err := r.FindEvents(audit.Query{Limit: 1000})
		events := found.Events
		if err != nil || len(events) != 1 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		for _, text := range []string{
			events[0].Actor.Name, events[0].Actor.RequestID, events[0].Subject, events[0].Got, events[0].Detail,
		} {
			if len(text) > 4*audit.MaxDetail || !strings.HasSuffix(text, "… (1048576 characters)") {
				t.Errorf("%d bytes of it are kept", len(text))
			}
		}
		return nil
	})
}

// sessions end, and those that have are removed, no others.
func sessions(t *testing.T, s tenant.Store) {
	now := time.UnixMilli(1_800_000_000_000)
	update(t, s, func(tx tenant.Tx) error {
		err := errors.Join(
			tx.PutSession(tenant.Session{Digest: "over", Account: "u", ExpiresAt: now}),
			tx.PutSession(
				tenant.Session{Digest: "open", Account: "u", ExpiresAt: now.Add(time.Millisecond)},
			),
		)
		n, e2 := tx.DeleteSessions(now)
		if n != 1 {
			t.Errorf("%d sessions were swept, want 1", n)
		}
		return errors.Join(err, e2)
	})
	view(t, s, func(r tenant.Reader) error {
		_, err := r.Session("over")
		wantNoRow(t, "session that is over", err)
		_, err = r.Session("open")
		return err
	})
}

// findEvents is the part of the contract that both halves' logs share.
func findEvents(t *testing.T, s tenant.Store) {
	audittest.Find(
		t,
		func(write func(audit.Appender) error) {
			update(t, s, func(tx tenant.Tx) error { return write(tx) })
		},
		func(read func(audit.Reader) error) { view(t, s, func(r tenant.Reader) error { return read(r) }) },
	)
}
