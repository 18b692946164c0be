package provisioning

import (
	"context"
	"time"
)

// Hurry makes an engine not wait between two tries, so that tests can have thousands of failures.
func (e *Engine) Hurry() { e.sleep = func(context.Context, time.Duration) error { return nil } }
