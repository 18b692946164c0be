package tracing

import (
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

// ownKey marks a context whose parent this half has kept itself: it is no stranger's.
type ownKey struct{}

// How many traces begin in a second, at most. The half of them is for those that somebody outside
// says have begun before: whoever sends such takes nothing from the others.
const (
	tracesPerSecond = 100 //bound:rate traces that begin here, and as many that began elsewhere
	tracesBurst     = 200 //bound:rate traces that begin at once, and as many that began elsewhere

	// Whoever sends a traceparent chooses its id, and may choose one that is recorded at any
	// setting. So the setting bounds also how many of theirs are, down to what the sign-ins of a
	// small house need.
	fewestCarried = 10 //bound:rate traces a second that began elsewhere, where few are recorded
)

// sampler decides which traces are recorded: so many of all, by their ids, so that all who have the
// same setting decide alike. That somebody outside wants a trace recorded is no reason to, but that
// they do not is one not to.
type sampler struct {
	part           sdk.Sampler
	begun, carried *rate.Limiter
}

func newSampler(ratio float64) sampler {
	carried := max(ratio, float64(fewestCarried)/tracesPerSecond)
	return sampler{
		sdk.TraceIDRatioBased(ratio), rate.NewLimiter(tracesPerSecond, tracesBurst),
		rate.NewLimiter(rate.Limit(carried*tracesPerSecond), int(carried*tracesBurst)),
	}
}

// Description implements sdk.Sampler.
func (s sampler) Description() string { return "Gatehouse(" + s.part.Description() + ")" }

// ShouldSample implements sdk.Sampler.
func (s sampler) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	above := trace.SpanContextFromContext(p.ParentContext)
	verdict := sdk.SamplingResult{Decision: sdk.Drop, Tracestate: above.TraceState()}
	_, own := p.ParentContext.Value(ownKey{}).(bool)
	switch {
	case above.IsValid() && (!above.IsRemote() || own):
		if above.IsSampled() {
			verdict.Decision = sdk.RecordAndSample
		}
	case above.IsValid() && !above.IsSampled():
	case s.part.ShouldSample(p).Decision != sdk.RecordAndSample:
	default:
		limiter := s.begun
		if above.IsValid() {
			limiter = s.carried
		}
		if limiter.AllowN(time.Now(), 1) {
			verdict.Decision = sdk.RecordAndSample
		}
	}
	return verdict
}
