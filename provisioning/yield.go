package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// knot is an object at the target with the names that it is to get, and those that it has and is
// not to have any more.
type knot struct {
	candidate
	link  Link
	to    map[string]string // what it is to have, by path
	wants map[string]string // claims, with their paths
	gives map[string]string
}

func tie(o candidate, link Link, to map[string]string) *knot {
	has, should := claims(o.Kind, link.Sent), claims(o.Kind, to)
	return &knot{o, link, to, beyond(should, has), beyond(has, should)}
}

// hasGiven says whether one is to give up what another one is to get.
func (k *knot) hasGiven(to *knot) bool {
	for name := range to.wants {
		if k.gives[name] != "" {
			return true
		}
	}
	return false
}

// without is somebody who was deleted, and has no name at the source any more that another one
// gets.
func (k *knot) without(names map[string]string) *knot {
	to := maps.Clone(k.to)
	for name, path := range claims(k.Kind, to) {
		if names[name] != "" {
			delete(to, path)
		}
	}
	return tie(k.candidate, k.link, to)
}

// beyond is what a map has and another one does not.
func beyond(list, other map[string]string) map[string]string {
	out := maps.Clone(list)
	maps.DeleteFunc(out, func(name, _ string) bool { return other[name] != "" })
	return out
}

// line is a number of objects that wait for names.
type line struct {
	list  []candidate // whoever has a name before whoever wants it
	knots map[Ref]*knot
	held  map[string]*knot // claims, and who of those that wait gives each up
	has   map[string]bool  // claims that one of them has at the target

	claimants map[string][]Ref // who has which claim, as far as is remembered; nil: not looked up
}

