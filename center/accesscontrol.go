package center

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// AssertedAttribute is an attribute of an assertion, as it arrived.
type AssertedAttribute struct {
	Name       string
	NameFormat string // empty: not said
	Values     []string
	Structured bool // a value has elements in it
}

// Attributes for access control. Source: user guide, "Attributes for access control": the rules for assertions, and the limits of keys and values.
const (
	accessControlPrefix = "https://aws.amazon.com/SAML/Attributes/AccessControl:"
	maxAttributes       = 50
	maxAttributeValue   = 256
)

var (
	attributeKey = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$`)

	nameFormats = map[string]bool{
		"": true, "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified": true, "urn:oasis:names:tc:SAML:2.0:attrname-format:uri": true, "urn:oasis:names:tc:SAML:2.0:attrname-format:basic": true,
	}
)

// accessControl returns the attributes for access control of an assertion. Where they are enabled, the rules hold for all its attributes, and a breach fails
// the sign-in with AssertionRefused.
func accessControl(all []AssertedAttribute) (map[string]string, error) {
	refuse := func(want, got string) error {
		return &Error{Code: AssertionRefused, Check: "attributes", Want: want, Got: got, Detail: "attributes for access control are enabled, which sets rules for all attributes"}
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
			return nil, refuse("one value an attribute", fmt.Sprintf("%s with %d values", a.Name, len(a.Values)))
		case a.Structured:
			return nil, refuse("plain text as value", a.Name+" with XML in it")
		case !nameFormats[a.NameFormat]:
			return nil, refuse("a NameFormat that SAML defines", a.Name+" with "+a.NameFormat)
		}
		seen[a.Name] = true
		key, ok := strings.CutPrefix(a.Name, accessControlPrefix)
		if !ok || len(a.Values) == 0 || a.Values[0] == "" { // another attribute, or one without a value, which is passed on to nobody
			continue
		}
		if !attributeKey.MatchString(key) {
			return nil, refuse("a key of 1 to 128 letters, digits, blanks and _ . : / = + - @", key)
		}
		if utf8.RuneCountInString(a.Values[0]) > maxAttributeValue {
			return nil, refuse("values of at most 256 characters", key)
		}
		out[key] = a.Values[0]
	}
	return out, nil
}
