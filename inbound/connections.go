package inbound

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

const (
	maxConnections = 2048 //bound:queue connections that a server holds open
	maxOfAddress   = 512  //bound:queue connections of one address (IPv6: of one /64), unless it is the proxy's
)

// connections is a listener that bounds the connections that are open, in all and of one address.
//
// When all places are taken, a new connection is accepted, and the one that has waited longest for
// a request, or for the rest of one, at the address with the most connections is closed. So
// strangers who hold connections open close each other's, and requests that are being answered
// continue.
type connections struct {
	net.Listener
	most, ofAddress int // ofAddress 0: any number, since all come from the proxy

	mu        sync.Mutex
	open      map[*connection]struct{}
	byAddress map[string]int
}

// connection is one of the connections that are open.
type connection struct {
	net.Conn
	address string       // as audit.Neighborhood has it
	waiting atomic.Int64 // since when; zero while a request is being answered
}

func newConnections(l net.Listener, most, ofAddress int) *connections {
	return &connections{
		Listener:  l,
		most:      most,
		ofAddress: ofAddress,
		open:      map[*connection]struct{}{},
		byAddress: map[string]int{},
	}
}

// Accept implements net.Listener.
func (l *connections) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
		if err != nil {
			host = conn.RemoteAddr().String()
		}
		c := &connection{Conn: conn, address: audit.Neighborhood(host)}
		c.wait()
		if l.admit(c) {
			return c, nil
		}
		_ = conn.Close() // everybody at this address is being answered
	}
}

// admit makes place for a connection, and says whether there is one.
func (l *connections) admit(c *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var longest *connection
	switch {
	case l.ofAddress > 0 && l.byAddress[c.address] >= l.ofAddress:
		longest = l.longest(func(o *connection) bool { return o.address == c.address })
	case len(l.open) >= l.most:
		most := 0
		for o := range l.open {
			if o.waiting.Load() != 0 {
				most = max(most, l.byAddress[o.address])
			}
		}
		longest = l.longest(func(o *connection) bool { return l.byAddress[o.address] == most })
	default:
		l.add(c)
		return true
	}
	if longest == nil {
		return false
	}
	l.remove(longest)
	_ = longest.Close()
	l.add(c)
	return true
}

// longest is the connection that has waited for the longest, of some of them.
func (l *connections) longest(of func(*connection) bool) (found *connection) {
	for c := range l.open {
		if at := c.waiting.Load(); at != 0 && of(c) && (found == nil || at < found.waiting.Load()) {
			found = c
		}
	}
	return found
}

func (l *connections) add(c *connection) {
	l.open[c] = struct{}{}
	l.byAddress[c.address]++
}

func (l *connections) remove(c *connection) {
	if _, ok := l.open[c]; !ok { // it was closed to make place
		return
	}
	delete(l.open, c)
	if l.byAddress[c.address]--; l.byAddress[c.address] == 0 {
		delete(l.byAddress, c.address)
	}
}

// changed is what the server tells of its connections.
func (l *connections) changed(conn net.Conn, state http.ConnState) {
	c := connectionOf(conn)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive, http.StateIdle: // of a body that is still to come, bodies tells more
		c.wait()
	case http.StateClosed, http.StateHijacked:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.remove(c)
	}
}

func connectionOf(conn net.Conn) *connection {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	c, _ := conn.(*connection)
	return c
}

func (c *connection) wait() { c.waiting.Store(time.Now().UnixNano()) }

// connectionKey is under which the context of a request has its connection.
type connectionKey struct{}

func (*connections) context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, connectionOf(conn))
}

// received has a connection wait until the whole request is there.
func received(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connectionKey{}).(*connection)
		switch {
		case c == nil:
		case r.ContentLength == 0:
			c.waiting.Store(0)
		default:
			r.Body = &receiving{r.Body, c}
		}
		next.ServeHTTP(w, r)
	})
}

// receiving is a body that notes when it has been read.
type receiving struct {
	io.ReadCloser
	connection *connection
}

// Read implements io.Reader.
func (b *receiving) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.connection.waiting.Store(0)
	}
	return n, err
}
