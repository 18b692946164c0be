package scim

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	other "github.com/scim2/filter-parser/v2"
)

func FuzzParsePath(f *testing.F) {
	for _, text := range []string{"active", "name.givenName", `emails[type eq "work"].value`,
		EnterpriseURN + ":manager.value", UserURN + ":userName", "manager",
		`addresses[type eq "work" and primary eq true].locality`,
		"members[value eq \"]\"]", "a[b", "..", "urn:", strings.Repeat("[", 40), "\x00", "é.è"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range []Schema{UserSchema, GroupSchema} {
			p, err := s.ParsePath(text)
			if err == nil && (p.Attribute.Name == "" || p.Filter != nil && len(p.Attribute.Sub) == 0) {
				t.Fatalf("%q is %+v", text, p)
			}
		}
	})
}

// FuzzResource brings resources into canonical form: no panic, and doing it twice changes nothing.
func FuzzResource(f *testing.F) {
	for _, text := range []string{`{"userName":"ada","active":"False","emails":[{"value":"a@b.c","primary":"true"}]}`,
		`{"` + EnterpriseURN + `":{"manager":"boss"}}`, `{"EMAILS":{"value":"x"},"name":null}`,
		`{"emails":["a",1,null,[[]]]}`, `{"active":2,"x":{"y":[{}]}}`, `{"manager":[{"$ref":"x","value":"boss"}]}`,
		`{"a":"\ud83d"}`, `{"userName":"x","USERNAME":"y"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Resource
		if Decode(data, &r) != nil || r == nil {
			return
		}
		for _, s := range []Schema{UserSchema, GroupSchema} {
			once, _, err := s.Normalize(r)
			if err != nil {
				continue
			}
			twice, unknown, err := s.Normalize(once)
			if err != nil || len(unknown) > 0 || !reflect.DeepEqual(once, twice) {
				t.Fatalf("%s: %v then %v, unknown %v, %v", data, once, twice, unknown, err)
			}
			s.Project(once, []string{"userName", "emails.value", EnterpriseURN + ":manager"}, nil)
			s.SortKey(once, "emails.value")
			if _, err := json.Marshal(once); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzMatch runs filters over a resource: no panic, and a filter and its opposite never agree.
func FuzzMatch(f *testing.F) {
	for _, text := range []string{
		`userName eq "ada"`, `emails[type eq "work" and value co "@"]`, `title pr or not (active eq true)`,
		`meta.created gt "2026-01-01T00:00:00Z"`, `name.familyName sw "L"`,
	} {
		f.Add(text)
	}
	r := Resource{
		"userName": "ada",
		"active":   true,
		"emails":   []any{map[string]any{"value": "a@b.c", "type": "work", "primary": true}},
		"meta":     map[string]any{"created": "2026-11-25T12:00:00Z"},
		"name":     map[string]any{"familyName": "Lovelace"},
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := ParseFilter(text)
		if err != nil || UserSchema.CheckFilter(filter) != nil {
			return
		}
		if UserSchema.Matches(filter, r) == UserSchema.Matches(Not{filter}, r) {
			t.Fatalf("%q and its opposite agree", text)
		}
	})
}

// FuzzFilterLikeAnother compares with an independent parser of the same grammar: whatever that one
// accepts, this one does too.
func FuzzFilterLikeAnother(f *testing.F) {
	for _, text := range []string{
		`userName eq "x"`, `a.b pr`, `not (a pr) or b ge 3`, `emails[type eq "work"]`,
		`a eq true and (b eq null or c ne -1.5e3)`, `urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// it lets an attribute have the name not
		if len(text) > 200 || strings.Contains(strings.ToLower(text), "not") || !utf8.ValidString(text) {
			return
		}
		if _, err := other.ParseFilter([]byte(text)); err != nil {
			return
		}
		if _, err := ParseFilter(text); err != nil && !strings.Contains(err.Error(), "nested") {
			t.Fatalf("%q is refused: %v", text, err)
		}
	})
}

// TestHostileFiltersEndSoon: what is too long or too deep is refused before it is parsed to its
// end.
func TestHostileFiltersEndSoon(t *testing.T) {
	for name, text := range map[string]string{
		"100,000 terms":       strings.Repeat(`userName eq "x" or `, 100_000) + "title pr",
		"deep":                strings.Repeat("not (", 2000) + "a pr" + strings.Repeat(")", 2000),
		"brackets":            strings.Repeat("a[", 4000),
		"a quote without end": `a eq "` + strings.Repeat("x", 8000),
		"escapes":             `a eq "` + strings.Repeat(`\\`, 4000) + `"x`, "10 MB": strings.Repeat("x", 10<<20),
	} {
		if _, err := ParseFilter(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
