package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/scim"
)

// matchOrCreate looks for an object with a matching value and takes it over, or creates one. That
// makes a cycle that was interrupted between sending and remembering do the right thing the next
// time. Matching attributes are tried one after the other, until one finds something.
func (c *cycle) matchOrCreate(ctx context.Context, o candidate, link *Link, s step) (step, error) {
	unasked := ""
	for _, attribute := range o.keys() {
		found, asked, err := c.find(ctx, o.Kind, attribute, s.sent[attribute])
		if err == nil {
			found, err = c.withoutFreed(ctx, o, attribute, found)
		}
		switch {
		case err != nil:
			return s, err
		case len(found) > 1:
			return s, &duplicate{attribute, s.sent[attribute]}
		case len(found) == 1:
			return c.adopt(ctx, o, link, found[0], false)
		case !asked && unasked == "":
			unasked = attribute
		}
	}
	err := c.heldAway(o)
	if err != nil {
		return s, err
	}
	if s.sent, err = c.withFreeValues(ctx, o, s.sent); err != nil {
		return s, err
	}
	s.changes = difference(nil, s.sent)
	before := *link
	link.Members, link.Held = nil, nil // a group that is made anew gets all of them
	link.Former = ""
	done, err := c.create(ctx, o, link, s)
	if !isConflict(err) {
		return done, err
	}
	link.Members, link.Held = before.Members, before.Held
	link.Former = before.Former
	// It may be our own, by another name, or somebody has made it since the target was listed.
	there, again := c.findOwn(ctx, o, &Link{}, o.identity())
	if again == nil && there != nil && (c.Careful || o.sharesName(there)) {
		return c.adopt(ctx, o, link, there, false)
	}
	if unasked != "" { // what belongs to somebody else is not taken from them
		found, again := c.ask(ctx, o.Kind, unasked, s.sent[unasked])
		if again == nil {
			found, again = c.withoutFreed(ctx, o, unasked, found)
		}
		if again == nil && len(found) == 1 {
			return c.adopt(ctx, o, link, found[0], false)
		}
	}
	return done, err
}

// sharesName says whether an object at the target has one of the names that this one is found by.
// A tenant's job takes no other over, whoever's external id it has: whether it is the same person,
// somebody has to say. Entra ID matches by names too, and a conflict stays one. A synchronization
// of one's own goes by the external id, which nobody but it has written.
func (o candidate) sharesName(there scim.Resource) bool {
	return slices.ContainsFunc(o.keys(), func(path string) bool {
		return fold(valueAt(there, path)) == fold(o.creating[path])
	})
}

// create sends a creation. It is not sent again before the target was asked whether it has been
// carried out.
func (c *cycle) create(ctx context.Context, o candidate, link *Link, s step) (step, error) {
	wait := firstWait
	for try, waits := 1, 1; ; {
		var id string
		err := c.once(remembering(ctx, link), waits > patient, func() (err error) {
			id, err = c.Target.Create(ctx, o.Kind, s.sent)
			return err
		})
		if err == nil {
			c.accepted()
			if link.TargetID = id; id != "" {
				link.Sent = s.sent
				return s, nil
			}
			// Without it nothing could be changed or deleted later. The next cycle matches the
			// object.
			err = &scim.Problem{Status: http.StatusCreated, Detail: "the answer to the creation has no id"}
		}
		again := false
		var silent *scim.Unanswered
		switch {
		case stops(err) != nil || isPutOff(err):
		case throttled(err):
			again = waits < maxThrottled
			waits++
		case garbled(err) || misdirected(err) || !MayPass(err) || timedOut(err):
		default:
			again = try < maxTries && (try == 1 || !errors.As(err, &silent))
			try++
		}
		if uncertain(err) {
			link.Doubt = link.Doubt.doubted(c.Now(), Intent{Ref: o.Ref, Keys: o.identity()})
		}
		switch {
		case !again:
			return s, err
		case !uncertain(err):
			continue
		}
		if !throttled(err) { // for which the pace waits
			if err := c.wait(ctx, wait); err != nil {
				return s, err
			}
			wait *= 2
		}
		at := c.Now()
		there, err := c.findAgain(ctx, o, link)
		if err != nil {
			return s, err
		}
		if link.Doubt = link.Doubt.looked(at); there != nil {
			return c.adopt(ctx, o, link, there, !link.Adopted)
		}
	}
}

type duplicate struct{ attribute, value string }

func (d *duplicate) Error() string {
	return "the target has several objects whose " + d.attribute + " is " + d.value
}

