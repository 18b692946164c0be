package provisioning

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// provision brings one object into line, and remembers and logs how it went.
func (c *cycle) provision(ctx context.Context, o candidate) error {
	began := time.Now()
	link, err := c.Memory.Link(ctx, o.Ref)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	known, manager := err == nil, link.Manager
	link.Ref = o.Ref
	failedBefore, linkedBefore := link.Failure != "", link.TargetID != ""
	refreshed := c.reread(&link, o)
	done, err := c.carryOut(ctx, o, &link, c.plan(o, link))
	if stop := stops(err); stop != nil {
		return stop
	}
	if c.postpone(o, err) {
		return nil
	}
	c.judge(&link, err)
	link.Manager = o.Manager
	entry := c.entry(o, link.TargetID, done, err, time.Since(began))
	c.tell(entry)
	c.note(o, link)
	c.report(1)
	switch {
	case err == nil && !known && link.TargetID == "" && done.code == "":
		// A memory of everybody who is not in scope would be as large as the source.
		return nil // never seen, and not to be seen
	case err == nil && (done.action == Delete || link.TargetID == ""):
		return c.Memory.Forget(ctx, o.Ref, entry)
	case err == nil && done.action == Other && !failedBefore && linkedBefore && done.code == "" && !refreshed &&
		manager == o.Manager:
		return nil // nothing has changed
	}
	return c.Memory.Keep(ctx, link, entry)
}

// note remembers what an object at the target is called, for the log, and whether there is a
// manager to be sent or removed.
func (c *cycle) note(o candidate, link Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if link.TargetID == "" {
		return
	}
	c.names[link.TargetID] = o.Name
	if o.Manager != "" || link.Sent[managerPath] != "" {
		c.managed[o.Ref] = true
	}
}

func (c *cycle) named(ids []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, len(ids))
	for i, id := range ids {
		if names[i] = c.names[id]; names[i] == "" {
			names[i] = id
		}
	}
	return names
}

// postpone puts an object aside whose name somebody else has for now.
func (c *cycle) postpone(o candidate, err error) bool {
	var p *scim.Problem
	var t *taken
	conflict := errors.As(err, &t) || (errors.As(err, &p) && p.Status == http.StatusConflict)
	if !c.putOff || !conflict {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conflicts = append(c.conflicts, o)
	return true
}

// judge notes in a link how an attempt went, and when the next one is due.
func (c *cycle) judge(link *Link, err error) {
	if err == nil {
		link.Failure = ""
		link.Tries = 0
		link.RetryAt = time.Time{}
		return
	}
	link.Failure, link.Tries = err.Error(), link.Tries+1
	link.RetryAt = c.Now().Add(Pause(link.Tries, err))
	if MayPass(err) {
		c.mu.Lock()
		c.result.Silent = err
		c.mu.Unlock()
	}
}

// stops returns the errors that end the cycle: no more credentials, no more answers, or told to
// stop.
func stops(err error) error {
	var refused *CredentialsError
	var none *silence
	if errors.As(err, &refused) || errors.As(err, &none) || errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// carryOut sends what the plan says and returns what was really done: a planned creation may turn
// out to be an update.
func (c *cycle) carryOut(ctx context.Context, o candidate, link *Link, s step) (step, error) {
	if s.unfit != nil {
		return s, s.unfit
	}
	switch s.action {
	case Create:
		return c.matchOrCreate(ctx, o, link, s)
	case Update, Disable:
		err := c.patch(ctx, o.Kind, link.TargetID, c.Dialect.patch(s.changes)...)
		if isNotFound(err) { // somebody deleted it at the target: match again
			*link = Link{Ref: o.Ref}
			if again := c.plan(o, *link); again.action == Create {
				return c.matchOrCreate(ctx, o, link, again)
			}
			return step{action: Other, reason: "it no longer exists at the target"}, nil
		}
		if err == nil {
			link.Sent = s.sent
		}
		return s, err
	case Delete:
		err := c.send(ctx, func() error { return c.Target.Delete(ctx, o.Kind.path()+"/"+link.TargetID) })
		if isNotFound(err) {
			err = nil
		}
		return s, err
	}
	return s, nil
}

// send sends a request that changes something, unless this is a dry run.
func (c *cycle) send(ctx context.Context, request func() error) error {
	if c.DryRun {
		return context.Cause(ctx)
	}
	return c.retry(ctx, request)
}

func (c *cycle) patch(ctx context.Context, kind Kind, targetID string, ops ...scim.Operation) error {
	return c.send(ctx, func() error { return c.Target.Patch(ctx, kind.path()+"/"+targetID, ops...) })
}

func isNotFound(err error) bool {
	var p *scim.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

// retry sends a request at the target's pace, and again while the target throttles or fails: a few
// times, each after a longer pause.
func (c *cycle) retry(ctx context.Context, send func() error) error {
	wait := 200 * time.Millisecond
	for try, throttled := 1, 1; ; {
		if err := c.pace.enter(ctx); err != nil {
			return err
		}
		began := time.Now()
		err := credentials(send())
		c.pace.leave(began, err)
		var p *scim.Problem
		switch {
		case MayPass(err) && c.pace.silent(err):
			return &silence{err}
		case err == nil || !errors.As(err, &p):
			return err
		case throttles(p) && throttled < maxThrottled: // the pace waits
			throttled++
			continue
		case p.Status < http.StatusInternalServerError || p.Status == http.StatusNotImplemented || try == maxTries:
			return err
		}
		try++
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
