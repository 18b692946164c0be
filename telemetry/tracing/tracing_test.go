package tracing

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func opened(t *testing.T, endpoint string) *Tracing {
	t.Helper()
	s, err := Read(Given{To: endpoint, Part: -1, Names: true}, environment())
	if err != nil {
		t.Fatal(err)
	}
	traces, err := Open(t.Context(), s, Service{"test", "1"}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(traces.Close)
	return traces
}

// TestSettingsAreOpenTelemetrysOwn: which variables turn it on and off, and what is refused.
func TestSettingsAreOpenTelemetrysOwn(t *testing.T) {
	const endpoint, headers = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"
	for _, x := range []struct {
		env       []string
		flag      string
		want, err string
	}{
		{},
		{env: []string{endpoint, "http://c:4318"}, want: "http://c:4318/v1/traces"},
		{env: []string{endpoint, "https://c/otlp/"}, want: "https://c/otlp/v1/traces"},
		{
			env:  []string{endpoint, "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/x"},
			want: "https://t/x",
		},
		{env: []string{endpoint, "http://c:4318"}, flag: "https://flag", want: "https://flag/v1/traces"},
		{env: []string{endpoint, "http://c:4318", "OTEL_SDK_DISABLED", "true"}},
		{env: []string{endpoint, "http://c:4318", "OTEL_TRACES_EXPORTER", "none"}},
		{env: []string{endpoint, "http://c:4318", "OTEL_TRACES_EXPORTER", "zipkin"}, err: "use otlp"},
		{env: []string{endpoint, "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, err: "http/protobuf"},
		{env: []string{endpoint, "http://c:4318", "OTEL_TRACES_SAMPLER", "jaeger_remote"}, err: "OTEL_TRACES_SAMPLER"},
		{
			env: []string{endpoint, "http://c", "OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "2"},
			err: "from 0 to 1",
		},
		{env: []string{endpoint, "http://c", headers, "api-key=secret"}, err: "without TLS"},
		{
			env:  []string{endpoint, "https://c", headers, "api-key=secret%20x"},
			want: "https://c/v1/traces",
		},
		{env: []string{endpoint, "https://c", headers, "a=b%0d%0aHost: evil"}, err: "none can have"},
		{env: []string{endpoint, "https://c", headers, strings.Repeat("a=b,", 17)}, err: "at most"},
		{env: []string{endpoint, "https://c", "OTEL_EXPORTER_OTLP_TIMEOUT", "9999999"}, err: "60000"},
		{env: []string{endpoint, "file:///etc/passwd"}, err: "use http"},
		{env: []string{endpoint, "https://user:secret@c"}, err: "use http"},
		{flag: "c:4318", err: "use http"},
	} {
		s, err := Read(Given{To: x.flag, Part: -1, Names: true}, environment(x.env...))
		if x.err == "" && (err != nil || s.Endpoint != x.want) {
			t.Errorf("%v: %q, %v", x.env, s.Endpoint, err)
		}
		if x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)) {
			t.Errorf("%v: %v, want %q", x.env, err, x.err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: the error tells the secret: %v", x.env, err)
		}
	}
}

// TestStrangersDecideNothing: whoever sends a traceparent does not have a trace recorded that would
// not be otherwise, may not fill the queue, and may send whatever they like.
func TestStrangersDecideNothing(t *testing.T) {
	never, err := Open(t.Context(), Settings{Endpoint: "http://127.0.0.1:1", ratio: 0}, Service{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(never.Close)
	const wants = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx, end := never.Request(t.Context(), "GET", wants, "id")
	if trace.SpanFromContext(ctx).IsRecording() || Traceparent(ctx) != "" {
		t.Error("a stranger has a trace recorded")
	}
	end("door", "operation", 200)
	all := opened(t, "http://127.0.0.1:1")
	recorded := 0
	for range 5 * tracesBurst {
		ctx, end := all.Request(t.Context(), "GET", wants, "id")
		if trace.SpanFromContext(ctx).IsRecording() {
			recorded++
		}
		end("door", "operation", 200)
	}
	if recorded < tracesBurst || recorded > 2*tracesBurst {
		t.Errorf("%d traces of strangers are recorded at once", recorded)
	}
	ctx, _ = all.Request(t.Context(), "GET", "", "id")
	if !trace.SpanFromContext(ctx).IsRecording() {
		t.Error("strangers keep the traces of others from being recorded")
	}
	for _, sent := range []string{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", strings.Repeat("0", 1<<20), "00-zz-zz-01", "00",
		"00-00000000000000000000000000000000-0000000000000000-01", "\x00\r\nX: y", "ff-" + wants[3:],
	} {
		ctx, end := all.Request(t.Context(), "GET", sent, "id")
		if at := Traceparent(ctx); strings.Contains(at, "0af7651916cd43dd8448eb211c80319c") {
			t.Errorf("%.60q is recorded as %s", sent, at)
		}
		end("door", "operation", 200)
	}
}

// TestChosenIdsAreBoundedByTheSetting: where one trace of a hundred is recorded, strangers choose
// ids that always are.
func TestChosenIdsAreBoundedByTheSetting(t *testing.T) {
	few, err := Open(t.Context(), Settings{Endpoint: "http://127.0.0.1:1", ratio: 0.01}, Service{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(few.Close)
	recorded := 0
	for range tracesBurst {
		ctx, end := few.Request(t.Context(), "GET", "00-0af7651916cd43dd0000000000000001-b7ad6b7169203331-01", "id")
		if trace.SpanFromContext(ctx).IsRecording() {
			recorded++
		}
		end("door", "operation", 200)
	}
	if recorded == 0 || recorded > tracesBurst/2 {
		t.Errorf("%d of %d are recorded", recorded, tracesBurst)
	}
}

// TestACollectorCannotHarm: one that hangs keeps no request waiting and no memory, one that answers
// without an end is not read to it, and one that redirects is not followed.
func TestACollectorCannotHarm(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	var asked, elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	release := make(chan struct{})
	for name, answer := range map[string]http.HandlerFunc{
		"hangs": func(http.ResponseWriter, *http.Request) { <-release },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for part := make([]byte, 1<<20); ; {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			answer(w, r)
		}))
		traces := opened(t, s.URL)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		for range 20_000 {
			ctx, end := traces.Request(context.Background(), "GET", "", "id")
			at := traces.Transaction(ctx, "view")
			if at != nil {
				at.Statement("SELECT doc FROM users WHERE id = $1", time.Now(), nil)
				at.End(nil)
			}
			end("door", "operation", 200)
		}
		took := time.Since(began)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); took > 10*time.Second || grown > 32<<20 {
			t.Errorf("%s: 20,000 requests took %v, and keep %d KiB", name, took, grown>>10)
		}
		began = time.Now()
		if traces.Close(); time.Since(began) > 2*farewell {
			t.Errorf("%s: the end took %v", name, time.Since(began))
		}
		if name == "hangs" {
			close(release)
		}
		s.Close()
	}
	if asked.Load() == 0 || elsewhere.Load() != 0 {
		t.Errorf("%d requests came, %d went elsewhere", asked.Load(), elsewhere.Load())
	}
}

// TestAFloodOfStrangersPushesOutNobody: while a collector is slow, strangers' requests have more
// spans than both queues hold; what others did in the meantime comes all the same, when it answers.
func TestAFloodOfStrangersPushesOutNobody(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	var mu sync.Mutex
	var came bytes.Buffer
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-release
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(&came, r.Body)
	}))
	t.Cleanup(s.Close)
	traces := opened(t, s.URL)
	request := func(traceparent, door string) {
		ctx, end := traces.Request(context.Background(), "GET", traceparent, "id")
		for range maxSpans / 2 {
			if at := traces.Transaction(ctx, door); at != nil {
				at.End(nil)
			}
		}
		end(door, "operation", http.StatusOK)
	}
	for range tracesBurst / 2 {
		request("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "stranger")
	}
	for range 3 {
		request("", "resident")
	}
	close(release)
	traces.Close()
	mu.Lock()
	defer mu.Unlock()
	if n := bytes.Count(came.Bytes(), []byte("transaction resident")); n != 3*maxSpans/2 {
		t.Errorf("%d spans of the others came, want %d", n, 3*maxSpans/2)
	}
	if !bytes.Contains(came.Bytes(), []byte("transaction stranger")) {
		t.Error("no span of the strangers came")
	}
}

// TestARequestHasSoManySpans: what one request does again and again is told so often.
func TestARequestHasSoManySpans(t *testing.T) {
	traces := opened(t, "http://127.0.0.1:1")
	ctx, end := traces.Request(t.Context(), "GET", "", "id")
	told := 0
	for range 3 * maxSpans {
		if at := traces.Transaction(ctx, "view"); at != nil {
			told++
			at.End(nil)
		}
	}
	end("door", "operation", 200)
	if told != maxSpans {
		t.Errorf("%d transactions of one request are told, want %d", told, maxSpans)
	}
}

// TestOffCostsNothing: without a collector nothing is put around anything.
func TestOffCostsNothing(t *testing.T) {
	var off *Tracing
	log := quiet()
	if off.Sending(http.DefaultTransport) != http.DefaultTransport || off.Log(log) != log {
		t.Error("something is in the way although nobody collects traces")
	}
	off.Close()
}

func TestAStatementIsSummedUp(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT doc FROM users WHERE id = $1":     "SELECT users",
		"INSERT INTO marks (seq) VALUES ($1)":     "INSERT marks",
		"UPDATE jobs SET doc = $1":                "UPDATE jobs",
		"DELETE FROM sessions WHERE expires < $1": "DELETE sessions",
		"SELECT 1": "SELECT",
		"":         "statement",
	} {
		if got := summary(query); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
}
