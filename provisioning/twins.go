package provisioning

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// dropTwins deletes what was made twice. A creation that had no answer was sent again, and the
// first one was carried out after all, when the object had another name by then. Nobody knows the
// second account, and it would stay when the person leaves. Only what has the object's external id,
// and was made since, is taken for a twin.
func (c *cycle) dropTwins(ctx context.Context, o candidate, link *Link) error {
	for _, keys := range link.Doubt.Keys {
		if keys[externalID] == "" {
			continue
		}
		for _, attribute := range append([]string{externalID}, o.mapping.Matching()...) {
			if keys[attribute] == "" {
				continue
			}
			found, err := c.ask(ctx, o.Kind, attribute, keys[attribute])
			if c.unsearched(ctx, o.Kind, attribute, err) {
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
	told := there.Object("meta").String("created") != ""
	switch {
	case err == nil, id == link.TargetID, there.String(externalID) != external, told && !madeSince(there, link.Doubt):
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
	if err := c.send(ctx, link, nil, end); err != nil && !isNotFound(err) {
		return err
	}
	if done.action == Delete {
		c.noteAway(Ref{o.Kind, id})
	}
	return c.say(ctx, c.entry(o, id, done, nil, 0))
}
