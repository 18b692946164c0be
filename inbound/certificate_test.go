package inbound_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestACertificateIsReadAgain replaces the files one after the other, as programs that renew
// certificates do.
func TestACertificateIsReadAgain(t *testing.T) {
	folder := t.TempDir()
	cert, key, pool := webtest.Certificate(t, folder, "first.example")
	next, nextKey, nextPool := webtest.Certificate(t, t.TempDir(), "second.example")
	var log centertest.Output
	config, err := inbound.Certificate(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := inbound.Listen(t.Context(), "127.0.0.1:0", config, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if c, ok := c.(*tls.Conn); ok {
					_ = c.HandshakeContext(context.Background())
				}
				_ = c.Close()
			}()
		}
	}()
	greets := func(name string, pool *x509.CertPool) bool {
		d := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: name}}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}
	const wait = 20 * time.Millisecond
	soon := func(name string, pool *x509.CertPool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !greets(name, pool); time.Sleep(wait) {
			if time.Now().After(end) {
				t.Fatalf("%s is not greeted", name)
			}
		}
	}
	soon("first.example", pool)
	move := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to+".new", text, 0o600)
		}
		before, unseen := os.Stat(to)
		if err = errors.Join(err, unseen); err == nil {
			err = os.Chtimes(to+".new", before.ModTime(), before.ModTime()) // as whoever unpacks both may
		}
		if err = errors.Join(err, os.Rename(to+".new", to)); err != nil {
			t.Fatal(err)
		}
	}
	move(next, cert) // the key of before does not fit
	for end := time.Now().Add(time.Minute); !strings.Contains(log.String(), "the one before stays"); time.Sleep(wait) {
		if !greets("first.example", pool) {
			t.Fatal("half of the files are new, and nobody is greeted")
		}
		if time.Now().After(end) {
			t.Fatal("the log does not say so")
		}
	}
	move(nextKey, key)
	soon("second.example", nextPool)
	if _, err := inbound.Certificate(filepath.Join(folder, "none"), key, nil); err == nil {
		t.Error("a certificate that is not there is taken")
	}
}
