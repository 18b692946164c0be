package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// Intent is what is about to be sent about an object: enough to find out afterwards whether it was
// carried out, when nobody could remember the answer.
type Intent struct {
	Ref
	Keys    map[string]string // of an object that may be created: the values by which it is found again
	Members []string          // of a group: the ids at the target that are added or removed
}

// Batch is a number of intents. While it is in the memory, each of them may have been carried out.
type Batch struct {
	ID      string
	Began   time.Time
	Intents []Intent
}

// Doubt is what nobody knows of an object at the target: whether the last requests were carried
// out. They have no answer, or it was lost with the process. As long as there is a doubt, the
// target is looked at, or what cannot be seen there is sent again, whatever the link says was sent.
type Doubt struct {
	Since   time.Time           // when the last such request was under way
	Keys    []map[string]string // by which an object is found that may have been created, each one object's
	Members []string            // of a group: ids at the target that may be its members, or may not
	// Looked says that the target was looked at, and put right, since then. It is looked at once
	// more when no such request can be under way any longer: a server that was stopped for a while
	// may carry it out after others.
	Looked  bool
	First   time.Time // when the first such request was under way; zero: as Since
	Deleted []string  // ids at the target that were deleted while it was: a service that disables may enable again
}

// lateness is for how long a request without an answer may still be carried out: longer than
// anybody waits for an answer.
const lateness = 90 * time.Second //bound:none how long a doubt lasts

// doubted adds to a doubt what an intent says. d may be nil.
func (d *Doubt) doubted(at time.Time, i Intent) *Doubt {
	out := &Doubt{Since: at, First: at}
	if d != nil {
		out.Keys, out.Members = slices.Clone(d.Keys), slices.Clone(d.Members)
		out.Deleted = d.Deleted
		if out.Since = later(at, d.Since); !d.Since.IsZero() {
			out.First = d.first()
		}
	}
	same := func(k map[string]string) bool { return maps.Equal(k, i.Keys) }
	if len(i.Keys) > 0 && !slices.ContainsFunc(out.Keys, same) {
		out.Keys = append(out.Keys, i.Keys)
	}
	out.Members = append(out.Members, without(i.Members, out.Members)...)
	return out
}

// first is when the first request was under way that the doubt is about.
func (d *Doubt) first() time.Time {
	if d.First.IsZero() {
		return d.Since
	}
	return d.First
}

// looked is a doubt after the target was looked at, at a time: nil when it is over. Members are not
// seen there, and stay.
func (d *Doubt) looked(at time.Time) *Doubt {
	out := *d
	if out.Looked = len(d.Members) == 0; !at.Before(d.Since.Add(lateness)) {
		if out.Keys, out.Deleted = nil, nil; out.Looked {
			return nil
		}
	}
	return &out
}

// lost is a doubt about an object that the target did not find, in two ways, at a time, and that
// was not made anew: it is looked for once more, since not all of a target's servers may have known
// it. If it is found, nobody knows which members it has.
func (d *Doubt) lost(at time.Time, keys map[string]string, members []string) *Doubt {
	out := d.doubted(at, Intent{Keys: keys, Members: members})
	out.Looked = len(out.Members) == 0 && (d == nil || d.Looked)
	return out
}

// deleted is a doubt after the object was deleted under an id: another creation of it may still be
// under way, or a change, which brings it back where a deletion only disables.
func (d *Doubt) deleted(id string) *Doubt {
	if d == nil || d.Since.IsZero() {
		return nil
	}
	out := &Doubt{Since: d.Since, First: d.First, Keys: d.Keys, Looked: true}
	out.Deleted = append(slices.Clone(d.Deleted), id)
	return out
}

// resent is a doubt after all of its members but some were sent again, at a time. Whether there is
// another one of the object, that does not say.
func (d *Doubt) resent(at time.Time, unsent []string) *Doubt {
	if d == nil || len(d.Members) == 0 {
		return d
	}
	out := *d
	if out.Looked = len(unsent) == 0; !at.Before(d.Since.Add(lateness)) {
		if out.Members = unsent; len(d.Keys)+len(d.Deleted)+len(unsent) == 0 {
			return nil
		}
	}
	return &out
}

// suspicion is a doubt about an object because of which a request was refused, perhaps since it was
// deleted at the target. One look is enough.
func suspicion(d *Doubt) *Doubt {
	if d == nil {
		return &Doubt{}
	}
	out := *d
	out.Looked = false
	return &out
}

// open says whether the target must be looked at, at a time.
func (d *Doubt) open(at time.Time) bool {
	return d != nil && (!d.Looked || !at.Before(d.Since.Add(lateness)))
}

