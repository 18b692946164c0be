package web

import (
	"errors"
	"hash/maphash"
)

// rowsAtOnce is how many rows are read at a time for a file.
const rowsAtOnce = 1000 //bound:none they are read one part after the other

// maxStepsBack bounds how often a list may lose rows while it is read for one file.
const maxStepsBack = 1000 //bound:depth parts of a file that are read again because rows before them have gone

var errListMoves = errors.New("the list loses rows faster than it can be read")

// EachRow hands over a list that is read by offset, for a file: part after part, each row once. id
// is what a row is known by. Each part is read with its own sight of the list. A row that goes
// meanwhile moves all behind it, which would make a part begin too late; so each part begins with
// the last row of the one before, and when another row stands there, EachRow goes back to find
// where what it has ends. A row that stays is never left out.
func EachRow[T any](read func(offset, limit int) ([]T, error), id func(T) string, row func(T) error) error {
	seed, had := maphash.MakeSeed(), map[uint64]bool{} // sums, since an id can be a part of a document
	sum := func(x T) uint64 { return maphash.String(seed, id(x)) }
	for offset, back := 0, 0; ; {
		items, err := read(offset, rowsAtOnce)
		if err != nil {
			return err
		}
		if offset > 0 && (len(items) == 0 || !had[sum(items[0])]) {
			if back++; back > maxStepsBack {
				return errListMoves
			}
			offset = max(0, offset-rowsAtOnce)
			continue
		}
		for _, x := range items {
			if had[sum(x)] {
				continue
			}
			had[sum(x)] = true
			if err := row(x); err != nil {
				return err
			}
		}
		if len(items) < rowsAtOnce {
			return nil
		}
		offset += len(items) - 1
	}
}
