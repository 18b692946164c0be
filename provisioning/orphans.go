package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/scim"
)

// Claim is an object at the target whose external id is that of an object of the source, and that
// no link knows.
type Claim struct {
	Ref
	TargetID string
}

// Past is what a memory knows of a claim.
type Past uint8

// The pasts.
const (
	Unknown   Past = iota
	Seen           // the source had the object once
	Written        // it has written the object at the target
	TakenOver      // the same, and the object was there before
	Others         // another job of the same source has a link to it
)

// Historian is a Memory that can say more of what it has no link of any more. What it cannot say is
// Unknown.
type Historian interface {
	Remembers(ctx context.Context, claims []Claim) (map[Ref]Past, error)
}

// orphans are the objects of a kind at the target that have one of our externalIds, and that no
// link knows: they were created by a request whose answer nobody remembers, and belong to somebody
// who is gone, out of scope or disabled. Those that the memory has written become links, to be
// disabled or deleted like any other. The others may be those of another job or synchronization
// that has the same source: they are reported, and taken over with Adopt where somebody has asked
// for the comparison.
func (c *cycle) orphans(ctx context.Context, kind Kind, there *roster) ([]orphan, error) {
	m := c.Mappings.of(kind)
	if there == nil || m == nil || !m.Maps(externalID) {
		return nil, nil
	}
	var claims []Claim
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
		claims = append(claims, Claim{ref, id})
		found[ref] = there.byID[id]
	}
	return c.adoptOrphans(ctx, claims, found)
}

// orphan is one of them that is to be disabled or deleted, with the link that it gets.
type orphan struct {
	candidate
	link  Link
	known bool // it has that: the memory has written it
}

func (c *cycle) adoptOrphans(ctx context.Context, claims []Claim, found map[Ref]scim.Resource) (
	list []orphan, err error,
) {
	past := map[Ref]Past{}
	if h, ok := c.Memory.(Historian); ok && len(claims) > 0 {
		if past, err = h.Remembers(ctx, claims); err != nil {
			return nil, err
		}
	}
	var strange, later []candidate
	for _, claim := range claims {
		x, err := c.Source.Object(ctx, claim.Ref)
		if err != nil {
			return nil, fmt.Errorf("read the source: %w", err)
		}
		o := evaluate(ctx, x, c.Mappings.of(claim.Kind))
		link := Link{Ref: claim.Ref, TargetID: claim.TargetID, Sent: c.mapped(o, found[claim.Ref])}
		ofSource := past[claim.Ref] == Seen
		if !x.Gone {
			id, err := o.mapping.Value(ctx, externalID, x.Attributes)
			ofSource = err == nil && id == claim.ID
		}
		if o.Name == "" {
			o.Name = claim.ID
		}
		controlled := c.Careful && claim.Kind == Group && strings.HasPrefix(link.Sent["displayName"], controlTower)
		ours := past[claim.Ref] == Written || past[claim.Ref] == TakenOver
		link.Adopted = past[claim.Ref] != Written
		switch action := c.plan(o, link).action; {
		case controlled || past[claim.Ref] == Others:
			continue
		case !ours && !ofSource:
			if c.Restored { // it may have been made after the backup
				later = append(later, o)
			}
			continue
		case !ours && (!c.Adopt || c.Unasked):
			link.Adopted = false
			if action = c.plan(o, link).action; action == Disable || action == Delete {
				strange = append(strange, o)
			}
			continue
		case action != Disable && action != Delete:
			continue
		}
		// Others are taken over with the removal: who is held back may be let be.
		if ours {
			if err := c.keep(ctx, link); err != nil {
				return nil, err
			}
		}
		list = append(list, orphan{o, link, ours})
	}
	return list, errors.Join(c.reportStrange(ctx, strange, found), c.reportLater(ctx, later, found))
}