// withoutFreed leaves out what belongs to another object of the source and has been given another
// value in this cycle: the target was listed before, or this is a dry run. It fails with taken when
// that object still has the value.
func (c *cycle) withoutFreed(
	ctx context.Context, o candidate, attribute string, found []scim.Resource,
) (left []scim.Resource, err error) {
	for _, r := range found {
		owner, err := c.Memory.Owner(ctx, o.Kind, r.String("id"))
		if errors.Is(err, ErrUnknown) && c.holdsThere(o.Kind, r.String("id")) {
			return nil, &taken{attribute, o.creating[attribute]}
		}
		if errors.Is(err, ErrUnknown) || (err == nil && owner == o.Ref) {
			left = append(left, r)
			continue
		}
		if err != nil {
			return nil, err
		}
		link, err := c.Memory.Link(ctx, owner)
		if err != nil {
			return nil, err
		}
		switch {
		case fold(link.Sent[attribute]) != fold(o.creating[attribute]):
		case link.Left.IsZero() || c.stays(link) || c.holdsBack(owner):
			return nil, &taken{attribute, o.creating[attribute]}
		default:
			given, err := c.givenOn(ctx, link, attribute, o)
			if err == nil && !given {
				err = &taken{attribute, o.creating[attribute]}
			}
			if err == nil {
				err = errors.Join(c.endGrace(ctx, link, attribute, o)) // a refusal is why the name is not free
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return left, nil
}

// givenOn says whether the source has given a value of somebody who has left to somebody else:
// whoever is back keeps the account, and so does whoever still has the value there.
func (c *cycle) givenOn(ctx context.Context, link Link, attribute string, to candidate) (bool, error) {
	x, err := c.Source.Object(ctx, link.Ref)
	if err != nil {
		return false, fmt.Errorf("read the source: %w", err)
	}
	o := evaluate(ctx, x, c.Mappings.of(link.Kind))
	if o.Gone || o.Deleted || o.isBack() {
		return !o.isBack(), nil
	}
	has, known := o.atSource(ctx, link)
	return known && fold(has[attribute]) != fold(to.creating[attribute]), nil
}

// isBack says whether somebody who had left is to be at the target again.
func (o candidate) isBack() bool { return o.inScope && o.Active }

// endGrace deletes a user who has left, since somebody else has that name now. refused is why the
// target has not; then the user is as before.
func (c *cycle) endGrace(
	ctx context.Context, link Link, attribute string, o candidate,
) (refused, err error) {
	id := link.TargetID
	refused = c.send(ctx, &link, Intent{}, func() error { return c.Target.Delete(ctx, link.Kind, id) })
	if isNotFound(refused) {
		refused = c.isGone(ctx, link, refused)
	}
	if stop := stops(refused); stop != nil {
		return nil, stop
	}
	if refused != nil {
		return refused, c.keep(ctx, link)
	}
	c.lose(link.Ref, id)
	gone := candidate{Object: Object{Ref: link.Ref, Name: link.Sent[attribute]}}
	e := c.entry(gone, id, step{action: Delete, reason: "has left, and " + o.Name + " has the name now"}, nil, 0)
	c.tell(e)
	return nil, c.forget(ctx, link.Ref, e)
}

// claim says whether an object may be linked to one at the target that has no link: two who have
// swapped their names, or a creation without an answer, may be looked at side by side.
func (c *cycle) claim(ref Ref, id string) bool {
	if c.main != nil {
		return c.main.claim(ref, id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := Ref{ref.Kind, id}
	if by, claimed := c.finders[at]; claimed && by != ref {
		return false
	}
	if c.finders == nil {
		c.finders = map[Ref]Ref{}
	}
	c.finders[at] = ref
	return true
}

// taken means that the object that matches is another source object's.
type taken struct{ attribute, value string }

func (t *taken) Error() string {
	return "the object at the target whose " + t.attribute + " is " + t.value +
		" belongs to another object of the source"
}

// notOurs means that an object is at the target which a careful engine must not touch.
type notOurs struct{ what, name, remedy string }

func (n *notOurs) Error() string {
	return "the target already has " + n.what + " " + n.name + ", which was not created from this source; " + n.remedy
}

// controlTower begins the names of the groups that AWS Control Tower makes and needs. Source: AWS
// Control Tower, "IAM Identity Center groups".
const controlTower = "AWS"

// adopt takes an existing object over: what differs from what is wanted is sent. own says that it
// is known to be ours, without an external id.
func (c *cycle) adopt(
	ctx context.Context, o candidate, link *Link, found scim.Resource, own bool,
) (step, error) {
	there := map[string]string{}
	for path := range o.creating {
		if v := valueAt(found, path); v != "" {
			there[path] = v
		}
	}
	ours := own || (o.creating[externalID] != "" && there[externalID] == o.creating[externalID])
	wanted := o.withoutFreeValues(found)
	s := step{action: Update, changes: difference(there, wanted), sent: wanted, reason: "taken over"}
	what := strings.ToLower(string(o.Kind))
	switch {
	case ours:
		s.reason = "found again"
	case c.Careful && o.Kind == Group && strings.HasPrefix(found.String("displayName"), controlTower):
		return s, &notOurs{
			what, o.Name,
			"Gatehouse never changes groups of AWS Control Tower: rename the group at the source, or remove it " +
				"from scope",
		}
	case c.Careful && !c.Adopt:
		return s, &notOurs{
			what, o.Name, "review the difference, then adopt it with --adopt, or remove it from scope",
		}
	}
	if !c.claim(o.Ref, found.String("id")) {
		return s, &taken{"id", found.String("id")}
	}
	link.TargetID = found.String("id")
	link.Sent = there
	link.Adopted = !ours
	if err := c.heldOff(o, link); err != nil {
		return s, err
	}
	if len(s.changes) == 0 {
		s.action, s.reason = Other, "RedundantExport"
	} else if err := c.update(ctx, link, s.changes); err != nil {
		return s, err
	}
	link.Sent = maps.Clone(s.sent)
	if manager := valueAt(found, managerPath); manager != "" {
		link.Sent[managerPath] = manager
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found[o.Ref] = true; o.Kind == User && link.Failure != "" && !c.Reread && !c.KeepStrangers {
		c.latecomers = append(c.latecomers, o.Ref)
	}
	return s, nil
}
