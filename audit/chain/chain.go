// Package chain puts the events of a log into one order, in which each stands on the one before it,
// so that a line that was changed or is missing can be named; and it hands them on in that order.
//
// Events are written by many requests, and on several nodes: the chain is made behind them, a
// second or three later, so that no request waits for another one because of it. It knows neither
// half nor SQL.
//
// It may import audit and authn.
package chain

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
)

// Line is an event as a store keeps it.
type Line struct {
	Key      string // by which the store finds it
	Time     int64  // in milliseconds
	Stranger bool   // kept no longer than refusals of strangers are
	Request  string // the id of its request, where that has a column
	Doc      string
}

// Entry is what the chain has of a line.
type Entry struct {
	Key      string
	Time     int64
	Stranger bool   `json:",omitempty"`
	Hash     []byte // of the line and the hash before it
}

// Block is entries that were chained together.
type Block struct {
	Number  int64 // from 1
	First   int64 // the position of its first entry; that of the first one is 1
	At      time.Time
	Before  []byte // the hash before its first entry
	Entries []Entry
	Seal    []byte // over everything else
}

// Last is the position of the last entry.
func (b Block) Last() int64 { return b.First + int64(len(b.Entries)) - 1 }

// Hash is the hash of the last entry.
func (b Block) Hash() []byte {
	if len(b.Entries) == 0 {
		return b.Before
	}
	return b.Entries[len(b.Entries)-1].Hash
}

// span are the times of the earliest and the latest entry.
func (b Block) span() (first, last int64) {
	for i, e := range b.Entries {
		if i == 0 || e.Time < first {
			first = e.Time
		}
		last = max(last, e.Time)
	}
	return first, last
}

// Place is where the log is read on: behind a line.
type Place struct {
	Time int64
	Key  string
}

// Log is a log of events and its chain, in a transaction of a store.
type Log interface {
	// EventLines reads up to limit lines behind a place and up to a time, in the order of time and
	// key; without their documents where those are not wanted.
	EventLines(after Place, until int64, documents bool, limit int) ([]Line, error)
	// EventLinesOf reads the lines with some keys, in any order.
	EventLinesOf(keys []string) ([]Line, error)
	// EventBlock reads the first block that has this number or a higher one, and EventBlocksOf
	// those with entries in a span of time. Both return no block where there is none.
	EventBlock(number int64) ([]Block, error)
	EventBlocksOf(first, last int64) ([]Block, error)
	// EventNote reads a note, which is empty where there is none.
	EventNote(id string) (string, error)

	AddEventBlock(b Block, first, last int64) error
	DeleteEventBlocks(upTo int64) error
	PutEventNote(id, doc string) error
}

// Store runs functions in transactions, as the stores of both halves do.
type Store interface {
	View(ctx context.Context, fn func(Log) error) error
	Update(ctx context.Context, fn func(Log) error) error
}

// The purposes of seals.
const (
	blockPurpose = "audit block"
	headPurpose  = "audit head"
)

// hashOf is the hash of a line that stands behind another hash.
func hashOf(before []byte, l Line) []byte {
	h := sha256.New()
	h.Write(before)
	number := func(n int64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n)) // #nosec G115 -- the same bits
		h.Write(b[:])
	}
	number(l.Time)
	if l.Stranger {
		number(1)
	} else {
		number(0)
	}
	for _, text := range []string{l.Key, l.Request, l.Doc} {
		number(int64(len(text)))
		h.Write([]byte(text))
	}
	return h.Sum(nil)
}

// seal is the seal of a block.
func (b Block) seal(s *authn.Sealer) []byte {
	b.Seal = nil
	return s.MAC(blockPurpose, encode(b))
}

// genuine says whether a block is as it was made.
func (b Block) genuine(s *authn.Sealer) bool { return hmac.Equal(b.Seal, b.seal(s)) }

// head is where the chain ends, where it begins, and what may be missing from it because it was
// kept long enough.
type head struct {
	Number, Position int64
	Hash             []byte
	Reached          int64 // the time of the latest entry
	// Of what was removed at the beginning: the number, position and hash of the last block.
	FromNumber, FromPosition int64
	FromHash                 []byte
	// Events from before these times, in milliseconds, may have been removed.
	Before, StrangersBefore int64
	Seal                    []byte
}

const headNote = "head"

func (h head) seal(s *authn.Sealer) []byte {
	h.Seal = nil
	return s.MAC(headPurpose, encode(h))
}

// errForged is returned where somebody has changed the end of the chain.
var errForged = errors.New(
	"the end of the audit log's chain is not what this center or tenant has written; \"check\" says more",
)

// readHead reads the head; without one, the chain begins.
func readHead(l Log, s *authn.Sealer) (h head, err error) {
	text, err := l.EventNote(headNote)
	if err != nil || text == "" {
		return h, err
	}
	if h, err = decode[head](text); err != nil || !hmac.Equal(h.Seal, h.seal(s)) {
		return h, errForged
	}
	return h, nil
}

func (h head) write(l Log, s *authn.Sealer) error {
	h.Seal = h.seal(s)
	return l.PutEventNote(headNote, string(encode(h)))
}
