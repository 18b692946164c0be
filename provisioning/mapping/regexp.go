package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// Bounds of a regular expression: our own choice. The time that one takes grows with its
// instructions and with the text, and its memory with its instructions and with the ranges of its
// classes of characters, of which a few characters can make very many: (x{30}){30}, \pL.
const (
	maxPattern      = 2 << 10 //bound:text a regular expression, in bytes
	maxInstructions = 5_000   //bound:depth instructions of a regular expression
	maxRanges       = 50_000  //bound:depth ranges of characters in a regular expression
)

// Bounds of what goes back and tries again, which nobody can count beforehand: our own choice.
const (
	//bound:wait one match of a regular expression that RE2 does not have; the clock's tick is 100 ms
	maxMatchTime = 200 * time.Millisecond
	//bound:wait all such matches of an evaluation
	maxMatching = 400 * time.Millisecond
	// A regular expression that was stopped so often rests: it would hold up a whole cycle.
	maxStops = 10          //bound:none of a regular expression
	resting  = time.Minute //bound:wait until it is tried again
)

// expression is a regular expression of .NET's, which is what Entra ID has. Where it means the same
// in RE2, which takes a time that is known beforehand, it is matched so.
type expression struct {
	net                  *regexp2.Regexp // nil: an earlier release took it, and .NET does not
	plain                *regexp.Regexp  // nil: RE2 does not have it, or means something else by it
	lettersOnly          bool            // plain is right for texts of usual ASCII characters only
	empty                bool            // it may match nothing, and RE2 finds fewer of these than .NET
	order                []int           // .NET's numbers of groups in plain; nil: the same
	numbers              []int           // of net's groups
	names                map[string]int  // of groups, to their places in a match
	instructions, ranges int
	stops                atomic.Int32
	since                atomic.Int64 // seconds since 1970: when it last was stopped
}

// refused says why .NET refuses a regular expression.
func refused(pattern string, err error) error {
	return fmt.Errorf("%q is not a regular expression of .NET's: %w", shown(pattern), err)
}

// checkRegexp refuses what Entra ID would refuse when it is saved.
func checkRegexp(pattern string) error {
	e, err := compileRegexp(pattern, "", "")
	if err == nil && e.net == nil {
		_, err = compileNET(pattern, "", "")
	}
	return err
}

func compileNET(pattern, before, after string) (*regexp2.Regexp, error) {
	if err := beyondNET(pattern); err != nil {
		return nil, refused(pattern, err)
	}
	re, err := regexp2.Compile(pattern)
	if err == nil && before+after != "" { // by itself first: )( must not fit what stands around it
		re, err = regexp2.Compile(before + pattern + after)
	}
	if err != nil {
		return nil, refused(pattern, err)
	}
	re.MatchTimeout = maxMatchTime
	return re, nil
}

// compileRegexp compiles a regular expression that is not too large, between what comes before and
// after. The error says what to do.
func compileRegexp(pattern, before, after string) (*expression, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("a regular expression is longer than %d bytes; make it shorter", maxPattern)
	}
	e := &expression{instructions: 1}
	var err error
	e.net, err = compileNET(pattern, before, after)
	same, lettersOnly := sameInRE2(pattern)
	parsed, refusal := syntax.Parse(before+pattern+after, syntax.Perl)
	if refusal != nil && err != nil {
		return nil, err
	}
	if refusal == nil && (same || err != nil) {
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
		if e.plain, err = regexp.Compile(before + pattern + after); err != nil {
			return nil, refused(pattern, err)
		}
		e.lettersOnly, e.empty = lettersOnly && e.net != nil, e.net != nil && mayBeEmpty(parsed)
	}
	e.nameGroups()
	return e, nil
}

// nameGroups numbers groups as .NET does: those without a name first.
func (e *expression) nameGroups() {
	e.names = map[string]int{}
	if e.net != nil {
		e.numbers = e.net.GetGroupNumbers()
		for place, number := range e.numbers {
			e.names[strconv.Itoa(number)] = place
			e.names[e.net.GroupNameFromNumber(number)] = place
		}
	}
	if e.plain == nil {
		return
	}
	var unnamed, named []int
	for i, name := range e.plain.SubexpNames() {
		if name == "" {
			unnamed = append(unnamed, i)
		} else {
			named = append(named, i)
		}
		if e.net == nil {
			e.names[strconv.Itoa(i)], e.names[name] = i, i
		}
	}
	if e.net != nil && len(named) > 0 && len(unnamed) > 1 {
		e.order = append(unnamed, named...)
	}
}

