package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// DoubtAhead is how far a clock may be ahead of the last time that is known, when nobody wonders
// about it. What must not go because a clock has gone ahead by less is kept for so much longer.
const DoubtAhead = 24 * time.Hour //bound:none of the last time that is known

// For how long a clock is doubted then.
const (
	doubtFor  = 24 * time.Hour //bound:life a doubt about the clock, measured while a node runs
	comesBack = time.Hour      //bound:life after a start, a clock that is behind may be put right
	// mostBetween is as much as counts between two looks: who has not looked for longer stood
	// still, or had no database, and nobody could put the clock right meanwhile.
	mostBetween = 2 * SweepEach //bound:none of what is measured
)

// behind is by how much a clock that is behind what is known at a start is told of.
const behind = time.Hour //bound:none of a comparison

// SweepEach is how often a half removes what is too old, and asks a Sweeper before.
const SweepEach = 10 * time.Minute //bound:none how often, not how much

// How long what a node was told holds for others, and how often it says so.
const (
	toldFor  = 24 * time.Hour //bound:life how long events are kept, as a node was told that has ended
	toldEach = time.Hour      //bound:none how often, not how much
	maxTold  = 20             //bound:list for how long nodes were told to keep events, one thing each
)

// Sweeper says what a node may remove because of its age. It agrees on that with other nodes, and
// with itself after the next start, by a note in the store.
//
// A clock that a machine has started with may be ahead by months until somebody puts it right, and
// one may go ahead by as much while the program runs. All that is kept for so long would be removed
// at once, and for good: such a clock is doubted for a day. The day is measured, not read from the
// clock, and goes on after a restart; while a node stands still, it does not count. A machine that
// was asleep for days is doubted too.
//
// A node that was told to keep events for less than others does not remove what they are to keep:
// the longest time holds that a node was told within a day. The zero value is ready.
type Sweeper struct {
	mu     sync.Mutex
	starts bool      // nobody has looked since the start
	looked time.Time // zero: never
	last   Ruling
	begun  time.Time // when it has looked first
	// before is what was known when the clock was a day behind it at the start, until the clock has
	// come back there; zero: it was not. What was known may be of the future itself.
	before time.Time
}

// lookFor bounds the look at the clock before all other work.
const lookFor = 5 * time.Second //bound:wait a look at the clock, at the start

// Begin has the clock doubted where it is far ahead of what is known, before any worker of a node
// that has just started leaves an event: that would be known then. look calls Look and Looked.
// Where the database does not answer, the first sweep looks.
func (s *Sweeper) Begin(ctx context.Context, log *slog.Logger, look func(context.Context) error) {
	s.start()
	short, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	if err := look(short); err != nil && ctx.Err() == nil {
		log.ErrorContext(ctx, "look at the clock", "error", err)
	}
}

// start says that the program has just started: the clock may be wrong.
func (s *Sweeper) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts = true
}

// Ruling is what may be removed.
type Ruling struct {
	Doubted bool      // nothing may, because of the clock
	Keep    Retention // otherwise: what is not to be kept for longer than that

	now, known time.Time // and the last time that was known before
	own        Retention
}

// sweepNote is the name of the note, and note what is in it. Nodes of an earlier release have none.
const sweepNote = "sweep"

type note struct {
	Seen    time.Time     // when somebody looked last at a clock that is not doubted
	Doubted time.Time     `json:",omitzero"` // when somebody looked last at the one that is
	For     time.Duration `json:",omitempty"`
	Told    []told        `json:",omitempty"`
}

// told is how long to keep events, as nodes were told.
type told struct {
	Retention
	At   time.Time // when one of them has said so
	Node string    `json:",omitempty"` // which; an earlier release does not say
}

// NoteReader reads the notes of a store.
type NoteReader interface {
	EventNote(id string) (string, error)
}

// Notes are the notes of a store, in a transaction.
type Notes interface {
	NoteReader
	PutEventNote(id, doc string) error
}

// Kept is how long events are kept at all nodes, and which of them was told so; empty: the one that
// is asked. An administrator reads it.
type Kept struct {
	Retention
	EventsBy, RefusalsBy string
	Doubted              bool // nothing is removed because of its age: the clock may be wrong
}

// ReadKept reads how long events are kept, where the node that asks was told own. shared says
// whether there may be others.
func ReadKept(notes NoteReader, now time.Time, own Retention, shared bool) (Kept, error) {
	n, err := readNote(notes)
	k := Kept{Retention: own}
	if shared {
		k = n.kept(own, now)
	}
	k.Doubted = !n.Doubted.IsZero()
	return k, err
}

func readNote(notes NoteReader) (n note, err error) {
	text, err := notes.EventNote(sweepNote)
	if err != nil || json.Unmarshal([]byte(text), &n) != nil { // nobody has kept one, or it is worth nothing
		n = note{}
	}
	return n, err
}

// kept is the longest time that nodes were told within a day.
func (n note) kept(own Retention, now time.Time) Kept {
	k := Kept{Retention: own}
	for _, t := range n.Told {
		if now.Sub(t.At) >= toldFor {
			continue
		}
		longest, by := k.longer(t.Retention), cmp.Or(t.Node, "another node")
		if longest.Events != k.Events {
			k.EventsBy = by
		}
		if longest.Refusals != k.Refusals {
			k.RefusalsBy = by
		}
		k.Retention = longest
	}
	return k
}

