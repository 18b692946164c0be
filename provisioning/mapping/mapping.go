// Package mapping is the language of Entra ID's attribute mappings: expressions that compute the
// value of a target's attribute from those of a directory object, and the scoping filters that say
// which objects are in scope.
//
// Sources: Entra documentation, "Reference for writing expressions for attribute mappings" and
// "Scoping filters".
//
// It may import names.
package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Value is what an attribute or an expression has: nil is null, and several texts are the values of
// a list.
type Value []string

// Text is the value as one text, "" for null.
func (v Value) Text() string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// One is the value that is one text.
func One(s string) Value { return Value{s} }

// Attributes gives the value of a directory object's attribute by its name.
type Attributes func(name string) Value

// Texts gives attributes that have one text each; what is not among them, or empty, is null.
func Texts(values map[string]string) Attributes {
	return func(name string) Value {
		if v := values[name]; v != "" {
			return One(v)
		}
		return nil
	}
}

// Attribute is the mapping of one attribute.
type Attribute struct {
	Target     string // path of SCIM, such as name.givenName
	Expression string // [attribute], "constant" or a function
	Matching   int    // 0: not a matching attribute; 1 is tried first
	Default    string // when the expression gives nothing and the object is created
	OnlyOnce   bool   // sent when the object is created, and never again
	Required   bool   // the target takes no object without it
}

// Object is the mapping of one kind of object.
type Object struct {
	Name       string
	Source     string // User or Group
	Target     string // URN of the target's schema
	Enabled    bool
	Flows      Flow
	Scope      []Filter // one of them must be met; none: all objects are meant
	Attributes []Attribute
}

// Flow says what may be done at the target; several are joined by |.
type Flow uint8

// The flows. Source: attribute mapping page, "Target object actions".
const (
	Add Flow = 1 << iota
	Update
	Delete
	AllFlows = Add | Update | Delete
)

// Schema is all that a synchronization job maps.
type Schema struct {
	RuleID  string
	Version int
	Objects []Object
	Beside  []byte `json:",omitempty"` // what a client wrote beside them, packed; it is kept for it
}

// Filter is met when all its clauses are.
type Filter struct {
	Name    string
	Clauses []Clause
}

// Clause compares an attribute.
type Clause struct {
	Attribute string
	Operator  string // one of Operators
	Values    []string
}

// Compiled is an object's mapping, ready for use. It is safe for concurrent use.
type Compiled struct {
	Object
	attributes []compiled
	filters    [][]clause
	blind      error // why the filters cannot say who is in scope
}

type compiled struct {
	Attribute
	expression node
	blind      bool // it reads an attribute that does not exist
}

// Bounds of a mapping. Source of the length of expressions: attribute mapping page; the others are
// our own choice.
const (
	maxExpression = 10_000 //bound:text an expression of a mapping
	maxDepth      = 32     //bound:depth nesting of an expression
	maxAttributes = 200    //bound:list attributes of a mapping
	maxClauses    = 100    //bound:list clauses of a scoping filter

	//bound:depth instructions and ranges of the regular expressions of an object's scoping filters
	maxFilterSize = 100_000
)

// Compile checks a mapping and makes it ready. The error says what is wrong and where.
func Compile(o Object) (*Compiled, error) {
	if len(o.Attributes) > maxAttributes {
		return nil, fmt.Errorf("%s has more than %d attribute mappings", o.Source, maxAttributes)
	}
	c := &Compiled{Object: o}
	targets := map[string]bool{}
	for _, a := range o.Attributes {
		if a.Target == "" || targets[a.Target] {
			return nil, fmt.Errorf("the target attribute %q is duplicated or empty", a.Target)
		}
		targets[a.Target] = true
		e, err := parse(a.Expression)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Target, err)
		}
		c.attributes = append(c.attributes, compiled{Attribute: a, expression: e})
	}
	size := 0
	for _, f := range o.Scope {
		if len(f.Clauses) > maxClauses {
			return nil, fmt.Errorf("the filter %q has more than %d clauses", f.Name, maxClauses)
		}
		var clauses []clause
		for _, given := range f.Clauses {
			ready, err := given.compile()
			if err != nil {
				return nil, fmt.Errorf("the filter %q: %w", f.Name, err)
			}
			if size += ready.size; size > maxFilterSize {
				return nil, fmt.Errorf(
					"the scoping filters of %ss are too large: use fewer clauses, or simpler regular expressions",
					o.Source,
				)
			}
			clauses = append(clauses, ready)
		}
		c.filters = append(c.filters, clauses)
	}
	return c, nil
}

