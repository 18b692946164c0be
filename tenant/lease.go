package tenant

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// JobLease says which node works on a job, where several nodes share a store. Who holds one counts
// its beats, and nobody compares clocks: a node whose beats do not come is dead.
type JobLease struct {
	JobID JobID
	Owner string     // the node; empty: none
	Fence int64      // goes up whenever somebody takes the lease
	State LeaseState // of the owner
	Next  time.Time  // when the next cycle is due although nothing changes; zero: nobody knows of one

	Beat        int64 // goes up while the owner lives
	Done, Total int   // how far the cycle has come
}

// LeaseState is what the holder of a lease does.
type LeaseState string

// The states.
const (
	LeaseFree    LeaseState = ""
	LeaseRunning LeaseState = "running" // a cycle, or one object on demand
	LeaseWaiting LeaseState = "waiting" // for the next try, after a cycle that failed
)

// leaseReader reads who works on jobs.
type leaseReader interface {
	JobLease(id JobID) (JobLease, error) // without the beat and how far it has come
	JobLeases() ([]JobLease, error)
}

// leaseWriter writes who works on jobs.
type leaseWriter interface {
	PutJobLease(JobLease) error // without the beat and how far it has come
	PutJobBeat(id JobID, done, total int) error
}

// Holding is a lease in the hands of a node that has taken it. The zero value is that of a node
// that shares its store with no other: it holds what it wants.
type Holding struct {
	JobID JobID
	Fence int64
}

// ErrLeaseLost says that another node has taken a lease. What is written in the same transaction is
// not kept.
var ErrLeaseLost = errors.New("another node works on the job now")

// Check fails with ErrLeaseLost when the lease is no longer held. Whatever its holder writes about
// the job must come in the same transaction.
func (h Holding) Check(r Reader) error {
	if h == (Holding{}) {
		return nil
	}
	l, err := r.JobLease(h.JobID)
	if errors.Is(err, refusal.ErrNoRow) || (err == nil && (l.Fence != h.Fence || l.Owner == "")) {
		return ErrLeaseLost
	}
	return err
}

// TakeLease takes the lease of a job for a node. It is taken from another node only if that is
// dead, which dead decides, or, with waiting, if that only waits for its next try. Where the lease
// is not to be had, its row says who holds it.
func (t *Tenant) TakeLease(
	ctx context.Context, id JobID, node string, waiting bool, dead func(JobLease) bool,
) (h Holding, of JobLease, err error) {
	err = t.Store.Update(ctx, func(tx Tx) error {
		h, of = Holding{}, JobLease{JobID: id}
		if _, err := tx.Job(id); err != nil {
			return refusal.IfNoRow(err, JobNotFound, string(id))
		}
		all, err := tx.JobLeases()
		if err != nil {
			return err
		}
		for _, l := range all {
			if l.JobID == id {
				of = l
			}
		}
		free := of.Owner == "" || dead(of) || waiting && of.State == LeaseWaiting
		if !free {
			return nil
		}
		of.Owner, of.State = node, LeaseRunning
		of.Fence++
		h = Holding{id, of.Fence}
		return errors.Join(tx.PutJobLease(of), tx.PutJobBeat(id, 0, 0))
	})
	return h, of, err
}

// KeepLease notes what the holder does now. A holder that gives the lease back may not know when
// the next cycle is due, as one that is told to stop does not: then what is remembered of the job's
// objects says so. It fails with ErrLeaseLost.
func (t *Tenant) KeepLease(ctx context.Context, h Holding, state LeaseState, next time.Time) error {
	return t.Store.Update(ctx, func(tx Tx) error {
		if err := h.Check(tx); err != nil {
			return err
		}
		l, err := tx.JobLease(h.JobID)
		if err != nil {
			return err
		}
		if l.State, l.Next = state, next; state == LeaseFree {
			l.Owner = ""
			if next.IsZero() {
				l.Next, err = t.nextTry(tx, h.JobID)
			}
		}
		return errors.Join(err, tx.PutJobLease(l))
	})
}

// soonest is how soon objects of a job are tried again at the earliest.
const soonest = time.Second / 2 //bound:none the shortest pause

// nextTry is when the first of a job's objects is tried again; zero: none is.
func (t *Tenant) nextTry(r Reader, id JobID) (at time.Time, err error) {
	links, err := r.FailedLinks(id)
	for _, l := range links {
		if at.IsZero() || l.RetryAt.Before(at) {
			at = l.RetryAt
		}
	}
	if soon := t.now().Add(soonest); len(links) > 0 && at.Before(soon) {
		at = soon
	}
	return at, err
}

// BeatLease notes that the holder lives, and how far it has come. It fails with ErrLeaseLost.
func (t *Tenant) BeatLease(ctx context.Context, h Holding, done, total int) error {
	return t.Store.Update(ctx, func(tx Tx) error {
		if err := h.Check(tx); err != nil {
			return err
		}
		return tx.PutJobBeat(h.JobID, done, total)
	})
}

// Standing is who works on a job, and when its next cycle is due although nothing changes.
type Standing struct {
	Node  string // empty: none, or the only one
	State LeaseState
	Next  time.Time // zero: not known here
}

// Pulse is what a node must see to know that there is something to do.
type Pulse struct {
	Last   int64  // the number of the newest change of the directory
	Asked  string // another one whenever an administrator has done something to a job
	Leases []JobLease
}

// noteAsked is what administrators' changes of jobs change.
const noteAsked = "jobs/asked"

// Pulse reads what a node must see to know that there is something to do.
func (t *Tenant) Pulse(ctx context.Context) (p Pulse, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		if _, p.Last, err = r.Marks(math.MaxInt64); err != nil {
			return err
		}
		if p.Asked, err = r.Note(noteAsked); err != nil && !errors.Is(err, refusal.ErrNoRow) {
			return err
		}
		p.Leases, err = r.JobLeases()
		return err
	})
	return p, err
}
