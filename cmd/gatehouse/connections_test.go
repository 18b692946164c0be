package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
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

// closed waits until the other side has closed a connection.
func closed(t *testing.T, conn net.Conn) bool {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := io.Copy(io.Discard, conn)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// TestWhoHoldsConnectionsKeepsNobodyOut holds as many connections as one address may, idle and with
// bodies that do not end. Whoever comes then is let in, from there and from elsewhere, and what has
// waited for the longest is closed.
func TestWhoHoldsConnectionsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	at := freeAddress(t)
	startCommand(t, "serve", "--data", t.TempDir(), "--listen", at)
	get := "GET /platform/login HTTP/1.1\r\nHost: " + at + "\r\n\r\n"
	slow := "POST /platform/login HTTP/1.1\r\nHost: " + at + "\r\nContent-Length: 1000\r\n\r\nu"
	held := make([]net.Conn, maxOfAddress)
	for i := range held {
		held[i] = from(t, "127.0.0.1", at)
		if i%2 == 1 {
			if _, err := io.WriteString(held[i], slow); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := asks(t, from(t, "127.0.0.2", at), get); got != http.StatusOK {
		t.Errorf("from another address: %d", got)
	}
	if got := asks(t, from(t, "127.0.0.1", at), get); got != http.StatusOK {
		t.Errorf("from the same address: %d", got)
	}
	if !closed(t, held[0]) {
		t.Error("the connection that has waited for the longest is still open")
	}
	if got := asks(t, held[2], get); got != http.StatusOK {
		t.Errorf("on a connection that was held: %d", got)
	}
}

// TestConnectionsInAll lets a newcomer in when all places are taken, at the cost of the address
// that holds the most, and never at the cost of a request that is being answered.
func TestConnectionsInAll(t *testing.T) {
	t.Parallel()
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := newConnections(inner, 4, 3)
	began, finish := make(chan struct{}, 4), make(chan struct{})
	server := &http.Server{ConnState: open.changed, ConnContext: open.context, ReadHeaderTimeout: time.Minute,
		Handler: received(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			began <- struct{}{}
			<-finish
			w.WriteHeader(http.StatusNoContent)
		}))}
	go func() { _ = server.Serve(open) }()
	t.Cleanup(func() { _ = server.Close() })
	at := inner.Addr().String()
	get := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

	busy := from(t, "127.0.0.1", at)
	if _, err := io.WriteString(busy, get); err != nil {
		t.Fatal(err)
	}
	<-began
	idle := []net.Conn{from(t, "127.0.0.1", at), from(t, "127.0.0.1", at), from(t, "127.0.0.2", at)}
	newcomer := from(t, "127.0.0.3", at)
	if _, err := io.WriteString(newcomer, get); err != nil {
		t.Fatal(err)
	}
	<-began // it was let in, before anybody went
	if !closed(t, idle[0]) {
		t.Error("the address that holds the most kept what has waited for the longest")
	}
	for i, c := range append(idle[1:], busy, newcomer) {
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Errorf("connection %d was closed: %v", i, err)
		}
	}
	close(finish)
	if got := asks(t, busy, ""); got != http.StatusNoContent {
		t.Errorf("the request that was being answered ended with %d", got)
	}
	open.mu.Lock()
	defer open.mu.Unlock()
	if len(open.open) != 4 || open.byAddress["127.0.0.1"] != 2 {
		t.Errorf("%d are open, %v", len(open.open), open.byAddress)
	}
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
	at := freeAddress(t)
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
