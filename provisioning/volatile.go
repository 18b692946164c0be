package provisioning

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Volatile is a memory that lasts as long as the process. What it has forgotten is found again by
// matching.
type Volatile struct {
	mu        sync.Mutex
	watermark string
	links     map[Ref]Link
	owners    map[Ref]Ref // by kind and id at the target
	begun     map[string]Batch
}

// NewVolatile returns an empty memory.
func NewVolatile() *Volatile {
	return &Volatile{links: map[Ref]Link{}, owners: map[Ref]Ref{}, begun: map[string]Batch{}}
}

// Watermark returns the last watermark that was set, or "".
func (v *Volatile) Watermark(context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.watermark, nil
}

// SetWatermark remembers a watermark.
func (v *Volatile) SetWatermark(_ context.Context, watermark string, _ bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.watermark = watermark
	return nil
}

// Link returns a link, or ErrUnknown.
func (v *Volatile) Link(_ context.Context, ref Ref) (Link, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	link, ok := v.links[ref]
	if !ok {
		return Link{}, ErrUnknown
	}
	return link, nil
}

// Owner returns which object is linked to one at the target, or ErrUnknown.
func (v *Volatile) Owner(_ context.Context, kind Kind, targetID string) (Ref, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	ref, ok := v.owners[Ref{kind, targetID}]
	if !ok {
		return Ref{}, ErrUnknown
	}
	return ref, nil
}

// Reports lists the links of the users whose manager is one.
func (v *Volatile) Reports(_ context.Context, manager string) (list []Link, err error) {
	v.refs(func(l Link) bool {
		if l.Kind == User && l.Manager == manager {
			list = append(list, l)
		}
		return false
	})
	return list, nil
}

// Keep remembers a link. Entries are not kept: see Engine.OnEntry.
func (v *Volatile) Keep(_ context.Context, link Link, _ ...Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.owners, Ref{link.Kind, v.links[link.Ref].TargetID})
	v.links[link.Ref] = link
	if link.TargetID != "" {
		v.owners[Ref{link.Kind, link.TargetID}] = link.Ref
	}
	return nil
}

// Forget removes a link.
func (v *Volatile) Forget(_ context.Context, ref Ref, _ ...Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.owners, Ref{ref.Kind, v.links[ref].TargetID})
	delete(v.links, ref)
	return nil
}

// Begin remembers what is about to be sent.
func (v *Volatile) Begin(ctx context.Context, b Batch, over ...string) error {
	v.mu.Lock()
	v.begun[b.ID] = b
	v.mu.Unlock()
	return v.End(ctx, over...)
}

// End forgets batches that are over.
func (v *Volatile) End(_ context.Context, over ...string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range over {
		delete(v.begun, id)
	}
	return nil
}

// Begun lists the batches that are not over.
func (v *Volatile) Begun(context.Context) ([]Batch, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	byID := func(a, b Batch) int { return strings.Compare(a.ID, b.ID) }
	return slices.SortedFunc(maps.Values(v.begun), byID), nil
}

// Failed lists the objects whose last attempt failed, or that are in doubt.
func (v *Volatile) Failed(context.Context) (list []Failing, err error) {
	v.refs(func(l Link) bool {
		if l.Failure != "" || l.Doubt != nil || !l.RetryAt.IsZero() {
			list = append(list, Failing{
				Ref: l.Ref, RetryAt: l.RetryAt, Early: l.MayBeEarly(), Counted: l.Counted, Wants: l.Wants,
			})
		}
		return false
	})
	return list, nil
}

// Known lists all objects that have a link.
func (v *Volatile) Known(context.Context) ([]Ref, error) {
	return v.refs(func(Link) bool { return true }), nil
}

func (v *Volatile) refs(which func(Link) bool) (refs []Ref) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for ref, link := range v.links {
		if which(link) {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(string(a.Kind)+a.ID, string(b.Kind)+b.ID) })
	return refs
}
