package audit

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAnEventIsBounded(t *testing.T) {
	long := strings.Repeat("ä\x1b", 500_000)
	e := Event{
		ID:      long,
		Actor:   Actor{Kind: Anonymous, Name: long, Role: long, Address: long, RequestID: long},
		Action:  long,
		Subject: long,
		Code:    long,
		Detail:  long,
		Check:   long,
		Want:    long,
		Got:     long,
	}.Bounded()
	for name, text := range map[string]string{"name": e.Actor.Name, "role": e.Actor.Role, "address": e.Actor.Address,
		"request": e.Actor.RequestID, "id": e.ID,
		"action": e.Action, "subject": e.Subject, "code": e.Code, "check": e.Check, "want": e.Want, "got": e.Got} {
		if n := utf8.RuneCountInString(text); n != MaxText || !strings.HasSuffix(text, "… (1000000 characters)") ||
			strings.Contains(text, "\x1b") {
			t.Errorf("%s: %d characters, %q", name, n, text)
		}
	}
	if n := utf8.RuneCountInString(e.Detail); n != MaxDetail {
		t.Errorf("detail: %d characters", n)
	}
	if e.Bounded() != e {
		t.Error("an event that is bounded changes when it is bounded again")
	}
	if line := (Event{Subject: long}).LogValue().String(); len(line) > 4*MaxText {
		t.Errorf("the log has %d bytes of it", len(line))
	}
}

func FuzzCut(f *testing.F) {
	f.Add("ada@example.com", 4)
	f.Add(strings.Repeat("\u212a", 300), 256)
	f.Add("\xff\xfe"+strings.Repeat("a", 300), 256)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 32 + max(0, limit%1000) // room for the length
		cut := Cut(text, limit)
		if !utf8.ValidString(cut) || utf8.RuneCountInString(cut) > limit {
			t.Fatalf("%q of %q", cut, text)
		}
		if Cut(cut, limit) != cut {
			t.Fatalf("%q is cut again to %q", cut, Cut(cut, limit))
		}
		if plain(text) && len(text) <= limit && cut != text {
			t.Fatalf("%q became %q", text, cut)
		}
	})
}
