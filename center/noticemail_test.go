package center_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
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

// Deliver implements center.Mailer.
func (l *letters) Deliver(ctx context.Context, m center.Mail) error {
	l.Send(ctx, m)
	return nil
}
