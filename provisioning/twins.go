package provisioning

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// dropLate deletes what is at the target since a request was carried out late, when none can be
// under way any longer: a second one of an object that is found, or what was deleted before, which
// a service that only disables has enabled again.
func (c *cycle) dropLate(ctx context.Context, o candidate, link *Link, found bool) error {
	for _, id := range link.Doubt.Deleted {
		if err := c.dropDeleted(ctx, o, link, id); err != nil {
			return err
		}
	}
	if !found {
		return nil
	}
	return c.dropTwins(ctx, o, link)
}

// dropDeleted deletes an object once more that was deleted before and has access.
func (c *cycle) dropDeleted(ctx context.Context, o candidate, link *Link, id string) error {
	_, err := c.Memory.Owner(ctx, o.Kind, id)
	if !errors.Is(err, ErrUnknown) { // somebody has taken it over since
		return err
	}
	if off, err := c.isOffThere(ctx, Ref{o.Kind, id}); off || err != nil {
		return err
	}
	done := step{action: Delete, reason: "a request that was carried out late has brought it back"}
	err = c.send(ctx, link, Intent{}, func() error { return c.Target.Delete(ctx, o.Kind, id) })
	if err = c.unlessOff(ctx, Ref{o.Kind, id}, err); err != nil {
		return err
	}
	return c.say(ctx, c.entry(o, id, done, nil, 0))
}

// unlessOff is why an object at the target could not be deleted or disabled; nil when it has no
// access there. A proxy in between may say that it is not found, and has passed nothing on.
func (c *cycle) unlessOff(ctx context.Context, at Ref, failed error) error {
	switch {
	case !isNotFound(failed):
		return failed
	case !misdirected(failed):
		return nil
	}
	if off, err := c.isOffThere(ctx, at); off || err != nil {
		return err
	}
	return failed
}

// isOffThere says whether an object has no access at the target, or is not there.
func (c *cycle) isOffThere(ctx context.Context, at Ref) (bool, error) {
	var there scim.Resource
	err := c.retry(ctx, func() (err error) {
		there, err = c.Target.Get(ctx, at.Kind, at.ID)
		return err
	})
	switch {
	case misdirected(err): // it is the target's word if the target is there
		err = c.test(ctx)
		return err == nil, err
	case isNotFound(err):
		return true, nil
	}
	return err == nil && isOff(there), err
}

// isOff says whether somebody is disabled at the target.
func isOff(there scim.Resource) bool { return strings.EqualFold(valueAt(there, activePath), "false") }

// dropTwins deletes what was made twice. A creation that had no answer was sent again, and the
// first one was carried out after all, when the object had another name by then. Nobody knows the
// second account, and it would stay when the person leaves. Only what has the object's external id,
// or none where the target keeps none, and was made since, is taken for a twin.
func (c *cycle) dropTwins(ctx context.Context, o candidate, link *Link) error {
	for _, keys := range link.Doubt.Keys {
		for _, attribute := range append([]string{externalID}, o.mapping.Matching()...) {
			if keys[attribute] == "" {
				continue
			}
			found, err := c.search(ctx, o.Kind, attribute, keys[attribute])
			if isUnsearched(err) {
				continue
			}
			if err != nil {
				return err
			}
			for _, there := range found {
				if err := c.dropTwin(ctx, o, link, there, keys[externalID]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *cycle) dropTwin(ctx context.Context, o candidate, link *Link, there scim.Resource, external string) error {
	id := there.String("id")
	_, err := c.Memory.Owner(ctx, o.Kind, id)
	since, unsaid := madeSince(there, link.Doubt), there.Object("meta").String("created") == ""
	if there.String(externalID) != "" {
		since = there.String(externalID) == external && (since || unsaid)
	}
	switch {
	case err == nil, id == link.TargetID, !since:
		return nil
	case !errors.Is(err, ErrUnknown):
		return err
	}
	done := step{action: Delete, reason: "it was made twice: the first request was carried out late"}
	end := func() error { return c.Target.Delete(ctx, o.Kind, id) }
	if o.mapping.Flows&mapping.Delete == 0 { // nothing is deleted
		if o.disabled == "" || valueAt(there, activePath) == o.disabled {
			return nil
		}
		done.action = Disable
		done.changes = []Change{{activePath, valueAt(there, activePath), o.disabled}}
		end = func() error { return c.Target.Update(ctx, o.Kind, id, done.changes, c.mapped(o, there)) }
	}
	if err := c.unlessOff(ctx, Ref{o.Kind, id}, c.send(ctx, link, Intent{}, end)); err != nil {
		return err
	}
	if done.action == Delete {
		c.noteAway(Ref{o.Kind, id})
	}
	return c.say(ctx, c.entry(o, id, done, nil, 0))
}
