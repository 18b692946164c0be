package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// installation is both halves as the packages run them: settings in a folder, data in another, a
// user of their own, and the units' command lines. What systemd does, the test does.
type installation struct {
	t         *testing.T
	root      string
	program   string
	shell     []string
	postgres  bool
	env       []string
	names     []string // of the page, and what is in their place
	typed     string   // what the shell of the person keeps
	addresses map[string]string
	running   map[string]*exec.Cmd
	log       buffer
	collector string
	traces    atomic.Int32
	tracing   bool
}

// install makes an installation whose halves are connected, with one person in it.
func install(t *testing.T, program string, postgres bool) *installation {
	t.Helper()
	i := &installation{
		t: t, root: t.TempDir(), program: program, postgres: postgres, addresses: map[string]string{},
		running: map[string]*exec.Cmd{}, shell: []string{"/bin/sh", "-c"},
	}
	for _, folder := range []string{filepath.Dir(program), i.root} { // the user of the services is somebody else
		if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // #nosec G302 -- as /usr is
			t.Fatal(err)
		}
	}
	uid, gid := unitUser()
	for _, folder := range []string{"etc", "lib", "lib/center", "lib/tenant", "backups", "safe", "bin", "new"} {
		if err := os.MkdirAll(filepath.Join(i.root, folder), 0o755); err != nil { // #nosec G301 -- as /etc is
			t.Fatal(err)
		}
		if strings.HasPrefix(folder, "lib") {
			i.own(folder, uid, gid)
		}
	}
	for _, what := range []string{"center", "tenant", "center metrics", "tenant metrics"} {
		_, port, _ := strings.Cut(webtest.FreeAddress(t), ":")
		i.addresses[what] = ":" + port
	}
	i.certificates(uid, gid)
	collector := httptest.NewServer(http.HandlerFunc(i.collect))
	t.Cleanup(collector.Close)
	i.collector = collector.URL
	systemd := httptest.NewServer(http.HandlerFunc(i.systemctl))
	t.Cleanup(systemd.Close)
	i.write(filepath.Join(i.root, "bin/systemctl"), "#!/bin/sh\nverb=$1; shift\n"+
		"for unit; do curl -fsS "+systemd.URL+"/$verb/$unit || exit 1; done\n", 0o755)
	if err := os.Symlink(program, filepath.Join(i.root, "bin/gatehouse")); err != nil {
		t.Fatal(err)
	}
	for _, half := range []string{"center", "tenant"} {
		args := []string{
			half, "--yes", "--folder", filepath.Join(i.root, "etc"), "--data", filepath.Join(i.root, "lib", half),
			"--url", "https://localhost" + i.port(half), "--listen", "127.0.0.1" + i.port(half), "--tls", "files",
			"--tls-cert", filepath.Join(i.root, "etc/cert.pem"), "--tls-key", filepath.Join(i.root, "etc/key.pem"),
		}
		if postgres {
			i.emptyDatabase(half)
			args = append(args, "--database-file", filepath.Join(i.root, "etc", half+"-database"))
		}
		if out, err := i.command(append([]string{"init"}, args...)...); err != nil {
			t.Fatalf("init: %v: %s", err, out)
		}
		t.Cleanup(func() { i.stop(half) })
		i.start(half)
	}
	i.connect()
	return i
}

// emptyDatabase makes a database, lets the user of the services to its socket, and writes where it
// is.
func (i *installation) emptyDatabase(half string) {
	i.t.Helper()
	dsn := sqldbtest.Postgres(i.t)
	u, err := url.Parse(dsn)
	if err == nil {
		err = os.Chmod(u.Query().Get("host"), 0o711) // #nosec G302 -- through, and no further
	}
	if err != nil {
		i.t.Fatal(err)
	}
	i.write(filepath.Join(i.root, "etc", half+"-database"), dsn, 0o600)
	uid, gid := unitUser()
	i.own("etc/"+half+"-database", uid, gid)
}

// lose is the disaster: a half's machine and its database are gone.
func (i *installation) lose(half string) {
	i.t.Helper()
	i.stop(half)
	if err := os.RemoveAll(filepath.Join(i.root, "lib", half)); err != nil {
		i.t.Fatal(err)
	}
	if i.postgres {
		i.emptyDatabase(half)
	}
}

