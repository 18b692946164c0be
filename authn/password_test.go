package authn

import (
	"strings"
	"testing"
)

// TestTheAbsentPasswordCostsAsMuchAsARealOne keeps the constant in step with the parameters: it
// must take as long, and match nothing.
func TestTheAbsentPasswordCostsAsMuchAsARealOne(t *testing.T) {
	parameters := func(hash string) string {
		return hash[:strings.LastIndex(hash[:strings.LastIndexByte(hash, '$')], "$")]
	}
	if got, want := parameters(absentHash()), parameters(HashPassword("x")); got != want ||
		len(absentHash()) != len(HashPassword("x")) {
		t.Errorf("the parameters are %s, those of passwords %s", got, want)
	}
	for _, password := range []string{"", "no such user", absentHash()} {
		if CheckPassword("", password) {
			t.Errorf("%q opens an account that does not exist", password)
		}
	}
}
