// Package outlet hands the audit log to where others keep theirs: a file, a syslog server, or an
// HTTP endpoint.
//
// It may import audit/chain.
package outlet

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit/chain"
)

// Format writes one event as a JSON document without a line break.
type Format func(chain.Parcel) ([]byte, error)

// JSON is an event as it is kept, with its place in the chain: the hash is SHA-256 over the hash
// before it and the event, and "before" is that hash. An event that comes again has the same
// position.
func JSON(p chain.Parcel) ([]byte, error) {
	return fmt.Appendf(nil, `{"position":%d,"before":"%s","hash":"%s","event":%s}`, p.Position, p.Before, p.Hash,
		p.Line.Doc), nil
}

// Settings say where events go to.
type Settings struct {
	// To is file:PATH, syslog:PATH of a socket, syslog+tcp://HOST:PORT, syslog+tls://HOST:PORT, or
	// an http(s) URL.
	To            string
	Format        Format
	List          string // what the list of an HTTP request is called; empty: it has a line each
	Authorization string
	CA            string // a file with certificates to trust beside the system's
	HTTP          *http.Client
	Host          string // the name of this machine in syslog
}

// errTo says what is taken.
var errTo = errors.New(
	"use file:/path, syslog:/dev/log, syslog+tcp://host:port, syslog+tls://host:port, or an https URL",
)

// Outlet is one, with the name that the place that it has reached is kept under: where the events
// go to, without a secret that may stand in its query.
type Outlet struct {
	chain.Outlet
	Name string
}

// Open prepares an outlet.
func Open(s Settings) (o Outlet, err error) {
	if path, ok := strings.CutPrefix(s.To, "file:"); ok {
		if path == "" {
			return o, errTo
		}
		return Outlet{&file{path: path, format: s.Format, sync: syncFolder}, s.To}, nil
	}
	if path, ok := strings.CutPrefix(s.To, "syslog:"); ok && strings.HasPrefix(path, "/") {
		return Outlet{&syslog{network: "unixgram", address: path, settings: s}, s.To}, nil
	}
	u, err := url.Parse(s.To)
	if err != nil || u.Host == "" || u.User != nil {
		return o, errTo
	}
	switch u.Scheme {
	case "syslog+tcp", "syslog+tls":
		if u.Port() == "" || u.Path != "" {
			return o, errTo
		}
		out := &syslog{network: "tcp", address: u.Host, settings: s}
		if u.Scheme == "syslog+tls" {
			if out.tls, err = trust(s.CA); err != nil {
				return o, err
			}
		}
		return Outlet{out, s.To}, nil
	case "http", "https":
		ip := net.ParseIP(u.Hostname())
		if here := u.Hostname() == "localhost" || ip.IsLoopback(); u.Scheme == "http" && !here {
			return o, fmt.Errorf("%s: events would travel without TLS", u.Host)
		}
		out, err := endpointAt(s)
		u.RawQuery, u.Fragment = "", ""
		return Outlet{out, u.String()}, err
	}
	return o, errTo
}

// trust is what a TLS connection verifies the other side with.
func trust(file string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return config, nil
	}
	text, err := os.ReadFile(file) // #nosec G304 -- the operator's
	if err != nil {
		return nil, err
	}
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		config.RootCAs = x509.NewCertPool()
	}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificates", file)
	}
	return config, nil
}

// lines writes each event on a line.
func lines(format Format, parcels []chain.Parcel) (all []byte, err error) {
	for _, p := range parcels {
		line, err := format(p)
		if err != nil {
			return nil, err
		}
		all = append(append(all, line...), '\n')
	}
	return all, nil
}
