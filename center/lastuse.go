package center

import (
	"context"
	"errors"
	"sync"
	"time"
)

// lastUses notes when access tokens and keys were used last. Where that cannot be written, whoever
// has used one is served all the same: reads go on while nothing can be written.
type lastUses struct {
	mu     sync.Mutex
	failed time.Time // when it could not be written; zero: it could
}

const (
	// noteUseAgain is how long nobody tries after a use could not be noted.
	noteUseAgain = 10 * time.Second //bound:none how often, not how much
	// noteUseWait is how long a request waits until its use is noted.
	noteUseWait = 2 * time.Second //bound:wait the note of a last use, where a write does not end
)

// noteUse notes a use. It fails when the token or key is gone, and not when nothing can be written.
func (c *Center) noteUse(ctx context.Context, fn func(Tx) error) error {
	if c.uses.pauses(c.now()) {
		return nil
	}
	noting, cancel := context.WithTimeout(ctx, noteUseWait)
	defer cancel()
	err := c.Store.Update(noting, fn)
	defer c.remembered.forget()
	if !failedStore(err) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	if ctx.Err() == nil { // otherwise whoever asked has gone, and that may be all
		c.uses.pause(c.now())
	}
	c.Log.WarnContext(ctx, "note the last use of an access token or key", "error", err)
	return nil
}

func (u *lastUses) pause(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failed = now
}

func (u *lastUses) pauses(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	since := now.Sub(u.failed)
	return since >= 0 && since < noteUseAgain // a clock that is set back holds nobody up
}
