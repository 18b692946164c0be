package graphserver

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestEveryReasonHasAnAnswer: whatever the tenant refuses, Graph's clients get a status, a code and
// a text.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	for _, code := range tenant.Refusals.All() {
		if e := answerTo(&refusal.Error{Code: code}); e.status < 400 || e.code == "" || e.message == "" {
			t.Errorf("%s: %+v", code, e)
		}
	}
	if e := answerTo(errors.New("a secret of the database")); e.status != 500 || strings.Contains(e.message, "secret") {
		t.Errorf("an unknown error: %+v; its text is not for strangers", e)
	}
}
