package scimserver

import (
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// plainUser is a user as nearly all clients send one: texts, names and the enterprise extension by
// center's table, and the rest. A body that is anything else, from "active": "False" to an
// attribute that is refused, goes through scim.UserSchema, which knows every quirk and has the
// right words for each mistake.
var plainUser = reflect.StructOf([]reflect.StructField{
	{Name: "Texts", Type: plainUserTexts.Type, Tag: `json:",embed"`},
	{Name: "Name", Type: plainNameTexts.Type, Tag: `json:"name"`},
	{
		Name: "Enterprise",
		Tag:  `json:"` + scim.EnterpriseURN + `"`,
		Type: reflect.StructOf([]reflect.StructField{
			{Name: "Texts", Type: plainEnterpriseTexts.Type, Tag: `json:",embed"`},
			{Name: "Manager", Type: reflect.TypeFor[plainManager](), Tag: `json:"manager"`},
		}),
	},
	{Name: "Rest", Type: reflect.TypeFor[plainRest](), Tag: `json:",embed"`},
})

type plainManager struct {
	Value string `json:"value"`
	Ref   string `json:"$ref"`
}

type plainRest struct {
	Schemas      []string       `json:"schemas"`
	ID           string         `json:"id"`
	Meta         jsontext.Value `json:"meta"`
	Active       *bool          `json:"active"`
	Emails       []plainValue   `json:"emails"`
	PhoneNumbers []plainValue   `json:"phoneNumbers"`
	Roles        []plainValue   `json:"roles"`
	Addresses    []struct {
		Formatted     string `json:"formatted"`
		StreetAddress string `json:"streetAddress"`
		Locality      string `json:"locality"`
		Region        string `json:"region"`
		PostalCode    string `json:"postalCode"`
		Country       string `json:"country"`
		Type          string `json:"type"`
		Primary       bool   `json:"primary"`
	} `json:"addresses"`
}

type plainValue struct {
	Value   string `json:"value"`
	Type    string `json:"type"`
	Primary bool   `json:"primary"`
}

var plainOptions = json.JoinOptions(json.MatchCaseInsensitiveNames(true), json.RejectUnknownMembers(true))

// wholeUser is a user as a client sends one.
type wholeUser struct {
	center.User
	saysActive bool // whether it says if the user is active
}

// readPlainUser reads a plain user; ok is false for every other body.
func readPlainUser(r *request) (u wholeUser, ok bool) {
	body := reflect.New(plainUser)
	if json.Unmarshal(r.body, body.Interface(), plainOptions) != nil {
		return u, false
	}
	p := body.Elem()
	rest, _ := p.Field(3).Addr().Interface().(*plainRest) // its type is plainRest
	if rest.ID != "" && r.id != "" && rest.ID != r.id {
		return u, false
	}
	texts, enterprise := u.TextAttributes(), p.Field(2)
	plainUserTexts.Read(p.Field(0), texts[:])
	plainNameTexts.Read(p.Field(1), texts[:])
	plainEnterpriseTexts.Read(enterprise.Field(0), texts[:])
	u.Enterprise.Manager = enterprise.Field(1).Field(0).String()
	u.saysActive = rest.Active != nil
	u.Active = !u.saysActive || *rest.Active
	u.Emails = plainValues(rest.Emails)
	u.PhoneNumbers = plainValues(rest.PhoneNumbers)
	u.Roles = plainValues(rest.Roles)
	for _, a := range rest.Addresses {
		u.Addresses = append(u.Addresses, center.Address(a))
	}
	return u, true
}

func plainValues(list []plainValue) []center.Value {
	out := make([]center.Value, len(list))
	for i, v := range list {
		out[i] = center.Value{Value: v.Value, Type: v.Type, Primary: v.Primary}
	}
	return out
}

// readUser reads a whole user. AWS refuses attributes that it does not know or support; the
// standard profile ignores them (RFC 7644 §3.3).
func readUser(r *request) (wholeUser, error) {
	if u, ok := readPlainUser(r); ok {
		return u, nil
	}
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
