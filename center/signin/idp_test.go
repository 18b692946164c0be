package signin_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/signin"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

const idpUser = "ada.lovelace@example.com"

// identityProvider is a real one that a test runs in a folder, on a port.
type identityProvider struct {
	name  string
	needs string // a file that is there when it is installed
	start func(t *testing.T, dir string, port string, c *center.Center) (metadata []byte)
}

// identityProviders are those that Debian ships.
var identityProviders = []identityProvider{
	{"pysaml2", "/usr/lib/python3/dist-packages/saml2/server.py", startPysaml2},
	{"SimpleSAMLphp, the assertion signed", "/usr/share/simplesamlphp/www/index.php", startSimpleSAMLphp("assertion")},
	{"SimpleSAMLphp, the response signed", "/usr/share/simplesamlphp/www/index.php", startSimpleSAMLphp("response")},
	{"SimpleSAMLphp, both signed", "/usr/share/simplesamlphp/www/index.php", startSimpleSAMLphp("both")},
}

// background runs a program until the test ends.
func background(t *testing.T, env []string, name string, args ...string) *bufio.Reader {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), &testLog{t: t}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	return bufio.NewReader(out)
}

// testLog keeps what a program complains of, and shows it when the test fails.
type testLog struct {
	t     *testing.T
	lines bytes.Buffer // written by one goroutine of os/exec, read after it has ended
	shown bool
}

// Write implements io.Writer.
func (l *testLog) Write(p []byte) (int, error) {
	if !l.shown {
		l.shown = true
		l.t.Cleanup(func() {
			if l.t.Failed() {
				l.t.Log(l.lines.String())
			}
		})
	}
	return l.lines.Write(p)
}

func startPysaml2(t *testing.T, dir, port string, _ *center.Center) []byte {
	out := background(t, nil, "/usr/bin/python3", "testdata/idp/pysaml2_idp.py", dir, port, idpUser)
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("it said %q, %v", line, err)
	}
	metadata, err := os.ReadFile(filepath.Join(dir, "idp.xml"))
	if err != nil {
		t.Fatal(err)
	}
	return metadata
}

func startSimpleSAMLphp(signs string) func(*testing.T, string, string, *center.Center) []byte {
	return func(t *testing.T, dir, port string, c *center.Center) []byte {
		base := "http://127.0.0.1:" + port
		config, err := filepath.Abs("testdata/idp/simplesamlphp")
		if err != nil {
			t.Fatal(err)
		}
		background(
			t,
			[]string{
				"SIMPLESAMLPHP_CONFIG_DIR=" + config, "IDP_BASE=" + base, "IDP_FOLDER=" + dir, "IDP_USER=" + idpUser,
				"IDP_SIGNS=" + signs, "SP_ENTITY=" + c.EntityID(), "SP_ACS=" + c.ACSURL(),
			},
			"/usr/bin/php",
			"-d",
			"display_errors=stderr",
			"-d",
			"error_reporting=E_ALL & ~E_DEPRECATED & ~E_WARNING",
			"-S",
			"127.0.0.1:"+port,
			"-t",
			"/usr/share/simplesamlphp/www",
		)
		v := webtest.New(t, nil)
		deadline := time.Now().Add(30 * time.Second)
		for {
			if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
				_ = conn.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("it does not listen")
			}
			time.Sleep(20 * time.Millisecond) // a poll
		}
		status, metadata := v.Send(http.MethodGet, base+"/saml2/idp/metadata.php", nil)
		if status != http.StatusOK {
			t.Fatalf("its metadata: %d %s", status, metadata)
		}
		return []byte(metadata)
	}
}

