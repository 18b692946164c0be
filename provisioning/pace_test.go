package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// many are users u0 … and groups g0 … of whom each has all users.
func many(users, groups int) *company {
	c := &company{}
	var ids []string
	for i := range users {
		ids = append(ids, fmt.Sprint("u", i))
		c.users = append(c.users, user(ids[i]))
	}
	for i := range groups {
		c.groups = append(c.groups, group(fmt.Sprint("g", i), ids...))
	}
	return c
}

// sync runs a cycle with as many workers as there are by default.
func (x *target) sync(
	t *testing.T, c provisioning.Source, m provisioning.Memory, edit func(*provisioning.Engine),
) (provisioning.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	engine := provisioning.Engine{
		Source:   c,
		Memory:   m,
		Target:   provisioning.SCIM(x.client, provisioning.Entra),
		Mappings: mappings(t),
		Now:      time.Now,
		NewID:    func() string { return "made-up" },
	}
	if edit != nil {
		edit(&engine)
	}
	return engine.Run(ctx)
}

func (x *target) count(prefix string) (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func TestAFirstSyncTakesOneRequestForEachObject(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	result, err := x.sync(t, many(250, 20), m, nil)
	if err != nil || result.Created != 270 || result.Failed != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	// Test Connection, two lists, one for each object, and three batches for each group.
	if n := x.count(""); n != 1+2+270+20*3 {
		t.Errorf("%d requests", n)
	}
	x.mu.Lock()
	x.requests = nil
	x.mu.Unlock()
	if _, err := x.sync(t, &company{}, m, nil); err != nil || x.count("") != 0 {
		t.Errorf("when nothing has changed: %d requests, %v", x.count(""), err)
	}
}

func TestWhoIsThereAlreadyIsFoundInPages(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	x, m := newTarget(t), newMemory()
	for i := range 230 { // 0 to 19 will be wanted
		p := centertest.Person(fmt.Sprintf("U%d@example.com", i)) // names ignore letter case
		if _, err := x.center.CreateUser(ctx, centertest.Actor, p); err != nil {
			t.Fatal(err)
		}
	}
	result, err := x.sync(t, many(20, 0), m, nil)
	if err != nil || result.Updated != 20 || result.Created != 0 || result.Failed != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	if n, err := x.center.CountUsers(ctx, center.UserQuery{}); err != nil || n != 230 {
		t.Errorf("there are %d users, %v", n, err)
	}
	if n := x.count("GET /Users"); n != 1+3 {
		t.Errorf("%d reads", n)
	}
}

// TestTheTargetChangesWhileItIsRead: who appears between the list and the creation is matched all
// the same, and a target that does not list is asked for each.
func TestTheTargetChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	for name, list := range map[string]func(http.ResponseWriter){
		"made since": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"totalResults":0,"Resources":[]}`))
		},
		"it does not list": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) },
		"it says no total": func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"Resources":[]}`)) },
		"it pages for ever": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"totalResults":99,"Resources":[]}`))
		},
		"there are far too many": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"totalResults":99999,"Resources":[{"userName":"x"}]}`))
		},
		"it answers with garbage": func(w http.ResponseWriter) { _, _ = w.Write([]byte(`<html>`)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, m := newTarget(t), newMemory()
			if _, err := x.center.CreateUser(
				context.Background(), centertest.Actor, centertest.Person("u3@example.com"),
			); err != nil {
				t.Fatal(err)
			}
			x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
				if r.URL.Query().Get("startIndex") == "" {
					return false
				}
				list(w)
				return true
			})
			result, err := x.sync(t, many(15, 0), m, nil)
			if err != nil || result.Created != 14 || result.Updated != 1 || result.Failed != 0 {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}

// TestAThrottledTargetIsNotStormed lets 60 requests a second through, with a burst of 20, and asks
// for a pause of a second otherwise.
func TestAThrottledTargetIsNotStormed(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	var mu sync.Mutex
	tokens := 20.0
	last := time.Now()
	refused := 0
	x.misbehave(func(_ int, _ *http.Request, w http.ResponseWriter) bool {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		tokens, last = min(20, tokens+60*now.Sub(last).Seconds()), now
		if tokens >= 1 {
			tokens--
			return false
		}
		refused++
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	result, err := x.sync(t, many(200, 2), m, nil)
	if err != nil || result.Created != 202 || result.Failed != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	if refused > 3*provisioning.DefaultWorkers {
		t.Errorf("%d requests were refused", refused)
	}
}

func TestTooManyDeletionsStopACycle(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	c := many(12, 2)
	if _, err := x.sync(t, c, m, nil); err != nil {
		t.Fatal(err)
	}
	before := x.state(t)
	for i := range 4 {
		c.users[i].Assigned = false
	}
	c.groups[0].Gone = true
	var tooMany *provisioning.TooManyDeletesError
	_, err := x.sync(t, c, m, func(e *provisioning.Engine) { e.MaxDeletions = 4 })
	if !errors.As(err, &tooMany) || tooMany.Deletions != 5 {
		t.Errorf("the cycle ends with %v", err)
	}
	if after := x.state(t); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the target has changed to %v", after)
	}
	result, err := x.sync(t, c, m, func(e *provisioning.Engine) { e.MaxDeletions = 5 })
	if err != nil || result.Disabled != 4 || result.Deleted != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestWhatFailsIsTriedEverLessOften(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		if r.Method == http.MethodGet {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		return true
	})
	now := time.Now()
	for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		result, err := x.sync(
			t, many(1, 0), m, func(e *provisioning.Engine) { e.Now = func() time.Time { return now } },
		)
		link := m.link(user("u0").Ref)
		if err != nil || result.Failed != 1 || link.Tries != i+1 || link.RetryAt.Sub(now) != want {
			t.Errorf("after try %d: %+v, %+v, %v", i+1, result, link, err)
		}
	}
	x.misbehave(nil)
	if _, err := x.sync(t, many(1, 0), m, nil); err != nil || m.link(user("u0").Ref).Tries != 0 ||
		!m.link(user("u0").Ref).RetryAt.IsZero() {
		t.Errorf("after it worked: %+v, %v", m.link(user("u0").Ref), err)
	}
}

