package scim

import (
	"maps"
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

// ReadOnly says whether nobody may change what the path names.
func (p Path) ReadOnly() bool { return p.Attribute.ReadOnly || p.target().ReadOnly }

// target is the attribute that the path ends at.
func (p Path) target() Attribute {
	if p.Sub == "" {
		return p.Attribute
	}
	sub, _ := findAttribute(p.Attribute.Sub, p.Sub)
	return sub
}

// String is the path without its filter, as error texts name it.
func (p Path) String() string {
	if p.Sub == "" {
		return p.Attribute.Name
	}
	return p.Attribute.Name + "." + p.Sub
}

// ParsePath parses a PATCH path of a resource with this schema. It fails with an *Error of type
// invalidPath or invalidFilter.
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
	parts, err := splitPath(rest)
	if err != nil {
		return Path{}, err
	}
	a, ok := findAttribute(list, parts.name)
	if !ok && urn == "" && strings.EqualFold(parts.name, "manager") { // Entra leaves the URN out
		urn = EnterpriseURN
		a, ok = findAttribute(s.Extensions[urn], parts.name)
	}
	if !ok {
		return Path{}, invalid(InvalidPath, "%q is not an attribute", text)
	}
	if parts.sub != "" {
		known, ok := findAttribute(a.Sub, parts.sub)
		if !ok {
			return Path{}, invalid(InvalidPath, "%q is not an attribute", text)
		}
		parts.sub = known.Name
	}
	path := Path{urn, a, parts.filter, parts.sub}
	if path.Filter == nil {
		return path, nil
	}
	// Entra's older dialect filters the manager, too, of whom there is one.
	if _, valued := findAttribute(a.Sub, "value"); a.Kind != ComplexList && !valued {
		return Path{}, invalid(InvalidPath, "%s has no entries to filter", a.Name)
	}
	return path, checkFilter(path.Filter, a.Sub, nil)
}

// pathParts is a path without its URN, in its parts.
type pathParts struct {
	name   string
	filter Filter // nil: none
	sub    string
}

func splitPath(text string) (p pathParts, err error) {
	open, end := strings.IndexByte(text, '['), strings.LastIndexByte(text, ']')
	if open < 0 {
		var dotted bool
		if p.name, p.sub, dotted = strings.Cut(text, "."); dotted && p.sub == "" {
			return p, invalid(InvalidPath, "%q is not an attribute", text)
		}
		return p, nil
	}
	if end < open {
		return p, invalid(InvalidPath, "a closing bracket is missing in %q", text)
	}
	if p.filter, err = ParseFilter(text[open+1 : end]); err != nil {
		return p, err
	}
	p.name = text[:open]
	var dotted bool
	if p.sub, dotted = strings.CutPrefix(text[end+1:], "."); dotted == (p.sub == "") {
		return p, invalid(InvalidPath, "%q is not an attribute", text)
	}
	return p, nil
}

// Change is one parsed PATCH operation on one path.
type Change struct {
	Op    string // add, replace or remove
	Path  Path
	Value any // nil: null, or a remove without a value
}

// ParseOperation parses an operation. One without a path becomes a change for each key of its
// value, which may be dotted or a URN; one on a whole extension a change for each of its
// attributes.
func (s Schema) ParseOperation(o Operation) ([]Change, error) {
	op := strings.ToLower(o.Op)
	if op != "add" && op != "replace" && op != "remove" {
		return nil, invalid(InvalidSyntax, "%q is not an operation", o.Op)
	}
	if op != "remove" && len(o.Value) == 0 { // RFC 7644 §3.5.2.1 and §3.5.2.3
		return nil, invalid(InvalidValue, "%s needs a value", op)
	}
	var value any
	if len(o.Value) > 0 {
		if err := json.Unmarshal(o.Value, &value); err != nil {
			return nil, invalid(InvalidSyntax, "a value is not JSON")
		}
	}
	if urn, list, ok := s.extension(o.Path); ok {
		return s.ofExtension(op, urn, list, value)
	}
	if o.Path != "" && !strings.EqualFold(o.Path, s.URN) {
		path, err := s.ParsePath(o.Path)
		if err != nil {
			return nil, err
		}
		return []Change{{op, path, bare(path, value)}}, nil
	}
	object, ok := value.(map[string]any)
	if op == "remove" || !ok {
		return nil, invalid(NoTarget, "a path is missing")
	}
	var changes []Change
	for _, key := range sortedKeys(object) {
		if urn, list, ok := s.extension(key); ok {
			more, err := s.ofExtension(op, urn, list, object[key])
			if err != nil {
				return nil, err
			}
			changes = append(changes, more...)
			continue
		}
		path, err := s.ParsePath(key)
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{op, path, bare(path, object[key])})
	}
	return changes, eachOnce(changes)
}