// idpFolder makes a key, its signer.Certificate, and the service provider's metadata.
func idpFolder(t *testing.T, c *center.Center) string {
	t.Helper()
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "idp"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := signin.SPMetadata(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), "sp.xml": sp,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSigningInAtRealIdentityProviders goes from the portal to a session by way of identity
// providers that nobody here wrote.
func TestSigningInAtRealIdentityProviders(t *testing.T) {
	t.Parallel()
	for _, p := range identityProviders {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(p.needs); err != nil {
				sqldbtest.Skip(t, p.name+" is not installed (scripts/deps installs it)")
			}
			ctx, c := context.Background(), centertest.Serve(t).Center
			_, port, err := net.SplitHostPort(webtest.FreeAddress(t))
			if err != nil {
				t.Fatal(err)
			}
			dir := idpFolder(t, c)
			metadata := p.start(t, dir, port, c)
			ada := center.User{
				UserName:    idpUser,
				DisplayName: "Ada Lovelace",
				Name:        center.PersonName{GivenName: "Ada", FamilyName: "Lovelace"},
				Active:      true,
			}
			if _, err := c.CreateUser(ctx, audit.SystemActor, ada); err != nil {
				t.Fatal(err)
			}
			if err := c.SetAdministrator(ctx, audit.SystemActor, "admin", "Correct horse 1!"); err != nil {
				t.Fatal(err)
			}
			admin := webtest.New(t, nil)
			admin.Send(
				http.MethodPost, c.ConsoleURL()+"login",
				url.Values{"username": {"admin"}, "password": {"Correct horse 1!"}},
			)
			admin.Does(
				c.URL+"/console/settings/identity-source", url.Values{"metadata": {string(metadata)}},
				"Change the identity source",
			)
			source, err := c.Source(ctx)
			if err != nil {
				t.Fatal(err)
			}
			admin.Does(
				c.URL+"/console/settings/identity-source/change",
				url.Values{"id": {source.Pending.ID}, "confirmation": {"ACCEPT"}},
				"is now the external identity provider",
			)

			signInAt(t, c)
			// which takes only signed requests once it has the certificate
			if strings.HasPrefix(p.name, "SimpleSAMLphp") {
				for _, binding := range []string{"redirect", "post"} {
					if err := os.WriteFile(filepath.Join(dir, "sp.crt"), []byte("AAAA"), 0o600); err != nil {
						t.Fatal(err)
					}
					if _, page := webtest.New(t, nil).Send(http.MethodGet, c.PortalURL(), nil); binding == "redirect" &&
						strings.Contains(page, "SAMLResponse") {
						t.Error("it takes an unsigned request, so that the test proves nothing")
					}
					admin.Does(
						c.URL+"/console/settings/requests", url.Values{"sign": {"on"}, "binding": {binding}},
						"Saved.",
					)
					signer, err := c.RequestSigner(ctx)
					if err == nil {
						der := base64.StdEncoding.EncodeToString(signer.Certificate.Raw)
						err = os.WriteFile(filepath.Join(dir, "sp.crt"), []byte(der), 0o600)
					}
					if err != nil {
						t.Fatal(err)
					}
					signInAt(t, c)
				}
			}
		})
	}
}

// signInAt goes from the portal to a session by way of the center's identity provider.
func signInAt(t *testing.T, c *center.Center) {
	t.Helper()
	v := webtest.New(t, nil)
	_, page := v.Send(http.MethodGet, c.PortalURL(), nil) // the portal, the request, the identity provider
	if strings.Contains(page, `name="SAMLRequest"`) {
		action, form := v.Form(page, "SAMLRequest")
		_, page = v.Send(http.MethodPost, action, form)
	}
	action, form := v.Form(page, "SAMLResponse")
	status, page := v.Send(http.MethodPost, action, form)
	if status != http.StatusOK || !strings.Contains(page, "No accounts yet") ||
		!strings.Contains(page, "Ada Lovelace") {
		t.Fatalf("at the center: %d %s\n%s", status, page, lastEvent(context.Background(), c))
	}
	if status, _ := v.Send(http.MethodPost, action, form); status != http.StatusForbidden {
		t.Errorf("the response again: %d", status)
	}
}

func lastEvent(ctx context.Context, c *center.Center) string {
	events, err := c.Events(ctx, center.EventQuery{Limit: 1})
	return fmt.Sprint(events, err)
}
