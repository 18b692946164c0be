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

// TestTheNameOfAFileIsOnTheDisk before anything is in it: of a new file, of one after a rotation,
// and of one that this program has not made. While it cannot be, nothing is written.
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
		lines  int // in the file
	}{
		{func() {}, 1, nil, 1},
		{func() {}, 1, nil, 2},
		{rotate, 1, syscall.EIO, 0},
		{func() {}, 1, syscall.EIO, 0},
		{func() {}, 2, nil, 1},
		{func() {}, 2, nil, 2},
	} {
		x.before()
		fails = x.fails
		if err := f.Deliver(t.Context(), someParcels); !errors.Is(err, x.fails) {
			t.Fatal(err)
		}
		if len(synced) != x.synced || synced[0] != folder {
			t.Errorf("synced %v, want %d times %s", synced, x.synced, folder)
		}
		if text, err := os.ReadFile(f.path); err != nil || strings.Count(string(text), "\n") != x.lines {
			t.Errorf("%q, %v; want %d lines", text, err, x.lines)
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
	defer reader.Close() //nolint:errcheck // nothing is left to be read
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
