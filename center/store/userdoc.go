package store

import (
	"reflect"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/plainjson"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// Users are read far more often than anything else, a hundred at a time in lists. Their documents
// are the JSON that sqldb.Encode writes of center.User; readUser takes the values out of a document
// that is plain, without copying its texts, and leaves every other document to sqldb.Decode.
// writeUser writes one, byte for byte as sqldb.Encode does, in a third of the time.

func readUser(doc string) (center.User, error) {
	if u, ok := readPlainUser(doc); ok {
		return u, nil
	}
	return sqldb.Decode[center.User](doc)
}

func writeUser(u center.User) string {
	if doc, ok := writePlainUser(u); ok {
		return doc
	}
	return sqldb.Encode(u)
}

// readPlainUser reads a document of the usual shape; ok is false for every other one.
func readPlainUser(doc string) (u center.User, ok bool) {
	texts, lists := u.TextAttributes(), u.ListAttributes()
	r, fields := plainjson.NewReader(doc), cursor{fields: userFields}
	r.Object(func(key string) {
		switch f := fields.find(key); f.kind {
		case textField:
			*texts[f.place].Value = r.Text()
		case listField:
			*lists[f.place].Values = readValues(&r)
		case structField:
			parts := cursor{fields: f.parts}
			r.Object(func(key string) {
				if part := parts.find(key); part.kind == textField {
					*texts[part.place].Value = r.Text()
				} else {
					r.Unusual = true
				}
			})
		case otherField:
			readOther(&r, &u, key)
		}
	})
	return u, r.Done()
}

// readOther reads what is no attribute that center's tables have.
func readOther(r *plainjson.Reader, u *center.User, key string) {
	switch key {
	case "ID":
		u.ID = center.UserID(r.Text())
	case "Active":
		u.Active = r.Flag()
	case "Addresses":
		r.List(func() { u.Addresses = append(u.Addresses, readAddress(r)) })
	case "CreatedAt":
		u.CreatedAt = r.Time()
	case "CreatedBy":
		u.CreatedBy = r.Text()
	case "UpdatedAt":
		u.UpdatedAt = r.Time()
	case "UpdatedBy":
		u.UpdatedBy = r.Text()
	case "AddressChangedAt":
		u.AddressChangedAt = r.Time()
	case "RolesSince":
		u.RolesSince = r.Time()
	case "Version":
		u.Version = r.Number()
	default:
		r.Unusual = true
	}
}

// A docField is a member of a user's document.
type docField struct {
	key   string
	kind  fieldKind
	place int        // of a text or a list, in center's table
	parts []docField // of a structure
}

type fieldKind uint8

const (
	otherField fieldKind = iota
	textField
	listField
	structField
)

// userFields are the members of a document in the order in which they are written: the fields of
// center.User, each found in center's tables by where its value lies.
var userFields = func() []docField {
	var u center.User
	known := map[any]docField{}
	for i, t := range u.TextAttributes() {
		known[t.Value] = docField{kind: textField, place: i}
	}
	for i, l := range u.ListAttributes() {
		known[l.Values] = docField{kind: listField, place: i}
	}
	var fieldsOf func(v reflect.Value) []docField
	fieldsOf = func(v reflect.Value) (fields []docField) {
		for i := range v.NumField() {
			f := known[v.Field(i).Addr().Interface()]
			f.key = v.Type().Field(i).Name
			if v.Field(i).Kind() == reflect.Struct && v.Field(i).Type() != reflect.TypeFor[time.Time]() {
				f.kind, f.parts = structField, fieldsOf(v.Field(i))
			}
			fields = append(fields, f)
		}
		return fields
	}
	return fieldsOf(reflect.ValueOf(&u).Elem())
}()

// cursor finds members by their keys. They come in the order of the fields, some of them left out,
// so that the next one is mostly near.
type cursor struct {
	fields []docField
	next   int
}

func (c *cursor) find(key string) *docField {
	for range c.fields {
		f := &c.fields[c.next]
		if c.next++; c.next == len(c.fields) {
			c.next = 0
		}
		if f.key == key {
			return f
		}
	}
	return &unknownField
}

// unknownField is what a newer release has written, or an older one: no case of other knows it.
var unknownField docField

func readValues(r *plainjson.Reader) (list []center.Value) {
	r.List(func() {
		var v center.Value
		r.Object(func(key string) {
			switch key {
			case "Value":
				v.Value = r.Text()
			case "Display":
				v.Display = r.Text()
			case "Type":
				v.Type = r.Text()
			case "Primary":
				v.Primary = r.Flag()
			default:
				r.Unusual = true
			}
		})
		list = append(list, v)
	})
	return list
}

func readAddress(r *plainjson.Reader) (a center.Address) {
	r.Object(func(key string) {
		switch key {
		case "Formatted":
			a.Formatted = r.Text()
		case "StreetAddress":
			a.StreetAddress = r.Text()
		case "Locality":
			a.Locality = r.Text()
		case "Region":
			a.Region = r.Text()
		case "PostalCode":
			a.PostalCode = r.Text()
		case "Country":
			a.Country = r.Text()
		case "Type":
			a.Type = r.Text()
		case "Primary":
			a.Primary = r.Flag()
		default:
			r.Unusual = true
		}
	})
	return a
}
