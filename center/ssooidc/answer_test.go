package ssooidc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/ssooidc"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestEveryReasonHasAnAnswer: whatever the center refuses, clients get the exception's name for the
// header and OAuth's error for the body, and nothing of the reason's detail.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	for _, code := range center.Refusals.All() {
		f := ssooidc.Answer(&refusal.Error{Code: code, Detail: "a detail"})
		if !strings.HasSuffix(f.Exception, "Exception") || f.Error == "" || f.Description == "" || f.Status < 400 ||
			strings.Contains(f.Description, "a detail") {
			t.Errorf("%s: %+v", code, f)
		}
	}
	if f := ssooidc.Answer(errors.New("a secret of the database")); f.Status != 500 ||
		strings.Contains(f.Description, "secret") {
		t.Errorf("an unknown error: %+v; its text is not for strangers", f)
	}
}
