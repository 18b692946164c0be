package graph

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/names"
)

// Bounds of a $filter: our own choice, except for the operands of in, which is the directory's.
const (
	maxFilterText  = 4096 //bound:text a filter of Graph
	maxFilterDepth = 16   //bound:depth nesting of a filter of Graph
	maxIn          = 15   //bound:list values of "in" in a filter of Graph
	maxLambdas     = 2    //bound:depth any and all inside of each other in a filter of Graph
)

// filterError says what is wrong with a $filter or a $search, in Graph's words where they are
// known.
type filterError string

func (e filterError) Error() string { return string(e) }

func said(format string, args ...any) error { return filterError(fmt.Sprintf(format, args...)) }

// ParseFilter reads a $filter: and, or, not, eq, ne, gt, ge, lt, le, in, startsWith, endsWith,
// contains, any, all, $count and brackets. What the type of resource has not is an error, and so is
// a value of another type than its property. Source: OData 4.01 URL conventions, 5.1.1, as far as
// directory objects support it.
func ParseFilter(text string, of Schema) (Condition, error) {
	if len(text) > maxFilterText {
		return Condition{}, said("the filter is too long")
	}
	tokens, err := odataTokens(text)
	if err != nil {
		return Condition{}, err
	}
	p := &odataParser{tokens: tokens, schema: of}
	c, err := p.or(0)
	if err == nil && p.at < len(p.tokens) {
		err = said("Syntax error: %q is not expected", p.tokens[p.at])
	}
	c.uses = p.uses
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
				return nil, said("There is an unterminated string literal at position %d", i)
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
	tokens    []string
	at        int
	schema    Schema
	variables []variable // of any and all around
	uses      []Use
}

// variable is what any or all calls an item of a collection.
type variable struct {
	name, path string
	property   Property
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
		return said("Syntax error: %q is missing", word)
	}
	return nil
}

func (p *odataParser) or(depth int) (Condition, error) {
	return p.joined(depth, "or", p.and, func(a, b Condition, s scope) bool { return a.meets(s) || b.meets(s) })
}

func (p *odataParser) and(depth int) (Condition, error) {
	return p.joined(depth, "and", p.term, func(a, b Condition, s scope) bool { return a.meets(s) && b.meets(s) })
}

func (p *odataParser) joined(
	depth int, word string, next func(int) (Condition, error), both func(a, b Condition, s scope) bool,
) (Condition, error) {
	left, err := next(depth)
	for err == nil && p.keyword(word) {
		var right Condition
		right, err = next(depth)
		a, b := left, right
		left = Condition{meets: func(s scope) bool { return both(a, b, s) }}
		if word == "and" {
			left.equals = slices.Concat(a.equals, b.equals)
			left.bounds = slices.Concat(a.bounds, b.bounds)
		}
	}
	return left, err
}

func (p *odataParser) term(depth int) (Condition, error) {
	if depth > maxFilterDepth {
		return Condition{}, said("the filter is nested too deeply")
	}
	switch {
	case p.keyword("not"):
		p.uses = append(p.uses, Use{Operator: "not"})
		c, err := p.term(depth + 1)
		return Condition{meets: func(s scope) bool { return !c.meets(s) }}, err
	case p.keyword("("):
		c, err := p.or(depth + 1)
		if err == nil {
			err = p.expect(")")
		}
		return c, err
	case p.keyword("startswith"):
		return p.function("startsWith", strings.HasPrefix)
	case p.keyword("endswith"):
		return p.function("endsWith", strings.HasSuffix)
	case p.keyword("contains"):
		return p.function("contains", strings.Contains)
	}
	return p.comparison(depth)
}

func (p *odataParser) function(name string, test func(s, part string) bool) (Condition, error) {
	if err := p.expect("("); err != nil {
		return Condition{}, err
	}
	o, err := p.operand(p.next())
	if err != nil {
		return Condition{}, err
	}
	if err := p.expect(","); err != nil {
		return Condition{}, err
	}
	l, err := p.literal()
	if err != nil {
		return Condition{}, err
	}
	if o.property.Kind != Text || o.property.Many || l.kind != Text {
		return Condition{}, said("No function signature for the function with name '%s' matches the specified "+
			"arguments", strings.ToLower(name))
	}
	p.uses = append(p.uses, Use{o.path, name})
	part := names.Fold(l.value.(string))
	return Condition{meets: func(s scope) bool {
		text, ok := o.value(s).(string)
		return ok && test(names.Fold(text), part)
	}}, p.expect(")")
}

// operand is a property, and how its value is found.
type operand struct {
	path     string
	property Property
	value    func(scope) any
}

