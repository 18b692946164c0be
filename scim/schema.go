package scim

import "strings"

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
	Name      string
	Kind      Kind
	Type      string // of a text, where it is not a string: reference, dateTime or binary
	Sub       []Attribute
	CaseExact bool
	ReadOnly  bool
	Required  bool
	Unique    bool // among the resources of the service provider
	Hidden    bool // never returned
}

// Schema is the attributes of a resource by schema URN; the core schema's stand at the top level of
// a resource.
type Schema struct {
	URN        string
	Name       string
	Attributes []Attribute
	Extensions map[string][]Attribute
}

var multi = []Attribute{
	{Name: "value"},
	{Name: "display"},
	{Name: "type"},
	{Name: "primary", Kind: Boolean},
	{Name: "$ref", Type: "reference"},
}

var common = []Attribute{
	{
		Name: "schemas",
	},
	{Name: "id", CaseExact: true, ReadOnly: true, Unique: true},
	{Name: "externalId", CaseExact: true},
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
		{Name: "profileUrl", Type: "reference"},
		{Name: "title"},
		{Name: "userType"},
		{Name: "preferredLanguage"},
		{Name: "locale"},
		{Name: "timezone"},
		{Name: "active", Kind: Boolean},
		{Name: "password", Hidden: true},
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
		{Name: "emails", Kind: ComplexList, Sub: multi},
		{Name: "phoneNumbers", Kind: ComplexList, Sub: multi},
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
		{Name: "roles", Kind: ComplexList, Sub: multi},
		{Name: "groups", Kind: ComplexList, Sub: multi, ReadOnly: true},
		{Name: "photos", Kind: ComplexList, Sub: multi},
		{Name: "ims", Kind: ComplexList, Sub: multi},
		{Name: "entitlements", Kind: ComplexList, Sub: multi},
		{Name: "x509Certificates", Kind: ComplexList, Sub: multi},
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
				{Name: "value"}, {Name: "$ref", Type: "reference"}, {Name: "displayName", ReadOnly: true},
			},
		},
	}},
}

// GroupSchema is the core group (RFC 7643 §4.2).
var GroupSchema = Schema{
	URN:  GroupURN,
	Name: "Group",
	Attributes: append(
		[]Attribute{{Name: "displayName", Required: true}, {Name: "members", Kind: ComplexList, Sub: multi}},
		common...),
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
			sub, more, err := normalize(list, object)
			if err != nil {
				return nil, nil, err
			}
			out[urn], unknown = map[string]any(sub), append(unknown, more...)
			continue
		}
		one, more, err := normalize(s.Attributes, map[string]any{name: value})
		if err != nil {
			return nil, nil, err
		}
		for k, v := range one {
			if _, twice := out[k]; twice {
				return nil, nil, invalid(InvalidSyntax, "duplicate attribute: %s", k)
			}
			out[k] = v
		}
		unknown = append(unknown, more...)
	}
	return out, unknown, nil
}

func normalize(list []Attribute, in map[string]any) (Resource, []string, error) {
	out, unknown := Resource{}, []string(nil)
	for name, value := range in {
		a, ok := findAttribute(list, name)
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		if _, twice := out[a.Name]; twice {
			return nil, nil, invalid(InvalidSyntax, "duplicate attribute: %s", a.Name)
		}
		v, more, err := a.value(value)
		if err != nil {
			return nil, nil, err
		}
		unknown = append(unknown, more...)
		if v != nil {
			out[a.Name] = v
		}
	}
	return out, unknown, nil
}

// value brings one attribute's value into its canonical shape; nil when there is none.
func (a Attribute) value(v any) (any, []string, error) {
	if v == nil {
		return nil, nil, nil
	}
	switch a.Kind {
	case Boolean:
		b, ok := Bool(v)
		if !ok {
			return nil, nil, invalid(InvalidValue, "%s is not a boolean", a.Name)
		}
		return b, nil, nil
	case Complex:
		return a.complexValue(v)
	case ComplexList:
		return a.listValue(v)
	}
	if a.Name == "schemas" {
		return v, nil, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, nil, invalid(InvalidValue, "%s is not a string", a.Name)
	}
	return s, nil, nil
}

// complexValue accepts an object, and for attributes with a value also the bare string or a list of
// one, as Entra sends managers.
func (a Attribute) complexValue(v any) (any, []string, error) {
	if items, ok := v.([]any); ok && len(items) == 1 {
		v = items[0]
	}
	switch v := v.(type) {
	case map[string]any:
		sub, unknown, err := normalize(a.Sub, v)
		return map[string]any(sub), unknown, err
	case string:
		if _, ok := findAttribute(a.Sub, "value"); ok {
			return map[string]any{"value": v}, nil, nil
		}
	}
	return nil, nil, invalid(InvalidValue, "%s is not an object", a.Name)
}

func (a Attribute) listValue(v any) (any, []string, error) {
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	out, unknown := make([]any, 0, len(items)), []string(nil)
	for _, item := range items {
		one, more, err := Attribute{Name: a.Name, Kind: Complex, Sub: a.Sub}.complexValue(item)
		if err != nil {
			return nil, nil, err
		}
		out, unknown = append(out, one), append(unknown, more...)
	}
	return out, unknown, nil
}
