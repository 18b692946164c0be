package samlidp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// serviceProvider is an application that nobody here wrote.
type serviceProvider struct {
	name  string
	needs string // a file that is there when it is installed
	start func(t *testing.T, dir, port string, a application) (address, metadata string)
	shows string // on the page that only people see who are signed in
}

var serviceProviders = []serviceProvider{
	{"SimpleSAMLphp", "/usr/share/simplesamlphp/www/index.php", simpleSAMLphp("no"), "lovelace@example.com"},
	{"SimpleSAMLphp, which signs", "/usr/share/simplesamlphp/www/index.php", simpleSAMLphp("yes"),
		"lovelace@example.com"},
	{"mod_auth_mellon", "/usr/lib/apache2/modules/mod_auth_mellon.so", mellon, "who is signed in sees this"},
}

// run runs a program until the test ends, and waits until it listens.
func run(t *testing.T, port string, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdout = append(os.Environ(), env...), &said
	cmd.Stderr = cmd.Stdout
	// Apache ends its children, and the whole of its group, which must not be ours.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not listen")
		}
		time.Sleep(20 * time.Millisecond) // a poll
	}
}

// keep writes a file that a program of another user can read.
func keep(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { // #nosec G306 -- a test's
		t.Fatal(err)
	}
}

// makeKey has OpenSSL make key.pem and cert.pem.
func makeKey(t *testing.T, dir string) {
	t.Helper()
	// #nosec G204 -- test data
	if out, err := exec.Command(
		"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=application", "-days", "2",
		"-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem"),
	).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func simpleSAMLphp(signs string) func(t *testing.T, dir, port string, a application) (address, metadata string) {
	return func(t *testing.T, dir, port string, a application) (address, metadata string) {
		t.Helper()
		base := "http://127.0.0.1:" + port
		config, err := filepath.Abs("testdata/simplesamlphp")
		if err != nil {
			t.Fatal(err)
		}
		makeKey(t, dir)
		run(
			t, port,
			[]string{
				"SIMPLESAMLPHP_CONFIG_DIR=" + config, "SP_BASE=" + base, "SP_FOLDER=" + dir, "SP_SIGNS=" + signs,
				"SP_IDP=" + a.identityProvider().EntityID,
			},
			"/usr/bin/php", "-d", "display_errors=stderr", "-d", "error_reporting=E_ALL & ~E_DEPRECATED & ~E_WARNING",
			"-S", "127.0.0.1:"+port, "-t", "/usr/share/simplesamlphp/www",
		)
		return base + "/module.php/core/authenticate.php?as=center",
			webtest.New(t, nil).Get(base + "/module.php/saml/sp/metadata.php/center")
	}
}

const mellonConfig = `
ServerRoot %[1]s
PidFile %[1]s/pid
DefaultRuntimeDir %[1]s
Mutex file:%[1]s default
Listen 127.0.0.1:%[2]s
ServerName 127.0.0.1:%[2]s
ErrorLog /dev/stderr
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule auth_mellon_module /usr/lib/apache2/modules/mod_auth_mellon.so
User www-data
Group www-data
DocumentRoot %[1]s/www
MellonLockFile %[1]s/mellon.lock
<Location />
  Require all granted
  MellonEnable "info"
  MellonEndpointPath /mellon
  MellonSecureCookie Off
  MellonSPPrivateKeyFile %[3]s.key
  MellonSPCertFile %[3]s.cert
  MellonSPMetadataFile %[3]s.xml
  MellonIdPMetadataFile %[1]s/idp.xml
</Location>
<Location /private>
  AuthType Mellon
  MellonEnable "auth"
  Require valid-user
  Header set X-Name "%%{MELLON_NAME_ID}e"
  Header set X-Mail "%%{MELLON_mail}e"
</Location>
`

