package syncjobs_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestACycleDoesNotJudgeWhatCameMeanwhile: a cycle that began with the old token fails after the
// new one was saved, and the one that began before deletions were allowed is well. Neither takes
// back what the administrator has done.
func TestACycleDoesNotJudgeWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	token := "another token"
	for name, x := range map[string]struct {
		status    int // that somebody's creation is answered with
		meanwhile func(*cluster) error
		want      func(tenant.Job) bool
	}{
		"nothing, and the token is refused": {
			http.StatusUnauthorized, func(*cluster) error { return nil },
			func(j tenant.Job) bool { return j.Quarantine != nil },
		},
		"a new token": {
			http.StatusUnauthorized, func(c *cluster) error {
				return c.tenants[0].ConfigureJob(
					ctx, tenanttest.Actor, c.job.ID, tenant.JobSettings{SecretToken: &token},
				)
			},
			func(j tenant.Job) bool { return j.Quarantine == nil },
		},
		"a restart": {
			http.StatusUnauthorized, func(c *cluster) error {
				return c.tenants[0].RestartJob(ctx, tenanttest.Actor, c.job.ID, tenant.Reset{Quarantine: true})
			},
			func(j tenant.Job) bool { return j.Quarantine == nil },
		},
		"deletions are allowed once": {
			0, func(c *cluster) error {
				return c.tenants[0].RestartJob(ctx, tenanttest.Actor, c.job.ID, tenant.Reset{ForceDeletes: true})
			},
			func(j tenant.Job) bool { return j.AllowDeletes },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c *cluster
			var done atomic.Bool
			found := nobody(func() {})
			c = newCluster(t, sqldbtest.Postgres(t), func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && !done.Swap(true) {
					if err := x.meanwhile(c); err != nil {
						t.Error(err)
					}
					if x.status != 0 {
						w.WriteHeader(x.status)
						return
					}
				}
				found(w, r)
			})
			c.newUser(t, "ada")
			if err := c.jobs[0].RunJob(ctx, c.job); err != nil {
				t.Fatal(err)
			}
			j, err := c.tenants[0].Job(ctx, c.job.ServicePrincipalID, c.job.ID)
			if err != nil || j.Last == nil || !x.want(j) {
				t.Errorf("%+v, deletions are allowed: %v, %+v, %v", j.Quarantine, j.AllowDeletes, j.Last, err)
			}
		})
	}
}
