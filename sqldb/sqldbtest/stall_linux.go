package sqldbtest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Stall stops the server's processes where they are: its connections stay open, and nothing is
// answered. They go on with goOn, or at the end of the test.
func (s *Server) Stall(t testing.TB) (goOn func()) {
	t.Helper()
	text, err := os.ReadFile(s.dir + "/data/postmaster.pid")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", first, first)) // #nosec G304 -- a number
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{first}, strings.Fields(string(children))...)
	signal := func(which syscall.Signal) {
		for _, text := range all {
			if pid, err := strconv.Atoi(text); err == nil {
				_ = syscall.Kill(pid, which) // it may have ended
			}
		}
	}
	signal(syscall.SIGSTOP)
	goOn = func() { signal(syscall.SIGCONT) }
	t.Cleanup(goOn)
	return goOn
}
