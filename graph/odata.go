package graph

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
)

// Condition is a parsed $filter. It says whether an object, as JSON has it, meets it. Texts are
// compared ignoring letter case, as the directory does.
type Condition struct {
	meets    func(map[string]any) bool
	advanced bool
	equals   *[2]string
	names    []string
}

// Properties are the names of all properties that it looks at.
func (c Condition) Properties() []string { return c.names }

// Meets says whether an object meets the condition.
func (c Condition) Meets(object map[string]any) bool { return c.meets(object) }

// Advanced says whether the directory answers it only with eventual consistency. Source: "Advanced
// query capabilities".
func (c Condition) Advanced() bool { return c.advanced }

// Equals returns the text when the whole condition is that a property equals it. It may be asked of
// no condition.
func (c *Condition) Equals(property string) (value string, ok bool) {
	if c == nil || c.equals == nil || c.equals[0] != property {
		return "", false
	}
	return c.equals[1], true
}

// Bounds of a $filter: our own choice, except for the operands of in, which is the directory's.
const (
	maxFilterText  = 4096 //bound:text a filter of Graph
	maxFilterDepth = 16   //bound:depth nesting of a filter of Graph
	maxIn          = 15   //bound:list values of "in" in a filter of Graph
)

// ParseFilter reads a $filter: and, or, not, eq, ne, gt, ge, lt, le, in, startsWith, endsWith,
// contains, and brackets. Source: OData 4.01 URL conventions, 5.1.1, as far as directory objects
// support it.
func ParseFilter(text string) (Condition, error) {
	if len(text) > maxFilterText {
		return Condition{}, errors.New("the filter is too long")
	}
	tokens, err := odataTokens(text)
	if err != nil {
		return Condition{}, err
	}
	p := &odataParser{tokens: tokens}
	c, err := p.or(0)
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("%q is not expected", p.tokens[p.at])
	}
	c.names = p.names
	return c, err
}

// odataTokens cuts a text into names, numbers, quoted texts, brackets and commas.
func odataTokens(text string) (tokens []string, err error) {
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ':
			i++
		case '(', ')', ',':
			tokens = append(tokens, text[i:i+1])
			i++
		case '\'':
			end := i + 1
			for ; end < len(text); end++ {
				if text[end] != '\'' {
					continue
				}
				if end+1 == len(text) || text[end+1] != '\'' {
					break
				}
				end++
			}
			if end >= len(text) {
				return nil, errors.New("a text is not closed")
			}
			tokens = append(tokens, text[i:end+1])
			i = end + 1
		default:
			end := i + 1
			for end < len(text) && strings.IndexByte(" (),'", text[end]) < 0 {
				end++
			}
			tokens = append(tokens, text[i:end])
			i = end
		}
	}
	return tokens, nil
}

type odataParser struct {
	tokens []string
	at     int
	names  []string // of properties
}

func (p *odataParser) next() string {
	if p.at == len(p.tokens) {
		return ""
	}
	p.at++
	return p.tokens[p.at-1]
}

func (p *odataParser) keyword(word string) bool {
	if p.at < len(p.tokens) && strings.EqualFold(p.tokens[p.at], word) {
		p.at++
		return true
	}
	return false
}

func (p *odataParser) expect(word string) error {
	if !p.keyword(word) {
		return fmt.Errorf("%q is missing", word)
	}
	return nil
}

func (p *odataParser) or(depth int) (Condition, error) {
	return p.joined(depth, "or", p.and, func(a, b Condition, o map[string]any) bool { return a.meets(o) || b.meets(o) })
}

func (p *odataParser) and(depth int) (Condition, error) {
	return p.joined(
		depth, "and", p.term, func(a, b Condition, o map[string]any) bool { return a.meets(o) && b.meets(o) },
	)
}

func (p *odataParser) joined(
	depth int, word string, next func(int) (Condition, error), both func(a, b Condition, o map[string]any) bool,
) (Condition, error) {
	left, err := next(depth)
	for err == nil && p.keyword(word) {
		var right Condition
		right, err = next(depth)
		a, b := left, right
		left = Condition{
			meets:    func(o map[string]any) bool { return both(a, b, o) },
			advanced: a.advanced || b.advanced,
		}
	}
	return left, err
}

func (p *odataParser) term(depth int) (Condition, error) {
	if depth > maxFilterDepth {
		return Condition{}, errors.New("the filter is nested too deeply")
	}
	switch {
	case p.keyword("not"):
		c, err := p.term(depth + 1)
		return Condition{meets: func(o map[string]any) bool { return !c.meets(o) }, advanced: true}, err
	case p.keyword("("):
		c, err := p.or(depth + 1)
		if err == nil {
			err = p.expect(")")
		}
		return c, err
	case p.keyword("startswith"):
		return p.function(strings.HasPrefix, false)
	case p.keyword("endswith"):
		return p.function(strings.HasSuffix, true)
	case p.keyword("contains"):
		return p.function(strings.Contains, false)
	}
	return p.comparison()
}

