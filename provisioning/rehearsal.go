package provisioning

import (
	"context"
	"sync"
)

// rehearsal is the memory of a dry run: it remembers beside the real memory, which it never
// changes.
type rehearsal struct {
	Memory
	mu        sync.Mutex
	links     map[Ref]Link
	forgotten map[Ref]bool
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

// Owner asks the real memory: whom a rehearsal makes, nobody finds.
func (r *rehearsal) Owner(ctx context.Context, kind Kind, targetID string) (Ref, error) {
	ref, err := r.Memory.Owner(ctx, kind, targetID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forgotten[ref] {
		return Ref{}, ErrUnknown
	}
	return ref, err
}

func (r *rehearsal) Keep(_ context.Context, link Link, _ ...Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links[link.Ref], r.forgotten[link.Ref] = link, false
	return nil
}

func (r *rehearsal) Forget(_ context.Context, ref Ref, _ ...Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgotten[ref] = true
	return nil
}

// Begin does nothing: a rehearsal sends nothing.
func (r *rehearsal) Begin(context.Context, Batch, ...string) error { return nil }

// End does nothing: what was begun is found out by a cycle that may change something.
func (r *rehearsal) End(context.Context, ...string) error { return nil }

func (r *rehearsal) SetWatermark(context.Context, string, bool) error { return nil }
