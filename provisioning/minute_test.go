package provisioning_test

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// changesOf answers the changes of the object at the end of a path, in place of the target.
func changesOf(path *string, answer func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, door http.Handler) {
		if r.Method != http.MethodPatch || !strings.HasSuffix(r.URL.Path, *path) {
			door.ServeHTTP(w, r)
			return
		}
		answer(w)
	}
}

// TestAMinuteForOneIsNoMinuteForAll: the changes of one person are put off for less than a minute,
// again and again. Whoever else leaves or comes does not wait for that, and the person is tried
// again when it is over.
func TestAMinuteForOneIsNoMinuteForAll(t *testing.T) {
	t.Parallel()
	for status, waits := range map[int]time.Duration{
		http.StatusServiceUnavailable: 4 * time.Second,
		http.StatusTooManyRequests:    time.Hour,
	} {
		for _, after := range []time.Duration{5 * time.Second, 30 * time.Second, time.Minute} {
			t.Run(fmt.Sprintf("%d after %s", status, after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					of, asked := "nobody", 0
					client := behind(t, changesOf(&of, func(w http.ResponseWriter) {
						asked++
						w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
						w.WriteHeader(status)
					}))
					d, m := newDirectory(user("ada"), user("bob")), newMemory()
					if _, err := cycleOf(t, client, d, m, false); err != nil {
						t.Fatal(err)
					}
					of = "/Users/" + m.link(ada).TargetID
					active(ada, false)(d)
					active(bob, false)(d)
					adding(user("eve"))(d)
					began := time.Now()
					result, err := cycleOf(t, client, d, m, false)
					if err != nil || result.Disabled != 1 || result.Created != 1 || result.Failed != 1 || asked != 1 {
						t.Errorf("it is asked %d times: %+v, %v", asked, result, err)
					}
					if took := time.Since(began); took > time.Second {
						t.Errorf("all others have waited for %s", took)
					}
					if wait := time.Until(m.link(ada).RetryAt); wait > min(waits, after) {
						t.Errorf("it is tried again after %s", wait)
					}
					of = "nobody"
					time.Sleep(time.Until(m.link(ada).RetryAt))
					if result, err := cycleOf(t, client, d, m, false); err != nil || result.Disabled != 1 {
						t.Errorf("when its time has come: %+v, %v", result, err)
					}
				})
			})
		}
	}
}

// TestATargetThatPutsAllOffIsLeftAlone: it limits everything, or changes only, or lists only, by
// the minute, and answers all else. Within what it asks for nothing is sent that it does not take,
// but for what was under way; and a cycle is done, but for a few whom it took to be meant alone.
func TestATargetThatPutsAllOffIsLeftAlone(t *testing.T) {
	t.Parallel()
	const few = 5
	for name, limited := range map[string]func(*http.Request) bool{
		"everything": func(*http.Request) bool { return true },
		"changes":    func(r *http.Request) bool { return r.Method != http.MethodGet },
		"lists":      func(r *http.Request) bool { return r.URL.Query().Get("startIndex") != "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var began time.Time
				left, refused := 0, 0
				most := 0 // refused in a window
				client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
					if !limited(r) {
						door.ServeHTTP(w, r)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if time.Since(began) >= time.Minute {
						began, left = time.Now(), 8
						refused = 0
					}
					if left--; left >= 0 {
						door.ServeHTTP(w, r)
						return
					}
					refused++
					most = max(most, refused)
					rest := time.Minute - time.Since(began)
					w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(rest.Seconds()))))
					w.WriteHeader(http.StatusTooManyRequests)
				})
				m := newMemory()
				d := newDirectory()
				for i := range 60 {
					d.add(user(fmt.Sprint("u", i)))
				}
				result, err := cycleOf(t, client, d, m, true)
				if err != nil || result.Created+result.Failed != 60 || result.Failed > few {
					t.Errorf("%+v, %v", result, err)
				}
				if name != "changes" && result.Failed > 0 {
					t.Errorf("%d were taken to be meant alone", result.Failed)
				}
				if most > 2*provisioning.DefaultWorkers+2 {
					t.Errorf("%d requests were refused within a minute", most)
				}
				time.Sleep(time.Minute)
				if result, err := cycleOf(t, client, d, m, false); err != nil || result.Failed > 0 {
					t.Errorf("the next cycle: %+v, %v", result, err)
				}
			})
		})
	}
}

// TestALeaverGoesFirstWhereATargetThrottles: it takes a request a second, and sixteen others wait
// for a place when somebody leaves.
func TestALeaverGoesFirstWhereATargetThrottles(t *testing.T) {
	t.Parallel()
	for range 5 { // who goes first without a rule is chance
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var free, disabled time.Time
			client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
				mu.Lock()
				defer mu.Unlock()
				if free.After(time.Now()) {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(http.StatusTooManyRequests)
					return
				}
				free = time.Now().Add(time.Second)
				if door.ServeHTTP(w, r); r.Method == http.MethodPatch {
					disabled = time.Now()
				}
			})
			d, m := &changing{directory: newDirectory(user("ada"))}, newMemory()
			if _, err := cycleOf(t, client, d, m, false); err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				d.add(user(fmt.Sprint("u", i)))
			}
			var left time.Time
			go func() {
				time.Sleep(30 * time.Second)
				d.mu.Lock()
				defer d.mu.Unlock()
				active(ada, false)(d.directory)
				left = time.Now()
			}()
			result, err := cycleOf(t, client, d, m, false)
			if err != nil || result.Disabled != 1 || result.Created != 100 {
				t.Errorf("%+v, %v", result, err)
			}
			if took := disabled.Sub(left); took > 6*time.Second {
				t.Errorf("the leaver is disabled after %s", took)
			}
		})
	}
}

// TestATargetThatLimitsChangesIsNotStormed: it takes ten changes a second, wants five seconds of
// patience otherwise, and answers whatever it is asked.
func TestATargetThatLimitsChangesIsNotStormed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		tokens, refused := 10.0, 0
		last := time.Now()
		client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			now := time.Now()
			tokens, last = min(10, tokens+10*now.Sub(last).Seconds()), now
			taken := r.Method == http.MethodGet || tokens >= 1
			if r.Method != http.MethodGet {
				tokens = max(tokens-1, 0)
			}
			if !taken {
				refused++
			}
			mu.Unlock()
			if taken {
				door.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		result, err := cycleOf(t, client, many(300, 0), newMemory(), false)
		if err != nil || result.Created+result.Failed != 300 || result.Failed > 3 {
			t.Errorf("%+v, %v", result, err)
		}
		if refused > 3*provisioning.DefaultWorkers {
			t.Errorf("%d requests were refused", refused)
		}
	})
}
