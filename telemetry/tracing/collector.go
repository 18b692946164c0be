package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// collector posts spans to a collector by OTLP over HTTP. The library's own client would bring gRPC
// along; see docs/decisions/0021-traces-by-otlp.md.
type collector struct {
	settings Settings
	client   *http.Client
	log      *slog.Logger

	mu   sync.Mutex
	told time.Time // when the log was last told that the collector is away
}

const (
	maxCollected = 64 << 10    //bound:body the answer of a collector of traces
	tellEach     = time.Minute //bound:none how often the log is told
	connections  = 2           //bound:queue connections to a collector of traces
)

func newCollector(s Settings, log *slog.Logger) (*collector, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.ca != "" {
		text, err := os.ReadFile(s.ca) // #nosec G304 -- the operator's
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		if config.RootCAs = x509.NewCertPool(); !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s has no certificates", s.ca)
		}
	}
	if s.cert != "" || s.key != "" {
		own, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return &collector{settings: s, log: log, client: &http.Client{
		Timeout: s.timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: s.timeout, MaxResponseHeaderBytes: maxCollected,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Start implements otlptrace.Client.
func (*collector) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *collector) Stop(context.Context) error {
	c.client.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. What a collector does not take is lost: traces are kept
// nowhere. The error is told here, at most once a minute, and goes no further.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	err := c.post(ctx, spans)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && time.Since(c.told) >= tellEach {
		c.told = time.Now()
		c.log.WarnContext(ctx, "traces are lost: the collector does not take them", "error", err)
	}
	return nil
}

// requestSpans is the number of the field resource_spans of ExportTraceServiceRequest. Source:
// opentelemetry/proto/collector/trace/v1/trace_service.proto.
const requestSpans = 1

func (c *collector) post(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	var body []byte
	for _, s := range spans {
		text, err := proto.Marshal(s)
		if err != nil {
			return err
		}
		body = protowire.AppendBytes(protowire.AppendTag(body, requestSpans, protowire.BytesType), text)
	}
	if c.settings.gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write(body)
		if err = errors.Join(err, w.Close()); err != nil {
			return err
		}
		body = packed.Bytes()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.settings.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "gatehouse")
	if c.settings.gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	for _, h := range c.settings.headers {
		r.Header.Set(h[0], h[1])
	}
	answer, err := c.client.Do(r)
	var failed *url.Error
	if errors.As(err, &failed) { // without the address, which may have a secret in its query
		err = failed.Err
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()                                             //nolint:errcheck // it was only read
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxCollected)) // it is no use to us
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return nil
}
