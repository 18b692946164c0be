package graph

import (
	"strings"
	"testing"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	ada := map[string]any{
		"displayName":                   "Ada O'Hara",
		"accountEnabled":                true,
		"department":                    "R&D (UK)",
		"level":                         3.0,
		"createdDateTime":               "2026-01-02T00:00:00Z",
		"onPremisesExtensionAttributes": map[string]any{"extensionAttribute1": "x"},
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
		"createdDateTime ge 2026-01-01T00:00:00Z":                  true,
		"onPremisesExtensionAttributes/extensionAttribute1 eq 'X'": true, "mail/x eq 'y'": false,
		"department eq 'x' and level eq 3 or accountEnabled eq true":   true,
		"department eq 'x' and (level eq 3 or accountEnabled eq true)": false,
		"accountEnabled eq 'true'":                                     false, "level eq '3'": false,
	} {
		c, err := ParseFilter(filter)
		if err != nil || c.Meets(ada) != want {
			t.Errorf("%s: %v, want %v", filter, err, want)
		}
	}
	for _, filter := range []string{"", "displayName", "displayName eq", "eq 'x'", "displayName eq 'x",
		"displayName like 'x'", "(level eq 3", "level eq 3)", "startswith(displayName)", "startswith(displayName,3)",
		"displayName in ()", "displayName in ('a'", "displayName in (" + strings.Repeat("'a',", 16) + "'a')",
		strings.Repeat("not ", 40) + "level eq 3", strings.Repeat("a", 5000), "level eq 3 4", "'x' eq 'x'"} {
		if _, err := ParseFilter(filter); err == nil {
			t.Errorf("%.40s is taken", filter)
		}
	}
	for filter, advanced := range map[string]bool{
		"a eq 'b'":              false,
		"a ne 'b'":              true,
		"not a eq 'b'":          true,
		"endswith(a,'b')":       true,
		"a eq 'b' or b eq null": true,
		"startswith(a,'b')":     false,
	} {
		if c, err := ParseFilter(filter); err != nil || c.Advanced() != advanced {
			t.Errorf("%s: advanced %v, %v", filter, c.Advanced(), err)
		}
	}
	if c, _ := ParseFilter("a eq 'b'"); !equalsIs(c, "a", "b") {
		t.Error("a simple comparison is not told")
	}
	if c, _ := ParseFilter("a eq 'b' and c eq 'd'"); equalsIs(c, "a", "b") {
		t.Error("two comparisons are told as one")
	}
}

func equalsIs(c Condition, property, value string) bool {
	v, ok := c.Equals(property)
	_, other := c.Equals(property + "x")
	return ok && v == value && !other
}

// FuzzParseFilter: whatever is asked, parsing ends, and what is taken can be applied.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		"a eq 'b''c' and not (d ne null)", "startswith(a,'b') or c in (1,true,'x')", "a/b ge 2026-01-01",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		if c, err := ParseFilter(text); err == nil {
			c.Meets(map[string]any{"a": "b", "c": true, "d": 1.0})
		}
	})
}
