package sqldb

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// connectTimeout bounds the way to one server, unless the URL says connect_timeout: one that
	// has vanished does not answer at all, and the next one in the URL may have taken its place.
	connectTimeout = 3 * time.Second //bound:wait a connection to one database server
	// silenceTimeout is how long a server may leave unacknowledged what was sent to it. A server
	// that has vanished, with its machine or its network, ends no connection.
	silenceTimeout = 10 * time.Second //bound:wait a database server's kernel
)

// keepAlive finds out within silenceTimeout that a server has vanished while we wait for its
// answer.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 3}

// dialServers sets how connections to the servers are opened.
func dialServers(c *pgconn.Config) {
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	dialer := &net.Dialer{Timeout: c.ConnectTimeout, KeepAliveConfig: keepAlive, Control: boundSilence}
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countingConn{Conn: conn}, nil
	}
}
