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

// survey looks at all objects. It fails when more would be disabled or deleted than may be.
func (c *cycle) survey(ctx context.Context, lists ...[]candidate) (s survey, err error) {
	s.wanted, s.unlinked = map[Kind]wantedValues{User: {}, Group: {}}, map[Kind]int{}
	var held []heldBack
	for _, list := range lists {
		for _, o := range list {
			link, err := c.Memory.Link(ctx, o.Ref)
			if err != nil && !errors.Is(err, ErrUnknown) {
				return s, err
			}
			action := c.plan(o, link).action
			doubtful := link.Doubt.open(c.Now()) && o.leaves()
			if action == Disable || action == Delete || doubtful {
				s.leaving = append(s.leaving, o)
			}
			if action == Disable || action == Delete {
				held = append(held, heldBack{o, link})
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
	if c.MaxDeletions > 0 && len(held) > c.MaxDeletions {
		return s, c.holdBack(ctx, held)
	}
	return s, nil
}

// heldBack is an object that is not disabled or deleted, since too many would be.
type heldBack struct {
	candidate
	link Link
}

func (c *cycle) holdBack(ctx context.Context, held []heldBack) error {
	for _, h := range held {
		e := c.entry(
			h.candidate, h.link.TargetID,
			step{action: StagedDelete, reason: "held back: the cycle would disable or delete too many objects"}, nil,
			0,
		)
		c.tell(e)
		if err := c.keep(ctx, h.link, e); err != nil {
			return err
		}
	}
	return &TooManyDeletesError{len(held), c.MaxDeletions}
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
	done := map[Ref]bool{}
	for _, o := range leaving {
		done[o.Ref] = true
	}
	return only(list, func(o candidate) bool { return !done[o.Ref] })
}
