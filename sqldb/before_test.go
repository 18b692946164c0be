package sqldb

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestAnOlderDatabaseIsReadBeforeItIsChanged on both engines, and stays as it is where whoever
// reads it says so. One that is new, or as new as the program, is not read.
func TestAnOlderDatabaseIsReadBeforeItIsChanged(t *testing.T) {
	t.Parallel()
	refusal := errors.New("it is another's")
	for engine, dsn := range map[string]string{
		"SQLite":     filepath.Join(t.TempDir(), "notes.db"),
		"PostgreSQL": sqldbtest.Postgres(t),
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var seen []string
			serve := func(release int, says error) error {
				db, err := Open(context.Background(), dsn, withMigrations([]string{adds, removes}[:release]...),
					Before(func(tx Tx) error {
						return errors.Join(says, tx.Query(`SELECT text FROM notes`, nil, func(r Row) error {
							var text string
							err := r.Scan(&text)
							seen = append(seen, text)
							return err
						}))
					}))
				if err != nil {
					return err
				}
				return errors.Join(note(db, time.Now().String()), db.Close())
			}
			for i, step := range []struct {
				release int
				says    error
				sees    bool
			}{
				{0, refusal, false}, // nothing is there yet
				{0, refusal, false}, // the same release
				{1, refusal, true},
				{0, refusal, false}, // which the refusal before left as it was
				{1, nil, true},
				{1, refusal, false},
				{2, refusal, true},
				{1, refusal, false},
				{2, nil, true},
			} {
				seen = nil
				err := serve(step.release, step.says)
				if step.sees != errors.Is(err, refusal) && step.says != nil || err != nil && !step.sees {
					t.Errorf("step %d: %v", i, err)
				}
				if (len(seen) > 0) != step.sees {
					t.Errorf("step %d: it saw %q", i, seen)
				}
			}
		})
	}
}
