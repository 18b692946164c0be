package graph

import (
	"reflect"
	"strings"
	"time"
)

// Kind is the type of a property, as queries and their errors name it.
type Kind string

// The kinds of property. Source: OData CSDL 4.01, 3.3.
const (
	Text    Kind = "Edm.String"
	Truth   Kind = "Edm.Boolean"
	Number  Kind = "Edm.Int32"
	Moment  Kind = "Edm.DateTimeOffset"
	GUID    Kind = "Edm.Guid"
	Complex Kind = "Complex"
)

// Property is a property of a resource as queries see it.
type Property struct {
	Kind Kind
	Many bool       // a collection
	Of   Properties // of a complex one
}

// Properties are those of a resource, by their names.
type Properties map[string]Property

// Schema is a type of resource as queries see it.
type Schema struct {
	Type       string // such as user
	Properties Properties
}

// Find returns a property and its name as Graph writes it. It ignores letter case, as Graph does.
func (p Properties) Find(name string) (string, Property, bool) {
	if found, ok := p[name]; ok {
		return name, found, true
	}
	for known, found := range p {
		if strings.EqualFold(known, name) {
			return known, found, true
		}
	}
	return name, Property{}, false
}

// Path is Find for a path such as status/errorCode.
func (p Properties) Path(path string) (string, Property, bool) {
	name, rest, deeper := strings.Cut(path, "/")
	name, found, ok := p.Find(name)
	if !ok || !deeper {
		return name, found, ok
	}
	if found.Many {
		return path, Property{}, false
	}
	rest, found, ok = found.Of.Path(rest)
	return name + "/" + rest, found, ok
}

// PropertiesOf are those of a type of the wire, by its JSON names.
func PropertiesOf(t reflect.Type) Properties {
	out := Properties{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			out[name] = propertyOf(f.Type)
		}
	}
	return out
}

func propertyOf(t reflect.Type) (p Property) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		p.Many, t = true, t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		p.Kind = Moment
	case t.Kind() == reflect.Struct:
		p.Kind, p.Of = Complex, PropertiesOf(t)
	case t.Kind() == reflect.Map, t.Kind() == reflect.Interface:
		p.Kind = Complex
	case t.Kind() == reflect.Bool:
		p.Kind = Truth
	case t.Kind() == reflect.String:
		p.Kind = Text
	default:
		p.Kind = Number
	}
	return p
}