// line puts objects that wait for names in an order in which each finds them free. Of those that
// wait for each other in a ring, as two people who swap their names do, one gets a temporary name:
// a target takes one change after the other.
func (c *cycle) line(ctx context.Context, waiting []candidate) (*line, error) {
	q := &line{knots: map[Ref]*knot{}, held: map[string]*knot{}, has: map[string]bool{}}
	for _, o := range waiting {
		link, err := c.Memory.Link(ctx, o.Ref)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return nil, err
		}
		k := &knot{candidate: o, link: link}
		if o.inScope && o.failure == nil {
			to := o.creating
			if link.TargetID != "" {
				to = o.toBe(link.Sent)
			}
			k = tie(o, link, to)
		}
		k.link.Ref = o.Ref
		q.knots[o.Ref] = k
		for name := range k.gives {
			q.held[name] = k
		}
		for name := range claims(o.Kind, link.Sent) {
			q.has[name] = true
		}
	}
	w := walk{line: q, state: map[Ref]int{}}
	for _, o := range waiting {
		if w.state[o.Ref] == 0 {
			w.visit(q.knots[o.Ref])
		}
	}
	for _, ring := range w.rings {
		if err := c.openRing(ctx, q, ring); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// walk goes from those who want to those who have.
type walk struct {
	*line

	state map[Ref]int // 1: on the way; 2: done
	way   []*knot
	rings [][]*knot
}

func (w *walk) visit(k *knot) {
	w.state[k.Ref] = 1
	w.way = append(w.way, k)
	for _, name := range slices.Sorted(maps.Keys(k.wants)) {
		holder := w.held[name]
		switch {
		case holder == nil:
		case w.state[holder.Ref] == 0:
			w.visit(holder)
		case w.state[holder.Ref] == 1:
			w.rings = append(w.rings, slices.Clone(w.way[slices.Index(w.way, holder):]))
		}
	}
	w.way = w.way[:len(w.way)-1]
	w.state[k.Ref] = 2
	w.list = append(w.list, k.candidate)
}

// openRing has one of a ring give its names up. Nobody does where somebody else has what one of
// them is to get: they would be left with less than they had.
func (c *cycle) openRing(ctx context.Context, q *line, ring []*knot) error {
	tried := func(k *knot) bool { return c.yielded[k.Ref] }
	if slices.ContainsFunc(ring, tried) {
		return nil
	}
	for _, k := range ring {
		for name, path := range k.wants {
			if q.held[name] != nil {
				continue
			}
			found, err := c.ask(ctx, k.Kind, path, k.to[path])
			if stops(err) != nil {
				return err
			}
			other := func(r map[string]any) bool { return text(r["id"]) != k.link.TargetID }
			if len(found) > 0 && other(found[0]) {
				return nil
			}
		}
	}
	for _, k := range ring {
		values, next := map[string]string{}, ""
		for name, path := range k.gives {
			i := slices.IndexFunc(ring, func(x *knot) bool { return x.wants[name] != "" })
			if i >= 0 {
				values[path], next = "", ring[i].Name
			}
		}
		if ok, err := c.makeYield(ctx, k, values, next); ok || err != nil {
			return err
		}
	}
	return nil
}

// freeNames has those give up the names that objects wait for who have them at the target, and not
// at the source any more: who has left and was renamed, or has failed for a reason of its own. It
// returns who of them is still to get a name, and whether anybody has given one up.
func (c *cycle) freeNames(ctx context.Context, q *line) (others []candidate, freed bool, err error) {
	for _, o := range q.list {
		k := q.knots[o.Ref]
		holders, err := c.holdersOf(ctx, q, k)
		if err != nil {
			return nil, false, err
		}
		for _, ref := range holders {
			h, err := c.holder(ctx, ref)
			if err != nil {
				return nil, false, err
			}
			if h == nil {
				continue
			}
			if h.Deleted {
				h = h.without(k.wants)
			}
			if !h.link.Left.IsZero() && !c.stays(h.link) && !h.isBack() && (h.Deleted || h.hasGiven(k)) {
				c.yielded[ref] = true
				refused, err := c.endGrace(ctx, h.link, "userName", o)
				if err != nil {
					return nil, false, err
				}
				freed = freed || refused == nil
				continue
			}
			values := map[string]string{}
			for name, path := range h.gives {
				if own := h.to[path]; k.wants[name] != "" {
					if values[path] = own; q.has[claimed(h.Kind, path)+" "+key(path, own)] {
						values[path] = ""
					}
				}
			}
			ok, err := c.makeYield(ctx, h, values, o.Name)
			if err != nil {
				return nil, false, err
			}
			if freed = freed || ok; ok && h.isBack() {
				others = append(others, h.candidate)
			}
		}
	}
	return others, freed, nil
}

// holdersOf are the objects of the source that have what one waits for at the target, and that do
// not wait themselves.
func (c *cycle) holdersOf(ctx context.Context, q *line, k *knot) (refs []Ref, err error) {
	unasked := map[string]bool{}
	note := func(ref Ref) {
		if ref != k.Ref && q.knots[ref] == nil && !c.yielded[ref] && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.wants)) {
		if q.held[name] != nil {
			continue
		}
		path := k.wants[name]
		found, err := c.ask(ctx, k.Kind, path, k.to[path])
		switch {
		case stops(err) != nil:
			return nil, err
		case refuses(err):
			unasked[name] = true
		}
		for _, r := range found {
			ref, err := c.Memory.Owner(ctx, k.Kind, r.String("id"))
			if err == nil {
				note(ref)
			} else if !errors.Is(err, ErrUnknown) {
				return nil, err
			}
		}
	}
	if len(refs) > 0 || len(unasked) == 0 {
		return refs, nil
	}
	claimants, err := c.claimants(ctx, q, k.Kind) // the target does not search by it, as AWS by addresses
	for _, name := range slices.Sorted(maps.Keys(unasked)) {
		for _, ref := range claimants[name] {
			note(ref)
		}
	}
	return refs, err
}

// claimants looks once for each line, whose objects are of one kind, who has which claim: whoever
// gives one up meanwhile is among the yielded. It knows nobody where there are too many.
func (c *cycle) claimants(ctx context.Context, q *line, kind Kind) (map[string][]Ref, error) {
	if q.claimants != nil {
		return q.claimants, nil
	}
	known, err := c.Memory.Known(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string][]Ref{}
	for _, ref := range known {
		if ref.Kind != kind || len(known) > knownLooked {
			continue
		}
		link, err := c.Memory.Link(ctx, ref)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return nil, err
		}
		for name := range claims(kind, link.Sent) {
			all[name] = append(all[name], ref)
		}
	}
	q.claimants = all
	return all, nil
}

// knownLooked is how many objects are looked through for who has a value, where the target is not
// searched by it.
const knownLooked = 20_000 //bound:list objects that the sync looks through for who has an address

