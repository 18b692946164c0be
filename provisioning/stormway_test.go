package provisioning_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

var errCut = errors.New("the connection is cut")

// RoundTrip is the way to the target.
func (s *storm) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	again := func() *http.Response {
		x := r.Clone(context.Background())
		x.Body = io.NopCloser(bytes.NewReader(body))
		res, _ := s.o.RoundTrip(x)
		return res
	}
	time.Sleep(time.Duration(5+s.dice(40)) * time.Millisecond)
	about := r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("filter") + " " + string(body)
	alive, done := s.lives()
	arrived := func() {
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{})
		}
	}
	if !alive {
		if done {
			arrived()
			again()
		}
		return nil, errCut
	}
	what := s.fault(r)
	if what != "" {
		s.note("    %s: %s", what, about)
	}
	if what == "unreached" {
		return nil, errCut
	}
	arrived()
	if what != "" {
		return s.goesWrong(what, r, again)
	}
	res := again()
	if r.Method != http.MethodGet {
		s.note("    %d: %s", res.StatusCode, about)
	}
	return res, nil
}

// goesWrong is what becomes of a request that has arrived.
func (s *storm) goesWrong(what string, r *http.Request, again func() *http.Response) (*http.Response, error) {
	status := func(n int, after string) (*http.Response, error) {
		h := http.Header{"Content-Type": {scim.ContentType}}
		if after != "" {
			h.Set("Retry-After", after)
		}
		return &http.Response{
			StatusCode: n, Header: h, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"schemas":["` + scim.ErrorURN + `"],"detail":"a fault"}`)),
		}, nil
	}
	switch what {
	case "answer lost":
		again()
		return nil, errCut
	case "dies":
		again()
		s.mu.Lock()
		s.dead = true
		s.mu.Unlock()
		return nil, errCut
	case "late":
		s.delay(again, time.Duration(s.dice(80))*time.Second)
		return nil, errCut
	case "half a minute late":
		s.delay(again, 30*time.Second)
		return nil, errCut
	case "hangs":
		if s.dice(2) == 0 {
			again()
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	case "500 done":
		again()
		return status(500, "")
	case "500":
		return status(500, "")
	case "503":
		return status(503, "2")
	case "429":
		return status(429, fmt.Sprint(s.dice(4)))
	case "429 for less than a minute":
		return status(429, fmt.Sprint(5+s.dice(50)))
	case "503 for less than a minute":
		return status(503, fmt.Sprint(5+s.dice(50)))
	case "400":
		return status(400, "")
	case "429 long":
		return status(429, fmt.Sprint(70+s.dice(200)))
	case "404 of a proxy":
		return &http.Response{StatusCode: 404, Header: http.Header{}, Request: r, Body: http.NoBody}, nil
	case "403":
		return status(403, "")
	case "proxy":
		return &http.Response{
			StatusCode: []int{404, 200, 502}[s.dice(3)], Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader("<html>maintenance</html>")),
		}, nil
	}
	return nil, errCut
}

func (s *storm) delay(again func() *http.Response, wait time.Duration) {
	s.mu.Lock()
	s.late, s.tarried = s.late+1, true
	s.mu.Unlock()
	go func() {
		time.Sleep(wait)
		res := again()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.late--
		s.say("    what was late is done: %d", res.StatusCode)
	}()
}

// fault is what happens to a request; "" for nothing.
func (s *storm) fault(r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for request, what := range s.once {
		method, path, _ := strings.Cut(request, " ")
		if r.Method == method && strings.HasPrefix(r.URL.Path+" "+r.URL.Query().Get("filter"), path) {
			delete(s.once, request)
			return what
		}
	}
	switch {
	case s.calm:
		return ""
	case s.away:
		return "unreached"
	case s.picky[r.Method+r.URL.Path] > 0:
		n := s.picky[r.Method+r.URL.Path] - 1
		s.picky[r.Method+r.URL.Path] = n
		return []string{"429", "429", "429 for less than a minute", "503 for less than a minute", "500", "400"}[n%6]
	}
	if s.r.IntN(100) >= s.hot {
		return ""
	}
	faults := []string{
		"unreached", "answer lost", "answer lost", "late", "500 done", "500", "503", "429", "429 long", "proxy",
		"429 for less than a minute",
		"picky", "hangs", "403",
	}
	if r.URL.Query().Has("filter") {
		faults = append(faults, "400", "400", "400")
	}
	what := faults[s.r.IntN(len(faults))]
	if what == "picky" {
		s.picky[r.Method+r.URL.Path] = 1 + s.r.IntN(20)
		return "429"
	}
	return what
}
