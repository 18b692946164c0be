package outbound

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestADeadConnectionIsFoundOut: HTTP/2 has all requests on one connection. When nothing comes
// through any more, and nobody says so, they do not wait until the client's patience is over, and
// the next one has another connection.
func TestADeadConnectionIsFoundOut(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	way := newWay(t, server.Listener.Addr().String())
	connections := Policy{Loopback: true}.connections()
	connections.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // #nosec G402 -- the test's own server
	client := &http.Client{Transport: connections, Timeout: time.Minute}
	ask := func() (string, error) {
		res, err := client.Get("https://" + way.address)
		if err != nil {
			return "", err
		}
		defer res.Body.Close() //nolint:errcheck // it was read
		text, err := io.ReadAll(res.Body)
		return string(text), err
	}
	if proto, err := ask(); err != nil || proto != "HTTP/2.0" {
		t.Fatalf("%q, %v", proto, err)
	}
	way.dead.Store(way.made.Load())
	_, err := ask()
	var network net.Error
	if err == nil || (errors.As(err, &network) && network.Timeout()) {
		t.Errorf("on a dead connection: %v", err)
	}
	if proto, err := ask(); err != nil {
		t.Errorf("after it was found out: %q, %v", proto, err)
	}
}

// way is a way to a server. Its connections up to one that a test names carry nothing any more.
type way struct {
	address    string
	made, dead atomic.Int64
}

func newWay(t *testing.T, to string) *way {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := &way{address: l.Addr().String()}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			n := w.made.Add(1)
			go w.carry(n, from, there)
			go w.carry(n, there, from)
		}
	}()
	return w
}

func (w *way) carry(n int64, from, to net.Conn) {
	defer to.Close() //nolint:errcheck // nobody reads any more
	data := make([]byte, 4096)
	for {
		read, err := from.Read(data)
		if err == nil && n > w.dead.Load() {
			_, err = to.Write(data[:read])
		}
		if err != nil {
			return
		}
	}
}
