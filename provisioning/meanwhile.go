package provisioning

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// lookMeanwhile is how often a cycle looks whether somebody is to lose access since it began.
const lookMeanwhile = 2 * time.Second //bound:none how often, not how much

// turns say who works on what, where two do: the cycle, and what it does meanwhile.
type turns struct {
	mu    sync.Mutex
	busy  map[Ref]bool
	taken map[Ref]bool      // what the cycle knows of them is not the last word: the next one has their turn
	again map[Ref]time.Time // when those are tried again who were to lose access, and failed
}

// begin says whether an object may be worked on by the cycle. t may be nil.
func (t *turns) begin(ref Ref) bool {
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken[ref] || t.busy[ref] {
		return false
	}
	t.busy[ref] = true
	return true
}

func (t *turns) end(ref Ref) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, ref)
}

// take takes an object from the cycle, unless that is just working on it.
func (t *turns) take(ref Ref) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[ref] {
		return false
	}
	t.taken[ref] = true
	return true
}

// failed notes when an object is tried again that was to lose access. t may be nil.
func (t *turns) failed(ref Ref, at time.Time) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.again[ref] = at
}

// fail is how many of some objects have failed and are tried again.
func (t *turns) fail(refs []Ref) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ref := range refs {
		if _, fails := t.again[ref]; fails {
			n++
		}
	}
	return n
}

// tryMeanwhile has a cycle take access away from an object once more, if it lasts for so long.
func (c *cycle) tryMeanwhile(link Link) {
	t := c.turns
	if c.main != nil {
		t = c.main.turns
	}
	t.failed(link.Ref, link.RetryAt)
}

// due takes out of those who failed whoever is to be tried again by now.
func (t *turns) due(now time.Time) map[Ref]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	due := map[Ref]bool{}
	for ref, at := range t.again {
		if !now.Before(at) {
			due[ref] = true
			delete(t.again, ref)
		}
	}
	return due
}

// meanwhile takes away access from whoever is to lose it since the cycle has read the source, until
// end is called: a cycle may last long, and a leaver does not wait for its end. All else does, and
// the next cycle looks at everybody again.
func (c *cycle) meanwhile(ctx context.Context, read Changes) (end func()) {
	if c.DryRun {
		return func() {}
	}
	members := map[Ref][]string{}
	for _, g := range read.Groups {
		members[g.Ref] = g.Members
	}
	c.turns = &turns{busy: map[Ref]bool{}, taken: map[Ref]bool{}, again: map[Ref]time.Time{}}
	each := lookMeanwhile
	if c.look > 0 {
		each = c.look
	}
	over := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for since := read.Watermark; ; {
			select {
			case <-time.After(each):
			case <-over:
				return
			case <-ctx.Done():
				return
			}
			// what fails, fails for the cycle too, which says so
			if seen, err := c.takeAccess(ctx, since, members); err == nil {
				since = seen
			}
		}
	})
	return func() {
		close(over)
		looking.Wait()
	}
}

// takeAccess disables and deletes whoever is to lose access since a watermark, and removes members.
// Nor does the cycle give such access any more: members are those of the groups that it has read.
// It returns up to where that is done.
func (c *cycle) takeAccess(
	ctx context.Context, since string, members map[Ref][]string,
) (seen string, err error) {
	now := c.Now()
	due := c.turns.due(now)
	defer func() {
		for ref := range due { // it was not their turn
			c.turns.failed(ref, now)
		}
	}()
	changes, err := c.Source.Changes(ctx, since, slices.Collect(maps.Keys(due)))
	if err != nil || (changes.Watermark == since && len(due) == 0) {
		return since, err
	}
	x := c.beside()
	users, e1 := x.evaluate(ctx, changes.Users)
	groups, e2 := x.evaluate(ctx, changes.Groups)
	if err := errors.Join(e1, e2); err != nil {
		return since, err
	}
	leaving, uncounted, unwanted, err := x.losing(ctx, users, groups)
	if err != nil {
		return since, err
	}
	fewer := only(x.withMembers(groups), func(g candidate) bool { return len(without(members[g.Ref], g.Members)) > 0 })
	maps.DeleteFunc(due, func(ref Ref, _ bool) bool { // who is to have access again
		return !slices.ContainsFunc(leaving, func(o candidate) bool { return o.Ref == ref })
	})
	if n := len(uncounted); n > 0 && c.tooMany(c.passed()+n) { // the next cycle weighs those
		leaving, fewer = leftOut(leaving, uncounted), nil
	}
	seen = changes.Watermark
	var tried []Ref // once more
	free := func(o candidate) bool {
		ok := c.turns.take(o.Ref)
		switch {
		case !ok: // it is its turn another time
			seen = since
		case due[o.Ref]:
			delete(due, o.Ref)
			tried = append(tried, o.Ref)
		}
		return ok
	}
	leaving, fewer = only(leaving, free), only(fewer, free)
	only(unwanted, free)
	if err := c.letThrough(ctx, among(uncounted, leaving)); err != nil {
		return since, err
	}
	err = errors.Join(x.removals(ctx, leaving, fewer), x.end(ctx))
	x.result.Failed -= c.turns.fail(tried) // they are in the result already
	c.add(x)
	return seen, err
}

// losing are those at the target, or perhaps there, who are to lose access; who of them was not let
// through yet to be disabled or deleted; and those who are not there and are not to come.
func (c *cycle) losing(
	ctx context.Context, lists ...[]candidate,
) (leaving, uncounted, unwanted []candidate, err error) {
	for _, list := range lists {
		for _, o := range list {
			link, err := c.Memory.Link(ctx, o.Ref)
			if err != nil && !errors.Is(err, ErrUnknown) {
				return nil, nil, nil, err
			}
			switch action := c.plan(o, link).action; {
			case action == Disable || action == Delete:
				if !link.Counted {
					uncounted = append(uncounted, o)
				}
				leaving = append(leaving, o)
			case o.leaves() && link.Doubt.open(c.Now()):
				leaving = append(leaving, o)
			case o.leaves():
				unwanted = append(unwanted, o)
			}
		}
	}
	return leaving, uncounted, unwanted, nil
}

// beside is a cycle of its own, which belongs to this one.
func (c *cycle) beside() *cycle {
	x := c.cycle(false)
	own := *x.Engine
	own.Reread, own.Progress = false, nil
	x.Engine, x.main = &own, c
	x.result.Cycle = c.result.Cycle
	x.pace, x.batches = c.pace, c.batches
	x.door, x.searches = c.door, c.searches
	x.excess = c.inherited()
	return x
}

// add adds to a cycle what was done beside it.
func (c *cycle) add(x *cycle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result.Disabled += x.result.Disabled
	c.result.Deleted += x.result.Deleted
	c.result.Updated += x.result.Updated
	c.result.Failed += x.result.Failed
	if x.result.Silent != nil {
		c.fell(x.result.Silent, x.result.SilentAt)
	}
}
