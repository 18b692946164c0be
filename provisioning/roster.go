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
// at a time. It is nil where it is not, or where the target does not list: then it is asked for
// each object.
func (c *cycle) readRoster(ctx context.Context, kind Kind, wanted wantedValues, objects int) (*roster, error) {
	if objects <= fewObjects && !c.Reread {
		return nil, nil
	}
	found := &roster{matched: map[string]map[string][]scim.Resource{}, byID: map[string]scim.Resource{}}
	for attribute := range wanted {
		found.matched[attribute] = map[string][]scim.Resource{}
	}
	for start := 1; ; {
		var page scim.ListResponse
		err := c.retry(ctx, func() (err error) {
			page, err = c.Target.List(ctx, kind.path(), start, rosterPage)
			return err
		})
		p := new(scim.Problem)
		refused := errors.As(err, &p) && stops(err) == nil
		switch {
		case err != nil && !refused:
			return nil, err
		case err == nil && page.StartIndex > 0 && page.StartIndex != start && len(page.Resources) > 0:
			return nil, nil // it gives the first page again and again, as SCIMMY does
		case err == nil && page.TotalResults != nil && (len(page.Resources) > 0 || start > *page.TotalResults):
			found.add(page.Resources, wanted, c.Reread)
		default: // it does not page as it should
			return nil, nil
		}
		start += len(page.Resources)
		if start > *page.TotalResults {
			return found, nil
		}
		if pages := *page.TotalResults / len(page.Resources); pages > objects && !c.Reread {
			return nil, nil
		}
	}
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

// rosters reads what is needed to match the objects that are not linked yet, or to compare all of
// them.
func (c *cycle) rosters(ctx context.Context, s survey) (err error) {
	for kind, values := range s.wanted {
		if c.there[kind], err = c.readRoster(ctx, kind, values, s.unlinked[kind]); err != nil {
			return err
		}
	}
	c.compared = c.Reread
	return nil
}

// find returns the objects at the target that match, from the roster where there is one. asked says
// that the target itself was asked.
func (c *cycle) find(
	ctx context.Context, kind Kind, attribute, value string,
) (found []scim.Resource, asked bool, err error) {
	if all := c.there[kind]; all != nil {
		return all.matching(attribute, value), false, nil
	}
	found, err = c.ask(ctx, kind, attribute, value)
	return found, true, err
}

// ask asks the target which objects match.
func (c *cycle) ask(ctx context.Context, kind Kind, attribute, value string) (found []scim.Resource, err error) {
	err = c.retry(ctx, func() (err error) {
		found, err = c.Target.Find(ctx, kind.path(), attribute, value)
		return err
	})
	p := new(scim.Problem)
	if !strings.ContainsAny(value, `"\\`) || !errors.As(err, &p) || p.Status != http.StatusBadRequest {
		return found, err
	}
	// Not every service can read a value that has to be escaped: all are listed instead.
	wanted := wantedValues{attribute: {fold(value): true}}
	if all, again := c.readRoster(ctx, kind, wanted, math.MaxInt); again != nil || all != nil {
		return all.matching(attribute, value), again
	}
	return found, err
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
// sent, or for a group that was just found those that are wanted. Others are told only by targets
// that give members, and count only where everything is compared. Where members are left out, as
// AWS does, it is asked for each one; but those of a group that was found are simply sent again,
// unless this is a dry run.
func (c *cycle) membersNow(ctx context.Context, o candidate, link Link, wanted []string) (ids []string, err error) {
	if strings.HasPrefix(link.TargetID, "new:") {
		return nil, nil
	}
	var group scim.Resource
	err = c.retry(
		ctx, func() error { return c.Target.Do(ctx, "GET", scim.Item(Group.path(), link.TargetID), nil, nil, &group) },
	)
	if err != nil {
		return nil, err
	}
	asked := slices.Concat(link.Members, without(membersOf(link.Doubt, c.Now()), link.Members))
	if c.found[o.Ref] {
		asked = wanted
	}
	if _, told := group[membersPath]; told {
		for _, m := range group.List(membersPath) {
			ids = append(ids, text(m))
		}
		if !c.Reread {
			ids = without(ids, without(ids, asked))
		}
		return ids, nil
	}
	switch {
	case c.found[o.Ref] && !c.DryRun:
		return nil, nil
	case !c.Reread && !c.found[o.Ref]:
		return link.Members, nil
	}
	for _, id := range asked {
		if strings.HasPrefix(id, "new:") {
			continue
		}
		var found scim.ListResponse
		query := map[string][]string{
			"filter": {"id eq " + scim.Quote(link.TargetID) + " and members eq " + scim.Quote(id)},
		}
		err := c.retry(ctx, func() error { return c.Target.Do(ctx, "GET", Group.path(), query, nil, &found) })
		if err != nil && !isNotFound(err) { // a member that does not exist any more is none
			return nil, err
		}
		if len(found.Resources) > 0 {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
