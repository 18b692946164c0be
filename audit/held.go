package audit

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// How many refusals of strangers wait for a store that takes no writes, and how many of known
// senders, and how many of them are written at once. One more line of each has the sum of the rest.
const (
	maxHeld  = 500 //bound:memory refusals that wait to be written into the log, of strangers and of others
	heldEach = 100 //bound:rows refusals that waited, in one transaction
)

// held are refusals that could not be written yet. A flood of strangers does not hide those of
// known senders. The zero value has none.
type held struct{ known, strangers pool }

// pool are those of one of the two.
type pool struct {
	events      []Event
	rest        int       // refusals that are in none of events
	first, last time.Time // of these
}

// Hold keeps the refusals among events, which could not be written, until the store takes writes
// again. What was granted was not granted then.
func (t *Tally) Hold(events []Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held.add(events)
}

func (h *held) add(events []Event) {
	for _, e := range events {
		switch {
		case e.Result != Refused:
		case e.FromStranger():
			h.strangers.add(e)
		default:
			h.known.add(e)
		}
	}
}

func (p *pool) add(e Event) {
	if len(p.events) < maxHeld {
		p.events = append(p.events, e.Bounded())
		return
	}
	if p.rest == 0 || e.Time.Before(p.first) {
		p.first = e.Time
	}
	if p.rest == 0 || e.Time.After(p.last) {
		p.last = e.Time
	}
	p.rest += max(1, e.Count)
}

// take takes some of what waits out of it: of known senders first, and the oldest of them.
func (h *held) take() (events []Event) {
	if events = h.known.take(SystemActor); len(events) == 0 {
		events = h.strangers.take(Actor{Kind: Anonymous})
	}
	return events
}

// take is held.take for one of the two; others is who stands for the rest.
func (p *pool) take(others Actor) (events []Event) {
	n := min(len(p.events), heldEach)
	events, p.events = p.events[:n:n], slices.Clone(p.events[n:])
	if n == 0 && p.rest > 0 {
		events = []Event{{
			Time: p.last, Actor: others, Action: SeveralKinds, Result: Refused, Count: p.rest,
			Detail: fmt.Sprintf("%s more from %s to %s, which were counted while the log could not be written",
				thousands(p.rest), p.first.UTC().Format(time.RFC3339), p.last.UTC().Format(time.RFC3339)),
		}}
		p.rest = 0
	}
	return events
}

// putBack is add for what was taken out and is older than what has come since.
func (h *held) putBack(events []Event) {
	later := *h
	h.known.events, h.strangers.events = nil, nil
	h.add(events)
	h.add(later.known.events)
	h.add(later.strangers.events)
}

// WriteHeld has everything written that waits, in several transactions, and keeps what cannot be
// written yet. passes says whether an error may pass; what fails for another reason is given up.
func (t *Tally) WriteHeld(write func([]Event) error, passes func(error) bool) error {
	for {
		t.mu.Lock()
		events := t.held.take()
		t.mu.Unlock()
		if len(events) == 0 {
			return nil
		}
		if err := write(events); err != nil {
			if passes(err) {
				t.mu.Lock()
				t.held.putBack(events)
				t.mu.Unlock()
			}
			return err
		}
	}
}

// GiveUp has everything that waits still in the program's log: nobody writes it any more.
func (t *Tally) GiveUp(ctx context.Context, log *slog.Logger, newID func() string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for events := t.held.take(); len(events) > 0; events = t.held.take() {
		AnnounceHeld(ctx, log, newID, events)
		for _, e := range events {
			n += max(1, e.Count)
		}
	}
	if n > 0 {
		log.ErrorContext(ctx, "refusals could not be written into the audit log before the end", "refusals", n)
	}
}

// AnnounceHeld is Announce for events that waited: most were announced when they could not be
// written.
func AnnounceHeld(ctx context.Context, log *slog.Logger, newID func() string, events []Event) {
	for i := range events {
		if events[i].ID == "" {
			Announce(ctx, log, newID, events[i:i+1])
		}
	}
}

// keeper is the transaction of a store that keeps events and finds them.
type keeper interface {
	Appender
	Reader
}

// AppendMissing appends those events that are not there: whoever failed to write them may not know
// whether they were kept.
func AppendMissing(tx keeper, events []Event) error {
	for _, e := range events {
		at := time.UnixMilli(e.Time.UnixMilli())
		there, err := tx.FindEvents(Query{Filter: Filter{ID: e.ID, From: at, To: at.Add(time.Millisecond)}, Limit: 1})
		if err == nil && len(there.Events) == 0 {
			err = tx.AppendEvent(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Outlast is a context for what is to be written although whoever asked for it is gone or the
// program ends: it goes on for a while after ctx has ended, and for longest at the most.
func Outlast(ctx context.Context, longest, afterwards time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	stop := context.AfterFunc(ctx, func() {
		wait := time.NewTimer(afterwards)
		defer wait.Stop()
		select {
		case <-longer.Done():
		case <-wait.C:
			cancel()
		}
	})
	return longer, func() {
		stop()
		cancel()
	}
}
