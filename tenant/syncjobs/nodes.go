package syncjobs

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// How nodes that share a store know of each other. Who holds a lease beats each second. A node
// whose beat has not come in four looks, a second apart, is dead; one that has not managed to beat
// for three seconds takes itself for dead before others do.
const (
	beatEach     = time.Second     //bound:none how often, not how much
	beatPatience = 3 * time.Second //bound:wait the database, before a node takes its lease for lost
	deadAfter    = 4               // looks
)

// errElsewhere says that another node works on a job.
var errElsewhere = errors.New("another node works on the job")

// nodes is what a node knows of those that share its store, and what it holds itself. Where nobody
// shares the store it holds what it wants, and nothing is written.
type nodes struct {
	tenant *tenant.Tenant
	own    string
	shared bool

	mu     sync.Mutex
	held   map[tenant.JobID]*held
	seen   map[tenant.JobID]*sight
	pulse  tenant.Pulse
	looked time.Time
}

// held is a lease that this node has.
type held struct {
	tenant.Holding

	beaten time.Time
	lost   context.CancelCauseFunc // ends the work under it; nil: none is done
}

// sight is a lease as this node saw it, and in how many looks it has been the same.
type sight struct {
	tenant.JobLease

	looks int
}

func newNodes(t *tenant.Tenant) *nodes {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return &nodes{
		tenant: t,
		own:    host + "/" + t.NewID()[:8],
		shared: t.Store.Shared(),
		held:   map[tenant.JobID]*held{},
		seen:   map[tenant.JobID]*sight{},
	}
}

// see looks at what the nodes do. It returns whether something has changed since the last look.
func (n *nodes) see(ctx context.Context) (changed bool, err error) {
	p, err := n.tenant.Pulse(ctx)
	if err != nil {
		return false, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	counts := time.Since(n.looked) >= beatEach*9/10
	if counts {
		n.looked = time.Now()
	}
	changed = p.Last != n.pulse.Last || p.Asked != n.pulse.Asked || len(p.Leases) != len(n.seen)
	n.pulse = p
	leases := map[tenant.JobID]*sight{}
	for _, l := range p.Leases {
		now, before := &sight{JobLease: l}, n.seen[l.JobID]
		leases[l.JobID] = now
		switch {
		case before == nil || before.Fence != l.Fence || before.Owner != l.Owner || before.State != l.State:
			changed = true
		case l.Owner != "" && before.Beat == l.Beat:
			if now.looks = before.looks; counts {
				now.looks++
			}
			changed = changed || now.looks == deadAfter
		}
	}
	n.seen = leases
	return changed, nil
}

// of says who has the lease of a job, as far as this node knows.
func (n *nodes) of(id tenant.JobID) (l tenant.JobLease, mine, dead bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.seen[id]; s != nil {
		l = s.JobLease
	}
	return l, n.held[id] != nil, n.dead(l)
}

// last is the number of the newest change of the directory, when this node last looked.
func (n *nodes) last() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pulse.Last
}

// dead says whether the owner of a lease is: it does not beat, or is this node, which has lost it.
func (n *nodes) dead(l tenant.JobLease) bool {
	s := n.seen[l.JobID]
	return (l.Owner == n.own && n.held[l.JobID] == nil) ||
		(s != nil && s.Fence == l.Fence && s.Beat == l.Beat && s.looks >= deadAfter)
}

// take takes the lease of a job. The context ends when it is lost. It fails with errElsewhere.
func (n *nodes) take(ctx context.Context, id tenant.JobID, waiting bool) (context.Context, *held, error) {
	if !n.shared {
		return ctx, &held{}, nil
	}
	working, lost := context.WithCancelCause(ctx)
	n.mu.Lock()
	h := n.held[id]
	n.mu.Unlock()
	if h != nil {
		err := n.tenant.KeepLease(ctx, h.Holding, tenant.LeaseRunning, time.Time{})
		if err == nil {
			n.mu.Lock()
			h.lost = lost
			n.mu.Unlock()
			return working, h, nil
		}
		if n.drop(h); !errors.Is(err, tenant.ErrLeaseLost) {
			lost(err)
			return ctx, nil, err
		}
	}
	holding, of, err := n.tenant.TakeLease(ctx, id, n.own, waiting, func(l tenant.JobLease) bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.dead(l)
	})
	if err == nil && holding == (tenant.Holding{}) {
		err = errElsewhere
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil || errors.Is(err, errElsewhere) {
		if s := n.seen[id]; s == nil || s.Fence != of.Fence || s.Owner != of.Owner {
			n.seen[id] = &sight{JobLease: of}
		}
	}
	if err != nil {
		lost(err)
		return ctx, nil, err
	}
	h = &held{Holding: holding, beaten: time.Now(), lost: lost}
	n.held[id] = h
	return working, h, nil
}

