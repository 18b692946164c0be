package names

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func TestFold(t *testing.T) {
	for _, same := range [][2]string{
		{"MIKE@Example.COM", "mike@example.com"},
		{"Jos\u00e9@example.com", "jose\u0301@EXAMPLE.com"}, // one character, and two
		{"\u00c4nne", "A\u0308nne"},
	} {
		if !Equal(same[0], same[1]) {
			t.Errorf("%q and %q are two names: %q, %q", same[0], same[1], Fold(same[0]), Fold(same[1]))
		}
	}
	for _, other := range [][2]string{
		{"mi\u212ae@example.com", "mike@example.com"}, // KELVIN SIGN
		{"m\u0130ke@example.com", "mike@example.com"}, // I WITH DOT ABOVE
		{"m\u0131ke@example.com", "mike@example.com"}, // DOTLESS I
		{"\u017fue@example.com", "sue@example.com"},   // LONG S
		{"\u212bsa", "\u00c5sa"},                      // ANGSTROM SIGN
		{"\u00c4nne", "\u00e4nne"},                    // letter case beyond ASCII
		{"mike\u200b", "mike"}, {"mike ", "mike"}, {"\uff4dike", "mike"},
	} {
		if Equal(other[0], other[1]) {
			t.Errorf("%q and %q are one name", other[0], other[1])
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, seed := range [][2]string{
		{"mike", "MIKE"}, {"mi\u212ae", "mike"}, {"m\u0130ke", "mike"}, {"jose\u0301", "JOS\u00e9"},
		{"\u212b", "\u00c5"}, {"\xff", "\ufffd"}, {"K\u0301", "\u212a\u0301"}, {"H\u0331", "\u1e96"},
	} {
		f.Add(seed[0], seed[1])
	}
	canonical := func(s string) string { return norm.NFC.String(lower(norm.NFC.String(s))) }
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, "\ufffd"), strings.ToValidUTF8(b, "\ufffd")
		for _, b := range []string{
			b, lower(a), strings.ToUpper(a), strings.ToLower(a), norm.NFC.String(a), norm.NFD.String(a),
			norm.NFKC.String(a),
		} {
			if Fold(a) == Fold(b) && canonical(a) != canonical(b) {
				t.Errorf("%q and %q are one name", a, b)
			}
			if isASCII(a) && !isASCII(b) && Fold(a) == Fold(b) {
				t.Errorf("%q becomes %q", b, a)
			}
		}
		if Fold(Fold(a)) != Fold(a) || Normal(Normal(a)) != Normal(a) {
			t.Errorf("%q folds twice", a)
		}
		if n := Normal(a); Fold(n) != canonical(a) || !Equal(n, lower(n)) {
			t.Errorf("%q is kept as %q, which is found by %q and %q", a, n, Fold(n), Fold(lower(n)))
		}
	})
}
