// Package refusal has what both halves share about saying no: the kinds of refusal, a catalogue in
// which each refusal is declared once, with its text and what to do about it, and the error that
// carries one through a half to its doors. Each half has a catalogue of its own; each door maps
// kinds and codes to its protocol in one function.
//
// It imports nothing of ours.
package refusal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is the coarse class of a refusal. The zero value is Internal: what nobody classified is our
// fault, and strangers are not told about it.
type Kind uint8

// The kinds of refusal.
const (
	Internal Kind = iota
	Invalid
	NotFound
	Conflict
	Denied
	Unauthenticated
	Quota
	Unavailable // nobody's fault but the machine's, and it may pass
)

// Code is a reason to refuse, with what it says. Codes are comparable, and only a Catalogue makes
// them, so that each has a kind, a text and a remedy. The zero value is None.
type Code struct{ *declaration }

type declaration struct {
	name         string
	kind         Kind
	what, remedy string
}

// None is the code of what is no refusal.
var None Code

// String returns the name, which is stable: audit events and clients of our own API have it.
func (c Code) String() string {
	if c == None {
		return ""
	}
	return c.name
}

// Kind returns the class of the refusal; Internal for None.
func (c Code) Kind() Kind {
	if c == None {
		return Internal
	}
	return c.kind
}

// What says what happened, without a capital letter and a full stop.
func (c Code) What() string {
	if c == None {
		return ""
	}
	return c.what
}

// Remedy says what to do next, in the same form.
func (c Code) Remedy() string {
	if c == None {
		return ""
	}
	return c.remedy
}

// Catalogue has the refusals of one half, by name. The zero value is empty.
type Catalogue struct{ codes map[string]Code }

// New declares a refusal. It panics when a text is missing or ends a sentence, which doors do, or
// when another refusal has the name: call it where package variables are initialized, and every
// test of the package finds the mistake.
func (c *Catalogue) New(name string, kind Kind, what, remedy string) Code {
	for _, text := range []string{name, what, remedy} {
		if strings.TrimSpace(text) == "" || strings.HasSuffix(text, ".") {
			panic(fmt.Sprintf("refusal %q needs a name, a text and a remedy, without full stops", name))
		}
	}
	if kind == Internal || kind > Unavailable {
		panic(fmt.Sprintf("refusal %q needs a kind: what is Internal is not refused, it fails", name))
	}
	if _, taken := c.codes[name]; taken {
		panic(fmt.Sprintf("refusal %q is declared twice", name))
	}
	if c.codes == nil {
		c.codes = map[string]Code{}
	}
	code := Code{&declaration{name, kind, what, remedy}}
	c.codes[name] = code
	return code
}

// Named returns the refusal that an audit event names, or None: events outlive the release that
// wrote them.
func (c *Catalogue) Named(name string) Code { return c.codes[name] }

// All returns every refusal, ordered by name.
func (c *Catalogue) All() []Code {
	return slices.SortedFunc(maps.Values(c.codes), func(a, b Code) int { return strings.Compare(a.name, b.name) })
}

// Error is a refusal of one request.
type Error struct {
	Code    Code
	Subject string // the object concerned: an id or a name
	Within  string // what the object belongs to: of a policy, the permission set
	Field   string // the attribute concerned
	Detail  string // more about the reason, for administrators

	// Of a message that failed a check: which one, the value that was expected and the one that was
	// received.
	Check     string
	Want, Got string
}

func (e *Error) Error() string {
	text := e.Code.What()
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Subject != "" {
		text += " (" + e.Subject + ")"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// About says what is concerned: the attribute, and the object's id or name. Some rules whose code
// says only that a value is wrong name the attribute as the subject.
func (e *Error) About() (field, subject string) {
	if e.Field == "" && (e.Code.String() == invalidValue || e.Code.String() == missingValue) {
		return e.Subject, e.Subject
	}
	return e.Field, e.Subject
}

// CodeOf returns the code of a refusal, or None for any other error.
func CodeOf(err error) Code {
	if err == nil { // most often: nothing is allocated
		return None
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return None
}

// KindOf returns the class of an error; Internal for what is no refusal.
func KindOf(err error) Kind { return CodeOf(err).Kind() }

// Detail returns the reason in words, for the audit log.
func Detail(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Error()
	}
	return ""
}

// ErrNoRow is what the readers of a half's store return when there is no such row.
var ErrNoRow = errors.New("no such row")

// IfNoRow turns a store's "no such row" into the refusal that the caller wants, and leaves every
// other error alone.
func IfNoRow(err error, code Code, subject string) error {
	if errors.Is(err, ErrNoRow) {
		return &Error{Code: code, Subject: subject}
	}
	return err
}
