package provisioning_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// TestARequestThatIsPutOffKeepsNobodyWaiting: one answer of a proxy, or a limit for one person,
// does not stop all others for as long as it says: who else leaves or comes is not concerned. The
// person waits for as long as the target takes no more requests, and only for a moment where
// somebody in between guesses when it is well again.
func TestARequestThatIsPutOffKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	for status, waits := range map[int]time.Duration{
		http.StatusServiceUnavailable: 4 * time.Second,
		http.StatusTooManyRequests:    61 * time.Second,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			x, m := newTarget(t), newMemory()
			now := time.Now()
			d := newDirectory(user("ada"), user("bob"))
			cycle := func() (provisioning.Result, error) {
				return x.sync(t, d, m, func(e *provisioning.Engine) { e.Now = func() time.Time { return now } })
			}
			if _, err := cycle(); err != nil {
				t.Fatal(err)
			}
			of := "/Users/" + m.link(ada).TargetID
			active(ada, false)(d)
			active(bob, false)(d)
			adding(user("eve"))(d)
			var asked atomic.Int64
			var well atomic.Bool
			x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
				if r.Method != http.MethodPatch || !strings.HasSuffix(r.URL.Path, of) || well.Load() {
					return false
				}
				asked.Add(1)
				w.Header().Set("Retry-After", "61")
				w.WriteHeader(status)
				return true
			})
			result, err := cycle()
			if err != nil || result.Disabled != 1 || result.Created != 1 || result.Failed != 1 {
				t.Errorf("%+v, %v", result, err)
			}
			x.want(t, "ada*", "bob", "eve*")
			if n := asked.Load(); n != 1 {
				t.Errorf("it was asked %d times in a cycle", n)
			}
			wait := m.link(ada).RetryAt.Sub(now)
			if wait > waits || (status == http.StatusTooManyRequests && wait < waits) {
				t.Errorf("it is tried again after %s", wait)
			}
			well.Store(true)
			now = m.link(ada).RetryAt
			if result, err := cycle(); err != nil || result.Disabled != 1 {
				t.Errorf("when its time has come: %+v, %v", result, err)
			}
			x.want(t, "ada", "bob", "eve*")
		})
	}
}

// TestATargetThatTakesNoMoreIsLeftAlone: a limit that is not that of one person ends the cycle,
// soon, and the target is left alone for as long as it says. Nothing is lost: the next one goes on.
func TestATargetThatTakesNoMoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	const few = 4 // requests that a target may put off
	for name, c := range map[string]struct {
		limited func(*http.Request) bool
		most    int // requests that are put off
	}{
		"of everything": {func(*http.Request) bool { return true }, 1},
		"of changes": {
			func(r *http.Request) bool { return r.Method != http.MethodGet }, few + provisioning.DefaultWorkers,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, m := newTarget(t), newMemory()
			d := newDirectory()
			for i := range 200 {
				d.add(user(fmt.Sprintf("u%03d", i)))
			}
			var off atomic.Int64
			x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
				if !c.limited(r) {
					return false
				}
				off.Add(1)
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			})
			began := time.Now()
			_, err := x.sync(t, d, m, nil)
			if !provisioning.MayPass(err) || provisioning.Asked(err) != time.Hour {
				t.Errorf("the cycle ends with %v, and the target asked for %s", err, provisioning.Asked(err))
			}
			if n := int(off.Load()); n > c.most {
				t.Errorf("%d requests were put off", n)
			}
			x.misbehave(nil)
			result, err := x.sync(t, d, m, func(e *provisioning.Engine) {
				e.Now = func() time.Time { return began.Add(time.Hour + time.Minute) }
			})
			if err != nil || result.Failed > 0 {
				t.Errorf("the next cycle: %+v, %v", result, err)
			}
			x.equals(t, d, m)
		})
	}
}

// TestAFewWhoArePutOffKeepNobodyWaitingForEver: the changes of a few people are put off, again and
// again, before all others have their turn. Within a few cycles everybody else is there.
func TestAFewWhoArePutOffKeepNobodyWaitingForEver(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	d := newDirectory()
	bad := map[string]bool{}
	for i := range 9 {
		d.add(user(fmt.Sprintf("a%d", i)))
	}
	now := time.Now()
	cycle := func() (provisioning.Result, error) {
		now = now.Add(2 * time.Hour)
		return x.sync(t, d, m, func(e *provisioning.Engine) {
			e.Now, e.Workers = func() time.Time { return now }, 1
		})
	}
	if _, err := cycle(); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		ref := user(fmt.Sprintf("a%d", i)).Ref
		bad["/Users/"+m.link(ref).TargetID] = true
		having(ref, "jobTitle", "Wizard")(d)
	}
	d.add(user("zoe"))
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		off := false
		for path := range bad {
			off = off || (r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, path))
		}
		if off {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return off
	})
	zoe := user("zoe").Ref
	for n := 0; m.link(zoe).TargetID == ""; n++ {
		if n == 5 {
			t.Fatal("who is put off keeps another one from coming")
		}
		_, _ = cycle() // it may end early
	}
}

// TestOneWhoIsPutOffStopsNobodyWhoIsUnderWay: while the target is asked whether it answers others,
// all others go on, and leave room for the question.
func TestOneWhoIsPutOffStopsNobodyWhoIsUnderWay(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	var off atomic.Bool
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		if r.Method != http.MethodPost || off.Swap(true) {
			return false
		}
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	result, err := x.sync(t, many(40, 0), m, nil)
	if err != nil || result.Created != 39 || result.Failed != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestAMomentOfTheTargetIsNotAnHourForAll: one person is put off, and when the target is asked
// whether it answers others, it throttles or fails for a moment. Where it goes on to fail, that is
// no hour either.
func TestAMomentOfTheTargetIsNotAnHourForAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		times  int64
	}{
		"throttles once": {http.StatusTooManyRequests, 1},
		"fails once":     {http.StatusInternalServerError, 1},
		"fails":          {http.StatusInternalServerError, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, m := newTarget(t), newMemory()
			d := newDirectory(user("ada"), user("bob"))
			if _, err := x.sync(t, d, m, nil); err != nil {
				t.Fatal(err)
			}
			of := "/Users/" + m.link(ada).TargetID
			active(ada, false)(d)
			active(bob, false)(d)
			var ill atomic.Int64
			x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
				switch {
				case r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, of):
					w.Header().Set("Retry-After", "3600")
					w.WriteHeader(http.StatusTooManyRequests)
					ill.Store(c.times)
				case ill.Load() > 0:
					ill.Add(-1)
					w.WriteHeader(c.status)
				default:
					return false
				}
				return true
			})
			result, err := x.sync(t, d, m, func(e *provisioning.Engine) { e.Workers = 1 })
			if wait := provisioning.Asked(err); wait > time.Minute {
				t.Errorf("all wait for %s", wait)
			}
			if c.times == 1 && (err != nil || result.Disabled != 1) {
				t.Errorf("the other one stays: %+v, %v", result, err)
			}
		})
	}
}
