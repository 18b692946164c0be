package center_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/saml"
)

// TestEveryCheckHasARemedy: whichever check of a SAML response fails, the administrator who asks
// why is told what to do, and nothing is kept for checks that are gone.
func TestEveryCheckHasARemedy(t *testing.T) {
	names := slices.Clone(center.OwnChecks)
	for _, check := range saml.Checks() {
		names = append(names, check.String())
	}
	for _, name := range names {
		if center.CheckRemedies[name] == "" {
			t.Errorf("the check %q has no remedy", name)
		}
	}
	for name := range center.CheckRemedies {
		if !slices.Contains(names, name) {
			t.Errorf("there is no check %q", name)
		}
	}
}
