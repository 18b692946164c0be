package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/scim"
)

// Historian is a Memory that can say more of what it has no link of any more.
type Historian interface {
	// Remembers returns those of the objects that were provisioned once, or that the source once
	// had.
	Remembers(ctx context.Context, refs []Ref) (map[Ref]bool, error)
}

// orphans are the objects of a kind at the target that have one of our externalIds, and that no
// link knows: they were created by a request whose answer nobody remembers, and belong to somebody
// who is gone, out of scope or disabled. They become links, to be disabled or deleted like any
// other. What has an externalId that was never ours is left alone.
func (c *cycle) orphans(ctx context.Context, kind Kind, there *roster) ([]candidate, error) {
	m := c.Mappings.of(kind)
	if there == nil || m == nil || !m.Maps(externalID) {
		return nil, nil
	}
	var unknown []Ref
	found := map[Ref]scim.Resource{}
	for _, id := range slices.Sorted(maps.Keys(there.byID)) {
		ref := Ref{kind, there.byID[id].String(externalID)}
		if ref.ID == "" {
			continue
		}
		_, err := c.Memory.Owner(ctx, kind, id)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrUnknown) {
			return nil, err
		}
		if link, err := c.Memory.Link(ctx, ref); err == nil && link.TargetID != "" {
			continue // it is linked to another one, which an administrator must decide about
		} else if err != nil && !errors.Is(err, ErrUnknown) {
			return nil, err
		}
		unknown = append(unknown, ref)
		found[ref] = there.byID[id]
	}
	return c.adoptOrphans(ctx, unknown, found)
}

func (c *cycle) adoptOrphans(ctx context.Context, unknown []Ref, found map[Ref]scim.Resource) (
	list []candidate, err error,
) {
	if len(unknown) == 0 {
		return nil, nil
	}
	once := map[Ref]bool{}
	if h, ok := c.Memory.(Historian); ok {
		if once, err = h.Remembers(ctx, unknown); err != nil {
			return nil, err
		}
	}
	for _, ref := range unknown {
		x, err := c.Source.Object(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("read the source: %w", err)
		}
		o := evaluate(ctx, x, c.Mappings.of(ref.Kind))
		link := Link{Ref: ref, TargetID: found[ref].String("id"), Sent: c.mapped(o, found[ref])}
		ours := once[ref]
		if !x.Gone {
			id, err := o.mapping.Value(ctx, externalID, x.Attributes)
			ours = err == nil && id == ref.ID
		}
		controlled := c.Careful && ref.Kind == Group && strings.HasPrefix(link.Sent["displayName"], controlTower)
		if action := c.plan(o, link).action; !ours || controlled || (action != Disable && action != Delete) {
			continue
		}
		if o.Name == "" {
			o.Name = ref.ID
		}
		if err := c.keep(ctx, link); err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// mapped is what a resource of the target has of an object's mapping, members apart: what is mapped
// is ours, whenever it was sent.
func (c *cycle) mapped(o candidate, there scim.Resource) map[string]string {
	now := map[string]string{}
	for _, a := range o.mapping.Attributes {
		if v := valueAt(there, a.Target); v != "" && a.Target != membersPath {
			now[a.Target] = v
		}
	}
	return now
}

// retire takes the access of orphans, as long as there are not too many.
func (c *cycle) retire(ctx context.Context) error {
	if !c.Reread {
		return nil
	}
	var all []candidate
	for _, kind := range []Kind{User, Group} {
		list, err := c.orphans(ctx, kind, c.there[kind])
		if err != nil {
			return err
		}
		all = append(all, list...)
	}
	if c.MaxDeletions > 0 && len(all) > c.MaxDeletions {
		return &TooManyDeletesError{len(all), c.MaxDeletions}
	}
	for _, kind := range []Kind{User, Group} {
		there := c.there[kind]
		gone := map[string]bool{}
		list := only(all, func(o candidate) bool { return o.Kind == kind })
		for _, o := range list {
			link, err := c.Memory.Link(ctx, o.Ref)
			if err != nil {
				return err
			}
			gone[link.TargetID] = true
		}
		if err := c.provisionAll(ctx, list); err != nil {
			return err
		}
		if len(gone) > 0 && there != nil {
			there.drop(gone)
		}
	}
	return nil
}
