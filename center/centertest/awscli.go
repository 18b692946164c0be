package centertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// AWSCLI runs the real aws CLI against an endpoint.
type AWSCLI struct {
	Endpoint string
	Env      []string // all that it has

	t       testing.TB
	program *PythonProgram
}

// debians is the aws CLI of Debian's package, whatever pip has put before it.
const debians = "/usr/bin/aws"

// cli2 is the path of the aws CLI, version 2, or why there is none. It is looked for once.
var cli2 = sync.OnceValues(func() (string, error) {
	why := errors.New("the aws CLI is not installed")
	// what dpkg has installed says its version without being run for a second
	if of, _ := filepath.Glob("/usr/lib/python3/dist-packages/awscli-2.*-info"); len(of) > 0 {
		if _, err := os.Stat(debians); err == nil {
			return debians, nil
		}
	}
	paths := []string{debians}
	if path, err := exec.LookPath("aws"); err == nil {
		paths = append(paths, path)
	}
	for _, path := range paths {
		out, err := exec.Command(path, "--version").CombinedOutput() // #nosec G204 -- the CLI itself
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if isCLI2(string(out)) {
			return path, nil
		}
		why = fmt.Errorf("%s is not version 2 of the aws CLI: %s", path, bytes.TrimSpace(out))
	}
	return "", fmt.Errorf("%w (Debian: apt-get install awscli)", why)
})

// isCLI2 reads the answer to --version. Version 1 has other options and no sign-in, so tests
// written for version 2 would fail for no fault of ours.
func isCLI2(answer string) bool { return strings.HasPrefix(answer, "aws-cli/2.") }

// NewAWSCLI returns the real aws CLI with a home of its own. The test is skipped where it is not
// installed, and with -short.
func NewAWSCLI(t testing.TB, endpoint, region, accessKeyID, secretAccessKey string) *AWSCLI {
	t.Helper()
	if testing.Short() {
		t.Skip("each command of the aws CLI takes a second")
	}
	path, err := cli2()
	if err != nil {
		sqldbtest.Skip(t, err.Error())
	}
	program := &PythonProgram{Path: path}
	if path == debians {
		program.Modules = []string{"awscli.clidriver", "awscli.handlers"}
	}
	return &AWSCLI{
		Endpoint: endpoint,
		Env: append([]string{
			"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region, "AWS_ACCESS_KEY_ID=" + accessKeyID,
			"AWS_SECRET_ACCESS_KEY=" + secretAccessKey,
		}, PythonMemory()...),
		t:       t,
		program: program,
	}
}

// try runs a command, and returns what it wrote to its two outputs.
func (a *AWSCLI) try(args ...string) (stdout, stderr []byte, err error) {
	a.t.Helper()
	args = append(args, "--endpoint-url", a.Endpoint, "--output", "json", "--no-cli-pager")
	return a.program.Run(a.t, a.Env, args)
}

// Command is a command that is started as a shell does, by itself.
func (a *AWSCLI) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, a.program.Path, args...) // #nosec G204 -- the test's own arguments
	cmd.Env = a.Env
	return cmd
}

// Run runs a command that must succeed and decodes its answer.
func (a *AWSCLI) Run(into any, args ...string) {
	a.t.Helper()
	stdout, stderr, err := a.try(args...)
	if err != nil {
		a.t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, stderr)
	}
	if into != nil {
		if err := json.Unmarshal(stdout, into); err != nil {
			a.t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, stdout)
		}
	}
}

// Fails runs a command that must be refused with the exception.
func (a *AWSCLI) Fails(exception string, args ...string) {
	a.t.Helper()
	stdout, stderr, err := a.try(args...)
	if err == nil || !strings.Contains(string(stderr), exception) {
		a.t.Errorf("aws %s: want %s, got %v: %s %s", strings.Join(args, " "), exception, err, stdout, stderr)
	}
}

// Output is what a running command has written so far.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns all of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
