package center

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
func (c *Center) newChain() *chain.Keeper {
	return &chain.Keeper{
		Store: chained{c.Store}, Sealer: c.Sealer, Now: func() time.Time { return c.Now() },
		Shared: c.Store.Shared(), Log: c.Log,
	}
}

// HandOn hands the events of the log on to an outlet while Run runs, in the order of its chain. The
// name is that of the place that the outlet has reached. It is called before Run.
func (c *Center) HandOn(name string, outlet chain.Outlet) *chain.Courier {
	courier := &chain.Courier{
		Store: chained{c.Store}, Sealer: c.Sealer, Name: name, Node: c.NewID(), Shared: c.Store.Shared(),
		Outlet: outlet, Log: c.Log,
	}
	c.couriers = append(c.couriers, courier)
	return courier
}

// Couriers are those who hand the log on.
func (c *Center) Couriers() []*chain.Courier { return c.couriers }

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
