package audit

import (
	"context"
	"errors"
	"time"
)

// Retention is how long events are kept; 0 is forever. Refusals of strangers are kept no longer
// than everything else.
type Retention struct {
	Events   time.Duration
	Refusals time.Duration // of strangers
}

// DefaultRetention keeps a year and a month, and what strangers were refused for a month.
var DefaultRetention = Retention{Events: 400 * 24 * time.Hour, Refusals: 30 * 24 * time.Hour}

// How many events one transaction removes: at first, at the most, and how long it should take.
// Others wait for it, and an event of an earlier release can have megabytes.
const (
	firstBatch = 50                    //bound:none grows up to maxBatch
	maxBatch   = 1000                  //bound:rows events that one transaction removes
	batchTime  = 50 * time.Millisecond //bound:none what the size of the next batch is chosen for
)

// Until are the times from before which events, and refusals of strangers, are not kept; zero where
// all are.
func (r Retention) Until(now time.Time) (events, strangers time.Time) {
	until := func(kept time.Duration) time.Time {
		if kept <= 0 {
			return time.Time{}
		}
		return now.Add(-kept)
	}
	return until(r.Events), until(r.Refusals)
}

// Sweep removes the events that are older than they are kept. remove removes up to limit of those
// from before a time, of strangers' refusals only or of all, the oldest first, in one transaction,
// and says how many there were.
func (r Retention) Sweep(
	ctx context.Context, now time.Time, remove func(before time.Time, strangers bool, limit int) (int, error),
) error {
	for _, kind := range []struct {
		kept      time.Duration
		strangers bool
	}{{r.Refusals, true}, {r.Events, false}} {
		if kind.kept <= 0 {
			continue
		}
		for limit, more := firstBatch, true; more; {
			began := time.Now()
			n, err := remove(now.Add(-kind.kept), kind.strangers, limit)
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			more, limit = n == limit, next(limit, time.Since(began))
		}
	}
	return nil
}

// next is the size of the batch after one that took so long.
func next(limit int, took time.Duration) int {
	switch {
	case took > batchTime:
		return max(1, limit/2)
	case took < batchTime/4:
		return min(maxBatch, limit*2)
	}
	return limit
}
