package sqldbtest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Migrated is a database on SQLite as its first start leaves it. Migrations run once, and each test
// gets a copy: they take longer than most tests.
type Migrated struct {
	once sync.Once
	data []byte
	err  error
}

// Copy returns the path of a copy in a folder of the test's own. Migrate makes the database at a
// path, and closes it.
func (m *Migrated) Copy(t testing.TB, migrate func(path string) error) string {
	t.Helper()
	m.once.Do(func() {
		dir, err := os.MkdirTemp("", "gatehouse-migrated-")
		if err != nil {
			m.err = err
			return
		}
		defer os.RemoveAll(dir) //nolint:errcheck // the system removes what is left of it
		path := filepath.Join(dir, "new.db")
		if m.err = migrate(path); m.err == nil {
			m.data, m.err = os.ReadFile(path) // #nosec G304 -- made above
		}
	})
	if m.err != nil {
		t.Fatal(m.err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, m.data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
