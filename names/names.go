// Package names says when two names are the same: user names, email addresses and names of groups,
// in stores and doors, in SAML and in provisioning. If two places decided that differently, one
// user could sign in as another.
//
// Letter case is ignored for ASCII letters only. Unicode's lowercase maps other letters to ASCII:
// U+212A, the Kelvin sign, to k, and U+0130 to i. Anyone who can choose a name could then choose
// one that becomes somebody else's. Names are kept in Unicode's normalization form C (UAX #15),
// since the same accented letter can be written as one character or as two.
//
// It also says which known name somebody may have meant, for a refusal, and puts what is counted
// into the singular or the plural.
//
// It imports nothing of ours.
package names

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold is the form of a name that is compared and found by.
func Fold(name string) string {
	if isASCII(name) {
		return strings.ToLower(name)
	}
	if hasAlias(name) {
		return lower(name)
	}
	// Some accents are one character with small letters, but not with capital ones.
	return norm.NFC.String(lower(norm.NFC.String(name)))
}

// lower makes small letters of ASCII's capital ones.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// Equal says whether two names are the same.
func Equal(a, b string) bool { return a == b || Fold(a) == Fold(b) }

// Normal is the form in which a name is kept.
func Normal(name string) string {
	if isASCII(name) {
		return name
	}
	return norm.NFC.String(name)
}

// Visible says whether a name has only characters that AWS allows in user names: letters, marks,
// symbols, numbers and punctuation. Blanks are none of these, nor are controls and formats, which
// are not seen or turn the rest around. Source: IdentityStore model, UserName.
func Visible(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < '!' || r > '~') && !unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P)
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// hasAlias says whether a text has a character that the normal form replaces by another single one,
// as it does with the Kelvin sign and K. Such a text is not normalized to be found: it is no other
// writing of a name, it is another name.
func hasAlias(text string) bool {
	for _, r := range text {
		if r < utf8.RuneSelf {
			continue
		}
		if one := string(r); !norm.NFC.IsNormalString(one) {
			if other := norm.NFC.String(one); other != one && utf8.RuneCountInString(other) == 1 {
				return true
			}
		}
	}
	return false
}
