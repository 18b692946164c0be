package audit

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Query asks a store for events: those that a filter selects, the newest first or the oldest.
type Query struct {
	Filter
	OldestFirst bool
	Skip        int // so many of those that are selected are passed over
	Limit       int // how many at the most; 0: 100
	Look        int // how many events Find looks through at the most; 0: the usual bound
}

// usualLimit is how many events a query finds that does not say how many.
const usualLimit = 100 //bound:list events of the audit log, unless a query says how many

// Found is what a store has found. It is cut off when what was read for it has become too much:
// there may be more of them.
type Found struct {
	Events []Event
	Cut    bool
	End    time.Time // of the last event that was looked at
}

// Reader reads the events that a store keeps.
type Reader interface {
	FindEvents(Query) (Found, error)
	// EventBeyond is the time of the event that comes so many events after a moment, in the order
	// of the query; the zero time if there are no more than that.
	EventBeyond(at time.Time, events int, oldestFirst bool) (time.Time, error)
}

// Place is where a list of events goes on: at a moment of which so many events were shown.
type Place struct {
	At    time.Time // zero: at the beginning of the list
	Shown int
}

// String is the place as addresses have it.
func (p Place) String() string {
	return strconv.FormatInt(p.At.UnixMilli(), 10) + "." + strconv.Itoa(p.Shown)
}

// ParsePlace reads a place from an address.
func ParsePlace(text string) (p Place, ok bool) {
	at, shown, _ := strings.Cut(text, ".")
	ms, e1 := strconv.ParseInt(at, 10, 64)
	n, e2 := strconv.Atoi(shown)
	if e1 != nil || e2 != nil || ms < 0 || n < 0 {
		return p, false
	}
	return Place{time.UnixMilli(ms), n}, true
}

// Page is a part of a list of events.
type Page struct {
	Events []Event
	Next   Place     // where it goes on; zero: there are no more
	Looked time.Time // how far the page looks, where the list goes on although the page is not full
	Partly bool      // not everybody whose name was looked for was looked for by the id too
}

// How many events one page looks through for those that its filter selects: fewer when they are
// compared with more, so that it takes some 75 ms of SQLite's time.
const (
	mostLooked  = 80_000 //bound:list events of the audit log that one page looks through
	leastLooked = 15_000 //bound:none never fewer
)

func (q Query) look() int {
	compared := 1
	for _, some := range q.likely() {
		compared += len(some)
	}
	return cmp.Or(q.Look, max(leastLooked, mostLooked/compared))
}

// Find reads a page of the events that a query selects. It looks through a bounded part of the log:
// a page that is not full may have a Next all the same.
func Find(r Reader, q Query, at Place) (p Page, err error) {
	window := q.window(at)
	if window.first > window.last {
		return p, nil
	}
	rest, more := int64(0), false
	if !q.Empty() {
		begin := time.UnixMilli(window.begin(q.OldestFirst))
		end, err := r.EventBeyond(begin, q.look(), q.OldestFirst)
		if err != nil {
			return p, err
		}
		if !end.IsZero() {
			rest, more = window.endBefore(end.UnixMilli(), q.OldestFirst)
		}
	}
	size := q.limit()
	q.From, q.To = time.UnixMilli(window.first), time.UnixMilli(window.last+1)
	q.Skip, q.Limit = at.Shown, size+1
	found, err := r.FindEvents(q)
	if err != nil {
		return p, err
	}
	p.Events = found.Events
	switch {
	case len(p.Events) > size:
		p.Events = p.Events[:size]
		p.Next = at.behind(p.Events...)
	case found.Cut:
		p.Next, p.Looked = at.behind(p.Events...), found.End
		if end := found.End.UnixMilli(); p.Next.At.UnixMilli() != end {
			p.Next = Place{At: time.UnixMilli(end)}
		} else if p.Next == at {
			p.Next = Place{At: q.step(found.End)} // so much at one moment: nothing that people do
		}
	case more:
		p.Next = Place{At: time.UnixMilli(rest)}
		p.Looked = p.Next.At
	}
	return p, nil
}

// window is the moments that are looked through, in milliseconds, both ends included.
type window struct{ first, last int64 }

// lastMoment is after all events: the end of the year 9999.
const lastMoment = 253_402_300_799_999 //bound:none the last moment that RFC 3339 can write

func (q Query) window(at Place) window {
	w := window{0, lastMoment}
	if !q.From.IsZero() {
		w.first = max(w.first, q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		w.last = min(w.last, q.To.UnixMilli()-1)
	}
	switch {
	case at.At.IsZero():
	case q.OldestFirst:
		w.first = max(w.first, at.At.UnixMilli())
	default:
		w.last = min(w.last, at.At.UnixMilli())
	}
	return w
}

func (w window) begin(oldestFirst bool) int64 {
	if oldestFirst {
		return w.first
	}
	return w.last
}

// endBefore narrows the window to what comes before a moment, but to one moment at least. It
// returns where the rest begins, if there is any.
func (w *window) endBefore(moment int64, oldestFirst bool) (rest int64, more bool) {
	if oldestFirst {
		if moment > w.last {
			return 0, false
		}
		rest, w.last = w.last, max(w.first, moment-1)
		return w.last + 1, w.last < rest
	}
	if moment < w.first {
		return 0, false
	}
	rest, w.first = w.first, min(w.last, moment+1)
	return w.first - 1, w.first > rest
}

// step is the next moment.
func (q Query) step(at time.Time) time.Time {
	if q.OldestFirst {
		return at.Add(time.Millisecond)
	}
	return at.Add(-time.Millisecond)
}

// Behind is the place behind an event that a list shows after the place.
func (p Place) Behind(e Event) Place {
	at := time.UnixMilli(e.Time.UnixMilli())
	if at.Equal(p.At) {
		return Place{at, p.Shown + 1}
	}
	return Place{at, 1}
}

func (p Place) behind(events ...Event) Place {
	for _, e := range events {
		p = p.Behind(e)
	}
	return p
}

// Newest is the time of the newest event; zero: there is none.
func Newest(r Reader) (time.Time, error) {
	found, err := r.FindEvents(Query{Limit: 1})
	if err != nil || len(found.Events) == 0 {
		return time.Time{}, err
	}
	return found.Events[0].Time, nil
}
