package chain

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// Parcel is a line on its way out.
type Parcel struct {
	Position     int64
	Hash, Before string // in hexadecimal digits
	Line         Line
}

// Outlet takes lines. It has them for good when Deliver returns nil; when it does not, it is given
// the same ones again, and may have taken some of them.
type Outlet interface {
	Deliver(ctx context.Context, parcels []Parcel) error
}

// How much is handed over at once, how long that may take, and how long is waited after a failure.
const (
	maxParcels    = 500                    //bound:list events that are handed to a receiver at once
	maxParcelSize = 1 << 20                //bound:list events that are handed to a receiver at once, in bytes
	deliverEach   = time.Second            //bound:none how often, not how much
	maxDeliver    = 20 * time.Second       //bound:wait a receiver of audit events that does not answer
	firstRetry    = 500 * time.Millisecond //bound:none how often, not how much
	lastRetry     = 30 * time.Second       //bound:wait before a receiver of audit events is tried again
	beatEach      = 2 * time.Second        //bound:none how often, not how much
	// maxSilence is how long a node that hands events on may say nothing before another takes over.
	maxSilence = 10 * time.Second //bound:wait a node that hands on audit events, before another does
)

// Courier hands the lines of a chain to one outlet, in their order, each at least once. Of several
// nodes one does; the place that it has reached is in the store.
type Courier struct {
	Store  Store
	Sealer *authn.Sealer
	Name   string // of the place that was reached
	Node   string // whoever else hands on the same is another one
	Shared bool   // other nodes may hand on the same
	// Patience is how long a node that hands on may say nothing before this one does; 0: ten
	// seconds.
	Patience time.Duration
	Outlet   Outlet
	Log      *slog.Logger

	Delivered, Failures atomic.Int64 // of this process
	Waiting             atomic.Int64 // events that are chained and not delivered
	Oldest              atomic.Int64 // the time of the oldest of them, in milliseconds; 0: none

	taken   way // how far the outlet has everything, where that could not be noted
	seen    way // as it was when it moved last
	seenAt  time.Time
	failing bool
}

// way is how far an outlet has everything, and who hands on more.
type way struct {
	Position int64  // it has everything up to here
	Block    int64  // in which the next position is, or before it
	Owner    string // empty: nobody
	Fence    int64  // goes up whenever somebody takes over
	Beat     int64  // goes up while somebody works
}

func (c *Courier) note() string { return "way/" + c.Name }

