package audit

import (
	"sync/atomic"
	"time"
)

// How far a clock may be ahead of the newest event at a start, and for how long it is doubted then.
const (
	doubtAhead = 24 * time.Hour //bound:none of the newest event, when nobody wonders about it
	doubtFor   = 24 * time.Hour //bound:life a doubt about the clock after a start
)

// Doubt is about a clock that a machine has started with, which may be ahead by months until
// somebody puts it right: what is kept for so long would all be removed at once, and for good. The
// zero value doubts nothing.
type Doubt struct{ from atomic.Pointer[start] }

type start struct{ newest, at time.Time }

// Begin is called at a start, with what the clock says and the time of the newest event that is
// there. It says whether the clock is doubted.
func (d *Doubt) Begin(now, newest time.Time) bool {
	if now.Sub(newest) > doubtAhead {
		d.from.Store(&start{newest, time.Now()})
	}
	return d.Of(now)
}

// Of says whether a time may be wrong: the clock was doubted at the start, less than a day ago, and
// is still so far ahead. The day is measured, not read from the clock.
func (d *Doubt) Of(now time.Time) bool {
	s := d.from.Load()
	return s != nil && now.Sub(s.newest) > doubtAhead && time.Since(s.at) < doubtFor
}
