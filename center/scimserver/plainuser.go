package scimserver

import (
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/plainjson"
	"github.com/gatehouse-id/gatehouse/scim"
)

// wholeUser is a user as a client sends one.
type wholeUser struct {
	center.User
	saysActive bool // whether it says if the user is active
}

// readPlainUser reads a user as nearly all clients send one: texts, names and the enterprise
// extension by center's table, and a few lists. ok is false for every other body: from
// "active": "False" to an attribute that is refused, it goes through scim.UserSchema, which knows
// every quirk and has the right words for each mistake.
func readPlainUser(r *request) (u wholeUser, ok bool) {
	texts := u.TextAttributes()
	p := plainUserReader{Reader: plainjson.NewStrictReader(string(r.body)), user: &u, texts: texts[:]}
	u.Active = true
	p.Object(p.member)
	return u, p.Done() && (p.id == "" || r.id == "" || p.id == r.id)
}

// plainUserReader reads the body of a plain user.
type plainUserReader struct {
	plainjson.Reader

	user  *wholeUser
	texts []center.TextAttribute
	id    string
}

func (p *plainUserReader) member(key string) {
	switch key {
	case "schemas":
		p.List(func() { p.Text() })
	case "id":
		p.id = p.Text()
	case "meta":
		p.Skip()
	case "name":
		p.Object(func(key string) { p.text(nameTexts, key) })
	case "active":
		p.user.saysActive = true
		p.user.Active = p.Flag()
	case "emails":
		p.user.Emails = p.values()
	case "phoneNumbers":
		p.user.PhoneNumbers = p.values()
	case "roles":
		p.user.Roles = p.values()
	case "addresses":
		p.List(func() { p.user.Addresses = append(p.user.Addresses, p.address()) })
	case scim.EnterpriseURN:
		p.Object(p.enterprise)
	default:
		p.text(plainUserTexts, key)
	}
}

func (p *plainUserReader) enterprise(key string) {
	if key != "manager" {
		p.text(enterpriseTexts, key)
		return
	}
	p.Object(func(key string) {
		switch text := p.Text(); key {
		case "value":
			p.user.Enterprise.Manager = text
		case "$ref":
		default:
			p.Unusual = true
		}
	})
}

// text reads one of some texts.
func (p *plainUserReader) text(of []wireText, key string) {
	for _, t := range of {
		if t.name == key {
			*p.texts[t.place].Value = p.Text()
			return
		}
	}
	p.Unusual = true
}

func (p *plainUserReader) values() (list []center.Value) {
	p.List(func() {
		var v center.Value
		p.Object(func(key string) {
			switch key {
			case "value":
				v.Value = p.Text()
			case "type":
				v.Type = p.Text()
			case "primary":
				v.Primary = p.Flag()
			default:
				p.Unusual = true
			}
		})
		list = append(list, v)
	})
	return list
}

func (p *plainUserReader) address() (a center.Address) {
	p.Object(func(key string) {
		switch key {
		case "formatted":
			a.Formatted = p.Text()
		case "streetAddress":
			a.StreetAddress = p.Text()
		case "locality":
			a.Locality = p.Text()
		case "region":
			a.Region = p.Text()
		case "postalCode":
			a.PostalCode = p.Text()
		case "country":
			a.Country = p.Text()
		case "type":
			a.Type = p.Text()
		case "primary":
			a.Primary = p.Flag()
		default:
			p.Unusual = true
		}
	})
	return a
}

// readUser reads a whole user.
func readUser(r *request) (wholeUser, error) {
	if u, ok := readPlainUser(r); ok {
		return u, nil
	}
	return readGeneralUser(r)
}

// readGeneralUser reads a user however it is written. AWS refuses attributes that it does not know
// or support; the standard profile ignores them (RFC 7644 §3.3).
func readGeneralUser(r *request) (wholeUser, error) {
	var body scim.Resource
	if err := scim.Decode(r.body, &body); err != nil {
		return wholeUser{}, err
	}
	wire, unknown, err := scim.UserSchema.Normalize(body)
	if err != nil {
		return wholeUser{}, err
	}
	if !r.standard {
		if len(unknown) > 0 {
			return wholeUser{}, bad(scim.InvalidSyntax, unknown[0]+" is not an attribute.")
		}
		if err := refuseUnsupported(wire); err != nil {
			return wholeUser{}, err
		}
	}
	if id := wire.String("id"); r.id != "" && id != "" && id != r.id {
		return wholeUser{}, bad(scim.Mutability, "The body's id is another user's.")
	}
	_, saysActive := wire["active"]
	return wholeUser{userFromWire(wire), saysActive}, nil
}
