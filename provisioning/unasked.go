package provisioning

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Where nothing is known of a target, the first cycle compares everything although nobody has asked
// for it: whoever has left while nobody looked loses the access. What an administrator of the
// target has done by hand, or another job, is left alone.

// heldOff keeps from being enabled who is disabled at the target although the memory says that they
// were enabled there, as where a source was restored from a backup and they have left since. Nobody
// has asked for the comparison that finds them; somebody must for them: by a comparison that is
// asked for, on demand, or by a change of the source that disables and enables them.
func (c *cycle) heldOff(o candidate, now *Link) error {
	if o.off && now.TargetID != "" && strings.EqualFold(now.Sent[activePath], "false") && o.disabled != "" {
		now.HeldOff = true
		return &unfit{"DisabledAtTarget", disabledThere + c.remedy(userOnDemand, "enable them")}
	}
	return nil
}

// heldAway is heldOff for who was deleted at the target, and is not made anew. Whoever is there
// under another id is linked instead: they may have to be disabled one day.
func (c *cycle) heldAway(o candidate) error {
	if o.away {
		return &unfit{"DeletedAtTarget", deletedThere + c.remedy(userOnDemand, "make them anew")}
	}
	return nil
}

// holds returns a person with what is held of them, by what was remembered before.
func (c *cycle) holds(o candidate, before Link) candidate {
	if o.Kind != User || c.doubts || c.asked() || (!o.isBack() && !o.unjudged) {
		return o
	}
	active := !strings.EqualFold(before.Sent[activePath], "false")
	older := c.Restored && before.TargetID != ""
	// An earlier release remembered only why.
	said := strings.HasPrefix(before.Failure, deletedThere) || strings.HasPrefix(before.Failure, disabledThere)
	o.away = before.HeldOff || said || (older && active)
	// A request that was under way may have made, or enabled, whoever was disabled since.
	o.off = o.away || (c.Restored && before.Doubt != nil)
	return o
}

// disabledThere begins why somebody is not enabled, and deletedThere why somebody is not made anew.
const (
	disabledThere = "the target has disabled this user since the job last wrote it, or what the job remembers " +
		"is older: "
	deletedThere = "the target has deleted this user since the job last wrote it, or what the job remembers is " +
		"older: "
)

const userOnDemand = "provision the user on demand"

// remedy says how what is held is given back: by a tenant's job, or else on demand; or by a
// synchronization of one's own.
func (c *cycle) remedy(onDemand, what string) string {
	switch {
	case c.Careful && c.Restored && c.Reread && !c.Unasked && !c.Routine: // that is how it was run
		return "nothing is given back before this was said: run sync with --repair --give-back again to " + what
	case c.Careful:
		return "run sync with --repair --give-back to " + what
	}
	return "restart provisioning, or " + onDemand + ", to " + what
}

// strangers are those members of a group whom an unasked comparison leaves alone: in a group that
// is of this source, those who are not. In any other, all are.
func (c *cycle) strangers(ctx context.Context, link Link, members []string) (list []string, err error) {
	for _, id := range members {
		_, err := c.Memory.Owner(ctx, User, id)
		switch {
		case err != nil && !errors.Is(err, ErrUnknown):
			return nil, err
		case err != nil || link.Adopted:
			list = append(list, id)
		}
	}
	return list, nil
}

// rolls are which users that have links are in which group, by their ids at a target that does not
// list members.
type rolls struct {
	mu      baton
	asked   bool
	refused bool                // it does not say
	failed  error               // nobody could be asked
	users   map[string]bool     // whose groups it has said, all of them
	of      map[string][]string // group → users
	used    map[string]bool     // groups that were compared, and may have changed since
}

// linkedMembers are the members of a group that have links, where everything is compared with a
// target that does not list members, as AWS: it is asked for the groups of each user, once in a
// cycle. unsure are those of a list, and of the members that were sent, of whom it has not said all
// groups. told is false where it does not say which groups users are in.
func (c *cycle) linkedMembers(
	ctx context.Context, group Link, list []string,
) (ids, unsure []string, told bool, err error) {
	if !c.Reread || c.KeepStrangers || (c.Unasked && group.Adopted) { // others whom it may have are kept
		return nil, nil, false, nil
	}
	r := &c.rolls
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked {
		if r.failed = c.callRolls(ctx); stops(r.failed) != nil {
			return nil, nil, false, r.failed
		}
		r.asked = true
	}
	if r.failed != nil || r.refused {
		return nil, nil, false, r.failed
	}
	again := r.used[group.TargetID]
	r.used[group.TargetID] = true
	if !again {
		ids = slices.Clone(r.of[group.TargetID])
	}
	for _, id := range slices.Concat(list, without(group.Members, list)) {
		if again || (!r.users[id] && !slices.Contains(ids, id)) {
			unsure = append(unsure, id)
		}
	}
	return ids, unsure, true, nil
}

// callRolls asks for the groups of each user: one request for each, and one more for each further
// page. Of whom the target does not say them, nothing is known.
func (c *cycle) callRolls(ctx context.Context) error {
	r := &c.rolls
	r.users, r.of = map[string]bool{}, map[string][]string{}
	r.used = map[string]bool{}
	refs, err := c.Memory.Known(ctx)
	if err != nil {
		return err
	}
	refs = slices.DeleteFunc(refs, func(ref Ref) bool { return ref.Kind != User })
	nobodys, err := c.search(ctx, Group, groupsOf, c.NewID())
	switch {
	case len(nobodys) > 0, isUnsearched(err): // it ignores the question, and would put everybody into each group
		r.refused = true
		return nil
	case err != nil && !errors.Is(err, ErrNoPages):
		return err
	}
	var mu sync.Mutex
	err = each(ctx, c.workers(), refs, func(ctx context.Context, ref Ref) error {
		id, err := c.target(ctx, ref)
		if err != nil || id == "" {
			return err
		}
		groups, err := c.search(ctx, Group, groupsOf, id)
		if stops(err) != nil || isRefusal(err) {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, g := range groups {
			r.of[g.String("id")] = append(r.of[g.String("id")], id)
		}
		if r.users[id] = err == nil; err == nil {
			return nil
		}
		return c.tellGroupsUnread(ctx, ref, id, err)
	})
	if r.refused = isRefusal(err); r.refused {
		return nil
	}
	return err
}

// tellGroupsUnread says that the target does not give the groups of a person, or only some of them:
// in others they may be, though they should not.
func (c *cycle) tellGroupsUnread(ctx context.Context, ref Ref, id string, err error) error {
	reason := "the target gives only some of the groups of this person: look there whether there are memberships " +
		"that should not be"
	if !errors.Is(err, ErrNoPages) {
		reason = "the target does not give the groups of this person: " + err.Error()
	}
	if MayPass(err) {
		c.mu.Lock()
		c.result.Silent, c.result.SilentAt = err, time.Now()
		c.mu.Unlock()
	}
	return c.say(ctx, Entry{
		Time: c.Now(), Cycle: c.result.Cycle, Ref: ref, Name: c.named([]string{id})[0], TargetID: id,
		Action: Other, Outcome: Skipped, Code: "GroupsUnread", Reason: reason,
	})
}
