package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// node is a half that runs as a program of its own.
type node struct {
	*exec.Cmd
	t   *testing.T
	at  string
	log *buffer
}

func startNode(t *testing.T, path, half string, args ...string) *node {
	t.Helper()
	n := &node{t: t, at: webtest.FreeAddress(t), log: &buffer{}}
	n.Cmd = exec.Command(path, append([]string{half, "--listen", n.at}, args...)...) // #nosec G204 -- our own program
	n.Stderr = n.log
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Process.Kill(); _, _ = n.Process.Wait() })
	n.until("it is ready", func() bool { status, _ := n.get(n.at, "/readyz"); return status == http.StatusOK })
	return n
}

// until waits for a condition.
func (n *node) until(what string, condition func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("not yet: %s: %s", what, n.log)
		}
	}
}

// get asks on a connection of its own; the status is 0 where nobody is let in.
func (n *node) get(at, path string, headers ...string) (status int, body string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	r.Close = true
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// TestReadyMeansThatADatabaseCanBeWritten runs both halves on a real PostgreSQL server that is
// stopped, made read-only, given an older schema and other secrets. They live all the time, say
// that they are not ready, and why to who may know, and are ready again by themselves.
func TestReadyMeansThatADatabaseCanBeWritten(t *testing.T) {
	t.Parallel()
	path := build(t)
	for _, half := range []string{"serve", "tenant"} {
		t.Run(half, func(t *testing.T) {
			t.Parallel()
			postgres := sqldbtest.NewServer(t)
			const token = "a token of some length"
			secret := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"--data", t.TempDir(), "--database", postgres.URL(), "--health-token-file", secret}
			addresses := []string{"", webtest.FreeAddress(t)}
			args = append(args, "--metrics", addresses[1])
			n := startNode(t, path, half, args...)
			addresses[0] = n.at
			ready := func(status int, reason string) {
				t.Helper()
				for _, at := range addresses {
					n.until(fmt.Sprintf("%d %s", status, reason), func() bool {
						got, body := n.get(at, "/readyz")
						return got == status && strings.Contains(body, reason)
					})
					got, body := n.get(at, "/readyz", "X-Forwarded-For: 192.0.2.7")
					if got != status || strings.Contains(body, "database") {
						t.Errorf("a stranger is told %d %s", got, body)
					}
					got, body = n.get(at, "/readyz", "X-Forwarded-For: 192.0.2.7", "Authorization: Bearer "+token)
					if got != status || !strings.Contains(body, reason) {
						t.Errorf("who has the token is told %d %s", got, body)
					}
					if got, body := n.get(at, "/healthz", "Host: another.example"); got != http.StatusOK {
						t.Errorf("it does not live: %d %s", got, body)
					}
				}
			}
			ready(http.StatusOK, `"name":"database","ok":true`)
			postgres.Stop(t)
			ready(http.StatusServiceUnavailable, "not available")
			postgres.Start(t)
			ready(http.StatusOK, "")
			for name, c := range map[string]struct{ breaks, mends, reason string }{
				"read-only": {
					`ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()`,
					`SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only;
						SELECT pg_reload_conf()`,
					"read-only",
				},
				"an older schema": {
					`UPDATE goose_db_version SET version_id = -version_id WHERE version_id > 1`,
					`UPDATE goose_db_version SET version_id = -version_id WHERE version_id < 0`, "older release",
				},
				"other secrets": {
					`UPDATE documents SET doc = replace(replace(doc, '"SealedProof":"', '"SealedProof":"AA'),
						'"SealedTokenKey":"', '"SealedTokenKey":"AA') WHERE kind IN ('instance', 'organization')`,
					`UPDATE documents SET doc = replace(replace(doc, '"SealedProof":"AA', '"SealedProof":"'),
						'"SealedTokenKey":"AA', '"SealedTokenKey":"') WHERE kind IN ('instance', 'organization')`,
					"another master key",
				},
			} {
				postgres.Exec(t, c.breaks)
				t.Logf("%s: %s", half, name)
				ready(http.StatusServiceUnavailable, c.reason)
				postgres.Exec(t, c.mends)
				ready(http.StatusOK, "")
			}
		})
	}
}

