package provisioning

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/scim"
)

// roster is what a target has of one kind, read in pages where asking for each object that may be there takes more requests. It answers for the matching
// attribute of the objects that are to be matched; what is not among them is not kept.
type roster map[string][]scim.Resource

// fold is how targets compare the matching attributes: ignoring letter case (RFC 7643, 4.1: userName is not case-exact).
func fold(s string) string { return strings.ToLower(s) }

const (
	rosterPage = 100 // what is asked for; targets may give less
	fewObjects = 10  // that are cheaper to ask for one at a time
)

// readRoster reads what the target has of a kind, if that is cheaper than to ask for wanted, one at a time. It is nil where it is not, or where the target
// does not list.
func (c *cycle) readRoster(ctx context.Context, kind Kind, wanted map[string]bool) (roster, error) {
	if len(wanted) <= fewObjects {
		return nil, nil
	}
	found := roster{}
	for start := 1; ; {
		var page scim.ListResponse
		err := c.retry(ctx, func() (err error) {
			page, err = c.Target.List(ctx, kind.path(), start, rosterPage)
			return err
		})
		if p := new(scim.Problem); errors.As(err, &p) && stops(err) == nil {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if page.TotalResults == nil || (len(page.Resources) == 0 && start <= *page.TotalResults) { // it does not page as it should
			return nil, nil
		}
		for _, r := range page.Resources {
			if key := fold(r.String(matching[kind])); wanted[key] {
				found[key] = append(found[key], r)
			}
		}
		start += len(page.Resources)
		if start > *page.TotalResults {
			return found, nil
		}
		if pages := *page.TotalResults / len(page.Resources); pages > len(wanted) {
			return nil, nil
		}
	}
}

// rosters reads what is needed to match the objects that are not linked yet.
func (c *cycle) rosters(ctx context.Context, objects []Object) (err error) {
	wanted := map[Kind]map[string]bool{User: {}, Group: {}}
	for _, o := range objects {
		link, err := c.Memory.Link(ctx, o.Ref)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		if plan(o, link, link.TargetID != "").action == Create {
			wanted[o.Kind][fold(o.Attributes[matching[o.Kind]])] = true
		}
	}
	c.there = map[Kind]roster{}
	for kind, names := range wanted {
		if c.there[kind], err = c.readRoster(ctx, kind, names); err != nil {
			return err
		}
	}
	return nil
}

// find returns the objects at the target that match, from the roster where there is one. asked says that the target itself was asked.
func (c *cycle) find(ctx context.Context, kind Kind, value string) (found []scim.Resource, asked bool, err error) {
	if all := c.there[kind]; all != nil {
		return all[fold(value)], false, nil
	}
	found, err = c.ask(ctx, kind, value)
	return found, true, err
}

// ask asks the target which objects match.
func (c *cycle) ask(ctx context.Context, kind Kind, value string) (found []scim.Resource, err error) {
	err = c.retry(ctx, func() (err error) {
		found, err = c.Target.Find(ctx, kind.path(), matching[kind], value)
		return err
	})
	return found, err
}
