package gatehouse

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestTheNoticesNameWhatIsLinked: each module of the program at its version, and none that go.mod
// does not have at that version. `make notices` writes the file.
func TestTheNoticesNameWhatIsLinked(t *testing.T) {
	data, err := os.ReadFile("THIRD_PARTY_NOTICES.md")
	if err != nil {
		t.Fatal(err)
	}
	noticed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (\\S+) \\|$").FindAllSubmatch(data, -1) {
		noticed[string(m[1])+" "+string(m[2])] = true
	}
	format := "{{with .Module}}{{if .Version}}{{.Path}} {{.Version}}{{end}}{{end}}"
	linked, err := exec.Command("go", "list", "-deps", "-f", format, "./cmd/gatehouse").Output()
	if err != nil {
		t.Fatal(err)
	}
	for module := range strings.Lines(string(linked)) {
		if module = strings.TrimSpace(module); !noticed[module] {
			t.Errorf("THIRD_PARTY_NOTICES.md lacks %s: run make notices", module)
			noticed[module] = true // said once
		}
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := map[string]bool{}
	for line := range strings.Lines(string(mod)) {
		line, _, _ = strings.Cut(line, "//")
		required[strings.TrimSpace(line)] = true
	}
	for module := range noticed {
		if !required[module] {
			t.Errorf("THIRD_PARTY_NOTICES.md names %s, which go.mod does not: run make notices", module)
		}
	}
	if len(noticed) < 50 {
		t.Errorf("%d modules were read from THIRD_PARTY_NOTICES.md", len(noticed))
	}
}
