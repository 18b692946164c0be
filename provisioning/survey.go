package provisioning

import (
	"context"
	"errors"
)

// survey is what a cycle is up to, before anything is sent.
type survey struct {
	leaving  []candidate // who is to lose access: to be disabled or deleted, or in doubt and no longer wanted
	wanted   map[Kind]wantedValues
	unlinked map[Kind]int
}

// survey looks at all objects. When more would be disabled or deleted than may be, it holds them
// back; then those leave whom an earlier cycle has let through.
func (c *cycle) survey(ctx context.Context, lists ...[]candidate) (s survey, err error) {
	s.wanted, s.unlinked = map[Kind]wantedValues{User: {}, Group: {}}, map[Kind]int{}
	var uncounted []candidate
	for _, list := range lists {
		for _, o := range list {
			link, err := c.Memory.Link(ctx, o.Ref)
			if err != nil && !errors.Is(err, ErrUnknown) {
				return s, err
			}
			action := c.plan(o, link).action
			doubtful := link.Doubt.open(c.Now()) && o.leaves()
			ends := action == Disable || action == Delete
			if ends || doubtful {
				s.leaving = append(s.leaving, o)
			}
			switch {
			case ends && !link.Counted:
				uncounted = append(uncounted, o)
			case !ends && (link.Counted || link.Staged): // if it is to go once more, it counts once more
				link.Counted, link.Staged = false, false
				if err := c.keep(ctx, link); err != nil {
					return s, err
				}
			}
			if action != Create && !c.Reread { // one that has gone from the target is matched again
				continue
			}
			s.unlinked[o.Kind]++
			for _, attribute := range o.keys() {
				if s.wanted[o.Kind][attribute] == nil {
					s.wanted[o.Kind][attribute] = map[string]bool{}
				}
				s.wanted[o.Kind][attribute][fold(o.creating[attribute])] = true
			}
		}
	}
	if c.tooMany(len(uncounted)) {
		s.leaving = leftOut(s.leaving, uncounted)
		return s, c.holdBack(ctx, uncounted, nil)
	}
	return s, c.letThrough(ctx, uncounted)
}

// tooMany says whether a cycle may not disable or delete so many objects that it has not let
// through before.
func (c *cycle) tooMany(objects int) bool {
	return c.MaxDeletions > 0 && !c.AllowDeletions && objects > c.MaxDeletions
}

// passed is how many objects this cycle has let through so far.
func (c *cycle) passed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.weighed
}

// letThrough notes which objects this cycle may disable or delete, before it does. They do not
// count again, however often that fails and whatever dies meanwhile: a few leavers each day of an
// outage are not too many at its end.
func (c *cycle) letThrough(ctx context.Context, objects []candidate) error {
	c.mu.Lock()
	c.weighed += len(objects)
	c.mu.Unlock()
	if c.MaxDeletions == 0 { // then a failure notes it
		return nil
	}
	return each(ctx, c.workers(), objects, func(ctx context.Context, o candidate) error {
		link, err := c.Memory.Link(ctx, o.Ref)
		if err != nil {
			return err
		}
		link.Counted, link.Staged = true, false
		return c.keep(ctx, link)
	})
}

// removals takes away access before anything else is done: people are disabled or deleted, groups
// deleted, and members removed.
func (c *cycle) removals(ctx context.Context, leaving, groups []candidate) error {
	for _, kind := range []Kind{User, Group} {
		if err := c.provisionAll(ctx, only(leaving, func(o candidate) bool { return o.Kind == kind })); err != nil {
			return err
		}
	}
	return announced(ctx, c, c.workers(), c.withMembers(groups), c.planRemovals, c.removeMembers)
}

func only(list []candidate, which func(candidate) bool) (out []candidate) {
	for _, o := range list {
		if which(o) {
			out = append(out, o)
		}
	}
	return out
}

// withoutLeaving leaves out those whose access was taken away, unless everything is compared.
func (c *cycle) withoutLeaving(list, leaving []candidate) []candidate {
	if c.Reread {
		return list
	}
	return leftOut(list, leaving)
}

// leftOut is a list without some of its objects.
func leftOut(list, without []candidate) []candidate {
	out := refsOf(without)
	return only(list, func(o candidate) bool { return !out[o.Ref] })
}

// among is those objects of a list that are in another one.
func among(list, other []candidate) []candidate {
	in := refsOf(other)
	return only(list, func(o candidate) bool { return in[o.Ref] })
}

func refsOf(list []candidate) map[Ref]bool {
	refs := map[Ref]bool{}
	for _, o := range list {
		refs[o.Ref] = true
	}
	return refs
}
