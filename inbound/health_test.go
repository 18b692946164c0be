package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// answer is what a request for the program's health gets.
func answer(h *Health, proxied bool, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = "192.0.2.7:1234"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.Before(http.NotFoundHandler(), proxied).ServeHTTP(w, r)
	return w
}

// TestWhoIsToldWhyAProgramIsNotReady: this machine and who has the token; everybody else learns
// only that it is not.
func TestWhoIsToldWhyAProgramIsNotReady(t *testing.T) {
	t.Parallel()
	const token, reason = "a token of some length", "disk /dev/sda1 is full"
	h := &Health{Token: token, Look: func(context.Context) map[string]error {
		return map[string]error{"database": errors.New(reason), "master key": nil}
	}}
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	here := func(r *http.Request) { r.RemoteAddr = "127.0.0.1:1234" }
	for what, c := range map[string]struct {
		proxied, told bool
		change        func(*http.Request)
	}{
		"a stranger":                    {false, false, nil},
		"a stranger with another token": {false, false, with("Authorization", "Bearer x")},
		"a stranger with no token":      {false, false, with("Authorization", "Bearer ")},
		"the token":                     {true, true, with("Authorization", "Bearer "+token)},
		"the token in small letters":    {true, true, with("Authorization", "bearer "+token)},
		"this machine":                  {false, true, here},
		"a proxy on this machine":       {true, false, here},
		"a proxy that nobody told of": {false, false, func(r *http.Request) {
			here(r)
			r.Header.Set("X-Forwarded-For", "x")
		}},
	} {
		w := answer(h, c.proxied, ReadyPath, c.change)
		body := w.Body.String()
		if w.Code != http.StatusServiceUnavailable || strings.Contains(body, reason) != c.told ||
			w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", what, w.Code, body)
		}
		var out struct {
			Ready  bool
			Checks []struct {
				Name   string
				OK     bool
				Reason string
			}
		}
		if c.told && (json.Unmarshal(w.Body.Bytes(), &out) != nil || out.Ready || len(out.Checks) != 2 ||
			out.Checks[0].Reason != reason || !out.Checks[1].OK) {
			t.Errorf("%s: %s", what, body)
		}
	}
	if w := answer(h, false, AlivePath, nil); w.Code != http.StatusOK {
		t.Errorf("a program that is not ready lives: %d", w.Code)
	}
	if w := answer(h, false, ReadyPath, func(r *http.Request) {
		r.Method = "POST"
	}); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	if w := answer(h, false, "/other", nil); w.Code != http.StatusNotFound {
		t.Errorf("another path: %d", w.Code)
	}
	if w := answer(&Health{}, false, ReadyPath, nil); w.Code != http.StatusOK {
		t.Errorf("with nothing to look at: %d", w.Code)
	}
}

// TestLookingIsRare asks thousands of times at once: it is looked at once, and again a second
// later.
func TestLookingIsRare(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	began, finish := make(chan struct{}, 2), make(chan struct{})
	h := &Health{Look: func(context.Context) map[string]error {
		looks.Add(1)
		began <- struct{}{}
		<-finish
		return nil
	}}
	var all sync.WaitGroup
	ask := func() {
		if w := answer(h, false, ReadyPath, nil); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	for range 2000 {
		all.Go(ask)
	}
	<-began
	close(finish)
	all.Wait()
	for range 2000 {
		ask()
	}
	if n := looks.Load(); n != 1 {
		t.Errorf("%d looks", n)
	}
	h.at = time.Now().Add(-lookEach)
	ask()
	if n := looks.Load(); n != 2 {
		t.Errorf("%d looks a second later", n)
	}
}

// TestALookThatDoesNotEnd is no reason to keep anybody waiting, nor to look again.
func TestALookThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	hang := make(chan struct{})
	defer close(hang)
	h := &Health{Look: func(context.Context) map[string]error {
		looks.Add(1)
		<-hang
		return nil
	}}
	began := time.Now()
	for i := range 3 {
		if w := answer(h, false, ReadyPath, nil); w.Code != http.StatusServiceUnavailable {
			t.Errorf("answer %d: %d", i, w.Code)
		}
	}
	if d := time.Since(began); d > 2*patience || looks.Load() != 1 {
		t.Errorf("%v, %d looks", d, looks.Load())
	}
	h.End()
	w := answer(h, false, ReadyPath, func(r *http.Request) { r.RemoteAddr = "[::1]:1" })
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "about to end") {
		t.Errorf("at the end: %d %s", w.Code, w.Body)
	}
}
