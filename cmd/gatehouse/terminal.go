package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// escaper writes text to a person's terminal. What could move the cursor, set a title or a
// clipboard, or show text in another order than it is in, is written as its code, as JSON does it:
// names, reasons and answers of other servers come from outside, and this is the one place that all
// commands print through. Lines and tabs stay.
type escaper struct {
	mu   sync.Mutex
	to   io.Writer
	held []byte // the beginning of a character, or a carriage return, of which the rest has not come yet
}

// Write implements io.Writer.
func (e *escaper) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := p
	if len(e.held) > 0 {
		text = append(e.held, p...)
		e.held = nil
	}
	whole := len(text) - unfinished(text)
	e.held = append(e.held, text[whole:]...)
	if _, err := io.WriteString(e.to, escaped(string(text[:whole]), "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes what is held back: nothing else comes.
func (e *escaper) flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = io.WriteString(e.to, escaped(string(e.held), "\n\t")) // the terminal has gone away
	e.held = nil
}

// unfinished is how many bytes at the end may be the beginning of something longer.
func unfinished(text []byte) int {
	if n := len(text); n > 0 && text[n-1] == '\r' {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				return n
			}
			break
		}
	}
	return 0
}

// escaped is a text whose characters that are not to be seen are written as their codes, but for
// those that are allowed and for line ends of two characters.
func escaped(text, allowed string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return hidden(r) && !strings.ContainsRune(allowed, r) }) {
		return text
	}
	var out strings.Builder
	for i, r := range text {
		switch {
		case !hidden(r), strings.ContainsRune(allowed, r),
			r == '\r' && strings.HasPrefix(text[i:], "\r\n") && strings.Contains(allowed, "\n"):
			out.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// hidden says that a character does something else than being seen: control characters (C0, C1),
// formats (directions, joiners, marks of no width, tags), separators of lines and paragraphs, and
// what is no UTF-8.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == utf8.RuneError
}

// inline is a text of one line: one with line ends in it could pass for several.
func inline(v any) string { return escaped(fmt.Sprint(v), "") }

// paragraph is an error whose lines after the first stand in, so that none of them, which another
// server may have written, passes for one of ours.
func paragraph(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\n    ") }
