package tenant_test

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
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
