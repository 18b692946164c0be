package provisioning

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// provisionAll provisions objects of one kind. A name that conflicts may be one that another object
// gives up: such objects are tried again when all others are done, one at a time, for as long as
// that gets further. When it does not, whoever has a name that the source has given to another one
// is made to give it up.
func (c *cycle) provisionAll(ctx context.Context, objects []candidate) error {
	c.putOff = true
	first, later := apart(objects)
	if err := announced(ctx, c, c.workers(), first, c.planned, c.provision); err != nil {
		return err
	}
	c.mu.Lock()
	c.conflicts = append(c.conflicts, later...)
	c.mu.Unlock()
	for stuck := false; ; {
		waiting := c.takeConflicts(objects)
		if len(waiting) == 0 {
			return c.ownNames(ctx)
		}
		c.there[waiting[0].Kind] = nil // it is as it was when the cycle began
		q, err := c.line(ctx, waiting)
		if err != nil {
			return err
		}
		waiting = q.list
		if stuck {
			others, freed, err := c.freeNames(ctx, q)
			if err != nil {
				return err
			}
			c.putOff = freed
			objects, waiting = withOthers(objects, others), withOthers(waiting, others)
		}
		before := len(waiting)
		if err := announced(ctx, c, 1, waiting, c.planned, c.provision); err != nil {
			return err
		}
		c.mu.Lock()
		stuck = len(c.conflicts) >= before
		c.mu.Unlock()
	}
}

// withOthers adds to a list who is not in it yet.
func withOthers(list, others []candidate) []candidate {
	for _, o := range others {
		if !slices.ContainsFunc(list, func(x candidate) bool { return x.Ref == o.Ref }) {
			list = append(slices.Clip(list), o)
		}
	}
	return list
}

// apart sets those objects aside that want what another one before them wants too: then it does not
// depend on who is faster which of them gets it, and a dry run can say.
func apart(objects []candidate) (first, later []candidate) {
	wanted := map[string]bool{}
	for _, o := range objects {
		mine := claims(o.Kind, o.creating)
		if slices.ContainsFunc(slices.Collect(maps.Keys(mine)), func(name string) bool { return wanted[name] }) {
			later = append(later, o)
			continue
		}
		for name := range mine {
			wanted[name] = true
		}
		first = append(first, o)
	}
	return first, later
}

// claims are what only one object at a target may have, where the target says so: as it is
// compared, with the path where the object has it.
func claims(kind Kind, attributes map[string]string) map[string]string {
	list := map[string]string{}
	for path, value := range attributes {
		if at := claimed(kind, path); at != "" && value != "" {
			list[at+" "+key(path, value)] = path
		}
	}
	return list
}

// claimed is the attribute of which no two objects may have the same; "" when a path is no such.
func claimed(kind Kind, path string) string {
	switch {
	case path == "userName", path == externalID, path == "displayName" && kind == Group:
		return path
	case strings.HasPrefix(path, "emails[") && strings.HasSuffix(path, "].value"):
		return anyAddress
	}
	return ""
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
