package syncjobs

import (
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// expect notes when a job's next cycle is due.
func (l *loop) expect(id tenant.JobID, t *turn, wait time.Duration) {
	s := tenant.Standing{Next: l.Tenant.Now().Add(max(wait, 0))}
	if !t.tryAt.IsZero() {
		s.State = tenant.LeaseWaiting
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected[id] = s
}

// forget forgets a job that is no longer active.
func (l *loop) forget(id tenant.JobID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.expected, id)
}

// Standing says who works on a job, as far as this node knows, and when its next cycle is due.
func (r *Runner) Standing(id tenant.JobID) tenant.Standing {
	r.mu.Lock()
	s := r.expected[id]
	if _, running := r.progress[string(id)]; running {
		s.State = tenant.LeaseRunning
	}
	r.mu.Unlock()
	if !r.nodes.shared {
		return s
	}
	lease, mine, dead := r.nodes.of(id)
	switch {
	case mine:
		s.Node = r.nodes.own
	case lease.Owner != "" && !dead:
		s = tenant.Standing{Node: lease.Owner, State: lease.State, Next: lease.Next}
	}
	return s
}
