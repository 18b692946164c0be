package provisioning

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// Dialect is how a PATCH is written. Sources: "Known issues and resolutions with SCIM 2.0 protocol
// compliance"; the SCIM pages of IAM Identity Center.
type Dialect uint8

const (
	// Entra is what Entra ID sends by default: capitalised operations, one attribute each, "False"
	// as text, members as lists.
	Entra Dialect = iota
	// Compliant is what it sends with the flag aadOptscim062020 in the tenant URL: what has no
	// filter in its path goes into one operation without a path.
	Compliant
	// AWS is what IAM Identity Center documents: one attribute each, since it refuses several
	// without a path, truths as such, members as lists.
	AWS
	// Plain is RFC 7644 at its plainest, for any other service: one attribute each, and members
	// removed by a filter, since a list must not be relied on there.
	Plain
)

// Probe finds the dialect for a service that is not known, by what it says of itself.
func Probe(ctx context.Context, target *scim.Client) (Dialect, error) {
	var config scim.Resource
	err := target.Do(ctx, http.MethodGet, "/ServiceProviderConfig", nil, nil, &config)
	if p := new(scim.Problem); errors.As(err, &p) && (refuses(err) || p.Status/100 == 2) {
		return Plain, nil // it does not say
	}
	if err != nil {
		return Plain, credentials(err)
	}
	if strings.Contains(config.String("documentationUri"), awsDocs) {
		return AWS, nil
	}
	return Plain, nil
}

// flag switches the dialect in the query string of a tenant URL.
const flag = "aadOptscim062020"

// DialectOf reads the flag in the query of a tenant URL.
func DialectOf(tenantURL string) Dialect {
	if u, err := url.Parse(tenantURL); err == nil &&
		strings.Contains(strings.ToLower(u.RawQuery), strings.ToLower(flag)) {
		return Compliant
	}
	return Entra
}

func operation(op, path string, value any) scim.Operation {
	data, _ := json.Marshal(value, json.Deterministic(true)) // texts, truths and lists of them always encode
	return scim.Operation{Op: op, Path: path, Value: data}
}

// patch writes changes of attributes of an object that had some before.
func (d Dialect) patch(changes []Change, had map[string]string) (ops []scim.Operation) {
	switch d {
	case Compliant:
		return compliant(changes)
	case Plain:
		return plain(changes, had)
	}
	for _, c := range changes {
		if mapping.RolesTarget(c.Path) {
			ops = append(ops, d.roles(c))
			continue
		}
		op := "Replace"
		path, value := c.Path, any(c.New)
		if d != Entra {
			path, value = standard(c.Path), typed(c.Path, c.New)
		}
		switch {
		case c.New == "":
			ops = append(ops, scim.Operation{Op: d.spelled("Remove"), Path: removable(path)})
			continue
		case c.Old == "":
			op = "Add"
		}
		ops = append(ops, operation(d.spelled(op), path, value))
	}
	return ops
}

// plain writes changes as any service takes them. One that makes an entry of a list adds the entry
// whole: what a path with a filter does that finds nothing, RFC 7644 leaves open. An entry of which
// nothing is left is removed whole.
func plain(changes []Change, had map[string]string) (ops []scim.Operation) {
	has := maps.Clone(had)
	if has == nil {
		has = map[string]string{}
	}
	for _, c := range changes {
		has[c.Path] = c.New
	}
	done := map[string]bool{}
	for _, c := range changes {
		p, err := placeOf(c.Path)
		switch {
		case err != nil: // Compile refuses it
		case mapping.RolesTarget(c.Path):
			ops = append(ops, Plain.roles(c))
		case len(p.entry) == 0 && c.New == "":
			ops = append(ops, scim.Operation{Op: "remove", Path: c.Path})
		case len(p.entry) == 0:
			ops = append(ops, operation(addOrReplace(c), c.Path, complete(c.Path, c.New)))
		case done[p.entryPath()]: // whole, with another change
		case !p.any(had):
			done[p.entryPath()] = true
			entry := p.whole(has)
			if len(p.entries(had)) == 0 && p.first(has) {
				entry[primaryName] = true
			}
			ops = append(ops, operation("add", p.list(), []any{entry}))
		case !p.any(has):
			done[p.entryPath()] = true
			ops = append(ops, scim.Operation{Op: "remove", Path: p.entryPath()})
		case c.New == "":
			ops = append(ops, scim.Operation{Op: "remove", Path: p.entryPath() + "." + p.sub})
		default:
			ops = append(ops, operation(addOrReplace(c), p.entryPath()+"."+p.sub, typed(c.Path, c.New)))
		}
	}
	return ops
}

