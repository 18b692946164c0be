package scim

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/names"
)

// Matches says whether a resource, in canonical form, meets a filter (RFC 7644 §3.4.2.2). A
// comparison with an attribute of several values holds when it does for one of them; texts ignore
// letter case unless the schema says that the attribute does not.
func (s Schema) Matches(f Filter, r Resource) bool { return matches(f, r, s.Attributes, s.Extensions) }

func matches(f Filter, r map[string]any, list []Attribute, extensions map[string][]Attribute) bool {
	switch f := f.(type) {
	case And:
		return matches(f.Left, r, list, extensions) && matches(f.Right, r, list, extensions)
	case Or:
		return matches(f.Left, r, list, extensions) || matches(f.Right, r, list, extensions)
	case Not:
		return !matches(f.Filter, r, list, extensions)
	case ValuePath:
		attribute, values := resolve(f.Attribute, r, list, extensions)
		for _, v := range values {
			if entry, ok := v.(map[string]any); ok && matches(f.Filter, entry, attribute.Sub, nil) {
				return true
			}
		}
		return false
	case Compare:
		attribute, values := resolve(f.Attribute, r, list, extensions)
		return f.holds(attribute, values)
	}
	return false
}

// CheckFilter fails with invalidFilter when the filter names an attribute that the schema does not
// have, or compares what cannot be compared.
func (s Schema) CheckFilter(f Filter) error { return checkFilter(f, s.Attributes, s.Extensions) }

func checkFilter(f Filter, list []Attribute, extensions map[string][]Attribute) error {
	both := func(a, b Filter) error {
		if err := checkFilter(a, list, extensions); err != nil {
			return err
		}
		return checkFilter(b, list, extensions)
	}
	switch f := f.(type) {
	case And:
		return both(f.Left, f.Right)
	case Or:
		return both(f.Left, f.Right)
	case Not:
		return checkFilter(f.Filter, list, extensions)
	case ValuePath:
		a, ok := lookUp(f.Attribute, list, extensions)
		if !ok || len(a.Sub) == 0 {
			return invalid(InvalidFilter, "%q has no entries to filter", f.Attribute)
		}
		return checkFilter(f.Filter, a.Sub, nil)
	case Compare:
		a, ok := lookUp(f.Attribute, list, extensions)
		if !ok {
			return invalid(InvalidFilter, "%q is not an attribute", f.Attribute)
		}
		return f.check(a)
	}
	return nil
}

// ordered are the operators that say which of two values comes first, or that they are the same.
var ordered = []string{"eq", "ne", "gt", "ge", "lt", "le"}

// check refuses a comparison that could hold for no value of the attribute: an empty list would
// tell the client that nobody is like that. Source: RFC 7644 §3.4.2.2, "the attribute and filter
// comparison combination is not supported".
func (c Compare) check(a Attribute) error {
	if c.Op == "pr" || c.Value == nil {
		return nil
	}
	if value, ok := findAttribute(a.Sub, "value"); ok { // the list itself stands for its values
		a.Kind, a.Type = value.Kind, value.Type
	}
	_, isText := c.Value.(string)
	switch a.Kind {
	case Boolean:
		if c.Op != "eq" && c.Op != "ne" {
			return invalid(InvalidFilter, "%s is a boolean, which %s does not compare", a.Name, c.Op)
		}
		if _, ok := Bool(c.Value); !ok {
			return invalid(InvalidFilter, "%s is a boolean: compare it with true or false", a.Name)
		}
	case Text:
		if !isText {
			return invalid(InvalidFilter, "%s is a text: put the value in double quotes", a.Name)
		}
		text, _ := c.Value.(string)
		if _, err := time.Parse(time.RFC3339Nano, text); a.isTime(c.Op) && err != nil {
			return invalid(InvalidFilter, "%s is a time: compare it with one such as 2026-01-31T08:00:00Z", a.Name)
		}
	default:
		return invalid(InvalidFilter, "%s has parts: compare one of them", a.Name)
	}
	return nil
}

// isTime says whether an operator compares values of the attribute as times, not as texts.
func (a Attribute) isTime(op string) bool {
	return a.Type == "dateTime" && slices.Contains(ordered, op)
}

