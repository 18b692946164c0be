package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// operator is how one operator of scoping filters compares a value, and how many texts it is given.
// Source: "Scoping filters".
type operator struct {
	values  int
	compile func(values []string) (test func(text string) bool, err error)
	regexp  bool // it is compared with a regular expression instead
	not     bool
}

func compares(test func(text, value string) bool) operator {
	return operator{values: 1, compile: func(values []string) (func(string) bool, error) {
		return func(text string) bool { return test(text, values[0]) }, nil
	}}
}

func numeric(test func(a, b uint64) bool) operator {
	return operator{values: 1, compile: func(values []string) (func(string) bool, error) {
		n, err := strconv.ParseUint(values[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number of at least 0", values[0])
		}
		return func(text string) bool {
			m, err := strconv.ParseUint(text, 10, 64)
			return err == nil && test(m, n)
		}, nil
	}}
}

var operators = map[string]operator{
	"EQUALS":      compares(func(a, b string) bool { return a == b }),
	"NOT EQUALS":  compares(func(a, b string) bool { return a != b }),
	"IS NULL":     {},
	"IS NOT NULL": {},
	"IS TRUE": {compile: func([]string) (func(string) bool, error) {
		return func(s string) bool { return strings.EqualFold(s, "True") }, nil
	}},
	"IS FALSE": {compile: func([]string) (func(string) bool, error) {
		return func(s string) bool { return strings.EqualFold(s, "False") }, nil
	}},
	"REGEX MATCH":            {values: 1, regexp: true},
	"NOT REGEX MATCH":        {values: 1, regexp: true, not: true},
	"INCLUDES":               compares(strings.Contains),
	"ENDS_WITH":              compares(strings.HasSuffix),
	"GREATER_THAN":           numeric(func(a, b uint64) bool { return a > b }),
	"GREATER_THAN_OR_EQUALS": numeric(func(a, b uint64) bool { return a >= b }),
	"&":                      compares(func(a, b string) bool { return strings.Contains(b, a) }),
	"!&":                     compares(func(a, b string) bool { return !strings.Contains(b, a) }),
}

// Operators lists the operators of scoping filters.
func Operators() (names []string) {
	for name := range operators {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// notFiltered cannot be used in a scoping filter. Source: "Scoping filters".
var notFiltered = map[string]bool{
	"members":            true,
	"IsMemberOf":         true,
	"appRoleAssignments": true,
	"userType":           true,
	"manager":            true,
}

// clause is a clause, ready for use.
type clause struct {
	attribute string
	test      func(text string) bool // nil: whether there is a value
	re        *expression            // it is matched instead
	not       bool
	null      bool // there must be none
	cost      int  // steps for each byte that it judges
	size      int  // of its regular expression
}

// compile makes a clause ready. Null and empty values fail every test but IS NULL.
func (c Clause) compile() (clause, error) {
	op, ok := operators[strings.ToUpper(c.Operator)]
	switch {
	case !ok:
		return clause{}, fmt.Errorf(
			"unknown operator %q; use one of %s", c.Operator, strings.Join(Operators(), ", "),
		)
	case c.Attribute == "" || notFiltered[c.Attribute]:
		return clause{}, fmt.Errorf("the attribute %q cannot be used in a scoping filter", c.Attribute)
	case len(c.Values) < op.values:
		return clause{}, fmt.Errorf("%s needs a value to compare with", c.Operator)
	}
	out := clause{attribute: c.Attribute, null: strings.EqualFold(c.Operator, "IS NULL"), cost: 1, size: 1}
	var err error
	switch {
	case op.regexp:
		if out.re, err = compileRegexp(c.Values[0], `\A(?:`, `)\z`); err == nil {
			out.not = op.not
			out.cost, out.size = out.re.instructions, out.re.instructions+out.re.ranges
		}
	case op.compile != nil:
		out.test, err = op.compile(c.Values)
	}
	return out, err
}

func (c clause) met(e *evaluation) (bool, error) {
	text := e.of(c.attribute).Text()
	if err := e.spend(times(len(text)+1, c.cost)); err != nil {
		return false, err
	}
	switch {
	case c.test == nil && c.re == nil:
		return (text == "") == c.null, nil
	case text == "":
		return false, nil
	case c.re != nil:
		matched, err := e.whole(c.re, text)
		return err == nil && matched != c.not, err
	}
	return c.test(text), nil
}
