package scimserver

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// plainUser is a user as nearly all clients send one. A body that is anything else, from "active":
// "False" to an attribute that is refused, goes through scim.UserSchema, which knows every quirk
// and has the right words for each mistake.
type plainUser struct {
	Schemas           []string       `json:"schemas"`
	ID                string         `json:"id"`
	ExternalID        string         `json:"externalId"`
	Meta              jsontext.Value `json:"meta"`
	UserName          string         `json:"userName"`
	DisplayName       string         `json:"displayName"`
	NickName          string         `json:"nickName"`
	ProfileURL        string         `json:"profileUrl"`
	Title             string         `json:"title"`
	UserType          string         `json:"userType"`
	PreferredLanguage string         `json:"preferredLanguage"`
	Locale            string         `json:"locale"`
	Timezone          string         `json:"timezone"`
	Active            *bool          `json:"active"`
	Name              struct {
		Formatted       string `json:"formatted"`
		FamilyName      string `json:"familyName"`
		GivenName       string `json:"givenName"`
		MiddleName      string `json:"middleName"`
		HonorificPrefix string `json:"honorificPrefix"`
		HonorificSuffix string `json:"honorificSuffix"`
	} `json:"name"`
	Emails       []plainValue `json:"emails"`
	PhoneNumbers []plainValue `json:"phoneNumbers"`
	Roles        []plainValue `json:"roles"`
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
	Enterprise struct {
		EmployeeNumber string `json:"employeeNumber"`
		CostCenter     string `json:"costCenter"`
		Organization   string `json:"organization"`
		Division       string `json:"division"`
		Department     string `json:"department"`
		Manager        struct {
			Value string `json:"value"`
			Ref   string `json:"$ref"`
		} `json:"manager"`
	} `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
}

type plainValue struct {
	Value   string `json:"value"`
	Type    string `json:"type"`
	Primary bool   `json:"primary"`
}

var plainOptions = json.JoinOptions(json.MatchCaseInsensitiveNames(true), json.RejectUnknownMembers(true))

// readPlainUser reads a plain user; ok is false for every other body.
func readPlainUser(r *request) (u center.User, ok bool) {
	var p plainUser
	if json.Unmarshal(r.body, &p, plainOptions) != nil || (p.ID != "" && r.id != "" && p.ID != r.id) {
		return u, false
	}
	u = center.User{
		UserName: p.UserName, ExternalID: p.ExternalID, Active: p.Active == nil || *p.Active,
		Name: center.PersonName(p.Name), DisplayName: p.DisplayName,
		NickName: p.NickName, ProfileURL: p.ProfileURL, Title: p.Title, UserType: p.UserType,
		PreferredLanguage: p.PreferredLanguage, Locale: p.Locale, Timezone: p.Timezone,
		Emails: plainValues(p.Emails), PhoneNumbers: plainValues(p.PhoneNumbers), Roles: plainValues(p.Roles),
	}
	for _, a := range p.Addresses {
		u.Addresses = append(u.Addresses, center.Address(a))
	}
	e := p.Enterprise
	u.Enterprise = center.Enterprise{
		EmployeeNumber: e.EmployeeNumber,
		CostCenter:     e.CostCenter,
		Organization:   e.Organization,
		Division:       e.Division,
		Department:     e.Department,
		Manager:        e.Manager.Value,
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
func readUser(r *request) (center.User, error) {
	if u, ok := readPlainUser(r); ok {
		return u, nil
	}
	var body scim.Resource
	if err := scim.Decode(r.body, &body); err != nil {
		return center.User{}, err
	}
	wire, unknown, err := scim.UserSchema.Normalize(body)
	if err != nil {
		return center.User{}, err
	}
	if !r.standard {
		if len(unknown) > 0 {
			return center.User{}, bad(scim.InvalidSyntax, unknown[0]+" is not an attribute.")
		}
		if err := refuseUnsupported(wire); err != nil {
			return center.User{}, err
		}
	}
	if id := wire.String("id"); r.id != "" && id != "" && id != r.id {
		return center.User{}, bad(scim.Mutability, "The body's id is another user's.")
	}
	return userFromWire(wire), nil
}
