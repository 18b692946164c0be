package inbound

import (
	"fmt"
	"log/slog"
	"time"
)

// anyClock is before any time at which this program can run: a clock that is behind it has not been
// set since the machine was switched on.
var anyClock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	clockPatience = time.Minute //bound:wait the machine's clock to be set, at the start
	clockEach     = time.Second //bound:none how often it is looked at
)

// AwaitClock waits until the machine's clock is set, and fails where it is not: nobody serves then.
// Tokens that have expired would be good again, and what happens would be old enough to be removed
// when the clock is right.
func AwaitClock(log *slog.Logger) error { return awaitClock(log, time.Now, time.Sleep) }

func awaitClock(log *slog.Logger, now func() time.Time, wait func(time.Duration)) error {
	for waited := time.Duration(0); now().Before(anyClock); waited += clockEach {
		if waited >= clockPatience {
			return fmt.Errorf("the clock of this machine says %s: set it, or let it be set, and start again",
				now().UTC().Format(time.DateTime))
		}
		if waited == 0 {
			log.Warn("the clock of this machine is not set: waiting for it", "clock", now().UTC())
		}
		wait(clockEach)
	}
	return nil
}
