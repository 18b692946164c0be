package provisioning

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Look has an engine look more often who is to lose access while a cycle runs.
func (e *Engine) Look(each time.Duration) { e.look = each }

// Hurry makes an engine not wait between two tries, so that tests can have thousands of failures.
func (e *Engine) Hurry() { e.sleep = func(context.Context, time.Duration) error { return nil } }

// Copy returns a memory of the same that goes on by itself.
func (v *Volatile) Copy() *Volatile {
	v.mu.Lock()
	defer v.mu.Unlock()
	same := &Volatile{
		watermark: v.watermark, links: maps.Clone(v.links), owners: maps.Clone(v.owners), begun: maps.Clone(v.begun),
	}
	for ref, link := range same.links {
		link.Sent = maps.Clone(link.Sent)
		link.Members = slices.Clone(link.Members)
		same.links[ref] = link
	}
	return same
}
