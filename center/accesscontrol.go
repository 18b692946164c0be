package center

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// AssertedAttribute is an attribute of an assertion, as it arrived.
type AssertedAttribute struct {
	Name       string
	NameFormat string // empty: not said
	Values     []string
	Structured bool // a value has elements in it
}

// Attributes for access control. Source: user guide, "Attributes for access control": the rules for
// assertions, and the limits of keys and values.
const (
	accessControlPrefix = "https://aws.amazon.com/SAML/Attributes/AccessControl:"
	maxAttributes       = 50  //bound:rows attributes for access control
	maxAttributeValue   = 256 //bound:text the source of an attribute for access control, in characters
)

var nameFormats = map[string]bool{
	"": true,
	"urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified": true,
	"urn:oasis:names:tc:SAML:2.0:attrname-format:uri":         true,
	"urn:oasis:names:tc:SAML:2.0:attrname-format:basic":       true,
}

// accessControl returns the attributes for access control of an assertion. Where they are enabled,
// the rules hold for all its attributes, and a breach fails the sign-in with AssertionRefused.
func accessControl(all []AssertedAttribute) (map[string]string, error) {
	refuse := func(want, got string) error {
		return &refusal.Error{
			Code:   AssertionRefused,
			Check:  checkAttributes,
			Want:   want,
			Got:    got,
			Detail: "attributes for access control are enabled, and their rules apply to all attributes",
		}
	}
	if len(all) > maxAttributes {
		return nil, refuse("at most 50 attributes", fmt.Sprint(len(all)))
	}
	out, seen := map[string]string{}, map[string]bool{}
	for _, a := range all {
		switch {
		case seen[a.Name]:
			return nil, refuse("each attribute once", a.Name+" twice")
		case len(a.Values) > 1:
			return nil, refuse("one value per attribute", fmt.Sprintf("%s with %d values", a.Name, len(a.Values)))
		case a.Structured:
			return nil, refuse("plain text as value", a.Name+" with XML in it")
		case !nameFormats[a.NameFormat]:
			return nil, refuse("a NameFormat that SAML defines", a.Name+" with "+a.NameFormat)
		}
		seen[a.Name] = true
		key, ok := strings.CutPrefix(a.Name, accessControlPrefix)
		// another attribute, or one without a value, which is passed on to nobody
		if !ok || len(a.Values) == 0 || a.Values[0] == "" {
			continue
		}
		if !isTagKey(key) {
			return nil, refuse("a key of 1 to 128 letters, digits, spaces and _ . : / = + - @", key)
		}
		if utf8.RuneCountInString(a.Values[0]) > maxAttributeValue {
			return nil, refuse("values of at most 256 characters", key)
		}
		out[key] = a.Values[0]
	}
	return out, nil
}

// accessTags are the tags that a user's session brings into a role. Where the identity provider has
// sent an attribute that is filled from the identity source as well, the latter counts. Source:
// user guide, "Attributes for access control".
func (c *Center) accessTags(r Reader, u User, s Session) ([]Tag, error) {
	settings, err := signInSettings(r)
	if err != nil || !settings.AccessControl {
		return nil, err
	}
	instance, err := c.instanceSettings(r, c.Instance.ARN)
	if err != nil {
		return nil, err
	}
	var tags []Tag
	for _, a := range instance.AccessControl {
		if value := u.sourceValue(a.Source); value != "" {
			tags = append(tags, Tag{a.Key, value})
		}
	}
	for key, value := range s.Attributes {
		if !slices.ContainsFunc(tags, func(t Tag) bool { return t.Key == key }) {
			tags = append(tags, Tag{key, value})
		}
	}
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return slices.DeleteFunc(tags, func(t Tag) bool { return !isTagValue(t.Value) }), nil
}

// Paths of sources that are no text of their own. Source: user guide, "Supported external identity
// provider attributes".
const (
	primaryEmail = "emails[primary eq true].value"
	workPhone    = `phoneNumbers[type eq "work"].value`
	workAddress  = `addresses[type eq "work"].`
	workType     = "work"
)

// part returns a part of an address by its name on the wire; nil when there is none of that name.
func (a *Address) part(name string) *string {
	switch name {
	case "streetAddress":
		return &a.StreetAddress
	case "locality":
		return &a.Locality
	case "region":
		return &a.Region
	case "postalCode":
		return &a.PostalCode
	case "country":
		return &a.Country
	case "formatted":
		return &a.Formatted
	}
	return nil
}

// isSource says whether attributes for access control can be filled from a source.
func isSource(source string) bool {
	path, begins := strings.CutPrefix(source, "${path:")
	path, ends := strings.CutSuffix(path, "}")
	place, isText := TextAttributeAt(path)
	part, ofAddress := strings.CutPrefix(path, workAddress)
	switch {
	case !begins || !ends:
		return false
	case isText:
		return new(User).TextAttributes()[place].Source
	case ofAddress:
		return new(Address).part(part) != nil
	}
	return path == primaryEmail || path == workPhone
}

// sourceValue returns what a source such as ${path:title} is for a user; "" for one that is not
// known, which older centers took.
func (u User) sourceValue(source string) string {
	path := strings.TrimSuffix(strings.TrimPrefix(source, "${path:"), "}")
	if place, ok := TextAttributeAt(path); ok {
		if text := u.TextAttributes()[place]; text.Source {
			return *text.Value
		}
		return ""
	}
	part, ofAddress := strings.CutPrefix(path, workAddress)
	switch {
	case path == primaryEmail:
		return u.PrimaryEmail()
	case path == workPhone:
		for _, v := range u.PhoneNumbers {
			if strings.EqualFold(v.Type, workType) {
				return v.Value
			}
		}
	case ofAddress:
		for i := range u.Addresses {
			value := u.Addresses[i].part(part)
			if value != nil && strings.EqualFold(u.Addresses[i].Type, workType) {
				return *value
			}
		}
	}
	return ""
}
