package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/idpmetadata"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// retentionDays is how long events are kept, in days; 0 is for ever.
type retentionDays struct{ events, refusals uint }

func (d *retentionDays) flags(f *pflag.FlagSet) {
	const day = 24 * time.Hour
	f.UintVar(&d.events, "keep-events", uint(audit.DefaultRetention.Events/day), // #nosec G115 -- a positive constant
		"days that audit events are kept; 0: for ever")
	f.UintVar(
		&d.refusals,
		"keep-refusals",
		uint(audit.DefaultRetention.Refusals/day), // #nosec G115 -- a positive constant
		"days that refusals of requests that nobody has signed in for are kept, no longer than --keep-events; 0: "+
			"as long as the others",
	)
}

// maxDays keeps a time in a time.Duration.
const maxDays = 100_000 //bound:life what --keep-events and --keep-refusals take, in days

func (d retentionDays) retention() (audit.Retention, error) {
	if d.events > maxDays || d.refusals > maxDays {
		return audit.Retention{}, usageError{errors.New("--keep-events and --keep-refusals are days: 0 to 100000")}
	}
	const day = 24 * time.Hour
	return audit.Retention{Events: time.Duration(d.events) * day, Refusals: time.Duration(d.refusals) * day}, nil
}

// How often what strangers were refused and was only counted is written down, and how often what is
// over is removed.
const (
	flushEach = time.Minute      //bound:none how often, not how much
	sweepEach = 10 * time.Minute //bound:none how often, not how much
)

// sweepCenter keeps a center's data small until ctx is done, and looks whether it is time to look
// at published metadata.
func sweepCenter(ctx context.Context, c *center.Center, asks outbound.Policy) {
	metadata := idpmetadata.NewWatcher(c, asks)
	repeat(ctx, c.Log, c.FlushRefusals, map[string]func(context.Context) error{
		"remove what is over": c.Sweep, "look at the identity provider's metadata": metadata.LookIfDue})
}

// sweepTenant keeps a tenant's data small until ctx is done.
func sweepTenant(ctx context.Context, t *tenant.Tenant) {
	repeat(ctx, t.Log, t.FlushRefusals, map[string]func(context.Context) error{"remove what is over": t.Sweep})
}

func repeat(
	ctx context.Context, log *slog.Logger,
	flush func(ctx context.Context, everything bool) error, each map[string]func(context.Context) error,
) {
	tick := time.NewTicker(flushEach)
	defer tick.Stop()
	var last time.Time
	for {
		if err := flush(ctx, false); err != nil && ctx.Err() == nil {
			log.Error("write down what was counted", "error", err)
		}
		if time.Since(last) >= sweepEach {
			last = time.Now()
			for what, do := range each {
				if err := do(ctx); err != nil && ctx.Err() == nil {
					log.Error(what, "error", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// closeCenter writes down what was only counted, then closes the store. Everything that was
// acknowledged is durable already.
func closeCenter(c *center.Center) {
	_ = errors.Join(c.FlushRefusals(context.Background(), true), c.Store.Close())
}

// closeTenant is closeCenter for a tenant.
func closeTenant(t *tenant.Tenant) {
	_ = errors.Join(t.FlushRefusals(context.Background(), true), t.Store.Close())
}
