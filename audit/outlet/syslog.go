package outlet

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/gatehouse-id/gatehouse/audit/chain"
)

// syslog sends events to a syslog server (RFC 5424): over a connection with octets counted (RFC
// 6587, 3.4.1; RFC 5425 with TLS), or a datagram each to a socket of this machine.
//
// Syslog confirms nothing. What a connection has taken and the server has not, when it breaks, is
// sent again: all of the last minute, so that each event arrives at least once.
type syslog struct {
	network, address string
	tls              *tls.Config
	settings         Settings
	conn             net.Conn
	sent             []sent
}

// sent is parcels that a connection has taken.
type sent struct {
	at      time.Time
	parcels []chain.Parcel
}

// How long what was sent is kept to be sent again, how much of it, and how long a server is waited
// for.
const (
	unconfirmedFor = time.Minute     //bound:life events that a syslog server has not confirmed
	maxUnconfirmed = 5_000           //bound:memory events that a syslog server has not confirmed
	dialTimeout    = 5 * time.Second //bound:wait the connection to a syslog server
)

// Deliver implements chain.Outlet.
func (s *syslog) Deliver(ctx context.Context, parcels []chain.Parcel) error {
	if s.conn != nil && s.network == "tcp" && !alive(s.conn) {
		s.hangUp()
	}
	if s.conn == nil {
		if err := s.dial(ctx); err != nil {
			return err
		}
		for _, again := range s.sent {
			if err := s.send(ctx, again.parcels); err != nil {
				s.hangUp()
				return err
			}
		}
	}
	if err := s.send(ctx, parcels); err != nil {
		s.hangUp()
		return err
	}
	s.keep(parcels)
	return nil
}

// keep keeps what may have to be sent again.
func (s *syslog) keep(parcels []chain.Parcel) {
	if s.network != "tcp" {
		return
	}
	now, events := time.Now(), 0
	s.sent = append(s.sent, sent{now, parcels})
	for i := len(s.sent) - 1; i >= 0; i-- {
		events += len(s.sent[i].parcels)
		if i < len(s.sent)-1 && (now.Sub(s.sent[i].at) > unconfirmedFor || events > maxUnconfirmed) {
			s.sent = s.sent[i+1:]
			return
		}
	}
}

func (s *syslog) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

func (s *syslog) dial(ctx context.Context) (err error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	if s.tls != nil {
		s.conn, err = (&tls.Dialer{NetDialer: &dialer, Config: s.tls}).DialContext(ctx, s.network, s.address)
	} else {
		s.conn, err = dialer.DialContext(ctx, s.network, s.address)
	}
	return err
}

// alive says whether the other side has not ended a connection: it sends nothing else.
func alive(c net.Conn) bool {
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return false
	}
	_, err := c.Read(make([]byte, 1))
	return err == nil || (errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.EOF))
}

func (s *syslog) send(ctx context.Context, parcels []chain.Parcel) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(dialTimeout)
	}
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	var all bytes.Buffer
	for _, p := range parcels {
		message, err := s.message(p)
		if err != nil {
			return err
		}
		if s.network != "tcp" {
			if _, err := s.conn.Write(message); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(&all, "%d ", len(message))
		all.Write(message)
	}
	_, err := s.conn.Write(all.Bytes())
	return err
}

// priority is facility 13, log audit, with severity 6, informational. Source: RFC 5424, 6.2.1.
const priority = 13*8 + 6

// message is one event as a message of syslog, with the event as its text.
func (s *syslog) message(p chain.Parcel) ([]byte, error) {
	text, err := s.settings.Format(p)
	if err != nil {
		return nil, err
	}
	at := time.UnixMilli(p.Line.Time).UTC().Format("2006-01-02T15:04:05.000Z")
	head := fmt.Sprintf("<%d>1 %s %s gatehouse %d audit - ", priority, at, cmp.Or(s.settings.Host, "-"), os.Getpid())
	return append([]byte(head), text...), nil
}
