package audit

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pad has notes, as a store has.
type pad map[string]string

func (p pad) EventNote(id string) (string, error) { return p[id], nil }
func (p pad) PutEventNote(id, doc string) error   { p[id] = doc; return nil }

// sweeping are nodes on one store, in the time of a test of their own.
type sweeping struct {
	*testing.T
	pad
	said bytes.Buffer
}

// look has a node look, by a clock that is ahead.
func (s *sweeping) look(node *Sweeper, ahead time.Duration, newest time.Time, keep Retention) Ruling {
	s.Helper()
	r, err := node.Look(s.pad, time.Now().UTC().Add(ahead), newest, keep, true)
	if err != nil {
		s.Fatal(err)
	}
	node.Looked(s.Context(), slog.New(slog.NewTextHandler(&s.said, nil)), r)
	return r
}

// each has nodes look every ten minutes for a while, and says what the last of them is told.
func (s *sweeping) each(d, ahead time.Duration, keep Retention, nodes ...*Sweeper) (last Ruling) {
	s.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Minute) { // of the test's clock
		for _, n := range nodes {
			last = s.look(n, ahead, time.Time{}, keep)
		}
	}
	return last
}

func started() *Sweeper {
	var s Sweeper
	s.start()
	return &s
}

func sweepers(t *testing.T, test func(s *sweeping)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(&sweeping{T: t, pad: pad{}}) })
}

const (
	hour = time.Hour
	day  = 24 * hour
)

// TestAClockIsDoubtedForADay that is far ahead at a start, however often the program is started:
// whether something happens meanwhile or not.
func TestAClockIsDoubtedForADay(t *testing.T) {
	sweepers(t, func(s *sweeping) {
		month := 30 * day
		if r := s.look(started(), month, time.Time{}, DefaultRetention); r.Doubted {
			t.Error("it is doubted where nothing is known")
		}
		s.pad = pad{}
		newest := time.Now().Add(-hour)
		if r := s.look(started(), month, newest, DefaultRetention); !r.Doubted {
			t.Error("a month ahead of the newest event it is not doubted: as after the upgrade")
		}
		if !strings.Contains(s.said.String(), "clock is wrong") {
			t.Errorf("nobody says so: %s", &s.said)
		}
		newest = time.Now().Add(month) // somebody has signed in, by that clock
		for range 3 {                  // it is started each night, and ends in the morning
			node := started()
			if r := s.look(node, month, newest, DefaultRetention); !r.Doubted {
				t.Error("with the next start it is not doubted any more")
			}
			if r := s.each(7*hour, month, DefaultRetention, node); !r.Doubted {
				t.Error("it is not doubted any more after some hours")
			}
			time.Sleep(17 * hour)
		}
		if r := s.each(5*hour, month, DefaultRetention, started()); r.Doubted {
			t.Error("it is doubted after more than a day in all")
		}
		if r := s.look(started(), month, time.Time{}, DefaultRetention); r.Doubted {
			t.Error("it is doubted again")
		}
	})
}

// TestAClockThatJumpsIsDoubtedForADay while the program runs: at this node, at one that looks for
// the first time after it, and at once by what comes between two looks.
func TestAClockThatJumpsIsDoubtedForADay(t *testing.T) {
	sweepers(t, func(s *sweeping) {
		year := 365 * day
		a, b := started(), started()
		if !a.Doubts(time.Now()) {
			t.Error("a node that has not looked since its start doubts nothing")
		}
		s.each(5*hour, 0, DefaultRetention, a, b)
		time.Sleep(3 * day) // the database was away: nobody could look
		s.each(hour, 0, DefaultRetention, a, b)
		if now := time.Now(); a.Doubts(now) || a.Doubts(now.Add(23*hour)) || !a.Doubts(now.Add(year)) {
			t.Error("between two looks a jump is not seen, or seen where there is none")
		}
		if r := s.look(a, year, time.Time{}, DefaultRetention); !r.Doubted || !a.Doubts(time.Now()) {
			t.Error("a year ahead it is not doubted")
		}
		if n := strings.Count(s.said.String(), "gone ahead"); n != 1 {
			t.Errorf("it is said %d times: %s", n, &s.said)
		}
		if r := s.look(b, year, time.Time{}, DefaultRetention); !r.Doubted {
			t.Error("the other node does not doubt it")
		}
		if r := s.look(started(), year, time.Time{}, DefaultRetention); !r.Doubted {
			t.Error("with the next start it is not doubted any more")
		}
		if r := s.each(23*hour, year, DefaultRetention, a, b); !r.Doubted {
			t.Error("it is not doubted any more after 23 hours")
		}
		if r := s.each(2*hour, year, DefaultRetention, a, b); r.Doubted || a.Doubts(time.Now().Add(year)) {
			t.Error("it is doubted for more than a day")
		}
		if r := s.look(a, 2*year, time.Time{}, DefaultRetention); !r.Doubted {
			t.Error("the next jump is not doubted")
		}
		if r := s.look(a, year, time.Time{}, DefaultRetention); r.Doubted || a.Doubts(time.Now().Add(year)) {
			t.Error("a clock is doubted that was put right")
		}
	})
}

