package syncjobs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// protecting is a way to a target on which one object cannot be changed.
type protecting struct {
	path         string
	off          bool // it is put off for an hour
	well         atomic.Bool
	lists, tries atomic.Int64
}

func (p *protecting) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, p.path):
		p.tries.Add(1)
		if !p.well.Load() {
			answer := httptest.NewRecorder()
			if p.off {
				answer.Header().Set("Retry-After", "3600")
				answer.WriteHeader(http.StatusTooManyRequests)
				return answer.Result(), nil
			}
			answer.WriteHeader(http.StatusNotFound) // as of a proxy, which knows nobody who answers
			return answer.Result(), nil
		}
	case q.Get("startIndex") == "1" && !q.Has("filter") && strings.HasSuffix(r.URL.Path, "/Users"):
		p.lists.Add(1)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestOneWhoFailsIsNoComparisonEachTime: a new job cannot change one person, who is in a group
// there that she should not be in. She is tried again and again, all others are not looked at each
// time. When she can be changed, all is compared once more, at once.
func TestOneWhoFailsIsNoComparisonEachTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	var ahead atomic.Int64
	h.tenant.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	eva, err := h.center.CreateUser(t.Context(), centertest.Actor, centertest.Person("eva@northwind.example"))
	h.must(err)
	ops, err := h.center.CreateGroup(
		t.Context(), centertest.Actor, center.Group{DisplayName: "Ops", ExternalID: string(h.groups["Ops"])},
	)
	h.must(err)
	_, err = h.center.CreateMembership(t.Context(), centertest.Actor, ops.ID, eva.ID)
	h.must(err)
	way := &protecting{path: "/Users/" + string(eva.ID)}
	h.runner.HTTP = &http.Client{Transport: way}
	app := h.application("Eng", "Ops")
	j := h.started(app)
	for n := int64(1); n <= 6; n++ {
		before := way.tries.Load()
		h.must(h.runner.RunJob(t.Context(), j))
		j, err = h.tenant.Job(t.Context(), app, j.ID)
		h.must(err)
		if j.Last.State != "EntryLevelErrors" || !j.Unasked || way.tries.Load() == before {
			t.Fatalf("cycle %d: %+v, compares: %v", n, j.Last, j.Unasked)
		}
		ahead.Add(int64(8 * time.Second))
	}
	if n := way.lists.Load(); n != 1 {
		t.Errorf("everything was compared %d times", n)
	}
	ahead.Add(int64(time.Minute))
	h.must(h.runner.RunJob(t.Context(), j))
	if n := way.lists.Load(); n != 2 {
		t.Errorf("a minute later, everything was compared %d times", n)
	}
	way.well.Store(true)
	ahead.Add(int64(8 * time.Second))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.runner.Run(ctx) })
	for deadline := time.Now().Add(20 * time.Second); j.Unasked && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond) // a poll
		j, err = h.tenant.Job(t.Context(), app, j.ID)
		h.must(err)
	}
	cancel()
	running.Wait()
	if n := way.lists.Load(); j.Unasked || n < 3 || n > 4 {
		t.Errorf("when all is well, everything was compared %d times, and is still to be: %v", n, j.Unasked)
	}
	h.want("ada*", "bob*", "eva*", "Eng=ada+eva", "Ops=bob")
}

// TestOneWhoIsPutOffIsNoComparisonEachTime: a new job is to change one person, of whom the target
// takes no more requests for an hour. She is left alone for so long, all others are compared now
// and then, and all is compared when the hour is over.
func TestOneWhoIsPutOffIsNoComparisonEachTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	var ahead atomic.Int64
	h.tenant.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	eva, err := h.center.CreateUser(t.Context(), centertest.Actor, centertest.Person("eva@northwind.example"))
	h.must(err)
	way := &protecting{path: "/Users/" + string(eva.ID), off: true}
	h.runner.HTTP = &http.Client{Transport: way}
	app := h.application("Eng", "Ops")
	j := h.started(app)
	for _, c := range []struct {
		after time.Duration
		lists int64
	}{
		{0, 1}, {2 * time.Second, 1}, {2 * time.Second, 1},
		{time.Minute, 2}, {2 * time.Second, 2}, {50 * time.Minute, 3},
	} {
		ahead.Add(int64(c.after))
		h.must(h.runner.RunJob(t.Context(), j))
		j, err = h.tenant.Job(t.Context(), app, j.ID)
		h.must(err)
		if lists, tries := way.lists.Load(), way.tries.Load(); lists != c.lists || tries != 1 || !j.Unasked {
			t.Errorf("%d comparisons, not %d; she was tried %d times; compares: %v", lists, c.lists, tries, j.Unasked)
		}
		if in, err := h.tenant.InStep(t.Context(), j.ID); err != nil || in.Equal || in.Failing == 0 {
			t.Errorf("it is taken to be in step: %+v, %v", in, err)
		}
	}
	way.well.Store(true)
	ahead.Add(int64(10 * time.Minute))
	for range 2 {
		h.must(h.runner.RunJob(t.Context(), j))
		j, err = h.tenant.Job(t.Context(), app, j.ID)
		h.must(err)
	}
	if j.Unasked || way.tries.Load() != 2 {
		t.Errorf("when the hour is over, she was tried %d times; compares: %v", way.tries.Load(), j.Unasked)
	}
	h.want("ada*", "bob*", "eva*", "Eng=ada+eva", "Ops=bob")
}
