package authn

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Hashing a password takes a processor and 19 MiB for about 20 ms, so few are hashed at once, and
// the rest wait. Whoever can send many attempts must not keep the others waiting: that is what
// Places is for.

// Standing is what is known of somebody before the password is looked at. Each standing has places
// of its own, and all of them get their turns, so that no number of strangers delays a known person
// for longer than a hash or two.
type Standing uint8

// The standings.
const (
	Stranger      Standing = iota // nothing is known
	Administrator                 // gives the name of an administrator, in a browser that is not known
	Known                         // in a browser where the same person has signed in before, or signed in already
	standings
)

// Applicant is somebody who wants a password hashed.
type Applicant struct {
	Standing Standing
	Address  string // which of them count as one is for the caller to say
	Name     string // whose password it is: only one attempt of a name is looked at at a time
}

// ErrBusy says that there is no place. The password was not checked, and the sender may try again.
var ErrBusy = errors.New("too many passwords are being checked at the moment")

// bound is how many may wait in one standing: in all, with one key (an address, or the name of
// somebody who is known), and with one name.
type bound struct{ all, key, name int }

const (
	//bound:queue strangers who wait for a hash
	maxStrangers = 64
	//bound:queue strangers at one address who wait for a hash
	maxAtAddress = 16
	//bound:queue attempts of strangers for one name that wait for a hash
	maxForName = 8
	//bound:queue administrators who wait for a hash, in browsers that are not known
	maxAdministrators = 64
	//bound:queue people who wait for a hash, and are known
	maxKnown = 256
	//bound:queue attempts of one person who is known, or for one administrator at one address, that wait for a hash
	maxForOne = 32
	//bound:queue attempts that were turned away, whose answers wait for a moment
	maxPaused = 256
	//bound:wait for the answer of an attempt that was turned away
	pause = time.Second
)

var bounds = [standings]bound{
	Stranger:      {maxStrangers, maxAtAddress, maxForName},
	Administrator: {maxAdministrators, maxForOne, maxForOne},
	Known:         {maxKnown, maxForOne, maxForOne},
}

// Places decides who is next. The standings take turns, and within one the addresses; known people
// have turns by name. Where a standing is full, an address that has few waiting takes the place of
// one that has many.
type Places struct {
	mu     sync.Mutex
	free   int // of those that may be served at once
	next   Standing
	lanes  [standings]lane
	served map[seat]bool
	paused chan struct{} // those who were turned away and have no answer yet
}

// seat is one name in one standing: mistakes are counted for each of them apart.
type seat struct {
	standing Standing
	name     string
}

type lane struct {
	waiting int
	names   map[string]int
	keys    []*queue // in the order of their turns
}

// queue is those who wait with one key, the first come first.
type queue struct {
	key     string
	waiting []*waiter
}

type waiter struct {
	seat   seat
	key    string
	turned chan struct{} // closed when it is served or turned away
	served bool
}

// NewPlaces makes places of which some are served at once. What they do may take longer than a
// hash, such as a write, so that more may be served than can hash at once.
func NewPlaces(served int) *Places {
	p := &Places{free: served, served: map[seat]bool{}, paused: make(chan struct{}, maxPaused)}
	for i := range p.lanes {
		p.lanes[i].names = map[string]int{}
	}
	return p
}

// Shared are the places of this process, whose processors both halves share.
var Shared = NewPlaces(cap(hashing) + 3)

// Take waits for a turn, as long as ctx lasts, and returns what ends it. It fails with ErrBusy.
func (p *Places) Take(ctx context.Context, a Applicant) (leave func(), err error) {
	w := &waiter{seat: seat{a.Standing, Digest(a.Name)}, key: a.Address, turned: make(chan struct{})}
	if a.Standing == Known {
		w.key = w.seat.name
	}
	p.mu.Lock()
	if !p.admit(w) {
		p.mu.Unlock()
		p.Pause(ctx)
		return nil, ErrBusy
	}
	p.serve()
	p.mu.Unlock()
	select {
	case <-w.turned:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.served { // turned away, or its time is over
		p.remove(w)
		return nil, ErrBusy
	}
	return sync.OnceFunc(func() { p.leave(w) }), nil
}

// Pause is how long an attempt that is turned away waits for its answer, unless too many do:
// clients that retry at once would take the processor from everybody.
func (p *Places) Pause(ctx context.Context) {
	select {
	case p.paused <- struct{}{}:
		defer func() { <-p.paused }()
	default:
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Full says whether a stranger of an address would be turned away now.
func (p *Places) Full(a Applicant) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &waiter{seat: seat{Stranger, Digest(a.Name)}, key: a.Address}
	fits, _ := p.fits(w)
	return !fits
}

// admit lets a waiter into its lane, in the place of another if need be.
func (p *Places) admit(w *waiter) bool {
	fits, instead := p.fits(w)
	if !fits {
		return false
	}
	if instead != nil {
		out := instead.waiting[len(instead.waiting)-1]
		p.remove(out)
		close(out.turned)
	}
	l := &p.lanes[w.seat.standing]
	q := l.of(w.key)
	if q == nil {
		q = &queue{key: w.key}
		l.keys = append(l.keys, q)
	}
	q.waiting = append(q.waiting, w)
	l.waiting++
	l.names[w.seat.name]++
	return true
}

// fits says whether there is room for a waiter, and in the place of whose last.
func (p *Places) fits(w *waiter) (ok bool, instead *queue) {
	l, b := &p.lanes[w.seat.standing], bounds[w.seat.standing]
	mine := 0
	if q := l.of(w.key); q != nil {
		mine = len(q.waiting)
	}
	if mine >= b.key || l.names[w.seat.name] >= b.name {
		return false, nil
	}
	if l.waiting < b.all {
		return true, nil
	}
	longest := slices.MaxFunc(l.keys, func(a, b *queue) int { return len(a.waiting) - len(b.waiting) })
	return len(longest.waiting) > mine+1, longest
}

func (l *lane) of(key string) *queue {
	for _, q := range l.keys {
		if q.key == key {
			return q
		}
	}
	return nil
}

// remove takes a waiter out of its lane, if it is there.
func (p *Places) remove(w *waiter) {
	l := &p.lanes[w.seat.standing]
	q := l.of(w.key)
	if q == nil {
		return
	}
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if len(q.waiting) == 0 {
		l.keys = slices.DeleteFunc(l.keys, func(other *queue) bool { return other == q })
	}
	l.waiting--
	if l.names[w.seat.name]--; l.names[w.seat.name] == 0 {
		delete(l.names, w.seat.name)
	}
}

// serve gives turns to whoever is next, as long as some may be served.
func (p *Places) serve() {
	for p.free > 0 {
		w := p.choose()
		if w == nil {
			return
		}
		p.free--
		p.served[w.seat] = true
		w.served = true
		close(w.turned)
	}
}

// choose takes the next waiter out: the next standing's, of the next key, the first whose name is
// not being looked at.
func (p *Places) choose() *waiter {
	for range standings {
		l := &p.lanes[p.next]
		p.next = (p.next + 1) % standings
		for i, q := range l.keys {
			for _, w := range q.waiting {
				if p.served[w.seat] {
					continue
				}
				l.keys = append(slices.Delete(l.keys, i, i+1), q) // its next turn comes after everybody else's
				p.remove(w)
				return w
			}
		}
	}
	return nil
}

func (p *Places) leave(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free++
	delete(p.served, w.seat)
	p.serve()
}
