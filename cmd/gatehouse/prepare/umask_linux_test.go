package prepare

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestTheFolderIsOpenWhateverTheUmask: the units' user reads the settings that root writes for it,
// and nobody else the files with secrets.
func TestTheFolderIsOpenWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0o077, 0o022, 0} {
		folder := filepath.Join(t.TempDir(), "gatehouse")
		before := syscall.Umask(umask)
		_, err := unattended(t, map[string]string{"GATEHOUSE_DATABASE": "postgres://db/center"},
			"center", "--yes", "--url", "https://id.example.com", "--tls", "acme", "--folder", folder)
		syscall.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{".": 0o755, "center.yaml": 0o644, "center-database": 0o600} {
			info, err := os.Stat(filepath.Join(folder, name))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("with umask %o, %s is %v, %v", umask, name, info, err)
			}
		}
	}
}
