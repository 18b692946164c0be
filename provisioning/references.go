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
	for _, u := range users {
		c.deleted[u.Ref] = u.Deleted
	}
	if !c.result.Initial && !c.Reread { // else everybody is looked at
		looked := map[Ref]bool{}
		for _, u := range users {
			looked[u.Ref] = true
		}
		for _, u := range users {
			reports, err := c.reportsOf(ctx, u)
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
				c.note(report, link, false, false)
				users = append(users, report)
			}
		}
	}
	return announced(ctx, c, c.workers(), c.withManager(users), c.planManager, c.manager)
}

// reportsOf lists the links of those at the target who have another manager there than they should,
// or one who is gone.
func (c *cycle) reportsOf(ctx context.Context, boss candidate) (list []Link, err error) {
	link, err := c.Memory.Link(ctx, boss.Ref)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return nil, err
	}
	right := link.TargetID
	switch {
	case boss.Deleted:
		right = ""
	case link.TargetID == "" && !boss.Gone && !c.wasLost(boss.Ref, ""):
		return nil, nil
	}
	list, err = c.Memory.Reports(ctx, boss.ID)
	return slices.DeleteFunc(
		list, func(l Link) bool { return l.TargetID == "" || l.Sent[managerPath] == right },
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

// managerFollows says whether a user's manager is still to be looked at in this cycle.
func (c *cycle) managerFollows(o candidate, link Link) bool {
	return o.Kind == User && o.mapping.Maps(managerPath) && o.inScope && o.Active && link.TargetID != "" &&
		(o.Manager != "" || link.Sent[managerPath] != "")
}

// managed is a user whose manager is to be sent.
type managed struct {
	candidate
	link Link
	Change
}

// intent implements work.
func (m managed) intent() (Intent, bool) { return Intent{Ref: m.Ref}, true }

// planManager compares a user's manager with what was sent, once both are at the target.
func (c *cycle) planManager(ctx context.Context, o candidate) (m managed, ok bool, err error) {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
		return managed{}, false, nil
	}
	if err != nil {
		return managed{}, false, err
	}
	var boss string
	if o.Manager != "" {
		if boss, err = c.target(ctx, Ref{User, o.Manager}); err != nil {
			return managed{}, false, err
		}
	}
	change := Change{managerPath, link.Sent[managerPath], boss}
	ref := Ref{User, o.Manager}
	if c.deleted[ref] {
		change.New = ""
	}
	if change.Old == change.New || c.holdsBack(ref) {
		return managed{}, false, c.settled(ctx, link)
	}
	if o.Manager == "" {
		return managed{o, link, change}, true, nil
	}
	x, err := c.Source.Object(ctx, ref)
	if err != nil {
		return managed{}, false, fmt.Errorf("read the source: %w", err)
	}
	gone := x.Gone || x.Deleted || c.wasLost(ref, change.Old)
	if x.Deleted {
		change.New = ""
	}
	// one who is out of scope is neither sent nor taken away
	if change.Old == change.New || change.New == "" && !gone {
		return managed{}, false, c.settled(ctx, link)
	}
	return managed{o, link, change}, true, nil
}

// settled notes that nothing is left to be sent of a user or a group: what fails next has failed
// once.
func (c *cycle) settled(ctx context.Context, link Link) error {
	if link.Tries == 0 || link.Failure != "" || c.brings(link.Ref) {
		return nil
	}
	link.Tries = 0
	return c.keep(ctx, link)
}

// manager sends a user's manager.
func (c *cycle) manager(ctx context.Context, m managed, batch string) error {
	o, link := m.candidate, m.link
	link.Batch = batch
	change := m.Change
	missed, err := c.missedBoss(ctx, m)
	if err == nil && !missed {
		err = c.update(ctx, &link, []Change{change})
	}
	if isRefusal(err) { // one of the two may have been deleted there
		missed, err = c.missedEither(ctx, m, err)
	}
	if stop := stops(err); stop != nil {
		if link.Doubt != nil {
			return errors.Join(stop, c.keepLast(ctx, link))
		}
		return stop
	}
	if missed {
		return err
	}
	shown := Change{change.Path, c.named([]string{change.Old})[0], c.named([]string{change.New})[0]}
	done := step{action: Update, changes: []Change{shown}, reason: "manager"}
	if err != nil {
		c.judge(&link, err)
	} else {
		link.Sent = maps.Clone(link.Sent)
		if link.Sent == nil {
			link.Sent = map[string]string{}
		}
		if link.Sent[managerPath] = change.New; change.New == "" {
			delete(link.Sent, managerPath)
		}
		if link.Failure == "" && !c.brings(o.Ref) {
			link.Tries = 0
		}
	}
	e := c.entry(o, link.TargetID, done, err, 0)
	c.tell(e)
	return c.keep(ctx, link, e)
}

