package scim

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/names"
)

// How a PATCH changes attributes with several values (RFC 7644 §3.5.2): which entry is the same as
// another one, which one is primary, and which may be made where there is none.

// applyToList changes the whole of an attribute with several values.
func (c Change) applyToList(target map[string]any) error {
	a := c.Path.Attribute
	if c.Value == nil { // a remove without a value, or a replace with null
		delete(target, a.Name)
		return nil
	}
	value, err := c.normalized()
	if err != nil {
		return err
	}
	entries, _ := value.([]any) // what normalizes a list
	if len(entries) > maxEntries {
		return tooManyEntries(a.Name)
	}
	old := Resource(target).List(a.Name)
	switch c.Op {
	case "add":
		if entries, err = a.added(old, entries); err != nil {
			return err
		}
	case "remove":
		if entries, err = a.without(old, entries); err != nil {
			return err
		}
	}
	return a.keep(target, entries)
}

// keep puts entries in their place, if they are not too many.
func (a Attribute) keep(target map[string]any, entries []any) error {
	if len(entries) > maxEntries {
		return tooManyEntries(a.Name)
	}
	if len(entries) == 0 {
		delete(target, a.Name)
	} else {
		target[a.Name] = entries
	}
	return nil
}

// added are the entries with more of them: one that is there already is not added again, and takes
// only what is new to it. Who is made primary takes that from the others.
func (a Attribute) added(entries, more []any) ([]any, error) {
	out, keys := slices.Clone(entries), a.keys(entries)
	var primary map[string]any
	for _, m := range more {
		entry, _ := m.(map[string]any)
		i := a.indexOf(out, keys, entry)
		if i < 0 {
			out, keys = append(out, entry), append(keys, a.key(entry))
		} else {
			there, _ := out[i].(map[string]any)
			for name, v := range entry {
				if name != "value" && (name != "type" || there["type"] == nil) {
					there[name] = v
				}
			}
			entry = there
		}
		if m, _ := m.(map[string]any); m["primary"] == true {
			if primary != nil {
				return nil, invalid(InvalidValue, "only one of %s can be primary", a.Name)
			}
			primary = entry
		}
	}
	handOver(out, primary)
	return out, nil
}

// without are the entries but for those that are listed.
func (a Attribute) without(entries, listed []any) ([]any, error) {
	out, keys := slices.Clone(entries), a.keys(entries)
	for _, l := range listed {
		entry, _ := l.(map[string]any)
		if len(entry) == 0 {
			return nil, invalid(InvalidValue, "a value of %s to remove is empty", a.Name)
		}
		for i := a.indexOf(out, keys, entry); i >= 0; i = a.indexOf(out, keys, entry) {
			out, keys = slices.Delete(out, i, i+1), slices.Delete(keys, i, i+1)
		}
	}
	return out, nil
}

// keys are what the entries are found by.
func (a Attribute) keys(entries []any) []string {
	keys := make([]string, len(entries))
	for i, e := range entries {
		entry, _ := e.(map[string]any)
		keys[i] = a.key(entry)
	}
	return keys
}

// key is an entry's value in the form that is compared; "" where it has none.
func (a Attribute) key(entry map[string]any) string {
	text, _ := entry["value"].(string)
	if value, _ := findAttribute(a.Sub, "value"); !value.CaseExact {
		return names.Fold(text)
	}
	return text
}

// indexOf finds an entry among others with these keys; -1 when it is not there. It is the same when
// the value is, and the type where both have one. Entries without a value, such as addresses, are
// the same when all is but primary.
func (a Attribute) indexOf(entries []any, keys []string, entry map[string]any) int {
	key := a.key(entry)
	for i, other := range keys {
		if other != key {
			continue
		}
		there, _ := entries[i].(map[string]any)
		if key != "" && sameText(there, entry, "type") {
			return i
		}
		if key == "" && !slices.ContainsFunc(a.Sub, func(sub Attribute) bool {
			return sub.Name != "primary" && Resource(there).String(sub.Name) != Resource(entry).String(sub.Name)
		}) {
			return i
		}
	}
	return -1
}

