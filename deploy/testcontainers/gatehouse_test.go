package gatehouse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

// output keeps what a process prints, as an engine does.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) logs() *bytes.Reader {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.NewReader(bytes.Clone(o.text.Bytes()))
}

// TestTheLineOfARealDemo runs the program that the container runs, which GATEHOUSE_PROGRAM names,
// without a container, and reads what it prints, as the container's log has it.
func TestTheLineOfARealDemo(t *testing.T) {
	program := os.Getenv("GATEHOUSE_PROGRAM")
	if program == "" {
		t.Skip("GATEHOUSE_PROGRAM does not name a gatehouse; the tests of deploy/ do")
	}
	ports, err := freePorts()
	if err != nil {
		t.Fatal(err)
	}
	var printed output
	cmd := exec.Command(program, append(arguments(ports), "--log-level=info")...)
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	var demo Demo
	for end := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		found, text, err := read(printed.logs())
		if err == nil {
			demo = found
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%v: %s", err, text)
		}
	}
	if len(demo.People) < 20 || len(demo.Accounts) == 0 || demo.Center.SCIMToken == "" {
		t.Errorf("%+v", demo)
	}
	for i, url := range []string{demo.Center.URL, demo.Tenant.URL} {
		if want := fmt.Sprintf("http://localhost:%d", ports[i]); url != want {
			t.Errorf("%s instead of %s", url, want)
		}
		for _, by := range append(outside(t), "127.0.0.1") { // as an engine comes to the container
			client := http.Client{Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(by, fmt.Sprint(ports[i])))
				},
				DisableKeepAlives: true,
			}}
			res, err := client.Get(url + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s by %s: %s", url, by, res.Status)
			}
		}
	}
	if env := strings.Join(demo.Env(), "\n"); !strings.Contains(env, "AWS_ENDPOINT_URL="+demo.Center.URL+"\n") {
		t.Error(env)
	}
	// No field of the line is unknown to the module, and none is missing.
	line := ""
	for l := range strings.Lines(printed.text.String()) {
		if strings.HasPrefix(l, `{"center":`) {
			line = l
		}
	}
	again, err := json.Marshal(demo)
	if err != nil || strings.TrimSpace(line) != string(again) {
		t.Errorf("%v: the program has printed\n%s\nand the module knows\n%s", err, line, again)
	}
}

// outside are the addresses of this machine but loopback; there may be none.
func outside(t *testing.T) (addresses []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			addresses = append(addresses, n.IP.String())
		}
	}
	return addresses
}

func TestALineThatIsNotWholeIsNoLine(t *testing.T) {
	for _, text := range []string{"", "level=INFO msg=starting\n", `{"center":{"url":"http://localhost:1"`} {
		if _, rest, err := read(strings.NewReader(text)); err != errNotReady || rest != text {
			t.Errorf("%q: %v, %q", text, err, rest)
		}
	}
}

func TestPortsArePublishedOnLoopbackOnly(t *testing.T) {
	ports, err := freePorts()
	if err != nil || ports[0] == ports[1] {
		t.Fatal(ports, err)
	}
	var host container.HostConfig
	publish(&host, ports)
	for port, bindings := range host.PortBindings {
		if len(bindings) != 1 || !bindings[0].HostIP.IsLoopback() || bindings[0].HostPort+"/tcp" != port.String() {
			t.Errorf("%s: %+v", port, bindings)
		}
	}
	if len(host.PortBindings) != 2 {
		t.Errorf("%+v", host.PortBindings)
	}
}
