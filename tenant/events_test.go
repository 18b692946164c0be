package tenant_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestWhatIsRecordedIsKeptForAWhile has a change, a stranger's refusals, a session and a grant
// swept when their time is over.
func TestWhatIsRecordedIsKeptForAWhile(t *testing.T) {
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn := tenanttest.On(t, s)
	began := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	now, day := began, 24*time.Hour
	tn.Now = func() time.Time { return now }
	if _, err := tn.CreateGroup(ctx, tenanttest.Actor, tenant.Group{DisplayName: "Crew"}); err != nil {
		t.Fatal(err)
	}
	for range 8 { // five events, and one for the rest
		_ = tn.Refuse(
			ctx,
			audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"},
			"Request token",
			"",
			&refusal.Error{Code: tenant.ClientUnknown},
		)
	}
	if err := s.Update(ctx, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutSession(tenant.Session{Digest: "s", Account: "u", ExpiresAt: began.Add(day)}),
			tx.PutGrant(tenant.Grant{Digest: "g", ExpiresAt: began.Add(day)}),
		)
	}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		after  time.Duration
		events int
		open   bool
	}{
		{time.Minute, 7, true}, {2 * day, 7, false}, {30 * day, 7, false}, {30*day + time.Minute, 1, false},
		{400 * day, 1, false}, {400*day + time.Second, 0, false},
	} {
		now = began.Add(x.after)
		if err := errors.Join(tn.FlushRefusals(ctx, false), tn.Sweep(ctx)); err != nil {
			t.Fatal(err)
		}
		events, err := tn.Events(ctx, 100)
		if err != nil || len(events) != x.events {
			t.Errorf("after %s: %d events, %v, want %d", x.after, len(events), err, x.events)
		}
		if err := s.View(ctx, func(r tenant.Reader) error {
			_, e1 := r.Session("s")
			_, e2 := r.Grant("g")
			if (e1 == nil) != x.open || (e2 == nil) != x.open {
				t.Errorf("after %s: the session %v, the grant %v", x.after, e1, e2)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestACountIsNotLostWhereAChangeRunsTwice: a change that is refused at first, and granted when its
// transaction runs again, leaves the line of what was counted in the minute before.
func TestACountIsNotLostWhereAChangeRunsTwice(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	x := tenanttest.New(t, "https://tenant.example")
	now := time.Now().UTC().Truncate(time.Minute)
	x.Now = func() time.Time { return now }
	refused := &refusal.Error{Code: tenant.ClientUnknown}
	for range 8 { // five events, and three that are counted
		_ = x.Refuse(ctx, audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}, "Knock", "", refused)
	}
	now = now.Add(time.Minute)
	if err := tenant.RefuseThenGrant(x, tenanttest.Actor, refused); err != nil {
		t.Fatal(err)
	}
	if err := x.FlushRefusals(ctx, true); err != nil {
		t.Fatal(err)
	}
	found, err := x.FindEvents(ctx, audit.Query{Limit: 50}, audit.Place{})
	n := 0
	for _, e := range found.Events {
		if e.Action == "Knock" {
			n += max(1, e.Count)
		}
	}
	if err != nil || n != 8 {
		t.Errorf("%d refusals are in the log, %v", n, err)
	}
}
