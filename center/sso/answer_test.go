package sso_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/sso"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestEveryReasonHasAnAnswer: whatever the center refuses, this door's clients get an exception
// with a text, and nothing of the reason's detail.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	for _, code := range center.Refusals.All() {
		if e := sso.Answer(&refusal.Error{Code: code, Detail: "a detail"}); !strings.HasSuffix(e.Code, "Exception") ||
			e.Message == "" || e.Status < 400 || strings.Contains(e.Message, "a detail") {
			t.Errorf("%s: %+v", code, e)
		}
	}
	if e := sso.Answer(errors.New("a secret of the database")); e.Status != 500 ||
		strings.Contains(e.Message, "secret") {
		t.Errorf("an unknown error: %+v; its text is not for strangers", e)
	}
}
