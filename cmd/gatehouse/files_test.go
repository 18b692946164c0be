//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// watcher looks at all files of some folders again and again, and remembers those that others may
// read.
type watcher struct {
	mu      sync.Mutex
	loose   map[string]fs.FileMode
	looks   int
	stop    chan struct{}
	stopped sync.WaitGroup
}

func watch(folders ...string) *watcher {
	w := &watcher{loose: map[string]fs.FileMode{}, stop: make(chan struct{})}
	w.stopped.Go(func() {
		for {
			for _, folder := range folders {
				w.look(folder)
			}
			select {
			case <-w.stop:
				return
			default:
			}
		}
	})
	return w
}

func (w *watcher) look(folder string) {
	_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it is gone by now
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // it is gone by now
		}
		if !info.Mode().IsRegular() && !info.IsDir() { // a socket is closed to others by the folder that it is in
			return nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.looks++; info.Mode().Perm()&0o077 != 0 {
			w.loose[path] = info.Mode()
		}
		return nil
	})
}

// end is what others could have read in the meantime.
func (w *watcher) end() string {
	close(w.stop)
	w.stopped.Wait()
	var list []string
	for path, mode := range w.loose {
		list = append(list, fmt.Sprint(path, " ", mode))
	}
	return strings.Join(list, ", ")
}

// TestNobodyElseReadsTheFilesOfAnyCommand runs the program where nothing takes rights away from new
// files, and looks at all files all the time, also while they are written.
func TestNobodyElseReadsTheFilesOfAnyCommand(t *testing.T) {
	t.Parallel()
	path, root := build(t), t.TempDir()
	in := func(name string) string { return filepath.Join(root, name) }
	for _, folder := range []string{"data", "safe", "other", "state"} {
		if err := os.Mkdir(in(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	program := func(args ...string) *exec.Cmd {
		cmd := exec.Command(
			"/bin/sh",
			append([]string{"-c", `umask 0; exec "$@"`, "sh", path}, args...)...) // #nosec G204 -- our own program
		cmd.Env = append(os.Environ(), "GATEHOUSE_SCIM_TOKEN=x", "GATEHOUSE_CLIENT_SECRET=x")
		return cmd
	}
	run := func(may bool, args ...string) {
		t.Helper()
		w := watch(in("data"), in("safe"), in("other"), in("state"))
		out, err := program(args...).CombinedOutput()
		if err != nil && !may {
			t.Errorf("%s: %v: %s", args, err, out)
		}
		if loose := w.end(); loose != "" || w.looks == 0 {
			t.Errorf("%s: others may read %s", args, loose)
		}
	}
	w := watch(in("data"))
	cmd := program(
		"demo",
		"--json",
		"--data",
		in("data"),
		"--people",
		"300",
		"--center",
		webtest.FreeAddress(t),
		"--tenant",
		webtest.FreeAddress(t),
	)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil { // it prints when everything is ready
		t.Fatal(err)
	}
	data := in("data")
	if _, err := os.Stat(filepath.Join(data, "center", datafolder.Center)); err == nil {
		data = filepath.Join(data, "center")
	}
	run(false, "backup", in("safe/backup.db"), "--data", data)
	run(false, "export", in("safe/people.jsonl"), "--data", data)
	run(false, "check", "--data", data)
	_ = cmd.Process.Signal(os.Interrupt)
	_, _ = cmd.Process.Wait()
	if loose := w.end(); loose != "" || w.looks == 0 {
		t.Errorf("the demo: others may read %s", loose)
	}
	key, err := os.ReadFile(filepath.Join(data, "master.key")) // #nosec G304 -- the test's own
	if err == nil {
		err = os.WriteFile(in("other/master.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	run(false, "restore", in("safe/backup.db"), "--data", in("other"))
	run(false, "restore", in("safe/backup.db"), "--data", in("other"), "--force")
	run(false, "import", in("safe/people.jsonl"), "--data", in("other"))
	run(
		true,
		"sync",
		"--login-url",
		"https://127.0.0.1:1/x",
		"--client-id",
		"x",
		"--state",
		in("state"),
		"--to",
		"https://127.0.0.1:1/scim/v2/",
	) // reaches nobody
	if found, _ := filepath.Glob(in("state/*")); len(found) == 0 {
		t.Error("sync has kept nothing")
	}

	for _, half := range []string{"serve", "tenant"} { // a first start of each, until it says that it listens
		folder := in("first-" + half)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		w := watch(folder)
		cmd := program(half, "--data", folder, "--listen", webtest.FreeAddress(t))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
		for _, err := os.Stat(filepath.Join(
			folder, control.FirstStartFile,
		)); err != nil; _, err = os.Stat(filepath.Join(folder, control.FirstStartFile)) {
			if t.Context().Err() != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = cmd.Process.Wait()
		if loose := w.end(); loose != "" || w.looks == 0 {
			t.Errorf("the first start of %s: others may read %s", half, loose)
		}
	}

	// What a copy has brought with other rights is private again, before anything is put into it.
	loosen := func(folder string) {
		t.Helper()
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				return os.Chmod(path, 0o755) // #nosec G302 -- what is to be mended
			}
			return os.Chmod(path, 0o644) // #nosec G302 -- what is to be mended
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	private := func(folder string, args ...string) {
		t.Helper()
		out, err := program(args...).CombinedOutput()
		w := watch(folder)
		if loose := w.end(); err != nil || loose != "" || w.looks == 0 {
			t.Errorf("after %s: others may read %s (%v %s)", args, loose, err, out)
		}
	}
	if err := os.Chmod(in("safe/people.jsonl"), 0o644); err != nil { // #nosec G302 -- what is to be mended
		t.Fatal(err)
	}
	private(in("safe"), "export", in("safe/people.jsonl"), "--data", in("other"))
	loosen(in("other"))
	private(in("other"), "import", in("safe/people.jsonl"), "--data", in("other"))
}
