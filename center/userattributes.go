package center

import (
	"reflect"
	"slices"
	"strings"
)

// The attributes of a user, each in one line: checks, the memory of users, the store's quick
// reader, attributes for access control and both doors to the identity store go by these tables. A
// table is a function that returns an array so that neither it nor the user comes to lie on the
// heap: users are read thousands of times a second. Where a path outlives the call, as in an error,
// it comes from elsewhere: the compiler would have the whole table follow it to the heap.

// TextAttribute is an attribute of a user that is one text.
type TextAttribute struct {
	// Path is its name as attribute mappings write it: name. and enterprise. begin those of the two
	// structures. The names on the wires are made of it.
	Path  string
	Value *string
	// Source says that attributes for access control can be filled from it. Source: user guide,
	// "Attribute mappings".
	Source bool
}

// Where the parts of a user's two structures are in the table of texts.
const (
	NamePrefix       = "name."
	EnterprisePrefix = "enterprise."
)

// textAttributes is how many there are.
const textAttributes = 24

// TextAttributes are the attributes that are one text, in the order of the wire.
func (u *User) TextAttributes() [textAttributes]TextAttribute {
	n, e := &u.Name, &u.Enterprise
	return [...]TextAttribute{
		{"userName", &u.UserName, true},
		{"externalId", &u.ExternalID, false},
		{"name.formatted", &n.Formatted, false},
		{"name.familyName", &n.FamilyName, true},
		{"name.givenName", &n.GivenName, true},
		{"name.middleName", &n.MiddleName, true},
		{"name.honorificPrefix", &n.HonorificPrefix, false},
		{"name.honorificSuffix", &n.HonorificSuffix, false},
		{"displayName", &u.DisplayName, true},
		{"nickName", &u.NickName, true},
		{"profileUrl", &u.ProfileURL, false},
		{"title", &u.Title, true},
		{"userType", &u.UserType, true},
		{"preferredLanguage", &u.PreferredLanguage, true},
		{"locale", &u.Locale, true},
		{"timezone", &u.Timezone, true},
		{"website", &u.Website, false},
		{"birthdate", &u.Birthdate, false},
		{"enterprise.employeeNumber", &e.EmployeeNumber, true},
		{"enterprise.costCenter", &e.CostCenter, true},
		{"enterprise.organization", &e.Organization, true},
		{"enterprise.division", &e.Division, true},
		{"enterprise.department", &e.Department, true},
		{"enterprise.manager.value", &e.Manager, true},
	}
}

// ListAttribute is an attribute of a user that has several values.
type ListAttribute struct {
	Path   string
	Values *[]Value
	limit  int // of a value, in characters
}

// ListAttributes are the attributes that have several values, but for addresses.
func (u *User) ListAttributes() [7]ListAttribute {
	return [...]ListAttribute{
		{"emails", &u.Emails, maxText},
		{"phoneNumbers", &u.PhoneNumbers, maxText},
		{"roles", &u.Roles, maxText},
		{"ims", &u.IMs, maxText},
		{"photos", &u.Photos, maxText},
		{"entitlements", &u.Entitlements, maxText},
		{"x509Certificates", &u.Certificates, maxUserCertificate},
	}
}

// textPlaces are the places of the texts in the table by their paths, and textFields what refusals
// call them.
var textPlaces, textFields = func() (places map[string]int, fields []string) {
	places = map[string]int{}
	for i, t := range new(User).TextAttributes() {
		places[t.Path] = i
		fields = append(fields, strings.TrimSuffix(strings.TrimPrefix(t.Path, EnterprisePrefix), ".value"))
	}
	return places, fields
}()

// listFields is what refusals call the lists.
var listFields = func() (fields []string) {
	for _, l := range new(User).ListAttributes() {
		fields = append(fields, l.Path)
	}
	return fields
}()

// TextAttributeAt is the place of a text in the table.
func TextAttributeAt(path string) (place int, ok bool) {
	place, ok = textPlaces[path]
	return place, ok
}

// TextStruct is a struct type with a field for each of some texts of a user, for encoders and
// decoders that go by types: it is as fast as a type that is written down.
type TextStruct struct {
	Type   reflect.Type
	places []int // of the fields in the table
}

// NewTextStruct makes a type of the texts whose paths begin with prefix and that a door has a tag
// for. A field's name is the rest of the path, in upper camel. The fields have the order of the
// table, but for those that are named last.
func NewTextStruct(prefix string, tag func(name string) reflect.StructTag, last ...string) TextStruct {
	var s TextStruct
	texts := new(User).TextAttributes()
	for i, t := range texts {
		name, ok := strings.CutPrefix(t.Path, prefix)
		if ok && !strings.Contains(name, ".") && tag(name) != "" {
			s.places = append(s.places, i)
		}
	}
	slices.SortStableFunc(s.places, func(a, b int) int {
		return slices.Index(last, texts[a].Path) - slices.Index(last, texts[b].Path) // -1: not last
	})
	fields := make([]reflect.StructField, len(s.places))
	for i, place := range s.places {
		name := strings.TrimPrefix(texts[place].Path, prefix)
		fields[i] = reflect.StructField{
			Name: strings.ToUpper(name[:1]) + name[1:],
			Type: reflect.TypeFor[string](),
			Tag:  tag(name),
		}
	}
	s.Type = reflect.StructOf(fields)
	return s
}

// Read takes the texts of v, which is of the type, into those of a user.
func (s TextStruct) Read(v reflect.Value, texts []TextAttribute) {
	for i, place := range s.places {
		*texts[place].Value = v.Field(i).String()
	}
}

// Write puts a user's texts into v, which is of the type.
func (s TextStruct) Write(v reflect.Value, texts []TextAttribute) {
	for i, place := range s.places {
		v.Field(i).SetString(*texts[place].Value)
	}
}
