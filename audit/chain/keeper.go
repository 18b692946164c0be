package chain

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
)

// How much is chained at once, and how often it is looked for.
const (
	maxEntries = 500                    //bound:rows events that one block of the audit chain has
	linesEach  = 5_000                  //bound:list lines of the audit log that are looked through at once
	chainEach  = time.Second            //bound:none how often, not how much
	lateEach   = time.Minute            //bound:none how often, not how much
	wholeEach  = 24 * time.Hour         //bound:none how often, not how much
	lateWindow = 10 * time.Minute       //bound:none what comes later is found once a day
	failedEach = 10 * time.Second       //bound:none how often, not how much
	settleOwn  = 500 * time.Millisecond //bound:wait events of one process before they are chained
	settleMany = 3 * time.Second        //bound:wait events of several nodes before they are chained
)

// Keeper makes the chain of a log. Several nodes may each have one: the first that writes the next
// block has written it, and the others go on behind it.
type Keeper struct {
	Store  Store
	Sealer *authn.Sealer
	Now    func() time.Time
	Shared bool // other nodes write to the same log
	Log    *slog.Logger

	reached Place // lines up to here were looked at
	begun   bool
	late    time.Time                 // when it was looked for lines that came late
	whole   time.Time                 // when all of the log was looked through for them
	came    atomic.Pointer[time.Time] // lines from here on have come late, and were not looked for yet
	Figures Figures
}

// Run makes the chain until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	each := time.NewTimer(0)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
		}
		wait := chainEach
		if err := k.work(ctx); err != nil && ctx.Err() == nil {
			k.Log.ErrorContext(ctx, "chain the audit log", "error", err)
			wait = failedEach
		}
		each.Reset(wait)
	}
}

// work chains what is new, and now and then what came late.
func (k *Keeper) work(ctx context.Context) error {
	if err := k.Append(ctx, false); err != nil {
		return err
	}
	if from := k.came.Swap(nil); from != nil {
		if err := k.appendLate(ctx, *from); err != nil {
			if k.CameLate(*from); !errors.Is(err, errMoved) {
				return err
			}
		}
	}
	now := k.Now()
	switch {
	case k.whole.IsZero():
		k.whole, k.late = now, now // a day from now, unless it has come late and is found before
		return k.AppendLate(ctx, now.Add(-wholeEach))
	case now.Sub(k.whole) >= wholeEach:
		k.whole, k.late = now, now
		return k.AppendLate(ctx, time.UnixMilli(0))
	case now.Sub(k.late) >= lateEach:
		k.late = now
		return k.AppendLate(ctx, now.Add(-lateWindow))
	}
	return nil
}

// CameLate says that lines from a time on were written just now, after later ones.
func (k *Keeper) CameLate(from time.Time) {
	for {
		was := k.came.Load()
		if was != nil && !from.Before(*was) || k.came.CompareAndSwap(was, &from) {
			return
		}
	}
}

// errMoved is returned where another node has written the next block.
var errMoved = errors.New("another node has chained more of the audit log")

// Append chains all lines that nobody has chained yet and that are old enough for no other one to
// come before them; or all there are.
func (k *Keeper) Append(ctx context.Context, everything bool) error {
	settle := settleOwn
	if k.Shared {
		settle = settleMany
	}
	until := k.Now().Add(-settle).UnixMilli()
	if everything {
		until = k.Now().Add(wholeEach).UnixMilli()
	}
	for {
		more, err := k.append(ctx, until)
		if errors.Is(err, errMoved) {
			continue // each time somebody has moved it on
		}
		if err != nil || !more {
			return err
		}
	}
}

// append makes one block, if there is something for it, and says whether there may be more.
func (k *Keeper) append(ctx context.Context, until int64) (more bool, err error) {
	var h head
	var found []Line
	var behind Place
	err = k.Store.View(ctx, func(l Log) (err error) {
		if h, err = readHead(l, k.Sealer); err != nil {
			return err
		}
		after := k.reached
		if !k.begun {
			after = Place{Time: h.Reached - 1}
		}
		lines, err := l.EventLines(after, until, true, maxEntries)
		if err != nil {
			return err
		}
		behind, more = after, len(lines) == maxEntries
		if len(lines) > 0 {
			behind = lines[len(lines)-1].place()
		}
		found, err = unchained(l, lines)
		return err
	})
	if err == nil && len(found) > 0 {
		err = k.write(ctx, h, found)
	}
	if err == nil {
		k.reached, k.begun = behind, true
	}
	return more, err
}

func (l Line) place() Place { return Place{l.Time, l.Key} }

// unchained leaves out the lines that are in a block.
func unchained(l Log, lines []Line) (found []Line, err error) {
	if len(lines) == 0 {
		return nil, nil
	}
	blocks, err := l.EventBlocksOf(lines[0].Time, lines[len(lines)-1].Time)
	if err != nil || len(blocks) == 0 {
		return lines, err
	}
	chained := map[Place]bool{}
	for _, b := range blocks {
		for _, e := range b.Entries {
			chained[Place{e.Time, e.Key}] = true
		}
	}
	for _, line := range lines {
		if !chained[line.place()] {
			found = append(found, line)
		}
	}
	return found, nil
}

