package scim

import (
	"encoding/base64"
	"strings"
)

// Kind is what an attribute holds.
type Kind uint8

// The kinds of attribute.
const (
	Text Kind = iota
	Boolean
	Complex
	ComplexList
)

// Attribute describes one attribute of a schema (RFC 7643 §7): its canonical spelling, what it
// holds and its sub-attributes.
type Attribute struct {
	Name       string
	Kind       Kind
	Type       string   // of a text, where it is not a string: reference, dateTime or binary
	References []string // of a reference: to what
	Values     []string // the only ones there are; nil: any
	Sub        []Attribute
	CaseExact  bool
	ReadOnly   bool
	Immutable  bool // set when its entry is made, and never changed
	Required   bool // of a sub-attribute: wherever there is an entry
	Unique     bool // among the resources of the service provider
}

// Schema is the attributes of a resource by schema URN; the core schema's stand at the top level of
// a resource.
type Schema struct {
	URN        string
	Name       string
	Attributes []Attribute
	Extensions map[string][]Attribute
}

// external is what a reference to anything outside of SCIM refers to.
var external = []string{"external"}

// values is an attribute with several values (RFC 7643 §2.4); value says what one of them is.
func values(name string, value Attribute) Attribute {
	value.Name = "value"
	return Attribute{
		Name: name,
		Kind: ComplexList,
		Sub:  []Attribute{value, {Name: "display"}, {Name: "type"}, {Name: "primary", Kind: Boolean}},
	}
}

// referenceTo is the address of another resource, which the service provider makes of its id.
func referenceTo(resource string) Attribute {
	return Attribute{Name: "$ref", Type: "reference", References: []string{resource}, CaseExact: true, ReadOnly: true}
}

var common = []Attribute{
	{
		Name: "schemas",
	},
	{Name: "id", CaseExact: true, ReadOnly: true, Unique: true},
	{Name: "externalId", CaseExact: true, Unique: true},
	{
		Name:     "meta",
		Kind:     Complex,
		ReadOnly: true,
		Sub: []Attribute{
			{Name: "resourceType", CaseExact: true},
			{Name: "created", Type: "dateTime"},
			{Name: "lastModified", Type: "dateTime"},
			{Name: "location", CaseExact: true, Type: "reference"},
			{Name: "version", CaseExact: true},
		},
	},
}

// UserSchema is the core user with the enterprise extension (RFC 7643 §4.1, §4.3).
var UserSchema = Schema{
	URN:  UserURN,
	Name: "User",
	Attributes: append([]Attribute{
		{Name: "userName", Required: true, Unique: true},
		{Name: "displayName"},
		{Name: "nickName"},
		{Name: "profileUrl", Type: "reference", References: external, CaseExact: true},
		{Name: "title"},
		{Name: "userType"},
		{Name: "preferredLanguage"},
		{Name: "locale"},
		{Name: "timezone"},
		{Name: "active", Kind: Boolean},
		{
			Name: "name",
			Kind: Complex,
			Sub: []Attribute{
				{Name: "formatted"},
				{Name: "familyName"},
				{Name: "givenName"},
				{Name: "middleName"},
				{Name: "honorificPrefix"},
				{Name: "honorificSuffix"},
			},
		},
		values("emails", Attribute{Required: true, Unique: true}),
		values("phoneNumbers", Attribute{}),
		{
			Name: "addresses",
			Kind: ComplexList,
			Sub: []Attribute{
				{Name: "formatted"},
				{Name: "streetAddress"},
				{Name: "locality"},
				{Name: "region"},
				{Name: "postalCode"},
				{Name: "country"},
				{Name: "type"},
				{Name: "primary", Kind: Boolean},
			},
		},
		values("roles", Attribute{}),
		{
			Name:     "groups",
			Kind:     ComplexList,
			ReadOnly: true,
			Sub: []Attribute{
				{Name: "value", CaseExact: true, ReadOnly: true},
				referenceTo("Group"),
				{Name: "display", ReadOnly: true},
				{Name: "type", ReadOnly: true, Values: []string{"direct"}},
			},
		},
		values("photos", Attribute{Type: "reference", References: external, CaseExact: true}),
		values("ims", Attribute{}),
		values("entitlements", Attribute{}),
		values("x509Certificates", Attribute{Type: "binary", CaseExact: true}),
	}, common...),
	Extensions: map[string][]Attribute{EnterpriseURN: {
		{Name: "employeeNumber"},
		{Name: "costCenter"},
		{Name: "organization"},
		{Name: "division"},
		{Name: "department"},
		{
			Name: "manager",
			Kind: Complex,
			Sub: []Attribute{
				{Name: "value", CaseExact: true}, referenceTo("User"), {Name: "displayName", ReadOnly: true},
			},
		},
	}},
}

