package syncjobs

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// regularly is when a job has a cycle although nothing has changed and nothing failed, as Entra's
// next cycle would be.
const regularly = 40 * time.Minute //bound:none how often, not how much

// settle is how long a burst of changes is gathered before a cycle starts.
const settle = 100 * time.Millisecond //bound:none how long changes are gathered

// wrong is when a job is tried again that the program could not run.
const wrong = time.Minute //bound:none how often, not how much

// Wake says that something may have to be provisioned. It never blocks.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run runs jobs until ctx is done. Jobs run beside each other: one whose target does not answer
// keeps no other waiting.
func (r *Runner) Run(ctx context.Context) {
	l := &loop{Runner: r, jobs: map[tenant.JobID]*turn{}, news: make(chan news)}
	defer r.nodes.end(ctx)
	defer l.running.Wait()
	if r.nodes.shared {
		l.running.Go(func() { r.nodes.beat(ctx, r.own) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
			select {
			case <-time.After(settle):
			case <-ctx.Done():
				return
			}
			select {
			case <-r.wake: // a change of this burst, which the cycle sees
			default:
			}
			for _, t := range l.jobs {
				t.changed = true
			}
			l.due = time.Time{}
		case n := <-l.news:
			l.learn(ctx, n)
			l.due = time.Time{}
		case <-timer.C:
		}
		timer.Reset(l.look(ctx))
	}
}

// loop says which job has its turn when. Only the goroutine of Run uses it, but for news.
type loop struct {
	*Runner

	jobs    map[tenant.JobID]*turn
	due     time.Time // when something is, unless something changes; zero: look
	failing Streak    // to list the jobs
	news    chan news
	running sync.WaitGroup
}

// turn is what the loop knows of an active job.
type turn struct {
	running bool
	changed bool      // something may have changed since the last cycle began
	last    int64     // where nodes share the store: the newest change when it began
	asked   int       // how often administrators had changed the job when it began
	known   bool      // the last cycle was to its end, and has said the next time
	retryAt time.Time // when an object that failed is tried again, by the tenant's clock; zero: none has
	failing Streak    // of its cycles
	tryAt   time.Time // when a cycle that failed is tried again; zero: the last one has not
	again   bool      // the target answers again: what has failed is tried at once
	probe   probe
	scout   scout
}

// news is what a goroutine of the loop has to tell.
type news struct {
	job    tenant.Job
	probed bool // the target has answered a probe; else a cycle has ended
	scout  bool // or rather a scout is back
	taken  bool // and the target has carried out what it was sent with
	done   provisioning.Result
	err    error
}

// tell hands news over, unless the loop has ended.
func (l *loop) tell(ctx context.Context, n news) {
	select {
	case l.news <- n:
	case <-ctx.Done():
	}
}

// look begins the cycles that are due, and returns when to look again. What other nodes do is
// looked at each second.
func (l *loop) look(ctx context.Context) time.Duration {
	if !l.nodes.shared {
		return l.lookAll(ctx)
	}
	changed, err := l.nodes.see(ctx)
	switch {
	case err != nil:
		return l.failed(ctx, err, &l.failing, "look at the synchronization jobs of all nodes")
	case changed || !time.Now().Before(l.due):
		l.due = time.Now().Add(l.lookAll(ctx))
	}
	return min(time.Until(l.due), beatEach)
}

func (l *loop) lookAll(ctx context.Context) time.Duration {
	jobs, err := l.Tenant.Jobs(ctx, "")
	if err != nil {
		return l.failed(ctx, err, &l.failing, "list the synchronization jobs")
	}
	l.failing = Streak{}
	next, active := regularly, map[tenant.JobID]bool{}
	for _, j := range jobs {
		if j.State != tenant.JobActive {
			continue
		}
		active[j.ID] = true
		t := l.jobs[j.ID]
		if t == nil {
			t = &turn{changed: true}
			l.jobs[j.ID] = t
		}
		if t.running {
			continue
		}
		wait := l.wait(j, t)
		l.expect(j.ID, t, wait)
		if wait > 0 {
			next = min(next, l.scoutWithin(ctx, j, t, wait))
			continue
		}
		l.begin(ctx, j, t)
	}
	for id, t := range l.jobs {
		if !active[id] && !t.running {
			t.probe.stop()
			delete(l.jobs, id)
			l.forget(id)
			l.running.Go(func() { l.letGo(ctx, id) })
		}
	}
	return next
}

// wait says how long it is until a job's next cycle.
//
// While cycles fail, a change is no reason to ask the target again: it would be asked with every
// change. What an administrator does to the job is one.
func (l *loop) wait(j tenant.Job, t *turn) time.Duration {
	now := l.Tenant.Now()
	if l.nodes.shared {
		lease, mine, dead := l.nodes.of(j.ID)
		switch {
		case mine:
		case dead: // it was in the middle of something
			return 0
		case lease.Owner != "":
			return regularly
		}
		seen, _ := strconv.ParseInt(j.Watermark, 10, 64)
		if j.HoldsBack(now) { // then that stays where it is
			seen = max(seen, t.last)
		}
		t.changed, t.retryAt = l.nodes.last() > seen, lease.Next
	}
	switch {
	case j.HoldsBack(now):
		return l.withoutHeld(j, t, now)
	case j.Quarantine != nil && j.Quarantine.Wait(now) > 0: // that has times of its own
		return j.Quarantine.Wait(now)
	case !t.tryAt.IsZero() && t.asked == j.Asked:
		return time.Until(t.tryAt)
	case !t.tryAt.IsZero():
		return 0
	case j.Last == nil || j.Watermark == "" || j.Quarantine != nil:
		return 0
	case t.asked != j.Asked && l.Interval == 0:
		return 0
	}
	switch {
	case j.Last.Ended.Sub(now) > tenant.ClockSlack: // by a clock that was set back since
		return 0
	case l.Interval > 0:
		return j.Last.Ended.Add(l.Interval).Sub(now)
	case t.changed:
		return 0
	}
	wait := min(j.Last.Ended.Add(regularly).Sub(now), regularly)
	if !t.retryAt.IsZero() {
		wait = min(wait, t.retryAt.Sub(now))
	}
	if j.Uncompared > 0 {
		wait = min(wait, j.ComparesIn(now))
	}
	return wait
}

// withoutHeld says how long it is until a cycle does what concerns nobody of those whom a job holds
// back for a time: when something changes, at another node too, or somebody is tried again who has
// failed. That is no attempt at those who are held back, and tells nobody of them twice.
func (l *loop) withoutHeld(j tenant.Job, t *turn, now time.Time) time.Duration {
	held := j.Quarantine.Wait(now)
	switch {
	case l.Interval > 0 && j.Last != nil:
		held = min(held, j.Last.Ended.Add(l.Interval).Sub(now))
	case t.changed, t.asked != j.Asked, !t.tryAt.IsZero(): // or the last one has failed besides
		held = min(held, time.Until(t.tryAt))
	}
	return t.tried(now, held)
}

// tried says how long it is until those are tried again who have failed, at most so long.
func (t *turn) tried(now time.Time, held time.Duration) time.Duration {
	switch {
	case !t.known:
		return min(held, time.Until(t.tryAt))
	case t.retryAt.IsZero():
		return held
	case t.again:
		return min(held, time.Until(t.tryAt))
	}
	return min(held, max(t.retryAt.Sub(now), time.Until(t.tryAt)))
}

// begin begins a cycle of a job.
func (l *loop) begin(ctx context.Context, j tenant.Job, t *turn) {
	again := t.again
	t.running, t.changed = true, false
	t.last = l.nodes.last()
	t.again, t.asked = false, j.Asked
	t.probe.stop()
	l.running.Go(func() {
		done, err := l.runJob(ctx, j, again, true)
		l.tell(ctx, news{job: j, done: done, err: err})
	})
}

// learn notes how a cycle has gone, or that a target answers again.
func (l *loop) learn(ctx context.Context, n news) {
	t := l.jobs[n.job.ID]
	if t == nil { // it is no longer active
		return
	}
	switch {
	case n.probed:
		if t.probe.heard() && (!t.running || t.scout.sent) {
			t.tryAt, t.again = time.Now(), true
		}
		return
	case n.scout:
		t.scoutIsBack(n)
		return
	}
	t.running, t.retryAt = false, n.done.RetryAt
	scouts := t.scout != scout{}
	t.scout = scout{}
	silent, silentAt := n.done.Silent, n.done.SilentAt
	gone := false
	var failed *CycleError
	t.known = n.err == nil || errors.As(n.err, &failed)
	switch {
	case errors.Is(n.err, errElsewhere) || errors.Is(n.err, tenant.ErrLeaseLost): // which tries in its own time
		t.failing, t.tryAt = Streak{}, time.Time{}
		t.probe.missed.Store(false)
		return
	case n.err == nil:
		t.failing, t.tryAt = Streak{}, time.Time{}
	case errors.As(n.err, &failed) && HoldsBack(failed.Err): // and nothing else is wrong
		t.failing, t.tryAt = Streak{}, time.Time{}
	case errors.As(n.err, &failed): // the job's status has it
		var pause time.Duration
		pause, gone = t.failing.After(failed.Err)
		t.tryAt = time.Now().Add(pause)
		if provisioning.MayPass(failed.Err) {
			silent, silentAt = failed.Err, time.Now()
		}
	default:
		t.tryAt = time.Now().Add(l.failed(ctx, n.err, &t.failing, "synchronization cycle failed", "job", n.job.ID))
		return
	}
	if silent == nil {
		t.probe.missed.Store(false)
		if scouts && n.err == nil && !n.done.RetryAt.IsZero() { // the target is well, and others wait
			t.tryAt, t.again = time.Now(), true
		}
		return
	}
	t.scout.next(silent, silentAt)
	l.startProbe(ctx, n.job, t, gone || unreached(silent), provisioning.LeftAlone(silent))
}

// HoldsBack says whether a cycle failed only since it holds back those who are too many.
func HoldsBack(err error) bool {
	return errors.As(err, new(*provisioning.TooManyDeletesError)) && !provisioning.MayPass(err)
}

// failed logs an error that is the program's and not a target's, and says when to try again.
func (r *Runner) failed(
	ctx context.Context, err error, streak *Streak, what string, about ...any,
) time.Duration {
	about = append(about, "error", err)
	if passes(err) {
		r.Log.WarnContext(ctx, what, about...)
		return min(streak.Next(), unavailable)
	}
	r.Log.ErrorContext(ctx, what, about...)
	return wrong
}

// passes says whether an error is the database's and may pass.
func passes(err error) bool { return refusal.KindOf(err) == refusal.Unavailable }

// How long it is until a cycle that failed is tried again. The pause grows by a quarter, so that
// it is never much longer than a quarter of the time for which the cycles have failed, and not
// beyond what a leaver may wait while that is a few minutes.
const (
	shortest    = time.Second     //bound:none the shortest pause
	longest     = time.Minute     //bound:wait a cycle that failed, until it is tried again
	hurried     = 4 * time.Second //bound:wait the same, in the first minutes
	hurries     = 5 * time.Minute //bound:none how long these are
	unavailable = 2 * time.Second //bound:wait the next cycle, while the database is not available
	growth      = 1.25
)

// Streak is a row of cycles that have failed. The zero value is right before the first one.
type Streak struct {
	pause time.Duration
	began time.Time
}

// Next notes that one more has failed, and returns how long to wait until the next try: a second at
// first, longer each time, a minute at most. Those that failed together do not all come back at
// once.
func (s *Streak) Next() time.Duration {
	if s.pause == 0 {
		s.began = time.Now()
	}
	s.pause = min(max(time.Duration(float64(s.pause)*growth), shortest), longest)
	if time.Since(s.began) < hurries { // also where a cycle takes long
		s.pause = min(s.pause, hurried)
	}
	return jittered(s.pause)
}

// After is Next for a cycle that failed by an error, with as long as the target wants to be left
// alone. gone says that the target has just said that it is not available: then an answer to a
// probe is a reason to try at once. It does not say so twice in a row, since a target that answers
// probes and nothing else would be asked with every probe.
func (s *Streak) After(err error) (pause time.Duration, gone bool) {
	p := new(scim.Problem)
	gone = s.pause == 0 && errors.As(err, &p) && p.Status == http.StatusServiceUnavailable
	return max(s.Next(), provisioning.Asked(err)), gone
}

// jittered is a pause, a tenth shorter or longer.
func jittered(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) * (0.9 + 0.2*rand.Float64())) // #nosec G404 -- nothing secret
}