// Map gives the values of the target's attributes: those without a value are left out. The second
// ones are for an object that is created, with defaults. An error names the target's attribute.
// Each expression has a budget of its own; when ctx ends, so does the evaluation.
func (c *Compiled) Map(ctx context.Context, attributes Attributes) (wanted, creating map[string]string, err error) {
	wanted, creating = make(map[string]string, len(c.attributes)), make(map[string]string, len(c.attributes))
	var failed []error
	for _, a := range c.attributes {
		if a.blind {
			continue
		}
		v, err := a.value(ctx, attributes)
		switch {
		case err != nil:
			failed = append(failed, err)
		case v != "":
			wanted[a.Target], creating[a.Target] = v, v
		case a.Default != "":
			creating[a.Target] = a.Default
		}
	}
	return wanted, creating, errors.Join(failed...)
}

func (a compiled) value(ctx context.Context, attributes Attributes) (string, error) {
	e := evaluation{Context: ctx, of: attributes}
	v, err := e.value(a.expression)
	if err == nil && rolesOf(a.expression) {
		return v.list(), nil
	}
	if err == nil && len(v) > 1 {
		err = fmt.Errorf("the expression gives a list of %d values", len(v))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", a.Target, err)
	}
	return v.Text(), nil
}

// Value gives the value of one target's attribute; "" when it has none or is not mapped.
func (c *Compiled) Value(ctx context.Context, target string, attributes Attributes) (string, error) {
	for _, a := range c.attributes {
		if a.Target == target && !a.blind {
			return a.value(ctx, attributes)
		}
	}
	return "", nil
}

// Maps says whether a target's attribute is mapped.
func (c *Compiled) Maps(target string) bool {
	return slices.ContainsFunc(c.attributes, func(a compiled) bool { return a.Target == target })
}

// Matching lists the targets by which objects are matched, the first to be tried first.
func (c *Compiled) Matching() (targets []string) {
	by := slices.DeleteFunc(slices.Clone(c.attributes), func(a compiled) bool { return a.Matching == 0 })
	slices.SortStableFunc(by, func(a, b compiled) int { return a.Matching - b.Matching })
	for _, a := range by {
		targets = append(targets, a.Target)
	}
	return targets
}

// Keeps says whether a target's attribute stays as it was sent when its expression gives nothing,
// or whatever it gives: defaults, what is not to flow when it is null, roles that are only added,
// attributes that are sent at the creation only, and those that nobody can evaluate.
func (c *Compiled) Keeps(target string) (whenNull, always bool) {
	for _, a := range c.attributes {
		if a.Target == target {
			c, _ := a.expression.(call)
			stays := c.name == addRoles || c.name == "IgnoreFlowIfNullOrEmpty"
			return a.Default != "" || a.blind || stays, a.OnlyOnce || a.blind
		}
	}
	return false, false
}

// Redacted says whether the values of a target's attribute are not told: they went through Redact,
// or are passwords.
func (c *Compiled) Redacted(target string) bool {
	for _, a := range c.attributes {
		if a.Target == target {
			return target == "password" || calls(a.expression, "Redact")
		}
	}
	return false
}

// calls says whether an expression has a function in it.
func calls(n node, name string) bool {
	switch n := n.(type) {
	case comparison:
		return calls(n.left, name) || calls(n.right, name)
	case call:
		return n.name == name || slices.ContainsFunc(n.arguments, func(a node) bool { return calls(a, name) })
	}
	return false
}

// Missing lists the targets that are required and that values lacks.
func (c *Compiled) Missing(values map[string]string) (targets []string) {
	for _, a := range c.attributes {
		if a.Required && !a.blind && values[a.Target] == "" {
			targets = append(targets, a.Target)
		}
	}
	return targets
}

