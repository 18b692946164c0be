package authn_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestALinkOfAnotherUserIsNotOverwrittenThrough: root writes a report into the folder of a service,
// which has put a link there. One's own link, or root's, is followed.
func TestALinkOfAnotherUserIsNotOverwrittenThrough(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		sqldbtest.Skip(t, "only root has links of others")
	}
	for owner, follows := range map[int]bool{0: true, 12345: false} {
		precious, link := filepath.Join(t.TempDir(), "precious"), filepath.Join(t.TempDir(), "report.json")
		err := errors.Join(
			os.WriteFile(precious, []byte("precious"), 0o600), os.Symlink(precious, link),
			os.Lchown(link, owner, owner),
		)
		if err != nil {
			t.Fatal(err)
		}
		err = authn.WritePrivate(link, []byte("report"))
		text, reading := os.ReadFile(precious) // #nosec G304 -- ours
		if reading != nil || (err == nil) != follows || (string(text) == "report") != follows {
			t.Errorf("a link of %d: %q, %v, %v", owner, text, err, reading)
		}
	}
}
