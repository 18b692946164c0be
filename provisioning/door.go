package provisioning

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// door is what a cycle knows of whether the target lets it in.
type door struct {
	mu     sync.Mutex
	tested bool // it did when the cycle began
	shut   int  // requests that it has forbidden since it carried one out, of objects that had not failed
}

// maxForbidden is how many requests a target may forbid, one after the other, before that is taken
// for a refusal of the credentials: a token may be good for reading only.
const maxForbidden = 10 //bound:depth requests that a target forbids, before a cycle ends

// test is Test in a cycle.
func (c *cycle) test(ctx context.Context) error {
	err := c.retry(ctx, func() error { return Test(ctx, c.Target, c.NewID()) })
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	c.door.tested = err == nil
	return err
}

// accepted notes that the target has carried out what was asked for.
func (c *cycle) accepted() {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	c.door.shut = 0
}

// failedBefore is in the context of requests about an object whose last attempt failed. What it is
// forbidden once more says nothing of the credentials: ten people whom a service protects would
// keep all others waiting for ever.
type failedBefore struct{}

func remembering(ctx context.Context, link *Link) context.Context {
	if link.Failure == "" {
		return ctx
	}
	return context.WithValue(ctx, failedBefore{}, true)
}

// refusal says whether an answer is about the credentials, and so about everybody, or about one
// object: a service may protect its owner, or a firewall dislike a name. A target that has let the
// cycle in, and does so once more, has forbidden that one request only.
func (c *cycle) refusal(ctx context.Context, err error) error {
	p := new(scim.Problem)
	if known := new(CredentialsError); errors.As(err, &known) || !errors.As(err, &p) ||
		p.Status != http.StatusForbidden {
		return credentials(err)
	}
	c.door.mu.Lock()
	defer c.door.mu.Unlock() // one asks at a time
	if ctx.Value(failedBefore{}) == nil {
		c.door.shut++
	}
	if !c.door.tested || c.door.shut >= maxForbidden {
		return credentials(err)
	}
	if enter := c.pace.enter(ctx); enter != nil {
		return enter
	}
	began := time.Now()
	again := Test(ctx, c.Target, c.NewID())
	c.pace.leave(began, again)
	if stop := stops(again); stop != nil {
		return stop
	}
	return err
}
