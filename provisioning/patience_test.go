package provisioning_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// slowly answers some requests of a client late, or not at all when nobody waits any more.
func slowly(
	slow func(*http.Request) time.Duration,
) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, door http.Handler) {
		select {
		case <-time.After(slow(r)):
			door.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
}

// TestATargetThatIsSlowIsWrittenTo: it is quick to say that it is there, needs long for all else,
// and stops when nobody waits. How slow it is is learned over the cycles.
func TestATargetThatIsSlowIsWrittenTo(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]func(*http.Request) bool{
		"changes":  func(r *http.Request) bool { return r.Method != http.MethodGet },
		"searches": func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.RawQuery != "" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late := time.Duration(0)
				client := behind(t, slowly(func(r *http.Request) time.Duration {
					if is(r) {
						return late
					}
					return 0
				}))
				d, m := newDirectory(user("ada")), newMemory()
				if _, err := cycleOf(t, client, d, m, false); err != nil {
					t.Fatal(err)
				}
				late = 12 * time.Second
				active(ada, false)(d)
				for range 3 {
					result, err := cycleOf(t, client, d, m, false)
					if err == nil && result.Disabled == 1 {
						return
					}
					time.Sleep(4 * time.Second)
				}
				t.Error("the leaver stays")
			})
		})
	}
}

// TestALeaverWhoFailedDoesNotWaitForTheEndOfACycle: changes fail for a moment, when a cycle begins
// that lasts for minutes.
func TestALeaverWhoFailedDoesNotWaitForTheEndOfACycle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var whole, disabled time.Time
		var mu sync.Mutex
		client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
			switch {
			case r.Method == http.MethodPost:
				time.Sleep(4 * time.Second)
			case r.Method != http.MethodPatch:
			case time.Now().Before(whole):
				w.WriteHeader(http.StatusInternalServerError)
				return
			default:
				mu.Lock()
				disabled = time.Now()
				mu.Unlock()
			}
			door.ServeHTTP(w, r)
		})
		d, m := newDirectory(user("ada")), newMemory()
		if _, err := cycleOf(t, client, d, m, false); err != nil {
			t.Fatal(err)
		}
		for i := range 600 {
			d.add(user(fmt.Sprint("new", i)))
		}
		active(ada, false)(d)
		whole = time.Now().Add(5 * time.Second)
		result, err := cycleOf(t, client, d, m, false)
		if err != nil || result.Created != 600 || result.Disabled != 1 || result.Failed != 1 {
			t.Errorf("%+v, %v", result, err)
		}
		if after := disabled.Sub(whole); after > 10*time.Second {
			t.Errorf("the leaver is disabled %s after changes are taken again", after)
		}
	})
}

// TestACreationThatTakesLongIsMadeOnce: the target is at it still, and does not find it yet, when
// other requests would have been given up.
func TestACreationThatTakesLongIsMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		posts := 0
		client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/Groups") {
				door.ServeHTTP(w, r)
				return
			}
			mu.Lock()
			posts++
			mu.Unlock()
			time.Sleep(8 * time.Second) // whether anybody waits or not
			door.ServeHTTP(w, r)
		})
		d, m := newDirectory(group("eng")), newMemory()
		eng := provisioning.Ref{Kind: provisioning.Group, ID: "eng"}
		for range 3 {
			if _, err := cycleOf(t, client, d, m, false); err != nil {
				t.Fatal(err)
			}
			if m.link(eng).Failure == "" {
				break
			}
			time.Sleep(time.Until(m.link(eng).RetryAt))
		}
		if link := m.link(eng); posts != 1 || link.TargetID == "" {
			t.Errorf("the group was made %d times, and is %q", posts, link.TargetID)
		}
	})
}
