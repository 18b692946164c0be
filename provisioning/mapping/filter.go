package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// operator is how one operator of scoping filters judges a value that is there, and how many texts it is given. Source: "Scoping filters".
type operator struct {
	values  int
	compile func(values []string) (func(text string) bool, error)
}

func compares(test func(text, value string) bool) operator {
	return operator{1, func(values []string) (func(string) bool, error) {
		return func(text string) bool { return test(text, values[0]) }, nil
	}}
}

func matches(wanted bool) operator {
	return operator{1, func(values []string) (func(string) bool, error) {
		re, err := regexp.Compile(`^(?:` + values[0] + `)$`)
		if err != nil {
			return nil, fmt.Errorf("%q is not a regular expression that is known here (RE2): %w", values[0], err)
		}
		return func(text string) bool { return re.MatchString(text) == wanted }, nil
	}}
}

func numeric(test func(a, b uint64) bool) operator {
	return operator{1, func(values []string) (func(string) bool, error) {
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
	"IS TRUE": {0, func([]string) (func(string) bool, error) {
		return func(s string) bool { return strings.EqualFold(s, "True") }, nil
	}},
	"IS FALSE": {0, func([]string) (func(string) bool, error) {
		return func(s string) bool { return strings.EqualFold(s, "False") }, nil
	}},
	"REGEX MATCH":            matches(true),
	"NOT REGEX MATCH":        matches(false),
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

// notFiltered cannot stand in a scoping filter. Source: "Scoping filters".
var notFiltered = map[string]bool{"members": true, "IsMemberOf": true, "appRoleAssignments": true, "userType": true, "manager": true}

// compile makes a test of a clause. Null and empty values fail every test but IS NULL.
func (c Clause) compile() (func(Attributes) bool, error) {
	op, ok := operators[strings.ToUpper(c.Operator)]
	switch {
	case !ok:
		return nil, fmt.Errorf("the operator %q is not known; there are %s", c.Operator, strings.Join(Operators(), ", "))
	case c.Attribute == "" || notFiltered[c.Attribute]:
		return nil, fmt.Errorf("the attribute %q cannot stand in a scoping filter", c.Attribute)
	case len(c.Values) < op.values:
		return nil, fmt.Errorf("%s needs a value to compare with", c.Operator)
	}
	present := func(of Attributes) (string, bool) {
		v := of(c.Attribute).Text()
		return v, v != ""
	}
	if op.compile == nil {
		null := strings.EqualFold(c.Operator, "IS NULL")
		return func(of Attributes) bool { _, there := present(of); return there != null }, nil
	}
	test, err := op.compile(c.Values)
	if err != nil {
		return nil, err
	}
	return func(of Attributes) bool {
		text, there := present(of)
		return there && test(text)
	}, nil
}
