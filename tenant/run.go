package tenant

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// How often the tenant looks for work of each kind.
const (
	flushEach = time.Minute //bound:none how often, not how much
)

// Run does all of the tenant's own work until ctx ends: it writes down what was only counted,
// removes what is over, sends notices, and, where Provision is set, runs the synchronization jobs.
func (t *Tenant) Run(ctx context.Context) {
	t.sweeper.Begin(ctx, t.Log, func(ctx context.Context) error {
		_, _, err := t.mayRemove(ctx)
		return err
	})
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		t.repeat(ctx, "record the counted refusals", nil, flushEach, func(ctx context.Context) error {
			return t.FlushRefusals(ctx, false)
		})
	})
	all.Go(func() { t.repeat(ctx, "remove what has expired", nil, audit.SweepEach, t.Sweep) })
	all.Go(func() { t.Chain.Run(ctx) })
	for _, courier := range t.couriers {
		all.Go(func() { courier.Run(ctx) })
	}
	if t.Notify != nil {
		all.Go(func() { t.repeat(ctx, "send notices of quarantine", t.noticeWork, noticeEach, t.SendNotices) })
	}
	if t.Provision != nil {
		all.Go(func() { t.Provision(ctx) })
	}
}

// wakeNotices has notices sent at once.
func (t *Tenant) wakeNotices() {
	select {
	case t.noticeWork <- struct{}{}:
	default: // somebody will look
	}
}

// repeat calls once until ctx ends, with each in between at the longest: less where there is work.
func (t *Tenant) repeat(
	ctx context.Context, what string, work <-chan struct{}, each time.Duration, once func(context.Context) error,
) {
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		if err := once(ctx); err != nil && ctx.Err() == nil {
			t.Log.ErrorContext(ctx, what, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-work:
		}
	}
}

// Sweep removes what is over: sessions, grants, old entries of the provisioning log and of the
// journal, notes of who has left a mirror, deleted objects that can be restored no more, and the
// events that are older than they are kept. Run calls it now and then.
func (t *Tenant) Sweep(ctx context.Context) error {
	now, ruling, err := t.mayRemove(ctx)
	if err != nil || ruling.Doubted {
		return err
	}
	over := t.Store.Update(ctx, func(tx Tx) error {
		_, e1 := tx.DeleteSessions(now)
		_, e2 := tx.DeleteLog(now.Add(-logRetention))
		return errors.Join(
			e1, e2, tx.DeleteGrants(t.grantsOver(now)), sweepJournal(tx, now), sweepFormers(tx, now),
			sweepLeft(tx, now),
		)
	})
	return errors.Join(over, t.sweepDeleted(ctx, now), t.sweepEvents(ctx, now, ruling.Keep))
}

// mayRemove says what may be removed because of its age, and what time it is: a node whose clock is
// fast would forget what others go by.
func (t *Tenant) mayRemove(ctx context.Context) (now time.Time, ruling audit.Ruling, err error) {
	var newest time.Time
	err = t.Store.View(ctx, func(r Reader) (err error) {
		if now, err = t.clock(r); err != nil {
			return err
		}
		newest, err = audit.Newest(r)
		return err
	})
	if err != nil {
		return now, ruling, err
	}
	err = t.Store.Update(ctx, func(tx Tx) (err error) {
		ruling, err = t.sweeper.Look(tx.EventChain(), now.Add(-t.ahead()), newest, t.Keep, t.Store.Shared())
		return err
	})
	if err == nil {
		t.sweeper.Looked(ctx, t.Log, ruling)
	}
	return now, ruling, err
}

// Kept says how long events are kept, by the longest time that a node was told.
func (t *Tenant) Kept(ctx context.Context) (k audit.Kept, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		now, err := t.clock(r)
		if err == nil {
			k, err = audit.ReadKept(r.EventChain(), now.Add(-t.ahead()), t.Keep, t.Store.Shared())
		}
		return err
	})
	return k, err
}

// sweepEvents removes the events that are older than they are kept. The chain is told first, so
// that none of them is ever missed.
func (t *Tenant) sweepEvents(ctx context.Context, now time.Time, keep audit.Retention) error {
	remove := func(before time.Time, strangers bool, limit int) (n int, err error) {
		err = t.Store.Update(ctx, func(tx Tx) error {
			n, err = tx.DeleteEvents(before, strangers, limit)
			return err
		})
		return n, err
	}
	before, strangers := keep.Until(now)
	if err := t.Chain.Swept(ctx, before, strangers); err != nil {
		return err
	}
	return keep.Sweep(ctx, now, remove)
}

// logRetention is how long the provisioning log is kept. Source: provisioning logs page, premium
// retention.
const logRetention = 30 * 24 * time.Hour //bound:life the provisioning log

// DeltaLife is how long the state of a delta query is good for. Source: delta query overview,
// "Validity of the token".
const DeltaLife = 7 * 24 * time.Hour //bound:life the state of a delta query

// sweepJournal removes what is older than any state of a delta query. A job that has not read it
// yet, since it is paused or its target has not answered for so long, looks at everything when it
// goes on.
func sweepJournal(tx Tx, now time.Time) error {
	gone, err := tx.LastMark(now.Add(-DeltaLife - time.Hour))
	if err != nil || gone == 0 {
		return err
	}
	jobs, err := tx.Jobs("")
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.Watermark != "" && number(j.Watermark) < gone {
			j.reset()
			if err := tx.PutJob(j); err != nil {
				return err
			}
		}
	}
	return tx.DeleteMarks(gone)
}

// number is the number of the last mark that a watermark stands for. An empty one is of a job that
// has seen nothing.
func number(watermark string) int64 {
	n, _ := strconv.ParseInt(watermark, 10, 64)
	return n
}

// closeWait bounds what is written at the end, where the database does not answer.
const closeWait = 5 * time.Second //bound:wait what was only counted, at the end

// Close writes down what was only counted, then closes the store. Everything that was acknowledged
// is durable already. Refusals that cannot be written down then are in the program's log.
func (t *Tenant) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	flushed := t.FlushRefusals(ctx, true)
	if flushed == nil && t.Chain != nil && !t.Store.Shared() { // nobody else chains what was written last
		flushed = t.Chain.Append(ctx, true)
	}
	t.refusals.GiveUp(ctx, t.Log, t.NewID)
	return errors.Join(flushed, t.Store.Close())
}
