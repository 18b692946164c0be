package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/gatehouse-id/gatehouse/scim"
)

// maxRounds is how often a cycle makes anew what it finds deleted at the target; the rest waits for
// the next cycle.
const maxRounds = 3 //bound:depth rounds of a sync in which what was deleted at its target is made anew

// at asks the target for one object. It returns nil when there is none.
func (c *cycle) at(ctx context.Context, kind Kind, id string) (there scim.Resource, err error) {
	err = c.retry(ctx, func() (err error) {
		there, err = c.Target.Get(ctx, kind, id)
		return err
	})
	if !isNotFound(err) {
		return there, err
	}
	link := Link{Ref: Ref{Kind: kind}, TargetID: id}
	owner, unread := c.Memory.Owner(ctx, kind, id)
	if unread == nil {
		link, unread = c.Memory.Link(ctx, owner)
	}
	if unread != nil && !errors.Is(unread, ErrUnknown) {
		return nil, unread
	}
	return nil, c.isGone(ctx, link, err)
}

// contradiction means that a target does not find an object, and finds it, or is not there to say.
type contradiction struct{ id, what string }

func (x *contradiction) Error() string { return "the target does not find " + x.id + ", " + x.what }

// isGone makes sure that an object is not at the target any more, after a request about it was
// answered by "not found". That may be a proxy without a backend, or a server that does not know
// the object yet: it is believed when a search does not find the object either. The error says why
// it cannot be believed.
func (c *cycle) isGone(ctx context.Context, link Link, answer error) error {
	at := Ref{link.Kind, link.TargetID}
	c.mu.Lock()
	sure := c.absent[at]
	c.mu.Unlock()
	if sure {
		return nil
	}
	searched := false
	all := []map[string]string{c.sentKeys(link)}
	if link.Doubt != nil { // it may have another name by now
		all = append(all, link.Doubt.Keys...)
	}
	for _, keys := range all {
		for _, path := range slices.Sorted(maps.Keys(keys)) {
			found, err := c.search(ctx, link.Kind, path, keys[path])
			switch {
			case misdirected(err):
				return &contradiction{link.TargetID, "and somebody else seems to answer for it: " + err.Error()}
			case isUnsearched(err):
				continue
			case err != nil:
				return err
			}
			searched = true
			if slices.ContainsFunc(found, func(r scim.Resource) bool { return r.String("id") == link.TargetID }) {
				return &contradiction{link.TargetID, "though it has it"}
			}
		}
	}
	if !searched && misdirected(answer) {
		return &contradiction{link.TargetID, "and somebody else seems to answer for it: " + answer.Error()}
	}
	c.noteAway(at)
	return nil
}

// noteAway notes that there is nothing at the target under a kind and an id any more, also for the
// cycle beside which this one works.
func (c *cycle) noteAway(at Ref) {
	c.mu.Lock()
	c.absent[at] = true
	c.mu.Unlock()
	if c.main != nil {
		c.main.noteAway(at)
	}
}

// sentKeys are the values by which an object is found that was sent.
func (c *cycle) sentKeys(link Link) map[string]string {
	keys := map[string]string{}
	m := c.Mappings.of(link.Kind)
	if m == nil {
		return keys
	}
	for _, path := range append(slices.Clone(m.Matching()), externalID) {
		if value := link.Sent[path]; value != "" {
			keys[path] = value
		}
	}
	if d := link.Doubt; len(keys) == 0 && d != nil && len(d.Keys) > 0 { // nothing is known to have been sent
		return d.Keys[0]
	}
	return keys
}

// newKeys are the values by which an object is found after some changes; nil: the same as before.
func (c *cycle) newKeys(link Link, changes []Change) map[string]string {
	was := c.sentKeys(link)
	sent := map[string]string{}
	maps.Copy(sent, link.Sent)
	for _, x := range changes {
		sent[x.Path] = x.New
	}
	link.Sent = sent
	if is := c.sentKeys(link); !maps.Equal(is, was) {
		return is
	}
	return nil
}

// vanished returns those ids that are not at the target any more.
func (c *cycle) vanished(ctx context.Context, kind Kind, ids []string) (gone []string, err error) {
	var mu sync.Mutex
	err = each(ctx, c.workers(), ids, func(ctx context.Context, id string) error {
		there, err := c.at(ctx, kind, id)
		if err == nil && there == nil {
			mu.Lock()
			defer mu.Unlock()
			gone = append(gone, id)
		}
		return err
	})
	slices.Sort(gone)
	return gone, err
}

// miss notes that an object is not at the target any more. The cycle makes it anew in another
// round; if it does not come to that, the next one looks again.
func (c *cycle) miss(ctx context.Context, ref Ref) error {
	link, err := c.Memory.Link(ctx, ref)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
		return nil
	}
	if err != nil {
		return err
	}
	return c.missLink(ctx, link)
}

// missLink is miss for a link that is at hand.
func (c *cycle) missLink(ctx context.Context, link Link) error {
	link.Doubt = suspicion(link.Doubt)
	link.RetryAt = c.Now()
	c.mu.Lock()
	c.missed = append(c.missed, link.Ref)
	c.mu.Unlock()
	return c.keep(ctx, link)
}

// missMembers is miss for users who are known by their ids at the target.
func (c *cycle) missMembers(ctx context.Context, ids []string) error {
	for _, id := range ids {
		owner, err := c.Memory.Owner(ctx, User, id)
		if err == nil {
			err = c.miss(ctx, owner)
		}
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
	}
	return nil
}