// missedBoss says whether the manager is not at the target any more: few targets say so themselves.
func (c *cycle) missedBoss(ctx context.Context, m managed) (bool, error) {
	if m.New == "" {
		return false, nil
	}
	gone, err := c.missUnseen(ctx, []string{m.New})
	return len(gone) > 0, err
}

// missedEither looks whether the user or the manager was deleted at the target, which has refused
// to write who the manager is. It returns the refusal where both are there, and the manager is not
// what was to be written.
func (c *cycle) missedEither(ctx context.Context, m managed, refused error) (missed bool, err error) {
	there, err := c.at(ctx, User, m.link.TargetID)
	switch {
	case stops(err) != nil:
		return false, err
	case err != nil:
		return false, refused
	case there == nil:
		return true, c.missLink(ctx, m.link)
	case valueAt(there, managerPath) == m.New:
		return false, nil
	case m.New == "":
		return false, refused
	}
	boss, err := c.at(ctx, User, m.New)
	switch {
	case stops(err) != nil:
		return false, err
	case err != nil || boss != nil:
		return false, refused
	}
	return true, c.miss(ctx, Ref{User, m.Manager})
}

func (c *cycle) withMembers(groups []candidate) (list []candidate) {
	for _, g := range groups {
		if g.mapping.Maps(membersPath) && g.inScope {
			list = append(list, g)
		}
	}
	return list
}

// membership is a group with the members that are to be added and removed.
type membership struct {
	candidate
	link           Link
	wanted         []string
	add, remove    []string
	asks           bool      // the target is asked first which members the group has
	moved          []string  // of the members, who has this id only since the memory was restored
	released       bool      // somebody whose membership was held is not wanted any more
	notedA, notedR int       // how many of each are noted with the batch
	at             time.Time // when they were compared: what was in doubt by then, is sent again
}

// intent implements work: a first part of the members; the rest is noted when it is its turn.
func (m membership) intent() (Intent, bool) {
	ids := slices.Concat(m.remove[:m.notedR], m.add[:m.notedA])
	return Intent{Ref: m.Ref, Members: ids}, len(ids) > 0
}

// planMembers is compareMembers once the group itself is in line.
func (c *cycle) planMembers(ctx context.Context, o candidate) (m membership, ok bool, err error) {
	if m, ok, err = c.compareMembers(ctx, o); err == nil && !ok && m.link.TargetID != "" {
		err = c.settled(ctx, m.link)
	}
	return m, ok, err
}

// compareMembers compares a group's members with those that were sent. Those in doubt are neither
// there nor away: they are sent again.
func (c *cycle) compareMembers(ctx context.Context, o candidate) (m membership, ok bool, err error) {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && (link.TargetID == "" || c.leavesAlone(link))) {
		return membership{}, false, nil
	}
	if err != nil || c.holdsBack(o.Ref) {
		return membership{}, false, err
	}
	c.mu.Lock()
	compares := c.Reread && !c.made[o.Ref]
	c.mu.Unlock()
	asks := compares || c.found[o.Ref] || (c.Target.Traits().Forgiving && link.Tries > 1)
	m = membership{candidate: o, link: link, asks: asks}
	for _, id := range o.Members {
		target, err := c.target(ctx, Ref{User, id})
		if err != nil {
			return membership{}, false, err
		}
		left, err := c.hasLeft(ctx, id)
		if err != nil {
			return membership{}, false, err
		}
		c.mu.Lock()
		m.asks = m.asks || c.shaken[Ref{User, id}]
		c.mu.Unlock()
		if target != "" && !left {
			m.wanted = append(m.wanted, target)
		}
	}
	c.follow(&m)
	held := m.stillHeld()
	m.released, m.link.Held = len(held) < len(link.Held), held
	if !m.asks {
		c.compare(&m)
		m.notedR = min(len(m.remove), batchMembers)
		m.notedA = min(len(m.add), batchMembers-m.notedR)
	}
	return m, m.asks || m.released || len(m.add)+len(m.remove)+len(held) > 0, nil
}

