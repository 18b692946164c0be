package center

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
	audit.Observer
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

// Get implements Store.
func (s *observed) Get(ctx context.Context, fn func(Reader) error) error {
	return s.observer.Watched("get", failedStore, func(began func()) error {
		return s.Store.Get(ctx, func(r Reader) error {
			began()
			return fn(r)
		})
	})
}

// Update implements Store.
func (s *observed) Update(ctx context.Context, fn func(Tx) error) error {
	var noted audit.Noted
	err := s.observer.Watched("update", failedStore, func(began func()) error {
		return s.Store.Update(ctx, func(tx Tx) error {
			began()
			noted.Begin()
			return fn(&observedTx{tx, &noted})
		})
	})
	if err == nil {
		noted.Tell(s.observer)
	}
	return err
}

// observedTx notes the events that its transaction keeps, and what it sweeps.
type observedTx struct {
	Tx
	noted *audit.Noted
}

// DeleteEvents implements Tx.
func (t *observedTx) DeleteEvents(before time.Time, strangers bool, limit int) (int, error) {
	n, err := t.Tx.DeleteEvents(before, strangers, limit)
	t.noted.Swept("events", n)
	return n, err
}

// DeleteExpired implements Tx.
func (t *observedTx) DeleteExpired(opens, refuses time.Time) (int, error) {
	n, err := t.Tx.DeleteExpired(opens, refuses)
	t.noted.Swept("sessions", n)
	return n, err
}

// AppendEvent implements Tx.
func (t *observedTx) AppendEvent(e audit.Event) error {
	err := t.Tx.AppendEvent(e)
	if err == nil {
		t.noted.Event(e)
	}
	return err
}

// SignInActions are the events of people and administrators who sign in, and CredentialActions
// those with which credentials of a role are handed out.
var (
	SignInActions = []string{
		ActionExternalIdPDirectoryLogin.name, ActionCredentialVerification.name, ActionConsoleLogin.name,
	}
	CredentialActions = []string{ActionFederate.name, ActionAssumeRole.name}
)