func addOrReplace(c Change) string {
	if c.Old == "" {
		return "add"
	}
	return "replace"
}

// any says whether an object has something in the place's entry.
func (p place) any(attributes map[string]string) bool {
	for path, value := range attributes {
		if other, err := placeOf(path); err == nil && value != "" && p.same(other) {
			return true
		}
	}
	return false
}

// entries are the places in the place's list where an object has something, by path.
func (p place) entries(attributes map[string]string) (list []place) {
	for _, path := range slices.Sorted(maps.Keys(attributes)) {
		other, err := placeOf(path)
		if err == nil && attributes[path] != "" && len(other.entry) > 0 && other.list() == p.list() {
			list = append(list, other)
		}
	}
	return list
}

// first says whether the place's entry is the primary one of a new list, by the rule of
// choosePrimary.
func (p place) first(attributes map[string]string) bool {
	list := p.entries(attributes)
	names := func(c condition) bool { return c.name == primaryName }
	said := func(e place) bool { return e.sub == primaryName || slices.ContainsFunc(e.entry, names) }
	isWork := func(e place) bool { return slices.Contains(e.entry, condition{"type", "work"}) }
	switch i := slices.IndexFunc(list, isWork); {
	case slices.ContainsFunc(list, said):
		return false
	case i >= 0:
		return p.same(list[i])
	}
	return p.same(list[0])
}

// whole is the place's entry with all that an object has in it.
func (p place) whole(attributes map[string]string) map[string]any {
	entry := p.newEntry()
	for path, value := range attributes {
		if other, err := placeOf(path); err == nil && value != "" && p.same(other) {
			entry[other.sub] = typed(path, value)
		}
	}
	return entry
}

// complete is the value of an attribute that is no list. A manager is a reference, which is complex
// (RFC 7643 §4.3); AWS and Entra's own dialect take and send the bare id.
func complete(path, value string) any {
	if path == managerPath {
		return map[string]string{"value": value}
	}
	return typed(path, value)
}

// spelled writes an operation as the dialect does.
func (d Dialect) spelled(op string) string {
	if d == Entra {
		return op
	}
	return strings.ToLower(op)
}

// compliant puts what has no filter in its path into one operation without a path, whose keys are
// dotted.
func compliant(changes []Change) (ops []scim.Operation) {
	together := map[string]any{}
	for _, c := range changes {
		switch {
		case mapping.RolesTarget(c.Path):
			ops = append(ops, Compliant.roles(c))
		case c.New == "":
			ops = append(ops, scim.Operation{Op: "remove", Path: removable(standard(c.Path))})
		case strings.Contains(c.Path, "["):
			ops = append(ops, operation(addOrReplace(c), standard(c.Path), typed(c.Path, c.New)))
		default:
			together[c.Path] = complete(c.Path, c.New)
		}
	}
	switch {
	case len(together) == 1 && len(changes) == 1: // as for one who is disabled
		return []scim.Operation{operation("replace", changes[0].Path, complete(changes[0].Path, changes[0].New))}
	case len(together) > 0:
		ops = append(ops, operation("replace", "", together))
	}
	return ops
}

// standard is a path as RFC 7644 writes it, with truths that are none in Entra's words.
func standard(path string) string {
	p, err := placeOf(path)
	if err != nil || len(p.entry) == 0 {
		return path
	}
	return p.entryPath() + "." + p.sub
}

// members writes a change of a group's members.
func (d Dialect) members(op string, ids []string) (ops []scim.Operation) {
	if (d == Compliant || d == Plain) && op == "Remove" {
		for _, id := range ids {
			ops = append(ops, scim.Operation{Op: "remove", Path: "members[value eq " + scim.Quote(id) + "]"})
		}
		return ops
	}
	values := make([]map[string]string, len(ids))
	for i, id := range ids {
		values[i] = map[string]string{"value": id}
	}
	return []scim.Operation{operation(d.spelled(op), membersPath, values)}
}

// removable is the path to remove: for the value of a list's entry the whole entry, since one
// without a value makes no sense.
func removable(path string) string {
	if entry, ok := strings.CutSuffix(path, "].value"); ok {
		return entry + "]"
	}
	return path
}
