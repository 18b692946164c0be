package center_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestAWarningOfAClockThatWasAheadWasNone: who was told in a time to come that a token expires soon
// is told again when the clock is right. What the token was used for then is noted anew.
func TestAWarningOfAClockThatWasAheadWasNone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, tenant, token, secret, now := provisioned(t)
	told := func() (n int) {
		t.Helper()
		if err := c.WarnOfExpiry(ctx); err != nil {
			t.Fatal(err)
		}
		events, err := c.Events(ctx, center.EventQuery{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Action == "BearerTokenExpiring" {
				n++
			}
		}
		return n
	}
	use := func() time.Time {
		t.Helper()
		if _, err := c.AuthenticateToken(ctx, tenant.ID, secret, "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
		list, err := c.BearerTokens(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return list[0].LastUsedAt
	}
	right := token.ExpiresAt.AddDate(0, 0, -70)
	*now = right.AddDate(0, 0, 40)
	if n := told(); n != 1 || !use().Equal(*now) {
		t.Fatalf("by the clock that is ahead: told %d times", n)
	}
	*now = right
	if n := told(); n != 2 {
		t.Errorf("by the right clock it is told %d times in all, want twice", n)
	}
	if at := use(); !at.Equal(right) {
		t.Errorf("the token was used last at %s, by the right clock, which is %s", at, right)
	}
}

// TestMetadataThatWasReadInATimeToComeIsReadAgain when the clock is right.
func TestMetadataThatWasReadInATimeToComeIsReadAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, _, _, _, now := provisioned(t)
	const address = "https://idp.example/metadata"
	if err := c.WatchMetadata(ctx, centertest.Actor, address); err != nil {
		t.Fatal(err)
	}
	for ahead, due := range map[time.Duration]bool{time.Hour: false, 30 * 24 * time.Hour: true} {
		right := *now
		*now = right.Add(ahead)
		found := center.IdPConfiguration{EntityID: "https://idp"}
		if err := c.Fetched(ctx, address, found, nil); err != nil {
			t.Fatal(err)
		}
		*now = right
		s, err := c.Source(ctx)
		if err != nil || (s.WatchDue(right) == address) != due {
			t.Errorf("read %s ahead it is due: %q, %v", ahead, s.WatchDue(right), err)
		}
	}
}

// TestARoleThatWasCheckedInATimeToComeIsCheckedAgain when the clock is right.
func TestARoleThatWasCheckedInATimeToComeIsCheckedAgain(t *testing.T) {
	t.Parallel()
	w := newRoleWorld(t)
	w.create(w.ada)
	for {
		if did, err := w.WorkOnRole(t.Context()); err != nil {
			t.Fatal(err)
		} else if !did {
			break
		}
	}
	right := w.now
	w.now = right.AddDate(0, 1, 0)
	if did, err := w.CheckRole(t.Context()); err != nil || !did {
		t.Fatalf("by the clock that is ahead: %t, %v", did, err)
	}
	w.now = right
	did, err := w.CheckRole(t.Context())
	again, e2 := w.CheckRole(t.Context())
	if err != nil || e2 != nil || !did || again {
		t.Errorf("by the right clock it is checked: %t, and once more: %t, %v, %v", did, again, err, e2)
	}
}

// TestACodeOfATimeToComeHoldsUpNoOther: who has shown a second factor while the clock was ahead can
// show one when it is right.
func TestACodeOfATimeToComeHoldsUpNoOther(t *testing.T) {
	d := newDirectory(t)
	right := d.now
	d.now = right.AddDate(0, 1, 0)
	secret, _ := d.register()
	d.now = right
	ticket := d.signIn(fromHome, center.Browser{}, center.StepFactor, refusal.None).Ticket.Reveal()
	p, err := d.SignInWithCode(d.ctx, fromHome, ticket, d.code(secret), false, center.Browser{})
	if err != nil || p.Step != center.StepDone {
		t.Errorf("by the right clock: %q, %v", p.Step, err)
	}
}

// TestALinkOfATimeToComeHoldsUpNoOther: a password that is forgotten again is so, and an address
// that was changed by that clock is a new one for a day, not for as long as the clock was ahead.
func TestALinkOfATimeToComeHoldsUpNoOther(t *testing.T) {
	d := newDirectory(t)
	right := d.now
	d.now = right.AddDate(0, 1, 0)
	d.forgets("")
	<-d.mail.sent
	d.now = right
	d.forgets("")
	<-d.mail.sent
	d.now = right.AddDate(0, 1, 0)
	_, err := d.UpdateUser(d.ctx, centertest.Actor, d.user.ID, func(u *center.User) error {
		u.Emails = []center.Value{{Value: "ada@example.net", Primary: true}}
		return nil
	})
	d.must(err)
	<-d.mail.sent // to the old address
	d.now = right.Add(time.Hour)
	d.forgets(center.AddressNew.String())
	d.now = d.now.Add(23 * time.Hour)
	d.forgets(center.AddressNew.String())
	d.now = d.now.Add(time.Hour)
	d.forgets("")
}

// forgets has the user forget the password, and wants what becomes of that in the log.
func (d *directory) forgets(want string) {
	d.t.Helper()
	before, asked := map[string]bool{}, false
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // it is done after the request
		events, err := d.Events(d.ctx, center.EventQuery{Limit: 1000})
		d.must(err)
		for _, e := range events {
			if asked && !before[e.ID] && e.Action == "ForgotPassword" {
				if e.Code != want {
					d.t.Fatalf("it is %q, want %q", e.Code, want)
				}
				return
			}
			before[e.ID] = true
		}
		if !asked {
			d.ForgotPassword(d.ctx, fromHome, "ada")
			asked = true
		}
		if time.Now().After(deadline) {
			d.t.Fatal("nothing comes of it")
		}
	}
}
