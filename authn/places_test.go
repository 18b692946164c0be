package authn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// line lets applicants in without goroutines, so that the order of turns is the same each time.
type line struct {
	*Places
	names map[*waiter]string
}

func newLine() line { return line{NewPlaces(0), map[*waiter]string{}} }

func (l line) add(standing Standing, address, name string) bool {
	w := &waiter{seat: seat{standing, name}, key: address, turned: make(chan struct{})}
	l.names[w] = name
	return l.admit(w)
}

// turns serves everybody, one after the other, and says in which order.
func (l line) turns() string {
	var order []string
	for w := l.choose(); w != nil; w = l.choose() {
		order = append(order, l.names[w])
	}
	return strings.Join(order, " ")
}

// TestPlacesTakeTurns: the standings take turns, and the addresses in them; nobody has to wait for
// all attempts of another.
func TestPlacesTakeTurns(t *testing.T) {
	l := newLine()
	for i := range 4 {
		l.add(Stranger, "flood", fmt.Sprint("f", i))
	}
	l.add(Stranger, "home", "ada")
	l.add(Administrator, "flood", "admin")
	l.add(Known, "grace", "grace")
	if got := l.turns(); got != "f0 admin grace ada f1 f2 f3" {
		t.Errorf("the turns were %s", got)
	}
}

// TestOneNameIsLookedAtOnceAtATime: the next attempt of a name waits for the end of the one before,
// and lets others pass.
func TestOneNameIsLookedAtOnceAtATime(t *testing.T) {
	l := newLine()
	l.add(Stranger, "a", "ada")
	l.add(Stranger, "a", "ada")
	l.add(Stranger, "a", "bob")
	first := l.choose()
	l.served[first.seat] = true
	if got := l.turns(); got != "bob" {
		t.Errorf("while one of ada's is looked at, the turns are %q", got)
	}
	l.leave(first) // gives the turn to who waits, now that one place is free
	if l.lanes[Stranger].waiting != 0 || !l.served[first.seat] {
		t.Error("the second attempt was not let in when the first had ended")
	}
}

// TestNobodyFillsAllPlaces: an address and a name have few places, and where all are taken a
// newcomer takes one of whoever has most.
func TestNobodyFillsAllPlaces(t *testing.T) {
	l := newLine()
	admitted := func(standing Standing, address string, n int, name func(int) string) (in int) {
		for i := range n {
			if l.add(standing, address, name(i)) {
				in++
			}
		}
		return in
	}
	invented := func(address string) func(int) string {
		return func(i int) string { return fmt.Sprint(address, "-", i) }
	}
	if n := admitted(Stranger, "flood", 80, invented("flood")); n != bounds[Stranger].key {
		t.Errorf("one address has %d places", n)
	}
	if n := admitted(Stranger, "guess", 80, func(int) string { return "ada" }); n != bounds[Stranger].name {
		t.Errorf("one name has %d places", n)
	}
	for i := range 20 { // many addresses
		admitted(Stranger, fmt.Sprint("bot", i), 80, invented(fmt.Sprint("bot", i)))
	}
	if n := l.lanes[Stranger].waiting; n != bounds[Stranger].all {
		t.Errorf("%d strangers wait", n)
	}
	if !l.add(Stranger, "home", "grace") || l.lanes[Stranger].waiting != bounds[Stranger].all {
		t.Error("an address with nobody waiting was turned away, or added to a full room")
	}
	if !l.add(Administrator, "flood", "admin") || !l.add(Known, "", "grace") {
		t.Error("strangers have taken the places of others")
	}
}

// TestAPlaceIsWaitedForAsLongAsTheRequest: who cannot be served in time, or at all, is told to try
// again, and leaves nothing behind.
func TestAPlaceIsWaitedForAsLongAsTheRequest(t *testing.T) {
	p := NewPlaces(1)
	leave, err := p.Take(context.Background(), Applicant{Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Take(over, Applicant{Name: "second"}); !errors.Is(err, ErrBusy) {
		t.Errorf("after its time: %v", err)
	}
	if n := p.lanes[Stranger].waiting; n != 0 || len(p.lanes[Stranger].keys) != 0 || len(p.lanes[Stranger].names) != 0 {
		t.Errorf("%d are left behind", n)
	}
	leave()
	leave() // once is enough
	if p.free != 1 {
		t.Errorf("%d may be served", p.free)
	}
	next, err := p.Take(context.Background(), Applicant{Name: "third"})
	if err != nil {
		t.Fatal(err)
	}
	next()
}
