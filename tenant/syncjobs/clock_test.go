package syncjobs_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

func TestFortyMinutesPassInAMoment(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Cycle(40*time.Minute))
	const mei = "mei.tanaka@northwind.example"
	title := func() string { return e.Find("/Users", "userName", mei).String("title") }
	cycle := func() (j graph.SynchronizationJob) { e.Change(http.MethodGet, e.JobPath(), nil, &j); return j }
	before := cycle().Status.LastExecution.ActivityIdentifier
	e.Change(http.MethodPatch, "/users/"+mei, map[string]any{"jobTitle": "Wizard"}, nil)
	e.Forward(39 * time.Minute)
	if now := cycle(); now.Status.LastExecution.ActivityIdentifier != before || title() != "Platform Engineer" {
		t.Errorf("a cycle has begun before its time: %+v", now.Status.LastExecution)
	}
	e.Forward(time.Minute)
	e.Soon("the next cycle, to its end", func() bool {
		return title() == "Wizard" && cycle().Status.LastExecution.ActivityIdentifier != before
	})

	// A token of a year expires, the job goes into quarantine; it is tried again when its time
	// comes, and switched off after four weeks.
	e.Forward(366 * 24 * time.Hour)
	e.Change(http.MethodPatch, "/users/"+mei, map[string]any{"jobTitle": "Witch"}, nil)
	e.Soon("quarantine", func() bool { return cycle().Status.Code == "Quarantine" })
	first := cycle().Status.Quarantine
	if first.Error.Code != "SystemForCrossDomainIdentityManagementInvalidCredentials" {
		t.Errorf("quarantine %+v", first.Error)
	}
	e.Forward(10 * time.Minute)
	e.Soon("another attempt", func() bool { return cycle().Status.Quarantine.NextAttempt.After(first.NextAttempt) })
	e.Forward(29 * 24 * time.Hour)
	e.Soon("the end of the quarantine", func() bool { return cycle().Schedule.State == "Paused" })

	for want, seconds := range map[string]any{"at least 0": -1, "by ten years": 9e8, "wrong type": "x"} {
		err := e.Client.Do(
			context.Background(), http.MethodPost, "/gatehouse/clock", map[string]any{"forwardSeconds": seconds}, nil,
		)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", seconds, err, want)
		}
	}
}

// TestAClockThatIsSetBackStopsNoJob: the times that a clock noted which was a day ahead are not
// waited for when it is right again: of somebody who failed, and of a quarantine.
func TestAClockThatIsSetBackStopsNoJob(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusInternalServerError, http.StatusUnauthorized} {
		var well, made atomic.Bool
		found := nobody(func() { made.Store(true) })
		c := newCluster(t, sqldbtest.Postgres(t), func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && !well.Load() {
				w.WriteHeader(status)
				return
			}
			found(w, r)
		})
		c.newUser(t, "ada")
		ahead := func() time.Time { return time.Now().Add(26 * time.Hour) }
		c.tenants[0].Now = ahead
		if err := c.jobs[0].RunJob(context.Background(), c.job); err != nil {
			t.Fatal(err)
		}
		well.Store(true)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { c.jobs[1].Run(ctx) })
		for deadline := time.Now().Add(20 * time.Second); !made.Load() && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond) // a poll
		}
		cancel()
		running.Wait()
		if !made.Load() {
			t.Errorf("after a %d, the job waits for the time of a clock that was ahead", status)
		}
	}
}