// operand reads a path such as onPremisesExtensionAttributes/extensionAttribute1, from the object
// or from the item that any or all looks at.
func (p *odataParser) operand(path string) (operand, error) {
	if path == "" || strings.ContainsAny(path, "'(),") || path[0] >= '0' && path[0] <= '9' {
		return operand{}, said("Syntax error: a property is missing")
	}
	first, rest, deeper := strings.Cut(path, "/")
	for _, v := range slices.Backward(p.variables) {
		if v.name != first {
			continue
		}
		if !deeper {
			return operand{v.path, v.property, func(s scope) any { return s.of(first) }}, nil
		}
		name, property, ok := v.property.Of.Path(rest)
		if !ok {
			return operand{}, p.missing(rest)
		}
		return operand{
			v.path + "/" + name, property, func(s scope) any {
				x, _ := s.of(first).(map[string]any)
				return odataValue(x, name)
			},
		}, nil
	}
	name, property, ok := p.schema.Properties.Path(path)
	if !ok {
		return operand{}, p.missing(path)
	}
	return operand{name, property, func(s scope) any { return odataValue(s.object, name) }}, nil
}

func (p *odataParser) missing(path string) error {
	return noSuchProperty(path, p.schema.Type)
}

// noSuchProperty are Graph's words.
func noSuchProperty(path, of string) error {
	path = strings.ToValidUTF8(path[:min(len(path), 128)], "")
	return said("Could not find a property named '%s' on type 'microsoft.graph.%s'", path, of)
}

// literal is a value that stands in a filter; the kind of null is "".
type literal struct {
	kind  Kind
	value any
}