// TestAClockIsNotDoubted that is right, where nothing happens for long, and that was put right.
func TestAClockIsNotDoubted(t *testing.T) {
	sweepers(t, func(s *sweeping) {
		newest, node := time.Now(), started()
		s.look(node, 0, newest, DefaultRetention)
		for range 5 {
			s.each(9*hour, 0, DefaultRetention, node)
			time.Sleep(14 * hour)
			if node = started(); s.look(node, 0, newest, DefaultRetention).Doubted {
				t.Error("an idle program that is started each day doubts its clock")
			}
		}
		if s.look(node, 23*hour, newest, DefaultRetention).Doubted {
			t.Error("a clock is doubted that went ahead a little")
		}
		if s.look(started(), 0, newest, DefaultRetention).Doubted {
			t.Error("a clock is doubted that went back")
		}
		if strings.Count(s.said.String(), "the clock is behind") != 1 {
			t.Errorf("nobody says so, or twice: %s", &s.said)
		}
		node = started() // on a machine that does not know the time until somebody tells it
		for _, ahead := range []time.Duration{-50 * 365 * day, 5 * hour} {
			if s.look(node, ahead, newest, DefaultRetention).Doubted || node.Doubts(time.Now()) {
				t.Errorf("%v ahead it is doubted", ahead)
			}
		}
		if !s.look(started(), 400*day, newest, DefaultRetention).Doubted {
			t.Error("a clock is not doubted that is ahead at a start")
		}
		node = started()
		if s.look(node, 0, newest, DefaultRetention).Doubted {
			t.Error("a clock is doubted that was put right")
		}
		if s.look(node, 2*hour, newest, DefaultRetention).Doubted {
			t.Error("what was doubted once is doubted again")
		}
	})
}

// TestAJumpIsDoubtedWhateverWasKnown before the start: a clock that was ahead, and was put right,
// and the newest event of a program that has never looked, may have known of a time to come.
func TestAJumpIsDoubtedWhateverWasKnown(t *testing.T) {
	const year = 365 * day
	for name, known := range map[string]func(s *sweeping) (newest time.Time){
		"by a clock that was believed": func(s *sweeping) time.Time {
			newest := time.Now()
			node := started()
			s.look(node, 0, newest, DefaultRetention)
			if s.each(30*hour, year, DefaultRetention, node).Doubted {
				t.Error("a clock is doubted for more than a day")
			}
			return newest
		},
		"of the newest event": func(*sweeping) time.Time { return time.Now().Add(year) },
	} {
		t.Run(name, func(t *testing.T) {
			sweepers(t, func(s *sweeping) {
				newest, node := known(s), started()
				if s.look(node, 0, newest, DefaultRetention).Doubted {
					t.Error("a clock is doubted that was put right")
				}
				s.each(2*hour, 0, DefaultRetention, node)
				if now := time.Now(); node.Doubts(now) || !node.Doubts(now.Add(year-60*day)) {
					t.Error("between two looks a jump is not seen, or seen where there is none")
				}
				if !s.look(node, year-60*day, newest, DefaultRetention).Doubted {
					t.Error("the clock is not doubted that has jumped")
				}
			})
		})
	}
}

// TestAClockThatCameBackIsDoubtedWhenItJumps soon after it was put right.
func TestAClockThatCameBackIsDoubtedWhenItJumps(t *testing.T) {
	sweepers(t, func(s *sweeping) {
		node, newest := started(), time.Now()
		for _, ahead := range []time.Duration{-50 * 365 * day, 0, -50 * 365 * day} {
			if s.look(node, ahead, newest, DefaultRetention).Doubted {
				t.Errorf("%v ahead it is doubted", ahead)
			}
		}
		if !s.look(node, 0, newest, DefaultRetention).Doubted {
			t.Error("a clock that goes ahead by years a second time is not doubted")
		}
	})
}

