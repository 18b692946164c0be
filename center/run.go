package center

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// How often the center looks for work of each kind, although nobody has asked for it.
const (
	flushEach   = time.Minute      //bound:none how often, not how much
	refreshEach = 10 * time.Minute //bound:none how often, not how much
	// Another process may have changed something that the rules depend on.
	rulesEach = 10 * time.Minute //bound:none how often, not how much
)

func (c *Center) wakeRules() { wake(c.ruleWork) }

func (c *Center) wakeOrganization() { wake(c.organizationWork) }

func wake(work chan struct{}) {
	select {
	case work <- struct{}{}:
	default: // somebody will look
	}
}

// Run does all of the center's own work until ctx ends: it writes down what was only counted,
// removes what is over, applies assignment rules, and, where they are set, refreshes the identity
// provider's metadata, imports the organization and keeps the roles in IAM. Any number of processes
// may run it on one store.
func (c *Center) Run(ctx context.Context) {
	c.sweeper.Begin(ctx, c.Log, func(ctx context.Context) error {
		_, _, err := c.mayRemove(ctx)
		return err
	})
	var all sync.WaitGroup
	defer all.Wait()
	do := func(what string, work <-chan struct{}, each time.Duration, once func(context.Context) (bool, error)) {
		all.Go(func() { c.repeat(ctx, what, work, each, once) })
	}
	all.Go(func() { c.Chain.Run(ctx) })
	for _, courier := range c.couriers {
		all.Go(func() { courier.Run(ctx) })
	}
	do("record the counted refusals", nil, flushEach, func(ctx context.Context) (bool, error) {
		return false, c.FlushRefusals(ctx, false)
	})
	do("remove what has expired", nil, audit.SweepEach, func(ctx context.Context) (bool, error) {
		return false, c.Sweep(ctx)
	})
	do("count people and access", nil, historyEach, func(ctx context.Context) (bool, error) {
		return false, c.NoteHistory(ctx)
	})
	do("apply the assignment rules", c.ruleWork, rulesEach, func(ctx context.Context) (bool, error) {
		return false, c.ApplyAssignmentRules(ctx, audit.SystemActor)
	})
	do("open and close windows of access", c.accessWork, accessEach, c.WorkOnAccess)
	do("work on reviews of access", c.reviewWork, accessEach, c.WorkOnReviews)
	do("send notices of requests by mail", c.noticeWork, noticeEach, c.MailNotice)
	if c.Webhooks != nil {
		do("send notices of requests to the webhook", c.webhookWork, noticeEach, c.PostNotice)
	}
	if c.RefreshMetadata != nil {
		do("refresh the identity provider's metadata", nil, refreshEach, func(ctx context.Context) (bool, error) {
			return false, c.RefreshMetadata(ctx)
		})
	}
	if c.Organization != nil {
		do("import the organization", c.organizationWork, rolePoll, c.ImportOrganization)
	}
	if c.Roles == nil {
		return
	}
	do("compare a role with IAM", c.roleWork, rolePoll, c.CheckRole)
	for range roleWorkers {
		do("work on a role", c.roleWork, rolePoll, c.WorkOnRole)
	}
}

// repeat calls once until ctx ends. When there was nothing to do it waits, for each at the longest.
func (c *Center) repeat(
	ctx context.Context, what string, work <-chan struct{}, each time.Duration,
	once func(context.Context) (bool, error),
) {
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		worked, err := once(ctx)
		if err != nil && ctx.Err() == nil {
			c.Log.ErrorContext(ctx, what, "error", err)
		}
		if worked && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-work:
		}
	}
}

// Sweep removes what has expired and the events that are older than they are kept, and warns of
// what will expire. Run calls it now and then.
func (c *Center) Sweep(ctx context.Context) error {
	ended := c.endAhead(ctx)
	now, ruling, err := c.mayRemove(ctx)
	if err != nil || ruling.Doubted {
		return errors.Join(ended, err, c.WarnOfExpiry(ctx), c.lookAtSetup(ctx))
	}
	return errors.Join(ended, c.Store.Update(ctx, func(tx Tx) error {
		// A node whose clock is slow goes by its own.
		_, err := tx.DeleteExpired(now.Add(-clocksApart), now.Add(-clocksApart-audit.DoubtAhead))
		return errors.Join(err, tx.DeleteRequests(now.Add(-requestsKept)),
			tx.DeleteAccessRequests(now.Add(-accessRequestKept), endedAtOnce),
			tx.DeleteAccessReviews(now.Add(-accessReviewKept), dueAtOnce),
			tx.DeleteRevocations(now.Add(-revocationsKept), revocationsSwept))
	}), c.sweepEvents(ctx, now, ruling.Keep), c.WarnOfExpiry(ctx), c.endRevocations(ctx), c.lookAtSetup(ctx))
}

// mayRemove says what may be removed because of its age, and what time it is: a node whose clock is
// fast would forget what others go by.
func (c *Center) mayRemove(ctx context.Context) (now time.Time, ruling audit.Ruling, err error) {
	var newest time.Time
	err = c.Store.View(ctx, func(r Reader) (err error) {
		if now, err = c.clock(r); err != nil {
			return err
		}
		newest, err = audit.Newest(r)
		return err
	})
	if err != nil {
		return now, ruling, err
	}
	err = c.Store.Update(ctx, func(tx Tx) (err error) {
		ruling, err = c.sweeper.Look(tx.EventChain(), now.Add(-c.ahead()), newest, c.Keep, c.Store.Shared())
		return err
	})
	if err == nil {
		c.sweeper.Looked(ctx, c.Log, ruling)
	}
	return now, ruling, err
}

// ahead is how far the clock of a center that shares its store with no other was moved.
func (c *Center) ahead() time.Duration {
	if c.Ahead == nil || c.Store.Shared() {
		return 0
	}
	return c.Ahead()
}

// Kept says how long events are kept, by the longest time that a node was told.
func (c *Center) Kept(ctx context.Context) (k audit.Kept, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		now, err := c.clock(r)
		if err == nil {
			k, err = audit.ReadKept(r.EventChain(), now.Add(-c.ahead()), c.Keep, c.Store.Shared())
		}
		return err
	})
	return k, err
}

// sweepEvents removes the events that are older than they are kept. The chain is told first, so
// that none of them is ever missed.
func (c *Center) sweepEvents(ctx context.Context, now time.Time, keep audit.Retention) error {
	remove := func(before time.Time, strangers bool, limit int) (n int, err error) {
		err = c.Store.Update(ctx, func(tx Tx) error {
			n, err = tx.DeleteEvents(before, strangers, limit)
			return err
		})
		return n, err
	}
	before, strangers := keep.Until(now)
	if err := c.Chain.Swept(ctx, before, strangers); err != nil {
		return err
	}
	return keep.Sweep(ctx, now, remove)
}

// closeWait bounds what is written at the end, where the database does not answer.
const closeWait = 5 * time.Second //bound:wait what was only counted, at the end

// Close writes down what was only counted, then closes the store. Everything that was acknowledged
// is durable already. Refusals that cannot be written down then are in the program's log.
func (c *Center) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	flushed := c.FlushRefusals(ctx, true)
	if flushed == nil && c.Chain != nil && !c.Store.Shared() { // nobody else chains what was written last
		flushed = c.Chain.Append(ctx, true)
	}
	c.refusals.GiveUp(ctx, c.Log, c.NewID)
	return errors.Join(flushed, c.Store.Close())
}
