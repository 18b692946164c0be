package center_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestRunDoesWhatNobodyAsksFor has a center run for half an hour, for another one when the events
// are older than they are kept, and for one a day after that: the clock is doubted first.
func TestRunDoesWhatNobodyAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ctx := centertest.New(t, "http://127.0.0.1"), t.Context()
		var ahead time.Duration
		c.Now = func() time.Time { return time.Now().Add(ahead) }
		looked := 0
		c.RefreshMetadata = func(context.Context) error { looked++; return nil }
		stranger := audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}
		for range 8 { // five events, and one for the rest when the minute is over
			_ = c.Refuse(ctx, stranger, "ListUsers", "", &refusal.Error{Code: center.NotAllowed})
		}
		for _, x := range []struct {
			ahead, pause   time.Duration
			events, looked int
		}{{0, 0, 6, 3}, {400 * 24 * time.Hour, 0, 6, 6}, {400 * 24 * time.Hour, 24 * time.Hour, 0, 9}} {
			time.Sleep(x.pause) // of the test's own clock
			ahead = x.ahead
			running, stop := context.WithCancel(ctx)
			go c.Run(running)
			time.Sleep(29 * time.Minute)
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
