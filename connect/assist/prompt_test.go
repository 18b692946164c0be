package assist_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/connect/assist"
)

// TestTheTerminalAsksUntilAValueIsTaken: what is refused is asked again, a file is read by its path
// or as text of several lines, and the prepared file is there to be copied.
func TestTheTerminalAsksUntilAValueIsTaken(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "metadata.xml")
	if err := os.WriteFile(file, []byte("<sp mine>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, typed := range map[string]string{
		"a path":        file + "\n",
		"several lines": "<sp\n mine>\n\n",
		"another first": "<sp theirs>\n\n" + file + "\n",
	} {
		c := &console{taken: map[string]string{}}
		task := c.task()
		task.Wants = task.Wants[:2] // without the secret, which needs a terminal
		proofs := 0
		task.Proved = func(context.Context) (bool, error) { proofs++; return proofs > 0, nil }
		out := &written{}
		d := &assist.Terminal{In: strings.NewReader(typed + "nothing\nhttps://x\n"), Out: out, Folder: folder}
		if err := d.Do(t.Context(), task); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if !strings.Contains(c.taken["file"], "mine") || c.taken["endpoint"] != "https://x" {
			t.Errorf("%s: taken %q", name, c.taken)
		}
		for _, want := range []string{
			"Open https://console.example/#!/settings", filepath.Join(folder, "idp.xml"), "A > B", "another instance",
			"Done: Change it",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: want %q in %s", name, want, out)
			}
		}
	}
	if data, err := os.ReadFile(filepath.Join(folder, "idp.xml")); err != nil || string(data) != "<idp/>" {
		t.Errorf("the prepared file: %q, %v", data, err)
	}
}

func TestNobodyAtTheTerminal(t *testing.T) {
	t.Parallel()
	c := &console{taken: map[string]string{}}
	d := &assist.Terminal{In: strings.NewReader(""), Out: &written{}, Folder: t.TempDir()}
	if err := d.Do(t.Context(), c.task()); err == nil || !strings.Contains(err.Error(), "run this again") {
		t.Errorf("without anything typed: %v", err)
	}
	task := c.task()
	task.Wants = task.Wants[2:]
	if err := d.Do(t.Context(), task); err == nil || !strings.Contains(err.Error(), "not a terminal") {
		t.Errorf("a secret without a terminal: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Do(ctx, c.task()); !errors.Is(err, context.Canceled) && err == nil {
		t.Errorf("when the command ends: %v", err)
	}
}

func TestWhetherThereIsABrowser(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"BROWSER": "firefox", "SSH_TTY": "/dev/pts/1"}, true},
		{map[string]string{"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "DISPLAY": ":0"}, false},
	} {
		env := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
		if got := assist.HasBrowser(env); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}

func TestTheDownloadFolderIsThePersonsOwn(t *testing.T) { // not parallel: it sets HOME
	home := t.TempDir()
	t.Setenv("HOME", home)
	env := func(string) (string, bool) { return "", false }
	if got := assist.DownloadFolder(env); got != "" {
		t.Errorf("without one: %q", got)
	}
	for _, name := range []string{"Downloads", "Von unten", ".config"} {
		if err := os.Mkdir(filepath.Join(home, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := assist.DownloadFolder(env); got != filepath.Join(home, "Downloads") {
		t.Errorf("the usual one: %q", got)
	}
	named := filepath.Join(home, ".config", "user-dirs.dirs")
	if err := os.WriteFile(named, []byte("# by xdg\nXDG_DOWNLOAD_DIR=\"$HOME/Von unten\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := assist.DownloadFolder(env); got != filepath.Join(home, "Von unten") {
		t.Errorf("the named one: %q", got)
	}
}

// TestThePersonIsAwayForAnHour, by a clock that runs by itself: what they did then counts at the
// next look, looks grow rare, and nobody is waited for without an end.
func TestThePersonIsAwayForAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		began := time.Now()
		task := assist.Task{Title: "Away", Proved: func(context.Context) (bool, error) {
			looks++
			return time.Since(began) >= time.Hour, nil
		}}
		d := &assist.Terminal{In: strings.NewReader(""), Out: &written{}}
		if err := d.Do(t.Context(), task); err != nil || time.Since(began) > time.Hour+time.Minute || looks > 500 {
			t.Errorf("after %s and %d looks: %v", time.Since(began), looks, err)
		}
		task.Proved = func(context.Context) (bool, error) { return false, nil }
		began = time.Now()
		if err := d.Do(t.Context(), task); !errors.Is(err, assist.ErrPatience) || time.Since(began) > 13*time.Hour {
			t.Errorf("nobody comes: after %s, %v", time.Since(began), err)
		}
	})
}
