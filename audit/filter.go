package audit

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Filter selects events. Fields that are set narrow the result together.
type Filter struct {
	Person    string   // part of the name of who asked or of the subject, ignoring letter case
	IDs       []string // of what Person names: events whose subject has one of them are meant too
	Action    string   // part of the action, ignoring letter case
	Actions   []string // one of these actions
	Kind      Kind     // of who asked
	Result    string   // Granted or Refused
	Address   string   // the client's address, or the beginning of one
	Reference string   // of one request
	ID        string   // the event itself
	From, To  time.Time
}

// Empty says whether the filter selects every event of its time.
func (f Filter) Empty() bool { return len(f.likely()) == 0 }

// Meets says whether the filter selects an event.
func (f Filter) Meets(e Event) bool {
	return f.meetsTime(e.Time) && f.meetsPerson(e) && contains(e.Action, f.Action) &&
		(len(f.Actions) == 0 || slices.Contains(f.Actions, e.Action)) && (f.Kind == "" || e.Actor.Kind == f.Kind) &&
		(f.Result == "" || e.Result == f.Result) && f.meetsAddress(e.Actor.Address) &&
		(f.Reference == "" || e.Actor.RequestID == f.Reference) && (f.ID == "" || e.ID == f.ID)
}

// meetsTime compares as stores keep times, in milliseconds.
func (f Filter) meetsTime(at time.Time) bool {
	ms := at.UnixMilli()
	return (f.From.IsZero() || ms >= f.From.UnixMilli()) && (f.To.IsZero() || ms < f.To.UnixMilli())
}

func (f Filter) meetsPerson(e Event) bool {
	if f.Person == "" || contains(e.Actor.Name, f.Person) || contains(e.Subject, f.Person) {
		return true
	}
	return slices.ContainsFunc(f.IDs, func(id string) bool { return strings.Contains(e.Subject, id) })
}

// meetsAddress takes a whole address as that one, and anything else as the beginning of one.
func (f Filter) meetsAddress(address string) bool {
	if _, err := netip.ParseAddr(f.Address); err == nil {
		return address == f.Address
	}
	return strings.HasPrefix(strings.ToLower(address), strings.ToLower(f.Address))
}

func contains(text, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// likely is a text of which an event's document has an equal part, if a filter selects it. A
// percent sign stands for any characters.
type likely struct {
	pattern string
	folded  bool // letter case is ignored: the pattern has lower case
}

// likely are conditions of which each has at least one that is met by what the filter selects.
func (f Filter) likely() (conditions [][]likely) {
	and := func(some ...likely) { conditions = append(conditions, some) }
	if f.Person != "" {
		some := []likely{{"%" + pattern(strings.ToLower(f.Person)) + "%", true}}
		for _, id := range f.IDs {
			some = append(some, likely{"%" + pattern(id) + "%", false})
		}
		and(some...)
	}
	if f.Action != "" {
		and(likely{`%"action":"%` + pattern(strings.ToLower(f.Action)) + "%", true})
	}
	var some []likely
	for _, action := range f.Actions {
		some = append(some, likely{`%"Action":"` + pattern(action) + `"%`, false})
	}
	if len(some) > 0 {
		and(some...)
	}
	if f.Kind != "" {
		and(likely{`%"Kind":"` + pattern(string(f.Kind)) + `"%`, false})
	}
	if f.Result != "" {
		and(likely{`%"Result":"` + pattern(f.Result) + `"%`, false})
	}
	if f.Address != "" {
		and(likely{`%"address":"` + pattern(strings.ToLower(f.Address)) + "%", true})
	}
	for _, text := range []string{f.Reference, f.ID} {
		if text != "" {
			and(likely{"%" + pattern(text) + "%", false})
		}
	}
	return conditions
}

// pattern is a text as a document has it. What JSON writes in another way, or has another lower
// case elsewhere, may be anything.
func pattern(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`%_!"\<>&`, r) {
			return '%'
		}
		return r
	}, text)
}
