package inbound

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// anyClock is before any time at which this program can run: a clock that is behind it has not been
// set since the machine was switched on, or was set wrong.
var anyClock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	clockPatience = time.Minute //bound:wait the machine's clock to be set, at the start
	clockEach     = time.Second //bound:none how often it is looked at
	clockStep     = time.Minute //bound:none by how much a clock jumps before somebody is told
	clockTold     = time.Hour   //bound:life what /readyz says of a jump of the clock
)

// AwaitClock waits until the machine's clock is set, and fails where it is not: nobody serves then.
// Tokens that have expired would be good again, and what happens would be old enough to be removed
// when the clock is right.
func AwaitClock(log *slog.Logger) error { return awaitClock(log, time.Now, time.Sleep) }

func awaitClock(log *slog.Logger, now func() time.Time, wait func(time.Duration)) error {
	for waited := time.Duration(0); isUnset(now()) != nil; waited += clockEach {
		if waited >= clockPatience {
			return fmt.Errorf("%w: set it, or let it be set, and start again", isUnset(now()))
		}
		if waited == 0 {
			log.Warn("the clock of this machine is not set: waiting for it", "clock", now().UTC())
		}
		wait(clockEach)
	}
	return nil
}

func isUnset(now time.Time) error {
	if !now.Before(anyClock) {
		return nil
	}
	return fmt.Errorf("the clock of this machine says %s", now.UTC().Format(time.DateTime))
}

// ClockSet fails while the machine's clock is not set, which may come while the program runs:
// whoever reads or writes data asks it before.
func ClockSet() error { return isUnset(time.Now()) }

// Clock watches the machine's clock while a program runs, by what is measured beside it. The zero
// value is ready.
type Clock struct {
	mu     sync.Mutex
	wall   time.Time // what it said at the last look; zero: there was none
	ran    time.Duration
	jumped Note // the last jump; empty: there was none
	at     time.Duration
}

// Note is an error that keeps nobody from serving: ReadyPath says it, and is ready.
type Note string

func (n Note) Error() string { return string(n) }

// Watch looks at the clock each second until ctx ends, and says in the log when it jumps, when it
// falls to a time before any, and when it is back from there.
func (c *Clock) Watch(ctx context.Context, log *slog.Logger) {
	began := time.Now()
	tick := time.NewTicker(clockEach)
	defer tick.Stop()
	for {
		now := time.Now()
		c.look(ctx, log, now.Round(0), now.Sub(began))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look compares what the clock says with what has passed since the last look.
func (c *Clock) look(ctx context.Context, log *slog.Logger, wall time.Time, ran time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	step := wall.Sub(c.wall) - (ran - c.ran)
	first, before := c.wall.IsZero(), c.wall
	c.wall, c.ran = wall, ran
	if first || step.Abs() < clockStep {
		return
	}
	way := "ahead, or the machine was asleep"
	if step < 0 {
		way = "back"
	}
	c.jumped = Note(fmt.Sprintf("the clock of this machine went %s, by %s, at %s",
		way, step.Abs().Round(time.Second), before.UTC().Format(time.DateTime)))
	c.at = ran
	log.WarnContext(ctx, string(c.jumped), "clock", wall.UTC())
	if unset := isUnset(wall); unset != nil && isUnset(before) == nil {
		log.ErrorContext(ctx, "the clock of this machine is not set any more: nothing is served before it is",
			"clock", wall.UTC())
	}
}

// Check says what is wrong with the clock: it is not set, or, as a Note, it has jumped within an
// hour.
func (c *Clock) Check() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wall.IsZero() { // nobody has looked yet
		return ClockSet()
	}
	if err := isUnset(c.wall); err != nil {
		return err
	}
	if c.jumped == "" || c.ran-c.at > clockTold {
		return nil
	}
	return c.jumped
}
