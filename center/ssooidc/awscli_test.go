package ssooidc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestTheRealAWSCLISignsIn runs `aws sso login`, a command of an SSO profile, and `aws sso logout`.
// Debian's CLI has no setting for the endpoints: it is given the names of AWS by a proxy, as an
// office would by DNS.
func TestTheRealAWSCLISignsIn(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	c := pairtest.NewCommandLine(e)
	cli := e.CLI()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	in, _ := c.Device(c.Register(), "allow")
	account, role := c.AnyRole(c.Tokens(in).AccessToken)
	config := fmt.Sprintf(
		"[profile new]\nsso_session = gatehouse\nsso_account_id = %[1]s\nsso_role_name = %[2]s\n[sso-session "+
			"gatehouse]\nsso_start_url = %[3]s\nsso_region = %[4]s\nsso_registration_scopes = sso:account:access\n"+
			"[profile old]\nsso_start_url = %[3]s\nsso_region = %[4]s\nsso_account_id = %[1]s\nsso_role_name = %[2]s\n",
		account,
		role,
		e.Center.PortalURL,
		e.AWS.Region,
	)
	if err := os.WriteFile(filepath.Join(dir, ".aws", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy, bundle := awsNames(t, e.Center.URL)
	cli.Env = append(centertest.PythonMemory(),
		"HOME="+dir, "PATH=/usr/bin:/bin", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_REGION="+e.AWS.Region, "HTTPS_PROXY="+proxy, "AWS_CA_BUNDLE="+bundle, "PYTHONUNBUFFERED=1",
	)
	for _, profile := range []string{"new", "old"} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		login := cli.Command(ctx, "sso", "login", "--no-browser", "--profile", profile)
		out := &centertest.Output{}
		login.Stdout, login.Stderr = out, out
		if err := login.Start(); err != nil {
			t.Fatal(err)
		}
		code := waitFor(t, out, `[B-Z]{4}-[B-Z]{4}`)
		_, page := c.Send(http.MethodGet, e.Center.URL+"/start/device?user_code="+code, nil)
		if answer := c.Decide(page, url.Values{}, "allow"); answer != http.StatusText(http.StatusOK) {
			t.Fatalf("allowing the CLI: %s", answer)
		}
		if err := login.Wait(); err != nil || !strings.Contains(out.String(), "Successfully logged into") {
			t.Fatalf("aws sso login: %v: %s", err, out)
		}
		var who struct{ Arn string }
		cli.Run(&who, "sts", "get-caller-identity", "--profile", profile)
		if !strings.Contains(who.Arn, ":assumed-role/AWSReservedSSO_"+role+"_") {
			t.Errorf("the profile %s is %s", profile, who.Arn)
		}
	}
	if _, page := c.Send(http.MethodGet, e.Center.URL+"/platform/account", nil); !strings.Contains(
		page, "botocore-client-gatehouse",
	) {
		t.Error("the CLI's session is not listed")
	}
	if out, err := cli.Command(context.Background(), "sso", "logout").CombinedOutput(); err != nil {
		t.Errorf("aws sso logout: %v: %s", err, out)
	}
	if _, page := c.Send(http.MethodGet, e.Center.URL+"/platform/account", nil); strings.Contains(
		page, "botocore-client-gatehouse",
	) {
		t.Error("the CLI's sessions outlive aws sso logout")
	}
}

// waitFor waits until something that matches is written.
func waitFor(t *testing.T, out *centertest.Output, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if found := re.FindString(out.String()); found != "" {
			return found
		}
	}
	t.Fatalf("nothing like %s in: %s", pattern, out)
	return ""
}

// awsNames is a proxy that leads the names of AWS's endpoints to a center, with TLS of its own. It
// returns its address and the file of its certificate.
func awsNames(t *testing.T, centerURL string) (address, bundle string) {
	t.Helper()
	certFile, keyFile, _ := webtest.Certificate(
		t, t.TempDir(), "oidc.us-east-1.amazonaws.com", "portal.sso.us-east-1.amazonaws.com",
	)
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(centerURL)
	if err != nil {
		t.Fatal(err)
	}
	opened := &tunnels{make(chan net.Conn, 16)}
	inside := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // as DNS would have it
		}},
	}
	go func() {
		_ = inside.Serve(
			tls.NewListener(
				opened, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
			),
		)
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	outside := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodConnect {
				http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
				return
			}
			w.WriteHeader(http.StatusOK)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				opened.conns <- conn
			}
		}),
	}
	go func() { _ = outside.Serve(l) }()
	t.Cleanup(func() { _ = errors.Join(outside.Close(), inside.Close()) })
	return "http://" + l.Addr().String(), certFile
}

// tunnels is a listener for connections that a proxy has opened.
type tunnels struct{ conns chan net.Conn }

func (l *tunnels) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l *tunnels) Close() error { close(l.conns); return nil }

func (l *tunnels) Addr() net.Addr { return &net.TCPAddr{} }
