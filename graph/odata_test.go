package graph

import (
	"fmt"
	"strings"
	"testing"
)

// person is a type of resource with a property of every kind.
var person = Schema{"person", Properties{
	"accountEnabled":  {Kind: Truth},
	"createdDateTime": {Kind: Moment},
	"department":      {Kind: Text},
	"description":     {Kind: Text},
	"displayName":     {Kind: Text},
	"level":           {Kind: Number},
	"mail":            {Kind: Text},
	"managerId":       {Kind: GUID},
	"tags":            {Kind: Text, Many: true},
	"keys":            {Kind: Complex, Many: true, Of: Properties{"usage": {Kind: Text}, "end": {Kind: Moment}}},
	"onPremisesExtensionAttributes": {
		Kind: Complex, Of: Properties{"extensionAttribute1": {Kind: Text}, "extensionAttribute2": {Kind: Text}},
	},
}}

func TestFilters(t *testing.T) {
	t.Parallel()
	ada := map[string]any{
		"displayName":                   "Ada O'Hara",
		"accountEnabled":                true,
		"department":                    "R&D (UK)",
		"level":                         3.0,
		"createdDateTime":               "2026-01-02T00:00:00Z",
		"managerId":                     "7f0e1a3c-0000-4000-8000-00000000000a",
		"onPremisesExtensionAttributes": map[string]any{"extensionAttribute1": "x"},
		"tags":                          []string{"red", "blue"},
		"keys": []any{
			map[string]any{"usage": "Sign", "end": "2027-01-01T00:00:00Z"}, map[string]any{"usage": "Verify"},
		},
	}
	for filter, want := range map[string]bool{
		"displayName eq 'ada o''hara'": true, "displayName eq 'Ada'": false, "displayName ne 'Ada'": true,
		"accountEnabled eq true": true, "accountEnabled eq false": false,
		"department eq 'R&D (UK)' and accountEnabled eq true": true, "department eq 'x' or level ge 3": true,
		"level gt 3": false, "level lt 4": true, "level le 2": false,
		"not (level eq 3)": false, "not startswith(displayName,'B')": true, "startsWith(displayName, 'ada')": true,
		"endswith(displayName,'HARA')": true, "contains(displayName,'o''')": true,
		"mail eq null": true, "displayName eq null": false, "mail ne null": false, "mail eq 'x'": false,
		"displayName in ('Bob', 'Ada O''Hara')": true, "displayName in ('Bob')": false,
		"createdDateTime ge 2026-01-01T00:00:00Z": true, "createdDateTime ge 2026-01-02T01:00:00+02:00": true,
		"createdDateTime lt 2026-01-02": false, "createdDateTime eq 2026-01-02T00:00:00.000Z": true,
		"onPremisesExtensionAttributes/extensionAttribute1 eq 'X'":                                  true,
		"onPremisesExtensionAttributes/extensionAttribute2 eq null":                                 true,
		"department eq 'x' and level eq 3 or accountEnabled eq true":                                true,
		"department eq 'x' and (level eq 3 or accountEnabled eq true)":                              false,
		"DISPLAYNAME eq 'Ada O''Hara' and onpremisesextensionattributes/ExtensionAttribute1 eq 'x'": true,
		"managerId eq 7F0E1A3C-0000-4000-8000-00000000000A":                                         true,
		"tags/any(t:t eq 'RED')": true, "tags/any(t:t eq 'green')": false, "tags/any(t : t eq 'red')": true,
		"tags/any (p:startsWith(p, 'bl'))": true, "tags/any()": true, "not tags/any(t:t eq 'green')": true,
		"tags/all(t:startswith(t,'b'))": false, "tags/all(t:t ne 'green')": true,
		"tags/$count eq 2": true, "tags/$count ne 2": false, "keys/$count gt 2": false,
		"keys/any(k:k/usage eq 'Sign' and k/end gt 2026-12-31)":    true,
		"keys/any(k:k/usage eq 'Verify' and k/end ne null)":        false,
		"keys/any(k:k/Usage eq 'Sign' and level eq 3)":             true,
		"keys/any(k:tags/any(t:t eq 'red' and k/usage eq 'Sign'))": true,
	} {
		c, err := ParseFilter(filter, person)
		if err != nil || c.Meets(ada) != want {
			t.Errorf("%s: %v, want %v", filter, err, want)
		}
	}
	if c, err := ParseFilter("keys/all(k:k/usage eq 'x')", person); err != nil || !c.Meets(map[string]any{}) {
		t.Errorf("all of nothing: %v", err)
	}
}

