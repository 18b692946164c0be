package inbound

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// filesEach is how often the files of a certificate are looked at, when somebody connects.
const filesEach = time.Second //bound:none how often, not how much

// certificate is a TLS certificate in files, which are read again when they have changed.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu       sync.Mutex
	looked   time.Time
	known    [2]fs.FileInfo // of the files, when they were read
	current  *tls.Certificate
	lastFail string
}

// Certificate is the configuration of TLS with a certificate from two PEM files. When they change,
// new connections have the new one; if that cannot be read, because only one of the files has been
// replaced yet, the one before stays, and the log says so.
func Certificate(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{cert: certFile, key: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("load the TLS certificate: %w. %s", err, remedy(err))
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// remedy says what to do where a certificate cannot be loaded.
func remedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "Let the user that runs this program read it, and no others: chgrp it to that user's group, and " +
			"chmod it to 640. Its folder must let that user in too"
	case errors.Is(err, fs.ErrNotExist):
		return "Look at --tls-cert and --tls-key"
	}
	return "Name two PEM files: a certificate, with those of the authorities between, and the key that belongs to it"
}

// Listening says what to do where an address cannot be listened at.
func Listening(address string, err error) error {
	remedy := "is another program using the port? Choose another address"
	if errors.Is(err, fs.ErrPermission) {
		remedy = "only root has ports below 1024. Choose another port, or give this program the right by systemd's " +
			"AmbientCapabilities=CAP_NET_BIND_SERVICE, as the packaged units do"
	}
	return fmt.Errorf("listen on %s: %w; %s", address, err, remedy)
}

func (c *certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < filesEach {
		return c.current, nil
	}
	c.looked = time.Now()
	if now, err := c.files(); err == nil && same(now, c.known) && c.lastFail == "" {
		return c.current, nil
	}
	switch err := c.read(); {
	case err == nil:
		c.lastFail = ""
		c.log.InfoContext(hello.Context(), "the TLS certificate was read again", "file", c.cert)
	case err != nil && err.Error() != c.lastFail:
		c.lastFail = err.Error()
		c.log.ErrorContext(
			hello.Context(), "the TLS certificate has changed and cannot be read: the one before stays", "error", err,
		)
	}
	return c.current, nil
}

func (c *certificate) files() (found [2]fs.FileInfo, err error) {
	for i, file := range []string{c.cert, c.key} {
		if found[i], err = os.Stat(file); err != nil {
			return found, err
		}
	}
	return found, nil
}

// same says whether nothing has changed. The time of a change alone does not tell: a file that is
// put in the place of another may have the same.
func same(a, b [2]fs.FileInfo) bool {
	for i := range a {
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

// read reads the files. They are looked at first: a change in between is seen the next time.
func (c *certificate) read() error {
	found, err := c.files()
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.current, c.known = &cert, found
	return nil
}
