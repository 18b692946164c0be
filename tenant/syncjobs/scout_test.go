package syncjobs_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// reader is a target that answers whatever it is asked, and takes changes or refuses them.
type reader struct {
	mu       sync.Mutex
	refusing int // by which status; 0: it takes them
	refused  int
	asked    time.Time     // when it has refused one, or was told to
	longest  time.Duration // between two that it has refused
	made     int
	disabled map[string]bool // paths
	never    int             // by which status it refuses the changes of the first one, whatever it takes
	nevers   int             // how often it has
}

func (x *reader) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if r.Method == http.MethodPatch && x.never != 0 && strings.HasSuffix(r.URL.Path, "/1") {
		x.nevers++
		w.WriteHeader(x.never)
		return
	}
	if r.Method != http.MethodGet && x.refusing != 0 {
		x.refused++
		x.longest = max(x.longest, time.Since(x.asked))
		x.asked = time.Now()
		w.WriteHeader(x.refusing)
		return
	}
	w.Header().Set("Content-Type", "application/scim+json")
	id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch r.Method {
	case http.MethodPost:
		x.made++
		w.WriteHeader(http.StatusCreated)
		id = fmt.Sprint(x.made)
	case http.MethodPatch:
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(strings.ToLower(string(body)), "false") {
			x.disabled[id] = true
		}
	default:
		if id == "Users" || id == "Groups" {
			_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],`+
				`"totalResults":0,"Resources":[]}`)
			return
		}
	}
	_, _ = fmt.Fprintf(w, `{"id":%q}`, id)
}

// refuse has it refuse changes by a status, or take them. It returns how many it has refused since.
func (x *reader) refuse(status int) (refused int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refusing = status
	x.asked, x.longest = time.Now(), 0
	refused, x.refused = x.refused, 0
	return refused
}

// unasked is the longest time between two changes that it has refused, since it was told to.
func (x *reader) unasked() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return max(x.longest, time.Since(x.asked))
}

// TestALeaverIsDisabledSoonAfterChangesAreTakenAgain: a target answers whatever it is asked for
// twenty minutes, and takes no changes. Whoever left is disabled within five seconds of its end,
// whenever that was: it is never left alone for much longer than four, and not flooded.
func TestALeaverIsDisabledSoonAfterChangesAreTakenAgain(t *testing.T) {
	t.Parallel()
	const people, outage = 12, 20 * time.Minute
	for name, c := range map[string]struct {
		status int
		left   time.Duration // before the end
	}{
		"all leave, 503":           {http.StatusServiceUnavailable, outage},
		"all leave, 500":           {http.StatusInternalServerError, outage},
		"they leave late":          {http.StatusServiceUnavailable, 7 * time.Second},
		"they leave late, 500":     {http.StatusInternalServerError, 7 * time.Second},
		"they leave in the middle": {http.StatusServiceUnavailable, outage / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := &reader{disabled: map[string]bool{}}
				tn, users := syncing(t, x, people)
				change := func(set func(*tenant.User)) {
					for _, id := range users {
						if _, err := tn.UpdateUser(t.Context(), tenanttest.Actor, id, set); err != nil {
							t.Fatal(err)
						}
					}
				}
				x.refuse(c.status)
				change(func(u *tenant.User) { u.JobTitle = "Wizard" })
				time.Sleep(outage - c.left)
				change(func(u *tenant.User) { u.Enabled = false })
				x.refuse(c.status)
				time.Sleep(c.left - c.left/10)
				if longest := x.unasked(); longest > 4500*time.Millisecond {
					t.Errorf("for %s it is sent no change", longest)
				}
				x.refuse(c.status)
				time.Sleep(c.left / 10)
				if n, most := x.refuse(0), 100+int((c.left/10).Seconds())*5; n > most {
					t.Errorf("%d changes were sent in vain in %s", n, c.left/10)
				}
				whole := time.Now()
				for gone := 0; gone < people && time.Since(whole) < 2*time.Minute; {
					time.Sleep(100 * time.Millisecond) // a poll
					x.mu.Lock()
					gone = len(x.disabled)
					x.mu.Unlock()
				}
				if took := time.Since(whole); took > 5*time.Second {
					t.Errorf("the leavers are disabled after %s", took)
				}
			})
		})
	}
}

// TestOneWhoIsRefusedIsNoScout: of several who leave, one is refused for good, and all others by a
// target that takes no changes for an hour. That one is tried each minute at most, keeps nobody
// else waiting, and is told in the status.
func TestOneWhoIsRefusedIsNoScout(t *testing.T) {
	t.Parallel()
	const people, outage = 12, time.Hour
	for name, c := range map[string]struct{ others, never int }{
		"400 and 503": {http.StatusServiceUnavailable, http.StatusBadRequest},
		"403 and 503": {http.StatusServiceUnavailable, http.StatusForbidden},
		"400 and 429": {http.StatusTooManyRequests, http.StatusBadRequest},
		"403 and 429": {http.StatusTooManyRequests, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := &reader{disabled: map[string]bool{}}
				tn, users := syncing(t, x, people)
				refusals := func() (n int) {
					x.mu.Lock()
					defer x.mu.Unlock()
					n, x.nevers = x.nevers, 0
					return n
				}
				x.mu.Lock()
				x.refusing, x.never = c.others, c.never
				x.mu.Unlock()
				for _, id := range users {
					if _, err := tn.UpdateUser(
						t.Context(), tenanttest.Actor, id, func(u *tenant.User) { u.Enabled = false },
					); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(outage / 2)
				refusals()
				time.Sleep(outage / 2)
				minutes := int((outage / 2).Minutes())
				least := minutes / 2
				if c.others == http.StatusTooManyRequests {
					// A cycle goes on for 20 seconds more, and may end before it comes to that one.
					least = minutes / 4
				}
				if n := refusals(); n > minutes*5/4 || n < least {
					t.Errorf("one who is refused is tried %d times in %s", n, outage/2)
				}
				x.refuse(0)
				whole := time.Now()
				for gone := 0; gone < people-1 && time.Since(whole) < 2*time.Minute; {
					time.Sleep(100 * time.Millisecond) // a poll
					x.mu.Lock()
					gone = len(x.disabled)
					x.mu.Unlock()
				}
				if took := time.Since(whole); took > 5*time.Second {
					t.Errorf("the others are disabled after %s", took)
				}
				time.Sleep(10 * time.Minute)
				refusals()
				time.Sleep(30 * time.Minute)
				if n := refusals(); n < 25 || n > 35 {
					t.Errorf("when all others have left, it is tried %d times in half an hour", n)
				}
				jobs, err := tn.Jobs(t.Context(), "")
				if err != nil {
					t.Fatal(err)
				}
				s, err := tn.InStep(t.Context(), jobs[0].ID)
				if err != nil || s.Equal || s.Failing != 1 || s.OutOfStep() != 1 {
					t.Errorf("the status: %+v, %v", s, err)
				}
			})
		})
	}
}

// syncing runs a job that has provisioned some people to a target already.
func syncing(t *testing.T, target http.Handler, people int) (tn *tenant.Tenant, users []tenant.UserID) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn = tenanttest.On(t, s)
	jobs := syncjobs.New(tn, slog.New(slog.DiscardHandler), &http.Client{
		Transport: transport(func(r *http.Request) *http.Response {
			w := httptest.NewRecorder()
			target.ServeHTTP(w, r)
			return w.Result()
		}),
	})
	for i := range people {
		name := fmt.Sprintf("p%d", i)
		u, err := tn.CreateUser(t.Context(), tenanttest.Actor, tenant.User{
			UserPrincipalName: name + "@northwind.example", DisplayName: name, GivenName: name, Surname: "X",
			Enabled: true,
		}, "")
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, u.ID)
	}
	app, e1 := tn.Instantiate(t.Context(), tenanttest.Actor, tenant.Gallery[0], "App")
	address, token := "http://127.0.0.1/", "a token"
	everybody := true
	j, e2 := tn.CreateJobWith(
		t.Context(), tenanttest.Actor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate,
		tenant.JobSettings{BaseAddress: &address, SecretToken: &token, SyncAll: &everybody},
	)
	e3 := tn.StartJob(t.Context(), tenanttest.Actor, j.ID)
	for _, err := range []error{e1, e2, e3, jobs.RunJob(t.Context(), j)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { jobs.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return tn, users
}
