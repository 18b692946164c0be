package audit

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is how many characters of a name, a subject, an address or a received value an event
// keeps, and MaxDetail how many of the reason. What strangers send has no other bound.
const (
	MaxText   = 256  //bound:text a name, subject, address or received value in an event, in characters
	MaxDetail = 1024 //bound:text the reason in an event, in characters
)

// Cut is the beginning of a text that has more characters than the limit, with its length behind
// it, which makes as many characters as the limit at the most. What is no UTF-8, and control
// characters, become U+FFFD: both take more room than they have when they are written down.
func Cut(text string, limit int) string {
	if len(text) > limit { // otherwise it has no more characters either
		if n := utf8.RuneCountInString(text); n > limit {
			note := "… (" + strconv.Itoa(n) + " characters)"
			text = beginning(text, max(0, limit-utf8.RuneCountInString(note))) + note
		}
	}
	if plain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, text)
}

// beginning is the first characters of a text that has more of them.
func beginning(text string, characters int) string {
	at := 0
	for range characters {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return text[:at]
}

// plain says that a text is printable ASCII, as nearly all are.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// Bounded is the event as it may be kept: all that can come from outside is cut. Stores keep no
// other, and the log shows no other.
func (e Event) Bounded() Event {
	for _, text := range []*string{&e.ID, &e.Actor.Name, &e.Actor.Role, &e.Actor.Address, &e.Actor.RequestID,
		&e.Action, &e.Subject, &e.Code, &e.Check, &e.Want, &e.Got} {
		*text = Cut(*text, MaxText)
	}
	e.Detail = Cut(e.Detail, MaxDetail)
	return e
}

// FromStranger says whether the event is the refusal of a request whose sender nobody knows.
func (e Event) FromStranger() bool {
	unknown := e.Actor.Kind == Anonymous || (e.Actor.Name == "" && e.Actor.Kind != System)
	return e.Result == Refused && unknown
}
