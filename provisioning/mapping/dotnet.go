package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// What stands in a regular expression.
var (
	repetition = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:[*+?]|\{\d+(?:,\d*)?\})`) })
	groupStart = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\?(?:<[A-Za-z]\w*>|:|[ims]*(?:-[ims]+)?[:)])`)
	})
	// category is a general category of Unicode. Source: .NET, "Character classes in regular
	// expressions".
	category = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\{[A-Z][a-z]?\}`) })
)

// beyondNET refuses what our engine for .NET's regular expressions has besides, and says what it
// lacks. Source: .NET,
// "Regular expression language".
func beyondNET(pattern string) error {
	inside, quantified := false, false
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		was := quantified
		quantified = false
		switch r := repetition().FindString(rest); {
		case rest[0] == '\\' && len(rest) > 1:
			i++
			switch c := rest[1]; {
			case strings.IndexByte("QERX", c) >= 0:
				return fmt.Errorf("unrecognized escape sequence \\%c", c)
			case (c == 'p' || c == 'P') && !category().MatchString(rest[2:]):
				return fmt.Errorf("\\%c stands before a general category in braces, such as \\p{Lu}; "+
					"Gatehouse has no blocks, such as \\p{IsGreek}", c)
			}
		case inside:
			inside = rest[0] != ']'
		case rest[0] == '[':
			inside = true
			i += len(rest[1:]) - len(strings.TrimPrefix(strings.TrimPrefix(rest[1:], "^"), "]"))
		case r != "" && was && rest[0] == '+':
			return errors.New("nested quantifier +; possessive ones are written as (?>…)")
		case r != "" && !was:
			quantified = true
			i += len(r) - 1
			if strings.HasPrefix(pattern[i+1:], "?") {
				i++
				quantified = false
			}
		}
	}
	return nil
}

// sameInRE2 says whether RE2 means the same by a regular expression, or the same on texts of usual
// ASCII characters only. What is not plain counts as different.
func sameInRE2(pattern string) (same, lettersOnly bool) {
	inside := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			if i++; i == len(pattern) {
				return false, false
			}
			switch c := pattern[i]; {
			case strings.IndexByte("dDwWsSbB", c) >= 0:
				lettersOnly = true
			case strings.IndexByte(letters, c) >= 0 && strings.IndexByte("tnrf", c) < 0, c > '~':
				return false, false
			}
		case c == '[' && inside: // a class without another one, or [:alpha:]
			return false, false
		case c == '[':
			inside = true
			rest := pattern[i+1:]
			i += len(rest) - len(strings.TrimPrefix(strings.TrimPrefix(rest, "^"), "]"))
		case inside:
			inside = c != ']'
		case c == '$':
			lettersOnly = true
		case c == '(' && strings.HasPrefix(pattern[i+1:], "?"):
			start := groupStart().FindString(pattern[i+1:])
			if start == "" {
				return false, false
			}
			lettersOnly = lettersOnly || start != "?:" && start[1] != '<'
			i += len(start)
		}
	}
	return true, lettersOnly
}

// substitute appends a replacement, in which $1, ${name} and others stand for what was matched.
// What names no group stands for itself. Source: .NET, "Substitutions in regular expressions".
func (re *expression) substitute(out []byte, replacement, text string, match []int) []byte {
	for {
		at := strings.IndexByte(replacement, '$')
		if at < 0 || at+1 == len(replacement) {
			return append(out, replacement...)
		}
		out, replacement = append(out, replacement[:at]...), replacement[at+1:]
		var name string
		length := 1
		switch c := replacement[0]; {
		case c == '{':
			if end := strings.IndexByte(replacement, '}'); end > 0 {
				name, length = replacement[1:end], end+1
			}
		case c >= '0' && c <= '9':
			for length < len(replacement) && replacement[length] >= '0' && replacement[length] <= '9' {
				length++
			}
			name = replacement[:length]
		case strings.IndexByte("$&`'+_", c) >= 0:
			out, replacement = append(out, special(c, text, match)...), replacement[1:]
			continue
		}
		if n, ok := re.names[name]; ok {
			if match[2*n] >= 0 {
				out = append(out, text[match[2*n]:match[2*n+1]]...)
			}
			replacement = replacement[length:]
			continue
		}
		out = append(out, '$')
	}
}

// special is what a character after a dollar sign stands for.
func special(c byte, text string, match []int) string {
	switch c {
	case '$':
		return "$"
	case '&':
		return text[match[0]:match[1]]
	case '`':
		return text[:match[0]]
	case '\'':
		return text[match[1]:]
	case '_':
		return text
	}
	for n := len(match) - 2; n > 0; n -= 2 { // the last group that took part
		if match[n] >= 0 {
			return text[match[n]:match[n+1]]
		}
	}
	return ""
}
