package terminal

import (
	"bytes"
	"strings"
	"testing"
)

// TestATableFitsItsTerminal: else its rows become paragraphs, in which nothing is cut off.
func TestATableFitsItsTerminal(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 70)
	rows := [][]any{{"ada", "", long}, {"bob\nx", "Production", "b"}}
	for columns, want := range map[int]string{
		0:   "USER",
		80:  "USER     ada\nID       " + long + "\n\nUSER     bob\\u000ax\nACCOUNT  Production\nID       b\n",
		200: "USER",
	} {
		var out bytes.Buffer
		if err := table(&out, columns, "USER\tACCOUNT\tID", rows); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		switch columns {
		case 80:
			if out.String() != want {
				t.Errorf("in 80 columns:\n%s", out.String())
			}
		default:
			if len(lines) != 4 || !strings.HasPrefix(lines[0], "USER ") || !strings.HasSuffix(lines[1], long) {
				t.Errorf("in %d columns:\n%s", columns, out.String())
			}
		}
	}
	var out bytes.Buffer
	if err := table(&out, 5, "A\tB\tC", nil); err != nil || out.String() != "A  B\nC\n" {
		t.Errorf("nothing: %v, %q", err, out.String())
	}
}
