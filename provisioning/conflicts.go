package provisioning

import (
	"context"
	"slices"
	"strings"
)

// provisionAll provisions objects of one kind. A name that conflicts may be one that another object
// gives up: such objects are tried again when all others are done, one at a time, for as long as
// that gets further.
func (c *cycle) provisionAll(ctx context.Context, objects []candidate) error {
	c.putOff = true
	first, later := apart(objects)
	if err := announced(ctx, c, c.workers(), first, c.planned, c.provision); err != nil {
		return err
	}
	c.mu.Lock()
	c.conflicts = append(c.conflicts, later...)
	c.mu.Unlock()
	for waiting := c.takeConflicts(objects); len(waiting) > 0; waiting = c.takeConflicts(objects) {
		c.there[waiting[0].Kind] = nil // it is as it was when the cycle began
		before := len(waiting)
		if err := announced(ctx, c, 1, waiting, c.planned, c.provision); err != nil {
			return err
		}
		c.mu.Lock()
		c.putOff = len(c.conflicts) < before
		c.mu.Unlock()
	}
	return nil
}

// apart sets those objects aside that want what another one before them wants too: then it does not
// depend on who is faster which of them gets it, and a dry run can say.
func apart(objects []candidate) (first, later []candidate) {
	wanted := map[string]bool{}
	for _, o := range objects {
		mine := o.names()
		if slices.ContainsFunc(mine, func(name string) bool { return wanted[name] }) {
			later = append(later, o)
			continue
		}
		for _, name := range mine {
			wanted[name] = true
		}
		first = append(first, o)
	}
	return first, later
}

// names are what only one object at a target may have, where the target says so.
func (o candidate) names() (list []string) {
	for path, value := range o.creating {
		switch {
		case value == "":
		case path == "userName", path == externalID, path == "displayName" && o.Kind == Group:
			list = append(list, path+" "+key(path, value))
		case strings.HasPrefix(path, "emails[") && strings.HasSuffix(path, "].value"):
			list = append(list, anyAddress+" "+fold(value))
		}
	}
	return list
}

// takeConflicts returns the objects that were put off, in their order among all.
func (c *cycle) takeConflicts(objects []candidate) (list []candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := map[Ref]bool{}
	for _, o := range c.conflicts {
		waiting[o.Ref] = true
	}
	if c.conflicts = nil; len(waiting) == 0 {
		return nil
	}
	return only(objects, func(o candidate) bool { return waiting[o.Ref] })
}
