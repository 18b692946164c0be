package center_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestRunDoesWhatNobodyAsksFor has a center run for half an hour, for another one when the events
// are older than they are kept, and for a day after that: the clock is doubted first.
func TestRunDoesWhatNobodyAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ctx := centertest.New(t, "http://127.0.0.1"), t.Context()
		var ahead time.Duration
		c.Now = func() time.Time { return time.Now().Add(ahead) }
		looked := 0
		c.RefreshMetadata = func(context.Context) error { looked++; return nil }
		stranger := audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}
		for range 8 { // five events, and one for the rest when the minute is over
			_ = c.Refuse(ctx, stranger, "ListUsers", "", &refusal.Error{Code: center.NotAllowed})
		}
		for _, x := range []struct {
			ahead, runs    time.Duration
			events, looked int
		}{
			{0, 29 * time.Minute, 6, 3}, {400 * 24 * time.Hour, 29 * time.Minute, 6, 6},
			{400 * 24 * time.Hour, 24*time.Hour - time.Minute, 0, 6 + 24*6},
		} {
			ahead = x.ahead
			running, stop := context.WithCancel(ctx)
			go c.Run(running)
			time.Sleep(x.runs) // of the test's own clock
			stop()
			synctest.Wait() // for Run to have ended
			if events, err := c.Events(ctx, center.EventQuery{}); err != nil || len(events) != x.events ||
				looked != x.looked {
				t.Errorf(
					"%s ahead: %d events, %v, looked %d times; want %d and %d",
					x.ahead, len(events), err, looked, x.events, x.looked,
				)
			}
		}
	})
}

// slowMails takes what is sent, but of one person's it never says that it has.
type slowMails struct {
	mails
	slow string
}

// Deliver implements center.Mailer.
func (m *slowMails) Deliver(ctx context.Context, mail center.Mail) error {
	if m.slow == "" {
		m.slow = mail.To
	}
	if mail.To == m.slow {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second) // as the real one has it
		defer cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	return m.mails.Deliver(ctx, mail)
}

// TestOneWhoseMailTakesLongKeepsNobodyWaiting: the first whom a notice is for never gets it. The
// others get theirs at the first try, and the notice is given up at last, as for anybody.
func TestOneWhoseMailTakesLongKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c := centertest.New(t, "https://center.example")
		c.OwnSTS = true
		w := centertest.Requests(t, c)
		box := &slowMails{}
		w.Mailer = box
		if _, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask()); err != nil {
			t.Fatal(err)
		}
		tries := 0
		for began := time.Now(); ; time.Sleep(5 * time.Second) { // of the test's own clock
			sent, err := w.MailNotice(ctx)
			if err != nil || time.Since(began) > 72*time.Hour {
				t.Fatalf("%t, %v, after %s and %d tries", sent, err, time.Since(began), tries)
			}
			if sent {
				tries++
			}
			if len(box.all) == 0 && time.Since(began) > 2*time.Minute {
				t.Fatal("the other one has no mail after two minutes")
			}
			if tries >= 34 && theNotice(t, w.Store, time.Now()).ID == "" {
				break
			}
		}
		if len(box.all) != 1 || box.all[0].To == box.slow {
			t.Errorf("mailed: %+v", box.all)
		}
	})
}
