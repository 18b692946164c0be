package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// slowStrangers hold connections open, and send what no server wants.
func (g *gang) slowStrangers() []kind {
	return []kind{
		{"slow headers", func(ctx context.Context, s *stranger, n int) {
			s.drip(ctx, n, "GET /start HTTP/1.1\r\nHost: x\r\nX-Slow: ", "")
		}},
		{"slow bodies", func(ctx context.Context, s *stranger, n int) {
			s.drip(
				ctx,
				n,
				"POST /platform/login HTTP/1.1\r\nHost: x\r\nContent-Type: "+formType+
					"\r\nContent-Length: 30000\r\n\r\n",
				"username=",
			)
			s.drip(
				ctx,
				n,
				"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: "+formType+"\r\nTransfer-Encoding: chunked\r\n\r\n",
				"1\r\nx\r\n",
			)
		}},
		{"slow large bodies", func(ctx context.Context, s *stranger, n int) {
			s.drip(
				ctx,
				n,
				"POST "+g.h.sp.AcsURLs[0][len(g.h.center.url()):]+" HTTP/1.1\r\nHost: x\r\nContent-Type: "+formType+
					"\r\nContent-Length: 500000\r\n\r\n",
				"SAMLResponse="+g.big[:200<<10],
			)
		}},
		{"idle connections", func(ctx context.Context, s *stranger, n int) { s.drip(ctx, n, "", "") }},
		{"long headers", func(ctx context.Context, s *stranger, n int) {
			name := []string{"X-Forwarded-For", "Authorization", "Cookie", "X-Amz-Target", "Client-Request-Id"}[n/2%5]
			s.send(
				ctx,
				http.MethodGet,
				g.h.halves[n%len(g.h.halves)].url()+"/start",
				"",
				"",
				name,
				g.big[:[]int{50 << 10, 1 << 20}[n/2%2]],
			)
		}},
	}
}

// held is how many connections a stranger holds at once, of each kind.
const held = 150

// drip opens connections, says the beginning on each, and then a byte now and then, until the
// server has had enough.
func (s *stranger) drip(ctx context.Context, n int, begin, body string) {
	address := s.g.h.halves[n%len(s.g.h.halves)].address
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range held {
		source := s.source
		if source != oneAddress {
			source = fmt.Sprint(manyNet, 1+rand.IntN(many))
		}
		dialer := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
		c, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			s.count(0)
			continue
		}
		open = append(open, c)
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(c, begin+body); err != nil {
			s.count(0)
		}
	}
	for began := time.Now(); time.Since(began) < 30*time.Second && ctx.Err() == nil; {
		alive := 0
		for _, c := range open {
			if begin == "" {
				alive++
			} else if _, err := c.Write([]byte("x")); err == nil {
				alive++
			}
		}
		if alive == 0 {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second): // slowly
		}
	}
	for _, c := range open {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			s.count(0)
			continue
		}
		s.count(res.StatusCode)
		_ = res.Body.Close()
	}
}
