package provisioning

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// rehearsal is the memory of a dry run: it remembers beside the real memory, which it never
// changes.
type rehearsal struct {
	Memory
	mu        sync.Mutex
	links     map[Ref]Link
	forgotten map[Ref]bool
	owners    map[Ref]Ref // by kind and id at the target
}

func newRehearsal(m Memory) *rehearsal {
	return &rehearsal{Memory: m, links: map[Ref]Link{}, forgotten: map[Ref]bool{}, owners: map[Ref]Ref{}}
}

func (r *rehearsal) Link(ctx context.Context, ref Ref) (Link, error) {
	r.mu.Lock()
	link, ok := r.links[ref]
	forgotten := r.forgotten[ref]
	r.mu.Unlock()
	switch {
	case forgotten:
		return Link{}, ErrUnknown
	case ok:
		return link, nil
	}
	return r.Memory.Link(ctx, ref)
}

func (r *rehearsal) Owner(ctx context.Context, kind Kind, targetID string) (Ref, error) {
	r.mu.Lock()
	ref, here := r.owners[Ref{kind, targetID}]
	r.mu.Unlock()
	if here {
		return ref, nil
	}
	ref, err := r.Memory.Owner(ctx, kind, targetID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if link, ok := r.links[ref]; err == nil && (r.forgotten[ref] || (ok && link.TargetID != targetID)) {
		return Ref{}, ErrUnknown
	}
	return ref, err
}

func (r *rehearsal) Reports(ctx context.Context, manager string) ([]Link, error) {
	list, err := r.Memory.Reports(ctx, manager)
	r.mu.Lock()
	defer r.mu.Unlock()
	list = slices.DeleteFunc(list, func(l Link) bool {
		_, here := r.links[l.Ref]
		return here || r.forgotten[l.Ref]
	})
	for _, l := range r.links {
		if l.Kind == User && l.Manager == manager {
			list = append(list, l)
		}
	}
	return list, err
}

// Known are also those that only the rehearsal has.
func (r *rehearsal) Known(ctx context.Context) ([]Ref, error) {
	refs, err := r.Memory.Known(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	refs = slices.DeleteFunc(refs, func(ref Ref) bool {
		_, here := r.links[ref]
		return here || r.forgotten[ref]
	})
	return slices.AppendSeq(refs, maps.Keys(r.links)), err
}

func (r *rehearsal) Keep(_ context.Context, link Link, _ ...Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(link.Ref)
	r.links[link.Ref], r.forgotten[link.Ref] = link, false
	if link.TargetID != "" {
		r.owners[Ref{link.Kind, link.TargetID}] = link.Ref
	}
	return nil
}

func (r *rehearsal) Forget(_ context.Context, ref Ref, _ ...Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(ref)
	r.forgotten[ref] = true
	return nil
}

// Remembers implements Historian, where the real memory does.
func (r *rehearsal) Remembers(ctx context.Context, claims []Claim) (map[Ref]Past, error) {
	if h, ok := r.Memory.(Historian); ok {
		return h.Remembers(ctx, claims)
	}
	return nil, nil
}

func (r *rehearsal) drop(ref Ref) {
	delete(r.owners, Ref{ref.Kind, r.links[ref].TargetID})
	delete(r.links, ref)
}

// Begin does nothing: a rehearsal sends nothing.
func (r *rehearsal) Begin(context.Context, Batch, ...string) error { return nil }

// End does nothing: what was begun is found out by a cycle that may change something.
func (r *rehearsal) End(context.Context, ...string) error { return nil }

func (r *rehearsal) SetWatermark(context.Context, string, bool) error { return nil }