// hasLeft says whether a user has left a target that cannot be told so, and is a member of nothing.
func (c *cycle) hasLeft(ctx context.Context, id string) (bool, error) {
	if !c.deaf(User) {
		return false, nil
	}
	link, err := c.Memory.Link(ctx, Ref{User, id})
	if errors.Is(err, ErrUnknown) {
		return false, nil
	}
	return !link.Left.IsZero(), err
}

// compare says who is to be added to a group, and who removed.
func (c *cycle) compare(m *membership) {
	m.at = c.Now()
	doubtful := membersOf(m.link.Doubt, m.at)
	add := without(without(m.wanted, m.link.Held), without(m.link.Members, doubtful))
	remove := without(slices.Concat(m.link.Members, without(doubtful, m.link.Members)), m.wanted)
	m.add, m.remove = c.freeMembers(add), c.freeMembers(remove)
}

// planRemovals is planMembers for those who are to lose a membership, before anything else is done.
func (c *cycle) planRemovals(ctx context.Context, o candidate) (membership, bool, error) {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && len(link.Members)+len(membersOf(link.Doubt, c.Now())) == 0) {
		return membership{}, false, nil
	}
	if err != nil {
		return membership{}, false, err
	}
	m, _, err := c.compareMembers(ctx, o)
	if m.asks && err == nil {
		c.compare(&m)
		m.notedR = min(len(m.remove), batchMembers)
	}
	m.asks = false
	m.add, m.notedA = nil, 0
	return m, len(m.remove) > 0, err
}

// removeMembers is members for planRemovals. What fails is tried once more when all else is done,
// unless nothing else is.
func (c *cycle) removeMembers(ctx context.Context, m membership, batch string) error {
	limited := c.Only != Unlimited
	ok, err := c.changeMembers(ctx, m.candidate, &m.link, "Remove", m.remove, noted{batch, m.notedR}, !limited)
	if err != nil || !ok || !limited || m.link.Doubt == nil {
		return err
	}
	// Whoever is a member in doubt, and is to be one, comes with all that is to be added.
	m.link.Doubt = m.link.Doubt.resent(m.at, c.doubtfulHeld(m.link.Doubt))
	return c.keep(ctx, m.link)
}

// members brings a group's members into line, in batches, remembering now and then what is done.
func (c *cycle) members(ctx context.Context, m membership, batch string) error {
	o, link := m.candidate, &m.link
	sent := link.Members
	found := false // who was a member before is to be known here, or could never leave
	if m.asks {
		now, err := c.membersNow(ctx, o, *link, m.wanted)
		if stop := stops(err); stop != nil {
			return stop
		}
		if isNotFound(err) {
			return c.missLink(ctx, *link)
		}
		if err != nil {
			c.judge(link, err)
			e := c.entry(o, link.TargetID, step{action: Update, reason: "compare members"}, err, 0)
			c.tell(e)
			return c.keep(ctx, *link, e)
		}
		before := link.Members
		c.hold(&m, now)
		link.Held = m.stillHeld()
		link.Members = now
		c.compare(&m)
		differ := len(without(now, sent))+len(without(sent, now)) > 0
		found = differ && len(m.add)+len(m.remove) == 0 // else they are kept with the change
		if later := without(m.remove, before); c.Restored && c.Reread && len(later) > 0 {
			if err := c.tellLater(ctx, o, *link, later); err != nil {
				return err
			}
		}
	}
	first := noted{batch, m.notedR}
	if m.notedA > 0 {
		first.batch = "" // its outcome is known with that of the others
	}
	removed, err := c.changeMembers(ctx, o, link, "Remove", m.remove, first, false)
	if err != nil {
		return err
	}
	added, err := c.changeMembers(ctx, o, link, "Add", m.add, noted{batch, m.notedA}, false)
	if unsure := without(within(m.add, sent), link.Members); err == nil && !added && len(unsure) > 0 {
		// Not found, and not added anew: a target that finds late may have them.
		link.Doubt = link.Doubt.doubted(c.Now(), Intent{Ref: o.Ref, Members: unsure})
		err = c.keep(ctx, *link)
	}
	if err != nil || !removed || !added { // what failed waits for another cycle
		return err
	}
	doubtful := link.Doubt != nil && len(link.Doubt.Members) > 0
	if doubtful {
		link.Doubt = link.Doubt.resent(m.at, c.doubtfulHeld(link.Doubt))
	}
	if len(link.Held) > 0 {
		return c.tellHeld(ctx, o, *link)
	}
	tried := link.Tries > 0 && link.Failure == "" // else the group itself fails
	if tried {
		link.Tries = 0
	}
	if tried || doubtful || m.released || found {
		return c.keep(ctx, *link)
	}
	return nil
}

