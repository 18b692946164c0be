package tenant

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Observer is told of what a store does.
type Observer interface {
	// Watched runs a transaction. run is given what is called whenever it begins anew; failed says
	// which errors are the database's.
	Watched(kind string, failed func(error) bool, run func(began func()) error) error
	// Event is told of each event that was kept.
	Event(audit.Event)
	// Swept is told of rows that were removed since they had expired.
	Swept(kind string, rows int)
}

// Observed is a store of which an observer is told.
func Observed(s Store, o Observer) Store { return &observed{s, o} }

type observed struct {
	Store
	observer Observer
}

// failedStore says whether an error is the database's.
func failedStore(err error) bool {
	code := refusal.CodeOf(err)
	return code == StoreUnavailable || code == ConcurrentChange
}

// View implements Store.
func (s *observed) View(ctx context.Context, fn func(Reader) error) error {
	return s.observer.Watched("view", failedStore, func(began func()) error {
		return s.Store.View(ctx, func(r Reader) error {
			began()
			return fn(r)
		})
	})
}

// Update implements Store.
func (s *observed) Update(ctx context.Context, fn func(Tx) error) error {
	var kept []audit.Event
	var swept []gone
	err := s.observer.Watched("update", failedStore, func(began func()) error {
		return s.Store.Update(ctx, func(tx Tx) error {
			began()
			kept, swept = kept[:0], swept[:0]
			return fn(&observedTx{tx, &kept, &swept})
		})
	})
	if err == nil {
		for _, e := range kept {
			s.observer.Event(e)
		}
		for _, g := range swept {
			s.observer.Swept(g.kind, g.rows)
		}
	}
	return err
}

// gone is rows that had expired.
type gone struct {
	kind string
	rows int
}

// observedTx notes the events that its transaction keeps, and what it sweeps.
type observedTx struct {
	Tx
	kept  *[]audit.Event
	swept *[]gone
}

func (t *observedTx) note(kind string, rows int) {
	if rows > 0 {
		*t.swept = append(*t.swept, gone{kind, rows})
	}
}

// DeleteEvents implements Tx.
func (t *observedTx) DeleteEvents(before time.Time, strangers bool, limit int) (int, error) {
	n, err := t.Tx.DeleteEvents(before, strangers, limit)
	t.note("events", n)
	return n, err
}

// DeleteSessions implements Tx.
func (t *observedTx) DeleteSessions(expired time.Time) (int, error) {
	n, err := t.Tx.DeleteSessions(expired)
	t.note("sessions", n)
	return n, err
}

// DeleteLog implements Tx.
func (t *observedTx) DeleteLog(before time.Time) (int, error) {
	n, err := t.Tx.DeleteLog(before)
	t.note("provisioning_log", n)
	return n, err
}

// AppendEvent implements Tx.
func (t *observedTx) AppendEvent(e audit.Event) error {
	err := t.Tx.AppendEvent(e)
	if err == nil {
		*t.kept = append(*t.kept, e)
	}
	return err
}