// errVanished says that the object about which something was to be sent is not at the target any
// more, which is no failure: it is made anew.
var errVanished = errors.New("it was deleted at the target")

// sendMembers adds or removes members with one request, and returns those of whom it is known that
// they are added or removed. One who was deleted at the target keeps no other from being a member.
func (c *cycle) sendMembers(ctx context.Context, link *Link, op string, ids []string) (done []string, err error) {
	if op == "Remove" { // which comes first: it takes access away
		if done, err = c.tryMembers(ctx, link, op, ids); err == nil {
			_, err = c.missUnseen(ctx, ids)
		}
		return done, err
	}
	if c.Target.Traits().Forgiving { // others refuse whom they do not know
		gone, err := c.missUnseen(ctx, ids)
		if ids = without(ids, gone); err != nil || len(ids) == 0 {
			return nil, err
		}
	}
	return c.tryMembers(ctx, link, op, ids)
}

// tryMembers is sendMembers where the target says when it does not know a member.
func (c *cycle) tryMembers(ctx context.Context, link *Link, op string, ids []string) (done []string, err error) {
	err = c.changeAtTarget(ctx, link, op, ids)
	if err == nil {
		return ids, nil
	}
	if !isRefusal(err) {
		return nil, err
	}
	group, look := c.at(ctx, Group, link.TargetID)
	switch {
	case stops(look) != nil:
		return nil, look
	case look == nil && group == nil:
		return nil, errVanished
	case look != nil && isNotFound(err): // who is a member of what is not there, says nothing
		return nil, look
	}
	gone, look := c.vanished(ctx, User, ids)
	if stop := stops(look); stop != nil {
		return nil, stop
	}
	if kept := c.missMembers(ctx, gone); kept != nil {
		return nil, errors.Join(err, kept)
	}
	rest := without(ids, gone)
	if len(gone) > 0 {
		if err = nil; len(rest) > 0 {
			err = c.changeAtTarget(ctx, link, op, rest)
		}
	}
	done = rest
	if isRefusal(err) {
		done, err = c.changeSingly(ctx, link, op, rest, err)
	} else if err != nil {
		done = nil
	}
	if op == "Remove" { // who is not there is no member
		done = append(done, gone...)
	}
	return done, err
}

// missUnseen misses those of a few users who are not at the target any more, where the target may
// not say so when it is told of them. Many are not worth a request each.
func (c *cycle) missUnseen(ctx context.Context, ids []string) (gone []string, err error) {
	if c.result.Initial || len(ids) > fewObjects {
		return nil, nil
	}
	var unseen []string
	c.mu.Lock()
	for _, id := range ids {
		if !c.seen[id] {
			unseen = append(unseen, id)
		}
	}
	c.mu.Unlock()
	if gone, err = c.vanished(ctx, User, unseen); stops(err) != nil {
		return nil, err
	}
	if err == nil { // whoever is there has not to be asked for again in this cycle
		c.mu.Lock()
		for _, id := range without(unseen, gone) {
			c.seen[id] = true
		}
		c.mu.Unlock()
	}
	return gone, c.missMembers(ctx, gone)
}

// lose notes that an object is not at the target any more under the id that it had there.
func (c *cycle) lose(ref Ref, id string) {
	c.mu.Lock()
	c.lost[ref] = id
	c.seen[id] = true
	c.mu.Unlock()
	c.noteAway(Ref{ref.Kind, id})
}

// wasLost says whether an object was at the target until now, under an id; "" is any.
func (c *cycle) wasLost(ref Ref, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, lost := c.lost[ref]
	return lost && (id == "" || was == id)
}

// anew makes anew what was found deleted at the target, and brings the references to it along: its
// groups, its reports.
func (c *cycle) anew(ctx context.Context, watermark string) error {
	for range maxRounds {
		c.mu.Lock()
		missed := c.missed
		c.missed = nil
		c.mu.Unlock()
		if len(missed) == 0 {
			return nil
		}
		changes, err := c.Source.Changes(ctx, watermark, missed)
		if err != nil {
			return fmt.Errorf("read the source: %w", err)
		}
		if err := c.again(ctx, missed, changes); err != nil {
			return err
		}
	}
	return nil
}

// again is a round for some objects. What else has changed meanwhile waits for the next cycle,
// which weighs how much would be deleted.
func (c *cycle) again(ctx context.Context, missed []Ref, changes Changes) error {
	wanted := map[Ref]bool{}
	for _, ref := range missed {
		wanted[ref] = true
	}
	users, e1 := c.evaluate(ctx, changes.Users)
	groups, e2 := c.evaluate(ctx, changes.Groups)
	if err := errors.Join(e1, e2); err != nil {
		return err
	}
	users = only(users, func(o candidate) bool { return wanted[o.Ref] })
	groups = only(groups, func(o candidate) bool {
		return wanted[o.Ref] || (o.inScope && slices.ContainsFunc(o.Members, func(id string) bool {
			return wanted[Ref{User, id}]
		}))
	})
	c.total += len(users) + len(groups)
	c.there = map[Kind]*roster{} // they are as they were when the cycle began
	for _, phase := range []func() error{
		func() error { return c.provisionAll(ctx, users) },
		func() error { return c.managers(ctx, users) },
		func() error { return c.provisionAll(ctx, groups) },
		func() error { return announced(ctx, c, c.workers(), c.withMembers(groups), c.planMembers, c.members) },
	} {
		if err := phase(); err != nil {
			return err
		}
	}
	return nil
}
