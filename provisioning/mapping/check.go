package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// constants are what of a function's arguments is checked when an expression is saved: whatever
// is a constant there would fail for every object.
var constants map[string]func(call) error

func init() {
	constants = map[string]func(call) error{
		"Replace":        checkReplace,
		"FormatDateTime": checkFormats,
		"DateAdd":        checkInterval,
		"DateDiff":       checkInterval,
		"ToLower":        checkCulture,
		"ToUpper":        checkCulture,
		addRoles:         checkRoles,
		"Switch":         checkPairs,

		"SingleAppRoleAssignment": checkRoles,

		assertRoles:  checkRoles,
		selectUnique: checkCandidates,
	}
}

// check looks for constants that a function can never take, in all of an expression.
func check(n node) error {
	switch n := n.(type) {
	case comparison:
		return errors.Join(check(n.left), check(n.right))
	case call:
		for _, a := range n.arguments {
			if err := check(a); err != nil {
				return err
			}
		}
		if f := constants[n.name]; f != nil {
			if err := f(n); err != nil {
				return fmt.Errorf("%s: %w", n.name, err)
			}
		}
		if err := n.checkNumbers(); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		return n.checkWhole()
	}
	return nil
}

// wholeNumbers are the arguments that must be whole numbers, by their places.
var wholeNumbers = map[string][]int{
	"BitAnd": {0, 1}, "DateAdd": {1}, "InStr": {2}, "Item": {1}, "Left": {1}, "Mid": {1, 2},
	"RandomString": {0, 1, 2, 3, 4}, "Word": {1},
}

func (c call) checkNumbers() error {
	for _, place := range wholeNumbers[c.name] {
		text, known := c.constant(place)
		if _, err := strconv.Atoi(text); known && err != nil {
			return fmt.Errorf("argument %d is %q, not a whole number", place+1, shown(text))
		}
	}
	return nil
}

// checkWhole evaluates a function of constants alone: if that fails, it fails for everybody.
func (c call) checkWhole() error {
	for i := range c.arguments {
		if _, known := c.constant(i); !known {
			return nil
		}
	}
	if len(c.arguments) == 0 {
		return nil
	}
	none := func(string) Value { return nil }
	_, err := c.evaluate(&evaluation{Context: context.Background(), of: none})
	return err
}

func checkPairs(c call) error {
	if len(c.arguments)%2 != 0 {
		return errPairs
	}
	return nil
}

var errPairs = errors.New("keys and values come in pairs")

// constant is an argument's text where it is known beforehand.
func (c call) constant(i int) (text string, known bool) {
	if i >= len(c.arguments) {
		return "", false
	}
	v, known := c.arguments[i].(constant)
	return v.Text(), known
}

func checkReplace(c call) error {
	pattern, known := c.constant(replacePattern)
	if !known {
		return nil
	}
	if err := checkRegexp(pattern); err != nil {
		return err
	}
	group, known := c.constant(replaceGroup)
	if re, err := compileRegexp(pattern, "", ""); known && err == nil {
		_, err = re.group(group)
		return err
	}
	return nil
}

// The arguments of FormatDateTime, by their places.
const (
	formatStyles = iota + 1
	formatIn
	formatOut
)

func checkFormats(c call) error {
	var failed []error
	if text, known := c.constant(formatStyles); known {
		_, err := styles(text)
		failed = append(failed, err)
	}
	for _, place := range []int{formatIn, formatOut} {
		if text, known := c.constant(place); known {
			_, err := layout(text, place == formatOut)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func checkInterval(c call) error {
	if text, known := c.constant(0); known && !slices.Contains(intervals, text) {
		return noInterval(text)
	}
	return nil
}

func checkCulture(c call) error {
	text, _ := c.constant(1)
	_, err := culture(text)
	return err
}

// dateStyles are .NET's names of how a date is read. White space around one is always passed over,
// and a date without a zone is UTC, as on a machine whose zone is UTC. Source: .NET,
// "DateTimeStyles".
var dateStyles = []string{
	"None", "AllowLeadingWhite", "AllowTrailingWhite", "AllowInnerWhite", "AllowWhiteSpaces", "NoCurrentDateDefault",
	"AdjustToUniversal", "AssumeLocal", "AssumeUniversal", "RoundtripKind",
}

// styles says whether a date is written in UTC, whatever its zone.
func styles(text string) (universal bool, err error) {
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimPrefix(strings.TrimSpace(name), "DateTimeStyles.")
		if name != "" && !slices.Contains(dateStyles, name) {
			return false, fmt.Errorf("%q is not a style of dates; use %s", shown(name), strings.Join(dateStyles, ", "))
		}
		universal = universal || name == "AdjustToUniversal"
	}
	return universal, nil
}