// TestATargetThatTookNothingForAWhileIsNotSlowAfterwards: while it answers 429 to everything it is
// asked ever less often. When it takes requests again, they go on as fast as before.
func TestATargetThatTookNothingForAWhileIsNotSlowAfterwards(t *testing.T) {
	t.Parallel()
	for _, retryAfter := range []string{"", "1"} {
		synctest.Test(t, func(t *testing.T) {
			whole := time.Now().Add(10 * time.Second)
			var refused atomic.Int64
			client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
				if !time.Now().Before(whole) {
					door.ServeHTTP(w, r)
					return
				}
				refused.Add(1)
				if retryAfter != "" {
					w.Header().Set("Retry-After", retryAfter)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			})
			result, err := cycleOf(t, client, many(5, 1), newMemory(), false)
			if err != nil || result.Created != 6 || result.Failed > 0 {
				t.Errorf("%+v, %v", result, err)
			}
			if took := time.Since(whole); took > 3*time.Second {
				t.Errorf("with Retry-After %q the cycle ends %s after the target is back", retryAfter, took)
			}
			if n := refused.Load(); n < 5 || n > 60 {
				t.Errorf("with Retry-After %q, %d requests were refused", retryAfter, n)
			}
		})
	}
}

// inside is a connection within the process, which a test's own clock goes with.
type inside struct{ http.Handler }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		i.ServeHTTP(w, r)
	}()
	select {
	case <-done:
		return w.Result(), nil
	case <-r.Context().Done(): // the service may be at it still
		return nil, r.Context().Err()
	}
}

// behind is a client of a center within the process. What stands before the center's door is a
// test's own.
func behind(t *testing.T, before func(http.ResponseWriter, *http.Request, http.Handler)) *scim.Client {
	c := centertest.New(t, "http://127.0.0.1")
	nothing := func(*http.Request) string { return "" }
	door := (&scimserver.Handler{
		Center: c, Log: slog.New(slog.DiscardHandler), RequestID: nothing, Address: nothing,
	}).Before(http.NotFoundHandler())
	endpoint, token := centertest.Provisioned(t, c, center.ProfileAWS)
	way := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { before(w, r, door) })
	return &scim.Client{
		BaseURL: endpoint, Token: token, HTTP: &http.Client{Transport: inside{way}}, Patience: &scim.Patience{},
	}
}

// cycleOf runs a cycle.
func cycleOf(
	t *testing.T, client *scim.Client, s provisioning.Source, m provisioning.Memory, reread bool,
) (provisioning.Result, error) {
	engine := provisioning.Engine{
		Source: s, Memory: m, Target: provisioning.SCIM(client, provisioning.Entra),
		Mappings: mappings(t), Now: time.Now, NewID: func() string { return "made-up" }, Reread: reread,
	}
	return engine.Run(t.Context())
}

// TestATargetThatLimitsByTheMinuteIsDone: it says how long the rest of its minute is. A cycle waits
// for that, or each would begin anew and come no further than the one before.
func TestATargetThatLimitsByTheMinuteIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var began time.Time
		left := 0
		client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
			mu.Lock()
			defer mu.Unlock()
			if time.Since(began) >= time.Minute {
				began, left = time.Now(), 8
			}
			if left--; left >= 0 {
				door.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil((time.Minute - time.Since(began)).Seconds()))))
			w.WriteHeader(http.StatusTooManyRequests)
		})
		result, err := cycleOf(t, client, many(20, 1), newMemory(), true)
		if err != nil || result.Created != 21 || result.Failed > 0 {
			t.Errorf("%+v, %v", result, err)
		}
	})
}

// TestALeaverIsTriedAgainSoonWhereChangesFail: nobody sees when a target that answers what it is
// asked takes changes again. For some minutes, who leaves does not wait for long; others do.
func TestALeaverIsTriedAgainSoonWhereChangesFail(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		change            func(*directory)
		shortest, longest time.Duration // that the longest pause may be
	}{
		"a leaver": {active(ada, false), time.Second, 4 * time.Second},
		"a title":  {having(ada, "jobTitle", "Wizard"), 20 * time.Second, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fails := false
				client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
					if fails && r.Method != http.MethodGet {
						w.WriteHeader(http.StatusInternalServerError)
						return
					}
					door.ServeHTTP(w, r)
				})
				d, m := newDirectory(user("ada")), newMemory()
				if _, err := cycleOf(t, client, d, m, false); err != nil {
					t.Fatal(err)
				}
				fails = true
				x.change(d)
				var longest time.Duration
				for began := time.Now(); time.Since(began) < 4*time.Minute; {
					result, err := cycleOf(t, client, d, m, false)
					if err != nil || result.Failed != 1 {
						t.Fatalf("%+v, %v", result, err)
					}
					pause := time.Until(m.link(ada).RetryAt)
					longest = max(longest, pause)
					time.Sleep(pause)
				}
				if longest < x.shortest || longest > x.longest {
					t.Errorf("it is tried again after %s at most", longest)
				}
			})
		})
	}
}
