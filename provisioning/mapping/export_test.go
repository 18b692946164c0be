package mapping

import "context"

// The bounds of an evaluation, for tests.
const (
	MaxSteps = maxSteps
	MaxBytes = maxBytes
	MaxText  = maxText
)

// Spent evaluates an expression and says what that took.
func Spent(ctx context.Context, expression string, attributes Attributes) (v Value, steps, bytes int, err error) {
	v, e, err := evaluate(ctx, expression, attributes)
	return v, e.steps, e.bytes, err
}
