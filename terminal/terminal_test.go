package terminal

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

func TestAWriterKeepsCharactersWhole(t *testing.T) {
	for text, want := range map[string]string{
		"Ä ✓ 東京 👍\n\tok":              "Ä ✓ 東京 👍\n\tok",
		"a\r\nb\rc\x1b":               "a\r\nb\\u000dc\\u001b",
		"\U000e0041":                  `\udb40\udc41`,
		"cut off \xe6\x9d":            `cut off \ufffd\ufffd`,
		"\xff\u202e\u2066":            `\ufffd\u202e\u2066`,
		`{"name":"` + "\u009b" + `"}`: `{"name":"\u009b"}`,
	} {
		for size := 1; size <= len(text); size++ {
			var out bytes.Buffer
			e := NewWriter(&out)
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				if n, err := e.Write([]byte(rest[:min(size, len(rest))])); err != nil || n != min(size, len(rest)) {
					t.Fatalf("wrote %d, %v", n, err)
				}
			}
			e.Flush()
			if out.String() != want || !utf8.ValidString(want) {
				t.Errorf("%q in pieces of %d bytes: %q, want %q", text, size, out.String(), want)
			}
		}
	}
}

// TestNobodyIsAskedWithoutATerminal reads from a pipe, where an echo could not be switched off.
func TestNobodyIsAskedWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	_, err := AskPassword(t.Context(), &out, &out, "Password", func(string) error { return nil })
	if err == nil || out.Len() > 0 {
		t.Errorf("%v, and it printed %q", err, out.String())
	}
	if w := NewWriter(&out); Is(w) || Is(&out) {
		t.Error("a buffer is taken for a terminal")
	}
	Bar(&out, "x")(1, 2)
	if Counter(&out, "x").Add(1); out.Len() > 0 {
		t.Errorf("progress is drawn where nobody looks: %q", out.String())
	}
}
