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
		{[]string{datafolder.MasterKey, datafolder.Tenant}, ""}, // the key is the tenant's
		{[]string{datafolder.Center + "-wal", datafolder.Tenant}, datafolder.Center + "-wal"},
	} {
		f := folder(t, c.files...)
		err := f.CheckPlace(datafolder.Center, datafolder.Tenant)
		if errors.Is(err, sqldb.ErrRemains) != (c.refused != "") {
			t.Errorf("%v: %v", c.files, err)
		}
		if c.refused != "" && (!strings.Contains(err.Error(), c.refused) ||
			!strings.Contains(err.Error(), "gatehouse restore FILE --data "+f.Path)) {
			t.Errorf("%v: it says %v", c.files, err)
		}
		f.Database = "postgres://db/center"
		at := f.DSN(datafolder.Center)
		if err := f.CheckPlace(datafolder.Center, datafolder.Tenant); err != nil || at != f.Database {
			t.Errorf("with PostgreSQL: %v, %s", err, at)
		}
	}
}
