package center_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestWhatIsRecordedIsKeptForAWhile has a change and a stranger's refusal swept when they are older
// than they are kept.
func TestWhatIsRecordedIsKeptForAWhile(t *testing.T) {
	c, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
	began := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	now := began
	c.Now = func() time.Time { return now }
	if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada")); err != nil {
		t.Fatal(err)
	}
	stranger := audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}
	for range 8 { // five events, and one for the rest
		_ = c.Refuse(ctx, stranger, "ListUsers", "", &refusal.Error{Code: center.NotAllowed})
	}
	day := 24 * time.Hour
	for _, x := range []struct {
		after time.Duration
		want  []string
	}{
		{
			time.Minute,
			[]string{"CreateUser", "ListUsers", "ListUsers", "ListUsers", "ListUsers", "ListUsers", "ListUsers"},
		},
		{
			30 * day,
			[]string{"CreateUser", "ListUsers", "ListUsers", "ListUsers", "ListUsers", "ListUsers", "ListUsers"},
		},
		{30*day + time.Minute, []string{"CreateUser"}},
		{400 * day, []string{"CreateUser"}},
		{400*day + time.Second, nil},
	} {
		now = began.Add(x.after)
		if err := c.FlushRefusals(ctx, false); err != nil {
			t.Fatal(err)
		}
		if err := c.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		events, err := c.Events(ctx, center.EventQuery{})
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, e := range events {
			have = append(have, e.Action)
		}
		slices.Sort(have)
		if !slices.Equal(have, x.want) {
			t.Errorf("after %s: %v, want %v", x.after, have, x.want)
		}
	}
}

// TestACountIsNotLostWhereAChangeRunsTwice: a change that is refused at first, and granted when its
// transaction runs again, leaves the line of what was counted in the minute before.
func TestACountIsNotLostWhereAChangeRunsTwice(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	x := centertest.New(t, "https://center.example")
	now := time.Now().UTC().Truncate(time.Minute)
	x.Now = func() time.Time { return now }
	refused := &refusal.Error{Code: center.TokenInvalid}
	for range 8 { // five events, and three that are counted
		_ = x.Refuse(ctx, audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}, "Knock", "", refused)
	}
	now = now.Add(time.Minute)
	if err := center.RefuseThenGrant(x, centertest.Actor, refused); err != nil {
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
