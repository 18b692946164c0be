package sqldb

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestADatabaseThatIsMovedTakesNoWrites: somebody moves the file or its log away, or puts another
// one in its place, while a process serves from it. What it acknowledged then would be gone after
// the next start, and the log would be folded into another file and removed. Nobody looks at it
// beside that process either.
func TestADatabaseThatIsMovedTakesNoWrites(t *testing.T) {
	t.Parallel()
	for name, suffix := range map[string]string{"the file": "", "the log": "-wal"} {
		for _, replaced := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				db, file := open(t)
				if err := note(db, "before"); err != nil {
					t.Fatal(err)
				}
				path := file.path + suffix
				err := os.Rename(path, path+".elsewhere")
				if replaced {
					content, failed := os.ReadFile(path + ".elsewhere") // #nosec G304 -- of this test
					err = errors.Join(err, failed, os.WriteFile(path, content, 0o600))
				}
				if err != nil {
					t.Fatal(err)
				}
				beside := func() error {
					beside, err := OpenBeside(context.Background(), file.path, notes, "notes")
					if err != nil {
						return err
					}
					return beside.Close()
				}
				err = beside()
				if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), path+" was moved") {
					t.Errorf("beside it: %v", err)
				}
				err = note(db, "meanwhile")
				if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "moved") {
					t.Errorf("it is written to: %v", err)
				}
				if err := db.View(context.Background(), func(t Tx) error {
					_, err := t.Count(`SELECT COUNT(*) FROM notes`)
					return err
				}); err != nil && !errors.Is(err, ErrUnavailable) {
					t.Errorf("a read: %v", err)
				}
				for range 3 { // when the third is taken, the first is done
					file.fold <- struct{}{}
				}
				if err := os.Rename(path+".elsewhere", path); err != nil {
					t.Fatal(err)
				}
				if err := note(db, "after"); err != nil {
					t.Errorf("it is back: %v", err)
				}
				if err := beside(); err != nil {
					t.Errorf("it is back, and beside it: %v", err)
				}
				if n := count(t, db); n != 2 {
					t.Errorf("it has %d notes, want 2", n)
				}
			})
		}
	}
}
