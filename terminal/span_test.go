package terminal_test

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/terminal"
)

func TestALengthOfTimeIsReadAsItIsWritten(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 30 * 24 * time.Hour, "8h": 8 * time.Hour, "15m": 15 * time.Minute, "90m": 90 * time.Minute, "0d": 0,
	} {
		got, err := terminal.ParseSpan(text)
		if err != nil || got != want || terminal.Span(got) != text {
			t.Errorf("%s is %v, %v, and written %s", text, got, err, terminal.Span(got))
		}
	}
	for _, text := range []string{"", "d", "-1d", "soon", "-8h", "30", "99999999999d"} {
		if got, err := terminal.ParseSpan(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	if got := terminal.Tail("arn:aws:sso:::permissionSet", 10); got != "…issionSet" {
		t.Errorf("the end of it is %q", got)
	}
}
