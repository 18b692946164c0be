package sqldb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
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

// backedUp is made, and a backup of it.
func backedUp(t *testing.T, ids ...string) string {
	t.Helper()
	path := made(t, filepath.Join(t.TempDir(), "source.db"), ids...)
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := backupOf(path, backup); err != nil {
		t.Fatal(err)
	}
	return backup
}

func backupOf(path, backup string) (err error) {
	db, err := OpenBeside(context.Background(), path, notes, "notes")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Backup(context.Background(), backup, Copying{Migrations: notes, Verify: verifyNotes})
}

// verifyNotes looks at a copy as a half does.
func verifyNotes(ctx context.Context, path string) (err error) {
	db, err := Open(ctx, path, notes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	problems, err := db.Check(ctx)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("damaged: %s", problems[0])
	}
	return err
}

func restoration(backup, path string) Restoration {
	return Restoration{Backup: backup, Database: path, Migrations: notes, Table: "notes", Verify: verifyNotes}
}

func restored(backup, path string, replace bool) (kept string, err error) {
	r := restoration(backup, path)
	r.Replace = replace
	return Restore(context.Background(), r)
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
	if problems, err := db.Check(context.Background()); err != nil || len(problems) > 0 {
		t.Errorf("%s is damaged: %v, %v", path, problems, err)
	}
}

