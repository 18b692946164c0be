package provisioning

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/scim"
)

// roster is what a target has of one kind, read in pages where asking for each object that may be
// there takes more requests. It answers for the matching attributes of the objects that are to be
// matched; what is not among them is not kept, unless everything is to be compared.
type roster struct {
	matched map[string]map[string][]scim.Resource // attribute → folded value
	byID    map[string]scim.Resource              // when everything is to be compared
	missing int                                   // how many were not given, as far as that is known
}

// fold is how targets compare the matching attributes: ignoring letter case (RFC 7643, 4.1:
// userName is not case-exact).
func fold(s string) string { return names.Fold(s) }

const (
	rosterPage = 100 // what is asked for; targets may give less
	fewObjects = 10  //bound:none that are cheaper to ask for one at a time
)

// wantedValues are the values to match by, folded, of each matching attribute.
type wantedValues map[string]map[string]bool

// readRoster reads what the target has of a kind, if that is cheaper than to ask for objects, one
// at a time. It is nil where it is not; it fails with ErrNoPages where the target does not list:
// then it is asked for each object. Where everything is to be compared, a listing that may succeed
// another time fails.
func (c *cycle) readRoster(ctx context.Context, kind Kind, wanted wantedValues, objects int) (*roster, error) {
	if objects <= fewObjects && !c.Reread {
		return nil, nil
	}
	found := &roster{matched: map[string]map[string][]scim.Resource{}, byID: map[string]scim.Resource{}}
	for attribute := range wanted {
		found.matched[attribute] = map[string][]scim.Resource{}
	}
	read := reading{}
	page := Page{}
	for pages, from := 1, ""; ; pages++ {
		var err error
		unsure := page.Unsure
		if page, err = c.page(ctx, kind, from, unsure); c.Reread && refusesToSay(err) {
			page, err = c.pageAgain(ctx, kind, from, unsure)
		}
		p := new(scim.Problem)
		switch {
		case errors.As(err, &p) && stops(err) == nil && (!c.Reread || !MayPass(err)):
			return nil, ErrNoPages
		case err != nil:
			return nil, err
		}
		if err := read.add(page); err != nil {
			return nil, err
		}
		found.add(page.Resources, wanted, c.Reread)
		if from = page.Next; from == "" {
			found.missing = read.missing()
			return found, nil
		}
		if n := len(page.Resources); n > 0 && !c.Reread && max(pages, page.Total/n) > objects {
			return nil, nil
		}
	}
}

// tellStrangers says who is in a group that somebody else has put there.
func (c *cycle) tellStrangers(ctx context.Context, o candidate, link Link, ids []string) {
	c.tell(c.entry(o, link.TargetID, step{
		action: Other,
		code:   "StrangersInGroup",
		reason: "kept, though not from this source: " + c.few(ctx, ids),
	}, nil, 0))
}

// page asks the target for a page of what it has. unsure is that of the page before.
func (c *cycle) page(ctx context.Context, kind Kind, from string, unsure bool) (page Page, err error) {
	err = c.retry(ctx, func() (err error) {
		page, err = c.Target.Page(ctx, kind, from)
		return err
	})
	if unsure && isNoPage(err) {
		return Page{}, nil
	}
	return page, err
}

// pageAgain is page where it was refused, and everything is to be compared: as with a search, one
// refusal does not say that the target does not list.
func (c *cycle) pageAgain(ctx context.Context, kind Kind, from string, unsure bool) (Page, error) {
	err := c.knock(ctx)
	if refusesToSay(err) {
		return Page{}, &contradiction{"a list of its " + string(kind) + "s", "nor anybody by name: " + err.Error()}
	}
	if err != nil {
		return Page{}, err
	}
	return c.page(ctx, kind, from, unsure)
}

// isNoPage says whether a target answers so to a number that is beyond the end of what it has.
func isNoPage(err error) bool {
	return errors.As(err, new(*scim.Problem)) && stops(err) == nil && !throttled(err)
}

func (r *roster) add(page []scim.Resource, wanted wantedValues, all bool) {
	for _, x := range page {
		if all {
			r.byID[x.String("id")] = x
		}
		for attribute, values := range wanted {
			key := fold(valueAt(x, attribute))
			again := func(o scim.Resource) bool { return o.String("id") == x.String("id") } // it moved meanwhile
			if values[key] && !slices.ContainsFunc(r.matched[attribute][key], again) {
				r.matched[attribute][key] = append(r.matched[attribute][key], x)
			}
		}
	}
}

// drop leaves out objects that were deleted since they were listed.
func (r *roster) drop(ids map[string]bool) {
	gone := func(x scim.Resource) bool { return ids[x.String("id")] }
	for _, values := range r.matched {
		for key, list := range values {
			values[key] = slices.DeleteFunc(list, gone)
		}
	}
}

// UnlistedError means that a target did not list what it has, so that nothing was compared. All
// else was done.
type UnlistedError struct{ Err error }

func (e *UnlistedError) Error() string {
	return "list what the target has, to compare with it: " + e.Err.Error()
}

// Unwrap returns the target's answer.
func (e *UnlistedError) Unwrap() error { return e.Err }

