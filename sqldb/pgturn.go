package sqldb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// turns let the updates of one node that change the same object do so one after the other, in the
// order in which they come, once they have been in each other's way. PostgreSQL fails all but one
// of them, and whoever tries again may fail again, for as long as others keep coming. Updates of
// other objects, and reads, do not notice.
//
// An object is named by the first text that a statement asks with: the id, as a rule. The names
// only decide who waits: what is right is decided by the database, which knows the other nodes as
// well.
type turns struct {
	used   atomic.Int64 // how many places there are: most often none
	left   atomic.Int64 // how many have left one, so that who waits sees whether anything moves
	mu     sync.Mutex
	places map[string]*place

	// What is changed by the updates that go one after the other, and by how many of them.
	noted   atomic.Int64 // how many objects: most often none
	inOrder map[string]int
}

// place is where updates queue for one object.
type place struct {
	taken chan struct{} // capacity 1; senders wait in the order in which they came
	users int           // who holds it, and those who wait
}

func (t *turns) busy(object string) bool {
	if t.used.Load() == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.places[object] != nil
}

func (t *turns) enter(ctx context.Context, object string) error {
	t.mu.Lock()
	p := t.places[object]
	if p == nil {
		if t.places == nil {
			t.places = map[string]*place{}
		}
		p = &place{taken: make(chan struct{}, 1)}
		t.places[object] = p
		t.used.Add(1)
	}
	p.users++
	t.mu.Unlock()
	select {
	case p.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		t.forget(object, p)
		return ctx.Err()
	}
}

func (t *turns) leave(object string) {
	t.mu.Lock()
	p := t.places[object]
	t.mu.Unlock()
	<-p.taken
	t.left.Add(1)
	t.forget(object, p)
}

func (t *turns) forget(object string, p *place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.users--; p.users == 0 {
		delete(t.places, object)
		t.used.Add(-1)
	}
}

// note notes an object of an update that goes after others.
func (t *turns) note(object string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inOrder == nil {
		t.inOrder = map[string]int{}
	}
	if t.inOrder[object]++; t.inOrder[object] == 1 {
		t.noted.Add(1)
	}
}

func (t *turns) strike(objects []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, object := range objects {
		if t.inOrder[object]--; t.inOrder[object] == 0 {
			delete(t.inOrder, object)
			t.noted.Add(-1)
		}
	}
}

func (t *turns) isNoted(object string) bool {
	if t.noted.Load() == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inOrder[object] > 0
}

// turn is one update's part in that. A nil turn takes none.
type turn struct {
	of           *turns
	wanted, held []string // in order
	changed      []string // by the statements of this try
	way          way
	noted        []string // what it changes, while it is one of those that go one after the other
	with         *turn    // of those that it goes after, and of itself
}

// way is how an update is run.
type way uint8

const (
	alone      way = iota
	sideBySide     // with others, and not with those that go one after the other
	inOrder        // after others
)

// errInOrder ends the try of an update that has to go after others.
var errInOrder = errors.New("it is run after those before it")

// errOutOfTurn ends a try that came to an object which others queue for. It holds no connection
// while it waits for them.
var errOutOfTurn = errors.New("others are changing the same object")

// unlucky is where updates queue that keep meeting others although they wait for their objects. No
// object has the name.
const unlucky = ""

// maxObjects bounds how many objects of one update are noted: one that changes more meets others in
// one of these, or is tried again as it is.
const maxObjects = 32 //bound:list objects that an update waits for

func (u *turn) begin() {
	if u != nil {
		u.changed = u.changed[:0]
	}
}

// at says what a statement is about, and whether it changes that. It fails when others queue for
// it, or go one after the other because of it.
func (u *turn) at(object string, changes bool) error {
	if u == nil || object == unlucky || slices.Contains(u.wanted, object) ||
		(u.with != nil && slices.Contains(u.with.held, object)) {
		return nil
	}
	busy := u.of.busy(object)
	follows := u.way == sideBySide && (busy || u.of.isNoted(object))
	if (changes || follows) && len(u.changed) < maxObjects && !slices.Contains(u.changed, object) {
		u.changed = append(u.changed, object)
	}
	if follows {
		return errInOrder
	}
	if busy && len(u.wanted) < maxObjects {
		u.wanted = append(u.wanted, object)
		return errOutOfTurn
	}
	if changes && u.way == inOrder && len(u.noted) < maxObjects {
		u.note(object)
	}
	return nil
}

// follow makes an update one of those that go one after the other. What it is known to change is
// theirs until it is struck.
func (u *turn) follow() {
	u.way = inOrder
	for _, object := range u.changed {
		u.note(object)
	}
}

func (u *turn) note(object string) {
	if !slices.Contains(u.noted, object) {
		u.noted = append(u.noted, object)
		u.of.note(object)
	}
}

// strike ends that.
func (u *turn) strike() {
	u.way, u.with = alone, nil
	u.of.strike(u.noted)
	u.noted = nil
}

// want notes that the try has met others: it waits for all that it changes, the next time.
func (u *turn) want(isUnlucky bool) {
	for _, object := range u.changed {
		if len(u.wanted) < maxObjects && !slices.Contains(u.wanted, object) {
			u.wanted = append(u.wanted, object)
		}
	}
	if isUnlucky && !slices.Contains(u.wanted, unlucky) {
		u.wanted = append(u.wanted, unlucky)
	}
}

// take waits for everything that is wanted, in one order for all updates, so that no two wait for
// each other.
func (u *turn) take(ctx context.Context) error {
	if len(u.held) == len(u.wanted) { // nothing is ever wanted less
		return nil
	}
	u.leave()
	slices.Sort(u.wanted)
	for _, object := range u.wanted {
		if err := u.of.enter(ctx, object); err != nil {
			u.leave()
			return err
		}
		u.held = append(u.held, object)
	}
	return nil
}

func (u *turn) leave() {
	for _, object := range u.held {
		u.of.leave(object)
	}
	u.held = u.held[:0]
}