// group is the place of a group in a match.
func (e *expression) group(name string) (place int, err error) {
	place, ok := e.names[name]
	if !ok {
		return 0, fmt.Errorf("the regular expression has no group %q", shown(name))
	}
	return place, nil
}

// mayBeEmpty says whether an expression can match the empty text, as far as that is easy to see.
func mayBeEmpty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return false
	case syntax.OpCapture, syntax.OpPlus:
		return mayBeEmpty(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || mayBeEmpty(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !mayBeEmpty(sub) {
				return false
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if mayBeEmpty(sub) {
				return true
			}
		}
		return false
	}
	return true
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
	re, err := compileRegexp(text, "", "")
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

// isPlain says whether RE2 judges a text as .NET does.
func (re *expression) isPlain(text string) bool {
	return re.plain != nil && (!re.lettersOnly || usualASCII(text))
}

// usualASCII says that a text has only visible ASCII characters and spaces: on these, \w, \s and
// letter case are the same everywhere, and no line ends.
func usualASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// whole says whether an expression that is anchored at both ends matches a text.
func (e *evaluation) whole(re *expression, text string) (matched bool, err error) {
	if re.isPlain(text) {
		return re.plain.MatchString(text), nil
	}
	err = e.backtrack(re, func() (err error) { matched, err = re.net.MatchString(text); return err })
	return matched, err
}

// matches finds all matches of an expression with their groups, numbered as .NET numbers them, and
// where these begin and end in bytes. Each search for one may read all of the text that is left, so
// that it is paid for by the match; since it cannot be known how many there are, they are looked
// for a few at a time.
func (e *evaluation) matches(re *expression, text string) ([][]int, error) {
	if re.empty || !re.isPlain(text) {
		return e.backtrackAll(re, text)
	}
	for most := firstMatches; ; most *= 4 {
		most = min(most, len(text)+2)
		if err := e.spend(times(most, len(text)+1, re.instructions)); err != nil {
			return nil, err
		}
		found := re.plain.FindAllStringSubmatchIndex(text, most)
		if len(found) < most || most == len(text)+2 {
			for i := range found {
				found[i] = re.reordered(found[i])
			}
			return found, nil
		}
	}
}

func (re *expression) reordered(match []int) []int {
	if re.order == nil {
		return match
	}
	out := make([]int, 0, len(match))
	for _, group := range re.order {
		out = append(out, match[2*group], match[2*group+1])
	}
	return out
}

// backtrackAll finds all matches as .NET does, which may go back and try again very often.
func (e *evaluation) backtrackAll(re *expression, text string) (found [][]int, err error) {
	runes, at := []rune(text), make([]int, 0, len(text)+1)
	for i := range text {
		at = append(at, i)
	}
	at = append(at, len(text))
	began, over := time.Now(), error(nil)
	err = e.backtrack(re, func() error {
		failed := re.net.FindRunesMatches(runes, -1, func(m regexp2.MatchView) bool {
			match := make([]int, 0, 2*len(re.numbers))
			for _, number := range re.numbers {
				if from, length, ok := m.GroupRange(number); ok {
					match = append(match, at[from], at[from+length])
				} else {
					match = append(match, -1, -1)
				}
			}
			found = append(found, match)
			if over = e.spend(len(match) + 1); over == nil && time.Since(began) > maxMatching {
				over = tooLong
			}
			return over == nil
		})
		return errors.Join(failed, over)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// tooLong means that a regular expression was stopped.
var tooLong = &BudgetError{"milliseconds of regular expressions", int(maxMatching.Milliseconds())}

// backtrack matches while that does not take too long. A match that it stopped says nothing, not
// even that there is none.
func (e *evaluation) backtrack(re *expression, match func() error) error {
	now := time.Now()
	if re.stops.Load() >= maxStops && now.Unix()-re.since.Load() < int64(resting/time.Second) {
		return fmt.Errorf("the regular expression %q was stopped %d times because it takes too long, and rests for a "+
			"minute; make it simpler", shown(re.net.String()), maxStops)
	}
	err := match()
	e.matching += time.Since(now)
	var budget *BudgetError
	switch {
	case e.Err() != nil:
		return e.Err()
	case err != nil && !errors.As(err, &budget):
		err = tooLong // regexp2's time or stack is up: it has no other errors
	case err == nil && e.matching > maxMatching:
		err = tooLong
	}
	if err == nil {
		re.stops.Store(0)
		return nil
	}
	re.since.Store(now.Unix())
	re.stops.Add(1)
	return err
}
