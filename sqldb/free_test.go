package sqldb

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestADatabaseIsFreeWhileNobodyServesFromIt on both engines: before it is there, while it is open,
// and afterwards.
func TestADatabaseIsFreeWhileNobodyServesFromIt(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{filepath.Join(t.TempDir(), "notes.db"), sqldbtest.Postgres(t)} {
		if err := Free(t.Context(), dsn); err != nil {
			t.Errorf("%s before it is there: %v", engineOf(dsn), err)
		}
		db, err := Open(t.Context(), dsn, notes)
		if err != nil {
			t.Fatal(err)
		}
		if err := note(db, "a node has connections"); err != nil {
			t.Fatal(err)
		}
		if err := Free(t.Context(), dsn); !errors.Is(err, ErrInUse) {
			t.Errorf("%s while it is open: %v", engineOf(dsn), err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := Free(t.Context(), dsn); err != nil {
			t.Errorf("%s afterwards: %v", engineOf(dsn), err)
		}
	}
}
