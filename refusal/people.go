package refusal

import (
	"cmp"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Codes of both halves that say only that a value is wrong, or is not there.
const (
	invalidValue = "invalid-value"
	missingValue = "missing-value"
)

// ForPeople says a refusal on a page: what is wrong, and in most cases what to do. It begins
// with a small letter, since it may stand in a sentence. Where the code says only that a value
// is wrong, it is the detail that tells. There are no lines of what is no refusal.
func ForPeople(err error) []string {
	var e *Error
	if !errors.As(err, &e) {
		return nil
	}
	about, detail := label(cmp.Or(e.Field, e.Subject)), strings.TrimSuffix(e.Detail, ".")
	switch name := e.Code.String(); {
	case name == missingValue && about != "" && detail == "":
		return []string{about + " is missing."}
	case name != missingValue && name != invalidValue, detail == "":
		return []string{e.Error() + ".", "What to do: " + e.Code.Remedy() + "."}
	case about != "":
		return []string{about + ": " + detail + "."}
	}
	return []string{detail + "."}
}

// Sentence begins a text with a capital letter and ends it.
func Sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}

// label is the name of an attribute as people would write it: that of roleArn is "Role ARN".
func label(attribute string) string {
	if strings.ContainsAny(attribute, " ./:@") { // words, a path or a value
		return attribute
	}
	var text strings.Builder
	runes := []rune(attribute)
	for i, r := range runes {
		begins := i > 0 && unicode.IsUpper(r) && unicode.IsLower(runes[i-1])
		if begins {
			text.WriteByte(' ')
		}
		if begins && i+1 < len(runes) && unicode.IsLower(runes[i+1]) {
			r = unicode.ToLower(r)
		}
		text.WriteRune(r)
	}
	words := strings.TrimSuffix(Sentence(text.String()), ".")
	for _, name := range []string{"ARN", "ID", "URL"} {
		short := name[:1] + strings.ToLower(name[1:])
		if rest, ok := strings.CutSuffix(words, " "+strings.ToLower(name)); ok {
			words = rest + " " + name
		} else if words == short {
			words = name
		}
	}
	return words
}
