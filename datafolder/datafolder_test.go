package datafolder_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// folder makes a folder with files that everybody may read.
func folder(t *testing.T, files ...string) datafolder.Folder {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(path, 0o755); err != nil { // #nosec G301 -- what is put right
		t.Fatal(err)
	}
	for _, name := range files {
		// #nosec G306 -- what is put right
		if err := os.WriteFile(filepath.Join(path, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return datafolder.Folder{Path: path}
}

func TestOnlyOwnFoldersAreClosedToOthers(t *testing.T) {
	t.Parallel()
	const before = "center.db.before-20261128T180830Z"
	for _, c := range []struct {
		files []string
		ours  bool
	}{
		{nil, true},
		{[]string{datafolder.MasterKey, datafolder.Tenant, datafolder.DemoKeys}, true},
		{[]string{datafolder.CenterID, datafolder.TenantID}, true},
		{[]string{datafolder.Center, before}, true},
		{[]string{"holiday.jpg"}, false},
	} {
		f := folder(t, c.files...)
		if err := f.KeepPrivate(); err != nil {
			t.Fatal(err)
		}
		for _, path := range append([]string{"."}, c.files...) {
			info, err := os.Stat(filepath.Join(f.Path, path))
			if err != nil {
				t.Fatal(err)
			}
			if private := info.Mode().Perm()&0o077 == 0; private != c.ours {
				t.Errorf("%v: %s is %v", c.files, path, info.Mode())
			}
		}
	}
}

func TestNothingBeginsAnewOverRemains(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files   []string
		refused string
	}{
		{nil, ""},
		{[]string{datafolder.Center}, ""},
		{[]string{datafolder.MasterKey}, datafolder.MasterKey},
		{[]string{datafolder.MasterKey, datafolder.Tenant}, ""},   // the key is the tenant's
		{[]string{datafolder.MasterKey, datafolder.TenantID}, ""}, // which may be in PostgreSQL
		{[]string{datafolder.CenterID}, datafolder.CenterID},
		{[]string{datafolder.Center + "-wal", datafolder.Tenant}, datafolder.Center + "-wal"},
	} {
		f := folder(t, c.files...)
		_, err := f.Place(datafolder.Center, datafolder.Tenant)
		if errors.Is(err, sqldb.ErrRemains) != (c.refused != "") {
			t.Errorf("%v: %v", c.files, err)
		}
		if c.refused != "" && (!strings.Contains(err.Error(), c.refused) ||
			!strings.Contains(err.Error(), "gatehouse restore FILE --data "+f.Path)) {
			t.Errorf("%v: it says %v", c.files, err)
		}
		f.Database = "postgres://db/center"
		at := f.DSN(datafolder.Center)
		if _, err := f.Place(datafolder.Center, datafolder.Tenant); err != nil || at != f.Database {
			t.Errorf("with PostgreSQL: %v, %s", err, at)
		}
	}
}

// TestAPlaceInPostgreSQL says of an empty database, and of one with data, whether a half may go on.
func TestAPlaceInPostgreSQL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files []string
		lost  string // what refuses an empty database
	}{
		{nil, ""},
		{[]string{datafolder.MasterKey}, datafolder.MasterKey},
		{[]string{datafolder.MasterKey, datafolder.TenantID}, ""}, // the key is the tenant's
		{[]string{datafolder.MasterKey, datafolder.Tenant}, ""},
		{[]string{datafolder.CenterID}, datafolder.CenterID},
		{[]string{datafolder.Center + ".before-20261128T180830Z"}, datafolder.Center + ".before-20261128T180830Z"},
		{[]string{sqldb.RestoreCopy + ".new"}, sqldb.RestoreCopy + ".new"},
	} {
		f := folder(t, c.files...)
		f.Database = "postgres://db/center"
		p, err := f.Place(datafolder.Center, datafolder.Tenant)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Admit("")
		if errors.Is(err, datafolder.ErrLost) != (c.lost != "") {
			t.Errorf("%v: %v", c.files, err)
		}
		if c.lost != "" && (!strings.Contains(err.Error(), c.lost) ||
			!strings.Contains(err.Error(), "gatehouse restore FILE --data "+f.Path+" --database")) {
			t.Errorf("%v: it says %v", c.files, err)
		}
	}

	f := folder(t)
	f.Database = "postgres://db/center"
	p, err := f.Place(datafolder.Center, datafolder.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	admits := func(name, id string, want error) {
		t.Helper()
		if err := p.Admit(id); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	admits("a first start", "", nil)
	if err := os.WriteFile(filepath.Join(f.Path, datafolder.MasterKey), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	admits("a first start that was killed", "", nil)
	admits("another node was faster", "one", nil)
	if err := p.Keep("one"); err != nil {
		t.Fatal(err)
	}
	admits("the same", "one", nil)
	admits("another's", "two", datafolder.ErrOther)
	admits("a lost one", "", datafolder.ErrLost)
	if err := p.Keep("two"); err != nil { // a restore
		t.Fatal(err)
	}
	admits("what was restored", "two", nil)
	entries, err := os.ReadDir(f.Path)
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
	if info, err := os.Stat(filepath.Join(f.Path, datafolder.CenterID)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

// TestWhatIsNoNoteOfAFolderIsNotTakenForOne: the file that says whose a folder is can be anything,
// and whoever it belongs to may want root to read what is not theirs, or to wait.
func TestWhatIsNoNoteOfAFolderIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		is         func(path string) error
		new, known string // what refuses an empty database, and one with data
	}{
		"empty": {
			func(path string) error { return os.WriteFile(path, nil, 0o600) }, datafolder.CenterID, "",
		},
		"a folder": {func(path string) error { return os.Mkdir(path, 0o700) }, "is no file", "is no file"},
		"a link":   {func(path string) error { return os.Symlink(secret, path) }, "escapes", "escapes"},
		"large": {
			func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o600) }, "too large", "too large",
		},
	} {
		f := folder(t)
		f.Database = "postgres://db/center"
		if err := c.is(filepath.Join(f.Path, datafolder.CenterID)); err != nil {
			t.Fatal(err)
		}
		p, err := f.Place(datafolder.Center, datafolder.Tenant)
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]string{"": c.new, "one": c.known} {
			err := p.Admit(id)
			if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, a database of %q: %v, want %q", name, id, err, want)
			}
		}
	}
}
