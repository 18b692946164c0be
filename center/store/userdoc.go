package store

import (
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// Users are read far more often than anything else, a hundred at a time in lists. Their documents
// are the JSON that sqldb.Encode writes of center.User; readUser takes the values out of a document
// that has the usual shape, without copying its texts, and leaves every other document to
// sqldb.Decode.

func readUser(doc string) (center.User, error) {
	var u center.User
	p := plainReader{s: doc}
	p.object(func(key string) {
		if t := userText(&u, key); t != nil {
			*t = p.text()
			return
		}
		switch key {
		case "ID":
			u.ID = center.UserID(p.text())
		case "Active":
			u.Active = p.flag()
		case "Name":
			p.object(func(key string) { p.into(nameText(&u.Name, key)) })
		case "Emails":
			u.Emails = p.values()
		case "PhoneNumbers":
			u.PhoneNumbers = p.values()
		case "Roles":
			u.Roles = p.values()
		case "Addresses":
			p.list(func() { u.Addresses = append(u.Addresses, p.address()) })
		case "Enterprise":
			p.object(func(key string) { p.into(enterpriseText(&u.Enterprise, key)) })
		case "CreatedAt":
			u.CreatedAt = p.time()
		case "UpdatedAt":
			u.UpdatedAt = p.time()
		case "AddressChangedAt":
			u.AddressChangedAt = p.time()
		case "Version":
			u.Version = p.number()
		default:
			p.unusual = true
		}
	})
	if p.unusual || p.i != len(doc) {
		return sqldb.Decode[center.User](doc)
	}
	return u, nil
}

func userText(u *center.User, key string) *string {
	switch key {
	case "UserName":
		return &u.UserName
	case "ExternalID":
		return &u.ExternalID
	case "DisplayName":
		return &u.DisplayName
	case "NickName":
		return &u.NickName
	case "ProfileURL":
		return &u.ProfileURL
	case "Title":
		return &u.Title
	case "UserType":
		return &u.UserType
	case "PreferredLanguage":
		return &u.PreferredLanguage
	case "Locale":
		return &u.Locale
	case "Timezone":
		return &u.Timezone
	case "Website":
		return &u.Website
	case "Birthdate":
		return &u.Birthdate
	case "CreatedBy":
		return &u.CreatedBy
	case "UpdatedBy":
		return &u.UpdatedBy
	}
	return nil
}

func nameText(n *center.PersonName, key string) *string {
	switch key {
	case "Formatted":
		return &n.Formatted
	case "FamilyName":
		return &n.FamilyName
	case "GivenName":
		return &n.GivenName
	case "MiddleName":
		return &n.MiddleName
	case "HonorificPrefix":
		return &n.HonorificPrefix
	case "HonorificSuffix":
		return &n.HonorificSuffix
	}
	return nil
}

func enterpriseText(e *center.Enterprise, key string) *string {
	switch key {
	case "EmployeeNumber":
		return &e.EmployeeNumber
	case "CostCenter":
		return &e.CostCenter
	case "Organization":
		return &e.Organization
	case "Division":
		return &e.Division
	case "Department":
		return &e.Department
	case "Manager":
		return &e.Manager
	}
	return nil
}

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

// plainReader reads JSON without blanks and escapes. Whatever it does not expect sets unusual, and
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
		p.unusual = true
	}
	p.i += n + 1
	return t
}

func (p *plainReader) into(field *string) {
	if field == nil {
		p.unusual = true
		return
	}
	*field = p.text()
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
