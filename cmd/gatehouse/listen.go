package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/telemetry"
	"github.com/gatehouse-id/gatehouse/telemetry/tracing"
	"github.com/gatehouse-id/gatehouse/terminal"
	"github.com/gatehouse-id/gatehouse/web"
)

// half is what the subcommands that serve have in common.
type half struct {
	listen, url, data, database string
	tlsCert, tlsKey             string
	acme                        bool
	authority                   inbound.ACME
	behindProxy                 bool
	published                   bool // a demo in a container: its ports are published on its host's loopback
	trustedProxies, proxyHeader string
	proxies                     web.Proxies // what the two settings say
	privateTargets              networkList
	mailer                      center.Mailer // of a center; nil: none
	log                         *slog.Logger
	drain                       time.Duration
	drainGiven                  func() bool
	healthTokenFile             string
	health                      inbound.Health
	background                  []func(context.Context) // what else runs as long as the half serves
	watch                       *telemetry.Half         // told of what the store does; nil: nobody asks for metrics
	traces                      observe.Traces
	trace                       *tracing.Tracing // nil: nobody collects traces
	pool                        func() (sqldb.Pool, bool)
}

// collectors are the metrics that both halves have.
func (h *half) collectors() []prometheus.Collector {
	all := []prometheus.Collector{observe.Certificate(h.tlsCert)}
	if h.pool != nil {
		all = append(all, observe.Pool(h.pool))
	}
	return all
}

// drainTime is enough for a balancer that asks every two seconds and wants two answers.
const drainTime = 5 * time.Second //bound:wait new requests, after the program was told to end

func (h *half) flags(cmd *cobra.Command, listen, data string) {
	f := cmd.Flags()
	f.StringVar(&h.listen, "listen", listen, "address to listen on")
	f.StringVar(&h.url, "url", "", "public URL (default: derived from --listen)")
	f.StringVar(&h.data, "data", data, "folder for the database and the master key")
	f.StringVar(&h.database, "database", "", "postgres:// URL to use instead of SQLite in the data folder")
	f.StringVar(&h.tlsCert, "tls-cert", "", "PEM `file` with the TLS certificate")
	f.StringVar(&h.tlsKey, "tls-key", "", "PEM `file` with the TLS key")
	f.BoolVar(
		&h.acme, "acme", false,
		"get the TLS certificate for the name in --url from a certificate authority by ACME, and renew it; its terms\n"+
			"are accepted, and it must reach --listen at port 443",
	)
	f.StringVar(
		&h.authority.Directory, "acme-directory", "https://acme-v02.api.letsencrypt.org/directory",
		"address of the authority's ACME directory",
	)
	f.StringVar(&h.authority.Email, "acme-email", "", "address for the authority's warnings (default: none)")
	f.StringVar(
		&h.authority.CA, "acme-ca", "", "PEM `file` with certificates that the authority itself is verified with too",
	)
	f.Var(
		&h.privateTargets, "allow-private-targets",
		"private networks that the server may contact for an administrator, such as\n"+
			"--allow-private-targets=10.1.0.0/16,fd12::/16; without a list: all private networks "+
			"(default: only hosts on the internet)",
	)
	f.Lookup("allow-private-targets").NoOptDefVal = "true"
	f.BoolVar(
		&h.behindProxy, "behind-proxy", false,
		"allow listening beyond loopback without TLS, because a proxy in front terminates it; name the proxies "+
			"with --trusted-proxies",
	)
	f.DurationVar(
		&h.drain, "drain", drainTime,
		"how long requests are still taken after the program was told to end and is not ready any more; 0s\n"+
			"where only this machine can reach it",
	)
	h.drainGiven = func() bool { return f.Changed("drain") }
	f.StringVar(
		&h.healthTokenFile, "health-token-file", "",
		"`file` with a token; who sends it to /readyz as bearer token is told the reasons (default: only this machine)",
	)
	f.StringVar(
		&h.trustedProxies, "trusted-proxies", "",
		"proxies to trust for the client's address: the number of proxies in a row, such as 1, or their networks,\n"+
			"such as 10.0.0.0/8,fd00::/8 (default: none; with --behind-proxy: 1)",
	)
	f.StringVar(
		&h.proxyHeader, "forwarded-header", "X-Forwarded-For",
		"header with the client's address: X-Forwarded-For or Forwarded (RFC 7239); the other one is ignored",
	)
}

