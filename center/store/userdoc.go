package store

import (
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// Users are read far more often than anything else, a hundred at a time in lists. Their documents
// are the JSON that sqldb.Encode writes of center.User; readUser takes the values out of a document
// that has the usual shape, without copying its texts, and leaves every other document to
// sqldb.Decode.

func readUser(doc string) (center.User, error) {
	if u, ok := readPlainUser(doc); ok {
		return u, nil
	}
	return sqldb.Decode[center.User](doc)
}

// readPlainUser reads a document of the usual shape; ok is false for every other one.
func readPlainUser(doc string) (u center.User, ok bool) {
	texts, lists := u.TextAttributes(), u.ListAttributes()
	p, fields := plainReader{s: doc}, cursor{fields: userFields}
	p.object(func(key string) {
		switch f := fields.find(key); f.kind {
		case textField:
			*texts[f.place].Value = p.text()
		case listField:
			*lists[f.place].Values = p.values()
		case structField:
			parts := cursor{fields: f.parts}
			p.object(func(key string) {
				if part := parts.find(key); part.kind == textField {
					*texts[part.place].Value = p.text()
				} else {
					p.unusual = true
				}
			})
		case otherField:
			p.other(&u, key)
		}
	})
	return u, !p.unusual && p.i == len(doc)
}

// other reads what is no attribute that center's tables have.
func (p *plainReader) other(u *center.User, key string) {
	switch key {
	case "ID":
		u.ID = center.UserID(p.text())
	case "Active":
		u.Active = p.flag()
	case "Addresses":
		p.list(func() { u.Addresses = append(u.Addresses, p.address()) })
	case "CreatedAt":
		u.CreatedAt = p.time()
	case "CreatedBy":
		u.CreatedBy = p.text()
	case "UpdatedAt":
		u.UpdatedAt = p.time()
	case "UpdatedBy":
		u.UpdatedBy = p.text()
	case "AddressChangedAt":
		u.AddressChangedAt = p.time()
	case "RolesSince":
		u.RolesSince = p.time()
	case "Version":
		u.Version = p.number()
	default:
		p.unusual = true
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

func (p *plainReader) values() (list []center.Value) {
	p.list(func() {
		var v center.Value
		p.object(func(key string) {
			switch key {
			case "Value":
				v.Value = p.text()
			case "Display":
				v.Display = p.text()
			case "Type":
				v.Type = p.text()
			case "Primary":
				v.Primary = p.flag()
			default:
				p.unusual = true
			}
		})
		list = append(list, v)
	})
	return list
}

func (p *plainReader) address() (a center.Address) {
	p.object(func(key string) {
		switch key {
		case "Formatted":
			a.Formatted = p.text()
		case "StreetAddress":
			a.StreetAddress = p.text()
		case "Locality":
			a.Locality = p.text()
		case "Region":
			a.Region = p.text()
		case "PostalCode":
			a.PostalCode = p.text()
		case "Country":
			a.Country = p.text()
		case "Type":
			a.Type = p.text()
		case "Primary":
			a.Primary = p.flag()
		default:
			p.unusual = true
		}
	})
	return a
}

// plainReader reads JSON without blanks. Whatever it does not expect sets unusual, and
// what it returned then means nothing.
type plainReader struct {
	s       string
	i       int
	unusual bool
}

// next takes one character when it is the next.
func (p *plainReader) next(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *plainReader) want(c byte) {
	if !p.next(c) {
		p.unusual = true
	}
}

func (p *plainReader) text() string {
	if !p.next('"') {
		p.unusual = true
		return ""
	}
	n := strings.IndexByte(p.s[p.i:], '"')
	if n < 0 {
		p.unusual = true
		return ""
	}
	t := p.s[p.i : p.i+n]
	if strings.IndexByte(t, '\\') >= 0 {
		return p.escaped()
	}
	p.i += n + 1
	return t
}

// escaped reads the rest of a text that has escapes, such as the lines of an address.
func (p *plainReader) escaped() string {
	from := p.i - 1
	for p.i < len(p.s) && p.s[p.i] != '"' {
		if p.s[p.i] == '\\' {
			p.i++
		}
		p.i++
	}
	p.i++
	t, err := jsontext.AppendUnquote(nil, p.s[from:min(p.i, len(p.s))])
	if err != nil {
		p.unusual = true
	}
	return string(t)
}

func (p *plainReader) flag() bool {
	if strings.HasPrefix(p.s[p.i:], "true") {
		p.i += 4
		return true
	}
	if strings.HasPrefix(p.s[p.i:], "false") {
		p.i += 5
	} else {
		p.unusual = true
	}
	return false
}

func (p *plainReader) number() (n int64) {
	from := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' && p.i-from < 18 {
		n = n*10 + int64(p.s[p.i]-'0')
		p.i++
	}
	if p.i == from {
		p.unusual = true
	}
	return n
}

func (p *plainReader) time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, p.text())
	if err != nil {
		p.unusual = true
	}
	return t
}

// object calls member for each member, whose value it must read.
func (p *plainReader) object(member func(key string)) {
	p.want('{')
	if p.next('}') {
		return
	}
	for !p.unusual {
		key := p.text()
		p.want(':')
		member(key)
		if !p.next(',') {
			break
		}
	}
	p.want('}')
}

// list calls entry for each entry, which it must read.
func (p *plainReader) list(entry func()) {
	p.want('[')
	if p.next(']') {
		return
	}
	for !p.unusual {
		entry()
		if !p.next(',') {
			break
		}
	}
	p.want(']')
}