// split takes the URN of a known extension, or of the core schema, off a name.
func split(name string, extensions map[string][]Attribute) (urn, rest string) {
	for _, core := range []string{UserURN, GroupURN} {
		if len(name) > len(core) && strings.EqualFold(name[:len(core)], core) && name[len(core)] == ':' {
			return "", name[len(core)+1:]
		}
	}
	for known := range extensions {
		if len(name) > len(known) && strings.EqualFold(name[:len(known)], known) && name[len(known)] == ':' {
			return known, name[len(known)+1:]
		}
	}
	return "", name
}

// lookUp finds the attribute that a filter names: name, name.sub or URN:name.sub. A list of entries
// stands for its values.
func lookUp(name string, list []Attribute, extensions map[string][]Attribute) (Attribute, bool) {
	urn, rest := split(name, extensions)
	if urn != "" {
		list = extensions[urn]
	}
	top, sub, dotted := strings.Cut(rest, ".")
	a, ok := findAttribute(list, top)
	if !ok && urn == "" && extensions != nil { // an attribute of an extension without its URN, as some clients write it
		for _, more := range extensions {
			if a, ok = findAttribute(more, top); ok {
				break
			}
		}
	}
	if !ok || !dotted {
		return a, ok
	}
	return findAttribute(a.Sub, sub)
}

// resolve returns the attribute that a filter names and its values in a resource, one for each
// entry.
func resolve(name string, r map[string]any, list []Attribute, extensions map[string][]Attribute) (Attribute, []any) {
	urn, rest := split(name, extensions)
	if urn != "" {
		r, _ = r[urn].(map[string]any)
		list = extensions[urn]
	}
	top, sub, dotted := strings.Cut(rest, ".")
	a, ok := findAttribute(list, top)
	if !ok && urn == "" {
		for known, more := range extensions {
			if a, ok = findAttribute(more, top); ok {
				r, _ = r[known].(map[string]any)
				break
			}
		}
	}
	value, there := r[a.Name]
	if !ok || !there {
		if dotted {
			a, _ = findAttribute(a.Sub, sub)
		}
		return a, nil
	}
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	}
	if !dotted {
		return a, values
	}
	inner, ok := findAttribute(a.Sub, sub)
	if !ok {
		return inner, nil
	}
	var out []any
	for _, v := range values {
		if entry, isObject := v.(map[string]any); isObject {
			if x, there := entry[inner.Name]; there {
				out = append(out, x)
			}
		}
	}
	return inner, out
}

// holds compares each of an attribute's values. What has no value differs from every value.
func (c Compare) holds(a Attribute, values []any) bool {
	if c.Op == "pr" {
		return len(values) > 0
	}
	if c.Value == nil { // eq null: not present
		return (len(values) == 0) == (c.Op == "eq")
	}
	if c.Op == "ne" {
		same := Compare{c.Attribute, "eq", c.Value}
		return !same.holds(a, values)
	}
	for _, v := range values {
		exact := a.CaseExact
		if entry, ok := v.(map[string]any); ok { // the list itself stands for its values
			v = entry["value"]
			if inner, ok := findAttribute(a.Sub, "value"); ok {
				exact = inner.CaseExact
			}
		}
		if c.compares(v, exact, a.isTime(c.Op)) {
			return true
		}
	}
	return false
}

func (c Compare) compares(have any, exact, isTime bool) bool {
	if b, ok := have.(bool); ok {
		want, isBool := Bool(c.Value)
		return isBool && c.Op == "eq" && b == want
	}
	text, ok := have.(string)
	want, isText := c.Value.(string)
	if !ok || !isText {
		return false
	}
	order := 0
	if isTime {
		a, err1 := time.Parse(time.RFC3339Nano, text)
		b, err2 := time.Parse(time.RFC3339Nano, want)
		if err1 != nil || err2 != nil {
			return false
		}
		order = a.Compare(b)
	} else {
		if !exact {
			text, want = names.Fold(text), names.Fold(want)
		}
		order = cmp.Compare(text, want)
	}
	switch c.Op {
	case "eq":
		return order == 0
	case "gt":
		return order > 0
	case "ge":
		return order >= 0
	case "lt":
		return order < 0
	case "le":
		return order <= 0
	case "co":
		return strings.Contains(text, want)
	case "sw":
		return strings.HasPrefix(text, want)
	case "ew":
		return strings.HasSuffix(text, want)
	}
	return false
}

