package accountaccess_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/accountaccess"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestEveryReasonHasAnAnswer: whatever the center refuses, this door's clients get one of AWS's
// exceptions with a text.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	for _, code := range center.Refusals.All() {
		e := accountaccess.Answer(&refusal.Error{Code: code})
		if !strings.HasSuffix(e.Code, "Exception") || e.Message == "" {
			t.Errorf("%s: %+v", code, e)
		}
	}
	for code, status := range map[refusal.Code]int{
		center.QuotaExceeded: 402, center.NotAllowed: 403, center.EntitlementNotFound: 404,
		center.EntitlementsRemain: 409, center.AccessManagerExists: 0,
	} {
		if e := accountaccess.Answer(&refusal.Error{Code: code}); e.Status != status {
			t.Errorf("%s: %+v, want %d", code, e, status)
		}
	}
	e := accountaccess.Answer(errors.New("a secret of the database"))
	if e.Status != 500 || strings.Contains(e.Message, "secret") {
		t.Errorf("an unknown error: %+v; its text is not for strangers", e)
	}
}
