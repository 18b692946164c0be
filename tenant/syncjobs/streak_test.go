package syncjobs_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestACycleThatFailsIsTriedAgainSoon: an outage of some minutes, in which nothing tells when it is
// over, keeps a leaver for seconds only after its end. A longer one is tried ever less often,
// however long each try takes.
func TestACycleThatFailsIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	for takes, most := range map[time.Duration]int{0: 160, 20 * time.Second: 70} {
		synctest.Test(t, func(t *testing.T) {
			var failing syncjobs.Streak
			tries, began := 0, time.Now()
			for ; time.Since(began) < time.Hour; tries++ {
				time.Sleep(takes)
				since, pause := time.Since(began), failing.Next()
				if since < 4*time.Minute && pause > 4400*time.Millisecond {
					t.Errorf("after %s the next try comes after %s", since, pause)
				}
				if since > 20*time.Minute && pause < 50*time.Second {
					t.Errorf("after %s the next try comes after %s already", since, pause)
				}
				time.Sleep(pause)
			}
			if tries > most {
				t.Errorf("an hour has %d tries", tries)
			}
		})
	}
}

// TestATargetIsLeftAloneForAsLongAsItTakesNothing: that is its own limit. When a target is well
// again that is not there is a guess, and a list that it does not give concerns nobody else.
func TestATargetIsLeftAloneForAsLongAsItTakesNothing(t *testing.T) {
	t.Parallel()
	limited := &scim.Problem{Status: http.StatusTooManyRequests, RetryAfter: 10 * time.Minute}
	away := &scim.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 10 * time.Minute}
	for name, c := range map[string]struct {
		err     error
		atLeast time.Duration
		atMost  time.Duration
	}{
		"it takes no more":          {limited, 10 * time.Minute, 10 * time.Minute},
		"the same, with others":     {errors.Join(errors.New("x"), limited), 10 * time.Minute, 10 * time.Minute},
		"it is away":                {away, time.Minute, time.Minute},
		"it takes no more of lists": {&provisioning.UnlistedError{Err: limited}, time.Minute, time.Minute},
	} {
		var failing syncjobs.Streak
		if pause, _ := failing.After(c.err); pause < c.atLeast || pause > c.atMost {
			t.Errorf("%s: the next try comes after %s", name, pause)
		}
	}
}

// transport answers requests within the process.
type transport func(*http.Request) *http.Response

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r), nil }

// TestAProbeHonorsWhatATargetAsks: one that takes no more requests for ten minutes is not probed
// meanwhile; one that is away is.
func TestAProbeHonorsWhatATargetAsks(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct{ least, most int }{
		http.StatusTooManyRequests:    {2, 5},
		http.StatusServiceUnavailable: {700, 1200},
	} {
		synctest.Test(t, func(t *testing.T) {
			whole, asked := time.Now().Add(30*time.Minute), 0
			client := &scim.Client{BaseURL: "http://127.0.0.1", HTTP: &http.Client{
				Transport: transport(func(*http.Request) *http.Response {
					asked++
					out := &http.Response{
						StatusCode: status, Header: http.Header{"Retry-After": {"600"}},
						Body: io.NopCloser(strings.NewReader("{}")),
					}
					if !time.Now().Before(whole) {
						out.StatusCode = http.StatusOK
					}
					return out
				}),
			}}
			if err := syncjobs.Probe(t.Context(), client, 0, func() {}); err != nil {
				t.Fatal(err)
			}
			if asked < c.least || asked > c.most {
				t.Errorf("%d: it was probed %d times in half an hour", status, asked)
			}
		})
	}
}

// TestAThrottledTargetIsProbed: it takes nothing, or no changes, for two hours, and asks for a
// second of patience each time. What has failed is tried each minute by then. A probe notices that
// it is well.
func TestAThrottledTargetIsProbed(t *testing.T) {
	t.Parallel()
	for name, takes := range map[string]func(*http.Request) bool{
		"nothing":                 func(*http.Request) bool { return false },
		"no changes":              func(r *http.Request) bool { return r.Method == http.MethodGet },
		"no changes of one alone": func(r *http.Request) bool { return r.Method == http.MethodGet },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				away := !strings.HasSuffix(name, "alone")
				if took := throttledFor(t, 2*time.Hour, takes, away); took > 10*time.Second {
					t.Errorf("the leaver is disabled after %s", took)
				}
			})
		})
	}
}

// throttledFor has somebody leave while a target takes some requests only, for a while, and nothing
// at all for a moment after a cycle then, if it is away. It returns how long the leaver has access
// afterwards.
func throttledFor(
	t *testing.T, while time.Duration, takes func(*http.Request) bool, isAway bool,
) time.Duration {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn := tenanttest.On(t, s)
	var throttles, away, disabled atomic.Bool
	found := nobody(func() {})
	jobs := syncjobs.New(tn, slog.New(slog.DiscardHandler), &http.Client{
		Transport: transport(func(r *http.Request) *http.Response {
			w := httptest.NewRecorder()
			if away.Load() || (throttles.Load() && !takes(r)) {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				return w.Result()
			}
			disabled.Store(disabled.Load() || r.Method == http.MethodPatch)
			found(w, r)
			return w.Result()
		}),
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ada, err := tn.CreateUser(t.Context(), tenanttest.Actor, tenant.User{
		UserPrincipalName: "ada@northwind.example", DisplayName: "Ada", GivenName: "Ada", Surname: "X", Enabled: true,
	}, "")
	must(err)
	app, err := tn.Instantiate(t.Context(), tenanttest.Actor, tenant.Gallery[0], "App")
	must(err)
	address, token := "http://127.0.0.1/", "a token"
	everybody := true
	j, err := tn.CreateJobWith(
		t.Context(), tenanttest.Actor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate,
		tenant.JobSettings{BaseAddress: &address, SecretToken: &token, SyncAll: &everybody},
	)
	must(err)
	must(tn.StartJob(t.Context(), tenanttest.Actor, j.ID))
	must(jobs.RunJob(t.Context(), j))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { jobs.Run(ctx) })
	defer running.Wait()
	defer cancel()
	throttles.Store(true)
	_, err = tn.UpdateUser(t.Context(), tenanttest.Actor, ada.ID, func(u *tenant.User) { u.Enabled = false })
	must(err)
	last := func() string {
		j, err := tn.Job(t.Context(), j.ServicePrincipalID, j.ID)
		must(err)
		return j.Last.ID
	}
	time.Sleep(while)
	for before := last(); last() == before; {
		time.Sleep(time.Second) // a poll
	}
	away.Store(isAway)
	time.Sleep(5 * time.Second)
	throttles.Store(false)
	away.Store(false)
	whole := time.Now()
	for !disabled.Load() && time.Since(whole) < 5*time.Minute {
		time.Sleep(time.Second) // a poll
	}
	return time.Since(whole)
}
