package center_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestAWindowOfAClockThatWasAheadIsClosed when the clock is put right, whatever it waits for: it
// would stay open for as long as the clock was ahead. One that a clock a little ahead has opened
// stays.
func TestAWindowOfAClockThatWasAheadIsClosed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for ahead, want := range map[time.Duration]center.AccessState{
		time.Minute:          center.AccessActive,
		10 * 24 * time.Hour:  center.AccessEnded,
		365 * 24 * time.Hour: center.AccessEnded,
	} {
		w := newRequestWorld(t)
		right := w.now
		if err := w.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		w.now = right.Add(ahead)
		ask := w.Ask()
		ask.Emergency = true
		r := w.ask(ask)
		if r.State != center.AccessActive {
			t.Fatalf("%s ahead the window is %s", ahead, r.State)
		}
		w.now = right
		node := w.Center
		if ahead > 100*24*time.Hour { // it is started again
			node = centertest.On(t, w.Store, w.URL)
			node.Now = w.Now
		}
		if err := node.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		r, err := w.AccessRequest(ctx, r.ID)
		if err != nil || r.State != want {
			t.Errorf("opened %s ahead it is %s by the right clock, %v", ahead, r.State, err)
		}
	}
}

// TestWhatAClockThatWasAheadHasOpenedIsOver when it is put right: sessions, links and tokens would
// be good for as long as the clock was ahead.
func TestWhatAClockThatWasAheadHasOpenedIsOver(t *testing.T) {
	d := newDirectory(t)
	d.settings(func(s *center.SignInSettings) { s.MFA = center.MFANever })
	right := d.now
	d.now = right.AddDate(0, 1, 0)
	session := d.signIn(fromHome, center.Browser{}, center.StepDone, refusal.None).Session
	d.must(d.Invite(d.ctx, centertest.Actor, d.user.ID, false))
	ticket := link(t, <-d.mail.sent)
	d.now = right
	if _, err := d.PortalUser(d.ctx, session.Reveal()); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("the session is open: %v", err)
	}
	if list, err := d.Sessions(d.ctx, d.user.ID); err != nil || len(list) != 0 {
		t.Errorf("open are %+v, %v", list, err)
	}
	err := d.SetPasswordWithTicket(d.ctx, fromHome, ticket, "Another one 8!")
	if refusal.CodeOf(err) != center.TicketInvalid {
		t.Errorf("the link: %v", err)
	}
}

// TestARefreshTokenThatWasUsedInATimeToComeIsStolen where it comes again.
func TestARefreshTokenThatWasUsedInATimeToComeIsStolen(t *testing.T) {
	t.Parallel()
	p := newPrograms(t, center.ScopeAccountAccess)
	first, right := p.signedIn(), p.now
	p.now = right.Add(time.Hour)
	_, err := p.refresh(first)
	p.wants("refreshed by a clock that is ahead", err, refusal.None)
	p.now = right
	_, err = p.refresh(first)
	p.wants("the old token by the right clock", err, center.GrantInvalid)
}
