package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// notified are nodes of a tenant with one job, whose settings name somebody to be told. They share
// a clock.
type notified struct {
	*testing.T
	store tenant.Store
	job   tenant.Job
	now   time.Time
	mails []string // what the mail server has taken
	says  error    // what it says instead
}

func newNotified(t *testing.T) *notified {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w := &notified{T: t, store: s, now: time.Now().UTC().Truncate(time.Millisecond)}
	tn := w.node()
	app, err := tn.Instantiate(t.Context(), tenanttest.Actor, tenant.Gallery[0], "App")
	if err != nil {
		t.Fatal(err)
	}
	to := "ops@example.com"
	w.job, err = tn.CreateJobWith(t.Context(), tenanttest.Actor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate,
		tenant.JobSettings{NotificationEmail: &to})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// node is one more node.
func (w *notified) node() *tenant.Tenant {
	tn := tenanttest.On(w, w.store)
	tn.Now = func() time.Time { return w.now }
	tn.Notify = func(_ context.Context, to, subject, text string) error {
		if w.says == nil {
			w.mails = append(w.mails, fmt.Sprintf("%s: %s\n%s", to, subject, text))
		}
		return w.says
	}
	return tn
}

func (w *notified) configure(by *tenant.Tenant, s tenant.JobSettings) error {
	return by.ConfigureJob(w.Context(), tenanttest.Actor, w.job.ID, s)
}

// starts starts the job at one more node, and has that node's clock not be doubted.
func (w *notified) starts() *tenant.Tenant {
	w.Helper()
	by := w.node()
	address, token := "https://target.example/scim", "secret"
	e1 := w.configure(by, tenant.JobSettings{BaseAddress: &address, SecretToken: &token})
	e2 := by.StartJob(w.Context(), tenanttest.Actor, w.job.ID)
	if err := errors.Join(e1, e2, by.Sweep(w.Context())); err != nil {
		w.Fatal(err)
	}
	return by
}

// fails has a cycle of the job fail, so that it goes into quarantine, or succeed.
func (w *notified) fails(by *tenant.Tenant, reason string) {
	w.Helper()
	j, err := by.Job(w.Context(), w.job.ServicePrincipalID, w.job.ID)
	if err != nil {
		w.Fatal(err)
	}
	var failed error
	if reason != "" {
		failed = errors.New(reason)
	}
	x := tenant.Execution{Began: w.now, Ended: w.now, ErrorCode: "401", ErrorMessage: "refused"}
	if err := by.FinishCycle(w.Context(), tenant.Holding{}, j, x, failed, reason); err != nil {
		w.Fatal(err)
	}
}

// send has a node send what is due, and returns what the mail server has taken since.
func (w *notified) send(by *tenant.Tenant) (mails []string) {
	w.Helper()
	if err := by.SendNotices(w.Context()); err != nil {
		w.Fatal(err)
	}
	mails, w.mails = w.mails, nil
	return mails
}

// TestAKillLosesNoNoticeOfQuarantine: the node dies between the quarantine and the mail, or before
// the mail server has answered. Another one sends it, and once.
func TestAKillLosesNoNoticeOfQuarantine(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before the mail", "while it is sent"} {
		t.Run(when, func(t *testing.T) {
			w := newNotified(t)
			dies := w.node()
			dies.Notify = func(context.Context, string, string, string) error { panic("killed") }
			w.fails(dies, tenant.QuarantineException)
			if when == "while it is sent" {
				func() {
					defer func() { _ = recover() }()
					_ = dies.SendNotices(t.Context())
				}()
				if early := w.send(w.node()); len(early) > 0 {
					t.Errorf("another node does not wait for the one that sends it: %q", early)
				}
				w.now = w.now.Add(time.Minute)
			}
			other := w.node()
			mails := w.send(other)
			if len(mails) != 1 || !strings.HasPrefix(mails[0], "ops@example.com: Provisioning is in quarantine") ||
				!strings.Contains(mails[0], string(w.job.ID)) || !strings.Contains(mails[0], "refused") {
				t.Fatalf("mailed %q", mails)
			}
			w.now = w.now.Add(48 * time.Hour)
			w.fails(other, tenant.QuarantineException) // the same quarantine goes on
			if again := w.send(other); len(again) > 0 {
				t.Errorf("mailed again: %q", again)
			}
		})
	}
}

