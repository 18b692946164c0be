package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// through adds headers to requests, each as a line of its own.
type through [][2]string

func (lines through) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for _, l := range lines {
		r.Header[l[0]] = append(r.Header[l[0]], l[1])
	}
	return http.DefaultTransport.RoundTrip(r)
}

// addressOf has a center refuse something, and returns the address that the audit log has for it.
func addressOf(t *testing.T, d demoOutput, at string, lines through) string {
	t.Helper()
	call := func(via http.RoundTripper, url string) *adminapi.Client {
		return &adminapi.Client{
			URL:             url,
			Region:          d.AWS.Region,
			AccessKeyID:     d.AWS.AccessKeyID,
			SecretAccessKey: d.AWS.SecretAccessKey,
			HTTP:            &http.Client{Transport: via},
		}
	}
	var refused *adminapi.Error
	if err := call(lines, at).DeleteAccessKey(context.Background(), "AKIAIOSFODNN7EXAMPLE"); !errors.As(err, &refused) {
		t.Fatalf("it was not refused: %v", err)
	}
	events, err := call(nil, d.Center.URL).Explain(context.Background(), refused.Request)
	if err != nil || len(events) == 0 {
		t.Fatalf("%s: %v, %v", refused.Request, events, err)
	}
	return events[0].SourceIPAddress
}

// serveCenter starts a center with settings and returns how to call it.
func serveCenter(t *testing.T, more ...string) (demoOutput, started) {
	t.Helper()
	at := webtest.FreeAddress(t)
	c := startCommand(t, append([]string{"serve", "--data", t.TempDir(), "--listen", at}, more...)...)
	return demoOutput{Center: company.Center{URL: "http://" + at},
		AWS: company.AWS{
			AccessKeyID:     c.shown(t, `AWS_ACCESS_KEY_ID=(\S+)`),
			SecretAccessKey: c.shown(t, `AWS_SECRET_ACCESS_KEY=(\S+)`),
			Region:          "us-east-1",
		}}, c
}

func TestTheAddressOfAClientBehindProxies(t *testing.T) {
	t.Parallel()
	const xff, forwarded, here, client = "X-Forwarded-For", "Forwarded", "127.0.0.1", "203.0.113.9"
	both := through{{xff, "6.6.6.6"}, {forwarded, "for=7.7.7.7"}, {xff, client}} // a client's two lines, and HAProxy's
	for name, c := range map[string]struct {
		settings []string
		lines    through
		want     string
	}{
		"no settings":             {nil, both, here},
		"behind a proxy":          {[]string{"--behind-proxy"}, both, client},
		"one proxy":               {[]string{"--behind-proxy", "--trusted-proxies", "1"}, both, client},
		"none behind a proxy":     {[]string{"--behind-proxy", "--trusted-proxies", "0"}, both, here},
		"the proxy's own network": {[]string{"--trusted-proxies", "127.0.0.0/8"}, both, client},
		"another network":         {[]string{"--trusted-proxies", "10.0.0.0/8"}, both, here},
		"Forwarded": {[]string{"--trusted-proxies", "1", "--forwarded-header", "Forwarded"},
			through{{forwarded, "for=6.6.6.6"}, {xff, "7.7.7.7"}, {forwarded, `proto=https;for="[2001:db8::9]:4711"`}},
			"2001:db8::9"},
		"Forwarded, hidden": {
			[]string{"--trusted-proxies", "1", "--forwarded-header", "Forwarded"},
			through{{forwarded, "for=6.6.6.6, for=_hidden"}}, here,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, command := serveCenter(t, c.settings...)
			if got := addressOf(t, d, d.Center.URL, c.lines); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			warned := strings.Contains(command.err.String(), "--behind-proxy without --trusted-proxies")
			if warned != (name == "behind a proxy") {
				t.Errorf("a warning: %v", warned)
			}
		})
	}
}

// TestBehindHAProxy asks through the real one: whatever a client writes, its own address counts.
func TestBehindHAProxy(t *testing.T) {
	t.Parallel()
	program := "/usr/sbin/haproxy" // Debian's
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("haproxy"); err != nil {
			sqldbtest.Skip(t, "haproxy is not installed (apt-get install haproxy)")
		}
	}
	d, _ := serveCenter(t, "--behind-proxy", "--trusted-proxies", "1")
	front, config := webtest.FreeAddress(t), filepath.Join(t.TempDir(), "haproxy.cfg")
	text := fmt.Sprintf(
		"defaults\n mode http\n timeout connect 10s\n timeout client 30s\n timeout server 30s\n option "+
			"forwardfor\nfrontend f\n bind %s\n default_backend b\nbackend b\n server s %s\n",
		front,
		strings.TrimPrefix(d.Center.URL, "http://"),
	)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, "-db", "-f", config)
	out := &buffer{}
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = command.Wait() })
	// between two looks at the condition
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if res, err := http.Get("http://" + front + "/"); err == nil {
			_ = res.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("haproxy does not start: %s", out.String())
		}
	}
	for _, lines := range []through{
		nil, {{"X-Forwarded-For", "6.6.6.6"}},
		{{"X-Forwarded-For", "6.6.6.6"}, {"Forwarded", "for=6.6.6.6"}, {"X-Real-Ip", "6.6.6.6"}},
	} {
		if got := addressOf(t, d, "http://"+front, lines); got != "127.0.0.1" {
			t.Errorf("with %v it is %s", lines, got)
		}
	}
}