// holder is an object that has a name which another one waits for; nil when it must not be touched.
func (c *cycle) holder(ctx context.Context, ref Ref) (*knot, error) {
	link, err := c.Memory.Link(ctx, ref)
	if err != nil {
		return nil, err
	}
	x, err := c.Source.Object(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("read the source: %w", err)
	}
	o := evaluate(ctx, x, c.Mappings.of(ref.Kind))
	if o.Name == "" {
		o.Name = link.Sent[map[Kind]string{User: "userName", Group: "displayName"}[ref.Kind]]
	}
	leaves := o.Gone || !o.inScope
	switch to, known := o.atSource(ctx, link); {
	case !known, o.mapping.Flows&mapping.Update == 0, c.holdsBack(ref):
	case leaves && ref.Kind == Group: // it is deleted, or somebody needs it by its name
	case o.Deleted && c.SkipDeleted, leaves && !o.Gone && !o.Deleted && c.SkipOutOfScope:
	default:
		return tie(o, link, to), nil
	}
	return nil, nil
}

// atSource are the names that the source gives to an object that was sent before, whether or not it
// is in scope. known is false where its mapping does not say.
func (o candidate) atSource(ctx context.Context, link Link) (to map[string]string, known bool) {
	switch {
	case o.unjudged:
		return nil, false
	case o.inScope && o.failure == nil:
		return o.toBe(link.Sent), true
	}
	to = map[string]string{}
	for path, sent := range link.Sent {
		if o.Gone || (claimed(o.Kind, path) == "" && !slices.Contains(o.mapping.Matching(), path)) {
			continue
		}
		whenNull, always := o.mapping.Keeps(path)
		value, err := o.mapping.Value(ctx, path, o.attributes("False"))
		if err != nil {
			return nil, false
		}
		if always || (whenNull && value == "") {
			value = sent
		}
		to[path] = value
	}
	return to, true
}

// yielding is an object that gives up names which another one has now.
type yielding struct {
	*knot

	values map[string]string // by path; empty: for now, one that nobody has
	to     string            // who gets them; empty: nobody, it gets its own
	freed  *bool
}

// intent implements work.
func (y yielding) intent() (Intent, bool) { return Intent{Ref: y.Ref}, true }

// makeYield has an object give up names, as yielding has it, and says whether it has.
func (c *cycle) makeYield(ctx context.Context, k *knot, values map[string]string, to string) (freed bool, err error) {
	c.yielded[k.Ref] = true
	if len(values) == 0 {
		return false, nil
	}
	y := yielding{k, values, to, &freed}
	plan := func(context.Context, candidate) (yielding, bool, error) { return y, true, nil }
	err = announced(ctx, c, 1, []candidate{k.candidate}, plan, c.yield)
	return freed, err
}

// yield sends what an object is called instead. Whoever is still to get its own name is in the
// memory as one that has failed until then, so that it is not forgotten, whatever comes.
func (c *cycle) yield(ctx context.Context, y yielding, batch string) error {
	began, link := c.Now(), y.link
	link.Batch = batch
	changes := y.changes(false)
	err := c.update(ctx, &link, changes)
	if isConflict(err) && y.to != "" {
		changes = y.changes(true)
		err = c.update(ctx, &link, changes)
	}
	if stop := stops(err); stop != nil {
		return errors.Join(stop, c.keepLast(ctx, link))
	}
	*y.freed = err == nil
	if err == nil {
		link.Sent = maps.Clone(link.Sent)
		for _, change := range changes {
			link.Sent[change.Path] = change.New
		}
		if y.to != "" && y.inScope && y.Active {
			c.mu.Lock()
			c.renamed = append(c.renamed, y.knot)
			c.mu.Unlock()
			link.Failure = "it has given its name up for " + y.to + ", and is to get another one"
			link.RetryAt = c.Now()
		}
	}
	done := step{action: Update, changes: changes, reason: "its name, apart from what was refused"}
	if y.to != "" {
		done.reason = "gives its name up: at the source, " + y.to + " has it now"
	}
	e := c.entry(y.candidate, link.TargetID, done, err, c.Now().Sub(began))
	c.tell(e)
	return c.keep(ctx, link, e)
}