// open listens, and finds the public URL. Nothing listens beyond loopback without TLS or
// --behind-proxy.
func (h *half) open() (*inbound.Listener, error) {
	if (h.tlsCert == "") != (h.tlsKey == "") {
		return nil, terminal.UsageError{Err: errors.New("--tls-cert and --tls-key go together")}
	}
	host, _, err := net.SplitHostPort(h.listen)
	if err != nil {
		return nil, terminal.UsageError{Err: fmt.Errorf("--listen %q: use host:port", h.listen)}
	}
	if err := errors.Join(h.readProxies(), h.readHealthToken(), inbound.AwaitClock(h.log)); err != nil {
		return nil, err
	}
	if !outbound.IsLoopbackHost(host) && h.tlsCert == "" && !h.acme && !h.behindProxy && !h.published {
		return nil, terminal.UsageError{Err: fmt.Errorf(
			"--listen %s is reachable from other machines: give --tls-cert and --tls-key, --acme, or --behind-proxy",
			h.listen,
		),
		}
	}
	config, err := h.secure()
	if err != nil {
		return nil, err
	}
	l, err := inbound.Listen(context.Background(), h.listen, config, h.fromProxy())
	if err != nil {
		return nil, inbound.Listening(h.listen, err)
	}
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	if h.url == "" {
		if scheme == "http" && !outbound.IsLoopbackHost(host) && !h.published {
			return nil, errors.Join(
				terminal.UsageError{
					Err: errors.New("--url is missing: the https address at which browsers reach the proxy"),
				},
				l.Close(),
			)
		}
		h.url = scheme + "://" + l.Addr().String()
		// a name, which security keys need
		if _, port, err := net.SplitHostPort(l.Addr().String()); err == nil && (host == "localhost" || h.published) {
			h.url = scheme + "://localhost:" + port
		}
	}
	if err := h.checkURL(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if h.alone() && h.drainGiven != nil && !h.drainGiven() {
		h.drain = 0
	}
	return l, nil
}

// secure is the configuration of TLS; nil: there is none.
func (h *half) secure() (*tls.Config, error) {
	switch {
	case h.acme && h.tlsCert != "":
		return nil, terminal.UsageError{Err: errors.New("--acme gets what --tls-cert has: use one of them")}
	case h.acme:
		u, err := url.Parse(h.url)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" {
			return nil, terminal.UsageError{
				Err: errors.New("--acme wants --url with the https address that browsers use"),
			}
		}
		h.authority.Domains, h.authority.Folder = []string{u.Hostname()}, filepath.Join(h.data, "acme")
		return h.authority.Config()
	case h.tlsCert != "":
		return inbound.Certificate(h.tlsCert, h.tlsKey, h.log)
	}
	return nil, nil
}

// readHealthToken reads the token for the reasons at /readyz.
func (h *half) readHealthToken() (err error) {
	if h.healthTokenFile == "" {
		return nil
	}
	h.health.Token, err = readPasswordFile(h.healthTokenFile)
	if err == nil && len(h.health.Token) < 16 {
		err = terminal.UsageError{
			Err: fmt.Errorf("--health-token-file %s: use 16 characters or more", h.healthTokenFile),
		}
	}
	return err
}

// checkURL refuses a public URL that browsers would reach without TLS: cookies and SAML responses
// would travel in the clear.
func (h *half) checkURL() error {
	u, err := url.Parse(h.url)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") ||
		strings.Trim(u.Path, "/") != "" {
		return terminal.UsageError{Err: fmt.Errorf("--url %q: use https://host, without a path", h.url)}
	}
	if u.Scheme == "http" && !outbound.IsLoopbackHost(u.Hostname()) {
		return terminal.UsageError{Err: fmt.Errorf(
			"--url %s: browsers would send passwords and sessions without TLS: use https://%s, the address "+
				"of the proxy",
			h.url, u.Host,
		),
		}
	}
	h.url = u.Scheme + "://" + u.Host
	return nil
}

