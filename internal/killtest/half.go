package killtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// half is a program with a data folder, which can be killed and started again.
type half struct {
	program, name, address, data string
	args                         []string
	log                          *os.File
	cmd                          *exec.Cmd
	ended                        chan struct{}
}

// newHalf prepares a half in a folder.
func newHalf(c Config, name, subcommand string, args ...string) (*half, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &half{program: c.Program, name: name, address: l.Addr().String(), data: filepath.Join(c.Folder, name)}
	if err := l.Close(); err != nil {
		return nil, err
	}
	h.args = append([]string{subcommand, "--listen", h.address, "--data", h.data}, args...)
	h.log, err = os.Create(filepath.Join(c.Folder, name+".log")) // #nosec G304 -- in our folder
	return h, err
}

func (h *half) url() string { return "http://" + h.address }

// start starts the program and waits until it answers.
func (h *half) start(ctx context.Context) error {
	h.cmd = exec.CommandContext(context.WithoutCancel(ctx), h.program, h.args...) // #nosec G204 -- our own program
	h.cmd.Stdout, h.cmd.Stderr = h.log, h.log
	h.cmd.Env = append(os.Environ(), "GATEHOUSE_ADMIN_PASSWORD=Correct horse 1!")
	if err := h.cmd.Start(); err != nil {
		return err
	}
	cmd, ended := h.cmd, make(chan struct{})
	h.ended = ended
	go func() { defer close(ended); _ = cmd.Wait() }()
	for began := time.Now(); time.Since(began) < time.Minute; {
		res, err := http.Get(h.url() + "/static/icon.svg") //nolint:noctx // a poll
		if err == nil {
			return res.Body.Close()
		}
		select {
		case <-ended:
			return fmt.Errorf("the %s does not start; see %s", h.name, h.log.Name())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond): // a poll
		}
	}
	return fmt.Errorf("the %s does not answer; see %s", h.name, h.log.Name())
}

// kill ends the program as a power failure of its machine would, but for the disk.
func (h *half) kill() {
	if h.cmd != nil {
		_ = h.cmd.Process.Kill()
		<-h.ended
	}
}

// end kills the program for good.
func (h *half) end() {
	if h == nil {
		return
	}
	h.kill()
	_ = h.log.Close()
}

// first reads what the first start has told.
func (h *half) first(pattern string) (string, error) {
	text, err := os.ReadFile(filepath.Join(h.data, "first-start.txt"))
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`(?i)` + pattern).FindStringSubmatch(string(text))
	if m == nil {
		return "", fmt.Errorf("the first start of the %s told no %q", h.name, pattern)
	}
	return strings.TrimSpace(m[1]), nil
}
