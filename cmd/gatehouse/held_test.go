package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestRunsThatShareAFolderDoNotMeet: while one is at it, another is told who that is. When it is
// killed, nothing of it is in the way.
func TestRunsThatShareAFolderDoNotMeet(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	env, args := connectArgs(d, "--group", "Engineering", "--state", t.TempDir())
	graph, asked := stalling(t, d.Tenant.GraphURL)
	stalled := append([]string{}, args...)
	for i, arg := range stalled {
		stalled[i] = strings.Replace(arg, d.Tenant.GraphURL, graph, 1)
	}
	first := exec.Command(build(t), append(stalled, "--accept")...) // #nosec G204 -- our own program
	first.Env = os.Environ()
	for name, value := range env {
		first.Env = append(first.Env, name+"="+value)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Process.Kill(); _ = first.Wait() })
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatal("it asks for no application")
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	undo := append([]string{"connect", "undo"}, args[1:len(args)-4]...)
	undo = append(undo, args[len(args)-2:]...)
	for _, line := range [][]string{args, undo, append(args, "--accept"), append(undo, "--accept")} {
		code, _, errOut := call(t, "ACCEPT\n", env, line...)
		who := fmt.Sprintf("on the host %s, process %d, since 20", host, first.Process.Pid)
		if code != exitFailed || !strings.Contains(errOut, who) {
			t.Errorf("%q: %d %s; want %q", line, code, errOut, who)
		}
	}
	if code, _, errOut := call(t, "", env, append(args, "--dry-run")...); code != exitChanges {
		t.Errorf("who only looks is kept out: %d %s", code, errOut)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = first.Process.Wait()
	if code, _, errOut := call(t, "", env, append(args, "--accept")...); code != exitDone {
		t.Errorf("after it was killed: %d %s", code, errOut)
	}
}

// stalling is a way to a Graph by which no application is made: asked is closed when one was asked
// for, which waits until the test ends.
func stalling(t *testing.T, to string) (address string, asked chan struct{}) {
	t.Helper()
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	asked = make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: at.Scheme, Host: at.Host})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/instantiate") {
			_, _ = io.Copy(io.Discard, r.Body) // a server knows only then that who asked has gone
			once()
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + at.Path, asked
}

// TestAPromptKeepsNobodyOut: somebody is asked for the word, and others connect the pair meanwhile,
// or do something that the plan says nothing of.
func TestAPromptKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		others []string
		code   int
		words  string
	}{
		"others connect": {[]string{"--group", "Engineering", "--accept"}, exitDone, "Connected"},
		"others connect with another name": {
			[]string{"--group", "Engineering", "--name", "Other", "--accept"}, exitDone, "“Other”",
		},
		"others provision everyone": {
			[]string{"--scope", "all", "--accept"}, exitFailed, `whom the job provisions is "all users and groups"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := startDemo(t, "--no-connect")
			folder := t.TempDir()
			env, args := connectArgs(d, "--group", "Engineering", "--state", folder)
			_, others := connectArgs(d, append(test.others, "--state", folder)...)
			var out, errOut buffer
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			code := run(ctx, args, pairtest.Accepts(func() {
				if code, text, errOut := call(t, "", env, others...); code != exitDone {
					t.Errorf("the others: %d %s%s", code, text, errOut)
				}
			}), &out, &errOut, func(k string) (string, bool) {
				v, ok := env[k]
				return v, ok
			})
			if text := out.String() + errOut.String(); code != test.code || !strings.Contains(text, test.words) {
				t.Errorf("%d, want %d and %q: %s", code, test.code, test.words, text)
			}
		})
	}
}
