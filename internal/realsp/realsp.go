// Package realsp runs service providers of SAML that nobody here wrote, for tests of what signs
// people in to them: SimpleSAMLphp, and mod_auth_mellon in Apache.
//
// It may import sqldb/sqldbtest and web/webtest.
package realsp

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"net"
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

// Kind is one of them.
type Kind struct {
	Name  string
	needs string // a file that is there when it is installed
	start func(t *testing.T, p *Program, o Options)
}

// The kinds.
var (
	SimpleSAMLphp = Kind{"SimpleSAMLphp", "/usr/share/simplesamlphp/www/index.php", simpleSAMLphp}
	Mellon        = Kind{"mod_auth_mellon", "/usr/lib/apache2/modules/mod_auth_mellon.so", mellon}
)

// Options are what a service provider is told.
type Options struct {
	Issuer    string // the entity id of the identity provider
	Metadata  string // the identity provider's
	Signs     bool   // its requests
	Encrypted bool   // it takes no assertion that is not encrypted
}

// Program is a service provider that runs until the test ends.
type Program struct {
	Base        string // its address
	Private     string // the address of a page that only people see who are signed in
	SignOut     string // the address that signs them out
	Metadata    string // its own
	Certificate []byte // that assertions are encrypted with, in PEM
	Shows       string // on the private page, besides what is known of the person
	dir, port   string
}

// Start starts a service provider, or skips the test where it is not installed.
func Start(t *testing.T, k Kind, o Options) *Program {
	t.Helper()
	if _, err := os.Stat(k.needs); err != nil {
		sqldbtest.Skip(t, k.Name+" is not installed (scripts/deps installs it)")
	}
	_, port, err := net.SplitHostPort(webtest.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{Base: "http://127.0.0.1:" + port, dir: t.TempDir(), port: port}
	p.keep(t, "idp.xml", o.Metadata)
	k.start(t, p, o)
	return p
}

// run runs a program until the test ends, and waits until it listens.
func (p *Program) run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...) // #nosec G204 -- a test's
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
	deadline := time.Now().Add(time.Minute)
	for {
		if conn, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+p.port); err == nil {
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
func (p *Program) keep(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil { // #nosec G306 -- a test's
		t.Fatal(err)
	}
}

// read reads one of its files.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name) // #nosec G304 -- test data
	if err != nil {
		t.Fatal(err)
	}
	return text
}

//go:embed simplesamlphp/*.php
var config embed.FS

func simpleSAMLphp(t *testing.T, p *Program, o Options) {
	t.Helper()
	for _, name := range []string{"config.php", "authsources.php"} {
		text, err := config.ReadFile("simplesamlphp/" + name)
		if err != nil {
			t.Fatal(err)
		}
		p.keep(t, name, string(text))
	}
	// #nosec G204 -- test data
	if out, err := exec.CommandContext(
		t.Context(),
		"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=application", "-days", "2",
		"-keyout", filepath.Join(p.dir, "key.pem"), "-out", filepath.Join(p.dir, "cert.pem"),
	).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p.run(
		t,
		[]string{
			"SIMPLESAMLPHP_CONFIG_DIR=" + p.dir, "SP_BASE=" + p.Base, "SP_FOLDER=" + p.dir,
			fmt.Sprint("SP_SIGNS=", o.Signs), fmt.Sprint("SP_ENCRYPTED=", o.Encrypted), "SP_IDP=" + o.Issuer,
		},
		"/usr/bin/php", "-d", "display_errors=stderr", "-d", "error_reporting=E_ALL & ~E_DEPRECATED & ~E_WARNING",
		"-S", "127.0.0.1:"+p.port, "-t", "/usr/share/simplesamlphp/www",
	)
	p.Private = p.Base + "/module.php/core/authenticate.php?as=idp"
	p.SignOut = p.Private + "&logout"
	p.Metadata = webtest.New(t, nil).Get(p.Base + "/module.php/saml/sp/metadata.php/idp")
	p.Certificate = read(t, filepath.Join(p.dir, "cert.pem"))
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
  MellonSetEnv "mail" "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
  Header set X-Name "%%{MELLON_NAME_ID}e"
  Header set X-Mail "%%{MELLON_mail}e"
</Location>
`

func mellon(t *testing.T, p *Program, _ Options) {
	t.Helper()
	p.Shows = "who is signed in sees this"
	private := filepath.Join(p.dir, "www", "private")
	for _, sub := range []string{filepath.Dir(p.dir), p.dir, filepath.Dir(private), private} {
		if err := os.MkdirAll(sub, 0o755); err != nil { // #nosec G301 -- Apache reads it as another user
			t.Fatal(err)
		}
		if err := os.Chmod(sub, 0o755); err != nil { // #nosec G302 -- the same
			t.Fatal(err)
		}
	}
	p.keep(t, filepath.Join("www", "private", "index.html"), p.Shows)
	// #nosec G204 -- test data
	cmd := exec.CommandContext(t.Context(), "/usr/sbin/mellon_create_metadata", p.Base+"/", p.Base+"/mellon")
	cmd.Dir = p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(p.dir, "*.xml"))
	if err != nil || len(made) != 2 {
		t.Fatal(made, err)
	}
	name := strings.TrimSuffix(made[0], ".xml")
	if filepath.Base(name) == "idp" {
		name = strings.TrimSuffix(made[1], ".xml")
	}
	if err := os.Chmod(name+".key", 0o644); err != nil { // #nosec G302 -- a test's
		t.Fatal(err)
	}
	p.keep(t, "httpd.conf", fmt.Sprintf(mellonConfig, p.dir, p.port, name))
	p.run(t, nil, "/usr/sbin/apache2", "-f", filepath.Join(p.dir, "httpd.conf"), "-DFOREGROUND")
	p.Private = p.Base + "/private/"
	p.SignOut = p.Base + "/mellon/logout?ReturnTo=" + p.Base + "/"
	p.Metadata = string(read(t, name+".xml"))
	p.Certificate = read(t, name+".cert")
}