// left are the files of a folder whose names begin so.
func left(t *testing.T, prefix string) []string {
	t.Helper()
	found, err := filepath.Glob(prefix + "*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// crashed makes a database of which a process died: some notes are in the file, the last ones in
// the log only.
func crashed(t *testing.T, path string, inFile, inLog int) {
	t.Helper()
	elsewhere := made(t, filepath.Join(t.TempDir(), "crashed.db"))
	c, err := sqlite.OpenConn(elsewhere, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it was copied as it stood
	run := func(query string) {
		t.Helper()
		if err := sqlitex.ExecuteTransient(c, query, nil); err != nil {
			t.Fatal(err)
		}
	}
	run("PRAGMA wal_autocheckpoint = 0")
	for i := range inFile {
		run(fmt.Sprintf("INSERT INTO notes VALUES ('file %d', 'x')", i))
	}
	run("PRAGMA wal_checkpoint(TRUNCATE)")
	for i := range inLog {
		run(fmt.Sprintf("INSERT INTO notes VALUES ('log %d', 'x')", i))
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, read := os.ReadFile(elsewhere + suffix) // #nosec G304 -- a test's own
		if err := errors.Join(read, os.WriteFile(path+suffix, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// journaled makes a database of which a process died in a transaction without a write-ahead log:
// its journal has pages of before, which SQLite puts back.
func journaled(t *testing.T, path string) {
	t.Helper()
	elsewhere := made(t, filepath.Join(t.TempDir(), "journaled.db"), "old")
	c, err := sqlite.OpenConn(elsewhere, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it was copied as it stood
	for _, query := range []string{
		"PRAGMA journal_mode = delete", "PRAGMA cache_size = 1", "BEGIN IMMEDIATE",
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
			INSERT INTO notes SELECT 'lost ' || i, hex(randomblob(100)) FROM n`,
	} {
		if err := sqlitex.ExecuteTransient(c, query, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", "-journal"} {
		data, read := os.ReadFile(elsewhere + suffix) // #nosec G304 -- a test's own
		if err := errors.Join(read, os.WriteFile(path+suffix, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// disasters are what a restore may find in the place of the database.
var disasters = map[string]func(t *testing.T, path string){
	"nothing":          func(*testing.T, string) {},
	"a sound database": func(t *testing.T, path string) { made(t, path, "old") },
	"after a crash":    func(t *testing.T, path string) { crashed(t, path, 40, 40) },
	"an open journal":  journaled,
	"only the log":     func(t *testing.T, path string) { crashed(t, path, 40, 40); remove(t, path) },
	"only the journal": func(t *testing.T, path string) { journaled(t, path); remove(t, path) },
	"another's log":    func(t *testing.T, path string) { crashed(t, path, 3, 400); remove(t, path, path+"-shm") },
	"an empty file":    func(t *testing.T, path string) { write(t, path, nil) },
	"no database":      func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("nonsense"), 9000)) },
	"a damaged header": func(t *testing.T, path string) { crashed(t, path, 40, 40); damage(t, path, 0, 100) },
	"a damaged page": func(t *testing.T, path string) {
		crashed(t, path, 400, 40)
		damage(t, path, pageSize, pageSize)
	},
	"an earlier copy":    func(t *testing.T, path string) { crashed(t, path+copySuffix, 4, 4); crashed(t, path, 5, 5) },
	"nothing but a copy": func(t *testing.T, path string) { crashed(t, path+copySuffix, 4, 4) },
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// damage writes nonsense over a part of a file.
func damage(t *testing.T, path string, at, n int) {
	t.Helper()
	data, err := os.ReadFile(path) // #nosec G304 -- a test's own
	if err != nil {
		t.Fatal(err)
	}
	for i := at; i < at+n; i++ {
		data[i] ^= 0xA5
	}
	write(t, path, data)
}

// TestARestoreGoesThroughAnyDisaster restores over all that may be there. The backup's data is
// there afterwards, and what was there before under another name, byte for byte.
func TestARestoreGoesThroughAnyDisaster(t *testing.T) {
	t.Parallel()
	backup := backedUp(t, "1", "2", "3")
	for name, disaster := range disasters {
		path := filepath.Join(t.TempDir(), "notes.db")
		disaster(t, path)
		before := contents(t, path)
		_, occupied := before[""]
		kept, err := restored(backup, path, false)
		if occupied {
			if !errors.Is(err, ErrOccupied) {
				t.Errorf("%s: over what is there: %v", name, err)
			}
			if now := contents(t, path); !reflect.DeepEqual(now, before) {
				t.Errorf("%s: a refused restore has changed something", name)
			}
			kept, err = restored(backup, path, true)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(before) > 0 {
			if now := contents(t, kept); !reflect.DeepEqual(now, before) {
				t.Errorf("%s: what was there is not kept", name)
			}
		} else if kept != "" {
			t.Errorf("%s: kept %s", name, kept)
		}
		if found := left(t, path+copySuffix); len(found) > 0 {
			t.Errorf("%s: %v is left", name, found)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want the mode 0600", name, info, err)
		}
		wantNotes(t, path, 3)
	}
}

// contents are the files of a database.
func contents(t *testing.T, path string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, suffix := range besideSuffixes {
		data, err := os.ReadFile(path + suffix) // #nosec G304 -- a test's own
		if err == nil {
			found[suffix] = string(data)
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return found
}

// TestWhatCannotBeRestoredChangesNothing tries what is no backup, a damaged one, one of something
// else, and files of the database itself.
func TestWhatCannotBeRestoredChangesNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	path := made(t, in("notes.db"), "old")
	backup := backedUp(t, "1", "2", "3")
	whole, err := os.ReadFile(backup) // #nosec G304 -- a test's own
	if err != nil {
		t.Fatal(err)
	}
	write(t, in("text"), bytes.Repeat([]byte("no backup"), 1000))
	write(t, in("empty"), nil)
	write(t, in("header only"), whole[:100])
	for _, n := range []int{1, 50, 91, 92, 4096, 5000, len(whole) - 4096, len(whole) - 200} {
		write(t, in(fmt.Sprintf("truncated by %d", n)), whole[:len(whole)-n])
	}
	for at := 0; at < len(whole); at += max(1, len(whole)/300) {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1
		write(t, in(fmt.Sprintf("damaged at %d", at)), damaged)
	}
	made(t, in("other.db"))
	c, err := sqlite.OpenConn(in("other.db"), sqlite.OpenReadWrite)
	if err == nil {
		err = errors.Join(sqlitex.ExecuteTransient(c, "ALTER TABLE notes RENAME TO letters", nil), c.Close())
	}
	if err == nil {
		err = errors.Join(os.Mkdir(in("folder"), 0o700), os.Link(path, in("link")), os.Symlink(path, in("symlink")))
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, path+copySuffix, whole)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, path)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		if _, err := restored(in(e.Name()), path, true); !errors.Is(err, errNoBackup) {
			t.Errorf("%s: %v, want a refusal", e.Name(), err)
		}
		if now := contents(t, path); !reflect.DeepEqual(now, before) {
			t.Fatalf("%s has changed something", e.Name())
		}
	}
	if _, err := restored(in("nothing"), path, true); !errors.Is(err, errNoBackup) {
		t.Errorf("a missing file: %v", err)
	}
	wantNotes(t, path, 1)
}

// TestBackupsOfEarlierReleasesAreRestored: they have no checksum, and may be a file that was copied
// by hand, with the log beside it.
func TestBackupsOfEarlierReleasesAreRestored(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "notes.db")
	plain := made(t, filepath.Join(t.TempDir(), "plain.db"), "1", "2")
	if _, err := restored(plain, path, false); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, path, 2)
	withLog := filepath.Join(folder, "by hand.db")
	crashed(t, withLog, 3, 4)
	before := contents(t, withLog)
	kept, err := restored(withLog, path, true)
	if err != nil {
		t.Fatal(err)
	}
	wantNotes(t, path, 7)
	if !reflect.DeepEqual(contents(t, withLog), before) {
		t.Error("the backup was changed")
	}
	if _, err := restored(kept, path, true); err != nil { // and back again
		t.Fatal(err)
	}
	wantNotes(t, path, 2)
}

// TestABackupOfAnEarlierSchemaIsMigrated restores one of the release before, and refuses one of the
// release after.
func TestABackupOfAnEarlierSchemaIsMigrated(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	newer := fstest.MapFS{
		"00001_notes.sql": notes["00001_notes.sql"],
		"00002_more.sql": {
			Data: []byte("-- +goose Up\nALTER TABLE notes ADD COLUMN more TEXT;\n-- +goose Down\nSELECT 1;\n"),
		},
	}
	backup, path := backedUp(t, "1", "2"), filepath.Join(t.TempDir(), "notes.db")
	r := restoration(backup, path)
	r.Migrations = newer
	r.Verify = func(ctx context.Context, copied string) error {
		db, err := Open(ctx, copied, newer)
		if err != nil {
			return err
		}
		return db.Close()
	}
	if _, err := Restore(ctx, r); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, path, newer)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := restored(path, filepath.Join(t.TempDir(), "notes.db"), true); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("of a newer release: %v", err)
	}
}

func TestADatabaseInUseIsNotReplaced(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	backup := backedUp(t, "1", "2", "3")
	path := filepath.Join(t.TempDir(), "notes.db")
	db, err := Open(ctx, path, notes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := restored(backup, path, true); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is in use: %v", err)
	}
	if err := errors.Join(note(db, "4"), db.Close()); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, path, 1)
}

// TestADatabaseBehindALinkIsRestoredWhereItIs: its logs are there too.
func TestADatabaseBehindALinkIsRestoredWhereItIs(t *testing.T) {
	t.Parallel()
	backup := backedUp(t, "1", "2", "3")
	there, here := t.TempDir(), t.TempDir()
	path := filepath.Join(here, "notes.db")
	if err := os.Symlink(filepath.Join(there, "real.db"), path); err != nil {
		t.Fatal(err)
	}
	if _, err := restored(backup, path, true); err != nil { // it leads to nothing yet
		t.Fatal(err)
	}
	wantNotes(t, path, 3)
	crashed(t, filepath.Join(there, "real.db"), 5, 5)
	if _, err := restored(backup, path, true); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, path, 3)
	if target, err := os.Readlink(path); err != nil || target != filepath.Join(there, "real.db") {
		t.Errorf("the link leads to %s, %v", target, err)
	}
	if found := left(t, filepath.Join(here, "*")); len(found) != 1 {
		t.Errorf("beside the link: %v", found)
	}
}

// TestADamagedDatabaseHasNoBackup damages each page of a database in turn. A backup either has all
// notes, or there is none.
func TestADamagedDatabaseHasNoBackup(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 300 {
		ids = append(ids, fmt.Sprintf("%d %s", i, strings.Repeat("x", 100)))
	}
	source := made(t, filepath.Join(t.TempDir(), "notes.db"), ids...)
	whole, err := os.ReadFile(source) // #nosec G304 -- a test's own
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for page := range len(whole) / pageSize {
		for how, change := range map[string]func([]byte){
			"zeroed":       func(p []byte) { clear(p) },
			"without rows": func(p []byte) { p[3], p[4] = 0, 0 },
		} {
			folder := t.TempDir()
			path, backup := filepath.Join(folder, "notes.db"), filepath.Join(folder, "backup.db")
			damaged := bytes.Clone(whole)
			change(damaged[page*pageSize+page0(page) : (page+1)*pageSize])
			write(t, path, damaged)
			if err := backupOf(path, backup); err != nil {
				refused++
				if found := left(t, backup); len(found) > 0 {
					t.Errorf("page %d %s: %v is left", page, how, found)
				}
				continue
			}
			if _, err := restored(backup, filepath.Join(folder, "restored.db"), false); err != nil {
				t.Errorf("page %d %s: its backup: %v", page, how, err)
			}
			wantNotes(t, filepath.Join(folder, "restored.db"), len(ids))
		}
	}
	if refused < len(whole)/pageSize {
		t.Errorf("only %d of %d pages are missed", refused, len(whole)/pageSize)
	}
}

// page0 is where the tree of a page begins: the first page has the file's header too.
func page0(page int) int {
	if page == 0 {
		return headerSize
	}
	return 0
}
