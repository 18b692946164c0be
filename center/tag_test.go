package center

import (
	"regexp"
	"strings"
	"testing"
)

// TestTagTexts compares the rule for tags with the regular expression that the API reference has.
func TestTagTexts(t *testing.T) {
	rule := regexp.MustCompile(`^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`)
	samples := []string{"", "a", "Ä ж 日本 ٣ ½\u00a0\u2028", "_.:/=+-@", "\xff", "é\xc3"}
	for r := rune(0); r < 0x3000; r++ {
		samples = append(samples, "x"+string(r))
	}
	for _, text := range samples {
		if isTagValue(text) != rule.MatchString(text) || isTagKey(text) != (text != "" && rule.MatchString(text)) {
			t.Errorf("%q: as a key %v, as a value %v", text, isTagKey(text), isTagValue(text))
		}
	}
	for n := range 300 {
		if text := strings.Repeat("ж", n); isTagKey(text) != (n > 0 && n <= 128) || isTagValue(text) != (n <= 256) {
			t.Errorf("%d characters: as a key %v, as a value %v", n, isTagKey(text), isTagValue(text))
		}
	}
}