// Run hands on until ctx ends.
func (c *Courier) Run(ctx context.Context) {
	wait := firstRetry
	for {
		err := c.Work(ctx)
		pause := deliverEach
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			if c.Failures.Add(1); !c.failing {
				c.Log.ErrorContext(ctx, "hand on the audit log", "to", c.Name, "error", err)
			}
			c.failing, pause = true, wait
			wait = min(2*wait, lastRetry)
		default:
			if c.failing {
				c.Log.InfoContext(ctx, "the audit log is handed on again", "to", c.Name)
			}
			c.failing, wait = false, firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// errElsewhere is returned where another node hands on.
var errElsewhere = errors.New("another node hands on the audit log")

// Work hands on all there is, unless another node does.
func (c *Courier) Work(ctx context.Context) error {
	w, err := c.take(ctx)
	if err != nil || w == nil {
		return err
	}
	for {
		next, err := c.next(ctx, *w)
		if err != nil || len(next.parcels) == 0 {
			return errors.Join(err, c.release(ctx, w))
		}
		if err = c.deliver(ctx, w, next.parcels); err != nil {
			if errors.Is(err, errElsewhere) {
				return nil
			}
			return errors.Join(err, c.release(ctx, w))
		}
		if err := c.save(ctx, w, func(w *way) { w.Position, w.Block = next.position, next.block }); err != nil {
			if errors.Is(err, errElsewhere) {
				return nil
			}
			c.taken = way{Position: next.position, Block: next.block, Fence: w.Fence}
			return err
		}
		c.Delivered.Add(int64(len(next.parcels)))
	}
}

// take looks whether there is something to hand on, and takes it upon this node where no other one
// is at work; otherwise it returns nothing.
func (c *Courier) take(ctx context.Context) (*way, error) {
	var w way
	var behind, oldest int64
	err := c.Store.View(ctx, func(l Log) error {
		h, err := readHead(l, c.Sealer)
		if err != nil {
			return err
		}
		if w, err = c.read(l); err != nil {
			return err
		}
		if behind = h.Position - max(w.Position, h.FromPosition); behind <= 0 {
			return nil
		}
		blocks, err := l.EventBlock(w.Block)
		if err == nil && len(blocks) > 0 {
			oldest = blocks[0].At.UnixMilli()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.Waiting.Store(max(0, behind))
	c.Oldest.Store(oldest)
	if behind <= 0 {
		return nil, nil
	}
	now := time.Now()
	if w != c.seen {
		c.seen, c.seenAt = w, now
	}
	if c.Shared && w.Owner != "" && w.Owner != c.Node && now.Sub(c.seenAt) < cmp.Or(c.Patience, maxSilence) {
		return nil, nil
	}
	was := w
	err = c.Store.Update(ctx, func(l Log) error {
		if w, err = c.read(l); err != nil {
			return err
		}
		if w != was {
			return errElsewhere
		}
		if w.Fence == c.taken.Fence && w.Position < c.taken.Position { // nobody has gone on since
			w.Position, w.Block = c.taken.Position, c.taken.Block
		}
		w.Owner = c.Node
		w.Fence++
		w.Beat++
		return c.write(l, w)
	})
	if errors.Is(err, errElsewhere) {
		return nil, nil
	}
	return &w, err
}

func (c *Courier) read(l Log) (w way, err error) {
	text, err := l.EventNote(c.note())
	if err != nil || text == "" {
		return w, err
	}
	return decode[way](text)
}

func (c *Courier) write(l Log, w way) error { return l.PutEventNote(c.note(), string(encode(w))) }

// How long it may take to write down how far an outlet has come: at the most, and after the end of
// the program has begun.
const (
	saveFor  = 30 * time.Second //bound:wait the note of how far an outlet has come
	saveWait = 3 * time.Second  //bound:wait the note of how far an outlet has come, at the end
)

// save writes down a change of the way, unless another node has taken over. What was handed over is
// written down at the end too.
func (c *Courier) save(ctx context.Context, w *way, change func(*way)) error {
	ctx, cancel := audit.Outlast(ctx, saveFor, saveWait)
	defer cancel()
	changed := *w
	err := c.Store.Update(ctx, func(l Log) error {
		now, err := c.read(l)
		if err != nil {
			return err
		}
		if now.Fence != w.Fence {
			return errElsewhere
		}
		changed = now
		change(&changed)
		changed.Beat++
		return c.write(l, changed)
	})
	if err == nil {
		*w = changed
	}
	return err
}

// release lets any node go on.
func (c *Courier) release(ctx context.Context, w *way) error {
	err := c.save(ctx, w, func(w *way) { w.Owner = "" })
	if errors.Is(err, errElsewhere) {
		return nil
	}
	return err
}

// load is what is handed over at once, and where the way goes on behind it.
type load struct {
	parcels         []Parcel
	size            int
	position, block int64
}

// next reads what is to be handed over next. Lines that were removed because of their age before
// they could be are left out.
func (c *Courier) next(ctx context.Context, w way) (next load, err error) {
	err = c.Store.View(ctx, func(l Log) error {
		next = load{position: w.Position, block: w.Block}
		for len(next.parcels) < maxParcels && next.size < maxParcelSize {
			blocks, err := l.EventBlock(next.block)
			if err != nil || len(blocks) == 0 {
				return err
			}
			if blocks[0].Last() > next.position { // otherwise it was handed over whole
				if err := next.add(l, blocks[0]); err != nil {
					return err
				}
			}
			next.block = blocks[0].Number + 1
		}
		return nil
	})
	return next, err
}

// add reads the lines of a block behind the position.
func (next *load) add(l Log, b Block) error {
	var keys []string
	for _, e := range b.Entries {
		keys = append(keys, e.Key)
	}
	lines, err := l.EventLinesOf(keys)
	if err != nil {
		return err
	}
	there := map[Place]Line{}
	for _, line := range lines {
		there[line.place()] = line
	}
	before := b.Before
	for i, e := range b.Entries {
		at := b.First + int64(i)
		if line, ok := there[Place{e.Time, e.Key}]; ok && at > next.position {
			next.size += len(line.Doc)
			next.parcels = append(next.parcels, Parcel{
				at, hex.EncodeToString(e.Hash), hex.EncodeToString(before), line,
			})
		}
		before = e.Hash
	}
	next.position = b.Last()
	return nil
}

// deliver hands parcels over, and says meanwhile that this node is at work.
func (c *Courier) deliver(ctx context.Context, w *way, parcels []Parcel) error {
	ctx, cancel := context.WithTimeout(ctx, maxDeliver)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.Outlet.Deliver(ctx, parcels) }()
	beat := time.NewTicker(beatEach)
	defer beat.Stop()
	var lost error
	for {
		select {
		case err := <-done:
			if lost != nil {
				return lost
			}
			if err != nil {
				return fmt.Errorf("positions %d to %d: %w", parcels[0].Position, parcels[len(parcels)-1].Position, err)
			}
			return nil
		case <-beat.C:
			if lost != nil {
				continue
			}
			// a database that is away for a moment is no reason to hand everything over again
			if err := c.save(ctx, w, func(*way) {}); errors.Is(err, errElsewhere) {
				lost = err
				cancel()
			}
		}
	}
}
