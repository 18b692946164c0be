package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// process is a started program and the first line that it printed.
type process struct {
	cmd   *exec.Cmd
	line  []byte
	ready time.Duration
}

func start(path string, args ...string) (*process, error) {
	began := time.Now()
	// #nosec G204 -- what the person who runs the benchmark named
	cmd := exec.CommandContext(context.Background(), path, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReaderSize(out, 1<<22).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("%s printed no line: %w", path, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &process{cmd, bytes.TrimSpace(line), time.Since(began)}, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
}

// resident is the process's resident memory in MiB.
func (p *process) resident() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(data), "\n") {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ") // after the name, which may hold blanks
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system int64
	_, _ = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return time.Duration(user+system) * time.Second / ticksPerSecond
}

// ticksPerSecond is the unit of /proc/PID/stat, which is the same on every Linux that Go runs on.
const ticksPerSecond = 100