// ofExtension is an operation on a whole extension: to remove all that it has, or to change what
// the value names.
func (s Schema) ofExtension(op, urn string, list []Attribute, value any) (changes []Change, err error) {
	if op == "remove" || (op == "replace" && value == nil) {
		for _, a := range list {
			changes = append(changes, Change{Op: "remove", Path: Path{URN: urn, Attribute: a}})
		}
		return changes, nil
	}
	if value == nil { // nothing to add
		return nil, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, invalid(InvalidValue, "%s is not an object", urn)
	}
	for _, name := range sortedKeys(object) {
		path, err := s.ParsePath(urn + ":" + name)
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{op, path, bare(path, object[name])})
	}
	return changes, eachOnce(changes)
}

// bare takes a text or a truth out of what Entra's older dialect wraps it in:
// [{"$ref":null,"value":"False"}].
func bare(p Path, v any) any {
	if kind := p.target().Kind; kind == Complex || kind == ComplexList {
		return v
	}
	items, ok := v.([]any)
	if !ok || len(items) != 1 {
		return v
	}
	object, ok := items[0].(map[string]any)
	if !ok {
		return v
	}
	for name, other := range object {
		if name != "value" && other != nil {
			return v
		}
	}
	if inner, ok := object["value"]; ok {
		return inner
	}
	return v
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

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// maxEntries is our own choice. What is kept has its own bound, which comes too late for the
// operations of one PATCH: their filters look at each entry.
const maxEntries = 200 //bound:list values of an attribute while a SCIM PATCH changes it

func tooManyEntries(name string) error {
	return invalid(InvalidValue, "%s has more than %d values", name, maxEntries)
}

// Apply changes a normalized resource. The resource's maps and lists are changed in place. It fails
// with noTarget when there is nothing where the path points, and with invalidValue.
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
	switch {
	case c.Op == "add" && c.Value == nil: // there is nothing to add
		return nil
	case c.Path.Attribute.Kind != ComplexList:
		return c.applyToOne(target)
	case c.Path.Filter != nil || c.Path.Sub != "":
		return c.applyToEntries(target)
	}
	return c.applyToList(target)
}

// applyToOne changes an attribute that has one value.
func (c Change) applyToOne(target map[string]any) error {
	a := c.Path.Attribute
	object, isObject := target[a.Name].(map[string]any)
	if c.Path.Filter != nil && (!isObject || !matches(c.Path.Filter, object, a.Sub, nil)) {
		if c.Op == "remove" {
			return nil
		}
		return noTarget(c.Path)
	}
	if c.Path.Sub != "" {
		if !isObject {
			object = map[string]any{}
		}
		if err := c.setSub(object); err != nil {
			return err
		}
		target[a.Name] = object
		return nil
	}
	if c.Op == "remove" {
		delete(target, a.Name)
		return nil
	}
	value, err := c.normalized()
	if err != nil {
		return err
	}
	if more, ok := value.(map[string]any); ok { // what is not named stays (RFC 7644 §3.5.2.3)
		value = c.merged(object, more)
	}
	if value == nil {
		delete(target, a.Name)
	} else {
		target[a.Name] = value
	}
	return nil
}

func noTarget(p Path) error {
	return invalid(NoTarget, "%s has no value that meets the filter of the path", p.Attribute.Name)
}

// normalized is the value of a change of a whole attribute.
func (c Change) normalized() (any, error) {
	var n normalizer
	value, err := n.value(c.Path.Attribute, c.Value)
	if err == nil && len(n.unknown) > 0 {
		err = invalid(InvalidPath, "%q is not an attribute", n.unknown[0])
	}
	return value, err
}

// merged sets in an object what a value names, and takes away what it names as null.
func (c Change) merged(object, more map[string]any) map[string]any {
	out := maps.Clone(object)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, more)
	named, _ := c.Value.(map[string]any)
	for name, value := range named {
		if a, ok := findAttribute(c.Path.Attribute.Sub, name); ok && value == nil {
			delete(out, a.Name)
		}
	}
	return out
}

// setSub sets or removes the path's sub-attribute of one object.
func (c Change) setSub(object map[string]any) error {
	sub := c.Path.target()
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
