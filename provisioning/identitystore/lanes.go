package identitystore

import (
	"context"
	"sync"

	"golang.org/x/time/rate"
)

// lanes keep the requests of each operation to a rate.
type lanes struct {
	perSecond float64 // 0: any
	mu        sync.Mutex
	of        map[string]*rate.Limiter
}

func newLanes(perSecond float64) *lanes {
	return &lanes{perSecond: perSecond, of: map[string]*rate.Limiter{}}
}

// enter waits until a request of an operation may be sent.
func (l *lanes) enter(ctx context.Context, operation string) error {
	if l.perSecond <= 0 {
		return context.Cause(ctx)
	}
	l.mu.Lock()
	lane := l.of[operation]
	if lane == nil {
		lane = rate.NewLimiter(rate.Limit(l.perSecond), 1)
		l.of[operation] = lane
	}
	l.mu.Unlock()
	if err := lane.Wait(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	return nil
}
