package sqldb

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestADatabaseThatCannotBeOpenedSaysWhatToDo: SQLite names neither the file nor a remedy.
func TestADatabaseThatCannotBeOpenedSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(folder, path string) error
		want string
	}{
		"it is cut off": {
			func(_, path string) error { return os.Truncate(path, 6000) }, "is damaged",
		},
		"it is something else": {
			func(_, path string) error { return os.WriteFile(path, make([]byte, 6000), 0o600) }, "is damaged",
		},
		"its disk is full": {
			func(folder, _ string) error { fillDisk(t, folder); return nil }, "Is its disk full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := smallDisk(t, 2<<20)
			path := filepath.Join(folder, "notes.db")
			db, err := Open(context.Background(), path, notes)
			if err == nil {
				err = db.Close()
			}
			if err == nil {
				err = c.harm(folder, path)
			}
			if err != nil {
				t.Fatal(err)
			}
			db, err = Open(context.Background(), path, notes)
			if err == nil {
				t.Fatal("it is opened", db.Close())
			}
			if text := err.Error(); !strings.Contains(text, path) || !strings.Contains(text, c.want) {
				t.Error(text)
			}
		})
	}
}
