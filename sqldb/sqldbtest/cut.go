package sqldbtest

import (
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Cut returns the URL of a way to a PostgreSQL server, and what cuts all connections that go there,
// as a network does. It hands on no notifications. The server's ends are used again: a process of
// the server for each connection would cost more than all that is asked.
func Cut(t testing.TB, dsn string) (url string, cut func()) {
	t.Helper()
	w := &way{open: map[net.Conn]chan struct{}{}}
	t.Cleanup(w.close) // after all have gone
	return between(t, dsn, w.serve), w.cut
}

// way is what Cut returns the ends of.
type way struct {
	mu   sync.Mutex
	open map[net.Conn]chan struct{} // closed when the server's end is free
	idle []*kept
}

// kept is a connection to the server that nobody uses.
type kept struct {
	raw      net.Conn
	server   *pgproto3.Frontend
	greeting []pgproto3.BackendMessage // what it said when it was opened
}

func (w *way) cut() {
	w.mu.Lock()
	var free []chan struct{}
	for client, done := range w.open {
		_ = client.Close()
		free = append(free, done)
	}
	w.mu.Unlock()
	for _, done := range free {
		<-done
	}
}

func (w *way) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.idle {
		_ = k.raw.Close()
	}
}

func (w *way) serve(client net.Conn, dial func() (net.Conn, error)) {
	done := make(chan struct{})
	defer close(done)
	w.mu.Lock()
	w.open[client] = done
	w.mu.Unlock()
	p := newProxied(client, nil, func(string) Fault { return Pass })
	first, err := p.first()
	var k *kept
	if err == nil && first != nil {
		k, err = w.take(first, dial)
	}
	if err == nil && k != nil {
		p.server = k.server
		for _, m := range k.greeting {
			p.client.Send(m)
		}
		if err = p.client.Flush(); err == nil {
			err = p.serve()
		}
	}
	free := k != nil && errors.Is(err, errGone) && p.settle() == nil
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, client)
	switch {
	case free:
		w.idle = append(w.idle, k)
	case k != nil:
		_ = k.raw.Close()
	}
}

// take returns a connection that nobody uses, or a new one.
func (w *way) take(first *pgproto3.StartupMessage, dial func() (net.Conn, error)) (*kept, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.idle); n > 0 {
		k := w.idle[n-1]
		w.idle = w.idle[:n-1]
		return k, nil
	}
	raw, err := dial()
	if err != nil {
		return nil, err
	}
	k := &kept{raw: raw, server: pgproto3.NewFrontend(raw, raw)}
	k.server.Send(first)
	if k.greeting, err = answers(k.server); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return k, nil
}

// settle has the server forget what a client began that has gone.
func (p *proxied) settle() error {
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.Sync{}, &pgproto3.Query{String: "ROLLBACK"}, &pgproto3.Query{String: "DISCARD ALL"},
	} {
		p.server.Send(m)
		if err := p.server.Flush(); err != nil {
			return err
		}
		if err := p.discard(); err != nil {
			return err
		}
	}
	return nil
}

// answers are the server's messages until it waits.
func answers(server *pgproto3.Frontend) (all []pgproto3.BackendMessage, err error) {
	if err := server.Flush(); err != nil {
		return nil, err
	}
	for {
		m, err := server.Receive()
		if err != nil {
			return nil, err
		}
		switch m := m.(type) { // the next message is written where this one stands
		case *pgproto3.AuthenticationOk:
			all = append(all, &pgproto3.AuthenticationOk{})
		case *pgproto3.ParameterStatus:
			same := *m
			all = append(all, &same)
		case *pgproto3.BackendKeyData:
			same := *m
			all = append(all, &same)
		case *pgproto3.ErrorResponse:
			return nil, errors.New(m.Message)
		case *pgproto3.ReadyForQuery:
			same := *m
			return append(all, &same), nil
		}
	}
}
