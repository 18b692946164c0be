package sqldb

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestRootBeginsInTheFolderOfAService: the database is the service's, unless this root may not give
// files away, as in a container that has not this right.
func TestRootBeginsInTheFolderOfAService(t *testing.T) {
	const within = "GATEHOUSE_TEST_FOLDER"
	if folder := os.Getenv(within); folder != "" {
		made(t, filepath.Join(folder, "center.db"), "one")
		return
	}
	if os.Geteuid() != 0 {
		sqldbtest.Skip(t, "only root gives files away")
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		sqldbtest.Skip(t, "setpriv is not here")
	}
	const service = 12345
	self := []string{os.Args[0], "-test.run=^" + t.Name() + "$"}
	for name, c := range map[string]struct {
		line []string
		uid  uint32
	}{
		"may give files away":     {self, service},
		"may not give files away": {append([]string{setpriv, "--bounding-set=-chown", "--"}, self...), 0},
	} {
		folder := t.TempDir()
		if err := os.Chown(folder, service, service); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), c.line[0], c.line[1:]...) // #nosec G204 -- this test
		cmd.Env = append(os.Environ(), within+"="+folder)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("root who %s: %v: %s", name, err, out)
			continue
		}
		info, err := os.Stat(filepath.Join(folder, "center.db"))
		if err != nil {
			t.Fatal(err)
		}
		if of, ok := info.Sys().(*syscall.Stat_t); !ok || of.Uid != c.uid {
			t.Errorf("root who %s leaves a file of %v", name, of.Uid)
		}
	}
}
