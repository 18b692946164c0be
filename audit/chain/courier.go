package chain

import (
	"bytes"
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
	// maxSilence is how long a node that hands events on may say nothing before another one asks
	// whether it is there, and maxAnswer how long it may take to say so.
	maxSilence = 10 * time.Second //bound:wait a node that hands on audit events, before another asks for it
	maxAnswer  = 5 * time.Second  //bound:wait a node that hands on audit events and is asked for, before another does
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

	taken   *load // what the outlet has, where that could not be noted
	under   int64 // the fence under which it has that
	seen    way   // as it was when it moved last
	seenAt  time.Time
	asked   way // as this node left it when it asked for the owner
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
			if wait = min(2*wait, lastRetry); c.taken != nil { // the others are to know soon
				pause = min(pause, deliverEach)
			}
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
		if err := c.save(ctx, w, next.note); err != nil {
			if errors.Is(err, errElsewhere) {
				return nil
			}
			c.taken, c.under = &next, w.Fence
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
	asks := false
	if c.Shared && w.Owner != "" && w.Owner != c.Node {
		asks = w != c.asked
		patience := cmp.Or(c.Patience, maxSilence)
		if !asks {
			patience = min(patience, maxAnswer)
		}
		if now.Sub(c.seenAt) < patience {
			return nil, nil
		}
	}
	was := w
	err = c.Store.Update(ctx, func(l Log) error {
		if w, err = c.read(l); err != nil {
			return err
		}
		if w != was {
			return errElsewhere
		}
		w.Beat++
		if asks {
			return c.write(l, w)
		}
		if c.taken != nil && w.Fence == c.under && w.Position < c.taken.position { // nobody has gone on since
			if err := c.taken.note(l, &w); err != nil && !errors.Is(err, errElsewhere) {
				return err
			}
		}
		w.Owner = c.Node
		w.Fence++
		return c.write(l, w)
	})
	switch {
	case errors.Is(err, errElsewhere):
		return nil, nil
	case err != nil:
		return nil, err
	case asks: // whoever has been away like everybody else says so now
		c.asked, c.seen = w, w
		c.seenAt = time.Now()
		return nil, nil
	}
	c.taken = nil
	return &w, nil
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
func (c *Courier) save(ctx context.Context, w *way, change func(Log, *way) error) error {
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
		if err := change(l, &changed); err != nil {
			return err
		}
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
	err := c.save(ctx, w, func(_ Log, w *way) error {
		w.Owner = ""
		return nil
	})
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
	number          int64  // of the block in which the position is
	hash            []byte // at the position
}

// note has a way go on behind what was handed over, unless the chain has something else there: a
// database that took the place of another may not have had all of its blocks, and the receiver gets
// what stands there now.
func (next *load) note(l Log, w *way) error {
	blocks, err := l.EventBlock(next.number)
	if err != nil {
		return err
	}
	if len(blocks) == 0 || blocks[0].Number == next.number && !bytes.Equal(blocks[0].Hash(), next.hash) {
		return errElsewhere
	}
	w.Position, w.Block = next.position, next.block
	return nil
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
	next.number, next.hash = b.Number, b.Hash()
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
			if err := c.save(ctx, w, func(Log, *way) error { return nil }); errors.Is(err, errElsewhere) {
				lost = err
				cancel()
			}
		}
	}
}
