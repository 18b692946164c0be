package center_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// requestWorld is a center whose clock the test moves.
type requestWorld struct {
	*centertest.RequestWorld
	t   *testing.T
	now time.Time
}

func newRequestWorld(t *testing.T) *requestWorld {
	t.Helper()
	c := centertest.New(t, "https://center.example")
	w := &requestWorld{t: t, now: time.Now().Truncate(time.Millisecond)}
	c.Now = func() time.Time { return w.now }
	c.OwnSTS = true
	w.RequestWorld = centertest.Requests(t, c)
	return w
}

// passes lets time pass, and has the center do what is due then.
func (w *requestWorld) passes(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	w.works()
}

func (w *requestWorld) works() {
	w.t.Helper()
	if _, err := w.WorkOnAccess(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *requestWorld) ask(ask center.AccessAsk) center.AccessRequest {
	w.t.Helper()
	r, err := w.RequestAccess(context.Background(), w.By(w.Ada), w.Ada.ID, ask)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *requestWorld) approve(by center.User, id string) (center.AccessRequest, error) {
	return w.ApproveAccess(context.Background(), w.By(by), by.ID, id, "go ahead")
}

// opens asks and has it approved.
func (w *requestWorld) opens(ask center.AccessAsk) center.AccessRequest {
	w.t.Helper()
	r, err := w.approve(w.Grace, w.ask(ask).ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *requestWorld) state(id string) center.AccessState {
	w.t.Helper()
	r, err := w.AccessRequest(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.State
}

// TestAccessIsThereForItsWindow: not before it is approved, then until its end, and no longer.
func TestAccessIsThereForItsWindow(t *testing.T) {
	t.Parallel()
	w := newRequestWorld(t)
	r := w.ask(w.Ask())
	if w.Has(t) || r.State != center.AccessPending {
		t.Fatalf("before it is approved: %+v", r)
	}
	r, err := w.approve(w.Grace, r.ID)
	if err != nil || r.State != center.AccessActive || !r.EndsAt.Equal(w.now.Add(time.Hour)) || !w.Has(t) {
		t.Fatalf("approved: %+v, %v", r, err)
	}
	w.passes(time.Hour - time.Millisecond)
	if !w.Has(t) {
		t.Error("it went too early")
	}
	w.passes(time.Millisecond)
	if w.Has(t) || w.state(r.ID) != center.AccessEnded {
		t.Errorf("at its end it is %s", w.state(r.ID))
	}
	w.works() // twice
	events, err := w.Events(context.Background(), center.EventQuery{})
	var actions []string
	for _, e := range events {
		if strings.HasSuffix(e.Action, "Access") {
			actions = append(actions, string(e.Actor.Kind)+" "+e.Action)
		}
	}
	by := string(audit.User)
	want := []string{string(audit.System) + " EndAccess", by + " ApproveAccess", by + " RequestAccess"}
	if err != nil || !slices.Equal(actions, want) {
		t.Errorf("events %q, %v", actions, err)
	}
	centertest.Check(t, w.Center)
}

// TestWhoMayAsk: who is eligible, for what the policy is about, for so long, with a reason.
func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	type asked = *center.AccessAsk
	for name, c := range map[string]struct {
		change func(w *requestWorld, a asked)
		by     func(w *requestWorld) center.User
		code   refusal.Code
	}{
		"as the policy has it": {func(*requestWorld, asked) {}, nil, refusal.None},
		"by the set's name": {func(_ *requestWorld, a asked) {
			a.PermissionSetARN = "Admin"
		}, nil, refusal.None},
		"as long as may be": {func(_ *requestWorld, a asked) { a.Length = 2 * time.Hour }, nil, refusal.None},
		"longer": {func(_ *requestWorld, a asked) {
			a.Length += time.Hour + 1
		}, nil, center.InvalidValue},
		"no time": {func(_ *requestWorld, a asked) { a.Length = 0 }, nil, center.InvalidValue},
		"less than none": {func(_ *requestWorld, a asked) {
			a.Length = -time.Hour
		}, nil, center.InvalidValue},
		"without a reason": {func(_ *requestWorld, a asked) { a.Reason = " " }, nil, center.MissingValue},
		"with a novel": {func(_ *requestWorld, a asked) {
			a.Reason = strings.Repeat("x", 1001)
		}, nil, center.InvalidValue},
		"with a control character": {func(_ *requestWorld, a asked) { a.Ticket = "a\x00" }, nil, center.InvalidValue},
		"somebody else": {
			func(*requestWorld, asked) {}, func(w *requestWorld) center.User { return w.Grace },
			center.AccessNotOffered,
		},
		"another account": {func(_ *requestWorld, a asked) {
			a.AccountID = "999999999999"
		}, nil, center.AccountNotFound},
		"another set": {func(_ *requestWorld, a asked) {
			a.PermissionSetARN = "Other"
		}, nil, center.AccessNotOffered},
		"another policy": {func(_ *requestWorld, a asked) { a.PolicyID = "none" }, nil, center.AccessNotOffered},
		"long ago": {func(w *requestWorld, a asked) {
			a.Start = w.now.Add(-2 * time.Hour)
		}, nil, center.InvalidValue},
		"next year": {func(w *requestWorld, a asked) {
			a.Start = w.now.Add(400 * 24 * time.Hour)
		}, nil, center.InvalidValue},
		"emergency, later": {func(w *requestWorld, a asked) {
			a.Start, a.Emergency = w.now.Add(time.Hour), true
		}, nil, center.InvalidValue},
		"a suspended account": {func(w *requestWorld, _ asked) {
			w.Account.Suspended = true
			if err := w.PutAccount(ctx, centertest.Actor, w.Account); err != nil {
				w.t.Fatal(err)
			}
		}, nil, center.AccountSuspended},
		"a disabled person": {func(w *requestWorld, _ asked) {
			if err := w.SetUserActive(ctx, centertest.Actor, w.Ada.ID, false); err != nil {
				w.t.Fatal(err)
			}
		}, nil, center.NotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRequestWorld(t)
			ask, by := w.Ask(), w.Ada
			if c.by != nil {
				by = c.by(w)
			}
			c.change(w, &ask)
			r, err := w.RequestAccess(ctx, w.By(by), by.ID, ask)
			if refusal.CodeOf(err) != c.code || (err == nil) != (c.code == refusal.None) {
				t.Errorf("%+v, %v, want %v", r, err, c.code)
			}
			if w.Has(t) {
				t.Error("the access is there")
			}
		})
	}
}

// TestWhoAsksAThousandTimes is refused, with a sentence that says why.
func TestWhoAsksAThousandTimes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRequestWorld(t)
	w.ask(w.Ask())
	_, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask())
	if refusal.CodeOf(err) != center.AccessRequestOpen {
		t.Errorf("twice the same: %v", err)
	}
	for i := range 12 {
		id := fmt.Sprintf("2222333344%02d", i)
		p := w.NewPolicy(id)
		p.AccountID = id
		if err := w.PutAccount(ctx, centertest.Actor, center.Account{ID: id, Name: id}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.CreateRequestPolicy(ctx, centertest.Actor, p); err != nil {
			t.Fatal(err)
		}
		ask := w.Ask()
		ask.AccountID = id
		_, err = w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, ask)
	}
	if refusal.CodeOf(err) != center.TooManyAccessRequests || !strings.Contains(err.Error(), "10 of your requests") {
		t.Errorf("many at once: %v", err)
	}
	asked := 0
	for range 1000 { // and takes each back
		desk, err := w.AccessDesk(ctx, w.Ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range desk.Mine {
			if r.State == center.AccessPending {
				if _, err := w.EndAccess(ctx, w.By(w.Ada), w.Ada.ID, r.ID, ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err = w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask()); err != nil {
			if refusal.CodeOf(err) != center.TooManyAccessRequests || !strings.Contains(err.Error(), "within a day") {
				t.Errorf("again and again: %v", err)
			}
			break
		}
		asked++
	}
	if asked > 50 {
		t.Errorf("asked %d times", asked)
	}
	w.passes(25 * time.Hour)
	w.ask(w.Ask())
}

// TestTwoDecideAtOnce: one thing is done.
func TestTwoDecideAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRequestWorld(t)
	r := w.ask(w.Ask())
	said := make(chan error, 3)
	for _, decide := range []func() error{
		func() error { _, err := w.approve(w.Grace, r.ID); return err },
		func() error { _, err := w.approve(w.Linus, r.ID); return err },
		func() error { _, err := w.DenyAccess(ctx, w.By(w.Linus), w.Linus.ID, r.ID, "no"); return err },
	} {
		go func() { said <- decide() }()
	}
	done := 0
	for range 3 {
		if err := <-said; err == nil {
			done++
		} else if refusal.CodeOf(err) != center.AccessRequestClosed {
			t.Error(err)
		}
	}
	if done != 1 {
		t.Errorf("%d decisions were taken", done)
	}
	if (w.state(r.ID) == center.AccessActive) != w.Has(t) {
		t.Errorf("it is %s, has it: %v", w.state(r.ID), w.Has(t))
	}
}
