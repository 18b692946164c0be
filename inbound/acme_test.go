package inbound_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// everythingIsHere is a name server, over TCP, that says of each name that it is this machine's.
func everythingIsHere(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // whoever asked has the answer
				for answerHere(c) == nil {
				}
			}()
		}
	}()
	return l.Addr().String()
}

// answerHere answers one question (RFC 1035, 4.2.2).
func answerHere(c net.Conn) error {
	length := make([]byte, 2)
	if _, err := io.ReadFull(c, length); err != nil {
		return err
	}
	packet := make([]byte, binary.BigEndian.Uint16(length))
	if _, err := io.ReadFull(c, packet); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return err
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	answer, err := m.AppendPack(make([]byte, 2))
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint16(answer, uint16(len(answer)-2)) // #nosec G115 -- it is short
	_, err = c.Write(answer)
	return err
}

// authority is where an authority is, what it is trusted by, and where it says what others trust.
type authority struct{ directory, ca, roots string }

// pebble starts Let's Encrypt's own small authority, which asks a port of this machine.
func pebble(t *testing.T, port int) authority {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pebble")
	// #nosec G204 -- a fixed program
	build := exec.Command("go", "-C", "../tools/acme", "build", "-o", program,
		"github.com/letsencrypt/pebble/v2/cmd/pebble")
	build.Env = append(os.Environ(), "GOFLAGS=-trimpath")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	folder := t.TempDir()
	address, management := webtest.FreeAddress(t), webtest.FreeAddress(t)
	cert, key, _ := webtest.Certificate(t, folder, "localhost", "127.0.0.1")
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address, "managementListenAddress": management, "certificate": cert, "privateKey": key,
		"httpPort": 1, "tlsPort": port,
	}})
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "config.json"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	// #nosec G204 -- a fixed program
	cmd := exec.CommandContext(
		context.Background(), program, "-config", filepath.Join(folder, "config.json"), "-dnsserver",
		everythingIsHere(t),
	)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20")
	var log centertest.Output
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	_, at, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return authority{"https://localhost:" + at + "/dir", cert, "https://" + management + "/roots/0"}
}

// TestACertificateByACME gets one from a real authority, keeps it, and asks for no other name.
func TestACertificateByACME(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	from := pebble(t, number)
	a := inbound.ACME{
		Directory: from.directory, CA: from.ca, Email: "ops@example.com", Domains: []string{"id.example.com"},
		Folder: t.TempDir(),
	}
	config, err := a.Config()
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = server.Serve(tls.NewListener(l, config)) }()
	t.Cleanup(func() { _ = server.Close() })
	greeted := func(name string) (*x509.Certificate, error) {
		// #nosec G402 -- the chain is verified below
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: name}}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		defer c.Close() //nolint:errcheck // it was only greeted
		secure, _ := c.(*tls.Conn)
		of := secure.ConnectionState().PeerCertificates
		pool := x509.NewCertPool()
		// #nosec G402 -- what it says is what is trusted
		trusting := &tls.Config{InsecureSkipVerify: true}
		insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting}}
		answer, err := insecure.Get(from.roots)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close() //nolint:errcheck // read to its end
		text, err := io.ReadAll(answer.Body)
		if err != nil || !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the roots are %q: %w", text, err)
		}
		between := x509.NewCertPool()
		for _, c := range of[1:] {
			between.AddCert(c)
		}
		_, err = of[0].Verify(x509.VerifyOptions{DNSName: name, Roots: pool, Intermediates: between})
		return of[0], err
	}
	first, err := greeted("id.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := greeted("id.example.com"); err != nil || !again.Equal(first) {
		t.Errorf("another certificate: %v", err)
	}
	if _, err := greeted("other.example.com"); err == nil {
		t.Error("a certificate for another name")
	}
	kept, err := os.ReadDir(a.Folder)
	if err != nil || len(kept) < 2 {
		t.Errorf("%v are kept, %v", kept, err)
	}
	for _, f := range kept {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others can read %s: %v", f.Name(), err)
		}
	}
}
