package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// shells run what people copy. Options keep the person's own configuration out.
var shells = map[string][]string{
	"bash": {"--norc", "-c"},
	"zsh":  {"-f", "-c"},
	"fish": {"--no-config", "-c"},
}

// TestWhatTheDemoPrintsWorksInEveryShell runs the commands exactly as they are printed.
func TestWhatTheDemoPrintsWorksInEveryShell(t *testing.T) {
	if testing.Short() {
		t.Skip("each command of the aws CLI takes a second")
	}
	t.Parallel()
	program := build(t)
	for shell := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			page := printedDemo(t)
			const first = "As an administrator, on the command line:"
			out := paste(t, shell, program, "", page, first, "Mei Tanaka joins Finance:")
			for _, want := range []string{`"InstanceArn"`, `"amara.okafor@northwind.example"`, `"MembershipId"`} {
				if !strings.Contains(out, want) {
					t.Errorf("no %s in %s", want, out)
				}
			}
			page = printedDemo(t, "--no-connect")
			const second = "Connect them yourself in the two consoles, or with:"
			out = paste(t, shell, program, "ACCEPT\n", page, first, second)
			if !strings.Contains(out, "users and 2 groups on both sides") {
				t.Errorf("not connected: %s", out)
			}
			for _, account := range []string{"ACCOUNT", "ROLE"} {
				if strings.Contains(page, account+"\n") {
					t.Errorf("something to fill in: %s", page)
				}
			}
		})
	}
}

// printedDemo runs a demo until the test ends, and returns what it printed for a person.
func printedDemo(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var out, errOut centertest.Output
	ended := make(chan int, 1)
	go func() {
		ended <- run(
			ctx, append([]string{"demo", "--center", "127.0.0.1:0", "--tenant", "127.0.0.1:0"}, args...),
			strings.NewReader(""), &out, &errOut, noEnv,
		)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	for began := time.Now(); !strings.Contains(out.String(), "Press Ctrl-C to stop."); {
		if time.Since(began) > time.Minute {
			t.Fatalf("the demo prints %s %s", out.String(), errOut.String())
		}
		time.Sleep(10 * time.Millisecond) // a poll
	}
	return out.String()
}

// paste runs the indented lines below some lines of a page, one block after the other.
func paste(t *testing.T, shell, program, stdin, page string, below ...string) string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		sqldbtest.Skip(t, shell+" is not installed (Debian: apt-get install "+shell+")")
	}
	var script strings.Builder
	for _, line := range below {
		_, rest, found := strings.Cut(page, line+"\n\n")
		if !found {
			t.Fatalf("no %q on %s", line, page)
		}
		for command := range strings.Lines(rest) {
			if command != "\n" && !strings.HasPrefix(command, "  ") {
				break
			}
			script.WriteString(command)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// #nosec G204 -- the commands under test
	cmd := exec.CommandContext(ctx, path, append(shells[shell], script.String())...)
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "AWS_PAGER=", "TERM=dumb",
		"AWS_EC2_METADATA_DISABLED=true", "LANG=" + os.Getenv("LANG"),
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s\n%s", shell, err, out, script.String())
	}
	return string(out)
}
