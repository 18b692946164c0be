package center_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestANoticeStaysUntilTheMailServerHasIt: nobody can ask for a notice again. Whoever has it does
// not get it twice, one whose address is refused keeps it from nobody else, and a node that ends
// leaves the rest to another.
func TestANoticeStaysUntilTheMailServerHasIt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRequestWorld(t)
	box := &mails{}
	w.Mailer = box
	got := func() string {
		var all []string
		for _, m := range box.all {
			all = append(all, m.To)
		}
		box.all = nil
		return strings.Join(all, ", ")
	}
	mail := func(ctx context.Context, wanted bool) {
		t.Helper()
		if sent, err := w.MailNotice(ctx); err != nil || sent != wanted {
			t.Fatalf("%t, %v", sent, err)
		}
	}
	if _, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask()); err != nil {
		t.Fatal(err)
	}
	box.refuses = func(m center.Mail) bool { return true }
	mail(ctx, true)
	mail(ctx, false) // not at once
	for range 3 {
		w.now = w.now.Add(time.Hour)
		mail(ctx, true)
	}
	first := ""
	box.refuses = func(m center.Mail) bool { // which refuses one address for good
		if first == "" {
			first = m.To
		}
		return m.To == first
	}
	w.now = w.now.Add(time.Hour)
	mail(ctx, true)
	other := got()
	if other == "" || other == first || strings.Contains(other, ",") {
		t.Fatalf("mailed to %q, where %q is refused", other, first)
	}
	w.now = w.now.Add(time.Hour)
	mail(ctx, true)
	if again := got(); again != "" {
		t.Errorf("mailed again to %q", again)
	}
	w.now = w.now.Add(time.Hour)
	box.refuses = nil
	ending, end := context.WithCancel(ctx)
	end()
	_, _ = w.MailNotice(ending) // takes it, at most
	mail(ctx, true)
	if late := got(); late != first {
		t.Errorf("mailed to %q, want %q", late, first)
	}
	w.now = w.now.Add(time.Hour)
	mail(ctx, false)
}

// TestANodeThatEndsLeavesMailsToAnother: the end comes between two mails of one notice.
func TestANodeThatEndsLeavesMailsToAnother(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(context.Background())
	w := newRequestWorld(t)
	box := &mails{}
	w.Mailer = box
	if _, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask()); err != nil {
		t.Fatal(err)
	}
	box.refuses = func(center.Mail) bool { end(); return false }
	if _, err := w.MailNotice(ctx); err != nil || len(box.all) != 1 {
		t.Fatalf("%v, %+v", err, box.all)
	}
	box.refuses = nil
	if sent, err := w.MailNotice(context.Background()); err != nil || !sent || len(box.all) != 2 {
		t.Fatalf("the other node: %t, %v, %+v", sent, err, box.all)
	}
	if box.all[0].To == box.all[1].To {
		t.Errorf("both went to %s", box.all[0].To)
	}
}

// TestANodeThatStoodStillConcludesNoMailOfAnothers: it slept between two mails of a notice, and
// another node has taken the notice meanwhile. Nobody is written to once more because of it.
func TestANodeThatStoodStillConcludesNoMailOfAnothers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, x := range []struct {
		name    string
		other   func(center.Mail) bool // what the other node's mail server refuses
		later   int                    // mails that are sent an hour later
		changes bool                   // what the slow node has sent is noted
	}{
		{"the other one has mailed it", nil, 0, false},
		{"the other one could not mail it", func(center.Mail) bool { return true }, 1, true},
		{"the other one mails it now", func(center.Mail) bool { panic("killed, or not there yet") }, 1, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			w := newRequestWorld(t)
			slow, fast := &mails{}, &mails{refuses: x.other}
			w.Mailer = slow
			other := centertest.On(t, w.Store, w.URL)
			other.Now, other.Mailer = w.Now, fast
			if _, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask()); err != nil {
				t.Fatal(err)
			}
			var before center.Notice
			slow.refuses = func(center.Mail) bool {
				if len(slow.all) == 0 {
					return false
				}
				w.now = w.now.Add(10 * time.Minute)
				func() {
					defer func() { _ = recover() }()
					if sent, err := other.MailNotice(ctx); err != nil || !sent {
						t.Errorf("the other node: %t, %v", sent, err)
					}
				}()
				before = theNotice(t, w.Store, w.now)
				return true
			}
			if _, err := w.MailNotice(ctx); err != nil || len(slow.all) != 1 {
				t.Fatalf("%v, mailed %+v", err, slow.all)
			}
			after := theNotice(t, w.Store, w.now)
			if noted := len(after.Mailed) > len(before.Mailed); after.ID != before.ID || !after.Due.Equal(before.Due) ||
				after.Attempts != before.Attempts || noted != x.changes {
				t.Errorf("it has made %+v of %+v", after, before)
			}
			w.now = w.now.Add(time.Hour)
			fast.refuses, fast.all = nil, nil
			if _, err := other.MailNotice(ctx); err != nil || len(fast.all) != x.later {
				t.Errorf("mailed later: %+v, %v; want %d", fast.all, err, x.later)
			}
		})
	}
}

// theNotice is the one that waits to be mailed, also while somebody mails it; zero: there is none.
func theNotice(t *testing.T, s center.Store, now time.Time) (n center.Notice) {
	t.Helper()
	if err := s.View(t.Context(), func(r center.Reader) (err error) {
		n, err = r.NextNotice(center.ByMail, now.Add(2*time.Hour), now.Add(3*time.Hour))
		if errors.Is(err, refusal.ErrNoRow) {
			err = nil
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// Deliver implements center.Mailer.
func (l *letters) Deliver(ctx context.Context, m center.Mail) error {
	l.Send(ctx, m)
	return nil
}
