package sqldb

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestNoLinkLeadsRootOutOfAFolder: whoever owns a data folder may put links in it, and root who
// looks at the data neither changes nor makes what they lead to.
func TestNoLinkLeadsRootOutOfAFolder(t *testing.T) {
	t.Parallel()
	const open = 0o644
	for suffix, there := range map[string]bool{"-wal": true, "-shm": true, lockSuffix: true, "": false} {
		folder, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
		path := filepath.Join(folder, "center.db")
		if there {
			// #nosec G306 -- what must stay readable
			if err := os.WriteFile(outside, []byte("x"), open); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(outside, path+suffix); err != nil {
			t.Fatal(err)
		}
		keepPrivate(path)
		lock, err := lockBeside(path)
		if err == nil {
			err = lock.Close()
		}
		if refused := err != nil; refused != (suffix == lockSuffix) {
			t.Errorf("a link at %q: the lock: %v", suffix, err)
		}
		if f, err := openOrMake(path + suffix); err == nil {
			t.Errorf("a link at %q is followed: %v", suffix, f.Close())
		}
		info, err := os.Stat(outside)
		if there && (err != nil || info.Mode().Perm() != open) || !there && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a link at %q: outside is %v, %v", suffix, info, err)
		}
	}
}

// TestALinkOfAnotherUserOnTheWayIsNotFollowed: a service may have made its folder a link to where
// only root may write, and a link may lead to nothing.
func TestALinkOfAnotherUserOnTheWayIsNotFollowed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		sqldbtest.Skip(t, "only root has links of others")
	}
	const service = 12345
	state, roots := t.TempDir(), t.TempDir()
	folder, lost := filepath.Join(state, "center"), filepath.Join(state, "lost")
	err := errors.Join(
		os.Symlink(roots, folder), os.Symlink(filepath.Join(roots, "nothing"), lost),
		os.Lchown(folder, service, service), os.Lchown(lost, service, service),
	)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		folder: "what is not theirs", filepath.Join(folder, "center.db"): "what is not theirs",
		lost: "leads to nothing",
	} {
		if err := LeadsHome(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := errors.Join(os.Chown(roots, service, service), LeadsHome(folder)); err != nil {
		t.Errorf("a link to what is the service's: %v", err)
	}
}

// TestALinkOfAnotherUserLeadsToWhatIsTheirs: a service may keep its database elsewhere, but not
// have root change what is not its own.
func TestALinkOfAnotherUserLeadsToWhatIsTheirs(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		sqldbtest.Skip(t, "only root has links of others")
	}
	const service, other = 12345, 54321
	for _, c := range []struct {
		link, file int
		follows    bool
	}{{service, service, true}, {service, 0, false}, {service, other, false}, {0, service, true}, {0, 0, true}} {
		folder, outside := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere.db")
		link := filepath.Join(folder, "center.db")
		err := errors.Join(
			os.WriteFile(outside, nil, 0o600), os.Chown(outside, c.file, c.file), os.Symlink(outside, link),
			os.Lchown(link, c.link, c.link),
		)
		if err != nil {
			t.Fatal(err)
		}
		if to, err := resolve(link); (err == nil && to == outside) != c.follows {
			t.Errorf("a link of %d to a file of %d: %q, %v", c.link, c.file, to, err)
		}
	}
}

// TestANoteIsNoPipe: whoever has put one there is not waited for.
func TestANoteIsNoPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "center.id")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadSmall(path); err == nil {
		t.Errorf("it says %q", text)
	}
}
