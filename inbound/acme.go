package inbound

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACME is a certificate authority that hands out certificates by RFC 8555, and what for.
type ACME struct {
	Directory string // the address of its directory
	CA        string // a PEM file with certificates that the directory is verified with too; empty: none
	Email     string // whom it writes to about certificates that expire; empty: nobody
	Domains   []string
	Folder    string // where keys and certificates are kept
}

// acmeTimeout bounds a request to the authority.
const acmeTimeout = time.Minute //bound:wait a certificate authority's answer

// Config is the configuration of TLS with certificates from the authority, which proves that the
// names are ours over this listener (RFC 8737): it has to be reached at port 443. Certificates are
// renewed thirty days before they expire.
func (a ACME) Config() (*tls.Config, error) {
	client := &http.Client{Timeout: acmeTimeout}
	if a.CA != "" {
		text, err := os.ReadFile(a.CA)
		if err != nil {
			return nil, fmt.Errorf("the certificates of the authority: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificates", a.CA)
		}
		client.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
			IdleConnTimeout: idleTimeout,
		}
	}
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(a.Folder),
		HostPolicy: autocert.HostWhitelist(a.Domains...),
		Client:     &acme.Client{DirectoryURL: a.Directory, HTTPClient: client, UserAgent: "gatehouse"},
		Email:      a.Email,
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: m.GetCertificate,
		NextProtos: []string{"http/1.1", acme.ALPNProto},
	}, nil
}
