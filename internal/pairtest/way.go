package pairtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Way is the way from a tenant to a center: a proxy that a test can break.
type Way struct {
	URL string // of the SCIM endpoint by this way

	t       testing.TB
	address string
	proxy   http.Handler
	asked   atomic.Int64
	mu      sync.Mutex
	how     Break
	server  *httptest.Server
	dead    time.Time // connections that were made before it are, for good
}

// Asked is how many requests have come so far. Those that no connection was made for do not count.
func (w *Way) Asked() int { return int(w.asked.Load()) }

// Break is how a way is broken.
type Break string

// The ways of a way to be broken. Cut carries a request out and loses its answer. Swallow loses
// what is sent, and the connections that were there never carry anything again.
const (
	Whole       Break = ""
	Refuse      Break = "refuse connections"
	Cut         Break = "cut answers"
	CutWrites   Break = "cut answers to what changes something"
	Half        Break = "answer half"
	Unavailable Break = "answer 503"
	ReadOnly    Break = "answer 503 to what changes something"
	Failing     Break = "answer 500"
	Throttled   Break = "answer 429"
	Unrouted    Break = "answer as a proxy without a backend"
	Maintained  Break = "answer a page"
	AnHour      Break = "answer 503, for an hour"
	Swallow     Break = "swallow requests"
)

// Breaks are all of them.
var Breaks = []Break{
	Refuse, Cut, CutWrites, Half, Unavailable, ReadOnly, Failing, Throttled, Unrouted, Maintained, AnHour,
	Swallow,
}

// NewWay makes a way to a SCIM endpoint, which is whole and ends with the test.
func NewWay(t testing.TB, endpoint string) *Way {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	to := &url.URL{Scheme: u.Scheme, Host: u.Host}
	w := &Way{t: t, proxy: &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	w.listen("127.0.0.1:0")
	w.address = w.server.Listener.Addr().String()
	w.URL = "http://" + w.address + u.Path
	t.Cleanup(func() { w.Break(Refuse) })
	return w
}

func (w *Way) listen(address string) {
	l, err := net.Listen("tcp", address) //nolint:noctx // a test's
	if err != nil {
		w.t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	_ = s.Listener.Close()
	s.Listener = l
	s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connected{}, time.Now())
	}
	s.Start()
	w.server = s
}

// Break breaks the way, or makes it whole. Connections end, unless they are to seem alive.
func (w *Way) Break(how Break) {
	w.t.Helper()
	if ended := w.turn(how); ended != nil {
		ended.Close() // which waits for requests that have just come
	}
}

// turn lets the way be broken so, and returns the server if nobody is to be let in any more.
func (w *Way) turn(how Break) (ended *httptest.Server) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.how == Swallow {
		w.dead = time.Now()
	}
	silently := how == Swallow || (w.how == Swallow && how == Whole)
	w.how = how
	if w.server != nil && !silently {
		w.server.CloseClientConnections()
	}
	switch {
	case how == Refuse:
		ended, w.server = w.server, nil
	case w.server == nil:
		w.listen(w.address)
	}
	return ended
}

// connected is in the context of a request: when its connection was made.
type connected struct{}

func (w *Way) serve(out http.ResponseWriter, r *http.Request) {
	w.asked.Add(1)
	w.mu.Lock()
	how := w.how
	if made, _ := r.Context().Value(connected{}).(time.Time); made.Before(w.dead) {
		how = Swallow
	}
	w.mu.Unlock()
	answer := func(status int) {
		_, _ = io.Copy(io.Discard, r.Body)
		out.WriteHeader(status)
	}
	if r.Method == http.MethodGet && (how == CutWrites || how == ReadOnly) {
		how = Whole
	}
	switch how {
	case Whole, Refuse:
		w.proxy.ServeHTTP(out, r)
	case Cut, CutWrites:
		w.proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case Half:
		w.proxy.ServeHTTP(httptest.NewRecorder(), r)
		out.Header().Set("Content-Length", "1000")
		_, _ = io.Copy(out, strings.NewReader(`{"schemas":`))
		panic(http.ErrAbortHandler)
	case Swallow:
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // until who has asked gives up
	case Unavailable, ReadOnly:
		answer(http.StatusServiceUnavailable)
	case AnHour:
		out.Header().Set("Retry-After", "3600")
		answer(http.StatusServiceUnavailable)
	case Failing:
		answer(http.StatusInternalServerError)
	case Throttled:
		answer(http.StatusTooManyRequests)
	case Unrouted:
		answer(http.StatusNotFound)
		_, _ = io.WriteString(out, "404 page not found\n")
	case Maintained:
		answer(http.StatusOK)
		_, _ = io.WriteString(out, "<!doctype html><title>Maintenance</title>")
	}
}