// rosters reads what is needed to match the objects that are not linked yet, or to compare all of
// them. A cycle whose comparison fails does all else, and says in the end that it has failed.
func (c *cycle) rosters(ctx context.Context, s survey) (err error) {
	for kind, values := range s.wanted {
		if c.Mappings.of(kind) == nil {
			continue
		}
		if c.there[kind], err = c.readRoster(ctx, kind, values, s.unlinked[kind]); stops(err) != nil {
			return err
		}
		if err := c.tellUnlisted(ctx, kind, c.there[kind], err); err != nil {
			return err
		}
		err = unlessPages(err)
		if c.compared[kind] = c.Reread && err == nil; err != nil {
			c.unlisted = &UnlistedError{err}
			if err := c.test(ctx); err != nil { // it may search all the same, and is heard then
				return err
			}
		}
	}
	return nil
}

// find returns the objects at the target that match, from the roster where there is one. asked says
// that the target itself was asked.
func (c *cycle) find(
	ctx context.Context, kind Kind, attribute, value string,
) (found []scim.Resource, asked bool, err error) {
	if all := c.there[kind]; all != nil {
		return c.notLost(kind, all.matching(attribute, value)), false, nil
	}
	found, err = c.ask(ctx, kind, attribute, value)
	return found, true, err
}

// ask asks the target which objects match.
func (c *cycle) ask(ctx context.Context, kind Kind, attribute, value string) (found []scim.Resource, err error) {
	err = c.retry(ctx, func() (err error) {
		found, err = c.Target.Find(ctx, kind, attribute, value)
		return err
	})
	p := new(scim.Problem)
	if !strings.ContainsAny(value, `"\\`) || !errors.As(err, &p) || p.Status != http.StatusBadRequest {
		return found, err
	}
	// Not every service can read a value that has to be escaped: all are listed instead.
	wanted := wantedValues{attribute: {fold(value): true}}
	all, again := c.readRoster(ctx, kind, wanted, math.MaxInt)
	if again = unlessPages(again); again != nil || all != nil {
		return all.matching(attribute, value), again
	}
	return found, err
}

// notLost leaves out what is not at the target any more since it was listed.
func (c *cycle) notLost(kind Kind, listed []scim.Resource) (found []scim.Resource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range listed {
		if !c.absent[Ref{kind, r.String("id")}] {
			found = append(found, r)
		}
	}
	return found
}

// matching are the objects of a roster that match; a roster that is nil has none.
func (r *roster) matching(attribute, value string) []scim.Resource {
	if r == nil {
		return nil
	}
	return r.matched[attribute][fold(value)]
}

// compares says whether an object is compared with what the target has now.
func (c *cycle) compares(link Link) bool { return c.Reread && link.TargetID != "" }

// listed is what the target had of an object when everything was listed; nil when it was not among
// that: it may have been made since then, or moved from one page to another.
func (c *cycle) listed(link Link) scim.Resource {
	if all := c.there[link.Kind]; all != nil {
		return all.byID[link.TargetID]
	}
	return nil
}

// reread puts into a link what the target has now instead of what was last sent. It returns whether
// that differs.
func (c *cycle) reread(link *Link, o candidate) bool {
	if !c.compares(*link) {
		return false
	}
	there := c.listed(*link)
	if there == nil { // it was asked for
		return false
	}
	now := map[string]string{}
	for path := range o.wanted {
		now[path] = valueAt(there, path)
	}
	for path := range link.Sent {
		now[path] = valueAt(there, path)
	}
	maps.DeleteFunc(now, func(_, value string) bool { return value == "" })
	differs := len(difference(link.Sent, now)) > 0
	link.Sent = now
	return differs
}

// membersNow is which members a group has at the target, as far as that matters: those that were
// sent, or for a group that was just found those that are wanted. Others count only where
// everything is compared. Where members are left out, as AWS does, the target is asked then for the
// groups of each user; or else for each member, but those of a group that was found are simply sent
// again, unless this is a dry run.
func (c *cycle) membersNow(ctx context.Context, o candidate, link Link, wanted []string) (ids []string, err error) {
	told := false
	err = c.retry(ctx, func() (err error) {
		ids, told, err = c.Target.Members(ctx, link.TargetID)
		return err
	})
	if err != nil {
		return nil, err
	}
	asked := slices.Concat(link.Members, without(membersOf(link.Doubt, c.Now()), link.Members))
	if c.found[o.Ref] {
		asked = wanted
	}
	if told {
		others := without(without(ids, asked), wanted)
		if c.Unasked {
			if others, err = c.strangers(ctx, link, others); err != nil {
				return nil, err
			}
		}
		if (c.KeepStrangers || c.Unasked) && len(others) > 0 {
			c.tellStrangers(ctx, o, link, others)
		}
		if !c.Reread || c.KeepStrangers || c.Unasked {
			ids = without(ids, others)
		}
		if !c.Reread {
			ids = without(ids, without(ids, asked))
		}
		return ids, nil
	}
	in, unsure, told, err := c.linkedMembers(ctx, link, asked)
	switch {
	case err != nil:
		return nil, err
	case told:
		ids, asked = in, unsure
	case c.found[o.Ref] && !c.DryRun && !c.Restored:
		return nil, nil
	case !c.Reread && !c.found[o.Ref]:
		return link.Members, nil
	}
	for _, id := range asked {
		is := false
		err := c.retry(ctx, func() (err error) {
			is, err = c.Target.HasMember(ctx, link.TargetID, id)
			return err
		})
		if err != nil && (!isNotFound(err) || misdirected(err)) { // a member that does not exist any more is none
			return nil, err
		}
		if is {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
