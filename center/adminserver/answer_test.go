package adminserver_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/adminserver"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestEveryReasonHasAnAnswer: whatever the center refuses, this door's clients get one of AWS's
// exceptions with a text.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	for _, code := range center.Refusals.All() {
		e := adminserver.Answer(&refusal.Error{Code: code})
		if !strings.HasSuffix(e.Code, "Exception") || e.Message == "" {
			t.Errorf("%s: %+v", code, e)
		}
	}
	if e := adminserver.Answer(errors.New("a secret of the database")); e.Status != 500 ||
		strings.Contains(e.Message, "secret") {
		t.Errorf("an unknown error: %+v; its text is not for strangers", e)
	}
}
