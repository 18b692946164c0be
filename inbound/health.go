package inbound

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
)

// Where a program says how it is.
const (
	AlivePath = "/healthz"
	ReadyPath = "/readyz"
)

// Bounds of looking.
const (
	lookEach = time.Second     //bound:rate what a program looks at to say whether it is ready
	patience = 2 * time.Second //bound:wait what a program looks at to say whether it is ready
	// a connection to a database that has gone without a word is given up
	lookTimeout = 10 * time.Second //bound:wait one look at what makes a program ready
)

// Health says at AlivePath whether a program lives, and at ReadyPath whether it should be sent
// requests: with 200 or 503, to everybody and without a session, also while the database is down.
// Looking costs the database one short transaction a second, however many ask.
type Health struct {
	// Look says what keeps the program from serving, by what was looked at; nil is good. It may
	// take longer than the answer, and is never called again before it returns. Without it a
	// program that lives is ready.
	Look func(context.Context) map[string]error
	// Token is what a program shows as bearer token to be told the reasons; empty: none does.
	Token string

	ending atomic.Bool
	clock  atomic.Pointer[Clock] // of this machine; nil: the program does not serve yet

	mu      sync.Mutex
	found   map[string]error
	at      time.Time     // when it was found
	looking chan struct{} // closed when a look ends; nil: nobody looks
	since   time.Time     // when the look began
}

var (
	errEnding = errors.New("the program is about to end: it still answers, and wants no new requests")
	errSlow   = errors.New("there was no answer within two seconds")
)

// End has the program no longer be ready, from now on.
func (h *Health) End() { h.ending.Store(true) }

// Before answers what is asked of the program's health, and leaves everything else to next. This
// machine is told the reasons, unless connections come from a proxy: an address on loopback then
// says nothing about who asks.
func (h *Health) Before(next http.Handler, proxied bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != AlivePath && r.URL.Path != ReadyPath {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "use GET", http.StatusMethodNotAllowed)
		case r.URL.Path == AlivePath:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write([]byte("alive\n")) // the client has gone away
		default:
			h.ready(w, r, h.knows(r) || !proxied && local(r))
		}
	})
}

func (h *Health) ready(w http.ResponseWriter, r *http.Request, told bool) {
	found := h.check(r.Context())
	status, text := http.StatusOK, "ready\n"
	for _, err := range found {
		if !fine(err) {
			status, text = http.StatusServiceUnavailable, "not ready\n"
			w.Header().Set("Retry-After", "1")
			break
		}
	}
	if !told {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text)) // the client has gone away
		return
	}
	type check struct {
		Name   string `json:"name"`
		OK     bool   `json:"ok"`
		Reason string `json:"reason,omitempty"`
	}
	checks := []check{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		c := check{Name: name, OK: fine(found[name])}
		if found[name] != nil {
			c.Reason = found[name].Error()
		}
		checks = append(checks, c)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "checks": checks})
}

// fine says that nothing is wrong, or nothing that keeps a program from serving.
func fine(err error) bool {
	var note Note
	return err == nil || errors.As(err, &note)
}

// knows says whether somebody shows the token.
func (h *Health) knows(r *http.Request) bool {
	sent, ok := authn.BearerToken(r.Header.Get("Authorization"))
	a, b := sha256.Sum256([]byte(sent)), sha256.Sum256([]byte(h.Token))
	return ok && h.Token != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// local says whether a request comes from this machine, and from no proxy on it.
func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if _, forwarded := r.Header[name]; forwarded {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// check returns what was found within the last second, or looks. Only one looks at a time, and who
// comes meanwhile waits for what it finds.
func (h *Health) check(ctx context.Context) map[string]error {
	if h.ending.Load() { // nothing else matters any more
		return map[string]error{"ending": errEnding}
	}
	if h.Look == nil {
		return nil
	}
	h.mu.Lock()
	if h.looking == nil && time.Since(h.at) < lookEach {
		defer h.mu.Unlock()
		return h.found
	}
	if h.looking == nil {
		h.looking, h.since = make(chan struct{}), time.Now()
		go h.look(context.WithoutCancel(ctx), h.looking)
	}
	looking, left := h.looking, patience-time.Since(h.since)
	h.mu.Unlock()
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-looking:
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.found
	case <-timer.C:
	case <-ctx.Done():
	}
	return map[string]error{"answer": errSlow}
}

func (h *Health) look(ctx context.Context, done chan struct{}) {
	bounded, cancel := context.WithTimeout(ctx, lookTimeout)
	found := h.lookAt(bounded, h.clock.Load())
	cancel()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found, h.at = found, time.Now()
	h.looking = nil
	close(done)
}

// lookAt is what Look finds, with the clock. While that is not set, nothing else is looked at.
func (h *Health) lookAt(ctx context.Context, clock *Clock) map[string]error {
	if clock == nil {
		return h.Look(ctx)
	}
	err := clock.Check()
	found := map[string]error{}
	if fine(err) {
		maps.Copy(found, h.Look(ctx))
	}
	found["clock"] = err
	return found
}
