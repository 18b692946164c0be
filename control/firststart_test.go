package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// beginner writes its secrets, and fails where it is told to.
type beginner struct {
	Beginner

	err error
}

func (b beginner) Begin(_ context.Context, f *SecretFile, name string, p FirstPassword) error {
	return errors.Join(f.Add("%s has %s\n", name, p.Shown()), b.err)
}

// TestTheFileOfAFirstStart: only its owner may read it, it shows no password that somebody chose,
// and one of a first start that was interrupted goes.
func TestTheFileOfAFirstStart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	interrupted := errors.New("interrupted")
	for _, c := range []struct {
		password FirstPassword
		err      error
		shown    string
	}{
		{FirstPassword{"generated", true}, interrupted, "root has generated"},
		{FirstPassword{"chosen", false}, nil, "root has (the one that you gave)"},
	} {
		path, err := FirstStart(t.Context(), beginner{err: c.err}, "center", folder, "root", c.password)
		if !errors.Is(err, c.err) || path != filepath.Join(folder, FirstStartFile) {
			t.Fatalf("it is %s, %v; want %v", path, err, c.err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "First start of the center, ") ||
			!strings.Contains(string(text), c.shown) || strings.Count(string(text), "root has") != 1 {
			t.Errorf("the file has %s", text)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file is %v, %v", info.Mode(), err)
		}
	}
}
