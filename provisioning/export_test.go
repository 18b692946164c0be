package provisioning

import (
	"context"
	"time"
)

// Look has an engine look more often who is to lose access while a cycle runs.
func (e *Engine) Look(each time.Duration) { e.look = each }

// Hurry makes an engine not wait between two tries, so that tests can have thousands of failures.
func (e *Engine) Hurry() { e.sleep = func(context.Context, time.Duration) error { return nil } }