// membersOf are the members that are in doubt, at a time.
func membersOf(d *Doubt, at time.Time) []string {
	if !d.open(at) {
		return nil
	}
	return d.Members
}

// recover puts what was begun, and not ended, in doubt: the process that began it has died, or was
// told to stop.
func (c *cycle) recover(ctx context.Context) error {
	batches, err := c.Memory.Begun(ctx)
	if err != nil || len(batches) == 0 {
		return err
	}
	var over []string
	for _, b := range batches {
		err := each(ctx, c.workers(), b.Intents, func(ctx context.Context, i Intent) error {
			link, err := c.Memory.Link(ctx, i.Ref)
			if err != nil && !errors.Is(err, ErrUnknown) {
				return err
			}
			if link.Batch == b.ID { // what is in doubt of it, is in the link
				return nil
			}
			link.Ref = i.Ref
			link.Doubt = link.Doubt.doubted(b.Began, i)
			link.Doubt.Since = later(link.Doubt.Since, c.Now()) // until when it worked on the batch, nobody knows
			if link.Since.IsZero() {
				link.Since = b.Began
			}
			return c.keep(ctx, link)
		})
		if err != nil {
			return err
		}
		over = append(over, b.ID)
	}
	return c.Memory.End(ctx, over...)
}

// keepFor bounds what is remembered at the end of a cycle, where the database does not answer.
const keepFor = 30 * time.Second //bound:wait the memory of what was sent last, when a cycle is told to stop

// afterwards is a context for what is remembered also when the cycle was told to stop.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), keepFor)
}

// keepLast is keep for a cycle that was told to stop.
func (c *cycle) keepLast(ctx context.Context, link Link) error {
	last, cancel := afterwards(ctx)
	defer cancel()
	return c.keep(last, link)
}

// keep remembers a link, and when it is looked at again.
func (c *cycle) keep(ctx context.Context, link Link, entries ...Entry) error {
	switch d := link.Doubt; {
	case link.Failure != "":
	case d == nil && link.failed(): // the rest of it follows, in another cycle if this one ends before
		link.RetryAt = c.Now()
	case d == nil && !link.Left.IsZero() && !c.stays(link):
		link.RetryAt = link.Left.Add(c.LeaverGrace)
	case d == nil:
		link.RetryAt = time.Time{}
	case d.Looked:
		link.RetryAt = d.Since.Add(lateness)
	case !d.Since.IsZero():
		link.RetryAt = c.Now()
	}
	switch behind := link.failed() || (link.Doubt != nil && !link.Doubt.Looked); {
	case !behind:
		link.Since = time.Time{}
	case link.Since.IsZero():
		link.Since = c.Now()
	}
	c.formerly(link)
	err := c.Memory.Keep(ctx, link, c.told(entries)...)
	if err != nil {
		c.unkept.Store(true)
	}
	c.moved(link.Ref, link.TargetID)
	return err
}

// settle finds out what the target has of an object that is in doubt, and puts that into its link.
func (c *cycle) settle(ctx context.Context, o candidate, link *Link) error {
	at := c.Now()
	if !link.Doubt.open(at) {
		return nil
	}
	var there scim.Resource
	var err error
	if link.TargetID != "" {
		there, err = c.at(ctx, o.Kind, link.TargetID)
		switch {
		case err == nil && there == nil:
			c.lose(link.Ref, link.TargetID)
			*link = c.unlinked(*link)
		case err != nil:
			return err
		}
	}
	if link.TargetID == "" {
		if there, err = c.findAgain(ctx, o, link); err != nil {
			return err
		}
	}
	if there != nil {
		link.Sent = c.mapped(o, there)
	}
	if !at.Before(link.Doubt.Since.Add(lateness)) {
		if err := c.dropLate(ctx, o, link, there != nil); err != nil {
			return err
		}
	}
	link.Doubt = link.Doubt.looked(at)
	return nil
}

// findAgain looks for an object that may have been created, by what it was to be created with. It
// returns nil when there is none.
func (c *cycle) findAgain(ctx context.Context, o candidate, link *Link) (scim.Resource, error) {
	for _, keys := range slices.Backward(link.Doubt.Keys) { // the last one is called as it is to be
		if there, err := c.findOwn(ctx, o, link, keys); err != nil || there != nil {
			return there, err
		}
	}
	return nil, nil
}

