package audit

import (
	"context"
	"log/slog"
)

// Appender is the transaction of a store that keeps events.
type Appender interface {
	AppendEvent(e Event) error
}

// Admission is whether the refusal of a transaction, which may run more than once, gets an event of
// its own: its tally is asked for once. The zero value has not asked.
type Admission struct {
	asked bool
	own   *Event
	ended []Event
}

// Append appends a refusal to the transaction that it belongs to, if it is admitted.
func (a *Admission) Append(tally *Tally, tx Appender, e Event) error {
	if !a.asked {
		own, ended := tally.Admit(e)
		a.asked, a.ended = true, ended
		if own {
			a.own = &e
		}
	}
	if a.own == nil {
		return nil
	}
	return tx.AppendEvent(*a.own)
}

// Logged writes the event that its transaction has appended, if there is one, into the program's
// log, and returns the lines that ended with its minute, which are still to be kept.
func (a *Admission) Logged(ctx context.Context, log *slog.Logger) (ended []Event) {
	if a.own != nil {
		log.InfoContext(ctx, "audit", "event", *a.own)
	}
	return a.ended
}

// GiveBack holds the lines that ended with the minute, which nobody else writes where the
// transaction was not kept, or refused nothing when it ran again.
func (a *Admission) GiveBack(tally *Tally) { tally.Hold(a.ended) }

// Announce gives events that have no id one of their own, and writes them into the program's log.
func Announce(ctx context.Context, log *slog.Logger, newID func() string, events []Event) {
	for i := range events {
		if events[i].ID == "" {
			events[i].ID = newID()
		}
		log.InfoContext(ctx, "audit", "event", events[i])
	}
}

// AppendAll appends events to one transaction.
func AppendAll(tx Appender, events []Event) error {
	for _, e := range events {
		if err := tx.AppendEvent(e); err != nil {
			return err
		}
	}
	return nil
}