// certificates makes the pair that is served, and the next one.
func (i *installation) certificates(uid, gid int) {
	i.t.Helper()
	authorities := ""
	for _, folder := range []string{"etc", "new"} {
		cert, _, _ := webtest.Certificate(i.t, filepath.Join(i.root, folder), "localhost")
		text, err := os.ReadFile(cert) // #nosec G304 -- the test's own
		if err != nil {
			i.t.Fatal(err)
		}
		authorities += string(text)
	}
	i.own("etc/cert.pem", uid, gid)
	i.own("etc/key.pem", uid, gid)
	file := filepath.Join(i.root, "authorities.pem")
	i.write(file, authorities, 0o644)
	i.names = append(
		i.names, " new-key.pem", " new/key.pem", " new-cert.pem", " new/cert.pem", " new.pem",
		" new/cert.pem",
	)
	i.env = []string{
		"HOME=" + i.root, "PATH=" + filepath.Join(i.root, "bin") + ":/usr/bin:/bin", "TERM=dumb", "LANG=C.UTF-8",
		"SSL_CERT_FILE=" + file, "CURL_CA_BUNDLE=" + file,
	}
}

// connect makes a person, connects the halves, and keeps what the page has names for.
func (i *installation) connect() {
	i.t.Helper()
	secrets := ""
	for _, half := range []string{"center", "tenant"} {
		text, err := os.ReadFile(filepath.Join(i.root, "lib", half, "first-start.txt"))
		if err != nil {
			i.t.Fatal(err)
		}
		secrets += string(text)
	}
	found := func(pattern string) string {
		i.t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(secrets)
		if m == nil {
			i.t.Fatalf("no %s in first-start.txt", pattern)
		}
		return m[1]
	}
	secret := found(`client secret +(\S+)`)
	i.names = append(
		i.names, "=ACCESS_KEY_ID", "="+found(`AWS_ACCESS_KEY_ID=(\S+)`), "=SECRET_ACCESS_KEY",
		"="+found(`AWS_SECRET_ACCESS_KEY=(\S+)`), "TENANT_ID", found(`/([-0-9a-f]{36})/oauth2`), "=CLIENT_ID",
		"="+found(`client id +(\S+)`), "=CLIENT_SECRET", "="+secret,
	)
	for _, p := range commandsOf(i.t, "../../docs/operations.md", "", "") {
		if p.file {
			i.run(p, nil)
		}
	}
	i.typed = "set -a; . /etc/gatehouse/operator.env; set +a\n"
	login := i.here("https://login.example.com/TENANT_ID/oauth2/v2.0/token")
	var token struct {
		Token string `json:"access_token"`
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {found(`client id +(\S+)`)}, "client_secret": {secret},
		"scope": {"https://graph.microsoft.com/.default"},
	}
	i.ask(login, "application/x-www-form-urlencoded", form.Encode(), "", &token)
	i.ask(i.here("https://login.example.com/v1.0/users"), "application/json", `{"accountEnabled":true,
		"displayName":"Ada","givenName":"Ada","surname":"Lovelace","mailNickname":"ada",
		"userPrincipalName":"ada@example.com","passwordProfile":{"password":"Correct horse 1!"}}`, token.Token, nil)
	if out, err := i.paste("gatehouse connect --scope all --accept"); err != nil {
		i.t.Fatalf("connect: %v %s %s", err, out, i.logs())
	}
	out, err := i.paste("gatehouse access-keys create reports --role read-only")
	key := regexp.MustCompile(`AKIA\w+`).FindString(out)
	if err != nil || key == "" {
		i.t.Fatalf("no key: %v %s", err, out)
	}
	i.names = append(i.names, "OLD_KEY_ID", key)
}

