package web

import (
	"context"
	"sync"
	"time"
)

// requestContext is a request's context: what the middleware knows of it, and a deadline whose
// timer is made only when something waits for it, which most requests never do.
type requestContext struct {
	context.Context //nolint:containedctx // it is a context
	info            Info
	deadline        time.Time
	named           named // of the middleware's goroutine and the handler's, which are one
	traced          Followed
	cookie          string // with the trace of the page before

	mu     sync.Mutex
	timed  context.Context //nolint:containedctx // nil until something waits
	cancel context.CancelFunc
	ended  bool
}

// Deadline implements context.Context.
func (c *requestContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.Context, c.deadline)
		if c.ended {
			c.cancel()
		}
	}
	return c.timed.Done()
}

// Err implements context.Context.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.timed != nil:
		return c.timed.Err()
	case c.Context.Err() != nil:
		return c.Context.Err()
	case c.ended:
		return context.Canceled
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	switch key.(type) {
	case infoKey:
		return c.info
	case namedKey:
		return &c.named
	}
	return c.Context.Value(key)
}

// end cancels the context.
func (c *requestContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}
