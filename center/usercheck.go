package center

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// The rules of a user that need no other object, and those of its texts, which groups share.

const (
	maxText            = 1024     //bound:text a value of a user or group, in characters
	maxUserName        = 128      //bound:text a user name, in characters
	maxValues          = 50       //bound:list values of an attribute of a user
	maxUserCertificate = 16 << 10 //bound:text the certificates of a user, in bytes
)

// checkText is the rule of plain text attributes: 1–1024 characters, no control characters.
// Source: identitystore model, SensitiveStringType; SCIM guide, characters that are refused.
func checkText(field, value string, limit int) error {
	if len(value) > limit && utf8.RuneCountInString(value) > limit {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: "too long"}
	}
	if !isPlain(value) && (!utf8.ValidString(value) || strings.IndexFunc(value, unicode.IsControl) >= 0) {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: "control characters are not allowed"}
	}
	return nil
}

// isPlain says whether a text is printable ASCII, as nearly all are.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}

// checkProse is checkText for texts that may have several lines.
func checkProse(field, value string, limit int) error {
	err := checkText(field, value, limit)
	if err != nil && strings.ContainsAny(value, blanks) {
		err = checkText(field, lines.Replace(value), limit)
	}
	return err
}

// What may stand in a text beside visible characters, and in the name of a group. Source:
// identitystore model, SensitiveStringType and GroupDisplayName.
const (
	blanks      = "\t\n\r \u00a0\u3000"
	groupBlanks = "\t\n\r \u00a0"
)

// checkNew is the rule of a text that is new, whichever door it comes by: letters, marks, symbols,
// numbers, punctuation and some blanks. What is not seen, such as a space without width, would make
// two texts look the same. Earlier releases took others, which may stay. Source: as for blanks.
func checkNew(field, value, allowed string) error {
	if allowed != "" && isPlain(value) {
		return nil
	}
	visible := strings.Map(func(r rune) rune {
		if strings.ContainsRune(allowed, r) {
			return -1
		}
		return r
	}, value)
	if names.Visible(visible) {
		return nil
	}
	return &refusal.Error{
		Code:   InvalidValue,
		Field:  field,
		Detail: "only visible letters, marks, symbols, numbers and punctuation are allowed",
	}
}

// impossible says that nobody can have a name: it is longer than any may be, or has control
// characters.
func impossible(name string) bool { return checkText("", name, maxUserName) != nil }

// CheckAWS is the rules of AWS's interfaces on top of the store's own: names are required, and list
// attributes hold at most one value. It fails with MissingValue or NotSingleValued. Source: SCIM
// guide, "CreateUser".
func (u User) CheckAWS() error {
	for _, f := range [...]struct{ field, value string }{
		{"name.givenName", u.Name.GivenName},
		{"name.familyName", u.Name.FamilyName},
		{"displayName", u.DisplayName},
	} {
		if strings.TrimSpace(f.value) == "" {
			return &refusal.Error{Code: MissingValue, Field: f.field, Subject: u.UserName}
		}
	}
	for _, l := range [...]struct {
		field string
		n     int
	}{
		{"emails", len(u.Emails)},
		{"phoneNumbers", len(u.PhoneNumbers)},
		{"addresses", len(u.Addresses)},
		{"roles", len(u.Roles)},
	} {
		if l.n > 1 {
			return &refusal.Error{Code: NotSingleValued, Field: l.field, Subject: u.UserName}
		}
	}
	return nil
}

