package scimserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/web"
)

// BenchmarkDoor runs the door without a network: profile it with -cpuprofile. `make bench` measures
// the whole program.
func BenchmarkDoor(b *testing.B) {
	e := newEndpoint(b)
	h := &scimserver.Handler{
		Center:    e.center,
		Log:       slog.New(slog.DiscardHandler),
		RequestID: web.RequestID,
		Address:   web.Address,
	}
	handler := web.Middleware(h.Before(http.NotFoundHandler()), web.Options{Log: slog.New(slog.DiscardHandler)})
	send := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(context.Background(), method, e.url+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+e.token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	user := func(n int64) string {
		return strings.ReplaceAll(
			strings.ReplaceAll(ada, "da@example.com", fmt.Sprintf("da%d@example.com", n)), "ext-1",
			fmt.Sprint("ext-", n),
		)
	}
	id := e.ada()
	var n atomic.Int64
	for n.Load() < 200 {
		send("POST", "Users", user(n.Add(1)))
	}
	for name, next := range map[string]func() *httptest.ResponseRecorder{
		"GetUser": func() *httptest.ResponseRecorder { return send("GET", "Users/"+id, "") },
		"FindUser": func() *httptest.ResponseRecorder {
			return send("GET", "Users?filter=userName%20eq%20%22ada@example.com%22", "")
		},
		"ListUsers": func() *httptest.ResponseRecorder { return send("GET", "Users?count=100", "") },
		"PostUser":  func() *httptest.ResponseRecorder { return send("POST", "Users", user(n.Add(1))) },
		"PatchUser": func() *httptest.ResponseRecorder {
			return send("PATCH", "Users/"+id, patch(`{"op":"Replace","path":"active","value":"False"}`))
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if w := next(); w.Code/100 != 2 {
						b.Errorf("%d: %s", w.Code, w.Body)
						return
					}
				}
			})
		})
	}
}

// BenchmarkUser reads and writes one user.
func BenchmarkUser(b *testing.B) {
	body := []byte(ada)
	u, ok := scimserver.ReadPlainUser(body)
	if !ok {
		b.Fatal("the usual user is not a plain one")
	}
	b.Run("Read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := scimserver.ReadPlainUser(body); !ok {
				b.Fatal("not plain")
			}
		}
	})
	b.Run("Write", func(b *testing.B) {
		b.ReportAllocs()
		var out []byte
		for b.Loop() {
			out = scimserver.WriteUser(out[:0], center.ProfileAWS, &u)
		}
	})
}
