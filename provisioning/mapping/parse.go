package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a part of an expression.
type node interface {
	evaluate(*evaluation) (Value, error)
}

type attribute string

func (a attribute) evaluate(e *evaluation) (Value, error) { return e.of(string(a)), nil }

type constant struct{ Value }

func (c constant) evaluate(*evaluation) (Value, error) { return c.Value, nil }

// omitted is an argument that is left out between commas.
type omitted struct{}

func (omitted) evaluate(*evaluation) (Value, error) { return nil, nil }

// comparison is a condition. One with a null in it is not met. Source: IIF, known limitations.
type comparison struct {
	left, right node
	operator    string
}

func (c comparison) evaluate(e *evaluation) (Value, error) {
	l, e1 := e.value(c.left)
	r, e2 := e.value(c.right)
	if err := errors.Join(e1, e2); err != nil || l.Text() == "" || r.Text() == "" {
		return boolean(false), err
	}
	order := strings.Compare(l.Text(), r.Text())
	if a, err := strconv.ParseFloat(l.Text(), 64); err == nil {
		if b, err := strconv.ParseFloat(r.Text(), 64); err == nil {
			order = 0
			if a < b {
				order = -1
			} else if a > b {
				order = 1
			}
		}
	}
	return boolean(
		map[string]bool{
			"=":  order == 0,
			"<>": order != 0,
			">":  order > 0,
			">=": order >= 0,
			"<":  order < 0,
			"<=": order <= 0,
		}[c.operator],
	), nil
}

func boolean(b bool) Value {
	if b {
		return One("True")
	}
	return One("False")
}

func (v Value) isTrue() bool {
	return strings.EqualFold(v.Text(), "True") ||
		(v.Text() != "" && v.Text() != "0" && !strings.EqualFold(v.Text(), "False") && isNumber(v.Text()))
}

func isNumber(s string) bool { _, err := strconv.ParseFloat(s, 64); return err == nil }

type call struct {
	name string
	function
	arguments []node
}

func (c call) evaluate(e *evaluation) (Value, error) {
	v, err := c.run(e.arguments(c.arguments))
	var over *BudgetError
	switch {
	case err == nil:
		return v, nil
	case errors.As(err, &over) || e.Err() != nil: // of the whole, not of this function
		return nil, err
	}
	return nil, fmt.Errorf("%s: %w", c.name, err)
}

// parser reads an expression from left to right.
type parser struct {
	text  string
	at    int
	depth int
}

func parse(text string) (node, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("the expression is longer than %d characters", maxExpression)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("the expression is not UTF-8")
	}
	p := &parser{text: text}
	n, err := p.operand()
	if err == nil && p.blank() < len(text) {
		err = p.wrong("the end")
	}
	return n, err
}

func (p *parser) wrong(wanted string) error {
	return fmt.Errorf("at character %d: expected %s", utf8.RuneCountInString(p.text[:p.at])+1, wanted)
}

// blank passes over white space and returns where it is then.
func (p *parser) blank() int {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	return p.at
}

// take passes over a text that comes next.
func (p *parser) take(s string) bool {
	p.blank()
	if strings.HasPrefix(p.text[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

// argument is an operand or a comparison of two.
func (p *parser) argument() (node, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for _, op := range []string{"<>", ">=", "<=", "=", ">", "<"} {
		if p.take(op) {
			right, err := p.operand()
			return comparison{left, right, op}, err
		}
	}
	return left, nil
}

func (p *parser) operand() (node, error) {
	switch p.blank(); {
	case p.at == len(p.text):
		return nil, p.wrong("an [attribute], a \"text\" or a function")
	case p.take("["):
		end := strings.IndexByte(p.text[p.at:], ']')
		if end < 1 {
			return nil, p.wrong("the name of an attribute and ]")
		}
		name := p.text[p.at : p.at+end]
		p.at += end + 1
		return attribute(strings.TrimSpace(name)), nil
	case p.take(`"`):
		return p.quoted()
	case p.take("&H"):
		n, err := strconv.ParseUint(p.word("0123456789abcdefABCDEF"), 16, 63)
		if err != nil {
			return nil, p.wrong("a hexadecimal number")
		}
		return constant{One(strconv.FormatUint(n, 10))}, nil
	case strings.IndexByte("-0123456789", p.text[p.at]) >= 0:
		number := p.word("-.0123456789")
		if !isNumber(number) {
			return nil, p.wrong("a number")
		}
		return constant{One(number)}, nil
	}
	return p.call()
}

func (p *parser) word(of string) string {
	begin := p.at
	for p.at < len(p.text) && strings.IndexByte(of, p.text[p.at]) >= 0 {
		p.at++
	}
	return p.text[begin:p.at]
}

// quoted reads a text; a backslash stands before a backslash or a quotation mark.
func (p *parser) quoted() (node, error) {
	var b strings.Builder
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return constant{One(b.String())}, nil
		case c == '\\' && p.at+1 < len(p.text) && (p.text[p.at+1] == '\\' || p.text[p.at+1] == '"'):
			p.at++
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	return nil, p.wrong("a closing quotation mark")
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// words are what may stand without quotation marks.
var words = map[string]bool{"vbTextCompare": true, "vbBinaryCompare": true, "True": true, "False": true}

func (p *parser) call() (node, error) {
	begin := p.at
	name := p.word(letters)
	if words[name] {
		return constant{One(name)}, nil
	}
	f, known := functions[name]
	if !known {
		p.at = begin
		return nil, p.wrong("one of the functions " + strings.Join(Functions(), ", ") + "; names are case-sensitive")
	}
	if !p.take("(") {
		return nil, p.wrong("( after " + name)
	}
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("functions are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	c := call{name: name, function: f}
	if p.take(")") {
		return c, c.check()
	}
	for {
		switch {
		case p.take(","):
			c.arguments = append(c.arguments, omitted{})
			continue
		case p.take(")"): // after a comma: the last argument is left out
			c.arguments = append(c.arguments, omitted{})
			return c, c.check()
		}
		a, err := p.argument()
		if err != nil {
			return nil, err
		}
		c.arguments = append(c.arguments, a)
		if p.take(")") {
			return c, c.check()
		}
		if !p.take(",") {
			return nil, p.wrong(", or )")
		}
	}
}

func (c call) check() error {
	switch n := len(c.arguments); {
	case n < c.least:
		return fmt.Errorf("%s takes at least %d arguments, not %d", c.name, c.least, n)
	case c.most >= 0 && n > c.most:
		return fmt.Errorf("%s takes at most %d arguments, not %d", c.name, c.most, n)
	}
	return nil
}
