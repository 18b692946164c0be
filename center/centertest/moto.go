package centertest

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Moto starts moto_server, an emulator of AWS that nobody here wrote, and returns its address.
// Where it is not installed the test is skipped: no distribution has it among its packages.
func Moto(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what an emulator of AWS does")
	}
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed (pip install 'moto[server]'): what AWS would do is not tried")
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	// #nosec G204 -- the program that was looked up
	cmd := exec.CommandContext(context.Background(), path, "-H", "127.0.0.1", "-p", port)
	// AWS's own, which it else does not know
	cmd.Env = append(append(os.Environ(), PythonMemory()...), "MOTO_IAM_LOAD_MANAGED_POLICIES=true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		res, err := http.Get("http://" + address + "/moto-api/")
		if err == nil {
			_ = res.Body.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto_server does not answer: %v", err)
		}
	}
}
