package syncjobs_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestAThresholdHoldsForAllNodes: an administrator raises it at one node, while another one, whose
// job it is, holds people back. They do not wait for the next attempt, which is hours away.
func TestAThresholdHoldsForAllNodes(t *testing.T) {
	t.Parallel()
	var made, disabled atomic.Int32
	empty := nobody(func() {})
	c := newCluster(t, sqldbtest.Postgres(t), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/scim+json")
		_, id, _ := strings.Cut(r.URL.Path, "/Users/")
		switch {
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, `{"id":"%d"}`, made.Add(1))
		case r.Method == http.MethodPatch:
			disabled.Add(1)
			w.WriteHeader(http.StatusNoContent)
		case id != "":
			_, _ = io.WriteString(w, `{"id":"`+id+`"}`)
		default:
			empty(w, r)
		}
	})
	threshold := func(most int) {
		set := tenant.JobSettings{DeleteThreshold: &most}
		if err := c.tenants[0].ConfigureJob(t.Context(), tenanttest.Actor, c.job.ID, set); err != nil {
			t.Fatal(err)
		}
	}
	threshold(1)
	people := []tenant.User{c.newUser(t, "ada"), c.newUser(t, "bob")}
	runs := func() (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.jobs[1].Run(ctx) })
		return func() {
			cancel()
			running.Wait()
		}
	}
	job := func() tenant.Job {
		j, err := c.tenants[0].Job(t.Context(), c.job.ServicePrincipalID, c.job.ID)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	soon := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) { // a poll
			if time.Now().After(deadline) {
				t.Fatalf("%s does not come: %+v", what, job().Quarantine)
			}
		}
	}
	end := runs()
	soon("a first cycle", func() bool { return made.Load() == 2 && job().LastSuccess != nil })
	end() // so that both leave at once
	for _, u := range people {
		if _, err := c.tenants[0].UpdateUser(
			t.Context(), tenanttest.Actor, u.ID, func(u *tenant.User) { u.Enabled = false },
		); err != nil {
			t.Fatal(err)
		}
	}
	defer runs()()
	soon("quarantine", func() bool { return job().Quarantine != nil })
	threshold(2)
	soon("the end of their access", func() bool { return disabled.Load() == 2 && job().Quarantine == nil })
}
