package tenanttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

func leases(t *testing.T, s tenant.Store) {
	ctx := context.Background()
	l := tenant.JobLease{
		JobID: "j", Owner: "node", Fence: 3, State: tenant.LeaseWaiting,
		Next: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
	}
	if err := s.Update(ctx, func(tx tenant.Tx) error {
		if _, err := tx.JobLease("j"); !errors.Is(err, refusal.ErrNoRow) {
			t.Errorf("a lease that nobody has taken: %v", err)
		}
		return errors.Join(
			tx.PutJob(tenant.Job{ID: "j"}), tx.PutJobLease(tenant.JobLease{JobID: "j", Owner: "another"}),
			tx.PutJobBeat("j", 1, 2), tx.PutJobLease(l), tx.PutJobBeat("j", 5, 6),
		)
	}); err != nil {
		t.Fatal(err)
	}
	view(t, s, func(r tenant.Reader) error {
		if one, err := r.JobLease("j"); err != nil || one != l {
			t.Errorf("the lease %+v, %v", one, err)
		}
		l.Beat = 2
		l.Done, l.Total = 5, 6
		all, err := r.JobLeases()
		if len(all) != 1 || all[0] != l {
			t.Errorf("leases %+v, %v", all, err)
		}
		return err
	})
	if err := s.Update(ctx, func(tx tenant.Tx) error { return tx.DeleteJob("j") }); err != nil {
		t.Fatal(err)
	}
	view(t, s, func(r tenant.Reader) error {
		all, err := r.JobLeases()
		if len(all) != 0 {
			t.Errorf("leases of a job that is gone: %+v", all)
		}
		return err
	})
}
