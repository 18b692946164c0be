package mapping

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// Bounds of a regular expression: our own choice. The time that one takes grows with its instructions and with the text, and its memory with its
// instructions, of which a few characters can make very many: (x{1000}){1000}.
const (
	maxPattern      = 4 << 10 //bound:text a regular expression, in bytes
	maxInstructions = 5_000   //bound:depth instructions of a regular expression
)

// expression is a regular expression with how many instructions it has.
type expression struct {
	*regexp.Regexp
	instructions int
}

// compileRegexp compiles a regular expression that is not too large. The error says what to do.
func compileRegexp(pattern string) (*expression, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("a regular expression is longer than %d bytes; make it shorter", maxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression that is known here (RE2): %w", shown(pattern), err)
	}
	size := instructions(parsed)
	if size > maxInstructions {
		return nil, fmt.Errorf("the regular expression %q would have more than %d instructions, and would take too long; repeat less in it",
			shown(pattern), maxInstructions)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression that is known here (RE2): %w", shown(pattern), err)
	}
	return &expression{re, size}, nil
}

// instructions counts what an expression compiles to, about, without doing it.
func instructions(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n = min(n+instructions(sub), maxInstructions+1)
	}
	if re.Op == syntax.OpRepeat {
		n = times(n, max(re.Min, re.Max, 1)+1)
	}
	return n + 1
}

// firstMatches is how many matches are looked for at first.
const firstMatches = 4

// matches finds all matches of an expression with their groups, as FindAllStringSubmatchIndex does. Each search for one may read all of the text that is left,
// so that it is paid for by the match; since it cannot be known how many there are, they are looked for a few at a time.
func (e *evaluation) matches(re *expression, text string) ([][]int, error) {
	for most := firstMatches; ; most *= 4 {
		most = min(most, len(text)+2)
		if err := e.spend(times(most, len(text)+1, re.instructions)); err != nil {
			return nil, err
		}
		found := re.FindAllStringSubmatchIndex(text, most)
		if len(found) < most || most == len(text)+2 {
			return found, nil
		}
	}
}
