package tenant_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestAJobThatIsNotComparedIsBehind: something fails in each cycle that was to compare everything,
// another object each time, so that none of them fails for long. Whoever watches the job sees since
// when that is so.
func TestAJobThatIsNotComparedIsBehind(t *testing.T) {
	t.Parallel()
	w := newNotified(t)
	by := w.node()
	cycle := func(uncompared bool) {
		j, err := by.Job(t.Context(), w.job.ServicePrincipalID, w.job.ID)
		if err != nil {
			t.Fatal(err)
		}
		j.Watermark = "1"
		if !uncompared {
			j.Uncompared = 0 // as the memory of a cycle that has compared everything
		}
		err = w.store.Update(t.Context(), func(tx tenant.Tx) error { return tx.PutJob(j) })
		if err != nil {
			t.Fatal(err)
		}
		x := tenant.Execution{State: "Succeeded", Began: w.now, Ended: w.now, Uncompared: uncompared}
		if err := by.FinishCycle(t.Context(), tenant.Holding{}, j, x, nil, ""); err != nil {
			t.Fatal(err)
		}
	}
	behind := func() time.Duration {
		s, err := by.InStep(t.Context(), w.job.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s.Behind(w.now)
	}
	for _, after := range []time.Duration{0, time.Hour, 2 * time.Hour} {
		cycle(true)
		if got := behind(); got < after || got > after+time.Second {
			t.Errorf("after %s it is behind for %s", after, got)
		}
		w.now = w.now.Add(time.Hour)
	}
	cycle(false)
	if got := behind(); got != 0 {
		t.Errorf("once everything is compared, it is behind for %s", got)
	}
	w.now = w.now.Add(time.Hour)
	cycle(true)
	if got := behind(); got > time.Second {
		t.Errorf("the next time, it is behind for %s", got)
	}
}

// TestSinceWhenBothSidesAreEqualIsTrue: a change waits, is refused, and is mended between two
// cycles; another one is sent by a cycle that does not come to its end. Whoever asks is never told
// a time in which it was otherwise.
func TestSinceWhenBothSidesAreEqualIsTrue(t *testing.T) {
	t.Parallel()
	w := newNotified(t)
	by := w.node()
	begin := w.now
	link := tenant.Link{JobID: w.job.ID, Kind: tenant.KindUser, SourceID: "ada", TargetID: "1"}
	job := func() tenant.Job {
		j, err := by.Job(t.Context(), w.job.ServicePrincipalID, w.job.ID)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	write := func(fn func(tenant.Tx) error) {
		if err := w.store.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	cycle := func(failure error) { // which has written what it could
		began := job()
		j := began
		write(func(tx tenant.Tx) error {
			_, last, err := tx.Marks(0)
			if j.Watermark = strconv.FormatInt(last, 10); failure != nil {
				j.Watermark = began.Watermark
			}
			return errors.Join(err, tx.PutLink(link), tx.PutJob(j))
		})
		x := tenant.Execution{State: "Succeeded", Began: w.now, Ended: w.now}
		if err := by.FinishCycle(t.Context(), tenant.Holding{}, began, x, failure, ""); err != nil {
			t.Fatal(err)
		}
	}
	change := func() {
		name := "x" + strconv.FormatInt(w.now.Unix(), 10)
		if _, err := by.CreateUser(t.Context(), tenanttest.Actor, tenant.User{
			UserPrincipalName: name + "@northwind.example", DisplayName: name,
		}, ""); err != nil {
			t.Fatal(err)
		}
	}
	for i, step := range []struct {
		name  string
		do    func()
		equal bool
		since int // hours after the beginning
	}{
		{"a cycle", func() { cycle(nil) }, true, 0},
		{"a change", change, false, 1},
		{"it is refused", func() {
			link.Failure, link.Since = "no", w.now
			cycle(nil)
		}, false, 1},
		{"refused once more", func() { cycle(nil) }, false, 1},
		{"it is mended", func() {
			link.Failure, link.Since = "", time.Time{}
			write(func(tx tenant.Tx) error { return tx.PutLink(link) })
		}, false, 1},
		{"the next cycle", func() { cycle(nil) }, true, 5},
		{"nothing to do", func() { cycle(nil) }, true, 5},
		{"another change", change, false, 7},
		{"sent, and then the target is silent", func() { cycle(errors.New("silent")) }, false, 7},
		{"nothing is left to do", func() { cycle(nil) }, true, 9},
		{"on demand", func() {
			if err := by.NoteInStep(t.Context(), tenant.Holding{}, w.job.ID, true); err != nil {
				t.Fatal(err)
			}
		}, true, 10},
	} {
		w.now = begin.Add(time.Duration(i) * time.Hour)
		step.do()
		s, err := by.InStep(t.Context(), w.job.ID)
		if want := begin.Add(time.Duration(step.since) * time.Hour); err != nil || s.Equal != step.equal ||
			s.Since.Sub(want).Abs() > time.Minute {
			t.Errorf("%s: %+v, %v, and not since %s", step.name, s, err, want)
		}
	}
}
