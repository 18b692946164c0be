package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	centerserver "github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantserver "github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// Two sites under TLS: cookies that work between two ports of one localhost do not work across
// these.
const (
	centerHost = "center.gatehouse.test"
	tenantHost = "login.northwind.test"
)

// sites is a center and a tenant on different sites, not connected yet.
type sites struct {
	center *center.Center
	tenant *tenant.Tenant
	hosts  string // Chromium's --host-resolver-rules
	log    *buffer
}

// startSites serves both halves by the same functions as the subcommands, with a certificate made
// for the test.
func startSites(t *testing.T) sites {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile, pool := webtest.Certificate(t, dir, centerHost, tenantHost)
	ctx, cancel := context.WithCancel(context.Background())
	logged := &buffer{}
	log := slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var ended []chan struct{}
	start := func(host string) (*half, *inbound.Listener) {
		h := &half{
			listen:  webtest.FreeAddress(t),
			data:    filepath.Join(dir, host),
			tlsCert: certFile,
			tlsKey:  keyFile,
			log:     log,
		}
		_, port, _ := net.SplitHostPort(h.listen)
		h.url = "https://" + host + ":" + port
		l, err := h.open()
		if err != nil {
			t.Fatal(err)
		}
		return h, l
	}
	serve := func(h *half, l *inbound.Listener, doors http.Handler, work func(context.Context)) {
		done := make(chan struct{})
		ended = append(ended, done)
		go func() {
			defer close(done)
			if err := h.run(ctx, l, doors, work); err != nil {
				t.Error(err)
			}
		}()
	}
	ch, cl := start(centerHost)
	th, tl := start(tenantHost)
	c, err := openCenter(ctx, ch, noEnv, center.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tn, err := openTenant(ctx, th, noEnv, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for _, done := range ended {
			<-done
		}
		_ = c.Close()
		_ = tn.Close()
	})
	dialer := &net.Dialer{}
	client := &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			// the two names are this machine
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				return dialer.DialContext(ctx, network, "127.0.0.1:"+port)
			}},
	}
	jobs := syncjobs.New(tn, log, client)
	serve(ch, cl, centerserver.Handler(c, centerserver.Config{Targets: outbound.Policy{Loopback: true}}), c.Run)
	serve(th, tl, tenantserver.Handler(tn, tenantserver.Config{Jobs: jobs}), tn.Run)
	return sites{c, tn, "MAP " + centerHost + " 127.0.0.1,MAP " + tenantHost + " 127.0.0.1", logged}
}
