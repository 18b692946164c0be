package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// managers sends who the managers of users are: of those that the cycle looks at, and of those
// whose manager is at the target only now, or anew. They come after all users: the target knows a
// manager by its own id, which a creation returns, and two people may be each other's.
func (c *cycle) managers(ctx context.Context, users []candidate) error {
	if c.Mappings.Users == nil || !c.Mappings.Users.Maps(managerPath) {
		return nil
	}
	if !c.result.Initial && !c.Reread { // else everybody is looked at
		looked := map[Ref]bool{}
		for _, u := range users {
			looked[u.Ref] = true
		}
		for _, u := range users {
			reports, err := c.reportsOf(ctx, u.Ref)
			if err != nil {
				return err
			}
			for _, link := range reports {
				if looked[link.Ref] {
					continue
				}
				o, err := c.Source.Object(ctx, link.Ref)
				if err != nil {
					return fmt.Errorf("read the source: %w", err)
				}
				looked[link.Ref] = true
				report := evaluate(ctx, o, c.Mappings.Users)
				c.note(report, link)
				users = append(users, report)
			}
		}
	}
	return c.each(ctx, c.withManager(users), c.manager)
}

// reportsOf lists the links of those at the target who have another manager there than they should.
func (c *cycle) reportsOf(ctx context.Context, boss Ref) (list []Link, err error) {
	link, err := c.Memory.Link(ctx, boss)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
		return nil, nil
	}
	if err == nil {
		list, err = c.Memory.Reports(ctx, boss.ID)
	}
	return slices.DeleteFunc(
		list, func(l Link) bool { return l.TargetID == "" || l.Sent[managerPath] == link.TargetID },
	), err
}

func (c *cycle) withManager(users []candidate) (list []candidate) {
	for _, u := range users {
		if c.managed[u.Ref] && u.mapping.Maps(managerPath) && u.inScope && u.Active {
			list = append(list, u)
		}
	}
	return list
}

// manager sends a user's manager, once both are at the target.
func (c *cycle) manager(ctx context.Context, o candidate) error {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
		return nil
	}
	if err != nil {
		return err
	}
	var boss Link
	if o.Manager != "" {
		if boss, err = c.Memory.Link(ctx, Ref{User, o.Manager}); err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
	}
	change := Change{managerPath, link.Sent[managerPath], boss.TargetID}
	// one who is out of scope is neither sent nor taken away
	if change.Old == change.New || (o.Manager != "" && boss.TargetID == "") {
		return nil
	}
	err = c.patch(ctx, User, link.TargetID, c.Dialect.patch([]Change{change})...)
	if stop := stops(err); stop != nil {
		return stop
	}
	shown := Change{change.Path, c.named([]string{change.Old})[0], c.named([]string{change.New})[0]}
	done := step{action: Update, changes: []Change{shown}, reason: "manager"}
	if err != nil {
		c.judge(&link, err)
	} else {
		link.Sent = maps.Clone(link.Sent)
		if link.Sent[managerPath] = change.New; change.New == "" {
			delete(link.Sent, managerPath)
		}
	}
	e := c.entry(o, link.TargetID, done, err, 0)
	c.tell(e)
	return c.Memory.Keep(ctx, link, e)
}

func (c *cycle) withMembers(groups []candidate) (list []candidate) {
	for _, g := range groups {
		if g.mapping.Maps(membersPath) && g.inScope {
			list = append(list, g)
		}
	}
	return list
}

// members brings a group's members into line, in batches, remembering after each batch what is
// done.
func (c *cycle) members(ctx context.Context, o candidate) error {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
		return nil
	}
	if err != nil {
		return err
	}
	var wanted []string
	for _, id := range o.Members {
		m, err := c.Memory.Link(ctx, Ref{User, id})
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		if m.TargetID != "" {
			wanted = append(wanted, m.TargetID)
		}
	}
	if c.Reread || c.found[o.Ref] {
		now, err := c.membersNow(ctx, o, link, wanted)
		if stop := stops(err); stop != nil {
			return stop
		}
		if err != nil {
			c.judge(&link, err)
			e := c.entry(o, link.TargetID, step{action: Update, reason: "compare members"}, err, 0)
			c.tell(e)
			return c.Memory.Keep(ctx, link, e)
		}
		link.Members = now
	}
	if ok, err := c.changeMembers(ctx, o, &link, "Add", without(wanted, link.Members)); err != nil || !ok {
		return err // what failed waits for the next cycle, and the rest with it
	}
	_, err = c.changeMembers(ctx, o, &link, "Remove", without(link.Members, wanted))
	return err
}

// saveEach is after how many batches a link is remembered. What was sent since is sent again after
// a crash, which changes nothing.
const saveEach = 32 //bound:none how often, not how much

// changeMembers adds or removes members in batches, and remembers now and then what is done: the
// link of a large group is large. It returns false when the target refused.
func (c *cycle) changeMembers(
	ctx context.Context, o candidate, link *Link, op string, ids []string,
) (ok bool, err error) {
	before, sent := link.Members, 0
	var entries []Entry
	for batch := range slices.Chunk(ids, MaxMembers) {
		began := time.Now()
		err := c.patch(ctx, Group, link.TargetID, c.Dialect.members(op, batch)...)
		stop := stops(err)
		if stop == nil {
			e := c.entry(o, link.TargetID, step{action: Update, reason: op + " members"}, err, time.Since(began))
			switch {
			case err != nil:
				c.judge(link, err)
			case op == "Add":
				e.Added = c.named(batch)
			default:
				e.Removed = c.named(batch)
			}
			c.tell(e)
			entries = append(entries, e)
		}
		if err == nil {
			sent += len(batch)
		}
		if err != nil || sent == len(ids) || len(entries) == saveEach {
			if op == "Add" {
				link.Members = slices.Concat(before, ids[:sent])
			} else {
				link.Members = without(before, ids[:sent])
			}
			// Also when the cycle is told to stop: what was sent is remembered, or it is sent
			// again.
			if kept := c.Memory.Keep(context.WithoutCancel(ctx), *link, entries...); kept != nil {
				return false, kept
			}
			entries = nil
		}
		if err != nil {
			return false, stop
		}
	}
	return true, nil
}

// without returns the ids of list that are not in other, in their order.
func without(list, other []string) []string {
	drop := make(map[string]bool, len(other))
	for _, id := range other {
		drop[id] = true
	}
	var out []string
	for _, id := range list {
		if !drop[id] {
			out = append(out, id)
		}
	}
	return out
}
