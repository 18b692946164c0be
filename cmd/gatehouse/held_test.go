package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestRunsThatShareAFolderDoNotMeet: while one waits for its word, another is told who that is.
// When it is killed, nothing of it is in the way.
func TestRunsThatShareAFolderDoNotMeet(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	env, args := connectArgs(d, "--group", "Engineering", "--state", t.TempDir())
	first := exec.Command(build(t), args...) // #nosec G204 -- our own program
	first.Env = os.Environ()
	for name, value := range env {
		first.Env = append(first.Env, name+"="+value)
	}
	typed, err := first.StdinPipe() // nobody types
	if err != nil {
		t.Fatal(err)
	}
	asks, err := first.StderrPipe()
	if err == nil {
		err = first.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = typed.Close(); _ = first.Process.Kill(); _ = first.Wait() })
	for in, said := bufio.NewReader(asks), ""; !strings.Contains(said, "ACCEPT"); {
		b, err := in.ReadByte()
		if err != nil {
			t.Fatalf("it does not ask: %v: %s", err, said)
		}
		said += string(b)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	undo := append([]string{"connect", "undo"}, args[1:len(args)-4]...)
	undo = append(undo, args[len(args)-2:]...)
	for _, line := range [][]string{args, undo} {
		code, _, errOut := call(t, "", env, append(line, "--accept")...)
		who := fmt.Sprintf("on the host %s, process %d, since 20", host, first.Process.Pid)
		if code != exitFailed || !strings.Contains(errOut, who) {
			t.Errorf("%q: %d %s; want %q", line, code, errOut, who)
		}
	}
	if code, _, errOut := call(t, "", env, append(args, "--dry-run")...); code != exitChanges {
		t.Errorf("who only looks is kept out: %d %s", code, errOut)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = first.Process.Wait()
	if code, _, errOut := call(t, "", env, append(args, "--accept")...); code != exitDone {
		t.Errorf("after it was killed: %d %s", code, errOut)
	}
}