var (
	guidText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	})
	dateText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{4}-\d\d-\d\d`) })
)

func (p *odataParser) literal() (literal, error) {
	token := p.next()
	switch {
	case token == "" || token == "(" || token == ")" || token == ",":
		return literal{}, said("Syntax error: a value is missing")
	case token[0] == '\'':
		return literal{Text, strings.ReplaceAll(token[1:len(token)-1], "''", "'")}, nil
	case token == "true" || token == "false":
		return literal{Truth, token == "true"}, nil
	case token == "null":
		return literal{}, nil
	case guidText().MatchString(token):
		return literal{GUID, token}, nil
	case dateText().MatchString(token):
		for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006-01-02T15:04Z07:00"} {
			if at, err := time.Parse(layout, token); err == nil {
				return literal{Moment, at}, nil
			}
		}
		return literal{}, said("The DateTimeOffset text '%s' should be in format "+
			"'yyyy-mm-ddThh:mm:ss('.'s+)?(zzzzzz)?' and each field value is within valid range", token)
	}
	if n, err := strconv.ParseFloat(token, 64); err == nil {
		return literal{Number, n}, nil
	}
	return literal{}, said("Syntax error: %q is no value; put texts into single quotation marks", token)
}

// operators are how comparisons turn out, and their names in the errors of OData.
var operators = map[string]struct {
	name string
	test func(order int, compared bool) bool
}{
	"eq": {"Equal", func(o int, ok bool) bool { return ok && o == 0 }},
	"ne": {"NotEqual", func(o int, ok bool) bool { return !ok || o != 0 }},
	"gt": {"GreaterThan", func(o int, ok bool) bool { return ok && o > 0 }},
	"ge": {"GreaterThanOrEqual", func(o int, ok bool) bool { return ok && o >= 0 }},
	"lt": {"LessThan", func(o int, ok bool) bool { return ok && o < 0 }},
	"le": {"LessThanOrEqual", func(o int, ok bool) bool { return ok && o <= 0 }},
}

func (p *odataParser) comparison(depth int) (Condition, error) {
	path := p.next()
	if rest, ok := strings.CutSuffix(path, "/any"); ok {
		return p.lambda(rest, false, depth)
	}
	if rest, ok := strings.CutSuffix(path, "/all"); ok {
		return p.lambda(rest, true, depth)
	}
	if rest, ok := strings.CutSuffix(path, "/$count"); ok {
		return p.counted(rest)
	}
	if p.at < len(p.tokens) && p.tokens[p.at] == "(" && path != "" {
		return Condition{}, said("An unknown function with name '%s' was found", path)
	}
	o, err := p.operand(path)
	if err != nil {
		return Condition{}, err
	}
	if p.keyword("in") {
		return p.in(o)
	}
	return p.compared(o)
}

// compared reads the operator and the value after an operand.
func (p *odataParser) compared(o operand) (Condition, error) {
	operator := strings.ToLower(p.next())
	kind, ok := operators[operator]
	if !ok {
		return Condition{}, said("Syntax error: %q is not an operator", operator)
	}
	l, err := p.literal()
	if err == nil {
		err = o.fits(l, kind.name)
	}
	if err != nil {
		return Condition{}, err
	}
	use := operator
	if l.kind == "" {
		use += " null"
	}
	p.uses = append(p.uses, Use{o.path, use})
	c := Condition{meets: func(s scope) bool {
		return kind.test(odataCompare(o.property.Kind, o.value(s), l.value))
	}}
	if text, isText := l.value.(string); isText && operator == "eq" && len(p.variables) == 0 {
		c.equals = [][2]string{{o.path, text}}
	}
	if at, isMoment := l.value.(time.Time); isMoment && operator != "ne" && len(p.variables) == 0 {
		c.bounds = []bound{{o.path, operator, at}}
	}
	return c, nil
}

// fits refuses a value of another kind than the property has.
func (o operand) fits(l literal, operator string) error {
	have := o.property.Kind
	if !o.property.Many && (l.kind == "" || l.kind == have || have == GUID && l.kind == Text) {
		return nil
	}
	name := string(have)
	if o.property.Many {
		name = "Collection(" + name + ")"
	}
	value := l.kind
	if value == "" {
		value = "<null>"
	}
	return said("A binary operator with incompatible types was detected. Found operand types '%s' and '%s' for "+
		"operator kind '%s'", name, value, operator)
}

func (p *odataParser) in(o operand) (Condition, error) {
	if err := p.expect("("); err != nil {
		return Condition{}, err
	}
	var values []any
	for {
		l, err := p.literal()
		if err == nil {
			err = o.fits(l, "Equal")
		}
		if err != nil {
			return Condition{}, err
		}
		values = append(values, l.value)
		if !p.keyword(",") {
			break
		}
	}
	if len(values) > maxIn {
		return Condition{}, said("in takes at most %d values", maxIn)
	}
	p.uses = append(p.uses, Use{o.path, "in"})
	return Condition{meets: func(s scope) bool {
		return slices.ContainsFunc(values, func(v any) bool {
			order, ok := odataCompare(o.property.Kind, o.value(s), v)
			return ok && order == 0
		})
	}}, p.expect(")")
}

// collection is an operand that must be one.
func (p *odataParser) collection(path string) (operand, error) {
	o, err := p.operand(path)
	if err == nil && !o.property.Many {
		err = said("Any/All may only be used following a collection")
	}
	return o, err
}

// lambda reads what follows any or all: (x:x eq 'y'), or () for whether there is anything at all.
func (p *odataParser) lambda(path string, all bool, depth int) (Condition, error) {
	o, err := p.collection(path)
	if err == nil {
		err = p.expect("(")
	}
	if err != nil {
		return Condition{}, err
	}
	operator := "any"
	if all {
		operator = "all"
	}
	p.uses = append(p.uses, Use{o.path, operator})
	if !all && p.keyword(")") {
		return Condition{meets: func(s scope) bool { return len(odataItems(o.value(s))) > 0 }}, nil
	}
	name, rest, cut := strings.Cut(p.next(), ":")
	if !cut { // a blank before the colon
		rest, cut = strings.CutPrefix(p.next(), ":")
	}
	if !cut || name == "" || strings.ContainsAny(name, "'(),/") || len(p.variables) == maxLambdas {
		return Condition{}, said("Syntax error: a range variable is missing")
	}
	if rest != "" {
		p.at--
		p.tokens[p.at] = rest
	}
	item := o.property
	item.Many = false
	p.variables = append(p.variables, variable{name, o.path, item})
	inner, err := p.or(depth + 1)
	p.variables = p.variables[:len(p.variables)-1]
	if err != nil {
		return Condition{}, err
	}
	return Condition{meets: func(s scope) bool {
		meets := func(x any) bool { return inner.meets(scope{s.object, name, x, &s}) }
		if all {
			return !slices.ContainsFunc(odataItems(o.value(s)), func(x any) bool { return !meets(x) })
		}
		return slices.ContainsFunc(odataItems(o.value(s)), meets)
	}}, p.expect(")")
}

// counted compares how many items a collection has.
func (p *odataParser) counted(path string) (Condition, error) {
	o, err := p.collection(path)
	if err != nil {
		return Condition{}, err
	}
	p.uses = append(p.uses, Use{o.path, "$count"})
	return p.compared(operand{o.path, Property{Kind: Number}, func(s scope) any {
		return float64(len(odataItems(o.value(s))))
	}})
}
