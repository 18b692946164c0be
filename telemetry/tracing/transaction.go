package tracing

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Transaction is a transaction of a database that is followed.
type Transaction struct {
	tracer     trace.Tracer
	ctx        context.Context //nolint:containedctx // of the span that the statements belong to
	span       trace.Span
	statements atomic.Int64
}

// Transaction follows a transaction, where what asks for it is followed; else it returns nil.
func (t *Tracing) Transaction(ctx context.Context, kind string) *Transaction {
	if !trace.SpanFromContext(ctx).IsRecording() || !spend(ctx) {
		return nil
	}
	tracer := t.under(ctx)
	under, span := tracer.Start(
		context.WithoutCancel(ctx), "transaction "+kind, trace.WithSpanKind(trace.SpanKindInternal),
	)
	return &Transaction{tracer: tracer, ctx: under, span: span}
}

// Statement tells of a statement that was run. Its text has no values: they are arguments.
func (t *Transaction) Statement(query string, began time.Time, err error) {
	if t.statements.Add(1) > maxStatements || !spend(t.ctx) {
		return
	}
	name := summary(query)
	_, span := t.tracer.Start(
		t.ctx, name, trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("db.query.text", strings.Join(strings.Fields(query), " ")),
			attribute.String("db.query.summary", name),
		),
	)
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// End tells that it has ended.
func (t *Transaction) End(err error) {
	t.span.SetAttributes(attribute.Int64("gatehouse.statements", t.statements.Load()))
	if err != nil {
		t.span.SetStatus(codes.Error, "")
	}
	t.span.End()
}

// summary is what a statement does, and to which table. Source: OpenTelemetry, "Semantic
// conventions for database client spans", on db.query.summary.
func summary(query string) string {
	words := strings.Fields(query)
	for i, word := range words {
		switch strings.ToUpper(word) {
		case "FROM", "INTO", "UPDATE":
			if i+1 < len(words) {
				return words[0] + " " + strings.Trim(words[i+1], "(),;")
			}
		}
	}
	if len(words) == 0 {
		return "statement"
	}
	return words[0]
}