func mellon(t *testing.T, dir, port string, _ application) (address, metadata string) {
	t.Helper()
	base := "http://127.0.0.1:" + port
	for _, sub := range []string{filepath.Dir(dir), dir, filepath.Join(dir, "www"), filepath.Join(dir, "www",
		"private")} {
		if err := os.MkdirAll(sub, 0o755); err != nil { // #nosec G301 -- Apache reads it as another user
			t.Fatal(err)
		}
		if err := os.Chmod(sub, 0o755); err != nil { // #nosec G302 -- the same
			t.Fatal(err)
		}
	}
	keep(t, filepath.Join(dir, "www", "private"), "index.html", "who is signed in sees this")
	// #nosec G204 -- test data
	cmd := exec.Command("/usr/sbin/mellon_create_metadata", base+"/", base+"/mellon")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(made) == 0 {
		t.Fatal(made, err)
	}
	name := ""
	for _, file := range made {
		if filepath.Base(file) != "idp.xml" {
			name = strings.TrimSuffix(file, ".xml")
		}
	}
	text, err := os.ReadFile(name + ".xml") // #nosec G304 -- test data
	if err == nil {
		err = os.Chmod(name+".key", 0o644) // #nosec G302 -- a test's
	}
	if err != nil {
		t.Fatal(err)
	}
	keep(t, dir, "httpd.conf", fmt.Sprintf(mellonConfig, dir, port, name))
	run(t, port, nil, "/usr/sbin/apache2", "-f", filepath.Join(dir, "httpd.conf"), "-DFOREGROUND")
	return base + "/private/", string(text)
}

// TestRealApplicationsSignPeopleIn: their own metadata is uploaded, they ask and are answered, and
// the portal opens them. Who is not assigned stays out.
func TestRealApplicationsSignPeopleIn(t *testing.T) {
	t.Parallel()
	for _, p := range serviceProviders {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(p.needs); err != nil {
				sqldbtest.Skip(t, p.name+" is not installed (scripts/deps installs it)")
			}
			a := newApplication(t)
			_, port, err := net.SplitHostPort(webtest.FreeAddress(t))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			keep(t, dir, "idp.xml", webtest.New(t, nil).Get(a.URL+"/saml/metadata/"+a.id))
			address, metadata := p.start(t, dir, port, a)
			if page := uploadTo(t, a.admin, a.page+"/saml", metadata); !strings.Contains(page, "settings are saved") {
				t.Fatalf("its metadata: %s\n%s", page, metadata)
			}
			const saved = "The SAML settings are saved."
			a.admin.Does(a.page+"/saml/mapping", url.Values{
				"name": {"mail"}, "value": {"${user:email}"}, "format": {"basic"},
			}, saved)
			a.admin.Does(a.page+"/saml/response", url.Values{"minutes": {"60"}, "relaystate": {address}}, saved)

			v := a.Visitor()
			page := v.Do(http.MethodGet, address, nil)
			if !strings.Contains(page.Text, `name="password"`) {
				t.Fatalf("the center does not ask: %s %s", page.URL, page.Text)
			}
			_, text := v.Send(http.MethodPost, a.URL+"/platform/login", url.Values{
				"username": {"ada@example.com"}, "password": {centertest.Password},
				"return": {page.URL.Query().Get("return")},
			})
			a.arrives(v, text, p)

			again := a.SignIn("ada@example.com") // who opens the application in the portal
			opened := again.Get(a.URL + "/saml/assertion/" + a.id)
			action, form := again.Form(opened, "SAMLResponse")
			plain, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
			if err != nil {
				t.Fatal(err)
			}
			twin := strings.Replace(string(plain), "lovelace@", "eve@", 1)
			form.Set("SAMLResponse", base64.StdEncoding.EncodeToString([]byte(twin)))
			if got := a.Visitor().Do(http.MethodPost, action, form); strings.Contains(got.Text, p.shows) ||
				strings.Contains(got.Text, "eve@") || twin == string(plain) {
				t.Errorf("a response that was tampered with: %d %s", got.Status, got.Text)
			}
			a.arrives(again, opened, p)

			a.NewPerson("eve")
			if eve := a.SignIn("eve").Do(http.MethodGet, address, nil); eve.Status != http.StatusForbidden ||
				!strings.Contains(eve.Text, "not assigned to you") {
				t.Errorf("who is not assigned: %d %s", eve.Status, eve.Text)
			}
		})
	}
}

// arrives sends a response on and wants what only people see who are signed in.
func (a application) arrives(v webtest.Visitor, page string, p serviceProvider) {
	a.t.Helper()
	action, form := v.Form(page, "SAMLResponse")
	got := v.Do(http.MethodPost, action, form)
	name, mail := got.Header.Get("X-Name"), got.Header.Get("X-Mail")
	if got.Status != http.StatusOK || !strings.Contains(got.Text, p.shows) ||
		p.name == "mod_auth_mellon" && (name != "ada@example.com" || mail != "lovelace@example.com") {
		a.t.Fatalf("at %s: %d %v %s", action, got.Status, got.Header, got.Text)
	}
}

func uploadTo(t *testing.T, v webtest.Visitor, address, file string) string {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "metadata.xml")
	if err == nil {
		_, err = io.WriteString(part, file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	res, err := v.Client.Post(address, w.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}
