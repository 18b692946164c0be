package gatehouse

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"
)

const containerID = "c0ffee00c0ffee00"

// engine answers as much of Docker's API as a container needs, and runs the command of a container
// on this machine: there is no Docker where the tests run. Source: Docker Engine API 1.44.
type engine struct {
	t       *testing.T
	program string
	created struct {
		Image      string
		Cmd        []string
		HostConfig struct {
			PortBindings map[string][]struct{ HostIp, HostPort string } //nolint:revive // Docker's name
		}
	}
	process *exec.Cmd
	printed output
	ended   chan struct{}
}

// ServeHTTP implements http.Handler.
func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := regexp.MustCompile(`^/v[0-9.]+`).ReplaceAllString(r.URL.Path, "")
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	switch {
	case path == "/_ping":
		w.Header().Set("Api-Version", "1.44")
		_, _ = w.Write([]byte("OK"))
	case path == "/info":
		answer(http.StatusOK, map[string]any{"ID": "test", "OperatingSystem": "Debian", "ServerVersion": "27.0"})
	case path == "/version":
		answer(http.StatusOK, map[string]any{"Version": "27.0", "ApiVersion": "1.44", "MinAPIVersion": "1.24"})
	case strings.HasPrefix(path, "/images/"):
		answer(http.StatusOK, map[string]any{"Id": "sha256:0", "Config": map[string]any{}})
	case strings.HasPrefix(path, "/networks"):
		answer(http.StatusOK, []any{map[string]string{"Name": "bridge", "Id": "b1", "Driver": "bridge"}})
	case path == "/containers/create":
		if err := json.NewDecoder(r.Body).Decode(&e.created); err != nil {
			e.t.Error(err)
		}
		answer(http.StatusCreated, map[string]any{"Id": containerID, "Warnings": []string{}})
	case path == "/containers/"+containerID+"/start":
		e.start()
		w.WriteHeader(http.StatusNoContent)
	case path == "/containers/"+containerID+"/json":
		answer(http.StatusOK, e.inspected())
	case path == "/containers/"+containerID+"/logs":
		w.Header().Set("Content-Type", "application/vnd.docker.multiplexed-stream")
		text := e.printed.logs()
		head := make([]byte, 8)
		head[0] = 1 // standard output
		binary.BigEndian.PutUint32(head[4:], uint32(text.Len()))
		_, _ = w.Write(head)
		_, _ = text.WriteTo(w)
	case path == "/containers/"+containerID+"/stop",
		path == "/containers/"+containerID && r.Method == http.MethodDelete:
		e.stop()
		w.WriteHeader(http.StatusNoContent)
	default:
		e.t.Logf("the engine does not know %s %s", r.Method, r.URL)
		answer(http.StatusNotFound, map[string]string{"message": "no such thing"})
	}
}

func (e *engine) start() {
	e.process, e.ended = exec.Command(e.program, e.created.Cmd...), make(chan struct{})
	e.process.Stdout, e.process.Stderr = &e.printed, &e.printed
	if err := e.process.Start(); err != nil {
		e.t.Error(err)
		return
	}
	go func() { _ = e.process.Wait(); close(e.ended) }()
}

func (e *engine) stop() {
	if e.process != nil && e.process.Process != nil {
		_ = e.process.Process.Signal(os.Interrupt)
		<-e.ended
	}
}

func (e *engine) inspected() map[string]any {
	running := e.process != nil
	select {
	case <-e.ended:
		running = false
	default:
	}
	state := map[string]any{"Running": running, "Status": map[bool]string{true: "running", false: "exited"}[running]}
	if !running && e.process != nil {
		state["ExitCode"] = e.process.ProcessState.ExitCode()
	}
	return map[string]any{
		"Id": containerID, "Name": "/gatehouse", "State": state, "Image": "sha256:0",
		"Config":          map[string]any{"Image": e.created.Image, "Labels": map[string]string{}},
		"HostConfig":      map[string]any{"PortBindings": e.created.HostConfig.PortBindings},
		"NetworkSettings": map[string]any{"Ports": e.created.HostConfig.PortBindings},
	}
}

// docker starts an engine and has testcontainers find it.
func docker(t *testing.T) *engine {
	t.Helper()
	program := os.Getenv("GATEHOUSE_PROGRAM")
	if program == "" {
		t.Skip("GATEHOUSE_PROGRAM does not name a gatehouse; the tests of deploy/ do")
	}
	e := &engine{t: t, program: program}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	t.Setenv("DOCKER_HOST", "tcp://"+s.Listener.Addr().String())
	t.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	return e
}

// TestRun starts a pair by testcontainers itself, ends it, and says why one has not started.
func TestRun(t *testing.T) {
	e := docker(t)
	pair, err := Run(t.Context(), Image, testcontainers.WithCmdArgs("--people=30"))
	testcontainers.CleanupContainer(t, pair)
	if err != nil {
		t.Fatal(err)
	}
	if e.created.Image != Image || len(pair.Demo.People) != 30 {
		t.Errorf("%+v", e.created)
	}
	res, err := http.Get(pair.Demo.Center.URL + "/readyz")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%v %v", res, err)
	}
	for _, bindings := range e.created.HostConfig.PortBindings {
		if len(bindings) != 1 || bindings[0].HostIp != "127.0.0.1" {
			t.Errorf("%+v", bindings)
		}
	}
	if err := pair.Terminate(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(pair.Demo.Center.URL + "/readyz"); err == nil {
		t.Error("it still runs")
	}
	e.process, e.ended = nil, nil
	e.printed.text.Reset()
	refused, err := Run(t.Context(), Image, testcontainers.WithCmdArgs("--people=0"))
	testcontainers.CleanupContainer(t, refused)
	if err == nil || !strings.Contains(fmt.Sprint(err), "--people and --groups must be at least 1") {
		t.Errorf("%v", err)
	}
}