func TestFiltersThatAreNotUnderstood(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"": "missing", "displayName": "operator", "displayName eq": "missing", "eq 'x'": "named 'eq'",
		"displayName eq 'x": "unterminated string literal", "displayName like 'x'": "operator",
		"(level eq 3": "missing", "level eq 3)": "not expected", "startswith(displayName)": "missing",
		"startswith(displayName,3)": "startswith", "startswith(level,'3')": "startswith",
		"displayName in ()":   "missing",
		"displayName in ('a'": "missing", "displayName in (" + strings.Repeat("'a',", 16) + "'a')": "at most 15",
		strings.Repeat("not ", 40) + "level eq 3": "too deeply", strings.Repeat("a", 5000): "too long",
		"level eq 3 4": "not expected", "'x' eq 'x'": "missing", "shoeSize eq 4": "named 'shoeSize' on type",
		"mail/x eq 'y'": "named 'mail/x'", "length(mail) eq 3": "unknown function with name 'length'",
		"accountEnabled eq 'true'": "'Edm.Boolean' and 'Edm.String' for operator kind 'Equal'",
		"level ne '3'":             "'Edm.Int32' and 'Edm.String' for operator kind 'NotEqual'",
		"displayName eq 3":         "'Edm.String' and 'Edm.Int32'", "displayName eq Ada": "is no value",
		"tags eq 'red'": "Collection(Edm.String)", "displayName/any(d:d eq 'x')": "following a collection",
		"createdDateTime ge '2026-01-01'":              "'Edm.DateTimeOffset' and 'Edm.String'",
		"createdDateTime ge 2026-13-01":                "DateTimeOffset text '2026-13-01'",
		"id eq 7f0e1a3c-0000-4000-8000-00000000000a":   "named 'id'",
		"mail eq 7f0e1a3c-0000-4000-8000-00000000000a": "'Edm.String' and 'Edm.Guid'",
		"tags/any(t eq 'x')":                           "range variable", "tags/all()": "range variable",
		"keys/any(k:k/x eq 'y')": "named 'x'", "keys/any(k:t eq 'y')": "named 't'",
		"tags/any(t:t eq 'x'":                        "missing",
		"tags/$count eq 'x'":                         "Edm.Int32",
		"tags/any(a:tags/any(b:tags/any(c:c eq a)))": "range variable",
	} {
		if _, err := ParseFilter(filter, person); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", filter, err, want)
		}
	}
}

func TestWhatFiltersUse(t *testing.T) {
	t.Parallel()
	c, err := ParseFilter(
		"not (MAIL eq null) and tags/any(t:t ne 'x') or keys/$count eq 0 and endswith(mail,'x')", person,
	)
	want := "[{ not} {mail eq null} {tags any} {tags ne} {keys $count} {keys eq} {mail endsWith}]"
	if got := fmt.Sprint(c.Uses()); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for filter, want := range map[string]bool{
		"Mail eq 'b'": true, "level eq 3 and (mail eq 'b' and not tags/any())": true,
		"mail eq 'b' or level eq 3": false, "not (mail eq 'b')": false, "mail ne 'b'": false,
		"keys/any(k:mail eq 'b')": false,
	} {
		c, err := ParseFilter(filter, person)
		value, ok := c.Equals("mail")
		if err != nil || ok != want || ok && value != "b" {
			t.Errorf("%s: %q, %v, %v", filter, value, ok, err)
		}
	}
}

func TestSearches(t *testing.T) {
	t.Parallel()
	o := map[string]any{
		"displayName": "Ben O'Neill-McTavish",
		"description": "OneVideo hello.world team42",
		"mail":        "Ben@Northwind.example",
	}
	for search, want := range map[string]bool{
		`"displayName:ben"`: true, `"displayName:Ne"`: true, `"displayName:eill"`: false,
		`"displayName:nothing"`: false,
		`"displayName:O'N"`:     true, `"DisplayName:tavish ben"`: true, `"displayName:oneillmctavish"`: true,
		`"description:video"`: true, `"description:one"`: true, `"description:helloworld"`: true,
		`"description:42"`: true, `"description:am42"`: false, `"mail:ben@north"`: true, `"mail:north"`: false,
		`"displayName:x" OR "mail:ben"`: true, `"displayName:x" AND "mail:ben"`: false,
		`"displayName:ben" AND ("mail:x" OR "description:Video")`: true,
		`"displayName:x" OR "mail:x" AND "displayName:ben"`:       false,
		`("displayName:x" OR "displayName:ben") AND "mail:b"`:     true,
	} {
		s, err := ParseSearch(search, person)
		if err != nil || s.Meets(o) != want {
			t.Errorf("%s: %v, want %v", search, err, want)
		}
	}
	for _, search := range []string{
		``, `ben`, `"ben"`, `"displayName:"`, `"displayName:ben`, `"displayName:ben" or "mail:x"`, `"shoeSize:4"`,
		`"accountEnabled:true"`, `"tags:red"`, `("displayName:ben"`, `"displayName:a" "mail:x"`, `"displayName:a" OR`,
		strings.Repeat("(", 20) + `"mail:x"`, `"mail:` + strings.Repeat("x", 2000) + `"`,
	} {
		if _, err := ParseSearch(search, person); err == nil {
			t.Errorf("%.40s is taken", search)
		}
	}
}

// FuzzParseFilter: whatever is asked, parsing ends, and what is taken can be applied.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		"mail eq 'b''c' and not (level ne null)", "startswith(mail,'b') or level in (1,2)", "tags/any(t:t eq 'x')",
		"keys/all(k:k/end ge 2026-01-01 and tags/any(t:t eq 'x'))",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		if c, err := ParseFilter(text, person); err == nil {
			c.Meets(map[string]any{"mail": "b", "tags": []string{"x"}, "level": 1.0, "keys": []any{nil}})
		}
	})
}
