package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		sqldbtest.Skip(t, "a file system cannot be mounted here: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// scribble writes over the same rows from many goroutines until that many bytes were written or
// something fails.
func scribble(db *DB, bytes int) error {
	const size = 20_000
	var left atomic.Int64
	left.Store(int64(bytes / size))
	var writers sync.WaitGroup
	failures := make(chan error, 16)
	for w := range 16 {
		writers.Go(func() {
			for i := 0; left.Add(-1) >= 0; i++ {
				text := strings.Repeat(string(rune('a'+i%26)), size)
				err := db.Update(context.Background(), func(t Tx) error {
					return t.Do(
						`INSERT INTO notes (id, text) VALUES ($1, $2)
							ON CONFLICT (id) DO UPDATE SET text = excluded.text`,
						fmt.Sprintf("%d %d", w, i%10), text,
					)
				})
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	writers.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

func logSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestTheLogFitsASmallDisk writes ten times over what a small disk has, all to the same few rows.
// The log must not fill it. When something else does, nothing that was acknowledged is lost, the
// log gives its space back, and writing goes on.
func TestTheLogFitsASmallDisk(t *testing.T) {
	const size = 60 << 20
	folder := smallDisk(t, size)
	path := filepath.Join(folder, "notes.db")
	db, err := Open(context.Background(), path, notes)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only a test's
	var most int64
	for range 10 {
		if err := scribble(db, size); err != nil {
			t.Fatalf("with little data on the disk: %v", err)
		}
		most = max(most, logSize(t, path))
	}
	if most > size/2 {
		t.Errorf("the log had %d MiB of a disk of %d", most>>20, size>>20)
	}
	if err := scribble(db, size/8); err != nil {
		t.Fatal(err)
	}
	before := logSize(t, path)
	filler := fillDisk(t, folder)
	err = scribble(db, size/2)
	if err != nil && !errors.Is(err, ErrUnavailable) {
		t.Errorf("on a full disk: %v", err)
	}
	t.Logf("the log had %d KiB before the disk was full, and the first failure is %v", before>>10, err)
	deadline := time.Now().Add(time.Minute)
	for ; ; time.Sleep(50 * time.Millisecond) { // between two tries
		if err := note(db, "on a full disk"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log has %d KiB and does not give its space back", logSize(t, path)>>10)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := scribble(db, size); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if n := count(t, db); n != 161 {
		t.Errorf("%d notes, want 161", n)
	}
	if problems, err := db.Check(context.Background()); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// fillDisk takes all that is free.
func fillDisk(t *testing.T, folder string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, "filler")) // #nosec G304 -- a test's own
	if err != nil {
		t.Fatal(err)
	}
	for n := 1 << 20; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// TestADiskWithRoomForSmallWritesOnlyIsFull writes what does not fit. What Ready writes still does,
// and what everybody else writes may not.
func TestADiskWithRoomForSmallWritesOnlyIsFull(t *testing.T) {
	const size = 60 << 20
	folder := smallDisk(t, size)
	path := filepath.Join(folder, "notes.db")
	db, err := Open(context.Background(), path, notes)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only a test's
	write := func(size int) error {
		return db.Update(context.Background(), func(t Tx) error {
			return t.Do(
				`INSERT INTO notes (id, text) VALUES ('large', $1) ON CONFLICT (id) DO UPDATE SET text = excluded.text`,
				strings.Repeat("x", size),
			)
		})
	}
	ready := func() error {
		return db.Ready(context.Background(), `INSERT INTO notes (id, text) VALUES ('ready', '')
			ON CONFLICT (id) DO UPDATE SET text = excluded.text`)
	}
	if err := errors.Join(write(8<<20), write(1), ready()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for info, err := os.Stat(path); err != nil || info.Size() < 8<<20; info, err = os.Stat(path) {
		if time.Sleep(50 * time.Millisecond); time.Now().After(deadline) { // between two looks
			t.Fatal("the log is not folded")
		}
	}
	// The log has taken some of the disk. What fits when that is given back is written.
	if err := write(6 << 20); err != nil {
		t.Fatal(err)
	}
	other := fillDisk(t, folder)
	if err := errors.Join(write(6<<20), ready()); err != nil {
		t.Errorf("with room in the log: %v", err)
	}

	if err := write(24 << 20); !errors.Is(err, ErrUnavailable) {
		t.Errorf("more than there is room for: %v", err)
	}
	for i := range 3 {
		if err := note(db, fmt.Sprint("small ", i)); err != nil {
			t.Fatalf("a small write: %v", err)
		}
		err := ready()
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("beside a write that does not fit: %v", err)
		}
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ready(), write(24<<20), ready()); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
