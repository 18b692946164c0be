package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Where strangers come from: some from one address, some from many.
const (
	oneAddress = "127.0.0.2"
	manyNet    = "127.0.2."
	many       = 200
)

// gang is all strangers.
type gang struct {
	h        *house
	s        settings
	one      *http.Client
	many     []*http.Client
	requests atomic.Int64
	big      string // a megabyte

	mu      sync.Mutex
	answers map[string]map[int]int // how many of each status, by kind; 0: none
}

// kind is what some strangers do, again and again. Their requests are n, n+1, …
type kind struct {
	name string
	do   func(ctx context.Context, s *stranger, n int)
}

// stranger is one who comes from an address.
type stranger struct {
	g      *gang
	kind   string
	client *http.Client
	source string
}

func newGang(h *house, s settings) *gang {
	g := &gang{h: h, s: s, answers: map[string]map[int]int{}, big: strings.Repeat("x", 1<<20)}
	client := func(address string) *http.Client {
		return &http.Client{
			Timeout:       20 * time.Second,
			Transport:     transportFrom(address, true),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	g.one = client(oneAddress)
	for i := range many {
		g.many = append(g.many, client(fmt.Sprint(manyNet, i+1)))
	}
	return g
}

// run lets all strangers in until ctx ends.
func (g *gang) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, k := range slices.Concat(g.centerStrangers(), g.tenantStrangers(), g.slowStrangers()) {
		if !strings.Contains(k.name, g.s.only) {
			continue
		}
		for w := range g.s.workers {
			all.Go(func() {
				for n := w; ctx.Err() == nil; n += g.s.workers {
					s := &stranger{g, k.name, g.one, oneAddress}
					if w%2 == 1 {
						i := rand.IntN(many)
						s.client, s.source = g.many[i], fmt.Sprint(manyNet, i+1)
					}
					k.do(ctx, s, n)
				}
			})
		}
	}
	all.Wait()
}

// send sends a request, counts the answer, and returns its body, as far as a stranger cares.
func (s *stranger) send(ctx context.Context, method, address, contentType, body string, headers ...string) string {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		s.count(0)
		return ""
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return s.answered(s.client.Do(req))
}

func (s *stranger) answered(res *http.Response, err error) string {
	if err != nil {
		s.count(0)
		return ""
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	s.count(res.StatusCode)
	return string(text)
}

func (s *stranger) count(status int) {
	s.g.requests.Add(1)
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if s.g.answers[s.kind] == nil {
		s.g.answers[s.kind] = map[int]int{}
	}
	s.g.answers[s.kind][status]++
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

func (s *stranger) form(ctx context.Context, address string, fields url.Values) string {
	return s.send(ctx, http.MethodPost, address, formType, fields.Encode())
}

func (g *gang) report() {
	fmt.Println("What the strangers were answered:")
	for _, name := range slices.Sorted(maps.Keys(g.answers)) {
		var parts []string
		for _, status := range slices.Sorted(maps.Keys(g.answers[name])) {
			what := fmt.Sprint(status)
			if status == 0 {
				what = "nothing"
			}
			parts = append(parts, fmt.Sprintf("%s × %d", what, g.answers[name][status]))
		}
		fmt.Printf("  %-40s %s\n", name, strings.Join(parts, ", "))
	}
}
