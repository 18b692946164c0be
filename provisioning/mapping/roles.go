package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// The functions that give all app roles of a user, and the attribute that they take. Source:
// "Customizing user provisioning attribute-mappings", provisioning a role to a SCIM app.
const (
	addRoles    = "AppRoleAssignmentsComplex"          // adds roles, and takes none away
	assertRoles = "AssertiveAppRoleAssignmentsComplex" // replaces all roles
	assignments = "appRoleAssignments"
)

// Role is an app role that a user is assigned, as [appRoleAssignments] has it: one JSON text each.
type Role struct {
	ID          string `json:"id"`
	Value       string `json:"value"`
	DisplayName string `json:"displayName"`
}

// Text is the role as a text of [appRoleAssignments].
func (r Role) Text() string {
	text, _ := json.Marshal(r) // texts always encode
	return string(text)
}

// name is what a target calls a role: its value, or what people call it where it has none.
func (r Role) name() string {
	if r.Value != "" {
		return r.Value
	}
	return r.DisplayName
}

// readRole reads a text of [appRoleAssignments]; one that is no JSON is the name of a role, as
// whoever tries an expression types it.
func readRole(text string) (r Role) {
	if json.Unmarshal([]byte(text), &r) != nil {
		r = Role{Value: text, DisplayName: text}
	}
	return r
}

// RoleEntry is an entry of a target's roles. Source: the examples of the same page.
type RoleEntry struct {
	Primary bool   `json:"primary"`
	Type    string `json:"type"`
	Display string `json:"display"`
	Value   string `json:"value"`
}

// roleType is the type of all of them.
const roleType = "WindowsAzureActiveDirectoryRole"

// Entry is the role as an entry of a target's roles.
func (r Role) Entry() RoleEntry {
	return RoleEntry{Type: roleType, Display: r.DisplayName, Value: r.name()}
}

func roles(a arguments) (list []Role, err error) {
	v, err := a.value(0)
	for _, text := range v {
		if r := readRole(text); r.name() != "" { // the default access is no role
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(x, y Role) int { return strings.Compare(x.name()+x.ID, y.name()+y.ID) })
	return slices.Compact(list), err
}

// rolesToAdd gives them as the directory has them, since the way to add them is made of that.
func rolesToAdd(a arguments) (out Value, err error) {
	list, err := roles(a)
	for _, r := range list {
		r.Value = r.name()
		out = append(out, r.Text())
	}
	return out, err
}

func rolesToAssert(a arguments) (out Value, err error) {
	list, err := roles(a)
	for _, r := range list {
		text, err := json.Marshal(r.Entry())
		if err != nil {
			return nil, err
		}
		out = append(out, string(text))
	}
	return out, err
}

// singleRole is the name of the one role that a user has.
func singleRole(a arguments) (Value, error) {
	v, err := a.value(0)
	switch {
	case err != nil || len(v) == 0:
		return nil, err
	case len(v) > 1:
		return nil, fmt.Errorf("the user has %d app roles; at most one is allowed", len(v))
	}
	return One(readRole(v[0]).name()), nil
}

// rolesOf says whether an expression gives all roles.
func rolesOf(n node) bool {
	c, ok := n.(call)
	return ok && (c.name == addRoles || c.name == assertRoles)
}

// list is a list of roles as the value of a target's attribute: a JSON array.
func (v Value) list() string {
	if len(v) == 0 {
		return ""
	}
	return "[" + strings.Join(v, ",") + "]"
}

// checkAlone refuses what only stands alone inside of another function.
func checkAlone(n node) error {
	switch n := n.(type) {
	case comparison:
		return errors.Join(alone(n.left), alone(n.right))
	case call:
		for _, a := range n.arguments {
			if err := alone(a); err != nil {
				return err
			}
		}
	}
	return nil
}

func alone(n node) error {
	if c, ok := n.(call); ok && (rolesOf(n) || c.name == selectUnique) {
		return fmt.Errorf("%s cannot be nested: it must be the whole expression", c.name)
	}
	return checkAlone(n)
}

// checkRoles wants the roles of the directory, and nothing else.
func checkRoles(c call) error {
	if c.arguments[0] != attribute(assignments) {
		return fmt.Errorf("it takes [%s] only", assignments)
	}
	return nil
}

// RolesTarget says whether a target's attribute is the list of all roles.
func RolesTarget(target string) bool {
	return target == "roles" || target == coreUserURN+":roles"
}

// placeProblem refuses functions where their values cannot be sent, and mappings beside them.
func (o Object) placeProblem(a Attribute) string {
	n, err := parse(a.Expression)
	if err != nil {
		return "" // which is a problem of its own
	}
	c, _ := n.(call)
	switch whole := o.Source == "User" && RolesTarget(a.Target); {
	case rolesOf(n) && !whole:
		return fmt.Sprintf("%s: %s gives a list of roles: map it to roles", a.Target, c.name)
	case whole && !rolesOf(n):
		return a.Target + ": this is a list of roles: map it by " + assertRoles + "([" + assignments + "]), or map " +
			`SingleAppRoleAssignment([` + assignments + `]) to roles[primary eq "True"].value`
	case whole:
		for _, other := range o.Attributes {
			if other.Target != a.Target && (strings.HasPrefix(other.Target, "roles[") || RolesTarget(other.Target)) {
				return a.Target + ": the roles are mapped as a whole; remove the mapping to " + other.Target
			}
		}
		if a.Matching > 0 || a.Default != "" {
			return a.Target + ": a list of roles is no matching attribute and has no default value"
		}
	case c.name == selectUnique && a.Matching > 0:
		return a.Target + ": " + selectUnique + " cannot be the source of a matching attribute"
	case c.name == selectUnique && (a.Target == "externalId" || a.Target == "active"):
		return fmt.Sprintf("%s: %s cannot choose this attribute, by which objects are known", a.Target, selectUnique)
	case c.name == selectUnique && !a.OnlyOnce:
		return a.Target + ": " + selectUnique + ` is for creations: apply the mapping "Only during object creation" ` +
			"(flowType ObjectAddOnly)"
	}
	return ""
}

// MapsRoles says whether all roles of a user are sent. Entra ID says that this does not go together
// with provisioning everybody: who is not assigned has no roles.
func (s Schema) MapsRoles() bool { return s.Calls(addRoles) || s.Calls(assertRoles) }

// ReadsRoles says whether anything is made of the roles of users.
func (s Schema) ReadsRoles() bool {
	return s.some(func(n node) bool { return slices.Contains(sources(n), assignments) })
}

// Calls says whether an expression has a function in it.
func (s Schema) Calls(function string) bool {
	return s.some(func(n node) bool { return calls(n, function) })
}

func (s Schema) some(of func(node) bool) bool {
	for _, o := range s.Objects {
		for _, a := range o.Attributes {
			if n, err := parse(a.Expression); err == nil && of(n) {
				return true
			}
		}
	}
	return false
}
