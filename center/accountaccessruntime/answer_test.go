package accountaccessruntime_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/accountaccessruntime"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestEveryReasonHasAnAnswer: whatever the center refuses, this door's clients get one of the five
// exceptions of the API. What the API does to somebody who has a token is tried with the aws CLI,
// beside the door of account-access.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	five := []string{
		"ValidationException", "UnauthorizedException", "AccessDeniedException", "ThrottlingException",
		"InternalServerException",
	}
	for _, code := range center.Refusals.All() {
		e := accountaccessruntime.Answer(&refusal.Error{Code: code})
		if !slices.Contains(five, e.Code) || e.Message == "" || e.Status < 400 {
			t.Errorf("%s: %+v", code, e)
		}
	}
	e := accountaccessruntime.Answer(errors.New("a secret of the database"))
	if e.Status != 500 || strings.Contains(e.Message, "secret") {
		t.Errorf("an unknown error: %+v; its text is not for strangers", e)
	}
}
