package sqldbtest

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Fault is what a proxy does instead of passing a statement on.
type Fault int

// The faults.
const (
	// Pass is none.
	Pass Fault = iota
	// Restart fails the statement, and with it the transaction, with the SQLSTATE 40001: as any
	// statement can at a distributed database.
	Restart
	// CutBefore ends the connection before the server has the statement.
	CutBefore
	// CutAfter ends the connection after the server has carried it out, without the answer.
	CutAfter
	// Crashed is CutAfter with what PgBouncer says then, and when it has waited for longer than its
	// query_timeout: an error of its own, in place of the answers of which it has passed none on.
	Crashed
)

// Proxy is a way to a PostgreSQL server that does to statements what fault says, and hands on no
// notifications. It returns the URL. The proxy ends with the test.
func Proxy(t testing.TB, dsn string, fault func(sql string) Fault) string {
	t.Helper()
	return between(t, dsn, func(client net.Conn, dial func() (net.Conn, error)) {
		server, err := dial()
		if err != nil {
			return
		}
		defer server.Close() //nolint:errcheck // the proxy's end of it
		p := newProxied(client, pgproto3.NewFrontend(server, server), fault)
		first, err := p.first()
		if err != nil || first == nil {
			return
		}
		p.server.Send(first)
		if err := p.answer(true); err != nil {
			return
		}
		_ = p.serve() // either end may go at any time
	})
}

// between lets serve have the connections of those who ask for a server by the URL that it returns,
// and closes them when it returns, or the test ends. dial connects to the server.
func between(t testing.TB, dsn string, serve func(client net.Conn, dial func() (net.Conn, error))) string {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "gatehouse-proxy-") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgxNetwork(config)
	dial := func() (net.Conn, error) {
		return (&net.Dialer{}).DialContext(context.Background(), network, address)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[client] = true
			mu.Unlock()
			all.Go(func() {
				defer client.Close() //nolint:errcheck // the proxy's end of it
				serve(client, dial)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		_ = os.RemoveAll(dir)
		mu.Lock()
		for client := range open {
			_ = client.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "postgres:///" + config.Database + "?user=" + config.User + "&sslmode=disable&host=" + dir
}

func pgxNetwork(c *pgx.ConnConfig) (network, address string) {
	if filepath.IsAbs(c.Host) {
		return "unix", filepath.Join(c.Host, ".s.PGSQL.5432")
	}
	return "tcp", net.JoinHostPort(c.Host, "5432")
}

// proxied is one connection through a proxy.
type proxied struct {
	client     *pgproto3.Backend
	server     *pgproto3.Frontend
	raw        net.Conn
	fault      func(string) Fault
	statements map[string]string // by the names under which they were prepared
}

var (
	errCut  = errors.New("the proxy has cut the connection")
	errGone = errors.New("the client has gone")
)

func newProxied(client net.Conn, server *pgproto3.Frontend, fault func(string) Fault) *proxied {
	return &proxied{
		client: pgproto3.NewBackend(client, client), server: server,
		raw: client, fault: fault, statements: map[string]string{},
	}
}

// first is what a client begins a session with; nil: it wants none.
func (p *proxied) first() (*pgproto3.StartupMessage, error) {
	for {
		first, err := p.client.ReceiveStartupMessage()
		if err != nil {
			return nil, err
		}
		switch first := first.(type) {
		case *pgproto3.StartupMessage:
			return first, nil
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := p.raw.Write([]byte("N")); err != nil {
				return nil, err
			}
		default:
			return nil, nil // a cancellation, which nobody needs here
		}
	}
}

func (p *proxied) serve() error {
	for {
		if err := p.exchange(); err != nil {
			return err
		}
	}
}

// exchange passes on what the client sends up to the point where it waits, and the answers.
func (p *proxied) exchange() error {
	cut, crashed := false, false
	for {
		m, err := p.client.Receive()
		if err != nil {
			return errors.Join(errGone, err)
		}
		fault := Pass
		switch m := m.(type) {
		case *pgproto3.Terminate:
			return errGone
		case *pgproto3.Parse:
			p.statements[m.Name] = m.Query
		case *pgproto3.Bind:
			fault = p.fault(p.statements[m.PreparedStatement])
		case *pgproto3.Query:
			fault = p.fault(m.String)
		}
		switch fault {
		case CutBefore:
			return errCut
		case Restart:
			return p.restart(m)
		}
		crashed = crashed || fault == Crashed
		cut = cut || fault == CutAfter || crashed
		p.server.Send(m)
		switch m.(type) {
		case *pgproto3.Sync, *pgproto3.Query:
			if err := p.server.Flush(); err != nil {
				return err
			}
			if cut {
				if err := p.discard(); err != nil || !crashed {
					return errors.Join(err, errCut)
				}
				return p.crash()
			}
			return p.answer(true)
		}
		if err := p.server.Flush(); err != nil { // m is used again for the next message
			return err
		}
	}
}

// restart lets the server itself fail, in place of a message and of all that the client sends
// before it waits.
func (p *proxied) restart(m pgproto3.FrontendMessage) error {
	if _, simple := m.(*pgproto3.Query); !simple {
		for waits := false; !waits; {
			next, err := p.client.Receive()
			if err != nil {
				return err
			}
			if parse, ok := next.(*pgproto3.Parse); ok {
				p.statements[parse.Name] = parse.Query
			}
			_, waits = next.(*pgproto3.Sync)
		}
		p.server.Send(&pgproto3.Sync{})
		if err := p.answer(false); err != nil {
			return err
		}
	}
	p.server.Send(&pgproto3.Query{
		String: "DO $$ BEGIN RAISE EXCEPTION 'restart transaction' USING ERRCODE = '40001'; END $$",
	})
	return p.answer(true)
}

// crash tells the client what PgBouncer tells it when its connection to the server is gone.
func (p *proxied) crash() error {
	p.client.Send(&pgproto3.ErrorResponse{
		Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "08P01", Message: "server conn crashed?",
	})
	return errors.Join(p.client.Flush(), errCut)
}

// answer passes the server's messages on until it waits; whether that itself is passed on is said.
func (p *proxied) answer(whole bool) error {
	if err := p.server.Flush(); err != nil {
		return err
	}
	for {
		m, err := p.server.Receive()
		if err != nil {
			return err
		}
		_, waits := m.(*pgproto3.ReadyForQuery)
		if _, notification := m.(*pgproto3.NotificationResponse); notification || (waits && !whole) {
			if waits {
				return nil
			}
			continue
		}
		p.client.Send(m)
		if err := p.client.Flush(); err != nil {
			return err
		}
		if waits {
			return nil
		}
	}
}

// discard reads the server's messages until it waits, and passes none of them on.
func (p *proxied) discard() error {
	for {
		m, err := p.server.Receive()
		if err != nil {
			return err
		}
		if _, waits := m.(*pgproto3.ReadyForQuery); waits {
			return nil
		}
	}
}