// reportLater says what is at the target that nobody knows here, where memory and source may have
// been restored from a backup. The two sides are not known to be equal until an administrator has
// disabled or deleted it.
func (c *cycle) reportLater(ctx context.Context, later []candidate, found map[Ref]scim.Resource) error {
	for i, o := range later {
		if i == fewObjects {
			break
		}
		reason := unknownThere
		if more := len(later) - fewObjects; more > 0 && i == fewObjects-1 {
			reason += names.Counted(" (and %d more {object|objects})", more)
		}
		e := c.entry(o, found[o.Ref].String("id"), step{action: Other, code: notAdopted, reason: reason}, nil, 0)
		c.tell(e)
		link := Link{Ref: o.Ref, Failure: reason, Wants: noName, Tries: manyTries, RetryAt: c.Now().Add(maxEscrow)}
		if err := c.keep(ctx, link, e); err != nil {
			return err
		}
	}
	return nil
}

// unknownThere is what the link remembers of it.
const unknownThere = "it is at the target, with the external id of something that the source does not have; " +
	"it may have been made since the backup from which the source was restored: disable or delete it at the target"

// isStillThere says why something that the source does not know is still a failure.
func (c *cycle) isStillThere(ctx context.Context, o candidate, before Link) error {
	if before.TargetID != "" || !strings.HasPrefix(before.Failure, unknownThere) || o.isBack() {
		return nil
	}
	found, err := c.search(ctx, o.Kind, externalID, o.ID)
	if isUnsearched(err) {
		var all *roster
		all, err = c.readRoster(ctx, o.Kind, wantedValues{externalID: {fold(o.ID): true}}, math.MaxInt)
		found = all.matching(externalID, o.ID)
	}
	there := func(r scim.Resource) bool { return r.String(externalID) == o.ID && !isOff(r) }
	if errors.Is(err, ErrNoPages) || slices.ContainsFunc(found, there) {
		return &unfit{notAdopted, before.Failure}
	}
	return err
}

// manyTries is after how many something is tried once a day only.
const manyTries = 12 //bound:none of a comparison

// reportStrange says what is at the target, of people and groups who should not be there, and left
// alone.
func (c *cycle) reportStrange(ctx context.Context, strange []candidate, found map[Ref]scim.Resource) error {
	for i, o := range strange {
		if i == fewObjects {
			break
		}
		remedy := "if nothing else provisions it, disable or delete it at the target"
		if c.Careful {
			remedy = "if nothing else provisions it, take it over with --repair --adopt"
		}
		reason := "it is at the target, though not to be, and nobody remembers that it was made from here; " + remedy
		if more := len(strange) - fewObjects; more > 0 && i == fewObjects-1 {
			reason += names.Counted(" (and %d more {object|objects})", more)
		}
		id := found[o.Ref].String("id")
		e := c.entry(o, id, step{action: Other, code: notAdopted, reason: reason}, nil, 0)
		c.tell(e)
		if err := c.keepEntry(ctx, o.Ref, e); err != nil {
			return err
		}
	}
	return nil
}

// keepEntry keeps an entry about something that need not have a link.
func (c *cycle) keepEntry(ctx context.Context, ref Ref, e Entry) error {
	link, err := c.Memory.Link(ctx, ref)
	switch {
	case errors.Is(err, ErrUnknown):
		return c.forget(ctx, ref, e) // there is nothing but the entry to be kept
	case err != nil:
		return err
	}
	return c.keep(ctx, link, e)
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
	links := map[Ref]Link{} // that are not kept yet
	for _, kind := range []Kind{User, Group} {
		list, err := c.orphans(ctx, kind, c.there[kind])
		if err != nil {
			return err
		}
		for _, o := range list {
			all = append(all, o.candidate)
			if !o.known {
				links[o.Ref] = o.link
			}
		}
	}
	if c.tooMany(len(all)) {
		return c.holdBack(ctx, all, links)
	}
	for _, link := range links {
		if err := c.keep(ctx, link); err != nil {
			return err
		}
	}
	if err := c.letThrough(ctx, all); err != nil {
		return err
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
