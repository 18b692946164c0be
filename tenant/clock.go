package tenant

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Clock is a clock that can be moved forward, so that cycles of forty minutes, expiring tokens and
// quarantines can be rehearsed. The zero value is right.
type Clock struct{ ahead atomic.Int64 }

// Now is the time on the clock.
func (c *Clock) Now() time.Time { return time.Now().Add(c.Ahead()) }

// Ahead is how far it was moved.
func (c *Clock) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }

// maxAhead bounds how far the clock goes: certificates and tokens live for three years at most.
const maxAhead = 10 * 365 * 24 * time.Hour //bound:none of the rehearsal's clock

// MoveClock moves the tenant's clock, forward only: time that went back would break promises, such
// as that a code is good once. It fails with NotAllowed where the clock cannot be moved, and with
// InvalidValue.
func (t *Tenant) MoveClock(ctx context.Context, by audit.Actor, forward time.Duration) error {
	err := t.change(ctx, by, ActionMoveClock, func(Tx, *Touched) (string, error) {
		switch {
		case t.Clock == nil:
			return forward.String(), &refusal.Error{
				Code:    NotAllowed,
				Subject: "clock",
				Detail:  "this clock cannot be moved: only the demo's can, and that of a tenant with --movable-clock",
			}
		case forward < 0 || t.Clock.Ahead()+forward > maxAhead:
			return forward.String(), &refusal.Error{
				Code:    InvalidValue,
				Subject: "clock",
				Detail:  "the clock moves only forward, by ten years in all",
			}
		}
		return forward.String(), nil
	})
	if err != nil {
		return err
	}
	t.Clock.ahead.Add(int64(forward))
	if t.Changed != nil {
		t.Changed()
	}
	return t.sweepDeleted(ctx, t.now())
}
