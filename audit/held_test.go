package audit

import (
	"errors"
	"testing"
	"time"
)

// TestRefusalsThatWaitFillNoMemory holds a day's refusals while nothing can be written: each is in
// what is written at last, most of them in one line, and an error that does not pass ends it.
func TestRefusalsThatWaitFillNoMemory(t *testing.T) {
	var tally Tally
	passing := errors.New("the disk is full")
	passes := func(err error) bool { return errors.Is(err, passing) }
	want := 0
	for i := range 2000 {
		e := refused("192.0.2.1", "SCIM GET", noon.Add(time.Duration(i)*time.Minute))
		if i%2 == 1 {
			e.Actor = Actor{Kind: User, Name: "ada"}
		}
		e.Count = i % 3
		granted := e
		granted.Result = Granted
		tally.Hold([]Event{e, granted})
		want += max(1, e.Count)
		if err := tally.WriteHeld(func([]Event) error { return passing }, passes); !errors.Is(err, passing) {
			t.Fatal(err)
		}
	}
	var last Event
	var got, lines, most int
	write := func(events []Event) error {
		most = max(most, len(events))
		for _, e := range events {
			got += max(1, e.Count)
			lines++
			last = e
		}
		return nil
	}
	if err := tally.WriteHeld(write, passes); err != nil {
		t.Fatal(err)
	}
	if got != want || lines != 2*(maxHeld+1) || most > heldEach {
		t.Errorf("%d refusals in %d lines, %d at once; want %d", got, lines, most, want)
	}
	if last.Action != SeveralKinds || !last.Time.Equal(noon.Add(1998*time.Minute)) || !last.FromStranger() {
		t.Errorf("the line of the rest: %+v", last)
	}
	tally.Hold([]Event{refused("192.0.2.1", "SCIM GET", noon)})
	if err := tally.WriteHeld(func([]Event) error { return errors.New("it is no JSON") }, passes); err == nil {
		t.Error("what cannot be written was")
	}
	got = 0
	if err := tally.WriteHeld(write, passes); err != nil || got != 0 {
		t.Errorf("what can never be written waits still: %d, %v", got, err)
	}
}

// TestStrangersDoNotHideWhoIsKnown: a flood of strangers in an outage leaves the refusals of a
// known sender each their line, also those that come last and where a first try to write them
// fails.
func TestStrangersDoNotHideWhoIsKnown(t *testing.T) {
	var tally Tally
	passing := errors.New("read-only")
	passes := func(err error) bool { return errors.Is(err, passing) }
	known := refused("192.0.2.7", "DeleteUser", noon)
	known.Actor = Actor{Kind: User, Name: "mallory"}
	for i := range 3 * maxHeld {
		tally.Hold([]Event{refused("192.0.2.1", "SCIM GET", noon.Add(time.Duration(i)*time.Second))})
		if i%maxHeld == maxHeld-1 {
			tally.Hold([]Event{known})
			if err := tally.WriteHeld(func([]Event) error { return passing }, passes); !errors.Is(err, passing) {
				t.Fatal(err)
			}
		}
	}
	named, all := 0, 0
	if err := tally.WriteHeld(func(events []Event) error {
		for _, e := range events {
			all += max(1, e.Count)
			if e.Action == known.Action && e.Actor == known.Actor {
				named++
			}
		}
		return nil
	}, passes); err != nil || named != 3 || all != 3*maxHeld+3 {
		t.Errorf("%d lines of the known sender, %d refusals, %v", named, all, err)
	}
}
