package scim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Patience is how long a client waits for a service before it asks whether the service answers
// others. The zero value is ready; all clients of a service may share it, and should, since it
// learns how slow the service is.
//
// A request may wait on a connection that is dead, or at a node that is, without anybody saying so,
// while the service answers everybody else. Whoever leaves would keep access for as long as a
// request may wait. So one that has waited for long asks whether the service answers others, and is
// given up when it does: its outcome is not known.
type Patience struct {
	asking sync.Mutex // one at a time
	asked  time.Time  // when that was last done; guarded by asking

	mu       sync.Mutex
	answered time.Time     // when the service last answered the question
	grown    time.Time     // when lasts was last seen to be needed
	lasts    time.Duration // for the next request; zero: firstPatience
}

const (
	//bound:wait an answer of a SCIM target, before it is asked whether it answers others
	firstPatience = 5 * time.Second
	maxPatience   = time.Minute     //bound:none the longest that this grows to
	askEach       = 2 * time.Second //bound:none how often, not how much
	askPatience   = 3 * time.Second //bound:wait the answer to that question
	// A service that is slow at what it does, and quick to answer the question, is waited for twice
	// as long each time, and for twice as long as its slowest answer.
	patient = 10 * time.Minute //bound:none how long that is remembered
)

// ErrLost is in the error of a request that was given up, since the service answers others.
var ErrLost = errors.New("there is no answer, while the service answers other requests: the connection may be dead")

// attend has a request given up when it waits on what is dead. The context that it returns is for
// this request, and ends with ErrLost; alive is to be called when something of an answer arrives.
//
// A creation is waited for: the service may be at it still, and would make another one.
func (c *Client) attend(
	ctx context.Context, method string,
) (attended context.Context, alive func(), end func()) {
	if c.Patience == nil || method == http.MethodPost {
		return ctx, func() {}, func() {}
	}
	attended, give := context.WithCancelCause(ctx)
	began := time.Now()
	lasts := c.Patience.at(began)
	var heard atomic.Pointer[time.Time]
	heard.Store(&began)
	watch := time.AfterFunc(lasts, func() {
		if c.isLost(attended, &heard, lasts) {
			c.Patience.grow(began, 2*lasts)
			give(ErrLost)
		}
	})
	alive = func() {
		now := time.Now()
		heard.Store(&now)
	}
	return attended, alive, func() {
		watch.Stop()
		give(nil)
		c.Patience.grow(began, 2*heard.Load().Sub(began)) // as slow as it was
	}
}

// isLost waits until nothing has been heard for as long as patience lasts, though the service
// answers others, or until ctx is done.
func (c *Client) isLost(ctx context.Context, heard *atomic.Pointer[time.Time], lasts time.Duration) bool {
	for {
		last := heard.Load()
		select {
		case <-time.After(time.Until(last.Add(lasts))):
		case <-ctx.Done():
			return false
		}
		switch {
		case heard.Load() != last:
		case !c.answersOthers(ctx, last.Add(lasts)):
			return false
		case heard.Load() == last:
			return true
		}
	}
}

// answersOthers waits until the service has answered something that it was asked after a time, or
// ctx is done.
func (c *Client) answersOthers(ctx context.Context, after time.Time) bool {
	for {
		if err := c.ask(ctx, after); err != nil {
			return false
		}
		c.Patience.mu.Lock()
		answers := !c.Patience.answered.Before(after)
		c.Patience.mu.Unlock()
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
	p := c.Patience
	p.asking.Lock()
	defer p.asking.Unlock()
	if time.Since(p.asked) < askEach && !p.asked.Before(after) {
		return ctx.Err()
	}
	c.client().CloseIdleConnections() // they may be as dead
	asking, end := context.WithTimeout(ctx, askPatience)
	defer end()
	p.asked = time.Now()
	plain := &Client{BaseURL: c.BaseURL, Token: c.Token, HTTP: c.HTTP}
	err := plain.Do(asking, http.MethodGet, "/ServiceProviderConfig", nil, nil, nil)
	if heard := new(Problem); err == nil || errors.As(err, &heard) && heard.Status/100 == 4 && !heard.Foreign {
		p.mu.Lock()
		p.answered = p.asked
		p.mu.Unlock()
	}
	return ctx.Err()
}

// at is how long a request that begins at a time waits.
func (p *Patience) at(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lasts == 0 || now.Sub(p.grown) > patient {
		p.lasts = firstPatience
	}
	return p.lasts
}

// grow has the next requests wait for longer. Those that were under way together count as one.
func (p *Patience) grow(began time.Time, lasts time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if lasts > firstPatience && !began.Before(p.grown) {
		p.lasts = min(max(p.lasts, lasts), maxPatience)
		p.grown = time.Now()
	}
}

// lost makes of the error of a request that was given up one that says so.
func lost(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), ErrLost) {
		return fmt.Errorf("wait for the SCIM endpoint: %w", ErrLost)
	}
	return err
}

// listened is what is read, with each arrival told.
type listened struct {
	io.Reader
	alive func()
}

func (l listened) Read(data []byte) (int, error) {
	n, err := l.Reader.Read(data)
	l.alive()
	return n, err
}
