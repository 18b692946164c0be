// Package inbound serves HTTP. It bounds the open connections, in all and for each address, so that
// nobody keeps others out by holding them; it bounds how long a client may take and how large
// headers are; and it lets running requests finish at the end.
//
// It may import audit.
package inbound

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of a server.
const (
	headerTimeout   = 10 * time.Second //bound:wait the headers of a request
	readTimeout     = 30 * time.Second //bound:wait the body of a request
	writeTimeout    = 60 * time.Second //bound:wait the client to take an answer
	idleTimeout     = 2 * time.Minute  //bound:wait the next request on a connection
	shutdownTimeout = 5 * time.Second  //bound:wait requests under way, when the program ends
	maxHeaderBytes  = 64 << 10         //bound:body the headers of a request
)

// Listener is where a server listens.
type Listener struct {
	net.Listener
	connections *connections // what is open
}

// Listen listens on a TCP address, with TLS if config is not nil. fromProxy says that all
// connections come from a proxy, so that they are bounded in all only.
func Listen(ctx context.Context, address string, config *tls.Config, fromProxy bool) (*Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	ofAddress := maxOfAddress
	if fromProxy {
		ofAddress = 0
	}
	open := newConnections(l, maxConnections, ofAddress)
	if config == nil {
		return &Listener{open, open}, nil
	}
	return &Listener{tls.NewListener(open, config), open}, nil
}

// Serve serves until ctx is done, then lets requests under way finish.
func (l *Listener) Serve(ctx context.Context, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           received(handler),
		ConnState:         l.connections.changed,
		ConnContext:       l.connections.context,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l.Listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		_ = server.Close() // what is left after the time is cut off
	}
	return nil
}
