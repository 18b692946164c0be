package tenant

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
func (t *Tenant) record(ctx context.Context, e audit.Event) error {
	own, ended := t.refusals.Admit(e)
	if own {
		ended = append(ended, e)
	}
	return t.recordAll(ctx, ended)
}

// FlushRefusals writes down the refusals that could not be written before, and those that were only
// counted: what was counted in minutes that are over, or everything.
func (t *Tenant) FlushRefusals(ctx context.Context, everything bool) error {
	lines := t.refusals.Ended
	if everything {
		lines = t.refusals.Flush
	}
	events := lines(t.now())
	audit.Announce(ctx, t.Log, t.NewID, events)
	t.refusals.Hold(events) // one wait for all: this may be the end of the program
	return t.recordHeld(ctx)
}

// How long an event is written: at the most, and after its request or the program has ended.
const (
	recordFor  = 30 * time.Second //bound:wait an event of the log
	recordWait = 5 * time.Second  //bound:wait an event of the log whose request is over
)

// recordAll keeps events in one transaction. Refusals that cannot be written now are written when
// the store takes writes again.
func (t *Tenant) recordAll(ctx context.Context, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	audit.Announce(ctx, t.Log, t.NewID, events)
	ctx, cancel := audit.Outlast(refusal.Really(ctx), recordFor, recordWait)
	defer cancel()
	err := t.Store.Update(ctx, func(tx Tx) error {
		return audit.AppendAll(tx, events)
	})
	if failedStore(err) {
		t.refusals.Hold(events)
	}
	return err
}

// recordHeld writes down what could not be written before.
func (t *Tenant) recordHeld(ctx context.Context) error {
	return t.refusals.WriteHeld(func(events []audit.Event) error {
		audit.AnnounceHeld(ctx, t.Log, t.NewID, events)
		err := t.Store.Update(refusal.Really(ctx), func(tx Tx) error { return audit.AppendMissing(tx, events) })
		if err == nil && t.Chain != nil {
			t.Chain.CameLate(events[0].Time.Add(-time.Minute)) // of the same time, more or less
		}
		return err
	}, func(err error) bool { return failedStore(err) || ctx.Err() != nil }) // whoever asked for it may be gone
}

// Refuse records that a door refused a request before it reached a rule, for the reason err. It
// returns err. What the database could not do is not recorded.
func (t *Tenant) Refuse(ctx context.Context, by audit.Actor, action, subject string, err error) error {
	// nobody was refused, and there is nowhere to record it
	if failedStore(err) {
		return err
	}
	e := t.event(by, action, subject, err)
	if e.Code == "" {
		e.Code = InvalidRequest.String()
	}
	return errors.Join(err, t.record(ctx, e))
}

// RecordGranted records something that changed nothing but must leave an event, such as a sign-in
// to an application.
func (t *Tenant) RecordGranted(ctx context.Context, by audit.Actor, action Action, subject string) error {
	err := t.Store.View(ctx, func(r Reader) error { return authorizeIn(r, by, action) })
	return errors.Join(err, t.record(ctx, t.event(by, action.name, subject, err)))
}

// Events lists the newest events of the audit log, the newest first.
func (t *Tenant) Events(ctx context.Context, limit int) (events []audit.Event, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		found, err := r.FindEvents(audit.Query{Limit: limit})
		events = found.Events
		return err
	})
	return events, err
}

// maxNamed is how many users and groups a search of the log looks for by their ids.
const maxNamed = 3 //bound:list users, and groups, whose ids a search of the audit log includes

// FindEvents reads a page of the audit log. Whoever and whatever q.Person is part of the name of is
// found by id too, as long as these are not too many.
func (t *Tenant) FindEvents(ctx context.Context, q audit.Query, at audit.Place) (p audit.Page, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		partly := false
		if q.Person != "" {
			users, e1 := r.Users(Query{Search: q.Person, Limit: maxNamed + 1})
			groups, e2 := r.Groups(Query{Search: q.Person, Limit: maxNamed + 1})
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
