package deploy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// composed is what the tests read of the compose file as Compose has understood it.
type composed struct {
	Services map[string]struct {
		Command     []string
		Environment map[string]string
		Secrets     []struct{ Source string }
		Deploy      struct{ Replicas int }
		User        string
		ReadOnly    bool `json:"read_only"`
		Volumes     []struct{ Source, Target string }
	}
	Secrets map[string]struct{ File string }
}

// project copies the folder of the compose file, prepares it, and reads it as Compose does.
func project(t *testing.T) (folder string, of composed) {
	t.Helper()
	folder = t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("compose")); err != nil {
		t.Fatal(err)
	}
	output(t, folder+"/prepare", "id.example.com", "login.example.com")
	before := read(t, folder+"/secrets/center-master-key")
	output(t, folder+"/prepare") // once more changes nothing
	if after := read(t, folder+"/secrets/center-master-key"); after != before {
		t.Error("prepare makes another master key")
	}
	out, err := checks(t, "compose", folder+"/compose.yaml")
	if err != nil {
		t.Fatal(out)
	}
	if err := json.Unmarshal([]byte(out), &of); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return folder, of
}

// TestTheComposeFile runs what its containers would run, but for PostgreSQL's and HAProxy's images:
// four nodes in the image, with their secrets, on a PostgreSQL, behind Debian's HAProxy with the
// configuration that is mounted. Only names and ports become this machine's.
func TestTheComposeFile(t *testing.T) {
	image := released(t)("image-linux-" + runtime.GOARCH + ".tar")
	folder, of := project(t)
	for name, s := range of.Services {
		if name != "postgres" && (!s.ReadOnly || s.User != fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())) {
			t.Errorf("%s may write its image, or is somebody else: %+v", name, s)
		}
	}
	if err := os.WriteFile(folder+"/secrets/center-admin-password", []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/secrets/tenant-admin-password", []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, urls := databases(t, "center", "tenant")
	nodes := map[string][]process{}
	for _, half := range []string{"center", "tenant"} {
		s := of.Services[half]
		if s.Deploy.Replicas != 2 {
			t.Fatalf("%s has %d replicas", half, s.Deploy.Replicas)
		}
		for range s.Deploy.Replicas {
			root, config := unpacked(t, image)
			env := config.Env
			for _, secret := range s.Secrets {
				text := read(t, of.Secrets[secret.Source].File)
				if secret.Source == half+"-database" {
					if want := "@postgres/" + half + "\n"; !strings.HasSuffix(text, want) {
						t.Errorf("the database of the %s is %s", half, text)
					}
					text = urls[half]
				}
				place(t, root, "/run/secrets/"+secret.Source, text)
			}
			for name, value := range s.Environment {
				if strings.HasPrefix(value, "/run/") {
					env = append(env, name+"="+inside(root, value))
				}
			}
			args := config.Entrypoint
			for _, a := range s.Command {
				// as the image has it for one that makes a folder below; and at an address of ours
				if !strings.HasPrefix(a, "--data=") && !strings.HasPrefix(a, "--listen=") {
					args = append(args, strings.Replace(a, "proxies=172.31.0.0/24", "proxies=127.0.0.0/8", 1))
				}
			}
			nodes[half] = append(nodes[half], started(t, root, args, env))
		}
	}
	front := proxied(t, folder, nodes)
	for half, host := range map[string]string{"center": "id.example.com", "tenant": "login.example.com"} {
		v := signIn(t, half, "https://"+host, front)
		if res, err := v.Client.Get("https://" + host + "/healthz"); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%v %v", res, err)
		}
	}
	refusesStrangers(t, front)
	oneNodeEnds(t, front, nodes["center"][0])
}

