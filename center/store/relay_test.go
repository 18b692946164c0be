package store_test

import (
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
)

// relay stands between one node and the database, on a socket of its own.
type relay struct {
	server string // the database's socket
	mu     sync.Mutex
	pass   sync.Cond
	held   bool
	conns  []net.Conn
}

// relayed returns a URL that leads to the same database by a relay.
func relayed(t *testing.T, dsn string) (*relay, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	const socket = ".s.PGSQL.5432"
	q, dir := u.Query(), t.TempDir()
	r := &relay{server: filepath.Join(q.Get("host"), socket)}
	r.pass.L = &r.mu
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	l, err := net.Listen("unix", filepath.Join(dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		r.cut()
	})
	go func() {
		for {
			node, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", r.server)
			if err != nil {
				_ = node.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, node, server)
			r.mu.Unlock()
			go r.copy(node, server)
			go r.copy(server, node)
		}
	}()
	return r, u.String()
}

func (r *relay) copy(to, from net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		r.mu.Lock()
		for r.held {
			r.pass.Wait()
		}
		r.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_, _ = to.Close(), from.Close()
}

// hold keeps back what is sent in either direction, as a network does that has come apart.
func (r *relay) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = true
}

func (r *relay) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = false
	r.pass.Broadcast()
}

// cut breaks all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns, r.held = nil, false
	r.pass.Broadcast()
}
