package chain

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
)

// maxFound bounds how many findings of a check are told one by one.
const maxFound = 50 //bound:list lines of the audit log that a check names

// Result is what Verify has found.
type Result struct {
	Lines    int      // of the log, that are as they were chained
	Waiting  int      // that nobody has chained yet
	Problems []string // a line for each
	Notes    []string // of lines that came later than others by more than a day
	Position int64    // of the newest entry
	Hash     []byte   // of the newest entry

	reached int64 // the latest time so far
	known   Known
}

// Known is the hash that a position is known to have, in hexadecimal digits. The zero value knows
// nothing.
type Known struct {
	Position int64
	Hash     string
}

func (r *Result) add(format string, args ...any) {
	if len(r.Problems) == maxFound {
		r.Problems = append(r.Problems, "audit log: there is more")
	}
	if len(r.Problems) < maxFound {
		r.Problems = append(r.Problems, "audit log: "+fmt.Sprintf(format, args...))
	}
}

func (r *Result) note(format string, args ...any) {
	if len(r.Notes) < maxFound {
		r.Notes = append(r.Notes, "audit log: "+fmt.Sprintf(format, args...))
	}
}

func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000") }

// Verify looks at the whole chain and every line of the log: lines that were changed, and that are
// missing although they were not old enough to be removed, are problems. progress is told of each
// block's lines. known is what a receiver, or an earlier check, has said of a position: a log that
// somebody has put back to an earlier state has another hash there, or none.
func Verify(
	ctx context.Context, store Store, s *authn.Sealer, known Known, progress func(lines int),
) (r Result, err error) {
	var h head
	r.known = known
	if err := store.View(ctx, func(l Log) error {
		text, err := l.EventNote(headNote)
		if err != nil || text == "" {
			return err
		}
		if h, err = decode[head](text); err != nil || !hmac.Equal(h.Seal, h.seal(s)) {
			r.add("the note of where its chain begins and ends was changed")
			return nil
		}
		r.Position, r.Hash = h.Position, h.Hash
		return nil
	}); err != nil {
		return r, err
	}
	if len(r.Problems) > 0 { // nothing that follows could be judged
		return r, nil
	}
	number, position := h.FromNumber, h.FromPosition
	hash := h.FromHash
	for number < h.Number {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		var b Block
		begins := h
		err := store.View(ctx, func(l Log) error {
			now, err := readHead(l, s)
			if errors.Is(err, errForged) { // what was read first is looked at
				now, err = h, nil
			}
			if err != nil {
				return err
			}
			h.Before, h.StrangersBefore = now.Before, now.StrangersBefore
			if begins = now; now.FromNumber > number { // a server has removed more of it meanwhile
				return nil
			}
			blocks, err := l.EventBlock(number + 1)
			if err != nil {
				return err
			}
			if len(blocks) == 0 {
				b = Block{Number: h.Number + 1}
				return nil
			}
			b = blocks[0]
			return r.block(l, s, h, b)
		})
		if err != nil {
			return r, err
		}
		if begins.FromNumber > number {
			number, position = begins.FromNumber, begins.FromPosition
			hash = begins.FromHash
			continue
		}
		if b.Number > number+1 {
			r.add("%s missing from its chain", blocksBetween(number+1, min(b.Number, h.Number+1)-1))
			if number = b.Number; b.Number > h.Number {
				break
			}
		} else if b.First != position+1 || !bytes.Equal(b.Before, hash) {
			r.add("block %d of its chain does not follow the one before it", b.Number)
		}
		number, position = b.Number, b.Last()
		hash = b.Hash()
		progress(len(b.Entries))
	}
	if known.Position > h.Position {
		r.add("its chain ends at position %d, before %d, which is known", h.Position, known.Position)
	}
	if number == h.Number && (position != h.Position || !bytes.Equal(hash, h.Hash)) {
		r.add("its chain ends elsewhere than was noted")
	}
	return r, r.strays(ctx, store, h)
}

func blocksBetween(first, last int64) string {
	if first == last {
		return fmt.Sprintf("block %d is", first)
	}
	return fmt.Sprintf("the blocks %d to %d are", first, last)
}

// block looks at the lines of a block.
func (r *Result) block(l Log, s *authn.Sealer, h head, b Block) error {
	if !b.genuine(s) {
		r.add("block %d of its chain (positions %d to %d) was changed", b.Number, b.First, b.Last())
		return nil
	}
	keys := make([]string, len(b.Entries))
	for i, e := range b.Entries {
		keys[i] = e.Key
	}
	lines, err := l.EventLinesOf(keys)
	if err != nil {
		return err
	}
	there := map[string]Line{}
	for _, line := range lines {
		there[line.Key] = line
	}
	before := b.Before
	for i, e := range b.Entries {
		if at := b.First + int64(i); at == r.known.Position && hex.EncodeToString(e.Hash) != r.known.Hash {
			r.add("position %d has another hash than the one that is known", at)
		}
		line, ok := there[e.Key]
		old := e.Time < h.Before || (e.Stranger && e.Time < h.StrangersBefore)
		name := fmt.Sprintf("the event %s of %s (position %d)", e.Key, moment(e.Time), b.First+int64(i))
		if e.Time < r.reached-wholeEach.Milliseconds() {
			r.note("%s came when later ones had been chained for more than a day", name)
		}
		r.reached = max(r.reached, e.Time)
		switch {
		case ok && bytes.Equal(hashOf(before, line), e.Hash):
			r.Lines++
		case ok && (!old || line.Time == e.Time): // else it is another one, whose key was free again
			r.add("%s was changed", name)
		case !ok && !old:
			r.add("%s is missing", name)
		}
		before = e.Hash
	}
	return nil
}

// strays counts the lines that were not chained, and names those that should be.
func (r *Result) strays(ctx context.Context, store Store, h head) error {
	for after, more := (Place{Time: -1}), true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := store.View(ctx, func(l Log) error {
			lines, err := l.EventLines(after, lastTime, false, linesEach)
			if more = len(lines) == linesEach; err != nil || len(lines) == 0 {
				return err
			}
			after = lines[len(lines)-1].place()
			found, err := unchained(l, lines)
			for _, line := range found {
				if r.Waiting++; line.Time < h.Reached-wholeEach.Milliseconds() {
					r.note("the event %s of %s is not in its chain", line.Key, moment(line.Time))
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const lastTime = 253_402_300_799_999 //bound:none the last moment that RFC 3339 can write
