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

// How many refusals of one sender who is known, such as a person who is signed in or an access key,
// get lines of their own: that many in a minute, on the average, and what is not used is saved.
// Known senders are fewer, and what they try matters more, but each could fill a disk too.
const (
	ownOfKnown      = 10  //bound:rows events of refusals of one person, key or program in a minute, on the average
	ownOfKnownSaved = 120 //bound:rows those in one minute, after quiet ones
)

// How many kinds of refusal are counted apart, of strangers and of known senders, and how many of
// them, the most frequent, get a line at the end of the minute. One more line has the sum of the
// rest.
const (
	maxCounted = 2000 //bound:memory kinds of refusal that are counted, by neighborhood, and by sender
	maxSummed  = 4    //bound:rows events of what was only counted in a minute, and one more for the rest
)

// SeveralKinds is the action of the line that sums up what got no line of its own kind.
const SeveralKinds = "SeveralRefusals"

// Tally counts refusals. The first of them in a minute are events as all others, so that the
// reference on somebody's error page leads to one. What comes after them from the same neighborhood
// or the same sender is counted, and leaves one line at the end of the minute: otherwise, anyone
// who can make this program write something could fill the disk. The zero value is ready. It counts
// what this process refuses.
//
// Strangers and known senders are counted separately: a flood of strangers does not hide the
// refusals of a known sender.
type Tally struct {
	mu        sync.Mutex
	minute    time.Time // that is counted
	strangers counts
	known     counts
	from      map[sender]int   // lines of their own, by neighborhood
	repeated  map[refusal]bool // kinds that had more than their lines in the minute before
	left      int              // lines of their own that all strangers may still have
	saved     map[sender]int   // lines of their own that who is known may still have; all, where it has none
	held      held             // what could not be written yet
}

// sender is who was refused: a neighborhood, or somebody who is known.
type sender struct {
	kind          Kind // empty: a stranger
	name, address string
}

func senderOf(e Event) sender {
	if e.FromStranger() {
		return sender{address: Neighborhood(e.Actor.Address)}
	}
	return sender{kind: e.Actor.Kind, name: e.Actor.Name}
}

// actor is the sender in an event.
func (s sender) actor() Actor {
	if s.kind == "" {
		return Actor{Kind: Anonymous, Address: s.address}
	}
	return Actor{Kind: s.kind, Name: s.name}
}

// refusal is a kind of refusal, of one sender.
type refusal struct {
	sender
	action, code string
}

type tally struct{ own, more int }

// counts are refusals by their kind.
type counts struct {
	kinds map[refusal]*tally
	rest  int // refusals that are in none of kinds
}

// of is the tally of a kind, or nil where there are too many.
func (c *counts) of(kind refusal) *tally {
	n := c.kinds[kind]
	if n == nil && len(c.kinds) < maxCounted {
		n = &tally{}
		c.kinds[kind] = n
	}
	if n == nil {
		c.rest++
	}
	return n
}

// Admit says whether an event gets a line of its own, and returns the lines of the minute before
// when that is over. What was granted, and what the program itself was refused, always does.
func (t *Tally) Admit(e Event) (own bool, ended []Event) {
	if e.Result != Refused || e.Actor.Kind == System {
		return true, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if minute := e.Time.Truncate(time.Minute); t.strangers.kinds == nil || minute.After(t.minute) {
		ended = t.end(minute)
	}
	e = e.Bounded()
	kind := refusal{senderOf(e), e.Action, e.Code}
	if e.FromStranger() {
		return t.admitStranger(kind), ended
	}
	return t.admitKnown(kind), ended
}

func (t *Tally) admitStranger(kind refusal) bool {
	n := t.strangers.of(kind)
	if n == nil {
		return false
	}
	allowed := ownOfKind
	if t.repeated[kind] {
		allowed = ownOfRepeated
	}
	if n.own >= allowed || t.from[kind.sender] >= ownOfOne || t.left == 0 {
		n.more++
		return false
	}
	n.own++
	t.from[kind.sender]++
	t.left--
	return true
}

func (t *Tally) admitKnown(kind refusal) bool {
	left, spent := t.saved[kind.sender]
	if !spent {
		left = ownOfKnownSaved
	}
	if left > 0 && (spent || len(t.saved) < maxCounted) {
		t.saved[kind.sender] = left - 1
		return true
	}
	if n := t.known.of(kind); n != nil {
		n.more++
	}
	return false
}

// Flush returns the lines of what was counted until now, and starts counting again.
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
		for kind, n := range t.strangers.kinds {
			if n.more > 0 {
				repeated[kind] = true
			}
		}
	}
	lines := t.sum(minute)
	t.minute = minute
	t.repeated = repeated
	t.left = int(min(ownSaved, time.Duration(t.left)+ownPerMinute*passed))
	saved := map[sender]int{}
	for who, left := range t.saved {
		if next := time.Duration(left) + ownOfKnown*min(passed, ownOfKnownSaved); next < ownOfKnownSaved {
			saved[who] = int(next)
		}
	}
	t.strangers, t.known = counts{kinds: map[refusal]*tally{}}, counts{kinds: map[refusal]*tally{}}
	t.from, t.saved = map[sender]int{}, saved
	return lines
}

// sum makes lines of what was counted, until a time, and forgets it. Their time is in the minute
// that they are about.
func (t *Tally) sum(until time.Time) []Event {
	if last := t.minute.Add(time.Minute - time.Millisecond); until.After(last) {
		until = last
	}
	return append(
		t.strangers.sum(t.minute, until, Actor{Kind: Anonymous}),
		t.known.sum(t.minute, until, SystemActor)...)
}

// sum is the sum of one of the two counts; others is who stands for the rest.
func (c *counts) sum(minute, until time.Time, others Actor) (lines []Event) {
	var counted []refusal
	for kind, n := range c.kinds {
		if n.more > 0 {
			counted = append(counted, kind)
		}
	}
	slices.SortFunc(counted, func(a, b refusal) int {
		return cmp.Or(cmp.Compare(c.kinds[b].more, c.kinds[a].more), cmp.Compare(a.address, b.address),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name),
			cmp.Compare(a.action, b.action), cmp.Compare(a.code, b.code))
	})
	line := func(by Actor, action, code string, n int, of string) {
		detail := fmt.Sprintf("%s more%s in the minute from %s, which were counted and have no events of their own",
			thousands(n), of, minute.UTC().Format("15:04"))
		lines = append(lines, Event{
			Time:   until,
			Actor:  by,
			Action: action,
			Result: Refused,
			Code:   code,
			Detail: detail,
			Count:  n,
		})
	}
	for i, kind := range counted {
		if i < maxSummed {
			line(kind.actor(), kind.action, kind.code, c.kinds[kind].more, "")
		} else {
			c.rest += c.kinds[kind].more
		}
		c.kinds[kind].more = 0
	}
	if c.rest > 0 {
		line(others, SeveralKinds, "", c.rest, ", of other kinds or from elsewhere,")
		c.rest = 0
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