// TestANoticeOfQuarantineIsTriedForADay and then given up; what has changed meanwhile is told as it
// is, or not at all.
func TestANoticeOfQuarantineIsTriedForADay(t *testing.T) {
	t.Parallel()
	nobody, other := "", "second@example.com"
	for _, x := range []struct {
		name      string
		away      time.Duration // the mail server
		meanwhile func(w *notified, by *tenant.Tenant) error
		mailed    string // part of it; empty: nothing is
	}{
		{"the mail server is away for hours", 5 * time.Hour, nil, "Provisioning is in quarantine"},
		{"the mail server is away for days", 48 * time.Hour, nil, ""},
		{"the quarantine has ended", time.Hour, func(w *notified, by *tenant.Tenant) error {
			w.fails(by, "")
			return nil
		}, "Provisioning was in quarantine"},
		{"the reason is another one", time.Hour, func(w *notified, by *tenant.Tenant) error {
			w.fails(by, tenant.QuarantineDeletes)
			return nil
		}, tenant.QuarantineDeletes},
		{"somebody else is to be told", time.Hour, func(w *notified, by *tenant.Tenant) error {
			return w.configure(by, tenant.JobSettings{NotificationEmail: &other})
		}, other},
		{"nobody is to be told", time.Hour, func(w *notified, by *tenant.Tenant) error {
			return w.configure(by, tenant.JobSettings{NotificationEmail: &nobody})
		}, ""},
		{"the job is deleted", time.Hour, func(w *notified, by *tenant.Tenant) error {
			return by.DeleteJob(w.Context(), tenanttest.Actor, w.job.ID)
		}, ""},
		{"the clock was a year ahead", -365 * 24 * time.Hour, nil, "Provisioning is in quarantine"},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newNotified(t)
			by := w.node()
			w.says = errors.New("421 not now")
			w.fails(by, tenant.QuarantineException)
			w.send(by)
			for ; x.away > 0; x.away -= 5 * time.Minute {
				w.now = w.now.Add(5 * time.Minute)
				w.send(by)
			}
			if x.meanwhile != nil {
				if err := x.meanwhile(w, by); err != nil {
					t.Fatal(err)
				}
			}
			w.says = nil
			w.now = w.now.Add(time.Hour + x.away)
			mails := w.send(by)
			if all := strings.Join(mails, "\n"); (all == "") != (x.mailed == "") || !strings.Contains(all, x.mailed) ||
				len(mails) > 1 {
				t.Errorf("mailed %q, want %q in it", mails, x.mailed)
			}
			if err := w.store.View(t.Context(), func(r tenant.Reader) error {
				left, err := r.Notices()
				if len(left) > 0 {
					t.Errorf("left: %+v", left)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAClockThatJumpsSwitchesNoJobOff: a job that is in quarantine for four weeks is switched off,
// but not by a clock that has jumped.
func TestAClockThatJumpsSwitchesNoJobOff(t *testing.T) {
	t.Parallel()
	for _, jumps := range []bool{true, false} {
		w := newNotified(t)
		by := w.starts()
		w.fails(by, tenant.QuarantineException)
		if end := w.now.AddDate(0, 0, 29); jumps {
			w.now = end
		} else {
			sweepUntil(t, by, &w.now, end)
		}
		w.fails(by, tenant.QuarantineException)
		j, err := by.Job(t.Context(), w.job.ServicePrincipalID, w.job.ID)
		if err != nil || (j.State == tenant.JobActive) != jumps {
			t.Errorf("jumps: %t: the job is %s, %v", jumps, j.State, err)
		}
	}
}

// TestAQuarantineOfATimeToComeEnds after four weeks all the same, counted from when the clock was
// right again.
func TestAQuarantineOfATimeToComeEnds(t *testing.T) {
	t.Parallel()
	w := newNotified(t)
	by := w.starts()
	right := w.now
	w.now = right.AddDate(1, 0, 0)
	w.fails(by, tenant.QuarantineException)
	w.now = right
	for _, x := range []struct {
		days int
		want tenant.JobState
	}{{0, tenant.JobActive}, {27, tenant.JobActive}, {29, tenant.JobPaused}} {
		sweepUntil(t, by, &w.now, right.AddDate(0, 0, x.days))
		w.fails(by, tenant.QuarantineException)
		j, err := by.Job(t.Context(), w.job.ServicePrincipalID, w.job.ID)
		if err != nil || j.State != x.want {
			t.Errorf("after %d days the job is %s, %v", x.days, j.State, err)
		}
	}
}

// TestHeldDeletionsSwitchNoJobOff: the job does all else meanwhile. Four weeks of another one count
// from when that began.
func TestHeldDeletionsSwitchNoJobOff(t *testing.T) {
	t.Parallel()
	w := newNotified(t)
	by := w.starts()
	began := w.now
	for _, x := range []struct {
		day    int
		reason string
		want   tenant.JobState
	}{
		{0, tenant.QuarantineDeletes, tenant.JobActive},
		{60, tenant.QuarantineDeletes, tenant.JobActive},
		{61, tenant.QuarantineException, tenant.JobActive},
		{88, tenant.QuarantineException, tenant.JobActive},
		{90, tenant.QuarantineException, tenant.JobPaused},
	} {
		sweepUntil(t, by, &w.now, began.AddDate(0, 0, x.day))
		w.fails(by, x.reason)
		j, err := by.Job(t.Context(), w.job.ServicePrincipalID, w.job.ID)
		if err != nil || j.State != x.want {
			t.Errorf("after %d days the job is %s, %v", x.day, j.State, err)
		}
	}
}

// TestANodeThatStoodStillConcludesOnlyWhatItHolds: it slept while it mailed, and another node has
// taken the notice meanwhile. Only that the mail server has it counts.
func TestANodeThatStoodStillConcludesOnlyWhatItHolds(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name  string
		says  error // what the slow one hears at last
		other error // what the other one heard meanwhile
		later int   // how many mails are sent an hour later
	}{
		{"neither could mail it", errors.New("421"), errors.New("421"), 1},
		{"the other one could not", nil, errors.New("421"), 0},
		{"both could", nil, nil, 0},
		{"the slow one could not", errors.New("421"), nil, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newNotified(t)
			slow, other := w.node(), w.node()
			w.fails(slow, tenant.QuarantineException)
			var before tenant.Notice
			slow.Notify = func(context.Context, string, string, string) error {
				w.now = w.now.Add(10 * time.Minute)
				w.says = x.other
				w.send(other)
				w.says = nil
				before = w.notice()
				return x.says
			}
			w.send(slow)
			if after := w.notice(); x.says != nil && after != before {
				t.Errorf("it has made %+v of %+v", after, before)
			}
			w.now = w.now.Add(time.Hour)
			if late := w.send(other); len(late) != x.later {
				t.Errorf("mailed later: %q, want %d", late, x.later)
			}
		})
	}
}

// notice is the job's; zero: it has none.
func (w *notified) notice() (n tenant.Notice) {
	w.Helper()
	if err := w.store.View(w.Context(), func(r tenant.Reader) (err error) {
		if n, err = r.Notice(w.job.ID); errors.Is(err, refusal.ErrNoRow) {
			return nil
		}
		return err
	}); err != nil {
		w.Fatal(err)
	}
	return n
}
