package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Removals says to what a cycle is limited that takes access away and does nothing else.
type Removals uint8

// The limits.
const (
	Unlimited Removals = iota
	// RemovalsOnly are all whoever is to lose access, and memberships that are to end.
	RemovalsOnly
	// LeaversOnly are users whom the source has disabled or deleted. That holds whatever else is
	// not known of it, such as who is in scope.
	LeaversOnly
)

// left says that the source has disabled or deleted a user.
func (o candidate) left() bool { return o.Kind == User && (o.Gone || o.Deleted || !o.Active) }

// takeAway is a cycle that is limited to removals. What else has changed is left for another one,
// so the watermark stays.
func (c *cycle) takeAway(ctx context.Context, changes Changes) error {
	users, err := c.evaluate(ctx, changes.Users)
	if err != nil {
		return err
	}
	var groups []candidate
	if c.Only == LeaversOnly {
		users = only(users, candidate.left)
	} else if groups, err = c.evaluate(ctx, changes.Groups); err != nil {
		return err
	}
	seen, err := c.survey(ctx, users, groups)
	if err != nil {
		return err
	}
	if groups = c.free(groups); len(seen.leaving)+len(groups) == 0 {
		return nil
	}
	if err = c.test(ctx); err == nil {
		err = c.removals(ctx, seen.leaving, groups)
	}
	return errors.Join(err, c.untried(ctx, seen.leaving))
}

// Next is when the first of the objects that have failed is to be tried again: of those only of
// which a limited cycle does something, if it is one. Zero: none is.
func (e *Engine) Next(ctx context.Context) (at time.Time, err error) {
	c := e.cycle(false)
	failing, err := c.pending(ctx)
	for _, f := range failing {
		if f.Now || f.RetryAt.IsZero() {
			f.RetryAt = c.Now()
		}
		if at.IsZero() || f.RetryAt.Before(at) {
			at = f.RetryAt
		}
	}
	return at, err
}

// pending lists the objects that have failed and of which this cycle does something: not those of a
// kind whose mapping is turned off. Whoever is to get something waits for a cycle that is not
// limited, and would only keep those awake that are.
func (c *cycle) pending(ctx context.Context) (list []Failing, err error) {
	failing, err := c.Memory.Failed(ctx)
	unmapped := func(f Failing) bool { return c.Mappings.of(f.Kind) == nil }
	if failing = slices.DeleteFunc(failing, unmapped); err != nil || c.Only == Unlimited {
		return failing, err
	}
	for _, f := range failing {
		loses, err := c.loses(ctx, f.Ref)
		if err != nil {
			return nil, err
		}
		if loses {
			list = append(list, f)
		}
	}
	return list, nil
}

// loses says whether a limited cycle takes something away from an object, or from members of it.
func (c *cycle) loses(ctx context.Context, ref Ref) (bool, error) {
	x, err := c.Source.Object(ctx, ref)
	if err != nil {
		return false, fmt.Errorf("read the source: %w", err)
	}
	list, err := c.evaluate(ctx, []Object{x})
	if err != nil || len(list) == 0 {
		return false, err
	}
	o := list[0]
	link, err := c.Memory.Link(ctx, ref)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return false, err
	}
	action := c.plan(o, link).action
	switch {
	case c.Only == LeaversOnly && !o.left():
		return false, nil
	case action == Disable || action == Delete || (link.Doubt != nil && o.leaves()):
		return true, nil
	case c.Only == LeaversOnly || len(c.withMembers(list)) == 0:
		return false, nil
	}
	m, _, err := c.compareMembers(ctx, o)
	has := m.link.Members
	if d := m.link.Doubt; d.open(c.Now()) || (d != nil && link.Failure == "") { // else its time comes later
		has = slices.Concat(has, d.Members)
	}
	return len(without(has, m.wanted)) > 0, err
}

// Leaving says whether somebody is to lose access whom the source has disabled or deleted since the
// last cycle, or who is to be tried again by now.
func (e *Engine) Leaving(ctx context.Context) (bool, error) {
	own := *e
	own.Reread = false
	c := own.cycle(false)
	watermark, err := c.Memory.Watermark(ctx)
	if err != nil || watermark == "" { // everybody is not looked at for that
		return false, err
	}
	changes, err := c.changes(ctx, watermark)
	if err != nil {
		return false, err
	}
	users, err := c.evaluate(ctx, changes.Users)
	if err != nil {
		return false, err
	}
	for _, o := range only(users, candidate.left) {
		link, err := c.Memory.Link(ctx, o.Ref)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return false, err
		}
		if action := c.plan(o, link).action; action == Disable || action == Delete {
			return true, nil
		}
	}
	return false, nil
}
