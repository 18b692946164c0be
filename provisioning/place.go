package provisioning

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// place is where the target of a mapping is in a resource: [URN:]attribute[conditions].sub.
type place struct {
	urn       string // of an extension; empty: the core schema
	attribute string
	entry     []condition // what is true of an entry of a list; none: it is no list
	sub       string      // empty: the attribute itself
}

// condition is an equality of a filter. The value is a text or a truth.
type condition struct {
	name  string
	value any
}

// primaryName is the sub-attribute of which one entry of a list is true (RFC 7643 §2.4).
const primaryName = "primary"

// placeOf reads the path of a mapping's target. It fails for one in which nothing can be made, such
// as a list's entry that is said not to be something.
func placeOf(path string) (place, error) {
	head, rest, isList := strings.Cut(path, "[")
	p := place{attribute: head}
	if i := strings.LastIndexByte(head, ':'); i >= 0 && strings.HasPrefix(head, "urn:") {
		p.urn, p.attribute = head[:i], head[i+1:] // the dots before the last colon belong to a version
	}
	if p.urn == scim.UserURN || p.urn == scim.GroupURN {
		p.urn = ""
	}
	if !isList {
		p.attribute, p.sub, _ = strings.Cut(p.attribute, ".")
		return p, nil
	}
	end := strings.LastIndexByte(rest, ']')
	if end < 0 {
		return p, fmt.Errorf("the target attribute %q has no closing bracket", path)
	}
	if p.sub = strings.TrimPrefix(rest[end+1:], "."); p.sub == "" {
		p.sub = "value"
	}
	filter := rest[:end]
	if kind, ok := strings.CutPrefix(filter, `type eq "`); ok && strings.IndexAny(kind, `"\`) == len(kind)-1 {
		p.entry = []condition{{"type", kind[:len(kind)-1]}} // nearly all are so
		return p, nil
	}
	f, err := scim.ParseFilter(filter)
	if err == nil {
		p.entry, err = conditions(f)
	}
	if err != nil {
		return p, fmt.Errorf("the target attribute %q: %w", path, err)
	}
	return p, nil
}

// conditions are the equalities that a filter joins.
func conditions(f scim.Filter) ([]condition, error) {
	switch f := f.(type) {
	case scim.And:
		left, err := conditions(f.Left)
		if err != nil {
			return nil, err
		}
		right, err := conditions(f.Right)
		return append(left, right...), err
	case scim.Compare:
		if f.Op != "eq" || f.Value == nil {
			break
		}
		if strings.EqualFold(f.Attribute, primaryName) { // Entra writes "True"
			if b, ok := scim.Bool(f.Value); ok {
				return []condition{{primaryName, b}}, nil
			}
		}
		return []condition{{f.Attribute, f.Value}}, nil
	}
	return nil, errors.New(`an entry is found by equalities only, such as [type eq "work"]`)
}

// list is the path of the attribute, without what is said of an entry.
func (p place) list() string {
	if p.urn != "" {
		return p.urn + ":" + p.attribute
	}
	return p.attribute
}

// entryPath is the path of a list's entry as RFC 7644 writes it.
func (p place) entryPath() string {
	parts := make([]string, len(p.entry))
	for i, c := range p.entry {
		switch v := c.value.(type) {
		case bool:
			parts[i] = c.name + " eq " + strconv.FormatBool(v)
		default:
			parts[i] = c.name + " eq " + scim.Quote(fmt.Sprint(v))
		}
	}
	return p.list() + "[" + strings.Join(parts, " and ") + "]"
}

// same says whether two places are in the same entry of a list.
func (p place) same(other place) bool {
	return len(p.entry) > 0 && len(other.entry) > 0 && p.entryPath() == other.entryPath()
}

// is says whether an entry of a list is the place's.
func (p place) is(entry map[string]any) bool {
	for _, c := range p.entry {
		switch want := c.value.(type) {
		case bool:
			if have, _ := scim.Bool(entry[c.name]); have != want {
				return false
			}
		default:
			if !strings.EqualFold(text(entry[c.name]), fmt.Sprint(want)) {
				return false
			}
		}
	}
	return true
}

// put sets the value of the place in a resource.
func (p place) put(r scim.Resource, value any) {
	object := map[string]any(r)
	if p.urn != "" {
		object = inside(object, p.urn)
	}
	switch {
	case len(p.entry) > 0:
		p.entryIn(object)[p.sub] = value
	case p.sub != "":
		inside(object, p.attribute)[p.sub] = value
	default:
		object[p.attribute] = value
	}
}

// remove takes the value of the place out of a resource. An entry of a list without a value is no
// entry.
func (p place) remove(r scim.Resource) {
	object := map[string]any(r)
	if p.urn != "" {
		object = inside(object, p.urn)
	}
	switch {
	case len(p.entry) > 0:
		list := slices.DeleteFunc(scim.Resource(object).List(p.attribute), func(e any) bool {
			m, ok := e.(map[string]any)
			if !ok || !p.is(m) {
				return false
			}
			delete(m, p.sub)
			return p.sub == "value"
		})
		object[p.attribute] = list
	case p.sub != "":
		delete(inside(object, p.attribute), p.sub)
	default:
		delete(object, p.attribute)
	}
}

func inside(object map[string]any, name string) map[string]any {
	m, ok := object[name].(map[string]any)
	if !ok {
		m = map[string]any{}
		object[name] = m
	}
	return m
}

// entryIn finds or makes the place's entry in the list of an object.
func (p place) entryIn(object map[string]any) map[string]any {
	entries, _ := object[p.attribute].([]any)
	for _, e := range entries {
		if m, ok := e.(map[string]any); ok && p.is(m) {
			return m
		}
	}
	made := p.newEntry()
	object[p.attribute] = append(entries, any(made))
	return made
}

// newEntry is an entry with nothing but what is true of it.
func (p place) newEntry() map[string]any {
	made := map[string]any{}
	for _, c := range p.entry {
		made[c.name] = c.value
	}
	return made
}

// Resource is an object with attributes, by their paths, as SCIM has it.
func Resource(kind Kind, attributes map[string]string) scim.Resource {
	return resource(kind, attributes)
}

// Apply makes the change in a resource. Where oneValue is true, a new entry of a list takes the
// place of all others.
func (c Change) Apply(r scim.Resource, oneValue bool) {
	p, err := placeOf(c.Path)
	switch {
	case err != nil: // Compile refuses it
	case c.New == "":
		p.remove(r)
	case mapping.RolesTarget(c.Path):
		applyRoles(r, c.New)
	default:
		before := len(r.List(p.attribute))
		p.put(r, typed(c.Path, c.New))
		if list := r.List(p.attribute); oneValue && len(p.entry) > 0 && len(list) > before {
			r[p.attribute] = list[len(list)-1:]
			p.makePrimary(r)
		}
	}
}

// resource builds the body of a creation from paths: name.givenName, emails[type eq "work"].value,
// roles[primary eq "True"].value, URN:department. Paths that cannot be read are not among them:
// Compile refuses them.
func resource(kind Kind, attributes map[string]string) scim.Resource {
	r := scim.Resource{"meta": map[string]any{"resourceType": string(kind)}}
	schemas := []string{scim.GroupURN}
	if kind == User {
		schemas = []string{scim.UserURN, scim.EnterpriseURN}
	}
	lists := map[*place]bool{}
	seen := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(attributes)) { // or the order of entries were chance
		p, err := placeOf(path)
		if err != nil {
			continue
		}
		p.put(r, typed(path, attributes[path]))
		if p.urn != "" && !slices.Contains(schemas, p.urn) {
			schemas = append(schemas, p.urn)
		}
		if len(p.entry) > 0 && !seen[p.list()] {
			seen[p.list()] = true
			lists[&p] = true
		}
	}
	for p := range lists {
		p.choosePrimary(r)
	}
	r["schemas"] = schemas
	return r
}

// choosePrimary makes one entry of a new resource's list the primary one: where the mapping does
// not say which, that of type work, and else the first by path.
func (p place) choosePrimary(r scim.Resource) {
	object := map[string]any(r)
	if p.urn != "" {
		object = inside(object, p.urn)
	}
	var first, work map[string]any
	for _, e := range scim.Resource(object).List(p.attribute) {
		m, ok := e.(map[string]any)
		if _, said := m[primaryName]; said || !ok {
			return
		}
		if first == nil {
			first = m
		}
		if work == nil && m["type"] == "work" {
			work = m
		}
	}
	if work == nil {
		work = first
	}
	work[primaryName] = true
}

// valueAt reads what a target's resource has at a path, the reverse of resource; "" for nothing.
func valueAt(r scim.Resource, path string) string {
	p, err := placeOf(path)
	if err != nil {
		return ""
	}
	if mapping.RolesTarget(path) {
		return rolesThere(r)
	}
	if p.urn != "" {
		r = r.Object(p.urn)
	}
	switch {
	case len(p.entry) > 0:
		for _, e := range r.List(p.attribute) {
			if m, ok := e.(map[string]any); ok && p.is(m) {
				return text(m[p.sub])
			}
		}
		return ""
	case p.sub != "":
		return text(r.Object(p.attribute)[p.sub])
	}
	return text(r[p.attribute])
}

// text is a value as it is compared: truths as Entra writes them, and references by their value.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case map[string]any:
		return text(v["value"])
	}
	return ""
}

// typed makes a truth of what is one.
func typed(path, value string) any {
	if path == activePath || strings.HasSuffix(path, "."+primaryName) {
		if b, ok := scim.Bool(value); ok {
			return b
		}
	}
	if mapping.RolesTarget(path) {
		return roleEntries(value)
	}
	return value
}
