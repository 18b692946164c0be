package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// eventReader reads the events of the audit log.
type eventReader interface {
	audit.Reader
	Events(EventQuery) ([]audit.Event, error)
	// EventChain is the log and its chain, which are written to in an update only.
	EventChain() chain.Log
}

// eventWriter writes the events of the audit log.
type eventWriter interface {
	AppendEvent(audit.Event) error // what is kept of it is bounded
	// DeleteEvents removes up to limit events from before a time, the oldest first: all, or
	// refusals of strangers only. It returns how many.
	DeleteEvents(before time.Time, strangers bool, limit int) (int, error)
}

// record appends an event that belongs to no change, such as a refusal. Where somebody is refused
// again and again, it is counted instead.
func (c *Center) record(ctx context.Context, e audit.Event) error {
	own, ended := c.refusals.Admit(e)
	if own {
		ended = append(ended, e)
	}
	return c.recordAll(ctx, ended)
}

// FlushRefusals writes down the refusals that could not be written before, and those that were only
// counted: what was counted in minutes that are over, or everything.
func (c *Center) FlushRefusals(ctx context.Context, everything bool) error {
	lines := c.refusals.Ended
	if everything {
		lines = c.refusals.Flush
	}
	events := lines(c.now())
	audit.Announce(ctx, c.Log, c.NewID, events)
	c.refusals.Hold(events) // one wait for all: this may be the end of the program
	return c.recordHeld(ctx)
}

// How long an event is written: at the most, and after its request or the program has ended.
const (
	recordFor  = 30 * time.Second //bound:wait an event of the log
	recordWait = 5 * time.Second  //bound:wait an event of the log whose request is over
)

// recordAll keeps events in one transaction. Refusals that cannot be written now are written when
// the store takes writes again.
func (c *Center) recordAll(ctx context.Context, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	audit.Announce(ctx, c.Log, c.NewID, events)
	ctx, cancel := audit.Outlast(refusal.Really(ctx), recordFor, recordWait)
	defer cancel()
	err := c.Store.Update(ctx, func(tx Tx) error {
		return audit.AppendAll(tx, events)
	})
	if failedStore(err) {
		c.refusals.Hold(events)
	}
	return err
}

// recordHeld writes down what could not be written before.
func (c *Center) recordHeld(ctx context.Context) error {
	return c.refusals.WriteHeld(func(events []audit.Event) error {
		audit.AnnounceHeld(ctx, c.Log, c.NewID, events)
		err := c.Store.Update(refusal.Really(ctx), func(tx Tx) error { return audit.AppendMissing(tx, events) })
		if err == nil && c.Chain != nil {
			c.Chain.CameLate(events[0].Time.Add(-time.Minute)) // of the same time, more or less
		}
		return err
	}, func(err error) bool { return failedStore(err) || ctx.Err() != nil }) // whoever asked for it may be gone
}

// Refuse records that a door refused a request before it reached a rule, for the reason err. It
// returns err. What the database could not do is not recorded.
func (c *Center) Refuse(ctx context.Context, by audit.Actor, action, subject string, err error) error {
	// nobody was refused, and there is nowhere to record it
	if failedStore(err) {
		return err
	}
	e := c.event(by, action, subject, err)
	if e.Code == "" {
		e.Code, e.Detail = InvalidRequest.String(), err.Error()
	}
	return errors.Join(err, c.record(ctx, e))
}

// Events lists the audit log, newest first.
func (c *Center) Events(ctx context.Context, q EventQuery) (events []audit.Event, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		events, err = r.Events(q)
		return err
	})
	return events, err
}

// maxNamed is how many users and groups a search of the log looks for by their ids.
const maxNamed = 3 //bound:list users, and groups, whose ids a search of the audit log includes

// FindEvents reads a page of the audit log. Whoever and whatever q.Person is part of the name of is
// found by id too, as long as these are not too many.
func (c *Center) FindEvents(ctx context.Context, q audit.Query, at audit.Place) (p audit.Page, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		partly := false
		if q.Person != "" {
			users, e1 := r.Users(UserQuery{Search: q.Person, Limit: maxNamed + 1})
			groups, e2 := r.Groups(GroupQuery{Search: q.Person, Limit: maxNamed + 1})
			if err := errors.Join(e1, e2); err != nil {
				return err
			}
			partly = len(users) > maxNamed || len(groups) > maxNamed
			q.IDs = nil
			for _, u := range users[:min(len(users), maxNamed)] {
				q.IDs = append(q.IDs, string(u.ID))
			}
			for _, g := range groups[:min(len(groups), maxNamed)] {
				q.IDs = append(q.IDs, string(g.ID))
			}
		}
		p, err = audit.Find(r, q, at)
		p.Partly = partly
		return err
	})
	return p, err
}