// write writes the next block, unless somebody else has.
func (k *Keeper) write(ctx context.Context, h head, lines []Line) error {
	b := Block{
		Number: h.Number + 1, First: h.Position + 1, At: k.Now().UTC().Truncate(time.Millisecond), Before: h.Hash,
	}
	hash := h.Hash
	for _, line := range lines {
		hash = hashOf(hash, line)
		b.Entries = append(b.Entries, Entry{line.Key, line.Time, line.Stranger, hash})
	}
	b.Seal = b.seal(k.Sealer)
	first, last := b.span()
	err := k.Store.Update(ctx, func(l Log) error {
		now, err := readHead(l, k.Sealer)
		if err != nil {
			return err
		}
		if now.Number != h.Number {
			return errMoved
		}
		now.Number, now.Position = b.Number, b.Last()
		now.Hash = b.Hash()
		now.Reached = max(now.Reached, last)
		return errors.Join(l.AddEventBlock(b, first, last), now.write(l, k.Sealer))
	})
	if err == nil {
		k.Figures.chained(b)
	}
	return err
}

// AppendLate chains lines from a time on that were written after later ones had been chained.
func (k *Keeper) AppendLate(ctx context.Context, from time.Time) error {
	if err := k.appendLate(ctx, from); !errors.Is(err, errMoved) {
		return err
	}
	return nil // the next time
}

// appendLate is AppendLate that fails with errMoved where another node was faster.
func (k *Keeper) appendLate(ctx context.Context, from time.Time) error {
	for after := (Place{Time: from.UnixMilli() - 1}); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var h head
		var found []Line
		more := false
		err := k.Store.View(ctx, func(l Log) (err error) {
			if h, err = readHead(l, k.Sealer); err != nil {
				return err
			}
			lines, err := l.EventLines(after, k.reached.Time-1, false, linesEach)
			if err != nil || len(lines) == 0 {
				return err
			}
			after, more = lines[len(lines)-1].place(), len(lines) == linesEach
			if found, err = unchained(l, lines); err != nil || len(found) == 0 {
				return err
			}
			found, err = whole(l, found)
			return err
		})
		for len(found) > 0 && err == nil {
			n := min(len(found), maxEntries)
			if err = k.write(ctx, h, found[:n]); err == nil {
				found = found[n:]
				err = k.Store.View(ctx, func(l Log) (err error) { h, err = readHead(l, k.Sealer); return err })
			}
		}
		if err != nil || !more {
			return err
		}
	}
}

// whole reads lines with their documents.
func whole(l Log, lines []Line) (all []Line, err error) {
	for len(lines) > 0 {
		n := min(len(lines), maxEntries)
		var keys []string
		for _, line := range lines[:n] {
			keys = append(keys, line.Key)
		}
		found, err := l.EventLinesOf(keys)
		if err != nil {
			return nil, err
		}
		all, lines = append(all, found...), lines[n:]
	}
	return all, nil
}

// Swept says that events from before a time, and refusals of strangers from before another, are
// about to be removed; a zero time says that none are. Blocks of which nothing is left go too.
func (k *Keeper) Swept(ctx context.Context, before, strangers time.Time) error {
	ms := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMilli()
	}
	for more := true; more; {
		err := k.Store.Update(ctx, func(l Log) (err error) {
			more, err = k.trim(l, ms(before), ms(strangers))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trim notes what may be missing, removes some blocks, and says whether there may be more of them.
func (k *Keeper) trim(l Log, before, strangers int64) (more bool, err error) {
	h, err := readHead(l, k.Sealer)
	if err != nil {
		return false, err
	}
	from := h.FromNumber
	h.Before, h.StrangersBefore = max(h.Before, before), max(h.StrangersBefore, strangers)
	for h.FromNumber < h.Number && h.FromNumber-from < maxTrimmed {
		blocks, err := l.EventBlock(h.FromNumber + 1)
		if err != nil {
			return false, err
		}
		if len(blocks) == 0 || blocks[0].Number != h.FromNumber+1 {
			break // check names what is missing
		}
		b := blocks[0]
		if _, last := b.span(); last >= h.Before {
			break
		}
		h.FromNumber, h.FromPosition = b.Number, b.Last()
		h.FromHash = b.Hash()
	}
	err = h.write(l, k.Sealer)
	if h.FromNumber > from {
		err = errors.Join(err, l.DeleteEventBlocks(h.FromNumber))
	}
	return h.FromNumber-from == maxTrimmed, err
}

// maxTrimmed bounds one transaction.
const maxTrimmed = 200 //bound:rows blocks of the audit chain that one transaction removes

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // our own plain structs always encode
		panic(err)
	}
	return text
}

func decode[T any](text string) (v T, err error) {
	err = json.Unmarshal([]byte(text), &v)
	return v, err
}
