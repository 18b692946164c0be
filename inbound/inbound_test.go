package inbound

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// serve serves until the test ends or stop is called, and sees that the server ended in peace.
func serve(t *testing.T, l *Listener, handler http.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx, Service{Handler: handler, Log: slog.New(slog.DiscardHandler)}) }()
	stop = func() {
		cancel()
		if err, open := <-ended; open {
			close(ended)
			if err != nil {
				t.Errorf("the server ended with %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

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
	l, err := Listen(t.Context(), "127.0.0.1:0", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	at := l.Addr().String()
	get := "GET / HTTP/1.1\r\nHost: " + at + "\r\n\r\n"
	slow := "POST / HTTP/1.1\r\nHost: " + at + "\r\nContent-Length: 1000\r\n\r\nu"
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

// TestARequestUnderWayFinishes ends a server while it answers.
func TestARequestUnderWayFinishes(t *testing.T) {
	t.Parallel()
	l, err := Listen(t.Context(), "127.0.0.1:0", nil, true)
	if err != nil {
		t.Fatal(err)
	}
	began, finish := make(chan struct{}), make(chan struct{})
	stop := serve(t, l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-finish
	}))
	conn := from(t, "127.0.0.1", l.Addr().String())
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-began
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	for { // until nobody is let in
		other, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		_ = other.Close()
	}
	close(finish)
	if got := asks(t, conn, ""); got != http.StatusOK {
		t.Errorf("the request that was under way ended with %d", got)
	}
	<-stopped
}
