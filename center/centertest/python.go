package centertest

import (
	"bufio"
	"bytes"
	_ "embed" // python.py
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

//go:embed python.py
var python string

// PythonMemory is the environment of a program in Python that takes its memory in large pages: the
// AWS CLI touches 60 MiB for each command, and pages are dear on virtual machines, a seventh of its
// time. Where the system has no large pages it changes nothing.
func PythonMemory() []string {
	return []string{
		"PYTHONMALLOC=malloc", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.top_pad=67108864",
	}
}

// PythonProgram runs the commands of a program that is written in Python. To load such a program
// takes longer than most of its commands. Where it has modules, the system's Python loads them
// once, and each command is forked from that: a process of its own all the same, that runs the
// program's file. Commands then run one after the other.
type PythonProgram struct {
	Path    string   // its file
	Modules []string // what is loaded before; none: each command starts anew

	mu      sync.Mutex
	env     []string // of the Python that commands are forked from; another one needs another Python
	orders  io.WriteCloser
	answers *bufio.Reader
	end     func()
}

// order is what that Python reads, a line each.
type order struct {
	Args   []string `json:"args"`
	Stdout string   `json:"stdout"`
	Stderr string   `json:"stderr"`
}

// Run runs a command with an environment, and returns what it wrote to its two outputs, and an
// error where its exit code is not 0. A Python that it was forked from ends with the test.
func (p *PythonProgram) Run(t testing.TB, env, args []string) (stdout, stderr []byte, err error) {
	t.Helper()
	if len(p.Modules) > 0 {
		return p.fork(t, env, args)
	}
	var written, wrong bytes.Buffer
	cmd := exec.Command(p.Path, args...) // #nosec G204 -- the test's own arguments
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = &written, &wrong
	err = cmd.Run()
	return written.Bytes(), wrong.Bytes(), err
}

func (p *PythonProgram) fork(t testing.TB, env, args []string) (stdout, stderr []byte, err error) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == nil || !slices.Equal(p.env, env) {
		if err := p.start(t, env); err != nil {
			return nil, nil, err
		}
	}
	dir := t.TempDir()
	o := order{args, filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr")}
	for _, file := range []string{o.Stdout, o.Stderr} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return nil, nil, err
		}
	}
	line, err := json.Marshal(o)
	if err == nil {
		_, err = p.orders.Write(append(line, '\n'))
	}
	if err != nil {
		return nil, nil, err
	}
	answer, err := p.answers.ReadBytes('\n')
	if err != nil {
		return nil, nil, fmt.Errorf("the Python that %s is forked from has ended: %w", p.Path, err)
	}
	stdout, e1 := os.ReadFile(o.Stdout)
	stderr, e2 := os.ReadFile(o.Stderr)
	if err = errors.Join(e1, e2); err == nil && !bytes.Equal(bytes.TrimSpace(answer), []byte("0")) {
		err = fmt.Errorf("exit status %s", bytes.TrimSpace(answer))
	}
	return stdout, stderr, err
}

// start starts the Python that commands with an environment are forked from, and ends the one
// before.
func (p *PythonProgram) start(t testing.TB, env []string) error {
	if p.end != nil {
		p.end()
	}
	const systems = "/usr/bin/python3"
	// #nosec G204 -- what a test names
	cmd := exec.Command(systems, append([]string{"-c", python, p.Path}, p.Modules...)...)
	cmd.Env, cmd.Stderr = env, os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.end = sync.OnceFunc(func() {
		_ = orders.Close() // it ends when there are no more
		_ = cmd.Wait()
	})
	t.Cleanup(p.end)
	p.env = slices.Clone(env)
	p.orders, p.answers = orders, bufio.NewReader(answers)
	return nil
}