// misnamed notes somebody who could not be brought into line, and who has a name for now: maybe
// since a cycle that did not come to an end.
func (c *cycle) misnamed(ctx context.Context, o candidate, link Link) {
	if !o.inScope || !o.Active || o.mapping.Flows&mapping.Update == 0 || len(forNow(o.Kind, link.Sent)) == 0 {
		return
	}
	if to, known := o.atSource(ctx, link); known {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.renamed = append(c.renamed, tie(o, link, to))
	}
}

// forNow are the paths where an object has a name that nobody has.
func forNow(kind Kind, sent map[string]string) (paths []string) {
	for path, value := range sent {
		if claimed(kind, path) != "" && strings.HasSuffix(value, forNowDomain) {
			paths = append(paths, path)
		}
	}
	return paths
}

// ownNames gives those their names who have given up others, and who were refused something else
// that was sent with them: one name after the other, since one of them may be what is refused.
func (c *cycle) ownNames(ctx context.Context) error {
	c.mu.Lock()
	renamed := c.renamed
	c.renamed = nil
	c.mu.Unlock()
	tried := map[Ref]bool{}
	for _, k := range renamed {
		if tried[k.Ref] {
			continue
		}
		tried[k.Ref] = true
		for _, path := range slices.Sorted(maps.Keys(k.to)) {
			own := k.to[path]
			if own == "" || claimed(k.Kind, path) == "" {
				continue
			}
			link, err := c.Memory.Link(ctx, k.Ref)
			if err != nil && !errors.Is(err, ErrUnknown) {
				return err
			}
			if own == link.Sent[path] || !slices.Contains(forNow(k.Kind, link.Sent), path) {
				continue
			}
			k.link = link
			if _, err := c.makeYield(ctx, k, map[string]string{path: own}, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// changes are what is sent; forNow gives only names that nobody has.
func (y yielding) changes(forNow bool) (changes []Change) {
	for _, path := range slices.Sorted(maps.Keys(y.values)) {
		value := y.values[path]
		if value == "" || forNow {
			value = y.ID + forNowDomain
		}
		changes = append(changes, Change{path, y.link.Sent[path], value})
	}
	return changes
}

// forNowDomain ends names that are nobody's (RFC 2606).
const forNowDomain = "@renamed.invalid"

// release notes which names an object has at the target and not at the source any more, if anybody
// may wait for one.
func (c *cycle) release(ctx context.Context, o candidate, link Link) {
	if len(c.escrowed) == 0 || link.TargetID == "" {
		return
	}
	to, known := o.atSource(ctx, link)
	if !known {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range tie(o, link, to).gives {
		c.released[name] = true
	}
}

// awaited has those tried whose last attempt failed, and who want a name that somebody has given up
// in this cycle: their time may come only in a day.
func (c *cycle) awaited(ctx context.Context, looked ...[]candidate) error {
	tried := map[Ref]bool{}
	for _, list := range looked {
		for _, o := range list {
			tried[o.Ref] = true
		}
	}
	c.mu.Lock()
	released := maps.Clone(c.released)
	c.mu.Unlock()
	free := func(name string) bool { return released[name] }
	for _, f := range c.escrowed {
		if len(released) == 0 || tried[f.Ref] || c.Mappings.of(f.Kind) == nil {
			continue
		}
		wants := f.Wants
		if len(wants) == 0 { // an earlier version did not note it
			x, err := c.Source.Object(ctx, f.Ref)
			if err != nil {
				return fmt.Errorf("read the source: %w", err)
			}
			wants = evaluate(ctx, x, c.Mappings.of(f.Kind)).claimed()
		}
		if slices.ContainsFunc(wants, free) {
			c.mu.Lock()
			c.missed = append(c.missed, f.Ref)
			c.mu.Unlock()
		}
	}
	return nil
}

// wants is what an object waits for that failed for good: what it was to have, and only one may. An
// object that changes is looked at anyway, so this is as the source has it still.
func (o candidate) wants(err error) []string {
	if err == nil || MayPass(err) {
		return nil
	}
	if names := o.claimed(); len(names) > 0 {
		return names
	}
	return noName
}

// claimed is what only one object may have of what an object is to be made with.
func (o candidate) claimed() []string { return slices.Sorted(maps.Keys(claims(o.Kind, o.creating))) }

// noName is what an object wants that failed for good, and for no name: nothing that anybody has.
// Where nothing is noted, an earlier version has failed.
var noName = []string{""}
