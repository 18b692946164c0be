package tenant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
		sweepUntil(t, tn, &now, began.Add(x.after))
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

// sweepUntil has time pass, and the tenant sweep meanwhile: a clock that jumps is doubted.
func sweepUntil(t *testing.T, tn *tenant.Tenant, now *time.Time, end time.Time) {
	t.Helper()
	for swept := false; !swept || now.Before(end); swept = true {
		if *now = now.Add(20 * time.Hour); now.After(end) {
			*now = end
		}
		if err := tn.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestACountIsNotLostWhereAChangeRunsTwice: a change that is refused at first, and granted when its
// transaction runs again, leaves the line of what was counted in the minute before, also where
// whoever has it written down first is gone.
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
	gone, leave := context.WithCancel(ctx)
	leave()
	_ = x.FlushRefusals(gone, true)
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

// fullDisk is a store that takes no writes, and says so when the time for it is over.
type fullDisk struct {
	tenant.Store
	updates *int
}

func (s fullDisk) Update(ctx context.Context, _ func(tenant.Tx) error) error {
	*s.updates++
	if until, bounded := ctx.Deadline(); bounded && time.Until(until) > time.Minute/2 {
		return errors.New("it waits for long")
	}
	return &refusal.Error{Code: tenant.StoreUnavailable}
}

// TestTheEndInAnOutageSaysWhatIsLost: what waits to be written is in the program's log at the end,
// each or as a sum, and the database is asked once, however much of it there is.
func TestTheEndInAnOutageSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	x := tenanttest.New(t, "https://tenant.example")
	now, updates := time.Now().UTC().Truncate(time.Minute), 0
	x.Now = func() time.Time { return now }
	var log bytes.Buffer
	x.Log = slog.New(slog.NewTextHandler(&log, nil))
	x.Store = fullDisk{x.Store, &updates}
	refused := &refusal.Error{Code: tenant.ClientUnknown}
	for i := range 620 {
		by := audit.Actor{Kind: audit.Anonymous, Address: fmt.Sprintf("198.51.%d.1", i%20)}
		if i%20 == 0 {
			now = now.Add(time.Minute)
		}
		_ = x.Refuse(ctx, by, "Knock", "", refused)
	}
	_ = x.Refuse(ctx, audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}, "Knock", "", refused)
	updates = 0
	if err := x.Close(); err == nil {
		t.Error("it could write")
	}
	for _, said := range []string{"before the end", "refusals=621", "event.action=SeveralRefusals"} {
		if !strings.Contains(log.String(), said) {
			t.Errorf("the log does not say %q", said)
		}
	}
	if updates != 1 {
		t.Errorf("the database was asked %d times", updates)
	}
}

// slowLook is a store of which nothing is read until a worker has begun, or for a while.
type slowLook struct {
	tenant.Store
	began chan struct{}
}

func (s slowLook) View(ctx context.Context, fn func(tenant.Reader) error) error {
	select {
	case <-s.began:
	case <-time.After(300 * time.Millisecond):
	}
	return s.Store.View(ctx, fn)
}

// TestAClockIsDoubtedBeforeAnyWork: the first work of a node whose clock is far ahead leaves events
// by that clock, and all that was kept is there still.
func TestAClockIsDoubtedBeforeAnyWork(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	x := tenanttest.New(t, "https://tenant.example")
	now := time.Now().UTC()
	x.Now = func() time.Time { return now }
	x.Keep = audit.Retention{Events: 30 * 24 * time.Hour, Refusals: 24 * time.Hour}
	if _, err := x.CreateGroup(ctx, tenanttest.Actor, tenant.Group{DisplayName: "Crew"}); err != nil {
		t.Fatal(err)
	}
	made, err := x.FindEvents(ctx, audit.Query{Limit: 1}, audit.Place{})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(60 * 24 * time.Hour)
	look := slowLook{x.Store, make(chan struct{})}
	x.Store = look
	begin := sync.OnceFunc(func() { close(look.began) })
	work := func(ctx context.Context) {
		_ = x.Refuse(ctx, audit.SystemActor, "Work", "", &refusal.Error{Code: tenant.InvalidRequest})
		begin()
	}
	x.Provision = work
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		x.Run(ctx)
	}()
	<-look.began
	err = x.Sweep(ctx)
	stop()
	<-ended
	found, e2 := x.FindEvents(context.Background(), audit.Query{Limit: 50}, audit.Place{})
	if err := errors.Join(err, e2); err != nil || len(made.Events) != 1 ||
		!slices.ContainsFunc(found.Events, func(e audit.Event) bool { return e.ID == made.Events[0].ID }) {
		t.Errorf("%+v, %v", found.Events, err)
	}
}
