package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// from opens a connection from one of the addresses of loopback.
func from(t *testing.T, source, to string) net.Conn {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// asks sends a request on a connection and returns the status of the answer.
func asks(t *testing.T, conn net.Conn, request string) int {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestLongNamesAreRefusedAtTheDoor sends names of 1 MB to every form that a stranger can reach.
func TestLongNamesAreRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	d, stop := startDemo(t, "--no-connect")
	defer stop()
	for _, form := range []struct{ address, field string }{
		{d.Center.URL + "/platform/login", "username"}, {d.Center.URL + "/platform/forgot", "username"},
		{d.Center.URL + "/console/login", "username"}, {d.Center.URL + "/platform/login/code", "code"},
		{d.Tenant.URL + "/login", "loginfmt"}, {d.Tenant.URL + "/admin/login", "username"},
		{d.Tenant.URL + "/common/oauth2/v2.0/token", "client_id"},
		{d.Tenant.URL + "/common/oauth2/v2.0/devicecode", "client_id"},
		{d.Center.URL + "/platform/saml/acs/x", "SAMLResponse"},
	} {
		body := form.field + "=" + strings.Repeat("x", 1<<20)
		for _, length := range []int64{int64(len(body)), -1} {
			req, err := http.NewRequestWithContext(
				t.Context(),
				http.MethodPost,
				form.address,
				io.MultiReader(strings.NewReader(body)),
			)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = length
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				if strings.Contains(err.Error(), "broken pipe") || strings.Contains(err.Error(), "reset") {
					continue // it was cut off while it was sent
				}
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode < 400 || res.StatusCode >= 500 || len(answer) > 16<<10 {
				t.Errorf(
					"%s with length %d was answered with %d, %d bytes",
					form.address,
					length,
					res.StatusCode,
					len(answer),
				)
			}
		}
	}
}

// TestAWSRequestsAreJudgedByTheirHeadersFirst announces a body and does not send it: who is refused
// anyhow is told at once.
func TestAWSRequestsAreJudgedByTheirHeadersFirst(t *testing.T) {
	t.Parallel()
	at := webtest.FreeAddress(t)
	startCommand(t, "serve", "--data", t.TempDir(), "--listen", at)
	for name, header := range map[string]string{"unsigned": "",
		"unknown key": "Authorization: AWS4-HMAC-SHA256 Credential=AKIDUNKNOWN/" +
			time.Now().UTC().Format("20060102") + "/us-east-1/identitystore/aws4_request, " +
			"SignedHeaders=host;x-amz-date;x-amz-target, Signature=" +
			strings.Repeat("0", 64) + "\r\nX-Amz-Date: " + time.Now().UTC().Format("20060102T150405Z") + "\r\n"} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			status := asks(
				t,
				from(t, "127.0.0.1", at),
				fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s\r\nX-Amz-Target: AWSIdentityStore.ListUsers\r\n"+
					"Content-Type: application/x-amz-json-1.1\r\n%sContent-Length: 1000000\r\nConnection: "+
					"close\r\n\r\n{", at, header),
			)
			if status != http.StatusForbidden && status != http.StatusBadRequest {
				t.Errorf("answered with %d after %s", status, time.Since(began))
			}
		})
	}
}
