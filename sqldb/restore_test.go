package sqldb

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// made makes a database with some notes, and returns where it is.
func made(t *testing.T, path string, ids ...string) string {
	t.Helper()
	db, err := Open(context.Background(), path, notes)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		err = errors.Join(err, note(db, id))
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantNotes opens a database and counts its notes.
func wantNotes(t *testing.T, path string, want int) {
	t.Helper()
	db, err := Open(context.Background(), path, notes)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	if n := count(t, db); n != want {
		t.Errorf("%s has %d notes, want %d", path, n, want)
	}
}

func TestABackupIsRestored(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	backup := made(t, filepath.Join(t.TempDir(), "backup.db"), "1", "2", "3")
	path := filepath.Join(t.TempDir(), "notes.db")
	// A restore that was killed has left a copy, and somebody removed a database but not its log.
	for _, name := range []string{path + ".new", path + "-wal"} {
		if err := os.WriteFile(name, []byte("not whole"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := Restore(ctx, backup, path, notes, false)
	if err != nil || kept != "" {
		t.Fatalf("kept %q, %v", kept, err)
	}
	wantNotes(t, path, 3)
	if logs, err := filepath.Glob(path + ".before-*-wal"); err != nil || len(logs) != 1 {
		t.Errorf("the log of another database is at %v, %v; want it set aside", logs, err)
	}
	if _, err := os.Lstat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is left: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want the mode 0600", info, err)
	}
}

func TestARestoreKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	backup := made(t, filepath.Join(t.TempDir(), "backup.db"), "1", "2", "3")
	path := made(t, filepath.Join(t.TempDir(), "notes.db"), "4")
	if _, err := Restore(ctx, backup, path, notes, false); !errors.Is(err, ErrOccupied) {
		t.Errorf("over a database: %v", err)
	}
	wantNotes(t, path, 1)
	kept, err := Restore(ctx, backup, path, notes, true)
	if err != nil {
		t.Fatal(err)
	}
	wantNotes(t, path, 3)
	wantNotes(t, kept, 1)

	if _, err := Restore(ctx, filepath.Join(t.TempDir(), "nothing"), path, notes, true); err == nil {
		t.Error("a file that is not there is restored")
	}
	wantNotes(t, path, 3)
}

func TestADatabaseInUseIsNotReplaced(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	backup := made(t, filepath.Join(t.TempDir(), "backup.db"), "1", "2", "3")
	path := filepath.Join(t.TempDir(), "notes.db")
	db, err := Open(ctx, path, notes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, backup, path, notes, true); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is in use: %v", err)
	}
	if err := errors.Join(note(db, "4"), db.Close()); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, path, 1)
}

// TestADamagedDatabaseIsReplaced restores over a file that cannot be opened, and keeps it and its
// log for whoever wants to look at them.
func TestADamagedDatabaseIsReplaced(t *testing.T) {
	t.Parallel()
	backup := made(t, filepath.Join(t.TempDir(), "backup.db"), "1", "2", "3")
	path := filepath.Join(t.TempDir(), "notes.db")
	damaged := bytes.Repeat([]byte("no database "), 1000)
	for _, name := range []string{path, path + "-wal"} {
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := Restore(context.Background(), backup, path, notes, true)
	if err != nil {
		t.Fatal(err)
	}
	wantNotes(t, path, 3)
	if data, err := os.ReadFile(kept); err != nil || !bytes.Equal(data, damaged) { // #nosec G304 -- a test's own
		t.Errorf("the damaged one is not kept: %d bytes, %v", len(data), err)
	}
}