// TestADayIsADayOnSeveralNodes that all count it.
func TestADayIsADayOnSeveralNodes(t *testing.T) {
	sweepers(t, func(s *sweeping) {
		nodes := []*Sweeper{started(), started(), started()}
		s.look(nodes[0], 30*day, time.Now(), DefaultRetention)
		if r := s.each(23*hour, 30*day, DefaultRetention, nodes...); !r.Doubted {
			t.Error("three nodes have counted a day in less")
		}
		if r := s.each(2*hour, 30*day, DefaultRetention, nodes...); r.Doubted {
			t.Error("it is doubted for longer than a day")
		}
	})
}

// TestADayOfDoubtIsOneInWhichTheProgramRan: a machine that is paused, or a database that is away,
// for a day and a half is no day in which somebody could put the clock right.
func TestADayOfDoubtIsOneInWhichTheProgramRan(t *testing.T) {
	sweepers(t, func(s *sweeping) {
		nodes := []*Sweeper{started(), started()}
		month := 30 * day
		s.look(nodes[0], month, time.Now(), DefaultRetention)
		s.each(hour, month, DefaultRetention, nodes...)
		for range 3 {
			time.Sleep(36 * hour)
			if r := s.each(hour, month, DefaultRetention, nodes...); !r.Doubted {
				t.Fatal("it is not doubted any more after some hours of work")
			}
		}
		if r := s.each(21*hour, month, DefaultRetention, nodes...); r.Doubted {
			t.Error("it is doubted after more than a day of work")
		}
	})
}

// TestTheLongestTimeHolds that a node was told to keep events, until none has said so for a day
// while others were there.
func TestTheLongestTimeHolds(t *testing.T) {
	short := Retention{Events: 30 * day, Refusals: 7 * day}
	long := Retention{Refusals: 3 * day} // forever
	both := Retention{Refusals: 7 * day}
	sweepers(t, func(s *sweeping) {
		a, b := started(), started()
		if r := s.look(a, 0, time.Time{}, long); r.Keep != long {
			t.Errorf("alone: %v", r.Keep)
		}
		for range 300 { // two days
			if r := s.look(b, 0, time.Time{}, short); r.Keep != both {
				t.Fatalf("the one that was told less: %v", r.Keep)
			}
			if r := s.look(a, 0, time.Time{}, long); r.Keep != both {
				t.Fatalf("the one that was told more: %v", r.Keep)
			}
			time.Sleep(10 * time.Minute)
		}
		for own, want := range map[Retention]Kept{
			short: {Retention: both, EventsBy: "a node"},
			long:  {Retention: both, RefusalsBy: "a node"},
			both:  {Retention: both},
		} {
			got, err := ReadKept(s.pad, time.Now().UTC(), own, true)
			for _, by := range []*string{&got.EventsBy, &got.RefusalsBy} {
				if *by != "" {
					*by = "a node" // this machine
				}
			}
			if err != nil || got != want {
				t.Errorf("to a node that was told %v it says %+v, %v; want %+v", own, got, err, want)
			}
		}
		if n := strings.Count(s.said.String(), "another node was told"); n != 2 {
			t.Errorf("it is said %d times: %s", n, &s.said)
		}
		time.Sleep(7 * day) // nobody is there
		if r := s.look(b, 0, time.Time{}, short); r.Keep != both {
			t.Errorf("after a week in which nobody was there, the first to start: %v", r.Keep)
		}
		if r := s.each(23*hour, 0, short, b); r.Keep != both {
			t.Errorf("less than a day later: %v", r.Keep)
		}
		if r := s.each(2*hour, 0, short, b); r.Keep != short {
			t.Errorf("a day later: %v", r.Keep)
		}
		if r := s.look(started(), 0, time.Time{}, long); r.Keep != both {
			t.Errorf("the other one is back: %v", r.Keep)
		}
	})
}

// TestManyTimesAreOne has nodes start with another time each: the list is bounded, and the longest
// holds.
func TestManyTimesAreOne(t *testing.T) {
	sweepers(t, func(s *sweeping) {
		var r Ruling
		for i := range 100 {
			r = s.look(started(), 0, time.Time{}, Retention{Events: time.Duration(200-i) * day, Refusals: day})
		}
		if r.Keep.Events != 200*day || len(s.pad[sweepNote]) > 100*maxTold {
			t.Errorf("%v, in %d bytes", r.Keep, len(s.pad[sweepNote]))
		}
		s.pad[sweepNote] = `{"Told":7}`
		if r = s.look(started(), 0, time.Time{}, DefaultRetention); r.Keep != DefaultRetention || r.Doubted {
			t.Errorf("with a note that is none: %+v", r)
		}
	})
}
