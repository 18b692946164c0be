package authn_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/authn"
)

func TestABearerTokenNeedsItsScheme(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "BEARER   abc ": "abc", "bEaReR a b": "a b",
		"": "", "abc": "", "Bearer": "", "Bearer ": "", "Bearerabc": "", "Basic abc": "", " Bearer abc": "",
		"Bearer\tabc": "", "Token abc": "",
	} {
		if got, ok := authn.BearerToken(header); got != want || ok != (want != "") {
			t.Errorf("%q: %q %t, want %q", header, got, ok, want)
		}
	}
}