// ask posts to a half.
func (i *installation) ask(address, kind, body, token string, into any) {
	i.t.Helper()
	r, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := i.client().Do(r)
	if err != nil {
		i.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err == nil && into != nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil || res.StatusCode >= http.StatusMultipleChoices {
		i.t.Fatalf("%s: %d %s %v", address, res.StatusCode, text, err)
	}
}

// client trusts whoever is there: which certificate is served is looked at elsewhere.
func (i *installation) client() *http.Client {
	// #nosec G402 -- the test's own halves
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
}

// served is the certificate that the center shows.
func (i *installation) served() string {
	res, err := i.client().Get("https://localhost" + i.port("center") + "/healthz")
	if err != nil {
		return ""
	}
	_ = res.Body.Close()
	return string(res.TLS.PeerCertificates[0].Raw)
}

// systemctl does what systemd does, for a shell that asks.
func (i *installation) systemctl(w http.ResponseWriter, r *http.Request) {
	verb, unit, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	half, ours := strings.CutPrefix(unit, "gatehouse-")
	if !ours || verb != "start" && verb != "stop" && verb != "restart" {
		http.Error(w, "no such command or unit", http.StatusNotFound)
		return
	}
	if verb != "start" {
		i.stop(half)
	}
	if verb != "stop" {
		i.start(half)
	}
}

// start starts a half by its unit's command line, and waits until it is ready.
func (i *installation) start(half string) {
	unit, err := os.ReadFile("../../deploy/systemd/gatehouse-" + half + ".service") // #nosec G304 -- ours
	if err != nil {
		i.t.Error(err)
		return
	}
	env := append([]string{}, i.env...)
	var line []string
	for setting := range strings.Lines(strings.ReplaceAll(i.here(string(unit)), "/usr/bin/gatehouse", i.program)) {
		name, value, _ := strings.Cut(strings.TrimSpace(setting), "=")
		switch name {
		case "Environment":
			env = append(env, value)
		case "EnvironmentFile":
			text, err := os.ReadFile(strings.TrimPrefix(value, "-"))
			if err != nil {
				i.t.Error(err)
			}
			for variable := range strings.Lines(string(text)) {
				if variable = strings.TrimSpace(variable); variable != "" && variable[0] != '#' {
					env = append(env, variable)
				}
			}
		case "ExecStart":
			line = strings.Fields(value)
		}
	}
	cmd := exec.Command(line[0], line[1:]...) // #nosec G204 -- the unit's command line
	cmd.Env, cmd.Dir = env, "/"
	cmd.Stderr, cmd.Stdout = &i.log, &i.log
	if os.Geteuid() == 0 {
		uid, gid := unitUser()
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, // #nosec G115 -- small numbers
		}
	}
	if err := cmd.Start(); err != nil {
		i.t.Error(err)
		return
	}
	i.running[half] = cmd
	i.until(half+" is ready", func() bool {
		res, err := i.client().Get("https://localhost" + i.port(half) + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// stop ends a half as systemd does.
func (i *installation) stop(half string) {
	cmd := i.running[half]
	if cmd == nil {
		return
	}
	delete(i.running, half)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		i.t.Errorf("%s ended with %v: %s", half, err, i.logs())
	}
}

// until waits for a condition.
func (i *installation) until(what string, condition func() bool) {
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(20 * time.Millisecond) { // a poll
		if time.Now().After(deadline) {
			i.t.Errorf("not yet: %s: %s", what, i.logs())
			return
		}
	}
}

// logs is the end of what both halves have logged.
func (i *installation) logs() string {
	text := i.log.String()
	return text[max(0, len(text)-3000):]
}

func (i *installation) port(of string) string { return i.addresses[of] }

// command runs the program.
func (i *installation) command(args ...string) (string, error) {
	cmd := exec.CommandContext(i.t.Context(), i.program, args...) // #nosec G204 -- our own program
	cmd.Env, cmd.Dir = i.env, i.root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// write writes a file of the installation.
func (i *installation) write(path, text string, mode os.FileMode) {
	i.t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		i.t.Fatal(fmt.Errorf("write: %w", err))
	}
}

// own gives a file or a folder to the user of the services.
func (i *installation) own(path string, uid, gid int) {
	i.t.Helper()
	if err := os.Chown(filepath.Join(i.root, path), uid, gid); err != nil {
		i.t.Fatal(err)
	}
}
