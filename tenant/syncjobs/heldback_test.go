package syncjobs_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// broken is a way to a target that fails what changes something, or everything.
type broken struct{ changes, reads atomic.Bool }

func (b *broken) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.reads.Load() || (b.changes.Load() && r.Method != http.MethodGet) {
		answer := httptest.NewRecorder()
		answer.WriteHeader(http.StatusInternalServerError)
		return answer.Result(), nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// until runs the jobs until a job is as a test wants it; not for longer than half a minute.
func (h *house) until(what string, j tenant.Job, ok func(tenant.Job) bool) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.runner.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // a poll
		now, err := h.tenant.Job(h.t.Context(), j.ServicePrincipalID, j.ID)
		h.must(err)
		if ok(now) {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s does not come: %+v, %+v", what, now.Quarantine, now.Last)
		}
	}
}

// TestWhoWasLetThroughDoesNotWaitForAQuarantine: Ada leaves while the target is out of order, and
// then more leave than may. She is disabled when it is well again, though the cycles of then came
// not even to her, and though another process knows nothing of earlier ones. The others are not.
func TestWhoWasLetThroughDoesNotWaitForAQuarantine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ reads, restarted bool }{
		"nothing is answered":                      {reads: true},
		"nothing is answered, and another process": {reads: true, restarted: true},
		"changes fail, and another process":        {restarted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, way := newHouse(t, center.ProfileStandard), &broken{}
			h.runner.HTTP = &http.Client{Transport: way}
			j := h.job(h.application("Eng", "Ops"))
			one := 1
			most := tenant.JobSettings{DeleteThreshold: &one}
			h.must(h.tenant.ConfigureJob(t.Context(), tenanttest.Actor, j.ID, most))
			j = h.run(j)
			way.changes.Store(true)
			way.reads.Store(c.reads)
			h.enable("ada", false)
			h.until("a cycle that fails", j, func(now tenant.Job) bool { return now.Last.State != "Succeeded" })
			h.enable("bob", false)
			h.enable("eva", false)
			heal := func() {
				way.changes.Store(false)
				way.reads.Store(false)
			}
			var before tenant.Quarantine
			disabled := func(now tenant.Job) bool {
				if now.Quarantine == nil {
					return false
				}
				if before.Reason == "" {
					before = *now.Quarantine
					heal()
				}
				return slices.Contains(has(t, h.center), "ada")
			}
			if c.restarted {
				h.until("quarantine", j, func(now tenant.Job) bool { return now.Quarantine != nil })
				h.runner = syncjobs.New(h.tenant, slog.New(slog.DiscardHandler), &http.Client{Transport: way})
			}
			h.until("the end of her access", j, disabled)
			j, err := h.tenant.Job(t.Context(), j.ServicePrincipalID, j.ID)
			h.must(err)
			if all := has(t, h.center); !slices.Contains(all, "bob*") || !slices.Contains(all, "eva*") {
				t.Errorf("others lose access too: %v", all)
			}
			if q := j.Quarantine; q == nil || q.Reason != tenant.QuarantineDeletes ||
				!q.NextAttempt.Equal(before.NextAttempt) {
				t.Errorf("quarantine %+v, before %+v", q, before)
			}
		})
	}
}

// TestWhoComesDoesNotWaitForAQuarantine: while others are held back, the target is out of order for
// a while, and somebody comes. They come to it when it is well again.
func TestWhoComesDoesNotWaitForAQuarantine(t *testing.T) {
	t.Parallel()
	h, way := newHouse(t, center.ProfileStandard), &broken{}
	h.runner.HTTP = &http.Client{Transport: way}
	j := h.job(h.application("Eng", "Ops"))
	one := 1
	most := tenant.JobSettings{DeleteThreshold: &one}
	h.must(h.tenant.ConfigureJob(t.Context(), tenanttest.Actor, j.ID, most))
	h.enable("eva", false)
	j = h.run(j)
	h.enable("ada", false)
	h.enable("bob", false)
	last, stage := "", 0
	h.until("a newcomer", j, func(now tenant.Job) bool {
		switch {
		case stage == 0 && now.Quarantine != nil:
			way.reads.Store(true)
			last, stage = now.Last.ID, 1
			h.enable("eva", true)
			h.runner.Wake()
		case stage == 1 && now.Last.ID != last: // it has failed
			way.reads.Store(false)
			stage = 2
		}
		return stage == 2 && slices.Contains(has(t, h.center), "eva*")
	})
}

// TestWhoJoinsThoseWhoAreHeldBackIsInTheLogOnce: Ada and Bob are held back, and the log says so.
// Eva leaves too, and then somebody else changes: the log says it of her as well, and of nobody
// twice.
func TestWhoJoinsThoseWhoAreHeldBackIsInTheLogOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	for _, name := range []string{"kim", "zoe"} {
		h.hire(name)
		h.join("Ops", name)
	}
	j := h.job(h.application("Eng", "Ops"))
	one := 1
	most := tenant.JobSettings{DeleteThreshold: &one}
	h.must(h.tenant.ConfigureJob(t.Context(), tenanttest.Actor, j.ID, most))
	j = h.run(j)
	for n, change := range []func(){
		func() { h.enable("ada", false); h.enable("bob", false) },
		func() { h.enable("eva", false) },
		func() { h.enable("kim", false); h.enable("kim", true); h.join("Eng", "zoe") },
	} {
		change()
		_ = h.runner.RunJob(t.Context(), j) // it holds them back, which is a failure
		var staged []string
		entries, err := h.tenant.ProvisioningLog(t.Context(), tenant.LogQuery{JobID: j.ID, Action: "stagedDelete"})
		h.must(err)
		for _, e := range entries {
			name, _, _ := strings.Cut(e.Name, "@")
			staged = append(staged, name)
		}
		slices.Sort(staged)
		if want := []string{"ada", "bob", "eva"}[:min(n+2, 3)]; !slices.Equal(staged, want) {
			t.Errorf("after change %d the log says it of %v, not of %v", n, staged, want)
		}
	}
	h.want("ada*", "bob*", "eva*", "kim*", "zoe*", "Eng=ada+eva+zoe", "Ops=bob+kim+zoe")
}
