package scim

import (
	"strings"
)

// Limits of a filter, checked before and while it is parsed.
const (
	MaxFilterLength = 8192 //bound:text a filter or path of SCIM
	maxFilterDepth  = 32   //bound:depth nesting of a filter of SCIM
)

// Filter is a parsed filter expression: And, Or, Not, Compare or ValuePath.
type Filter interface{ filter() }

// And holds when both sides do.
type And struct{ Left, Right Filter }

// Or holds when one of the sides does.
type Or struct{ Left, Right Filter }

// Not holds when its filter does not.
type Not struct{ Filter Filter }

// Compare holds when an attribute compares with a value. Value is a string, bool, nil or a number's
// text; it is nil for pr.
type Compare struct {
	Attribute string // as written: a name, name.sub, or URN:name
	Op        string // eq ne co sw ew gt ge lt le pr, in lower case
	Value     any
}

// ValuePath holds when one entry of a multi-valued attribute meets the filter inside the brackets.
// What Entra writes behind them, as in emails[type eq "work"].value eq "x", stands inside as well.
type ValuePath struct {
	Attribute string
	Filter    Filter
}

func (And) filter()       {}
func (Or) filter()        {}
func (Not) filter()       {}
func (Compare) filter()   {}
func (ValuePath) filter() {}

var operators = map[string]bool{
	"eq": true,
	"ne": true,
	"co": true,
	"sw": true,
	"ew": true,
	"gt": true,
	"ge": true,
	"lt": true,
	"le": true,
	"pr": true,
}

// ParseFilter parses a filter expression (RFC 7644 §3.4.2.2). It fails with an *Error of type
// invalidFilter.
func ParseFilter(text string) (Filter, error) {
	if len(text) > MaxFilterLength {
		return nil, invalid(InvalidFilter, "the filter is longer than %d characters", MaxFilterLength)
	}
	p := &parser{tokens: tokenize(text)}
	f, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != endOfText {
		return nil, invalid(InvalidFilter, "unexpected %q", p.peek().text)
	}
	return f, nil
}

type tokenKind uint8

const (
	endOfText tokenKind = iota
	word
	quoted
	bracket // ( ) [ ]
	broken
)

type token struct {
	kind tokenKind
	text string
}

// tokenize splits a filter into words, quoted strings and brackets.
func tokenize(text string) []token {
	var tokens []token
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			i++
		case strings.IndexByte("()[]", c) >= 0:
			tokens = append(tokens, token{bracket, text[i : i+1]})
			i++
		case c == '"':
			s, n, ok := unquote(text[i:])
			if !ok {
				return append(tokens, token{broken, text[i:]})
			}
			tokens = append(tokens, token{quoted, s})
			i += n
		default:
			end := i
			for end < len(text) && strings.IndexByte(" \t()[]\"", text[end]) < 0 {
				end++
			}
			tokens = append(tokens, token{word, text[i:end]})
			i = end
		}
	}
	return tokens
}

// unquote reads a JSON string at the start of text and returns it with the length of its written
// form.
func unquote(text string) (s string, length int, ok bool) {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			var out string
			if Decode([]byte(text[:i+1]), &out) != nil {
				return "", 0, false
			}
			return out, i + 1, true
		}
	}
	return "", 0, false
}

type parser struct {
	tokens []token
	next   int
}

func (p *parser) peek() token {
	if p.next >= len(p.tokens) {
		return token{}
	}
	return p.tokens[p.next]
}

func (p *parser) advance() token {
	t := p.peek()
	p.next++
	return t
}

// keyword takes the next token if it is this word, ignoring letter case.
func (p *parser) keyword(name string) bool {
	if t := p.peek(); t.kind == word && strings.EqualFold(t.text, name) {
		p.next++
		return true
	}
	return false
}

func (p *parser) bracket(text string) bool {
	if t := p.peek(); t.kind == bracket && t.text == text {
		p.next++
		return true
	}
	return false
}

func (p *parser) or(depth int) (Filter, error) {
	left, err := p.and(depth)
	for err == nil && p.keyword("or") {
		var right Filter
		right, err = p.and(depth)
		left = Or{left, right}
	}
	return left, err
}

func (p *parser) and(depth int) (Filter, error) {
	left, err := p.term(depth)
	for err == nil && p.keyword("and") {
		var right Filter
		right, err = p.term(depth)
		left = And{left, right}
	}
	return left, err
}

func (p *parser) term(depth int) (Filter, error) {
	if depth >= maxFilterDepth {
		return nil, invalid(InvalidFilter, "the filter is nested too deeply")
	}
	if p.keyword("not") {
		if p.peek() != (token{bracket, "("}) {
			return nil, invalid(InvalidFilter, "not needs parentheses")
		}
		f, err := p.term(depth + 1)
		return Not{f}, err
	}
	if p.bracket("(") {
		f, err := p.or(depth + 1)
		if err == nil && !p.bracket(")") {
			err = invalid(InvalidFilter, "a closing parenthesis is missing")
		}
		return f, err
	}
	return p.comparison(depth)
}

func (p *parser) comparison(depth int) (Filter, error) {
	attribute := p.advance()
	if attribute.kind != word {
		return nil, invalid(InvalidFilter, "an attribute name is missing")
	}
	if p.bracket("[") {
		f, err := p.or(depth + 1)
		if err == nil && !p.bracket("]") {
			err = invalid(InvalidFilter, "a closing bracket is missing")
		}
		if sub, ok := strings.CutPrefix(p.peek().text, "."); err == nil && ok && p.peek().kind == word {
			p.next++
			var behind Filter
			behind, err = p.compare(sub)
			f = And{f, behind}
		}
		return ValuePath{attribute.text, f}, err
	}
	return p.compare(attribute.text)
}

// compare parses what follows the name of an attribute.
func (p *parser) compare(attribute string) (Filter, error) {
	op := p.advance()
	name := strings.ToLower(op.text)
	if op.kind != word || !operators[name] {
		return nil, invalid(InvalidFilter, "%q is not an operator", op.text)
	}
	if name == "pr" {
		return Compare{Attribute: attribute, Op: name}, nil
	}
	value, err := comparisonValue(p.advance())
	return Compare{attribute, name, value}, err
}

func comparisonValue(t token) (any, error) {
	switch {
	case t.kind == quoted:
		return t.text, nil
	case t.kind != word:
	case strings.EqualFold(t.text, "true"):
		return true, nil
	case strings.EqualFold(t.text, "false"):
		return false, nil
	case strings.EqualFold(t.text, "null"):
		return nil, nil
	case strings.Trim(t.text, "0123456789.-+eE") == "":
		return t.text, nil
	}
	return nil, invalid(InvalidFilter, "a value in double quotes is missing")
}
