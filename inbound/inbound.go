// Package inbound serves HTTP. It bounds the open connections, in all and for each address, so that
// nobody keeps others out by holding them; it bounds how long a client may take and how large
// headers are; it says whether the program is ready, and lets running requests finish at the end.
//
// It may import audit and authn.
package inbound

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Limits of a server.
const (
	headerTimeout   = 10 * time.Second //bound:wait the headers of a request
	readTimeout     = 30 * time.Second //bound:wait the body of a request
	writeTimeout    = 60 * time.Second //bound:wait the client to take an answer
	idleTimeout     = 2 * time.Minute  //bound:wait the next request on a connection
	shutdownTimeout = 30 * time.Second //bound:wait requests under way, when the program ends
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

// Service is what is served, and how it ends.
type Service struct {
	Handler http.Handler
	Health  *Health // nil: it is not said
	Proxied bool    // whether connections come from a proxy
	// Drain is how long new requests are still taken after the program is to end and says so, until
	// balancers have noticed.
	Drain time.Duration
	Log   *slog.Logger
}

// Serve serves until ctx is done. Then the program is not ready any more, but takes requests until
// the drain time is over; then nobody is let in, and requests under way finish, also those whose
// bodies are slow.
func (l *Listener) Serve(ctx context.Context, s Service) error {
	handler := s.Handler
	if s.Health != nil {
		handler = s.Health.Before(handler, s.Proxied)
		clock := &Clock{}
		s.Health.clock.Store(clock)
		watching, stop := context.WithCancel(ctx)
		defer stop()
		go clock.Watch(watching, s.Log)
	}
	var ending atomic.Bool
	server := &http.Server{
		Handler:           received(leaving(&ending, handler)),
		ConnState:         l.connections.changed,
		ConnContext:       l.connections.context,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l.Listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending.Store(true)
	if s.Health != nil {
		s.Health.End()
	}
	if s.Drain > 0 {
		s.Log.InfoContext(ctx, "the end has begun: not ready, and requests are still taken", "drain", s.Drain.String())
		select {
		case err := <-failed:
			return err
		case <-time.After(s.Drain):
		}
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		s.Log.WarnContext(ctx, "requests took too long, and were cut off", "waited", shutdownTimeout.String())
		_ = server.Close()
	}
	return nil
}

// leaving ends connections with their next answer once the end has begun, so that few are open when
// the drain time is over: a client that sends a request just then would get no answer.
func leaving(ending *atomic.Bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ending.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// EndsWithin says whether something ends in time. Otherwise it goes on, until the program ends.
func EndsWithin(wait time.Duration, something func()) bool {
	ended := make(chan struct{})
	go func() { something(); close(ended) }()
	select {
	case <-ended:
		return true
	case <-time.After(wait):
		return false
	}
}
