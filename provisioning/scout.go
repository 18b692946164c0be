package provisioning

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// ScoutEach is how often a scout is sent to a target that takes no changes.
const ScoutEach = 3 * time.Second //bound:none how often, not how much

// maxScouted is how many objects that failed are looked through for one that is to lose access.
const maxScouted = 100 //bound:list failed objects that are looked through for a scout

// Scout takes away the access of one of those who are to lose it, or one of their memberships: a
// target that answers whatever it is asked may take no changes, and only a change shows when it
// does again. It is sent once. taken is whether the target has carried something out; err is why it
// has failed in a way that may pass. One who is refused says nothing of others.
func (e *Engine) Scout(ctx context.Context) (taken bool, err error) {
	own := *e
	own.Reread, own.Only = false, RemovalsOnly
	c := own.cycle(false)
	c.scouts = true
	one, err := c.scout(ctx)
	if err != nil || len(one) == 0 {
		return false, err
	}
	if err = c.test(ctx); err == nil {
		err = c.removals(ctx, only(one, candidate.leaves), only(one, func(o candidate) bool { return !o.leaves() }))
	}
	err = errors.Join(cmp.Or(err, c.result.Silent), c.end(ctx))
	return c.door.takes && err == nil, err
}

// scout is one who is to lose access: of those who have failed in a way that may pass, first those
// who were let through to be disabled or deleted; or of those who have changed. Who is refused is
// tried by the cycles only.
func (c *cycle) scout(ctx context.Context) ([]candidate, error) {
	failing, err := c.Memory.Failed(ctx)
	if err != nil {
		return nil, err
	}
	now := c.Now()
	refused := map[Ref]bool{}
	failing = slices.DeleteFunc(failing, func(f Failing) bool {
		waits, forGood := !f.Now && f.RetryAt.After(now), len(f.Wants) > 0
		if waits && forGood && (f.Counted || f.Kind == Group) {
			refused[f.Ref] = true
		}
		return waits || forGood || c.Mappings.of(f.Kind) == nil
	})
	// #nosec G404 -- whose turn it is is no secret
	rand.Shuffle(len(failing), func(i, k int) { failing[i], failing[k] = failing[k], failing[i] })
	slices.SortStableFunc(failing, func(a, b Failing) int {
		switch {
		case a.Counted == b.Counted:
			return 0
		case a.Counted:
			return -1
		}
		return 1
	})
	for _, f := range failing[:min(len(failing), maxScouted)] {
		loses, err := c.loses(ctx, f.Ref)
		if err != nil {
			return nil, err
		}
		if loses {
			o, err := c.Source.Object(ctx, f.Ref)
			if err != nil {
				return nil, err
			}
			return c.evaluate(ctx, []Object{o})
		}
	}
	return c.newScout(ctx, refused)
}

// newScout is one of those who have changed since the last cycle, and are to lose access, and whom
// the target has not refused that.
func (c *cycle) newScout(ctx context.Context, refused map[Ref]bool) ([]candidate, error) {
	watermark, err := c.Memory.Watermark(ctx)
	if err != nil || watermark == "" { // everybody is not looked at for that
		return nil, err
	}
	changes, err := c.Source.Changes(ctx, watermark, nil)
	if err != nil {
		return nil, err
	}
	users, e1 := c.evaluate(ctx, changes.Users)
	groups, e2 := c.evaluate(ctx, changes.Groups)
	leaving, uncounted, _, e3 := c.losing(ctx, users, groups)
	if err := errors.Join(e1, e2, e3); err != nil {
		return nil, err
	}
	may := func(o candidate) bool { return !refused[o.Ref] }
	leaving, groups = only(leaving, may), only(groups, may)
	if c.tooMany(len(uncounted)) { // the next cycle weighs those
		leaving = leftOut(leaving, uncounted)
	}
	if len(leaving) > 0 {
		one := leaving[:1]
		return one, c.letThrough(ctx, among(uncounted, one))
	}
	for _, g := range c.withMembers(groups) {
		if _, ok, err := c.planRemovals(ctx, g); err != nil || ok {
			return []candidate{g}, err
		}
	}
	return nil, nil
}

// told are the entries that are told: that a scout has failed is no news, every few seconds, unless
// it is refused.
func (c *cycle) told(entries []Entry) []Entry {
	c.mu.Lock()
	failed := c.scouts && c.result.Silent != nil
	c.mu.Unlock()
	if !failed {
		return entries
	}
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.Outcome == Failure })
}