// drop forgets a lease that is lost or given back.
func (n *nodes) drop(h *held) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held[h.JobID] == h {
		delete(n.held, h.JobID)
	}
	if h.lost != nil {
		h.lost(tenant.ErrLeaseLost)
		h.lost = nil
	}
}

// rest ends the work under a lease, which is given back, or kept until the next try.
func (n *nodes) rest(ctx context.Context, h *held, keep bool, next time.Time) {
	if h.Holding == (tenant.Holding{}) {
		return
	}
	state := tenant.LeaseFree
	if keep {
		state = tenant.LeaseWaiting
	}
	ending, end := context.WithTimeout(context.WithoutCancel(ctx), beatPatience)
	defer end()
	err := n.tenant.KeepLease(ending, h.Holding, state, next)
	if err != nil || !keep { // if it could not be given back, it ends by itself
		n.drop(h)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.lost != nil {
		h.lost(nil)
		h.lost = nil
	}
	if s := n.seen[h.JobID]; err == nil && s != nil && s.Fence == h.Fence {
		if s.State, s.Next = state, next; !keep {
			s.Owner = ""
		}
	}
}

// beat says each second that this node lives, until ctx is done.
func (n *nodes) beat(ctx context.Context, progress func(tenant.JobID) (done, total int)) {
	tick := time.NewTicker(beatEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n.mu.Lock()
		all := slices.Collect(maps.Values(n.held))
		n.mu.Unlock()
		for _, h := range all {
			done, total := progress(h.JobID)
			beating, end := context.WithTimeout(ctx, beatPatience)
			err := n.tenant.BeatLease(beating, h.Holding, done, total)
			end()
			n.mu.Lock()
			if err == nil {
				h.beaten = time.Now()
			}
			over := errors.Is(err, tenant.ErrLeaseLost) || time.Since(h.beaten) > beatPatience
			n.mu.Unlock()
			if over {
				n.drop(h)
			}
		}
	}
}

// letGo gives back the lease of a job that is no longer active, unless it is worked on.
func (r *Runner) letGo(ctx context.Context, id tenant.JobID) {
	desk := r.desk(id)
	select {
	case desk <- struct{}{}:
	default:
		return
	}
	defer func() { <-desk }()
	r.nodes.mu.Lock()
	h := r.nodes.held[id]
	r.nodes.mu.Unlock()
	if h != nil {
		r.nodes.rest(ctx, h, false, time.Time{})
	}
}

// end gives back all leases.
func (n *nodes) end(ctx context.Context) {
	n.mu.Lock()
	all := slices.Collect(maps.Values(n.held))
	n.mu.Unlock()
	for _, h := range all {
		n.rest(ctx, h, false, time.Time{})
	}
}

// onDemandPatience is how long who asks for something on demand waits for a cycle to end.
const onDemandPatience = 10 * time.Second //bound:wait a cycle, before an object is provisioned on demand

// claim takes the right to work on a job: in this process, and among the nodes. It waits for as
// long as patience for others, and then fails with ConcurrentChange; without patience it waits for
// others in this process only, and fails with errElsewhere.
func (r *Runner) claim(ctx context.Context, id tenant.JobID, patience time.Duration) (
	working context.Context, h *held, leave func(keep bool, next time.Time), err error,
) {
	desk := r.desk(id)
	until := time.Now().Add(patience)
	waiting, end := ctx, func() {}
	if patience > 0 {
		waiting, end = context.WithDeadline(ctx, until)
	}
	defer end()
	busy := &refusal.Error{
		Code:    tenant.ConcurrentChange,
		Subject: string(id),
		Detail:  "a provisioning cycle is running; try again when it has ended",
	}
	select {
	case desk <- struct{}{}:
	case <-waiting.Done():
		if ctx.Err() == nil {
			return ctx, nil, nil, busy
		}
		return ctx, nil, nil, context.Cause(ctx)
	}
	for {
		working, h, err = r.nodes.take(ctx, id, patience > 0)
		if !errors.Is(err, errElsewhere) || patience == 0 {
			break
		}
		select {
		case <-time.After(beatEach / 5): // a poll
			_, _ = r.nodes.see(ctx) // who does not beat is noticed
			continue
		case <-waiting.Done():
		}
		if err = context.Cause(ctx); err == nil {
			err = busy
		}
		break
	}
	if err != nil {
		<-desk
		return ctx, nil, nil, err
	}
	return working, h, func(keep bool, next time.Time) {
		r.nodes.rest(ctx, h, keep, next)
		<-desk
	}, nil
}

// desk is where one at a time in this process works on a job.
func (r *Runner) desk(id tenant.JobID) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.desks[id] == nil {
		r.desks[id] = make(chan struct{}, 1)
	}
	return r.desks[id]
}