// proxied starts Debian's HAProxy with the configuration of the compose file in front of the nodes.
// front reaches it under any name.
func proxied(t *testing.T, folder string, nodes map[string][]process) (front *http.Transport) {
	t.Helper()
	program := "/usr/sbin/haproxy"
	if _, err := os.Stat(program); err != nil {
		sqldbtest.Skip(t, "haproxy is not installed (apt-get install haproxy)")
	}
	env := append(os.Environ(), "CENTER_HOST=id.example.com", "TENANT_HOST=login.example.com")
	config := folder + "/haproxy.cfg"
	text := strings.Replace(read(t, config), "/certificates/", folder+"/certificates/", 1)
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...) // #nosec G204 -- a fixed program
		cmd.Env = env
		return cmd
	}
	write := func() {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if out, err := run("-c", "-f", config).CombinedOutput(); err != nil || strings.Contains(string(out), "WARNING") {
		t.Fatalf("haproxy -c: %v: %s", err, out)
	}
	template := regexp.MustCompile(
		`(?m)^    server-template (\w+) 2 \w+:8080( check)? resolvers docker init-addr none$`,
	)
	if n := len(template.FindAllString(text, -1)); n != 3 {
		t.Fatalf("%d lines name nodes", n)
	}
	text = template.ReplaceAllStringFunc(text, func(line string) string {
		m := template.FindStringSubmatch(line)
		var servers []string
		for i, n := range nodes[m[1]] {
			servers = append(servers, fmt.Sprintf("    server %s%d %s%s", m[1], i, n.address, m[2]))
		}
		return strings.Join(servers, "\n")
	})
	address := webtest.FreeAddress(t)
	plain := webtest.FreeAddress(t)
	text = strings.NewReplacer("bind :443 ", "bind "+address+" ", "bind :80\n", "bind "+plain+"\n").Replace(text)
	write()
	var log centertest.Output
	proxy := run("-db", "-f", config)
	proxy.Stdout, proxy.Stderr = &log, &log
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Process.Kill(); _ = proxy.Wait() })
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM([]byte(read(t, folder+"/certificates/trusted.pem"))) {
		t.Fatal("no certificates to trust")
	}
	front = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(front.CloseIdleConnections)
	client := http.Client{Transport: front}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		ready := 0
		for _, host := range []string{"id", "login"} {
			if res, err := client.Get("https://" + host + ".example.com/readyz"); err == nil {
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK {
					ready++
				}
			}
		}
		if ready == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("haproxy lets nobody through: %s", log.String())
		}
	}
	asked := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := asked.Get("http://" + plain + "/console/")
	if err != nil || res.StatusCode != http.StatusPermanentRedirect ||
		!strings.HasPrefix(res.Header.Get("Location"), "https://") {
		t.Errorf("without TLS: %v %v", res, err)
	}
	return front
}

// refusesStrangers: another name, and an address that a client claims for itself.
func refusesStrangers(t *testing.T, front *http.Transport) {
	t.Helper()
	v := webtest.New(t, front)
	strange := front.Clone()
	strange.TLSClientConfig.InsecureSkipVerify = true // #nosec G402 -- the certificate is for another name
	defer strange.CloseIdleConnections()
	res, err := (&http.Client{Transport: strange}).Get("https://elsewhere.example.net/")
	if err != nil || res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another name: %v %v", res, err)
	}
	form := map[string][]string{"username": {"admin"}, "password": {"wrong"}}
	lies := []string{"X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6"}
	v.Do(http.MethodPost, "https://id.example.com/console/login", form, lies...)
	admin := signIn(t, "center", "https://id.example.com", front)
	if page := admin.Get("https://id.example.com/console/audit"); strings.Contains(page, "6.6.6.6") ||
		!strings.Contains(page, "127.0.0.1") {
		t.Error("the address of a client is what it says of itself")
	}
}

// oneNodeEnds stops a node as an upgrade does while somebody reads: nobody notices.
func oneNodeEnds(t *testing.T, front *http.Transport, node process) {
	t.Helper()
	v := signIn(t, "center", "https://id.example.com", front)
	var stopped atomic.Bool
	go func() { node.stop(); stopped.Store(true) }()
	for n := 0; !stopped.Load() || n < 20; n++ {
		if p := v.Do(http.MethodGet, "https://id.example.com/console/", nil); p.Status != http.StatusOK {
			t.Fatalf("while a node ended: %d %s", p.Status, p.Text)
		}
	}
	if p := v.Do(http.MethodGet, "https://id.example.com/console/", nil); p.Status != http.StatusOK {
		t.Errorf("afterwards: %d", p.Status)
	}
}

// TestWhatComposeRefuses: a mistake in the file is one to the reader that the other tests use.
func TestWhatComposeRefuses(t *testing.T) {
	folder, _ := project(t)
	text := strings.Replace(read(t, folder+"/compose.yaml"), "read_only:", "read_ony:", 1)
	file := filepath.Join(folder, "compose.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := checks(t, "compose", file); err == nil {
		t.Errorf("it takes %s", out)
	}
}