// saveEach is after how many batches a link is remembered. What was sent since is sent again after
// a crash, which changes nothing.
const saveEach = 32 //bound:none how often, not how much

// noted says how many of a group's members are noted already, and in which batch; none is named
// when its outcome is not known before others are sent too.
type noted struct {
	batch string
	many  int
}

// changeMembers adds or removes members in batches, and remembers now and then what is done: the
// link of a large group is large. It returns false when the target refused. A failure of the first
// try is not told, since there is another one.
func (c *cycle) changeMembers(
	ctx context.Context, o candidate, link *Link, op string, ids []string, have noted, first bool,
) (ok bool, err error) {
	for from, to := 0, 0; from < len(ids); from = to {
		id, own := have.batch, from > 0 || have.many == 0
		if to = have.many; own {
			to = min(from+batchMembers, len(ids))
			if id, err = c.begin(ctx, []Intent{{Ref: o.Ref, Members: ids[from:to]}}); err != nil {
				return false, err
			}
		}
		ok, err := c.changeSome(ctx, o, link, op, ids[from:to], id, first)
		if own {
			c.over(id)
		}
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// changeSome changes as many members as are noted together, and remembers them.
func (c *cycle) changeSome(
	ctx context.Context, o candidate, link *Link, op string, ids []string, batch string, first bool,
) (ok bool, err error) {
	var all []string
	var entries []Entry
	for some := range slices.Chunk(ids, MaxMembers) {
		began := time.Now()
		var done []string
		done, err = c.sendMembers(ctx, link, op, some)
		gone := errors.Is(err, errVanished)
		if stops(err) == nil && !gone && (err == nil || !first) {
			e := c.entry(o, link.TargetID, step{action: Update, reason: op + " members"}, err, time.Since(began))
			e.Added, e.Removed = c.changed(op, done)
			if err != nil {
				c.judge(link, err)
			}
			if err != nil && op == "Remove" {
				c.hurry(link, err)
			}
			c.tell(e)
			if op != "Remove" || !repeats(*link, err) {
				entries = append(entries, e)
			}
		}
		all = append(all, done...)
		if err != nil {
			if tries := link.Tries; first && alike(err) {
				c.judge(link, err)
				link.Tries = max(tries, 1) // the other try counts
			}
			break
		}
	}
	if batch != "" {
		link.Batch = batch
	}
	if op == "Add" {
		link.Members = slices.Concat(link.Members, without(all, link.Members))
		link.Held = without(link.Held, all)
	} else {
		link.Members = without(link.Members, all)
	}
	// Also when the cycle is told to stop: what was sent is remembered, or it is sent again.
	keep := c.keep
	if errors.Is(err, errVanished) {
		keep = func(ctx context.Context, l Link, _ ...Entry) error { return c.missLink(ctx, l) }
	}
	last, cancel := afterwards(ctx)
	defer cancel()
	if kept := keep(last, *link, entries...); kept != nil {
		return false, errors.Join(stops(err), kept)
	}
	return err == nil, stops(err)
}

// within returns the ids of list that are in other, in their order.
func within(list, other []string) []string { return without(list, without(list, other)) }

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
