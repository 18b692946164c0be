package scimserver

import (
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// equality is a filter of equalities with texts, joined by and: names in lower case with id first,
// and their values.
type equality struct {
	names  []string
	values map[string]string
}

// equalities reads the shape of filter that clients really send, and the only one that AWS
// supports. ok is false for any other.
func equalities(f scim.Filter) (e equality, ok bool) {
	e.values = map[string]string{}
	if !e.collect(f) {
		return e, false
	}
	slices.SortFunc(e.names, func(a, b string) int { // id first, whichever way round they came
		if (a == "id") != (b == "id") {
			if a == "id" {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return e, true
}

func (e *equality) collect(f scim.Filter) bool {
	switch f := f.(type) {
	case scim.And:
		return e.collect(f.Left) && e.collect(f.Right)
	case scim.Compare:
		name := strings.ToLower(f.Attribute)
		value, isText := f.Value.(string)
		if _, twice := e.values[name]; f.Op != "eq" || !isText || twice {
			return false
		}
		e.names = append(e.names, name)
		e.values[name] = value
		return true
	}
	return false
}

// parseFilter parses a filter and refuses what the profile or the schema does not have.
func (p profile) parseFilter(k kind, text string) (scim.Filter, error) {
	f, err := scim.ParseFilter(text)
	if err != nil {
		return nil, err
	}
	if p.standard {
		return f, k.schema.CheckFilter(f)
	}
	if _, ok := emailOf(f); ok && k.schema.URN == scim.UserURN {
		return f, nil
	}
	e, ok := equalities(f)
	if !ok {
		return nil, bad(scim.InvalidFilter, "Only equality of texts, joined by and, is supported in filters.")
	}
	if keys := strings.Join(e.names, ","); !slices.Contains(awsFilters[k.schema.URN], keys) {
		return nil, bad(scim.InvalidFilter, "The filter is not supported: "+keys+".")
	}
	return f, nil
}

// awsFilters are the only combinations of attributes that AWS answers. Source: SCIM guide,
// ListUsers and ListGroups; of a member it says "member", working clients send "members".
var awsFilters = map[string][]string{
	scim.UserURN: {"username", "externalid", "id", "id,manager", "groups.value"},
	scim.GroupURN: {
		"displayname", "externalid", "id", "id,members", "id,member", "id,members.value", "members.value", "members",
	},
}

// emailOf reads the filter of a job of Entra's that matches people by their address:
// emails[type eq "work"].value eq "ada@example.com".
func emailOf(f scim.Filter) (center.Value, bool) {
	path, ok1 := f.(scim.ValuePath)
	both, ok2 := path.Filter.(scim.And)
	kind, ok3 := textEqual(both.Left, "type")
	value, ok4 := textEqual(both.Right, "value")
	ok := ok1 && ok2 && ok3 && ok4 && strings.EqualFold(path.Attribute, "emails")
	return center.Value{Value: value, Type: kind}, ok
}

// textEqual reads the equality of an attribute with a text.
func textEqual(f scim.Filter, attribute string) (string, bool) {
	c, ok := f.(scim.Compare)
	text, isText := c.Value.(string)
	return text, ok && isText && c.Op == "eq" && strings.EqualFold(c.Attribute, attribute)
}