// SortKey is what a resource is ordered by for sortBy (RFC 7644 §3.4.2.3): the attribute's value,
// that of the primary entry or else the first one where there are several. ok is false when it has
// none.
func (s Schema) SortKey(r Resource, sortBy string) (key string, ok bool) {
	top, sub, _ := strings.Cut(sortBy, ".")
	if _, rest := split(sortBy, s.Extensions); rest == sortBy {
		if a, found := findAttribute(s.Attributes, top); found && a.Kind == ComplexList {
			entries := r.List(a.Name)
			for i, e := range entries {
				entry, _ := e.(map[string]any)
				if primary, _ := entry["primary"].(bool); primary || i == 0 {
					if sub == "" {
						sub = "value"
					}
					text, there := entry[sub].(string)
					if key, ok = strings.ToLower(text), there; primary {
						return key, ok
					}
				}
			}
			return key, ok
		}
	}
	a, values := resolve(sortBy, r, s.Attributes, s.Extensions)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			if !a.CaseExact {
				v = strings.ToLower(v)
			}
			return v, true
		case bool:
			if v {
				return "true", true
			}
			return "false", true
		}
	}
	return "", false
}

// Project keeps of a resource, in place, what the parameters attributes and excludedAttributes ask
// for (RFC 7644 §3.9). id and schemas stay.
func (s Schema) Project(r Resource, attributes, excluded []string) {
	if len(attributes) > 0 {
		kept := Resource{}
		for _, name := range attributes {
			s.keepAttribute(kept, r, name)
		}
		for name := range r {
			if v, ok := kept[name]; ok {
				r[name] = v
			} else if name != "id" && name != "schemas" {
				delete(r, name)
			}
		}
		return
	}
	for _, name := range excluded {
		s.drop(r, name)
	}
}

func (s Schema) keepAttribute(into, from Resource, name string) {
	urn, rest := split(name, s.Extensions)
	for known := range s.Extensions { // the whole extension
		if strings.EqualFold(known, name) {
			if v, ok := from[known]; ok {
				into[known] = v
			}
			return
		}
	}
	list := s.Attributes
	target := map[string]any(into)
	source := map[string]any(from)
	if urn != "" {
		list = s.Extensions[urn]
		source, _ = from[urn].(map[string]any)
		if source == nil {
			return
		}
		nested, ok := into[urn].(map[string]any)
		if !ok {
			nested = map[string]any{}
			into[urn] = nested
		}
		target = nested
	}
	top, sub, dotted := strings.Cut(rest, ".")
	a, ok := findAttribute(list, top)
	value, there := source[a.Name]
	if !ok || !there {
		return
	}
	if !dotted {
		target[a.Name] = value
		return
	}
	inner, ok := findAttribute(a.Sub, sub)
	if !ok {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		nested, _ := target[a.Name].(map[string]any)
		target[a.Name] = withSub(nested, v, inner.Name)
	case []any:
		old, _ := target[a.Name].([]any)
		out := make([]any, len(v))
		for i, e := range v {
			entry, _ := e.(map[string]any)
			var before map[string]any
			if i < len(old) {
				before, _ = old[i].(map[string]any)
			}
			out[i] = withSub(before, entry, inner.Name)
		}
		target[a.Name] = out
	}
}

func withSub(into, from map[string]any, name string) map[string]any {
	if into == nil {
		into = map[string]any{}
	}
	if v, ok := from[name]; ok {
		into[name] = v
	}
	return into
}

func (s Schema) drop(r Resource, name string) {
	for known := range s.Extensions {
		if strings.EqualFold(known, name) {
			delete(r, known)
			return
		}
	}
	urn, rest := split(name, s.Extensions)
	list, source := s.Attributes, map[string]any(r)
	if urn != "" {
		list = s.Extensions[urn]
		source, _ = r[urn].(map[string]any)
	}
	top, sub, dotted := strings.Cut(rest, ".")
	a, ok := findAttribute(list, top)
	if !ok || a.Name == "id" || a.Name == "schemas" {
		return
	}
	if !dotted {
		delete(source, a.Name)
		return
	}
	inner, _ := findAttribute(a.Sub, sub)
	values, isList := source[a.Name].([]any)
	if !isList {
		values = []any{source[a.Name]}
	}
	for _, v := range values {
		if entry, isObject := v.(map[string]any); isObject {
			delete(entry, inner.Name)
		}
	}
}