// GroupSchema is the core group (RFC 7643 §4.2).
var GroupSchema = Schema{
	URN:  GroupURN,
	Name: "Group",
	Attributes: append([]Attribute{
		{Name: "displayName", Required: true, Unique: true},
		{
			Name: "members",
			Kind: ComplexList,
			Sub: []Attribute{
				{Name: "value", CaseExact: true, Immutable: true, Required: true},
				referenceTo("User"),
				{Name: "display", ReadOnly: true},
				{Name: "type", Immutable: true, Values: []string{"User"}},
			},
		},
	}, common...),
}

// findAttribute looks an attribute up by name, ignoring letter case (RFC 7643 §2.1).
func findAttribute(list []Attribute, name string) (Attribute, bool) {
	for _, a := range list {
		if strings.EqualFold(a.Name, name) {
			return a, true
		}
	}
	return Attribute{}, false
}

// extension returns the canonical URN of an extension and its attributes.
func (s Schema) extension(urn string) (string, []Attribute, bool) {
	for known, list := range s.Extensions {
		if strings.EqualFold(known, urn) {
			return known, list, true
		}
	}
	return "", nil, false
}

// Normalize returns the resource with canonical attribute names, booleans that were sent as text
// turned into booleans, and null values left out. Unknown attributes are reported by name.
func (s Schema) Normalize(in Resource) (out Resource, unknown []string, err error) {
	var n normalizer
	out = Resource{}
	for name, value := range in {
		if urn, list, ok := s.extension(name); ok {
			object, isObject := value.(map[string]any)
			if value == nil {
				continue
			}
			if !isObject {
				return nil, nil, invalid(InvalidValue, "%s is not an object", urn)
			}
			sub, err := n.object(list, object)
			if err != nil {
				return nil, nil, err
			}
			out[urn] = map[string]any(sub)
			continue
		}
		one, err := n.object(s.Attributes, map[string]any{name: value})
		if err != nil {
			return nil, nil, err
		}
		for k, v := range one {
			if _, twice := out[k]; twice {
				return nil, nil, invalid(InvalidSyntax, "duplicate attribute: %s", k)
			}
			out[k] = v
		}
	}
	return out, n.unknown, nil
}

// normalizer brings values into their canonical shape, and notes the attributes that it does not
// know.
type normalizer struct{ unknown []string }

func (n *normalizer) object(list []Attribute, in map[string]any) (Resource, error) {
	out := Resource{}
	for name, value := range in {
		a, ok := findAttribute(list, name)
		if !ok && value == nil { // no value of no attribute, such as Entra's "$ref": null
			continue
		}
		if !ok {
			n.unknown = append(n.unknown, name)
			continue
		}
		if _, twice := out[a.Name]; twice {
			return nil, invalid(InvalidSyntax, "duplicate attribute: %s", a.Name)
		}
		v, err := n.value(a, value)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[a.Name] = v
		}
	}
	return out, nil
}

// value brings one attribute's value into its canonical shape; nil when there is none.
func (n *normalizer) value(a Attribute, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch a.Kind {
	case Boolean:
		b, ok := Bool(v)
		if !ok {
			return nil, invalid(InvalidValue, "%s is not a boolean", a.Name)
		}
		return b, nil
	case Complex:
		return n.complexValue(a, v)
	case ComplexList:
		return n.listValue(a, v)
	}
	if a.Name == "schemas" {
		return v, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, invalid(InvalidValue, "%s is not a string", a.Name)
	}
	if a.Type == "binary" && !isBase64(s) {
		return nil, invalid(InvalidValue, "%s is not base64", a.Name)
	}
	return s, nil
}

// isBase64 says whether a text is what binary attributes hold, in either alphabet (RFC 7643
// §2.3.6), in lines or not.
func isBase64(s string) bool {
	s = strings.ReplaceAll(s, " ", "")
	if _, err := base64.StdEncoding.DecodeString(s); err == nil {
		return true
	}
	_, err := base64.URLEncoding.DecodeString(s)
	return err == nil
}

// complexValue accepts an object, and for attributes with a value also the bare string or a list of
// one, as Entra sends managers.
func (n *normalizer) complexValue(a Attribute, v any) (any, error) {
	if items, ok := v.([]any); ok && len(items) == 1 {
		v = items[0]
	}
	switch v := v.(type) {
	case map[string]any:
		sub, err := n.object(a.Sub, v)
		return map[string]any(sub), err
	case string:
		if _, ok := findAttribute(a.Sub, "value"); ok {
			return map[string]any{"value": v}, nil
		}
	}
	return nil, invalid(InvalidValue, "%s is not an object", a.Name)
}

func (n *normalizer) listValue(a Attribute, v any) (any, error) {
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	out := make([]any, 0, len(items))
	for _, item := range items {
		one, err := n.complexValue(a, item)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}
