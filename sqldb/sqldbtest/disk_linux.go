package sqldbtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// BreakDisk has every read and write of an SQLite database fail that this process has open, as a
// disk does that is gone, until mend is called.
func BreakDisk(t testing.TB, path string) (mend func()) {
	t.Helper()
	// A folder opens, and can neither be read nor written.
	return instead(t, path, func(string) (int, error) {
		return unix.Open(filepath.Dir(path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
}

// RefuseWrites has every write of an SQLite database fail that this process has open, as on a disk
// that takes none any more, until mend is called.
func RefuseWrites(t testing.TB, path string) (mend func()) {
	t.Helper()
	return instead(t, path, func(file string) (int, error) { return unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
}

// DamageDisk has every read of an SQLite database that this process has open find other bytes than
// were written, until mend is called.
func DamageDisk(t testing.TB, path string) (mend func()) {
	t.Helper()
	return instead(t, path, func(file string) (int, error) {
		content, err := os.ReadFile(file) // #nosec G304 -- of a test
		if err != nil {
			return 0, err
		}
		for i := range content[min(100, len(content)):] { // the header of the file is as it was
			content[100+i] ^= 0x5a
		}
		damaged := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(damaged, content, 0o600); err != nil {
			return 0, err
		}
		return unix.Open(damaged, unix.O_RDWR|unix.O_CLOEXEC, 0)
	})
}

// instead puts something else in the place of the open files of a database.
func instead(t testing.TB, path string, other func(file string) (int, error)) (mend func()) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	open := map[int]string{}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		file, unknown := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err != nil || unknown != nil || (file != path && file != path+"-wal") {
			continue
		}
		open[n] = file
	}
	if len(open) == 0 {
		t.Fatalf("nothing has %s open", path)
	}
	kept := map[int]int{} // where a file was, and where it is meanwhile
	inPlace := map[int]string{}
	for n, file := range open {
		meanwhile, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0) // #nosec G115 -- small numbers
		if err != nil {
			t.Fatal(err)
		}
		kept[n] = meanwhile
		stands, err := other(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(unix.Dup3(stands, n, unix.O_CLOEXEC), unix.Close(stands)); err != nil {
			t.Fatal(err)
		}
		inPlace[n] = whatIsOpen(n)
	}
	return func() {
		var failed []string
		for n, meanwhile := range kept {
			if whatIsOpen(n) == inPlace[n] { // or else a connection was closed, and something else has its number
				if err := unix.Dup3(meanwhile, n, unix.O_CLOEXEC); err != nil {
					failed = append(failed, err.Error())
				}
			}
			_ = unix.Close(meanwhile)
		}
		if len(failed) > 0 {
			t.Errorf("mend the disk: %s", strings.Join(failed, "; "))
		}
	}
}

// whatIsOpen is the file that has a number in this process, and how it was opened.
func whatIsOpen(n int) string {
	file, _ := os.Readlink(filepath.Join("/proc/self/fd", strconv.Itoa(n)))
	flags, _ := unix.FcntlInt(uintptr(n), unix.F_GETFL, 0) // #nosec G115 -- small numbers
	return fmt.Sprintf("%s, %o", file, flags)
}