// Look reads the note and brings it up to date, in a transaction that may run more than once. now
// is the clock, newest the time of the newest event, or zero; keep is what this node was told, and
// shared says whether there may be others.
func (s *Sweeper) Look(notes Notes, now, newest time.Time, keep Retention, shared bool) (r Ruling, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := readNote(notes)
	if err != nil {
		return r, err
	}
	before := n
	if n.Seen.IsZero() {
		n.Seen = newest
	}
	r = Ruling{Keep: keep, now: now, known: n.Seen, own: keep}
	if r.Doubted = s.doubts(&n, now); !r.Doubted && shared {
		r.Keep = n.longest(keep, now)
	}
	same := func(a, b told) bool { return a.Retention == b.Retention }
	if n.Doubted.Equal(before.Doubted) && slices.EqualFunc(n.Told, before.Told, same) &&
		now.Sub(before.Seen).Abs() < toldEach {
		return r, nil
	}
	doc, err := json.Marshal(n)
	if err == nil {
		err = notes.PutEventNote(sweepNote, string(doc))
	}
	return r, err
}

// Looked ends a look whose transaction was kept, and says in the log what is new of it.
func (s *Sweeper) Looked(ctx context.Context, log *slog.Logger, r Ruling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.looked.IsZero()
	switch {
	case r.Doubted && !first && !s.last.Doubted:
		log.WarnContext(ctx, "the clock has gone ahead by more than a day at once, or the machine was asleep: for a "+
			"day nothing is removed because of its age", "known", r.known, "clock", r.now)
	case first && r.known.Sub(r.now) > behind:
		log.WarnContext(ctx, "the clock is behind the last time that is known here, or was ahead then: if it is wrong "+
			"now, what has expired since is good again", "known", r.known, "clock", r.now)
	case r.Doubted && first:
		log.WarnContext(ctx, "the newest event is old, or the clock is wrong: for a day nothing is removed "+
			"because of its age", "known", r.known, "clock", r.now)
	case !r.Doubted && r.Keep != r.own && (first || r.Keep != s.last.Keep || s.last.Doubted):
		log.WarnContext(ctx, "another node was told within a day to keep events for longer: all do", "events",
			kept(r.Keep.Events), "refusals", kept(r.Keep.Refusals), "told", kept(r.own.Events)+" and "+
				kept(r.own.Refusals))
	}
	s.starts, s.last = false, r
	s.looked = time.Now()
	if first {
		s.before, s.begun = r.known, s.looked
	}
	if s.before.Sub(r.now) <= DoubtAhead { // it has come back, or never was behind
		s.before = time.Time{}
	}
}

func kept(d time.Duration) string {
	if d <= 0 {
		return "forever"
	}
	return d.String()
}

// Doubts says whether a time is doubted, as far as this node knows without a look at the store: it
// has not looked since the start, it has doubted the clock when it looked last, or the clock has
// gone ahead since. It is for what cannot be taken back and comes between two looks.
func (s *Sweeper) Doubts(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts || s.last.Doubted || s.jumped(now)
}

// jumped says whether the clock has gone ahead, since this node looked last, by a day more than has
// passed. One that comes back to where it was, soon after a start, is put right: some machines
// start in 1970.
func (s *Sweeper) jumped(now time.Time) bool {
	back := now.Sub(s.before) <= DoubtAhead && time.Since(s.begun) < comesBack
	return !s.looked.IsZero() && now.Sub(s.last.now)-time.Since(s.looked) > DoubtAhead && !back
}

// doubts says whether the clock is doubted, and notes it. A doubt begins with the first look after
// a start, or with a jump.
func (s *Sweeper) doubts(n *note, now time.Time) bool {
	ahead := !n.Seen.IsZero() && now.Sub(n.Seen) > DoubtAhead
	switch {
	case ahead && !n.Doubted.IsZero():
		if !s.looked.IsZero() { // of several nodes, each counts what passed since the one before has looked
			n.For += max(0, min(time.Since(s.looked), now.Sub(n.Doubted), mostBetween))
		}
		ahead = n.For < doubtFor
	case ahead:
		ahead = s.starts || s.jumped(now)
	}
	if ahead {
		n.Doubted = now
	} else {
		n.Seen, n.For = now, 0
		n.Doubted = time.Time{}
	}
	return ahead
}

// longest is the longest time that nodes were told to keep events, after this one has said what it
// was told.
func (n *note) longest(keep Retention, now time.Time) Retention {
	name, _ := os.Hostname()
	own := told{keep, now, name}
	known := slices.ContainsFunc(n.Told, func(t told) bool {
		return t.Retention == keep && now.Sub(t.At) < toldFor // otherwise nobody has looked for a day
	})
	var all []told
	for _, t := range n.Told {
		if !known || t.At.After(now) { // the others have a day from the first that differs
			t.At = now
		}
		if t.Retention != keep && now.Sub(t.At) < toldFor {
			all = append(all, t)
		}
	}
	for len(all) >= maxTold { // what both wanted is kept
		all[1].Retention, all[1].Node = all[1].longer(all[0].Retention), ""
		all = all[1:]
	}
	n.Told = append(all, own)
	return n.kept(keep, now).Retention
}

// longer is the longer time of each; 0 is forever.
func (r Retention) longer(other Retention) Retention {
	longest := func(a, b time.Duration) time.Duration {
		if a <= 0 || b <= 0 {
			return 0
		}
		return max(a, b)
	}
	return Retention{longest(r.Events, other.Events), longest(r.Refusals, other.Refusals)}
}