// TestTheEndIsBoundedWhereTheDatabaseStalls tells both halves to end while their database has all
// connections open and answers nothing.
func TestTheEndIsBoundedWhereTheDatabaseStalls(t *testing.T) {
	t.Parallel()
	path := build(t)
	for _, half := range []string{"serve", "tenant"} {
		t.Run(half, func(t *testing.T) {
			t.Parallel()
			postgres := sqldbtest.NewServer(t)
			n := startNode(t, path, half, "--data", t.TempDir(), "--database", postgres.URL(), "--drain", "0s")
			postgres.Stall(t)
			n.until("it is not ready", func() bool {
				status, _ := n.get(n.at, "/readyz")
				return status == http.StatusServiceUnavailable
			})
			if err := n.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				_ = n.Wait()
				close(ended)
			}()
			select {
			case <-ended:
			case <-time.After(time.Minute): // ownWait and what is written at the end, and much more
				t.Errorf("it goes on a minute after it was told to end: %s", n.log)
				_ = n.Process.Kill()
				<-ended
			}
		})
	}
}

// TestTheEndLetsRequestsFinish tells both halves to end while a body is on its way: they are not
// ready at once, take requests for the drain time, let nobody in afterwards, answer the request,
// and end in peace. A second signal ends them at once.
func TestTheEndLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	path := build(t)
	for half, door := range map[string]string{"serve": "/console/login", "tenant": "/admin/login"} {
		t.Run(half, func(t *testing.T) {
			t.Parallel()
			form := "username=nobody&password=wrong"
			slow := func(n *node) (finish func() (*http.Response, error)) {
				t.Helper()
				conn, err := net.Dial("tcp", n.at)
				if err == nil {
					_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n"+
						"Content-Type: application/x-www-form-urlencoded\r\n\r\n%s", door, n.at, len(form), form[:5])
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				return func() (*http.Response, error) {
					if _, err := io.WriteString(conn, form[5:]); err != nil {
						return nil, err
					}
					_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
					return http.ReadResponse(bufio.NewReader(conn), nil)
				}
			}
			n := startNode(t, path, half, "--data", t.TempDir(), "--drain", "2s")
			finish := slow(n)
			began := time.Now()
			if err := n.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			n.until("it is not ready", func() bool {
				status, body := n.get(n.at, "/readyz")
				return status == http.StatusServiceUnavailable && strings.Contains(body, "about to end")
			})
			if status, body := n.get(n.at, door); status != http.StatusOK || time.Since(began) > 2*time.Second {
				t.Errorf("while it drains, %v after the signal: %d %s", time.Since(began), status, body)
			}
			n.until("nobody is let in", func() bool { status, _ := n.get(n.at, "/healthz"); return status == 0 })
			if d := time.Since(began); d < 2*time.Second {
				t.Errorf("nobody was let in %v after the signal", d)
			}
			res, err := finish()
			if err != nil {
				t.Fatalf("the slow request has no answer: %v: %s", err, n.log)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("the slow request is answered %d", res.StatusCode)
			}
			if err := n.Wait(); err != nil {
				t.Errorf("it ended with %v: %s", err, n.log)
			}

			n = startNode(t, path, half, "--data", t.TempDir(), "--drain", "1m")
			for range 2 {
				if err := n.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				n.until("it is not ready, or gone", func() bool {
					status, _ := n.get(n.at, "/readyz")
					return status != http.StatusOK
				})
			}
			var ended *exec.ExitError
			if err := n.Wait(); !errors.As(err, &ended) || time.Since(began) > 30*time.Second {
				t.Errorf("the second signal: %v", err)
			}
		})
	}
}
