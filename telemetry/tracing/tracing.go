// Package tracing follows requests and provisioning through a half and tells a collector of
// OpenTelemetry: traces by OTLP over HTTP. It is off unless an endpoint is set, and then nothing of
// it is in the way of a request.
//
// No secret and nothing personal becomes an attribute: no address of a request, no body, no
// argument of a statement. What strangers send decides nothing: their traceparent is continued, but
// whether a trace is recorded is decided here.
//
// Sources: OpenTelemetry Specification, "OpenTelemetry Environment Variable Specification", "OTLP
// Specification 1.9.0", section OTLP/HTTP; W3C Trace Context, level 1.
//
// It imports nothing of ours.
package tracing

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracing is what one half tells. Nil tells nothing, and all its methods may be called.
type Tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	// strangers has the traces that somebody outside says have begun before, with a queue of their
	// own: a flood of them pushes out none of the others.
	strangers *sdk.TracerProvider
}

// Service is who tells.
type Service struct{ Name, Version string }

const (
	maxSpans      = 500             //bound:list spans of one request or one change that a trace has
	maxStatements = 50              //bound:list statements of one transaction that a trace has
	maxAttribute  = 300             //bound:text a value of an attribute of a trace
	maxCarried    = 512             //bound:queue spans of traces that began elsewhere, before they are sent
	farewell      = 3 * time.Second //bound:wait a collector of traces, when the program ends
)

// Open begins to tell a collector. Settings that say that it is off return nil.
func Open(ctx context.Context, s Settings, of Service, log *slog.Logger) (*Tracing, error) {
	if s.Endpoint == "" {
		return nil, nil //nolint:nilnil // nil is a Tracing that is off
	}
	client, err := newCollector(s, log)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, err
	}
	name := attribute.String("service.name", of.Name)
	if s.Name != "" {
		name = attribute.String("service.name", s.Name)
	}
	r, err := resource.New(ctx, resource.WithAttributes(append(
		[]attribute.KeyValue{attribute.String("service.version", of.Version)}, append(s.resource, name)...)...,
	))
	if err != nil {
		return nil, err
	}
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxAttribute
	all := []sdk.TracerProviderOption{
		sdk.WithSampler(newSampler(s.ratio)), sdk.WithResource(r), sdk.WithRawSpanLimits(limits),
	}
	own := sdk.NewTracerProvider(append(all, sdk.WithBatcher(exporter))...)
	carried := sdk.WithBatcher(exporter, sdk.WithMaxQueueSize(maxCarried), sdk.WithMaxExportBatchSize(maxCarried/2))
	return &Tracing{own, own.Tracer(tracerName), sdk.NewTracerProvider(append(all, carried)...)}, nil
}

const tracerName = "github.com/gatehouse-id/gatehouse"

// under is the tracer of the span that a context is in: what belongs to a trace waits where the
// rest of it does.
func (t *Tracing) under(ctx context.Context) trace.Tracer {
	if at := trace.SpanFromContext(ctx); at.IsRecording() {
		return at.TracerProvider().Tracer(tracerName)
	}
	return t.tracer
}

// Close hands over what is still to be told, for as long as a moment: a collector that does not
// answer keeps nobody from ending.
func (t *Tracing) Close() {
	if t == nil {
		return
	}
	ctx, end := context.WithTimeout(context.Background(), farewell)
	defer end()
	var both sync.WaitGroup
	for _, p := range []*sdk.TracerProvider{t.provider, t.strangers} {
		both.Go(func() { _ = p.Shutdown(ctx) }) // the collector's trouble was logged
	}
	both.Wait()
}

// budget is how much of a request, or of a change, is told yet.
type budget struct{ spans atomic.Int64 }

type budgetKey struct{}

// spend says whether one more span is told.
func spend(ctx context.Context) bool {
	b, ok := ctx.Value(budgetKey{}).(*budget)
	return !ok || b.spans.Add(1) <= maxSpans
}

// parent puts who has asked into a context.
func parent(ctx context.Context, traceparent string) context.Context {
	if len(traceparent) > maxTraceparent {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// maxTraceparent is what a traceparent has. Source: W3C Trace Context, section 3.2; version 00 has
// 55 characters, and later ones begin so.
const maxTraceparent = 128 //bound:text a traceparent that somebody sends

// Request begins to follow a request that somebody outside has sent, with what they say is before
// it. end is called with what was asked for and the answer's status.
func (t *Tracing) Request(
	ctx context.Context, method, traceparent, id string,
) (_ context.Context, end func(door, operation string, status int)) {
	if traceparent != "" {
		ctx = parent(ctx, traceparent)
	}
	method = known(method)
	tracer := t.tracer
	if trace.SpanContextFromContext(ctx).IsRemote() {
		tracer = t.strangers.Tracer(tracerName)
	}
	ctx, span := tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer))
	if !span.IsRecording() {
		return ctx, func(string, string, int) { span.End() }
	}
	return context.WithValue(ctx, budgetKey{}, &budget{}), func(door, operation string, status int) {
		span.SetName(door + " " + operation)
		span.SetAttributes(
			attribute.String("http.request.method", method), attribute.String("http.route", operation),
			attribute.String("gatehouse.door", door), attribute.String("gatehouse.request_id", id),
			attribute.Int("http.response.status_code", status),
		)
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// known is a method, or _OTHER: strangers may send any text. Source: OpenTelemetry, "Semantic
// conventions for HTTP spans", on http.request.method.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "_OTHER"
}

// Work follows what a half does by itself. With the traceparent of what has caused it, which the
// half itself has kept, it belongs to that trace, and is linked to what it is done in.
func (t *Tracing) Work(
	ctx context.Context, name, traceparent string, about ...string,
) (context.Context, func(error)) {
	if t == nil {
		return ctx, func(error) {}
	}
	options := []trace.SpanStartOption{}
	if at := trace.SpanContextFromContext(ctx); traceparent != "" {
		if at.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: at}))
		}
		ctx = context.WithValue(trace.ContextWithSpanContext(ctx, trace.SpanContext{}), ownKey{}, true)
		ctx = parent(ctx, traceparent)
	} else if at.IsValid() && !spend(ctx) {
		return ctx, func(error) {}
	}
	ctx, span := t.under(ctx).Start(ctx, name, options...)
	if !span.IsRecording() {
		return ctx, func(error) { span.End() }
	}
	for i := 0; i+1 < len(about); i += 2 {
		span.SetAttributes(attribute.String(about[i], about[i+1]))
	}
	return context.WithValue(ctx, budgetKey{}, &budget{}), func(err error) {
		if err != nil { // its words may name people
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Traceparent is what a half keeps, or sends, of the span that a context is in: empty where none is
// recorded.
func Traceparent(ctx context.Context) string {
	at := trace.SpanContextFromContext(ctx)
	if !at.IsValid() || !at.IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Sending follows the requests that a half sends, and says in their headers what they belong to.
func (t *Tracing) Sending(next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return sending{t, next}
}

type sending struct {
	tracing *Tracing
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s sending) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanFromContext(r.Context()).IsRecording() || !spend(r.Context()) {
		return s.next.RoundTrip(r)
	}
	ctx, span := s.tracing.under(r.Context()).Start(r.Context(), r.Method, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()),
		))
	defer span.End()
	r = r.Clone(ctx)
	r.Header.Set("Traceparent", Traceparent(ctx))
	answer, err := s.next.RoundTrip(r)
	if err != nil {
		span.SetStatus(codes.Error, "no answer")
		return answer, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", answer.StatusCode))
	if answer.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, strconv.Itoa(answer.StatusCode))
	}
	return answer, nil
}
