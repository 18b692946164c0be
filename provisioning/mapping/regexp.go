package mapping

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"sync"
)

// Bounds of a regular expression: our own choice. The time that one takes grows with its
// instructions and with the text, and its memory with its instructions and with the ranges of its
// classes of characters, of which a few characters can make very many: (x{30}){30}, \pL.
const (
	maxPattern      = 2 << 10 //bound:text a regular expression, in bytes
	maxInstructions = 5_000   //bound:depth instructions of a regular expression
	maxRanges       = 50_000  //bound:depth ranges of characters in a regular expression
)

// expression is a regular expression with how large it is.
type expression struct {
	*regexp.Regexp
	instructions, ranges int
}

// compileRegexp compiles a regular expression that is not too large. The error says what to do.
func compileRegexp(pattern string) (*expression, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("a regular expression is longer than %d bytes; make it shorter", maxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%q is not a supported regular expression (RE2): %w", shown(pattern), err)
	}
	e := &expression{}
	if e.instructions, e.ranges = size(parsed); e.instructions > maxInstructions || e.ranges > maxRanges {
		return nil, fmt.Errorf(
			"the regular expression %q would have more than %d instructions, or %d ranges of characters, and "+
				"would take too long; "+
				"repeat less in it",
			shown(pattern),
			maxInstructions,
			maxRanges,
		)
	}
	if e.Regexp, err = regexp.Compile(pattern); err != nil {
		return nil, fmt.Errorf("%q is not a supported regular expression (RE2): %w", shown(pattern), err)
	}
	return e, nil
}

// size counts what an expression compiles to, about, without doing it.
func size(re *syntax.Regexp) (instructions, ranges int) {
	switch re.Op {
	case syntax.OpLiteral:
		instructions = len(re.Rune)
	case syntax.OpCharClass:
		instructions, ranges = 1, len(re.Rune)/2
	default:
		instructions = 1
	}
	for _, sub := range re.Sub {
		i, r := size(sub)
		instructions, ranges = min(instructions+i, maxInstructions+1), min(ranges+r, maxRanges+1)
	}
	if re.Op == syntax.OpRepeat {
		often := max(re.Min, re.Max, 1) + 1
		instructions, ranges = times(instructions, often), times(ranges, often)
	}
	return instructions + 1, ranges
}

// Bounds of the expressions that are remembered.
const (
	maxRemembered     = 256     //bound:memory compiled regular expressions
	maxRememberedSize = 500_000 //bound:memory instructions and ranges of compiled regular expressions
)

// remembered are the expressions that were compiled last: a mapping uses the same ones for each
// object.
var remembered struct {
	sync.RWMutex
	of   map[string]*expression
	size int
}

// pattern is the regular expression of a text. It is paid for as if it were compiled, so that an
// evaluation does not depend on what was evaluated before it.
func (e *evaluation) pattern(text string) (*expression, error) {
	if err := e.spend(times(min(len(text), maxPattern), compiling)); err != nil {
		return nil, err
	}
	remembered.RLock()
	re := remembered.of[text]
	remembered.RUnlock()
	if re != nil {
		return re, nil
	}
	re, err := compileRegexp(text)
	if err != nil {
		return nil, err
	}
	remembered.Lock()
	defer remembered.Unlock()
	if cost := re.instructions + re.ranges; remembered.of == nil || len(remembered.of) >= maxRemembered ||
		remembered.size+cost > maxRememberedSize {
		remembered.of, remembered.size = map[string]*expression{}, 0
	}
	remembered.of[text] = re
	remembered.size += re.instructions + re.ranges
	return re, nil
}

// compiling is how many steps the compilation of a regular expression takes for each of its bytes:
// a class of characters is three bytes and a thousand ranges.
const compiling = 200

// firstMatches is how many matches are looked for at first.
const firstMatches = 4

// matches finds all matches of an expression with their groups, as FindAllStringSubmatchIndex does.
// Each search for one may read all of the text that is left, so that it is paid for by the match;
// since it cannot be known how many there are, they are looked for a few at a time.
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
