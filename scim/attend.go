package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// A request may wait on a connection that is dead, or at a node that is, without anybody saying so,
// while the service answers everybody else. Whoever leaves would keep access for as long as a
// request may wait. So one that has waited for long asks whether the service answers others, and is
// given up when it does: its outcome is not known, and it is sent again.
const (
	//bound:wait an answer of a SCIM target, before it is asked whether it answers others
	firstPatience = 5 * time.Second
	maxPatience   = time.Minute     //bound:none the longest that this grows to
	askEach       = 2 * time.Second //bound:none how often, not how much
	askPatience   = 3 * time.Second //bound:wait the answer to that question
	// A service that is slow at what it does, and quick to answer the question, is waited for twice
	// as long each time, and for less again after this.
	patient = 10 * time.Minute //bound:none how long that lasts
)

// errLost ends a request that the service seems not to have, or not to answer.
var errLost = errors.New("there is no answer, while the service answers other requests: the connection may be dead")

// attention is what a client knows of answers that do not come.
type attention struct {
	asking sync.Mutex // one at a time
	asked  time.Time  // when that was last done; guarded by asking

	mu       sync.Mutex
	answered time.Time     // when the service last answered the question
	lost     time.Time     // when a request was last given up
	patience time.Duration // for the next; zero: the first one
}

// attend has a request given up when it waits on what is dead. The context that it returns is for
// this request, and ends with errLost.
func (c *Client) attend(ctx context.Context) (attended context.Context, end func()) {
	attended, give := context.WithCancelCause(ctx)
	began := time.Now()
	patience := c.attention.patienceAt(began)
	watch := time.AfterFunc(patience, func() {
		if c.answersOthers(attended, began.Add(patience)) {
			c.attention.losesOne(began)
			give(errLost)
		}
	})
	return attended, func() {
		watch.Stop()
		give(nil)
	}
}

// answersOthers waits until the service has answered something that it was asked after a time, or
// ctx is done.
func (c *Client) answersOthers(ctx context.Context, after time.Time) bool {
	for {
		if err := c.ask(ctx, after); err != nil {
			return false
		}
		c.attention.mu.Lock()
		answers := !c.attention.answered.Before(after)
		c.attention.mu.Unlock()
		if answers {
			return ctx.Err() == nil
		}
		select {
		case <-time.After(askEach):
		case <-ctx.Done():
			return false
		}
	}
}

// ask asks a service what needs no work, on another connection, unless somebody has just done so.
func (c *Client) ask(ctx context.Context, after time.Time) error {
	a := &c.attention
	a.asking.Lock()
	defer a.asking.Unlock()
	if time.Since(a.asked) < askEach && !a.asked.Before(after) {
		return ctx.Err()
	}
	c.client().CloseIdleConnections() // they may be as dead
	asking, end := context.WithTimeout(ctx, askPatience)
	defer end()
	a.asked = time.Now()
	_, err := c.send(asking, http.MethodGet, "/ServiceProviderConfig", nil, nil, nil)
	if heard := new(Problem); err == nil || errors.As(err, &heard) && heard.Status/100 == 4 && !heard.Foreign {
		a.mu.Lock()
		a.answered = a.asked
		a.mu.Unlock()
	}
	return ctx.Err()
}

func (a *attention) patienceAt(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.patience == 0 || now.Sub(a.lost) > patient {
		a.patience = firstPatience
	}
	return a.patience
}

// losesOne notes that a request is given up. Those that were under way together count as one.
func (a *attention) losesOne(began time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if began.After(a.lost) {
		a.patience = min(2*a.patience, maxPatience)
	}
	a.lost = time.Now()
}

// lost makes of the error of a request that was given up one that says so.
func lost(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errLost) {
		return fmt.Errorf("wait for the SCIM endpoint: %w", errLost)
	}
	return err
}
