package pairtest

import (
	"regexp"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/mail"
)

// Newest waits for one mail more than there were, and returns what a pattern finds in it.
func Newest(t testing.TB, o *mail.Outbox, have int, pattern string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // a poll
		if m := o.Messages(); len(m) > have {
			found := regexp.MustCompile(pattern).FindString(m[0].Text)
			if found == "" {
				t.Fatalf("no %s in %s", pattern, m[0].Text)
			}
			return found
		}
		if time.Now().After(deadline) {
			t.Fatal("no mail came")
		}
	}
}
