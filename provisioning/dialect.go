package provisioning

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

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
	if p := new(scim.Problem); errors.As(err, &p) && p.Status != http.StatusUnauthorized &&
		p.Status != http.StatusForbidden {
		return Plain, nil // it does not say
	}
	if err != nil {
		return Plain, credentials(err)
	}
	if strings.Contains(config.String("documentationUri"), "aws.amazon.com") {
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
	data, _ := json.Marshal(value) // texts, truths and lists of them always encode
	return scim.Operation{Op: op, Path: path, Value: data}
}

// patch writes changes of attributes.
func (d Dialect) patch(changes []Change) (ops []scim.Operation) {
	if d == Compliant {
		return compliant(changes)
	}
	for _, c := range changes {
		op, value := "Replace", any(c.New)
		switch {
		case c.New == "":
			ops = append(ops, scim.Operation{Op: d.spelled("Remove"), Path: removable(c.Path)})
			continue
		case c.Old == "":
			op = "Add"
		}
		if d != Entra {
			value = typed(c.Path, c.New)
		}
		ops = append(ops, operation(d.spelled(op), c.Path, value))
	}
	return ops
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
		case c.New == "":
			ops = append(ops, scim.Operation{Op: "remove", Path: removable(c.Path)})
		case strings.Contains(c.Path, "["):
			op := "replace"
			if c.Old == "" {
				op = "add"
			}
			ops = append(ops, operation(op, c.Path, typed(c.Path, c.New)))
		default:
			together[c.Path] = typed(c.Path, c.New)
		}
	}
	switch {
	case len(together) == 1 && len(changes) == 1: // as for one who is disabled
		return []scim.Operation{operation("replace", changes[0].Path, typed(changes[0].Path, changes[0].New))}
	case len(together) > 0:
		ops = append(ops, operation("replace", "", together))
	}
	return ops
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

// typed makes a truth of what is one.
func typed(path, value string) any {
	if path == activePath {
		if b, ok := scim.Bool(value); ok {
			return b
		}
	}
	return value
}

// removable is the path to remove: for the value of a list's entry the whole entry, since one
// without a value makes no sense.
func removable(path string) string {
	if entry, ok := strings.CutSuffix(path, "].value"); ok {
		return entry + "]"
	}
	return path
}

// extension splits the path of an extension's attribute at its last colon: the dots before it
// belong to a version.
func extension(path string) (urn, attribute string, ok bool) {
	i := strings.LastIndexByte(path, ':')
	if !strings.HasPrefix(path, "urn:") || i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// resource builds the body of a creation from paths: name.givenName, emails[type eq "work"].value,
// URN:department.
func resource(kind Kind, attributes map[string]string) scim.Resource {
	schemas := []string{scim.GroupURN}
	if kind == User {
		schemas = []string{scim.UserURN, scim.EnterpriseURN}
	}
	r := scim.Resource{"schemas": schemas, "meta": map[string]any{"resourceType": string(kind)}}
	for path, value := range attributes {
		list, rest, isList := strings.Cut(path, `[type eq "`)
		object, sub, isSub := strings.Cut(path, ".")
		urn, extended, isExtension := extension(path)
		switch {
		case isExtension:
			set(r, urn, extended, value)
		case isList:
			kind, attribute, _ := strings.Cut(rest, `"].`)
			set(entry(r, list, kind), attribute, "", value)
		case isSub:
			set(r, object, sub, value)
		default:
			r[path] = typed(path, value)
		}
	}
	return r
}

// entry finds or makes the entry of a type in a list. The first one is the primary one.
func entry(r scim.Resource, list, kind string) scim.Resource {
	entries, _ := r[list].([]any)
	for _, e := range entries {
		if m, ok := e.(map[string]any); ok && m["type"] == kind {
			return m
		}
	}
	made := map[string]any{"type": kind}
	if len(entries) == 0 {
		made["primary"] = true
	}
	r[list] = append(entries, any(made))
	return made
}

func set(r scim.Resource, object, sub, value string) {
	if sub == "" {
		r[object] = value
		return
	}
	m, ok := r[object].(map[string]any)
	if !ok {
		m = map[string]any{}
		r[object] = m
	}
	m[sub] = value
}

// valueAt reads what a target's resource has at a path, the reverse of resource; "" for nothing.
func valueAt(r scim.Resource, path string) string {
	if urn, attribute, ok := extension(path); ok {
		return text(r.Object(urn)[attribute])
	}
	if list, rest, ok := strings.Cut(path, `[type eq "`); ok {
		kind, attribute, _ := strings.Cut(rest, `"].`)
		for _, e := range r.List(list) {
			if m, ok := e.(map[string]any); ok && strings.EqualFold(scim.Resource(m).String("type"), kind) {
				return text(m[attribute])
			}
		}
		return ""
	}
	if object, sub, ok := strings.Cut(path, "."); ok {
		return text(r.Object(object)[sub])
	}
	return text(r[path])
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
	case map[string]any:
		return text(v["value"])
	}
	return ""
}
