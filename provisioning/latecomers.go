package provisioning

import (
	"context"
	"errors"
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
	nobodys, err := c.ask(ctx, Group, groupsOf, c.NewID())
	switch {
	case err != nil && !isRefusal(err) && !errors.Is(err, ErrNoPages):
		return err
	case len(nobodys) > 0: // it ignores the question
		return nil
	}
	for _, ref := range late {
		id, err := c.target(ctx, ref)
		if err != nil {
			return err
		}
		if id == "" {
			continue
		}
		groups, err := c.ask(ctx, Group, groupsOf, id)
		if errors.Is(err, ErrNoPages) {
			err = c.tellGroupsUnread(ctx, ref, id)
		}
		if err != nil && !isRefusal(err) {
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
