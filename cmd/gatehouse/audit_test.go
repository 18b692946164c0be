package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// collector takes the events of an audit log, and fails half the time.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	random *rand.Rand
	last   int64
	gaps   []string
	events map[string]string // action by id
}

func newCollector(t *testing.T) *collector {
	c := &collector{random: rand.New(rand.NewPCG(1, 2)), events: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || c.random.IntN(3) == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for line := range strings.Lines(string(body)) {
		var e struct {
			Position int64
			Event    struct{ ID, Action, Subject string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			c.gaps = append(c.gaps, err.Error())
		}
		if e.Position > c.last+1 {
			c.gaps = append(c.gaps, fmt.Sprintf("%d after %d", e.Position, c.last))
		}
		c.last = max(c.last, e.Position)
		c.events[e.Event.ID] = e.Event.Action + " " + e.Event.Subject
	}
	if c.random.IntN(3) == 0 { // it has them, and nobody hears so
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// has says how many events it has whose action and subject contain a text.
func (c *collector) has(text string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if strings.Contains(e, text) {
			n++
		}
	}
	return n
}

// TestAnAuditReceiverThatFailsHasEveryEvent kills either half again and again while administrators
// are added, and then changes a line of its log behind its back.
func TestAnAuditReceiverThatFailsHasEveryEvent(t *testing.T) {
	t.Parallel()
	program := build(t)
	for _, half := range []struct {
		name           string
		serve, command []string
		file, event    string
	}{
		{"center", []string{"serve"}, nil, "center.db", "AddAdministrator"},
		{"tenant", []string{"tenant"}, []string{"tenant"}, "tenant.db", "Add administrator"},
	} {
		t.Run(half.name, func(t *testing.T) {
			t.Parallel()
			to, folder := newCollector(t), t.TempDir()
			serve := append(half.serve, "--data", folder, "--audit-to", to.URL, "--listen", "127.0.0.1:0")
			added := 0
			for range 4 {
				serving := startServing(t, program, serve...)
				for range 3 {
					added++
					args := append([]string{}, half.command...)
					args = append(args, "administrators", "add", fmt.Sprintf("someone%d", added), "--data", folder)
					// #nosec G204 -- our own program
					if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
				}
				_ = serving.Process.Kill()
				_ = serving.Wait()
			}
			startServing(t, program, serve...)
			for end := time.Now().Add(time.Minute); to.has("someone") < added; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d of %d events arrived: %v", to.has("someone"), added, to.events)
				}
			}
			to.mu.Lock()
			if len(to.gaps) > 0 {
				t.Errorf("not in order: %q", to.gaps)
			}
			to.mu.Unlock()
			check := func(want int) (out, errOut string) {
				t.Helper()
				args := append(append([]string{}, half.command...), "check", "--data", folder)
				code, out, errOut := call(t, "", nil, args...)
				if code != want {
					t.Fatalf("check ended with %d: %s%s", code, out, errOut)
				}
				return out, errOut
			}
			out, _ := check(exitDone)
			if !strings.Contains(out, "the chain ends at ") {
				t.Errorf("%s", out)
			}
			change(t, filepath.Join(folder, half.file), `UPDATE events SET doc = REPLACE(doc, 'someone2', 'someone8')`)
			if _, errOut := check(exitFailed); !strings.Contains(errOut, "was changed") {
				t.Errorf("%s", errOut)
			}
			change(t, filepath.Join(folder, half.file), `DELETE FROM events WHERE doc LIKE '%someone3"%'`)
			if _, errOut := check(exitFailed); !strings.Contains(errOut, "is missing") {
				t.Errorf("%s", errOut)
			}
		})
	}
}

// startServing starts the program, and returns when it is ready.
func startServing(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), program, args...) // #nosec G204 -- our own program
	var log buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	end := time.Now().Add(time.Minute)
	for ; !strings.Contains(log.String(), "is ready"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is not ready: %s", log.String())
		}
	}
	return cmd
}

// change changes a database as somebody does who has the file.
func change(t *testing.T, file, statement string) {
	t.Helper()
	c, err := sqlite.OpenConn(file, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	c.SetBusyTimeout(10 * time.Second)
	err = sqlitex.ExecuteTransient(c, statement, nil)
	if err != nil || c.Changes() == 0 {
		t.Fatalf("%d rows, %v", c.Changes(), err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
