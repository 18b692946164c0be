package graph

import (
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/names"
)

// Condition is a parsed $filter. It says whether an object, as JSON has it, meets it. Texts are
// compared ignoring letter case, as the directory does.
type Condition struct {
	meets  func(scope) bool
	equals [][2]string // properties and texts, all of which must be so
	bounds []bound     // of moments, all of which hold
	uses   []Use
}

// bound is a moment at, before or after which a property must be.
type bound struct {
	property, operator string
	at                 time.Time
}

// Between returns the moments between which a property is in every object that meets the condition,
// both included, where the condition says so; the zero time: no bound. It may be asked of no
// condition.
func (c *Condition) Between(property string) (from, to time.Time) {
	if c == nil {
		return from, to
	}
	for _, b := range c.bounds {
		if b.property != property {
			continue
		}
		if b.operator != "le" && b.operator != "lt" && b.at.After(from) {
			from = b.at
		}
		if b.operator != "ge" && b.operator != "gt" && (to.IsZero() || b.at.Before(to)) {
			to = b.at
		}
	}
	return from, to
}

// Use is a property that a condition looks at, and how: eq, ne, gt, ge, lt, le, in, startsWith,
// endsWith, contains, any, all or $count; "eq null" and "ne null" where it is compared with
// nothing. A negation is a use of its own, "not", without a property.
type Use struct{ Property, Operator string }

// scope is what names in a condition stand for: the object, and inside of any or all the item that
// is looked at.
type scope struct {
	object   map[string]any
	variable string
	item     any
	outer    *scope
}

// Uses are all that it looks at.
func (c Condition) Uses() []Use { return c.uses }

// Meets says whether an object meets the condition.
func (c Condition) Meets(object map[string]any) bool { return c.meets(scope{object: object}) }

// Equals returns the text that a property has in every object that meets the condition, where the
// condition says so. It may be asked of no condition.
func (c *Condition) Equals(property string) (value string, ok bool) {
	if c == nil {
		return "", false
	}
	for _, e := range c.equals {
		if e[0] == property {
			return e[1], true
		}
	}
	return "", false
}

// of is the item that a variable stands for.
func (s scope) of(variable string) any {
	for x := &s; x != nil; x = x.outer {
		if x.variable == variable {
			return x.item
		}
	}
	return nil
}

// odataItems are the items of a collection.
func odataItems(v any) (items []any) {
	switch v := v.(type) {
	case []any:
		return v
	case []string:
		for _, x := range v {
			items = append(items, x)
		}
	case []map[string]any:
		for _, x := range v {
			items = append(items, x)
		}
	}
	return items
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

// odataCompare orders a value of an object and one of a filter; ok is false when they cannot be
// compared.
func odataCompare(kind Kind, a, b any) (order int, ok bool) {
	switch a := a.(type) {
	case nil:
		return 0, b == nil
	case string:
		if kind == Moment {
			at, err := time.Parse(time.RFC3339Nano, a)
			b, ok := b.(time.Time)
			return at.Compare(b), ok && err == nil
		}
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

// Compare orders two objects by a property, as $orderby does: nothing comes before everything, and
// letter case is ignored.
func Compare(a, b map[string]any, path string) int {
	x, y := odataValue(a, path), odataValue(b, path)
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return -1
	case y == nil:
		return 1
	}
	if truth, ok := x.(bool); ok {
		other, _ := y.(bool)
		switch {
		case truth == other:
			return 0
		case other:
			return -1
		}
		return 1
	}
	if text, ok := x.(string); ok {
		other, _ := y.(string)
		return strings.Compare(strings.ToLower(text), strings.ToLower(other))
	}
	order, _ := odataCompare(Number, x, y)
	return order
}
