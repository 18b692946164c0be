package tenant

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/authn"
)

// chained is a store's log, as its chain is kept.
type chained struct{ Store }

// View implements chain.Store.
func (s chained) View(ctx context.Context, fn func(chain.Log) error) error {
	return s.Store.View(ctx, func(r Reader) error { return fn(r.EventChain()) })
}

// Update implements chain.Store.
func (s chained) Update(ctx context.Context, fn func(chain.Log) error) error {
	return s.Store.Update(ctx, func(tx Tx) error { return fn(tx.EventChain()) })
}

// newChain makes the keeper of the log's chain.
func (t *Tenant) newChain() *chain.Keeper {
	return &chain.Keeper{
		Store: chained{t.Store}, Sealer: t.Sealer, Now: func() time.Time { return t.Now() },
		Shared: t.Store.Shared(), Log: t.Log,
	}
}

// HandOn hands the events of the log on to an outlet while Run runs, in the order of its chain. The
// name is that of the place that the outlet has reached. It is called before Run.
func (t *Tenant) HandOn(name string, outlet chain.Outlet) *chain.Courier {
	courier := &chain.Courier{
		Store: chained{t.Store}, Sealer: t.Sealer, Name: name, Node: t.NewID(), Shared: t.Store.Shared(),
		Outlet: outlet, Log: t.Log,
	}
	t.couriers = append(t.couriers, courier)
	return courier
}

// Couriers are those who hand the log on.
func (t *Tenant) Couriers() []*chain.Courier { return t.couriers }

// CheckEvents looks for lines of the log that were changed or are missing. Without the master key
// nothing can be said of them.
func CheckEvents(
	ctx context.Context, s Store, key authn.MasterKey, known chain.Known, progress func(int),
) (r chain.Result, err error) {
	sealer, err := key.Load()
	if err != nil {
		r.Notes = []string{fmt.Sprintf("audit log: not compared with its chain: %v", err)}
		return r, nil
	}
	return chain.Verify(ctx, chained{s}, sealer, known, progress)
}
