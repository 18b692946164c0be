package provisioning

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// A list of roles is the one attribute that is sent as a whole list. Its value is a JSON array:
// roles as the directory has them (id, value, displayName) are added to those that the target has,
// and entries (display, primary, type, value) replace them. Source: "Customizing user provisioning
// attribute-mappings", AppRoleAssignmentsComplex and AssertiveAppRoleAssignmentsComplex.

// rolesName is the attribute that the list is in.
const rolesName = "roles"

// listedRole is a role of either form.
type listedRole struct {
	ID          string `json:"id"`
	Value       string `json:"value"`
	Display     string `json:"display"`
	DisplayName string `json:"displayName"`
}

// roleList reads the value of a list of roles. added says that they are added only.
func roleList(value string) (list []listedRole, added bool) {
	if json.Unmarshal([]byte(value), &list) != nil { // only mappings make such values
		return nil, false
	}
	for i := range list {
		if name := list[i].DisplayName; name != "" {
			added, list[i].Display = true, name
		}
	}
	return list, added
}

// roleEntries are roles as entries of a resource.
func roleEntries(value string) (entries []any) {
	list, _ := roleList(value)
	for _, r := range list {
		e := mapping.Role{Value: r.Value, DisplayName: r.Display}.Entry()
		m := map[string]any{primaryName: e.Primary, "type": e.Type, "value": e.Value}
		if e.Display != "" {
			m["display"] = e.Display
		}
		entries = append(entries, m)
	}
	return entries
}

// rolesThere is the list that a resource has, as a value that replaces; "" for an empty one. What
// Entra's own way to add roles has put into a value is taken out of it.
func rolesThere(r scim.Resource) string {
	var list []mapping.RoleEntry
	for _, e := range r.List(rolesName) {
		m, _ := e.(map[string]any)
		var role mapping.Role
		name := text(e)
		if strings.HasPrefix(name, "{") && json.Unmarshal([]byte(name), &role) == nil && role.Value != "" {
			list = append(list, role.Entry())
			continue
		}
		if name != "" {
			list = append(list, mapping.Role{Value: name, DisplayName: text(m["display"])}.Entry())
		}
	}
	if len(list) == 0 {
		return ""
	}
	slices.SortFunc(list, func(a, b mapping.RoleEntry) int { return strings.Compare(a.Value, b.Value) })
	data, _ := json.Marshal(list) // texts and truths always encode
	return string(data)
}

// sameRoles says whether nothing is to be sent to make one list of another. What a target does not
// tell of a role's display name is no difference.
func sameRoles(had, wanted string) bool {
	has, _ := roleList(had)
	want, added := roleList(wanted)
	for _, w := range want {
		if !slices.ContainsFunc(has, func(h listedRole) bool {
			return h.Value == w.Value && (h.Display == w.Display || h.Display == "" || w.Display == "")
		}) {
			return false
		}
	}
	return added || len(has) == len(want)
}

// withRoles is what a target has after roles were added to some.
func withRoles(had, added string) string {
	has, _ := roleList(had)
	list, _ := roleList(added)
	for _, h := range has {
		if !slices.ContainsFunc(list, func(r listedRole) bool { return r.Value == h.Value }) {
			list = append(list, h)
		}
	}
	out := make([]mapping.Role, len(list))
	for i, r := range list {
		out[i] = mapping.Role{ID: r.ID, Value: r.Value, DisplayName: r.Display}
		if r.Display == "" {
			out[i].DisplayName = r.Value
		}
	}
	slices.SortFunc(out, func(a, b mapping.Role) int { return strings.Compare(a.Value+a.ID, b.Value+b.ID) })
	data, _ := json.Marshal(out) // texts always encode
	return string(data)
}

// applyRoles changes the roles of a resource.
func applyRoles(r scim.Resource, value string) {
	_, added := roleList(value)
	entries := roleEntries(value)
	if added {
		for _, e := range r.List(rolesName) {
			if !slices.ContainsFunc(entries, func(n any) bool { return text(n) == text(e) }) {
				entries = append(entries, e)
			}
		}
	}
	if r[rolesName] = entries; len(entries) == 0 {
		delete(r, rolesName)
	}
}

// roles writes a change of a list of roles. Entra's own way to add some puts what the directory has
// of each into a text. Source of its forms: the examples of the same page.
func (d Dialect) roles(c Change) scim.Operation {
	list, added := roleList(c.New)
	switch {
	case c.New == "":
		return scim.Operation{Op: d.spelled("Remove"), Path: rolesName}
	case added && d == Entra:
		values := make([]any, len(list))
		for i, r := range list {
			values[i] = map[string]any{
				"value": mapping.Role{ID: r.ID, Value: r.Value, DisplayName: r.Display}.Text(),
			}
		}
		return operation("Add", rolesName, values)
	case added:
		return operation("add", rolesName, d.spelledRoles(c.New))
	}
	return operation(d.spelled("Replace"), rolesName, d.spelledRoles(c.New))
}

// spelledRoles are entries of roles as the dialect has them: AWS has no display names, Entra's own
// dialects call them otherwise where roles are added, and some services refuse Entra's type.
func (d Dialect) spelledRoles(value string) []any {
	_, added := roleList(value)
	entries := roleEntries(value)
	for _, e := range entries {
		m, _ := e.(map[string]any)
		switch name, has := m["display"]; {
		case d == Plain:
			delete(m, "type")
			delete(m, primaryName)
		case d == AWS:
			delete(m, "display")
		case has && added:
			delete(m, "display")
			m["displayName"] = name
		}
	}
	return entries
}
