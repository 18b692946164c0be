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
	refs  map[Ref]bool
	there map[Ref]bool // by kind and id at the target
	err   *TooManyDeletesError
	// lone says that the cycle does nothing but to disable and delete whom an earlier one has let
	// through.
	lone bool
}

// holdBack has the cycle leave objects alone, and says so of each. Those who have no link have one
// of those that they would get.
func (c *cycle) holdBack(ctx context.Context, held []candidate, would map[Ref]Link) error {
	out := excess{refs: refsOf(held), there: map[Ref]bool{}}
	out.err = &TooManyDeletesError{len(held), c.MaxDeletions}
	for _, o := range held {
		link, unlinked := would[o.Ref]
		if !unlinked {
			var err error
			if link, err = c.Memory.Link(ctx, o.Ref); err != nil {
				return err
			}
		}
		out.there[Ref{o.Kind, link.TargetID}] = true
		if c.HeldBack && (link.Staged || unlinked) { // nothing is remembered of those
			continue
		}
		link.Staged = true
		e := c.entry(
			o, link.TargetID,
			step{action: StagedDelete, reason: "held back: the cycle would disable or delete too many objects"}, nil,
			0,
		)
		c.tell(e)
		keep := func() error { return c.keep(ctx, link, e) }
		if unlinked { // there may be one that is linked to nothing
			keep = func() error { return c.keepEntry(ctx, o.Ref, e) }
		}
		if err := keep(); err != nil {
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
	if len(c.excess.there) == 0 {
		return ids
	}
	for _, id := range ids {
		if !c.excess.there[Ref{User, id}] {
			list = append(list, id)
		}
	}
	return list
}

// doubtfulHeld are those who are held back, of whom nobody knows whether they are members of a
// group: to find out would be to change it. So they stay in doubt, and for them alone the group is
// not looked at once more.
func (c *cycle) doubtfulHeld(d *Doubt) (ids []string) {
	if d == nil {
		return nil
	}
	return without(d.Members, c.freeMembers(d.Members))
}

// holdsThere says whether what is held back has an id at the target.
func (c *cycle) holdsThere(kind Kind, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.excess.there[Ref{kind, id}]
}

// hasToWait says whether an object that is to be tried again has to wait for those who are held
// back.
func (c *cycle) hasToWait(ctx context.Context, f Failing) (bool, error) {
	switch {
	case c.tooManyDeletes() == nil:
		return false, nil
	case c.holdsBack(f.Ref) || (c.excess.lone && !f.Counted):
		return true, nil
	case f.Kind == User:
		return false, nil
	}
	link, err := c.Memory.Link(ctx, f.Ref)
	if errors.Is(err, ErrUnknown) {
		return false, nil
	}
	only := link.Failure == "" && link.Tries == 0 && link.Doubt != nil && !link.Doubt.Looked
	return only && len(c.doubtfulHeld(link.Doubt)) > 0, err
}

// inherited are those whom a cycle holds back, for one beside it.
func (c *cycle) inherited() excess {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.excess
	x.refs, x.there = maps.Clone(x.refs), maps.Clone(x.there)
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