// InScope says whether an object meets one of the filters, or there are none; unmet is the first
// clause of the first filter that it does not meet, in words. An error means that it could not be
// found out, so that nothing may be concluded from it.
func (c *Compiled) InScope(ctx context.Context, attributes Attributes) (in bool, unmet string, err error) {
	if c.blind != nil {
		return false, "", c.blind
	}
	e := evaluation{Context: ctx, of: attributes}
	for f, clauses := range c.filters {
		met, i := true, 0
		for i = range clauses {
			if met, err = clauses[i].met(&e); err != nil {
				return false, "", fmt.Errorf("the filter %q: %w", c.Scope[f].Name, err)
			}
			if !met {
				break
			}
		}
		if met {
			return true, "", nil
		}
		if unmet == "" {
			clause := c.Scope[f].Clauses[i]
			unmet = strings.TrimSpace(
				strings.Join(
					[]string{c.Scope[f].Name, clause.Attribute, clause.Operator, strings.Join(clause.Values, ", ")},
					" ",
				),
			)
		}
	}
	return len(c.filters) == 0, unmet, nil
}

// Sources lists the directory attributes that the expressions and the filters read, each once.
func (c *Compiled) Sources() (names []string) {
	for _, a := range c.attributes {
		names = append(names, sources(a.expression)...)
	}
	for _, f := range c.Scope {
		for _, clause := range f.Clauses {
			names = append(names, clause.Attribute)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// SourcesOf lists the directory attributes that an expression reads; none for one that is wrong.
func SourcesOf(expression string) []string {
	n, err := parse(expression)
	if err != nil {
		return nil
	}
	return sources(n)
}

// Knowing is the mapping with what it reads of unknown attributes left open: the targets of such
// expressions stay as they are, and such a filter cannot say who is in scope.
func (c *Compiled) Knowing(known func(source string) bool) *Compiled {
	unknown := func(name string) bool { return !known(name) }
	out := *c
	out.attributes = slices.Clone(c.attributes)
	for i, a := range out.attributes {
		out.attributes[i].blind = slices.ContainsFunc(sources(a.expression), unknown)
	}
	for _, f := range c.Scope {
		for _, clause := range f.Clauses {
			if unknown(clause.Attribute) {
				out.blind = fmt.Errorf("the filter %q reads %q, which is not an attribute", f.Name, clause.Attribute)
			}
		}
	}
	return &out
}

func sources(n node) (names []string) {
	switch n := n.(type) {
	case attribute:
		return []string{string(n)}
	case comparison:
		return append(sources(n.left), sources(n.right)...)
	case call:
		for _, a := range n.arguments {
			names = append(names, sources(a)...)
		}
	}
	return names
}

// Parse checks an expression, and the constants in it. The error says at which character it goes
// wrong.
func Parse(expression string) error {
	n, err := parse(expression)
	if err != nil {
		return err
	}
	return errors.Join(check(n), checkAlone(n))
}

// OnlyProvisions names the function of an expression that makes sense in provisioning only; ""
// where there is none.
func OnlyProvisions(expression string) string {
	n, err := parse(expression)
	for _, name := range []string{addRoles, assertRoles, selectUnique, "DefaultDomain"} {
		if err == nil && calls(n, name) {
			return name
		}
	}
	return ""
}

// Evaluate gives the value of an expression. It fails with BudgetError when that takes too much,
// and when ctx ends.
func Evaluate(ctx context.Context, expression string, attributes Attributes) (Value, error) {
	v, _, err := evaluate(ctx, expression, attributes)
	return v, err
}

func evaluate(ctx context.Context, expression string, attributes Attributes) (Value, *evaluation, error) {
	e := &evaluation{Context: ctx, of: attributes}
	n, err := parse(expression)
	if err != nil {
		return nil, e, err
	}
	v, err := e.value(n)
	return v, e, err
}

// Kind says what an expression is, in Graph's words, and its name: that of the attribute or of the
// function.
func Kind(expression string) (kind, name string) {
	text := strings.TrimSpace(expression)
	switch {
	case strings.HasPrefix(text, "["):
		return "Attribute", strings.Trim(text, "[]")
	case strings.HasPrefix(text, `"`):
		return "Constant", strings.Trim(text, `"`)
	}
	name, _, _ = strings.Cut(text, "(")
	return "Function", strings.TrimSpace(name)
}
