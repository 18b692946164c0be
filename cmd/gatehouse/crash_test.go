package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// shipped is a folder with the program, built once as it is shipped: without cgo.
var shipped = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatehouse-program-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir, ".") // #nosec G204 -- our own program
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build: %w: %s", err, out)
	}
	return dir, os.Chmod(dir, 0o755) // #nosec G302 -- other users run it too
})

var isShipped atomic.Bool

// build returns the path of the program.
func build(t testing.TB) string {
	t.Helper()
	isShipped.Store(true)
	dir, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "gatehouse")
}

// removeShipped removes the program when the tests are over.
func removeShipped() {
	if isShipped.Load() {
		dir, _ := shipped()
		_ = os.RemoveAll(dir)
	}
}

// startProgram starts the program itself and reads the demo's line.
func startProgram(t testing.TB, path string, args ...string) (*exec.Cmd, demoOutput) {
	t.Helper()
	cmd := exec.Command(path, append([]string{"demo", "--json"}, args...)...) // #nosec G204 -- our own program
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errOut buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	line, err := bufio.NewReaderSize(out, 1<<20).ReadBytes('\n')
	var d demoOutput
	if err == nil {
		err = json.Unmarshal(line, &d)
	}
	if err != nil {
		t.Fatalf("the demo printed %q: %v: %s", line, err, errOut.String())
	}
	return cmd, d
}

// TestKillingTheProgramLosesNothingAcknowledged creates users over SCIM as fast as it can, kills
// the program with SIGKILL in the middle, and finds every user whose creation was answered after
// the next start.
func TestKillingTheProgramLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	path, dir := build(t), t.TempDir()
	args := []string{"--data", dir, "--center", webtest.FreeAddress(t), "--tenant", webtest.FreeAddress(t)}
	cmd, d := startProgram(t, path, args...)
	target := &scim.Client{BaseURL: d.Center.SCIMEndpoint, Token: d.Center.SCIMToken}
	acknowledged := make(chan string, 10_000)
	ended := make(chan struct{}, 8)
	for w := range 8 {
		go func() {
			defer func() { ended <- struct{}{} }()
			for i := 0; ; i++ {
				name := fmt.Sprintf("w%d.n%d@example.com", w, i)
				_, err := target.Create(
					context.Background(),
					"/Users",
					scim.Resource{
						"userName":    name,
						"displayName": name,
						"name":        map[string]any{"givenName": "G", "familyName": "F"},
					},
				)
				if err != nil {
					return
				}
				acknowledged <- name
			}
		}()
	}
	for len(acknowledged) < 200 { // in the middle of the work
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_, _ = cmd.Process.Wait()
	for range 8 {
		<-ended
	}
	close(acknowledged)
	_, d = startProgram(t, path, args...)
	target = &scim.Client{BaseURL: d.Center.SCIMEndpoint, Token: d.Center.SCIMToken}
	n := 0
	for name := range acknowledged {
		found, err := target.Find(context.Background(), "/Users", "userName", name)
		if err != nil || len(found) != 1 {
			t.Errorf("%s was acknowledged and is gone: %v", name, err)
		}
		n++
	}
	t.Logf("%d acknowledged users, all there", n)
}

// TestCtrlCStopsTheDemoAndRemovesItsFolder: a clean end leaves nothing behind.
func TestCtrlCStopsTheDemoAndRemovesItsFolder(t *testing.T) {
	t.Parallel()
	path, tmp := build(t), t.TempDir()
	// #nosec G204 -- our own program
	cmd := exec.Command(path, "demo", "--json", "--center", "127.0.0.1:0", "--tenant", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReaderSize(out, 1<<20).ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	left, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if strings.HasPrefix(e.Name(), "gatehouse-demo-") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}
