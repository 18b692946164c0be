package gatehouse

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPasswordsAreHashedCheaplyOnlyInTests: only what imports testing, which the program does not,
// may call authn.HashCheaply.
func TestPasswordsAreHashedCheaplyOnlyInTests(t *testing.T) {
	calls := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file) // #nosec G304 G122 -- a test reads its own tree
		if err != nil || !strings.Contains(string(source), ".HashCheaply") {
			return err
		}
		calls++
		if !strings.Contains(string(source), "\n\t\"testing\"\n") {
			t.Errorf("%s makes the hashes of passwords cheap, and is not for tests", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls == 0 {
		t.Error("no call was found: the test has lost its sense")
	}
}