// findOwn looks for an object that has our externalId, or, where that is not mapped, one of the
// names that it is found by; and links it.
func (c *cycle) findOwn(
	ctx context.Context, o candidate, link *Link, keys map[string]string,
) (scim.Resource, error) {
	var refused error // it is not searched by that, as some services are not by external ids
	asked := false
	for _, attribute := range append([]string{externalID}, o.mapping.Matching()...) {
		if keys[attribute] == "" {
			continue
		}
		found, err := c.search(ctx, o.Kind, attribute, keys[attribute])
		if isUnsearched(err) {
			refused = err
			continue
		}
		if err != nil {
			return nil, err
		}
		asked = true
		for _, there := range found {
			owner, err := c.Memory.Owner(ctx, o.Kind, there.String("id"))
			if err != nil && !errors.Is(err, ErrUnknown) {
				return nil, err
			}
			external := there.String(externalID)
			ours := external == keys[externalID] || (external == "" && madeSince(there, link.Doubt)) // it keeps none
			if (err == nil && owner != o.Ref) || !ours {
				continue // another object's, or nobody's
			}
			if !c.claim(o.Ref, there.String("id")) {
				continue // somebody else has just found it
			}
			byName := keys[externalID] == "" && !madeSince(there, link.Doubt) // it may be somebody else's
			if byName && c.Careful && !c.Adopt {
				continue
			}
			link.TargetID = there.String("id")
			link.Adopted = byName
			return there, nil
		}
	}
	if asked {
		return nil, nil
	}
	return nil, refused
}

// skew is by how much the clock of a target, or of another node, may differ.
const skew = 5 * time.Minute //bound:none of a comparison

// madeSince says whether the target has an object only since requests are in doubt.
func madeSince(there scim.Resource, d *Doubt) bool {
	made, err := time.Parse(time.RFC3339, there.Object("meta").String("created"))
	return err == nil && d != nil && !d.first().IsZero() && !made.Before(d.first().Add(-skew))
}

// Bounds of a batch: so many objects, or members of groups, are noted together before they are
// sent.
const (
	batchObjects = 512                   //bound:none how often, not how much
	batchMembers = saveEach * MaxMembers //bound:none how often, not how much
)

// work is what is to be done about an object, planned before it is done.
type work interface {
	// intent is what will be sent; ok is false when nothing will.
	intent() (i Intent, ok bool)
	of() Object
}

// announced plans what is to be done about objects, and does it, a batch at a time: what is about
// to be sent is kept before. plan returns false for an object about which nothing is to be done.
func announced[T work](
	ctx context.Context, c *cycle, workers int, objects []candidate,
	plan func(context.Context, candidate) (T, bool, error), do func(ctx context.Context, x T, batch string) error,
) error {
	var batch []T
	var intents []Intent
	members := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		id, err := c.begin(ctx, intents)
		if err == nil {
			err = each(ctx, workers, batch, func(ctx context.Context, x T) (err error) {
				if !c.turns.begin(x.of().Ref) {
					return nil
				}
				defer c.turns.end(x.of().Ref)
				if c.Trace != nil {
					var end func(error)
					ctx, end = c.Trace(ctx, x.of())
					defer func() { end(err) }()
				}
				return do(ctx, x, id)
			})
			c.over(id)
		}
		batch, intents = nil, nil
		members = 0
		return err
	}
	for _, o := range objects {
		x, ok, err := plan(ctx, o)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		batch = append(batch, x)
		if i, sends := x.intent(); sends {
			intents = append(intents, i)
			members += len(i.Members)
		}
		if len(batch) >= batchObjects || members >= batchMembers {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// each calls do for everything in list, several at a time, and stops at the first error.
func each[T any](ctx context.Context, workers int, list []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan T)
	var group sync.WaitGroup
	for range min(workers, len(list)) {
		group.Go(func() {
			for x := range queue {
				if ctx.Err() != nil {
					continue
				}
				if err := do(ctx, x); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, x := range list {
		select {
		case queue <- x:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(queue)
	group.Wait()
	return context.Cause(ctx)
}

// begin keeps intents before they are carried out, and returns what over takes.
func (c *cycle) begin(ctx context.Context, intents []Intent) (id string, err error) {
	if len(intents) == 0 {
		return "", nil
	}
	c.mu.Lock()
	ended := c.ended
	c.ended = nil
	c.mu.Unlock()
	cycle := c.result.Cycle[:min(len(c.result.Cycle), 18)] // half a UUID: it is in every link
	b := Batch{fmt.Sprintf("%s/%d", cycle, c.batches.Add(1)), c.Now(), intents}
	return b.ID, c.Memory.Begin(ctx, b, ended...)
}

// over says that the outcome of what was begun is known and kept. The next batch, or the end of the
// cycle, lets the memory forget it.
func (c *cycle) over(id string) {
	if id == "" || c.unkept.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = append(c.ended, id)
}

// end has the memory forget what is over, also when the cycle was told to stop.
func (c *cycle) end(ctx context.Context) error {
	if len(c.ended) == 0 {
		return nil
	}
	last, cancel := afterwards(ctx)
	defer cancel()
	return c.Memory.End(last, c.ended...)
}