// readProxies reads which proxies are trusted. Behind a proxy of which nothing is said, it is one,
// as the version before had it; a warning says so, since without any all clients would have its
// address.
func (h *half) readProxies() (err error) {
	trusted := h.trustedProxies
	if trusted == "" {
		if trusted = "0"; h.behindProxy {
			trusted = "1"
			h.log.Warn(
				"--behind-proxy without --trusted-proxies: the server takes the last entry of "+h.proxyHeader+
					" for the client's address; set --trusted-proxies to 1 if that is right, to the networks of the "+
					"proxies, or to 0 for none",
				"setting", "trusted-proxies",
			)
		}
	}
	if h.proxies, err = web.ParseProxies(trusted, cmp.Or(h.proxyHeader, "X-Forwarded-For")); err != nil {
		return terminal.UsageError{
			Err: fmt.Errorf("--trusted-proxies %q, --forwarded-header %q: %w", h.trustedProxies, h.proxyHeader, err),
		}
	}
	return nil
}

// targets is which addresses this half asks on behalf of an administrator or a program: hosts on
// the internet, and the private networks that the settings allow. Only a half that nobody else can
// reach asks this machine itself.
func (h *half) targets() outbound.Policy {
	return observe.Targets(h.trace, outbound.Policy{Loopback: h.alone(), Networks: h.privateTargets.networks})
}

// alone says whether the half serves this machine only: it listens on loopback (or in a container
// that is published there), is called by a loopback name, and no proxy stands before it.
func (h *half) alone() bool {
	host, _, err := net.SplitHostPort(h.listen)
	u, wrong := url.Parse(h.url)
	return err == nil && wrong == nil && !h.behindProxy && (outbound.IsLoopbackHost(host) || h.published) &&
		outbound.IsLoopbackHost(u.Hostname())
}

// networkList is a flag with networks.
type networkList struct {
	text     string
	networks []netip.Prefix
}

// String implements pflag.Value.
func (l *networkList) String() string { return l.text }

// Set implements pflag.Value.
func (l *networkList) Set(text string) (err error) {
	l.text = text
	l.networks, err = outbound.Networks(text)
	return err
}

// Type implements pflag.Value.
func (*networkList) Type() string { return "networks" }

func (h *half) folder() datafolder.Folder {
	return datafolder.Folder{Path: h.data, Database: h.database}
}

// masterKey says where the master key is: in GATEHOUSE_MASTER_KEY, or in a file in the data folder.
func (h *half) masterKey(env func(string) (string, bool)) authn.MasterKey {
	text, _ := env("GATEHOUSE_MASTER_KEY")
	return h.folder().MasterKey(text)
}

// openOptions are those with which a half opens its database.
func (h *half) openOptions(ctx context.Context) []sqldb.Option {
	tell := sqldb.Tell(func(text string) { h.log.WarnContext(ctx, text) })
	return []sqldb.Option{tell, observe.Transactions(h.trace), sqldb.While(inbound.ClockSet)}
}

// makeFolder makes the data folder, and warns where others can read it.
func (h *half) makeFolder() error {
	if err := h.folder().Make(); err != nil {
		return err
	}
	if err := h.folder().KeepPrivate(); err != nil && h.log != nil { // a volume that is another one's, perhaps
		h.log.Warn(
			"other users may be able to read the data folder, and removing their rights failed", "folder", h.data,
			"error", err,
		)
	}
	return nil
}

// place makes the data folder, and refuses one from which the half's database has gone.
func (h *half) place(file, other string) (datafolder.Place, error) {
	if err := h.makeFolder(); err != nil {
		return datafolder.Place{}, err
	}
	return h.folder().Place(file, other)
}

// ownWait is how long a half's own work has at the end, after the last request. What it writes is
// done in steps that may be cut off anywhere, as by a kill.
const ownWait = 10 * time.Second //bound:wait a half's own work, at the end

// run serves a half and does its own work, which goes on until the last request has its answer. It
// returns when both have ended, or the work does not: a database that does not answer.
func (h *half) run(ctx context.Context, l *inbound.Listener, doors http.Handler, work func(context.Context)) error {
	during, stop := context.WithCancel(context.WithoutCancel(ctx))
	var own sync.WaitGroup
	defer func() {
		stop()
		if !inbound.EndsWithin(ownWait, own.Wait) {
			h.log.WarnContext(ctx, "What goes on in the background does not end. Does the database answer?")
		}
	}()
	for _, do := range append(h.background, work) {
		own.Go(func() { do(during) })
	}
	return l.Serve(ctx, inbound.Service{
		Handler: doors,
		Health:  &h.health,
		Proxied: h.fromProxy(),
		Drain:   h.drain,
		Log:     h.log,
	})
}

// fromProxy says whether connections may come from a proxy.
func (h *half) fromProxy() bool { return h.behindProxy || !h.proxies.None() }