// sameText says whether two entries do not differ in a text that both have.
func sameText(a, b Resource, name string) bool {
	x, y := a.String(name), b.String(name)
	return x == "" || y == "" || names.Equal(x, y)
}

// handOver takes primary from all entries but one; nil: from none (RFC 7644 §3.5.2).
func handOver(entries []any, primary map[string]any) {
	if primary == nil {
		return
	}
	for _, e := range entries {
		if entry, ok := e.(map[string]any); ok && entry["primary"] == true {
			entry["primary"] = false
		}
	}
	primary["primary"] = true
}

// applyToEntries changes the entries that the path's filter selects, or one sub-attribute of each.
func (c Change) applyToEntries(target map[string]any) error {
	a := c.Path.Attribute
	var kept []any
	var changed []map[string]any
	for _, e := range Resource(target).List(a.Name) {
		entry, ok := e.(map[string]any)
		if !ok || (c.Path.Filter != nil && !matches(c.Path.Filter, entry, a.Sub, nil)) {
			kept = append(kept, e)
			continue
		}
		changed = append(changed, entry)
		if c.Op == "remove" && c.Path.Sub == "" {
			continue
		}
		if err := c.changeEntry(entry); err != nil {
			return err
		}
		if !c.emptied(entry) {
			kept = append(kept, entry)
		}
	}
	if len(changed) == 0 && c.Op != "remove" {
		entry := map[string]any{}
		if !c.creates(entry) {
			return noTarget(c.Path)
		}
		if err := c.changeEntry(entry); err != nil {
			return err
		}
		if !c.emptied(entry) {
			kept, changed = append(kept, entry), append(changed, entry)
		}
	}
	if len(changed) == 1 && changed[0]["primary"] == true {
		handOver(kept, changed[0])
	}
	return a.keep(target, kept)
}

func (c Change) changeEntry(entry map[string]any) error {
	if c.Path.Sub != "" {
		return c.setSub(entry)
	}
	var n normalizer
	value, err := n.complexValue(c.Path.Attribute, c.Value)
	if err == nil && len(n.unknown) > 0 {
		err = invalid(InvalidPath, "%q is not an attribute", n.unknown[0])
	}
	if err != nil {
		return err
	}
	for k, v := range value.(map[string]any) {
		entry[k] = v
	}
	return nil
}

// emptied says whether a change of a sub-attribute has left nothing in an entry that would have a
// sense: no value, or in an address nothing but its kind.
func (c Change) emptied(entry map[string]any) bool {
	if v, there := entry[c.Path.Sub]; c.Path.Sub == "" || there && v != "" {
		return false
	}
	if _, ok := findAttribute(c.Path.Attribute.Sub, "value"); ok {
		return c.Path.Sub == "value" && Resource(entry).String("value") == ""
	}
	for name, v := range entry {
		if name != "type" && name != "primary" && v != "" {
			return false
		}
	}
	return true
}

// creates fills an entry that is made because there is none that the path's filter selects. Entra
// counts on that for the filters that it writes itself: type eq "work" for any change, and primary
// eq "True" to add. Any other filter has no target (RFC 7644 §3.5.2.3).
func (c Change) creates(entry map[string]any) bool {
	if c.Path.Filter == nil || !fill(c.Path, c.Path.Filter, entry) {
		return false
	}
	_, typed := entry["type"]
	return typed || c.Op == "add" && entry["primary"] == true
}

// fill sets what a filter asks for; ok is false when that is more than a type and whether the entry
// is primary.
func fill(p Path, f Filter, entry map[string]any) (ok bool) {
	switch f := f.(type) {
	case And:
		return fill(p, f.Left, entry) && fill(p, f.Right, entry)
	case Compare:
		a, ok := findAttribute(p.Attribute.Sub, f.Attribute)
		if !ok || f.Op != "eq" || f.Value == nil || (a.Name != "type" && a.Name != "primary") {
			return false
		}
		v, err := new(normalizer).value(a, f.Value)
		if _, twice := entry[a.Name]; err != nil || twice {
			return false
		}
		entry[a.Name] = v
		return true
	}
	return false
}
