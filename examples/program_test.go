package examples

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is a folder with the program, built once. TestMain removes it.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatehouse-examples-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-o", dir, "./cmd/gatehouse")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build: %w: %s", err, out)
	}
	return dir, nil
})

var built bool

func TestMain(m *testing.M) {
	code := m.Run()
	if built {
		dir, _ := program()
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// environment is what a user's shell has: the program on the path, and variables.
func environment(t *testing.T, variables ...string) []string {
	t.Helper()
	built = true
	dir, err := program()
	if err != nil {
		t.Fatal(err)
	}
	// Debian's aws comes before any other.
	path := "PATH=" + dir + ":/usr/bin:/bin:" + os.Getenv("PATH")
	return append([]string{path, "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}, variables...)
}

// run runs a command in a folder and returns what it printed. It must succeed.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := command(dir, env, name, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errOut.String())
	}
	return out.String()
}

// command looks the program up on the path of env, as a shell does.
func command(dir string, env []string, name string, args ...string) *exec.Cmd {
	if !strings.Contains(name, "/") {
		for _, folder := range filepath.SplitList(strings.TrimPrefix(env[0], "PATH=")) {
			if info, err := os.Stat(filepath.Join(folder, name)); err == nil && !info.IsDir() {
				name = filepath.Join(folder, name)
				break
			}
		}
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = env
	return cmd
}

// ask only asks whether somebody answers.
var ask = &http.Client{Transport: &http.Transport{
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	DisableKeepAlives: true, // a server that ends waits for open connections
}}

// serve starts a server that ends with the test, and waits until it answers.
func serve(t *testing.T, address string, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if res, err := ask.Get("https://" + address + "/"); err == nil {
			_ = res.Body.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- nil // for the cleanup
			t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer at %s", strings.Join(cmd.Args, " "), address)
		}
	}
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only to take a port
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
