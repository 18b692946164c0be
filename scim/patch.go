package scim

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Path is a parsed PATCH path (RFC 7644 §3.5.2): [URN:]attribute[filter].sub.
type Path struct {
	URN       string // of an extension; empty for the core schema
	Attribute Attribute
	Filter    Filter // nil: none
	Sub       string // canonical; empty: none
}

// ParsePath parses a PATCH path of a resource with this schema. It fails with an *Error of type
// invalidPath.
func (s Schema) ParsePath(text string) (Path, error) {
	if len(text) > MaxFilterLength {
		return Path{}, invalid(InvalidPath, "the path is too long")
	}
	list := s.Attributes
	rest := text
	urn := ""
	if len(rest) > len(s.URN) && strings.EqualFold(rest[:len(s.URN)], s.URN) && rest[len(s.URN)] == ':' {
		rest = rest[len(s.URN)+1:]
	}
	for known, attributes := range s.Extensions { // split at the URN, not at the dot of its 2.0
		if len(rest) > len(known) && strings.EqualFold(rest[:len(known)], known) && rest[len(known)] == ':' {
			urn = known
			list = attributes
			rest = rest[len(known)+1:]
		}
	}
	var filter Filter
	var name, sub string
	if open := strings.IndexByte(rest, '['); open >= 0 {
		end := strings.LastIndexByte(rest, ']')
		if end < open {
			return Path{}, invalid(InvalidPath, "a closing bracket is missing in %q", text)
		}
		f, err := ParseFilter(rest[open+1 : end])
		if err != nil {
			return Path{}, err
		}
		filter = f
		name = rest[:open]
		sub = strings.TrimPrefix(rest[end+1:], ".")
	} else {
		name, sub, _ = strings.Cut(rest, ".")
	}
	a, ok := findAttribute(list, name)
	if !ok && urn == "" && strings.EqualFold(name, "manager") { // Entra leaves the URN out
		urn = EnterpriseURN
		a, ok = findAttribute(s.Extensions[urn], name)
	}
	if !ok {
		return Path{}, invalid(InvalidPath, "%q is not an attribute", text)
	}
	if sub != "" {
		known, ok := findAttribute(a.Sub, sub)
		if !ok {
			return Path{}, invalid(InvalidPath, "%q is not an attribute", text)
		}
		sub = known.Name
	}
	if filter != nil && a.Kind != ComplexList {
		return Path{}, invalid(InvalidPath, "%s has no entries to filter", a.Name)
	}
	return Path{urn, a, filter, sub}, nil
}

// Change is one parsed PATCH operation on one path.
type Change struct {
	Op    string // add, replace or remove
	Path  Path
	Value any // canonical; nil for a remove without a value
}

// ParseOperation parses an operation. One without a path becomes a change for each key of its
// value, which may be dotted or a URN.
func (s Schema) ParseOperation(o Operation) ([]Change, error) {
	op := strings.ToLower(o.Op)
	if op != "add" && op != "replace" && op != "remove" {
		return nil, invalid(InvalidSyntax, "%q is not an operation", o.Op)
	}
	var value any
	if len(o.Value) > 0 {
		if err := json.Unmarshal(o.Value, &value); err != nil {
			return nil, invalid(InvalidSyntax, "a value is not JSON")
		}
	}
	if o.Path != "" {
		path, err := s.ParsePath(o.Path)
		if err != nil {
			return nil, err
		}
		return []Change{{op, path, value}}, nil
	}
	object, ok := value.(map[string]any)
	if op == "remove" || !ok {
		return nil, invalid(NoTarget, "a path is missing")
	}
	var changes []Change
	for _, key := range sortedKeys(object) {
		if urn, _, ok := s.extension(key); ok {
			nested, ok := object[key].(map[string]any)
			if !ok {
				return nil, invalid(InvalidValue, "%s is not an object", urn)
			}
			for _, name := range sortedKeys(nested) {
				path, err := s.ParsePath(urn + ":" + name)
				if err != nil {
					return nil, err
				}
				changes = append(changes, Change{op, path, nested[name]})
			}
			continue
		}
		path, err := s.ParsePath(key)
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{op, path, object[key]})
	}
	return changes, eachOnce(changes)
}

