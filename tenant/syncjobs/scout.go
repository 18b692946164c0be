package syncjobs

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// scout is what the loop knows of what is sent to a target that answers, and takes no changes,
// while the next cycle is far away: the access of one of those is taken away who are to lose it.
// Nothing else tells when the target takes changes again, and a leaver does not wait for the cycle.
type scout struct {
	at   time.Time // when the next one is sent; zero: none is
	sent bool      // one is under way
}

// next notes when the next scout is sent, after something has failed that may pass.
func (s *scout) next(failed error, at time.Time) {
	s.at = at.Add(max(provisioning.ScoutEach, provisioning.LeftAlone(failed)))
}

// soon is how long before a cycle no scout is sent any more: the cycle tells as much. One that is
// refused, and the cycle, are never further from each other than this and provisioning.ScoutEach.
const soon = time.Second //bound:none of a comparison

// scoutWithin sends a scout, if it is time to, and says how long to wait for the next one, or for
// the next cycle. A target that does not answer at all is probed instead, and one in quarantine
// left alone, unless that is for who is held back.
func (l *loop) scoutWithin(ctx context.Context, j tenant.Job, t *turn, wait time.Duration) time.Duration {
	quarantined := j.Quarantine != nil && !j.HoldsBack(l.Tenant.Now())
	if t.scout.at.IsZero() || wait < soon || quarantined || l.Interval > 0 ||
		t.probe.missed.Load() {
		return wait
	}
	if until := time.Until(t.scout.at); until > 0 {
		return min(wait, until)
	}
	t.running, t.scout.sent = true, true
	keep, next := !t.tryAt.IsZero(), t.retryAt
	l.running.Go(func() {
		taken, err := l.sendScout(ctx, j.ID, keep, next)
		l.tell(ctx, news{job: j, scout: true, taken: taken, err: err})
	})
	return wait
}

// scoutIsBack has a cycle try at once what has failed, if the target takes changes again.
func (t *turn) scoutIsBack(n news) {
	t.running, t.scout.sent = false, false
	switch {
	case errors.Is(n.err, errElsewhere) || errors.Is(n.err, tenant.ErrLeaseLost): // which tries in its own time
		t.scout = scout{}
	case n.taken:
		t.scout, t.tryAt = scout{}, time.Now()
		t.again = true
	default:
		t.scout.next(n.err, time.Now())
	}
}

// sendScout sends a scout to a job's target. The lease is kept, or given back with the time of the
// next cycle, as it was before.
func (r *Runner) sendScout(ctx context.Context, id tenant.JobID, keep bool, next time.Time) (taken bool, err error) {
	working, h, leave, err := r.claim(ctx, id, 0)
	if err != nil {
		return false, err
	}
	defer leave(keep, next)
	var j tenant.Job
	err = r.Tenant.Store.View(working, func(tx tenant.Reader) error {
		j, err = tx.Job(id)
		return err
	})
	if err != nil || j.State != tenant.JobActive || j.Moved() {
		return false, err
	}
	engine, err := r.engine(j, r.memory(h.Holding, j, RetryPassing))
	if err != nil {
		return false, err
	}
	return engine.Scout(working)
}
