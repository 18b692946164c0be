package provisioning

import (
	"context"
	"errors"
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
		return c.retried(ctx, seen.leaving, err)
	}
	if len(seen.leaving)+len(groups) == 0 {
		return nil
	}
	if err := c.test(ctx); err != nil {
		return err
	}
	return c.removals(ctx, seen.leaving, groups)
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
