package chain

import "sync/atomic"

// Figures are what metrics tell of a chain and of what is handed on from it. They are this
// process's.
type Figures struct {
	position, events atomic.Int64
}

func (f *Figures) chained(b Block) {
	f.position.Store(b.Last())
	f.events.Add(int64(len(b.Entries)))
}

// Position is where the chain ended when this process wrote to it last.
func (f *Figures) Position() int64 { return f.position.Load() }

// Events are how many events this process has chained.
func (f *Figures) Events() int64 { return f.events.Load() }
