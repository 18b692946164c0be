package main

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/audit"
)

// retentionDays is how long events are kept, in days; 0 is for ever.
type retentionDays struct{ events, refusals uint }

func (d *retentionDays) flags(f *pflag.FlagSet) {
	const day = 24 * time.Hour
	f.UintVar(&d.events, "keep-events", uint(audit.DefaultRetention.Events/day), // #nosec G115 -- a positive constant
		"days that audit events are kept; 0: for ever")
	f.UintVar(
		&d.refusals,
		"keep-refusals",
		uint(audit.DefaultRetention.Refusals/day), // #nosec G115 -- a positive constant
		"days that refusals of requests that nobody has signed in for are kept, no longer than --keep-events; 0: "+
			"as long as the others",
	)
}

// maxDays keeps a time in a time.Duration.
const maxDays = 100_000 //bound:life what --keep-events and --keep-refusals take, in days

func (d retentionDays) retention() (audit.Retention, error) {
	if d.events > maxDays || d.refusals > maxDays {
		return audit.Retention{}, usageError{errors.New("--keep-events and --keep-refusals are days: 0 to 100000")}
	}
	const day = 24 * time.Hour
	return audit.Retention{Events: time.Duration(d.events) * day, Refusals: time.Duration(d.refusals) * day}, nil
}
