package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/names"
)

// Problems says what of an object's mapping could never work, in a line for each: it names
// attributes that the directory or the target does not have, or has constants that Entra ID
// refuses. sources are the attributes of the directory's objects.
func (o Object) Problems(known func(source string) bool, sources []string) (problems []string) {
	for _, a := range o.Attributes {
		if problem := o.targetProblem(a.Target); problem != "" {
			problems = append(problems, problem)
		}
		for _, name := range SourcesOf(a.Expression) {
			if !known(name) {
				problems = append(problems, a.Target+": "+UnknownSource(name, o.Source, sources))
			}
		}
		if a.Matching < 0 {
			problems = append(problems, a.Target+": the matching priority is 1 or more, or 0 for none")
		}
		if err := Parse(a.Expression); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", a.Target, err))
		}
		for _, problem := range []string{o.referenceProblem(a), o.placeProblem(a)} {
			if problem != "" {
				problems = append(problems, problem)
			}
		}
	}
	for _, f := range o.Scope {
		for _, c := range f.Clauses {
			if operators[strings.ToUpper(c.Operator)].regexp && len(c.Values) > 0 {
				if err := checkRegexp(c.Values[0]); err != nil {
					problems = append(problems, fmt.Sprintf("the filter %q: %v", f.Name, err))
				}
			}
			if used := operators[strings.ToUpper(c.Operator)].values; len(c.Values) > used &&
				slices.ContainsFunc(c.Values[used:], func(v string) bool { return v != "" }) {
				problems = append(problems, names.Counted(
					"the filter %q: %s compares with %d {value|values}; write a clause, or a filter, for each",
					f.Name, c.Operator, used,
				))
			}
			if !known(c.Attribute) {
				problems = append(
					problems, fmt.Sprintf("the filter %q: %s", f.Name, UnknownSource(c.Attribute, o.Source, sources)),
				)
			}
		}
	}
	return problems
}

// UnknownSource says that objects of the directory have no such attribute, and which one may be
// meant.
func UnknownSource(name, kind string, sources []string) string {
	return unknown(name, kind, "this directory", sources)
}

// referenceProblem refuses references where they would be empty: they are ids of other objects, and
// only one attribute of the target takes each.
func (o Object) referenceProblem(a Attribute) string {
	reference, target := "manager", userURN+":manager"
	if o.Source == "Group" {
		reference, target = "members", "members"
	}
	if !slices.Contains(SourcesOf(a.Expression), reference) {
		return ""
	}
	if how, name := Kind(a.Expression); how == "Attribute" && name == reference && a.Target == target {
		return ""
	}
	return fmt.Sprintf("%s: %s is a reference: map it alone, as [%[2]s], to %[3]s", a.Target, reference, target)
}

// The attributes of SCIM's core schemas that the engine can send. Source: RFC 7643 section 4.1,
// 4.2 and 4.3.
var (
	coreTargets = map[string][]string{
		"User": {
			"userName", "displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale",
			"timezone", "active", "externalId", "password", "name.formatted", "name.familyName", "name.givenName",
			"name.middleName", "name.honorificPrefix", "name.honorificSuffix",
		},
		"Group": {"displayName", "externalId", "members"},
	}
	enterpriseTargets = []string{"employeeNumber", "costCenter", "organization", "division", "department", "manager"}
	listTargets       = []string{
		"emails", "phoneNumbers", "ims", "photos", "addresses", "entitlements", "roles", "x509Certificates",
	}
	entryParts   = []string{"value", "display", "type", "primary"}
	addressParts = []string{
		"formatted", "streetAddress", "locality", "region", "postalCode", "country", "type", "primary",
	}
	// entryPath is emails[type eq "work"].value or roles[primary eq "True"].value.
	entryPath = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([A-Za-z0-9]+)\[(?:type eq "[^"]+"|primary eq "?(?i:true)"?)\]\.([A-Za-z]+)$`)
	})
	// extensionPath is an attribute of an extension, such as urn:example:User:badge.
	extensionPath = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^urn:[^\s:]+:[^\s\[\]]*:?[A-Za-z][\w$-]*(\.[A-Za-z][\w$-]*)?$`)
	})
)

// targetProblem says why nothing can be sent to a target's attribute, or "".
func (o Object) targetProblem(target string) string {
	kind := o.Source
	if kind == "User" && RolesTarget(target) {
		return ""
	}
	const where = "the target's schema"
	if name, ok := strings.CutPrefix(target, userURN+":"); ok && kind == "User" {
		if slices.Contains(enterpriseTargets, name) {
			return ""
		}
		return unknown(name, kind, "the enterprise extension", enterpriseTargets)
	}
	if m := entryPath().FindStringSubmatch(target); m != nil && kind == "User" {
		parts := entryParts
		if m[1] == "addresses" {
			parts = addressParts
		}
		switch {
		case !slices.Contains(listTargets, m[1]):
			return unknown(m[1], kind, where, listTargets)
		case !slices.Contains(parts, m[2]):
			return unknown(m[2], kind, m[1], parts)
		}
		return ""
	}
	if slices.Contains(coreTargets[kind], target) || extensionPath().MatchString(target) {
		return ""
	}
	return unknown(target, kind, where, coreTargets[kind])
}

// unknown says that there is no such attribute, and which one may be meant.
func unknown(name, kind, where string, known []string) string {
	text := fmt.Sprintf("%s is not an attribute of %ss in %s", quoted(name), strings.ToLower(kind), where)
	if near := names.Nearest(name, known); near != "" {
		text += "; did you mean " + near + "?"
	}
	return text
}

// maxNameShown bounds how much of a name that somebody sent is said back.
const maxNameShown = 100 //bound:text an unknown attribute, in a refusal

func quoted(name string) string {
	if r := []rune(name); len(r) > maxNameShown {
		name = string(r[:maxNameShown]) + "…"
	}
	return fmt.Sprintf("%q", name)
}
