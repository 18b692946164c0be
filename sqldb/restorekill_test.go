package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// TestARestoreThatIsKilledIsRepeated kills the process before each of its steps, for each disaster.
// Then a start either finds the old data as it was, or the backup's, or is refused; and the restore
// goes through.
func TestARestoreThatIsKilledIsRepeated(t *testing.T) {
	if at := os.Getenv("RESTORE_DIES_AT"); at != "" {
		dieRestoring(t, at)
	}
	// Not in parallel: until it begins, a child holds the locks of its parent.
	backup := backedUp(t, "1", "2", "3")
	kills := 0
	for _, name := range []string{
		"nothing", "a sound database", "after a crash", "an open journal", "only the log", "a damaged header",
		"an earlier copy", "an empty file",
	} {
		folder, disaster := t.TempDir(), disasters[name]
		disaster(t, filepath.Join(folder, "notes.db"))
		before := contents(t, filepath.Join(folder, "notes.db"))
		for step := 1; ; step++ {
			path := filepath.Join(t.TempDir(), "notes.db")
			copyFiles(t, folder, filepath.Dir(path))
			cmd := exec.Command(os.Args[0], "-test.run=^TestARestoreThatIsKilledIsRepeated$") // #nosec G204 -- itself
			cmd.Dir = filepath.Dir(path)
			cmd.Env = append(os.Environ(), fmt.Sprintf("RESTORE_DIES_AT=%d", step))
			if err := os.Symlink(backup, filepath.Join(cmd.Dir, "backup")); err != nil {
				t.Fatal(err)
			}
			out, err := cmd.CombinedOutput()
			if err == nil {
				if step < 10 {
					t.Errorf("%s: it has only %d steps", name, step)
				}
				break
			}
			if cmd.ProcessState.ExitCode() != -1 {
				t.Fatalf("%s, step %d: %v %s", name, step, err, out)
			}
			kills++
			whatIsThere := fmt.Sprintf("%s, killed before step %d", name, step)
			afterAKill(t, whatIsThere, path, before)
			if _, err := restored(backup, path, true); err != nil {
				t.Errorf("%s: the second try: %v", whatIsThere, err)
				continue
			}
			wantNotes(t, path, 3)
			if found := left(t, path+copySuffix); len(found) > 0 {
				t.Errorf("%s: %v is left", whatIsThere, found)
			}
			if len(before) > 0 && !keptSomewhere(t, path, before) {
				t.Errorf("%s: what was there is not kept in one piece", whatIsThere)
			}
		}
	}
	t.Logf("%d kills", kills)
}

// afterAKill looks at what a start would find: the old database as it was, the backup's, or none
// and then it is refused, unless there never was one.
func afterAKill(t *testing.T, name, path string, before map[string]string) {
	t.Helper()
	missing, err := Missing(path)
	if err != nil {
		t.Fatal(err)
	}
	now := contents(t, path)
	switch {
	case reflect.DeepEqual(now, before) && !missing:
	case !missing && len(now) > 1:
		t.Errorf("%s: a database beside logs that may be another's", name)
	case !missing:
	case len(before[""]+before["-wal"]+before["-journal"]) > 0 || len(left(t, path+copySuffix)) > 0:
		db, err := Open(context.Background(), path, notes)
		if err == nil {
			_ = db.Close()
		}
		if !errors.Is(err, ErrRemains) {
			t.Errorf("%s: a start: %v, want a refusal", name, err)
		}
	}
}

// keptSomewhere says whether all of what was there stands under one other name.
func keptSomewhere(t *testing.T, path string, before map[string]string) bool {
	t.Helper()
	for _, name := range left(t, path+keptSuffix) {
		for _, suffix := range besideSuffixes {
			name = strings.TrimSuffix(name, suffix)
		}
		if reflect.DeepEqual(contents(t, name), before) {
			return true
		}
	}
	return false
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// deadlyStep kills the process before the n-th step.
func deadlyStep(n int) func(string) {
	return func(string) {
		if n--; n == 0 {
			p, _ := os.FindProcess(os.Getpid())
			_ = p.Kill()
			select {} // until the signal arrives
		}
	}
}

// dieRestoring is the process that is killed.
func dieRestoring(t *testing.T, at string) {
	t.Helper()
	n, err := strconv.Atoi(at)
	if err != nil {
		t.Fatal(err)
	}
	r := restoration("backup", "notes.db")
	r.Replace = true
	r.Step = deadlyStep(n)
	if _, err := Restore(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	os.Exit(0)
}
