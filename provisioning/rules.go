package provisioning

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// Rules are what a target is known to refuse, beside what the mapping requires. A dry run applies
// them.
type Rules struct {
	Unique   map[Kind][]string // attributes of which no two objects have the same; emails.value is the primary address
	Required []string          // attributes that a user must have
	Single   []string          // lists of a user that hold one value at most
	Unknown  []string          // attributes that it does not have
	Fixed    []string          // attributes that a user is made with, and that cannot be changed
	Nameless bool              // what is sent of a list of roles has a name for people, which is refused
	Texts    bool              // the lengths and characters of texts are bounded as at AWS
}

// AWSRules are those of IAM Identity Center. Sources: its SCIM guide, "CreateUser" and
// "Constraints"; the identitystore model; the user guide, "Considerations" on unique values.
func AWSRules() Rules {
	return Rules{
		Unique: map[Kind][]string{
			User:  {"userName", anyAddress, externalID},
			Group: {"displayName", externalID},
		},
		Required: []string{"name.givenName", "name.familyName", "displayName"},
		Single:   []string{"emails", "phoneNumbers", "addresses", "roles"},
		Unknown:  []string{"ims", "photos", "entitlements", "x509Certificates", "password"},
		Fixed:    []string{rolesName},
		Texts:    true,
	}
}

// Bounds of texts. Source: identitystore model, UserName and SensitiveStringType.
const (
	maxNameText = 128  //bound:none it is AWS's, which a dry run foresees
	maxAnyText  = 1024 //bound:none it is AWS's, which a dry run foresees
)

// What may stand in a text beside visible characters. Source: identitystore model,
// SensitiveStringType and GroupDisplayName.
const (
	textBlanks      = "\t\n\r \u00a0\u3000"
	groupNameBlanks = "\t\n\r \u00a0"
)

// foreseen is a refusal that has not come yet.
type foreseen struct {
	problem   scim.Problem
	why       string
	attribute string // that a value is of which somebody else has
	holder    string // who has it
}

func (f *foreseen) Error() string { return "the target would refuse it: " + f.why }

// Unwrap returns what the target would answer.
func (f *foreseen) Unwrap() error { return &f.problem }

func foresee(status int, format string, args ...any) *foreseen {
	why := fmt.Sprintf(format, args...)
	return &foreseen{problem: scim.Problem{Status: status, Detail: why}, why: why}
}

// check says why a target would refuse an object that is made, or changed by some changes; nil: for
// no reason that is in the object itself.
func (r Rules) check(kind Kind, after scim.Resource, changes []Change, isNew bool) *foreseen {
	if kind == User {
		for _, path := range r.Required {
			if strings.TrimSpace(valueAt(after, path)) == "" {
				return foresee(http.StatusBadRequest, "%s is required", path)
			}
		}
		for _, list := range r.Single {
			if n := len(after.List(list)); n > 1 {
				return foresee(http.StatusBadRequest, "%s can have one value only, not %d", list, n)
			}
		}
	}
	for _, c := range changes {
		p, err := placeOf(c.Path)
		switch {
		case err == nil && !isNew && p.urn == "" && slices.Contains(r.Fixed, p.attribute):
			return foresee(http.StatusBadRequest, "%s cannot be changed", p.attribute)
		case r.Nameless && c.New != "" && mapping.RolesTarget(c.Path):
			return foresee(http.StatusBadRequest, "there is no attribute roles.display")
		}
		other := p.urn != "" && p.urn != scim.EnterpriseURN && len(r.Unknown) > 0
		if err == nil && c.New != "" && (other || p.urn == "" && slices.Contains(r.Unknown, p.attribute)) {
			return foresee(http.StatusBadRequest, "there is no attribute %s", c.Path)
		}
	}
	if !r.Texts {
		return nil
	}
	for _, c := range textsOf(changes) {
		if why := refusedText(kind, c.Path, c.New); c.New != "" && why != "" {
			return foresee(http.StatusBadRequest, "%s %q %s", c.Path, c.New, why)
		}
	}
	return nil
}

// textsOf are changes with each text of a list of roles for itself.
func textsOf(changes []Change) []Change {
	for i, c := range changes {
		if !mapping.RolesTarget(c.Path) {
			continue
		}
		out := slices.Delete(slices.Clone(changes), i, i+1)
		list, _ := roleList(c.New)
		for _, r := range list {
			out = append(out, Change{Path: c.Path + ".value", New: r.Value})
		}
		return out
	}
	return changes
}

// refusedText says what is wrong with the value of an attribute; "" for nothing.
func refusedText(kind Kind, path, value string) string {
	p, err := placeOf(path)
	if err != nil || path == activePath || path == managerPath || p.sub == primaryName {
		return ""
	}
	most, controls := maxAnyText, "\t\n\r"
	blanks := textBlanks
	switch {
	case path == "userName":
		most, blanks = maxNameText, ""
		value = names.Normal(value)
		if fold := names.Fold(value); fold == "administrator" || fold == "awsadministrators" {
			return "is reserved"
		}
	case path == externalID:
		controls = ""
	case kind == Group:
		blanks, value = groupNameBlanks, names.Normal(value)
	case p.attribute == "emails" && p.sub == "value":
		if value = names.Normal(value); !strings.Contains(value, "@") || strings.ContainsAny(value, controls) {
			return "is not an email address"
		}
	}
	control := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(controls, r) }
	visible := strings.Map(func(r rune) rune {
		if strings.ContainsRune(blanks, r) {
			return -1
		}
		return r
	}, value)
	switch n := utf8.RuneCountInString(value); {
	case strings.TrimSpace(value) == "" && (path == "userName" || kind == Group && path == "displayName"):
		return "is empty"
	case n > most:
		return fmt.Sprintf("has %d characters, more than %d", n, most)
	case strings.ContainsFunc(value, control), !names.Visible(visible):
		return "has characters that are not allowed"
	}
	return ""
}

// uniqueValue is the value of an attribute that must be unique, of a resource; "" when there is
// none. Of several addresses it is the primary one.
func uniqueValue(r scim.Resource, path string) string {
	if path != anyAddress {
		return valueAt(r, path)
	}
	list := r.List("emails")
	primary := slices.IndexFunc(list, func(e any) bool {
		m, _ := e.(map[string]any)
		yes, _ := scim.Bool(m[primaryName])
		return yes
	})
	if len(list) == 0 {
		return ""
	}
	m, _ := list[max(primary, 0)].(map[string]any)
	return text(m["value"])
}

// key is a value as it is compared: external ids are, letter by letter.
func key(path, value string) string {
	if path == externalID {
		return value
	}
	return fold(value)
}
