package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func refused(address, action string, at time.Time) Event {
	return Event{
		Time:   at,
		Actor:  Actor{Kind: Anonymous, Address: address},
		Action: action,
		Result: Refused,
		Code:   "access-token-invalid",
	}
}

func TestWhatIsRefusedAgainIsCounted(t *testing.T) {
	var tally Tally
	own := 0
	for i := range 1000 {
		admitted, ended := tally.Admit(
			refused(fmt.Sprintf("2001:db8:0:1::%x", i), "SCIM GET", noon.Add(time.Duration(i)*time.Millisecond)),
		)
		if admitted {
			own++
		}
		if len(ended) != 0 {
			t.Fatalf("lines of a minute that has just begun: %v", ended)
		}
	}
	if own != ownOfKind {
		t.Errorf("%d of one neighborhood's refusals have events of their own, want %d", own, ownOfKind)
	}
	admitted, ended := tally.Admit(refused("192.0.2.1", "SCIM GET", noon.Add(time.Minute)))
	if !admitted || len(ended) != 1 {
		t.Fatalf("admitted %v, with %v", admitted, ended)
	}
	e := ended[0]
	if e.Count != 995 || !e.Time.Equal(noon.Add(time.Minute-time.Millisecond)) ||
		e.Actor.Address != "2001:db8:0:1::/64" ||
		e.Action != "SCIM GET" ||
		e.Code != "access-token-invalid" ||
		!e.FromStranger() ||
		!strings.Contains(e.Detail, "995 more in the minute from 12:00") {
		t.Errorf("the line of the minute: %+v", e)
	}
	if admitted, _ := tally.Admit(refused("2001:db8:0:1::1", "SCIM GET", noon.Add(time.Minute))); !admitted {
		t.Error("the next minute has no example of it")
	}
	if admitted, _ := tally.Admit(refused("2001:db8:0:1::1", "SCIM GET", noon.Add(time.Minute))); admitted {
		t.Error("what goes on has more than one example in the next minute")
	}
}

// TestAFloodFromEverywhereIsBounded sends a million refusals, of as many kinds and from as many
// places, in ten minutes.
func TestAFloodFromEverywhereIsBounded(t *testing.T) {
	var tally Tally
	lines := 0
	count := 0
	own := 0
	for i := range 1_000_000 {
		at := noon.Add(time.Duration(i) * 600 * time.Microsecond)
		admitted, ended := tally.Admit(
			refused(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), fmt.Sprint("GET /", i%7), at),
		)
		if admitted {
			own++
		}
		lines += len(ended)
		for _, e := range ended {
			count += e.Count
		}
		if len(tally.strangers.kinds) > maxCounted || len(tally.from) > maxCounted {
			t.Fatalf("%d kinds are counted", len(tally.strangers.kinds))
		}
	}
	for _, e := range tally.Flush(noon.Add(10 * time.Minute)) {
		count += e.Count
	}
	if want := ownSaved + 9*ownPerMinute; own > want {
		t.Errorf("%d events, want at most %d", own, want)
	}
	if lines > 9*(maxSummed+1) {
		t.Errorf("%d lines of what was counted", lines)
	}
	if own+count != 1_000_000 {
		t.Errorf("%d events and %d counted, of a million", own, count)
	}
	if left := tally.Flush(noon.Add(11 * time.Minute)); len(left) != 0 {
		t.Errorf("counted twice: %v", left)
	}
}

// TestWhoIsKnownIsNotCounted as long as it is no flood, and what was granted never is.
func TestWhoIsKnownIsNotCounted(t *testing.T) {
	var tally Tally
	for range 100 {
		for _, e := range []Event{
			{Time: noon, Actor: Actor{Kind: User, Name: "ada"}, Result: Refused},
			{Time: noon, Actor: Actor{Kind: Anonymous}, Result: Granted},
			{Time: noon, Actor: SystemActor, Result: Refused},
		} {
			if own, _ := tally.Admit(e); !own {
				t.Fatalf("%+v was counted", e)
			}
		}
	}
}

// TestAFloodOfWhoIsKnownIsBounded has a person who is signed in refused a thousand times a minute
// for an hour, while strangers flood too.
func TestAFloodOfWhoIsKnownIsBounded(t *testing.T) {
	var tally Tally
	own := 0
	lines := 0
	count := 0
	add := func(ended []Event) {
		for _, e := range ended {
			if e.FromStranger() {
				continue
			}
			if e.Actor != (Actor{Kind: User, Name: "ada"}) || e.Action != "GetRoleCredentials" ||
				e.Code != "not-assigned" {
				t.Fatalf("the line does not say who was refused what: %+v", e)
			}
			lines++
			count += e.Count
		}
	}
	for i := range 60_000 {
		at := noon.Add(time.Duration(i) * 60 * time.Millisecond)
		e := Event{Time: at, Actor: Actor{Kind: User, Name: "ada", Address: fmt.Sprintf("10.0.%d.%d", i>>8&255, i&255)},
			Action: "GetRoleCredentials", Result: Refused, Code: "not-assigned"}
		admitted, ended := tally.Admit(e)
		if admitted {
			own++
		}
		add(ended)
		_, ended = tally.Admit(refused(fmt.Sprintf("10.%d.%d.1", i>>8&255, i&255), fmt.Sprint("GET /", i), at))
		add(ended)
	}
	add(tally.Flush(noon.Add(time.Hour)))
	if want := ownOfKnownSaved + 59*ownOfKnown; own > want {
		t.Errorf("%d events, want at most %d", own, want)
	}
	if own+count != 60_000 || lines > 60 {
		t.Errorf("%d events and %d counted in %d lines, of sixty thousand", own, count, lines)
	}
	other := Event{Time: noon.Add(time.Hour), Actor: Actor{Kind: User, Name: "bob"}, Result: Refused}
	if admitted, _ := tally.Admit(other); !admitted {
		t.Error("another person's refusal was only counted")
	}
}

// TestManyWhoAreKnownFillNoMemory has more senders than are counted.
func TestManyWhoAreKnownFillNoMemory(t *testing.T) {
	var tally Tally
	own, count := 0, 0
	for i := range 10 * maxCounted {
		e := Event{
			Time:   noon,
			Actor:  Actor{Kind: Application, Name: fmt.Sprint(i)},
			Action: "Add user",
			Result: Refused,
		}
		if admitted, _ := tally.Admit(e); admitted {
			own++
		}
	}
	if len(tally.saved) > maxCounted || len(tally.known.kinds) > maxCounted {
		t.Errorf("%d senders and %d kinds are remembered", len(tally.saved), len(tally.known.kinds))
	}
	for _, e := range tally.Flush(noon.Add(time.Minute)) {
		if e.FromStranger() {
			t.Errorf("it is no stranger's: %+v", e)
		}
		count += e.Count
	}
	if own+count != 10*maxCounted {
		t.Errorf("%d events and %d counted, of %d", own, count, 10*maxCounted)
	}
}
