package sqldb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAFirstStartThatDiedIsRepeated: it leaves an empty file, and a journal that has no page. One
// with a page is of a database that is lost.
func TestAFirstStartThatDiedIsRepeated(t *testing.T) {
	t.Parallel()
	for journal, lost := range map[int]bool{0: false, 512: false, 512 + 8 + pageSize: true} {
		path := filepath.Join(t.TempDir(), "notes.db")
		files := map[string]string{"": "", lockSuffix: "", "-journal": strings.Repeat("j", journal)}
		for suffix, content := range files {
			if err := os.WriteFile(path+suffix, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		db, err := Open(context.Background(), path, notes)
		if errors.Is(err, ErrRemains) != lost || (err != nil) != lost {
			t.Errorf("beside a journal of %d bytes: %v", journal, err)
		}
		if db == nil {
			continue
		}
		if err := errors.Join(note(db, "first"), db.Close()); err != nil {
			t.Error(err)
		}
	}
}
