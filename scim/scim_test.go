package scim

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestParseFilter(t *testing.T) {
	for text, want := range map[string]Filter{
		`userName eq "ada"`:            Compare{"userName", "eq", "ada"},
		`userName EQ "a \"b\" \u00e9"`: Compare{"userName", "eq", `a "b" é`},
		`active eq True`:               Compare{"active", "eq", true},
		`title pr`:                     Compare{"title", "pr", nil},
		`a eq "1" and b eq "2" or c eq "3"`: Or{
			And{Compare{"a", "eq", "1"}, Compare{"b", "eq", "2"}}, Compare{"c", "eq", "3"},
		},
		`a eq "1" and (b eq "2" or c pr)`: And{
			Compare{"a", "eq", "1"}, Or{Compare{"b", "eq", "2"}, Compare{"c", "pr", nil}},
		},
		`not (a eq "1")`:                     Not{Compare{"a", "eq", "1"}},
		`emails[type eq "work"]`:             ValuePath{"emails", Compare{"type", "eq", "work"}},
		`meta.created gt "2026"`:             Compare{"meta.created", "gt", "2026"},
		`x eq 12`:                            Compare{"x", "eq", "12"},
		EnterpriseURN + `:department eq "x"`: Compare{EnterpriseURN + ":department", "eq", "x"},
	} {
		if got, err := ParseFilter(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v; want %#v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", `x eq`, `x eq "`, `x eq y`, `x is "y"`, `(x pr`, `x pr)`, `x[y pr`,
		`not x pr`, `x eq "1" and`, `"x" eq "y"`,
		strings.Repeat("(", 100) + "x pr" + strings.Repeat(")", 100), strings.Repeat("x pr or ", 2000) + "x pr"} {
		var e *Error
		if f, err := ParseFilter(text); !errors.As(err, &e) || e.Type != InvalidFilter {
			t.Errorf("%.40s: %#v, %v; want invalidFilter", text, f, err)
		}
	}
}

func TestParsePathSplitsAtTheURN(t *testing.T) {
	for text, want := range map[string][3]string{ // URN, attribute, sub-attribute
		"active": {"", "active", ""}, "NAME.givenname": {"", "name", "givenName"},
		UserURN + ":userName":            {"", "userName", ""},
		EnterpriseURN + ":department":    {EnterpriseURN, "department", ""},
		EnterpriseURN + ":manager.value": {EnterpriseURN, "manager", "value"},
		"manager":                        {EnterpriseURN, "manager", ""},
		`emails[type eq "work"].value`:   {"", "emails", "value"}, `members[value eq "x.y]z"]`: {"", "members", ""},
	} {
		schema := UserSchema
		if strings.HasPrefix(text, "members") {
			schema = GroupSchema
		}
		p, err := schema.ParsePath(text)
		if got := [3]string{p.URN, p.Attribute.Name, p.Sub}; err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "shoeSize", "name.shoeSize", "emails[type", `title[type eq "x"]`, "a..b"} {
		if p, err := UserSchema.ParsePath(text); err == nil {
			t.Errorf("%q: accepted as %+v", text, p)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, text := range []string{
		`userName eq "x"`, `emails[type eq "work" and value co "@"]`, `not (a pr) or b ge 3`, `a eq "\ud83d"`, "(((",
		"\x00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if filter, err := ParseFilter(text); err == nil && filter == nil {
			t.Fatal("neither a filter nor an error")
		}
	})
}

func FuzzPatch(f *testing.F) {
	f.Add("Replace", `emails[type eq "work"].value`, `"a@b.c"`)
	f.Add("remove", "name.givenName", "")
	f.Add(
		"add", "",
		`{"name.familyName":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":null}}`,
	)
	f.Add("add", "addresses", `[{"type":"work"},"x",null]`)
	f.Fuzz(func(t *testing.T, op, path, value string) {
		o := Operation{Op: op, Path: path}
		if value != "" {
			if !json.Valid([]byte(value)) {
				return
			}
			o.Value = jsontext.Value(value)
		}
		changes, err := UserSchema.ParseOperation(o)
		if err != nil {
			return
		}
		r := Resource{
			"userName": "x",
			"emails":   []any{map[string]any{"type": "work", "value": "a@b.c"}},
			"name":     map[string]any{"givenName": "G"},
		}
		for _, c := range changes {
			_ = c.Apply(r) // must not panic
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatalf("the result is not JSON: %v", err)
		}
	})
}
