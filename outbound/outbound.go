// Package outbound sends requests to other servers: it is the one check of the address before any
// request that carries a secret, or whose address somebody outside has named.
//
// It uses https, and http only on this machine. It checks the address that a name has resolved to
// when the connection is made, so that a name that resolves differently a moment later gains
// nothing. It follows no redirects, since the other server would choose where the secret goes next,
// and takes no proxy from the environment unless it is told to.
//
// It knows neither half.
//
// It imports nothing of ours.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Policy says which addresses may be asked. The zero value asks hosts on the internet only.
type Policy struct {
	// Loopback lets this machine be asked, and without TLS too.
	Loopback bool
	// Networks are the private networks that may be asked: see the function Networks.
	Networks []netip.Prefix
	// Proxy is http.Transport's. Without one there is none, whatever the environment says. What
	// goes through a proxy is resolved there: of its address only the text is judged.
	Proxy func(*http.Request) (*url.URL, error)
	// Around is put around what sends requests, to follow them; nil: nothing is.
	Around func(http.RoundTripper) http.RoundTripper

	onlyLoopback bool // of the connections without TLS
}

// Operator is the policy of a person's own command line: what a person types may be in a private
// network, on this machine, and behind the environment's proxy. Link-local is never asked.
var Operator = Policy{Loopback: true, Networks: PrivateNetworks, Proxy: http.ProxyFromEnvironment}

// Refused says that a request was not sent, since its address may not be asked.
type Refused struct {
	Host   string // as it was named
	Reason string // completes the sentence that begins with the host
	Remedy string // what to do
}

func (e *Refused) Error() string {
	return fmt.Sprintf("%s is blocked: it %s; %s", e.Host, e.Reason, e.Remedy)
}

// Remedies.
const (
	remedyPrivate = "allow its network with --allow-private-targets, or give an address on the internet"
	remedyOther   = "give another address"
)

func refuse(host, reason string, settable bool) *Refused {
	if settable {
		return &Refused{host, reason, remedyPrivate}
	}
	return &Refused{host, reason, remedyOther}
}

// Limits of a connection.
const (
	dialTimeout    = 10 * time.Second //bound:wait a connection to a target, and its TLS
	idleTimeout    = 90 * time.Second //bound:wait the next request on a connection to a target
	maxIdleByHost  = 64               //bound:queue idle connections to one target
	maxHeaderBytes = 64 << 10         //bound:body the headers of a target's answer
	// HTTP/2 has all requests on one connection: it is asked whether it lives, and closed if not.
	pingAfter   = 5 * time.Second //bound:none how often, not how much
	pingTimeout = 3 * time.Second //bound:wait the answer to a ping on a connection to a target
)

// living has the system find out that the other end of a connection is not there any more, in
// thirteen seconds instead of two and a half minutes.
var living = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 4}

// Client returns a client that asks what the policy lets it ask, waits for timeout at most, and
// follows no redirect.
func (p Policy) Client(timeout time.Duration) *http.Client {
	t := p.transport()
	var sends http.RoundTripper = t
	if p.Around != nil {
		sends = &around{p.Around(t), t}
	}
	return &http.Client{Timeout: timeout, Transport: sends, CheckRedirect: Stay}
}

// Stay is the CheckRedirect of a client that hands a redirect to its caller instead of following
// it.
func Stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Check judges an address by its text alone, for an early answer. The dial judges again.
func (p Policy) Check(address string) error {
	u, err := Parse(address)
	if err != nil {
		return &Refused{shorten(address), "is not an allowed address: " + err.Error(), "correct it"}
	}
	return p.checkHost(u.Hostname())
}

// checkHost judges a host that is written as a number, or that is this machine's name.
func (p Policy) checkHost(host string) error {
	if IsLoopbackHost(host) && !p.Loopback {
		reason, settable := p.judge(netip.IPv6Loopback())
		return refuse(host, reason, settable)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil // a name: judged by what it is resolved to
	}
	if reason, settable := p.judge(ip); reason != "" {
		return refuse(host, reason, settable)
	}
	return nil
}

// shorten keeps an address that is none from filling an answer.
func shorten(address string) string {
	const most = 100
	if len(address) > most {
		address = address[:most] + "…"
	}
	return fmt.Sprintf("%q", address)
}

// around is what stands around a transport. It may not know of its connections.
type around struct {
	http.RoundTripper
	connections *transport
}

// CloseIdleConnections is that of http.Client.
func (a *around) CloseIdleConnections() { a.connections.CloseIdleConnections() }

// transport sends each request by the connections that are right for it.
type transport struct {
	policy                   Policy
	secure, plain, byAnother *http.Transport // https; http, to this machine only; by a proxy
}

func (p Policy) transport() *transport {
	t := &transport{
		policy: p,
		secure: p.connections(),
		plain:  Policy{Loopback: p.Loopback, onlyLoopback: true}.connections(),
	}
	if p.Proxy != nil {
		dialer := &net.Dialer{Timeout: dialTimeout, KeepAliveConfig: living}
		t.byAnother = p.connections()
		t.byAnother.Proxy, t.byAnother.DialContext = p.Proxy, dialer.DialContext
	}
	return t
}

// connections dials and judges what it dials.
func (p Policy) connections() *http.Transport {
	d := &net.Dialer{Timeout: dialTimeout, KeepAliveConfig: living, ControlContext: p.control}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := d.DialContext(ctx, network, address)
			var refused *Refused
			if errors.As(err, &refused) { // by the name that was given: what it resolves to is nobody's business
				host, _, _ := net.SplitHostPort(address)
				return nil, &Refused{host, refused.Reason, refused.Remedy}
			}
			return conn, err
		},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    maxIdleByHost,
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// control is called with what a name was resolved to, before the connection is made.
func (p Policy) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return refuse("the host", "is not the address of a host on the internet", false)
	}
	if reason, settable := p.judge(at.Addr()); reason != "" {
		return refuse("the host", reason, settable)
	}
	return nil
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	err := inspect(r.URL)
	if err != nil {
		err = &Refused{shorten(r.URL.Host), "is not an allowed address: " + err.Error(), "correct it"}
	} else {
		err = t.policy.checkHost(r.URL.Hostname())
	}
	if err != nil {
		closeBody(r)
		return nil, err
	}
	if r.URL.Scheme == "http" {
		return t.plain.RoundTrip(r)
	}
	if t.byAnother != nil {
		proxy, err := t.policy.Proxy(r)
		if err != nil {
			closeBody(r)
			return nil, err
		}
		if proxy != nil {
			return t.byAnother.RoundTrip(r)
		}
	}
	return t.secure.RoundTrip(r)
}

// closeBody keeps the promise of a RoundTripper.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // it was not read
	}
}

// CloseIdleConnections implements what http.Client looks for.
func (t *transport) CloseIdleConnections() {
	t.secure.CloseIdleConnections()
	t.plain.CloseIdleConnections()
	if t.byAnother != nil {
		t.byAnother.CloseIdleConnections()
	}
}
