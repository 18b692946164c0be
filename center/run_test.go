package center_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestRunDoesWhatNobodyAsksFor has a center run for half an hour, and for another one when the
// events are older than they are kept.
func TestRunDoesWhatNobodyAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ctx := centertest.New(t, "http://127.0.0.1"), t.Context()
		var ahead atomic.Int64
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		looked := 0
		c.RefreshMetadata = func(context.Context) error { looked++; return nil }
		stranger := audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}
		for range 8 { // five events, and one for the rest when the minute is over
			_ = c.Refuse(ctx, stranger, "ListUsers", "", &refusal.Error{Code: center.NotAllowed})
		}
		for _, x := range []struct {
			ahead          time.Duration
			events, looked int
		}{{0, 6, 3}, {400 * 24 * time.Hour, 0, 6}} {
			running, stop := context.WithCancel(ctx)
			go c.Run(running)
			time.Sleep(time.Minute) // of the test's own clock; one that is ahead at the start is doubted
			ahead.Store(int64(x.ahead))
			time.Sleep(28 * time.Minute)
			stop()
			synctest.Wait() // for Run to have ended
			if events, err := c.Events(ctx, center.EventQuery{}); err != nil || len(events) != x.events ||
				looked != x.looked {
				t.Errorf(
					"%s ahead: %d events, %v, looked %d times; want %d and %d",
					x.ahead, len(events), err, looked, x.events, x.looked,
				)
			}
		}
	})
}
