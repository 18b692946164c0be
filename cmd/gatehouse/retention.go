package main

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// retentionDays is how long events are kept, in days; 0 means forever.
type retentionDays struct{ events, refusals uint }

func (d *retentionDays) flags(f *pflag.FlagSet) {
	const day = 24 * time.Hour
	f.UintVar(&d.events, "keep-events", uint(audit.DefaultRetention.Events/day), // #nosec G115 -- a positive constant
		"days to keep audit events; 0: forever")
	f.UintVar(
		&d.refusals,
		"keep-refusals",
		uint(audit.DefaultRetention.Refusals/day), // #nosec G115 -- a positive constant
		"days to keep refusals of requests without a sign-in, at most --keep-events; 0: as long as other events",
	)
}

// maxDays keeps a time in a time.Duration.
const maxDays = 100_000 //bound:life the days of --keep-events and --keep-refusals

func (d retentionDays) retention() (audit.Retention, error) {
	if d.events > maxDays || d.refusals > maxDays {
		return audit.Retention{}, terminal.UsageError{
			Err: errors.New("--keep-events and --keep-refusals: use days, 0 to 100000"),
		}
	}
	const day = 24 * time.Hour
	return audit.Retention{Events: time.Duration(d.events) * day, Refusals: time.Duration(d.refusals) * day}, nil
}
