package names

import (
	"fmt"
	"regexp"
	"strings"
)

// verbOrForms is a verb of fmt, or two forms of a word: that of one thing and that of several.
var verbOrForms = regexp.MustCompile(`%%|%[-+# 0]*\d*(?:\.\d+)?[a-zA-Z]|\{[^{}|]*\|[^{}|]*\}`)

// Counted is a text with numbers in it, as fmt.Sprintf writes it, in which what is counted has the
// form that its number asks for: "%d {user|users} {is|are} left" is "1 user is left" for 1. The
// number is the last whole one before.
func Counted(format string, args ...any) string {
	used := 0
	one := false
	format = verbOrForms.ReplaceAllStringFunc(format, func(part string) string {
		switch {
		case part == "%%":
			return part
		case part[0] == '%':
			if used < len(args) && strings.HasSuffix(part, "d") {
				one = fmt.Sprint(args[used]) == "1"
			}
			used++
			return part
		}
		singular, plural, _ := strings.Cut(strings.Trim(part, "{}"), "|")
		if one {
			return singular
		}
		return plural
	})
	return fmt.Sprintf(format, args...)
}
