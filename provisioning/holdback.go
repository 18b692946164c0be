package provisioning

import (
	"context"
	"errors"
	"maps"
)

// A cycle that would disable or delete too many objects holds them back, and does all else. Whoever
// is held back stays as they are at the target, with their memberships and their names: what is
// wrong at the source may be put right there.

// excess are the objects that a cycle holds back.
type excess struct {
	refs map[Ref]bool
	ids  map[string]bool // of users, at the target
	err  *TooManyDeletesError
	// lone says that the cycle does nothing but to disable and delete whom an earlier one has let
	// through.
	lone bool
}

// holdBack has the cycle leave objects alone, and says so of each.
func (c *cycle) holdBack(ctx context.Context, held []candidate) error {
	out := excess{refs: refsOf(held), ids: map[string]bool{}}
	out.err = &TooManyDeletesError{len(held), c.MaxDeletions}
	for _, o := range held {
		link, err := c.Memory.Link(ctx, o.Ref)
		if err != nil {
			return err
		}
		if o.Kind == User {
			out.ids[link.TargetID] = true
		}
		if c.HeldBack {
			continue
		}
		e := c.entry(
			o, link.TargetID,
			step{action: StagedDelete, reason: "held back: the cycle would disable or delete too many objects"}, nil,
			0,
		)
		c.tell(e)
		if err := c.keep(ctx, link, e); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.excess = out
	c.weighed += len(held) // nor may anybody go meanwhile
	return nil
}

// tooManyDeletes is why somebody is held back; nil: nobody is.
func (c *cycle) tooManyDeletes() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.excess.err == nil {
		return nil
	}
	return c.excess.err
}

// holdsBack says whether an object is held back.
func (c *cycle) holdsBack(ref Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.excess.refs[ref]
}

// free is a list without those who are held back.
func (c *cycle) free(list []candidate) []candidate {
	return only(list, func(o candidate) bool { return !c.holdsBack(o.Ref) })
}

// freeMembers are those of some members, by their ids at the target, who are not held back.
func (c *cycle) freeMembers(ids []string) (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.excess.ids) == 0 {
		return ids
	}
	for _, id := range ids {
		if !c.excess.ids[id] {
			list = append(list, id)
		}
	}
	return list
}

// waitsWith says whether a group waits with one who is held back: whether that one is a member
// there, nobody knows, and to find out would be to change it.
func (c *cycle) waitsWith(link Link) bool {
	doubtful := membersOf(link.Doubt, c.Now())
	if len(c.freeMembers(doubtful)) == len(doubtful) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.excess.refs[link.Ref] = true
	return true
}

// inherited are those whom a cycle holds back, for one beside it.
func (c *cycle) inherited() excess {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.excess
	x.refs, x.ids = maps.Clone(x.refs), maps.Clone(x.ids)
	return x
}

// retried disables and deletes whom an earlier cycle has let through, and does nothing else: the
// target is still to be compared, and until then only loses access.
func (c *cycle) retried(ctx context.Context, leaving []candidate) error {
	c.mu.Lock()
	c.excess.lone = true
	c.mu.Unlock()
	if len(leaving) == 0 {
		return nil
	}
	if err := c.test(ctx); err != nil {
		return err
	}
	c.total = len(leaving)
	return c.removals(ctx, leaving, nil)
}

// untried sets a time for those who were let through, and of whom nothing says that they have
// failed: a cycle that holds others back did not come to them, and the next one may otherwise be
// hours away.
func (c *cycle) untried(ctx context.Context, leaving []candidate) error {
	if c.tooManyDeletes() == nil {
		return nil
	}
	last, cancel := afterwards(ctx)
	defer cancel()
	for _, o := range leaving {
		link, err := c.Memory.Link(last, o.Ref)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		if link.Counted && link.Failure == "" {
			c.result.RetryAt = c.Now().Add(firstPause)
			return nil
		}
	}
	return nil
}
