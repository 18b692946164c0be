package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Where the memory is older than the target, and maybe the source is, a membership that was sent
// and is not there has been taken away since. It is not given back before somebody says so: by a
// comparison that is asked for, on demand, or by removing and adding the member at the source.

// removedThere begins why a member is held. It is what the link remembers.
const removedThere = "the target has removed members of this group since the job last wrote it, or what the job " +
	"remembers is older: "

// asked says whether somebody wants that everything is as the source has it, and knows how it was
// restored.
func (c *cycle) asked() bool { return c.Reread && !c.Unasked && !c.Restored && !c.Routine }

// hold notes whose membership is not given back, of those who are wanted: of a link as it is
// remembered, before it gets the members that the target has now.
func (c *cycle) hold(m *membership, now []string) {
	o, link := m.candidate, &m.link
	held := slices.Concat(link.Held, without(m.moved, link.Held))
	if c.asked() {
		link.Held = nil
		return
	}
	if c.Restored && (c.Reread || c.found[o.Ref]) {
		sent := link.Members
		if link.Doubt != nil { // a request that was under way may have added them
			sent = slices.Concat(sent, without(link.Doubt.Members, sent))
		}
		held = slices.Concat(held, without(sent, held))
	}
	link.Held = without(held, now)
}

// unlinked is a link of what is not at the target any more under its id. Where the memory is older,
// a group may be there under another one: who was sent as its member then, counts.
func (c *cycle) unlinked(link Link) Link {
	out := Link{
		Ref: link.Ref, Manager: link.Manager, HeldOff: link.HeldOff, Doubt: link.Doubt, Batch: link.Batch,
	}
	if c.Restored {
		out.Members, out.Held = link.Members, link.Held
		out.Former = cmp.Or(link.TargetID, link.Former)
	}
	return out
}

// givesBack forgets what keeps memberships from being given back, if somebody wants them.
func (c *cycle) givesBack(link *Link) {
	if c.asked() || c.doubts {
		link.Former = ""
	}
}

// formerly notes under which id somebody was at the target before the memory was restored.
func (c *cycle) formerly(link Link) {
	if link.Kind != User || link.Former == "" || link.TargetID == "" || link.Former == link.TargetID {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.former[link.TargetID] = link.Former
}

// follow has a group know those of its members who have other ids at the target since the memory
// was restored: they were made anew, and may have been taken out of the group since.
func (c *cycle) follow(m *membership) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.former) == 0 {
		return
	}
	now := map[string]string{}
	for _, id := range m.wanted {
		if former := c.former[id]; former != "" {
			now[former] = id
		}
	}
	renamed := func(list []string) []string {
		list = slices.Clone(list)
		for i, id := range list {
			if now[id] != "" {
				list[i] = now[id]
				m.moved = append(m.moved, now[id])
			}
		}
		return list
	}
	m.link.Members, m.link.Held = renamed(m.link.Members), renamed(m.link.Held)
	if d := m.link.Doubt; d != nil {
		doubt := *d
		doubt.Members = renamed(d.Members)
		m.link.Doubt = &doubt
	}
	m.asks = m.asks || len(m.moved) > 0
}

// stillHeld are those of a link whose membership is not given back and who are wanted: whom the
// source has removed, it may add again.
func (m *membership) stillHeld() (held []string) {
	return without(m.link.Held, without(m.link.Held, m.wanted))
}

// tellHeld says whose memberships are held. It is a failure: the two sides are not equal.
func (c *cycle) tellHeld(ctx context.Context, o candidate, link Link) error {
	back := c.remedy("provision the members on demand", "give the memberships back, or remove and add them")
	err := &unfit{"RemovedAtTarget", removedThere + back + ": " + c.few(ctx, link.Held)}
	c.judge(&link, err)
	e := c.entry(o, link.TargetID, step{action: Other}, err, 0)
	c.tell(e)
	return c.keep(ctx, link, e)
}

// tellLater says who was in a group that the source, as it was restored, does not have in it: they
// lose the membership.
func (c *cycle) tellLater(ctx context.Context, o candidate, link Link, ids []string) error {
	e := c.entry(o, link.TargetID, step{
		action: Other,
		code:   "AddedSinceBackup",
		reason: "removed, since the source as it was restored does not have them in the group: " + c.few(ctx, ids),
	}, nil, 0)
	c.tell(e)
	return c.keep(ctx, link, e)
}

// few are some of those who have ids at the target, by name where it is known.
func (c *cycle) few(ctx context.Context, ids []string) string {
	shown := c.named(ids)
	for i, id := range ids {
		if shown[i] == id && i < fewObjects {
			shown[i] = c.nameOf(ctx, id)
		}
	}
	slices.Sort(shown)
	more := ""
	if n := len(shown) - fewObjects; n > 0 {
		shown, more = shown[:fewObjects], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(shown, ", ") + more
}

// nameOf is what somebody is called who has an id at the target: there, if that was listed, or at
// the source. It is the id where neither is known.
func (c *cycle) nameOf(ctx context.Context, id string) string {
	if all := c.there[User]; all != nil {
		if name := all.byID[id].String("userName"); name != "" {
			return name
		}
	}
	owner, err := c.Memory.Owner(ctx, User, id)
	if err != nil {
		return id
	}
	o, err := c.Source.Object(ctx, owner)
	if err != nil {
		return id
	}
	return cmp.Or(o.Name, id)
}