// eachOnce refuses a value that names an attribute twice, such as in two letter cases: one reader
// would take the first, another one the last.
func eachOnce(changes []Change) error {
	named := map[string]bool{}
	for _, c := range changes {
		target := c.Path.URN + ":" + c.Path.Attribute.Name + "." + c.Path.Sub
		if c.Path.Filter == nil && named[target] {
			return invalid(InvalidSyntax, "duplicate attribute: %s", c.Path.Attribute.Name)
		}
		named[target] = c.Path.Filter == nil || named[target]
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// maxEntries is our own choice. What is kept has its own bound, which comes too late for the
// operations of one PATCH: their filters look at each entry.
const maxEntries = 200 //bound:list values of an attribute while a SCIM PATCH changes it

func tooManyEntries(name string) error {
	return invalid(InvalidValue, "%s has more than %d values", name, maxEntries)
}

// Apply changes a normalized resource. The resource's maps and lists are changed in place.
func (c Change) Apply(r Resource) error {
	target := map[string]any(r)
	if c.Path.URN != "" {
		nested, ok := target[c.Path.URN].(map[string]any)
		if !ok {
			nested = map[string]any{}
		}
		defer func() {
			if len(nested) > 0 {
				r[c.Path.URN] = nested
			} else {
				delete(r, c.Path.URN)
			}
		}()
		target = nested
	}
	name := c.Path.Attribute.Name
	switch {
	case c.Path.Filter != nil || (c.Path.Attribute.Kind == ComplexList && c.Path.Sub != ""):
		return c.applyToEntries(target)
	case c.Path.Sub != "":
		object, ok := target[name].(map[string]any)
		if !ok {
			object = map[string]any{}
		}
		if err := c.setSub(object); err != nil {
			return err
		}
		target[name] = object
		return nil
	case c.Op == "remove":
		if c.Path.Attribute.Kind == ComplexList && c.Value != nil {
			return c.removeListed(target)
		}
		delete(target, name)
		return nil
	}
	var n normalizer
	value, err := n.value(c.Path.Attribute, c.Value)
	if err != nil {
		return err
	}
	if len(n.unknown) > 0 {
		return invalid(InvalidPath, "%q is not an attribute", n.unknown[0])
	}
	if c.Op == "add" && c.Path.Attribute.Kind == ComplexList {
		value = append(r.sub(target).List(name), value.([]any)...)
	}
	if list, ok := value.([]any); ok && len(list) > maxEntries {
		return tooManyEntries(name)
	}
	if c.Op == "add" && c.Path.Attribute.Kind == Complex {
		value = merged(r.sub(target).Object(name), value)
	}
	if value == nil {
		delete(target, name)
	} else {
		target[name] = value
	}
	return nil
}

func (Resource) sub(m map[string]any) Resource { return m }

func merged(old Resource, value any) any {
	more, _ := value.(map[string]any)
	out := map[string]any{}
	for _, m := range []map[string]any{old, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// setSub sets or removes the path's sub-attribute of one object.
func (c Change) setSub(object map[string]any) error {
	sub, _ := findAttribute(c.Path.Attribute.Sub, c.Path.Sub)
	if c.Op == "remove" || c.Value == nil {
		delete(object, sub.Name)
		return nil
	}
	v, err := new(normalizer).value(sub, c.Value)
	if err != nil {
		return err
	}
	object[sub.Name] = v
	return nil
}

// applyToEntries changes the entries of a list that meet the path's filter. When there is none, add
// and replace make one with what the filter asks for: Entra sends emails[type eq "work"].value for
// users that have no address yet.
func (c Change) applyToEntries(target map[string]any) error {
	name := c.Path.Attribute.Name
	entries := Resource(target).List(name)
	var kept []any
	hits := 0
	for _, e := range entries {
		entry, ok := e.(map[string]any)
		if !ok || (c.Path.Filter != nil && !matches(c.Path.Filter, entry, c.Path.Attribute.Sub, nil)) {
			kept = append(kept, e)
			continue
		}
		hits++
		if c.Op == "remove" && c.Path.Sub == "" {
			continue
		}
		if err := c.changeEntry(entry); err != nil {
			return err
		}
		kept = append(kept, entry)
	}
	if hits == 0 && c.Op != "remove" {
		entry := map[string]any{}
		fillFromFilter(c.Path.Filter, entry)
		if err := c.changeEntry(entry); err != nil {
			return err
		}
		kept = append(kept, entry)
	}
	if len(kept) > maxEntries {
		return tooManyEntries(name)
	}
	if len(kept) == 0 {
		delete(target, name)
	} else {
		target[name] = kept
	}
	return nil
}

func (c Change) changeEntry(entry map[string]any) error {
	if c.Path.Sub != "" {
		return c.setSub(entry)
	}
	value, err := new(normalizer).complexValue(c.Path.Attribute, c.Value)
	if err != nil {
		return err
	}
	for k, v := range value.(map[string]any) {
		entry[k] = v
	}
	return nil
}

// removeListed removes just the entries whose value is listed; the rest stays.
func (c Change) removeListed(target map[string]any) error {
	value, err := new(normalizer).listValue(c.Path.Attribute, c.Value)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, v := range value.([]any) {
		listed[Resource(v.(map[string]any)).String("value")] = true
	}
	name := c.Path.Attribute.Name
	target[name] = slices.DeleteFunc(Resource(target).List(name), func(e any) bool {
		entry, ok := e.(map[string]any)
		return ok && listed[Resource(entry).String("value")]
	})
	return nil
}

// fillFromFilter sets what the filter's equalities ask for.
func fillFromFilter(f Filter, entry map[string]any) {
	switch f := f.(type) {
	case And:
		fillFromFilter(f.Left, entry)
		fillFromFilter(f.Right, entry)
	case Compare:
		if a, ok := findAttribute(multi, f.Attribute); ok && f.Op == "eq" && f.Value != nil {
			if v, err := new(normalizer).value(a, f.Value); err == nil {
				entry[a.Name] = v
			}
		}
	}
}
