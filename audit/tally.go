package audit

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// How many refusals of strangers get lines of their own in a minute: of one kind from one
// neighborhood, of one that had more than that in the minute before, of all kinds from one
// neighborhood, and of all. Of these, what is not used is saved for later minutes, up to ownSaved:
// a morning's mistakes are many, and a month of a flood from everywhere stays below a gigabyte.
const (
	ownOfKind     = 5   //bound:rows events of refusals of one kind from one neighborhood in a minute
	ownOfRepeated = 1   //bound:rows those, in the minutes after one with more
	ownOfOne      = 15  //bound:rows events of refusals of strangers from one neighborhood in a minute
	ownPerMinute  = 30  //bound:rows events of refusals of strangers in a minute, on the average
	ownSaved      = 120 //bound:rows those in one minute, after quiet ones
)

// How many kinds of refusal are counted apart, and how many of them, the most frequent, get a line
// at the end of the minute. One more line has the sum of the rest.
const (
	maxCounted = 2000 //bound:memory kinds of refusal, by neighborhood, that are counted
	maxSummed  = 4    //bound:rows events of what was only counted in a minute, and one more for the rest
)

// SeveralKinds is the action of the line that sums up what got no line of its own kind.
const SeveralKinds = "SeveralRefusals"

// Tally counts the refusals of strangers. The first of them in a minute are events as all others,
// so that the reference on somebody's error page leads to one. What comes after them from the same
// neighborhood is counted, and leaves one line at the end of the minute: whoever can make this
// program write something could otherwise fill the disk. The zero value is ready. It counts what
// this process refuses.
type Tally struct {
	mu       sync.Mutex
	minute   time.Time // that is counted
	kinds    map[refusal]*tally
	from     map[string]int   // lines of their own, by neighborhood
	repeated map[refusal]bool // kinds that had more than their lines in the minute before
	left     int              // lines of their own that all may still have
	rest     int              // refusals that are in none of kinds
}

// refusal is a kind of refusal, from one neighborhood.
type refusal struct{ address, action, code string }

type tally struct{ own, more int }

// Admit says whether an event gets a line of its own, and returns the lines of the minute before
// when that is over. Events that are no stranger's refusal always do.
func (t *Tally) Admit(e Event) (own bool, ended []Event) {
	if !e.FromStranger() {
		return true, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if minute := e.Time.Truncate(time.Minute); t.kinds == nil || minute.After(t.minute) {
		ended = t.end(minute)
	}
	e = e.Bounded()
	kind := refusal{Neighborhood(e.Actor.Address), e.Action, e.Code}
	n := t.kinds[kind]
	if n == nil {
		if len(t.kinds) >= maxCounted {
			t.rest++
			return false, ended
		}
		n = &tally{}
		t.kinds[kind] = n
	}
	allowed := ownOfKind
	if t.repeated[kind] {
		allowed = ownOfRepeated
	}
	if n.own >= allowed || t.from[kind.address] >= ownOfOne || t.left == 0 {
		n.more++
		return false, ended
	}
	n.own++
	t.from[kind.address]++
	t.left--
	return true, ended
}

// Flush returns the lines of what was counted until now, and begins to count anew.
func (t *Tally) Flush(now time.Time) []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum(now)
}

// Ended is Flush for a minute that is over; there are no lines while it lasts.
func (t *Tally) Ended(now time.Time) []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	if minute := now.Truncate(time.Minute); minute.After(t.minute) {
		return t.end(minute)
	}
	return nil
}

// end begins a minute, and returns the lines of the one before.
func (t *Tally) end(minute time.Time) []Event {
	repeated, passed := map[refusal]bool{}, minute.Sub(t.minute)/time.Minute
	if passed == 1 {
		for kind, n := range t.kinds {
			if n.more > 0 {
				repeated[kind] = true
			}
		}
	}
	lines := t.sum(minute)
	t.minute, t.repeated, t.left = minute, repeated, int(min(ownSaved, time.Duration(t.left)+ownPerMinute*passed))
	t.kinds, t.from = map[refusal]*tally{}, map[string]int{}
	return lines
}

// sum makes lines of what was counted, until a time, and forgets it. Their time is in the minute
// that they are about.
func (t *Tally) sum(until time.Time) (lines []Event) {
	if last := t.minute.Add(time.Minute - time.Millisecond); until.After(last) {
		until = last
	}
	var counted []refusal
	for kind, n := range t.kinds {
		if n.more > 0 {
			counted = append(counted, kind)
		}
	}
	slices.SortFunc(counted, func(a, b refusal) int {
		return cmp.Or(cmp.Compare(t.kinds[b].more, t.kinds[a].more), cmp.Compare(a.address, b.address),
			cmp.Compare(a.action, b.action), cmp.Compare(a.code, b.code))
	})
	line := func(kind refusal, n int, of string) {
		detail := fmt.Sprintf("%s more%s in the minute from %s, which were counted and have no events of their own",
			thousands(n), of, t.minute.UTC().Format("15:04"))
		lines = append(lines, Event{Time: until, Actor: Actor{Kind: Anonymous, Address: kind.address},
			Action: kind.action, Result: Refused, Code: kind.code, Detail: detail, Count: n})
	}
	for i, kind := range counted {
		if i < maxSummed {
			line(kind, t.kinds[kind].more, "")
		} else {
			t.rest += t.kinds[kind].more
		}
		t.kinds[kind].more = 0
	}
	if t.rest > 0 {
		line(refusal{action: SeveralKinds}, t.rest, ", of other kinds or from elsewhere,")
		t.rest = 0
	}
	return lines
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
