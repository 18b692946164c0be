//go:build unix

package outlet

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit/chain"
)

var someParcels = []chain.Parcel{{
	Position: 1, Hash: "aa", Before: "bb", Line: chain.Line{Time: 1_800_000_000_000, Doc: `{"ID":"e1"}`},
}}

// TestTheNameOfAFileIsOnTheDisk before anything is that is in it: of a new file, of one after a
// rotation, and of one that this program has not made.
func TestTheNameOfAFileIsOnTheDisk(t *testing.T) {
	folder := t.TempDir()
	var synced []string
	var fails error
	f := &file{path: filepath.Join(folder, "log"), format: JSON, sync: func(path string) error {
		if fails == nil {
			synced = append(synced, path)
		}
		return errors.Join(fails, syncFolder(path))
	}}
	rotate := func() { _ = os.Rename(f.path, f.path+".1") }
	for _, x := range []struct {
		before func()
		synced int
		fails  error
	}{
		{func() {}, 1, nil},
		{func() {}, 1, nil},
		{rotate, 1, syscall.EIO},
		{func() {}, 2, nil},
		{func() {}, 2, nil},
	} {
		x.before()
		fails = x.fails
		if err := f.Deliver(t.Context(), someParcels); !errors.Is(err, x.fails) {
			t.Fatal(err)
		}
		if len(synced) != x.synced || synced[0] != folder {
			t.Errorf("synced %v, want %d times %s", synced, x.synced, folder)
		}
	}
}

// TestAPipeIsWrittenTo, as /dev/stdout is under many who start programs.
func TestAPipeIsWrittenTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	f := &file{path: path, format: JSON, sync: syncFolder}
	for range 2 {
		if err := f.Deliver(t.Context(), someParcels); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || !strings.Contains(line, `"e1"`) {
			t.Errorf("%q, %v", line, err)
		}
	}
}