func (p *odataParser) function(test func(s, part string) bool, advanced bool) (Condition, error) {
	e1 := p.expect("(")
	property, e2 := p.property()
	e3 := p.expect(",")
	value, e4 := p.value()
	if err := errors.Join(e1, e2, e3, e4, p.expect(")")); err != nil {
		return Condition{}, err
	}
	part, ok := value.(string)
	if !ok {
		return Condition{}, errors.New("a text is missing")
	}
	part = names.Fold(part)
	return Condition{
		meets: func(o map[string]any) bool {
			s, ok := odataValue(o, property).(string)
			return ok && test(names.Fold(s), part)
		},
		advanced: advanced,
	}, nil
}

func (p *odataParser) property() (string, error) {
	name := p.next()
	if name == "" || strings.ContainsAny(name, "'(),") || name[0] >= '0' && name[0] <= '9' {
		return "", errors.New("a property is missing")
	}
	p.names = append(p.names, name)
	return name, nil
}

// value reads a text, a truth, null, a number, or what looks like a date.
func (p *odataParser) value() (any, error) {
	token := p.next()
	switch {
	case token == "" || token == "(" || token == ")" || token == ",":
		return nil, errors.New("a value is missing")
	case token[0] == '\'':
		return strings.ReplaceAll(token[1:len(token)-1], "''", "'"), nil
	case token == "true" || token == "false":
		return token == "true", nil
	case token == "null":
		return nil, nil
	}
	if n, err := strconv.ParseFloat(token, 64); err == nil {
		return n, nil
	}
	return token, nil
}

func (p *odataParser) comparison() (Condition, error) {
	property, err := p.property()
	if err != nil {
		return Condition{}, err
	}
	operator := strings.ToLower(p.next())
	if operator == "in" {
		return p.in(property)
	}
	value, err := p.value()
	if err != nil {
		return Condition{}, err
	}
	tests := map[string]func(order int, compared bool) bool{
		"eq": func(o int, ok bool) bool { return ok && o == 0 },
		"ne": func(o int, ok bool) bool { return !ok || o != 0 },
		"gt": func(o int, ok bool) bool { return ok && o > 0 },
		"ge": func(o int, ok bool) bool { return ok && o >= 0 },
		"lt": func(o int, ok bool) bool { return ok && o < 0 },
		"le": func(o int, ok bool) bool { return ok && o <= 0 },
	}
	test, ok := tests[operator]
	if !ok {
		return Condition{}, fmt.Errorf("%q is not an operator", operator)
	}
	c := Condition{
		meets:    func(o map[string]any) bool { return test(odataCompare(odataValue(o, property), value)) },
		advanced: operator == "ne" || (operator == "eq" && value == nil),
	}
	if text, isText := value.(string); isText && operator == "eq" {
		c.equals = &[2]string{property, text}
	}
	return c, nil
}

func (p *odataParser) in(property string) (Condition, error) {
	if err := p.expect("("); err != nil {
		return Condition{}, err
	}
	var values []any
	for {
		v, err := p.value()
		if err != nil {
			return Condition{}, err
		}
		values = append(values, v)
		if !p.keyword(",") {
			break
		}
	}
	if len(values) > maxIn {
		return Condition{}, fmt.Errorf("in takes at most %d values", maxIn)
	}
	return Condition{meets: func(o map[string]any) bool {
		return slices.ContainsFunc(values, func(v any) bool {
			order, ok := odataCompare(odataValue(o, property), v)
			return ok && order == 0
		})
	}}, p.expect(")")
}

// odataValue follows a path such as onPremisesExtensionAttributes/extensionAttribute1.
func odataValue(o map[string]any, path string) any {
	for {
		name, rest, deeper := strings.Cut(path, "/")
		if !deeper {
			return o[name]
		}
		next, ok := o[name].(map[string]any)
		if !ok {
			return nil
		}
		o, path = next, rest
	}
}

// odataCompare orders two values of one kind; ok is false when they cannot be compared.
func odataCompare(a, b any) (order int, ok bool) {
	switch a := a.(type) {
	case nil:
		return 0, b == nil
	case string:
		b, ok := b.(string)
		return strings.Compare(names.Fold(a), names.Fold(b)), ok
	case bool:
		b, ok := b.(bool)
		if a == b {
			return 0, ok
		}
		return 1, ok
	case float64:
		b, ok := b.(float64)
		switch {
		case a < b:
			return -1, ok
		case a > b:
			return 1, ok
		}
		return 0, ok
	}
	return 0, false
}
