package provisioning

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// lookAtLatecomers has a cycle look at the groups of those who are taken over only now, since they
// have failed before: when everything was compared, nobody knew that they are of this source, and
// memberships that they should not have would stay. What a target does not say of them stays.
func (c *cycle) lookAtLatecomers(ctx context.Context) error {
	c.mu.Lock()
	late := c.latecomers
	c.latecomers = nil
	c.mu.Unlock()
	if len(late) == 0 {
		return nil
	}
	nobodys, err := c.search(ctx, Group, groupsOf, c.NewID())
	switch {
	case len(nobodys) > 0, isUnsearched(err): // it ignores the question, or does not say
		return nil
	case err != nil && !errors.Is(err, ErrNoPages):
		return err
	}
	for _, ref := range late {
		id, err := c.target(ctx, ref)
		if err != nil {
			return err
		}
		if id == "" {
			continue
		}
		groups, err := c.search(ctx, Group, groupsOf, id)
		if errors.Is(err, ErrNoPages) || isRefusal(err) {
			err = c.tellGroupsUnread(ctx, ref, id, err)
		}
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := c.suspect(ctx, g.String("id"), id); err != nil {
				return err
			}
		}
	}
	return nil
}

// suspect puts in doubt whether somebody is a member of a group of this source, and has the cycle
// look at the group.
func (c *cycle) suspect(ctx context.Context, group, member string) error {
	owner, err := c.Memory.Owner(ctx, Group, group)
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	link, err := c.Memory.Link(ctx, owner)
	if err != nil || link.Adopted || slices.Contains(link.Members, member) {
		return err
	}
	link.Doubt = link.Doubt.doubted(c.Now(), Intent{Ref: owner, Members: []string{member}})
	c.mu.Lock()
	c.missed = append(c.missed, owner)
	c.mu.Unlock()
	return c.keep(ctx, link)
}

// bring notes an object that was not as it should be, and is now. What refers to it follows in this
// cycle: its groups, its reports, its own members. If the cycle ends before, the next one must look
// at it once more, since nothing has changed at the source.
func (c *cycle) bring(link *Link) {
	link.Tries = max(link.Tries, 1)
	if link.Kind != User { // members forgets it
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.brought[link.Ref] = true
}

// brings says whether something else is still to follow somebody.
func (c *cycle) brings(ref Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.brought[ref]
}

// followed forgets who was brought, when all has followed them.
func (c *cycle) followed(ctx context.Context) error {
	c.mu.Lock()
	brought := slices.Collect(maps.Keys(c.brought))
	clear(c.brought)
	c.mu.Unlock()
	return each(ctx, c.workers(), brought, func(ctx context.Context, ref Ref) error {
		link, err := c.Memory.Link(ctx, ref)
		if errors.Is(err, ErrUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		return c.settled(ctx, link)
	})
}