// checkChanged applies the rules of new texts to those that old does not have.
func (u User) checkChanged(old User) error {
	texts, oldTexts := u.TextAttributes(), old.TextAttributes()
	for i := range texts {
		text := *texts[i].Value
		if text == *oldTexts[i].Value {
			continue
		}
		allowed := blanks
		if i == 0 { // the user name
			allowed = ""
		}
		if err := checkNew(textFields[i], text, allowed); err != nil {
			return err
		}
	}
	lists, oldLists := u.ListAttributes(), old.ListAttributes()
	for i := range lists {
		for _, v := range *lists[i].Values {
			if slices.Contains(*oldLists[i].Values, v) {
				continue
			}
			if err := errors.Join(
				checkNew(listFields[i], v.Value, blanks), checkNew(listFields[i]+".display", v.Display, blanks),
				checkNew(listFields[i]+".type", v.Type, blanks),
			); err != nil {
				return err
			}
		}
	}
	primaries := 0
	for _, a := range u.Addresses {
		if a.Primary {
			primaries++
		}
		if slices.Contains(old.Addresses, a) {
			continue
		}
		for _, text := range a.texts() {
			if err := checkNew("addresses", *text, blanks); err != nil {
				return err
			}
		}
	}
	if primaries > 1 && !slices.Equal(u.Addresses, old.Addresses) {
		return &refusal.Error{Code: InvalidValue, Field: "addresses", Detail: "only one value can be primary"}
	}
	return nil
}

// Check applies the rules that need no other object. Sources: SCIM guide, "CreateUser";
// identitystore model.
func (u User) Check() error {
	if strings.TrimSpace(u.UserName) == "" {
		return &refusal.Error{Code: MissingValue, Field: "userName"}
	}
	if err := checkText("userName", u.UserName, maxUserName); err != nil {
		return err
	}
	if strings.IndexFunc(u.UserName, unicode.IsSpace) >= 0 {
		return &refusal.Error{Code: InvalidValue, Field: "userName", Detail: "spaces are not allowed"}
	}
	if names.Fold(u.UserName) == "administrator" || names.Fold(u.UserName) == "awsadministrators" {
		return &refusal.Error{Code: InvalidValue, Field: "userName", Detail: "the name is reserved"}
	}
	if u.Birthdate != "" {
		if _, err := time.Parse(time.DateOnly, u.Birthdate); err != nil {
			return &refusal.Error{Code: InvalidValue, Field: "birthdate", Detail: "use YYYY-MM-DD"}
		}
	}
	return u.checkTexts()
}

func (u User) checkTexts() error {
	texts, lists := u.TextAttributes(), u.ListAttributes()
	for i := range texts {
		check := checkProse
		if i < 2 { // user name and external id: people are found by them
			check = checkText
		}
		if err := check(textFields[i], *texts[i].Value, maxText); err != nil {
			return err
		}
	}
	for i := range lists {
		if err := checkValues(listFields[i], *lists[i].Values, lists[i].limit); err != nil {
			return err
		}
	}
	for _, e := range u.Emails {
		if e.Value != "" && (!strings.Contains(e.Value, "@") || strings.ContainsAny(e.Value, "\t\r\n")) {
			return &refusal.Error{Code: InvalidValue, Field: "emails", Detail: "not an email address"}
		}
	}
	return checkAddresses(u.Addresses)
}

func checkValues(field string, values []Value, limit int) error {
	if len(values) > maxValues {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: "too many values"}
	}
	primaries := 0
	for _, v := range values {
		if v.Primary {
			primaries++
		}
		if err := errors.Join(
			checkProse(field, v.Value, limit), checkProse(field+".display", v.Display, maxText),
			checkProse(field+".type", v.Type, maxText),
		); err != nil {
			return err
		}
	}
	if primaries > 1 {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: "only one value can be primary"}
	}
	return nil
}

func checkAddresses(addresses []Address) error {
	if len(addresses) > maxValues {
		return &refusal.Error{Code: InvalidValue, Field: "addresses", Detail: "too many values"}
	}
	for _, a := range addresses {
		for _, text := range a.texts() {
			if err := checkProse("addresses", *text, maxText); err != nil {
				return err
			}
		}
	}
	return nil
}

// lines makes one line of a text that has several.
var lines = strings.NewReplacer("\r", " ", "\n", " ", "\t", " ")

// CheckEmails refuses an email entry without an address. AWS's identitystore keeps such an entry;
// nothing else here takes one. Source: the Terraform provider's tests.
func (u User) CheckEmails() error {
	for _, e := range u.Emails {
		if e.Value == "" {
			return &refusal.Error{Code: InvalidValue, Field: "emails", Detail: "not an email address"}
		}
	}
	return nil
}
