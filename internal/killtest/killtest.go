// Package killtest kills both halves again and again while people and groups change at the tenant,
// and says what was lost, what the center did not follow, and how long a leaver could stay.
//
// The test of the program runs a few kills, bench/soak hundreds.
//
// It may import adminapi, connect, graph and scim.
package killtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what is killed, and how often.
type Config struct {
	Program string // the program's file
	Folder  string // for data and logs
	Kills   int    // of one half, or of both at once
	Seed    uint64 // of everything that is left to chance but the time that things take
	Log     func(format string, args ...any)

	// Database is a postgres:// URL for the tenant; empty: an SQLite file in the folder.
	Database string
}

// Figures are what came of it.
type Figures struct {
	Kills        int
	Acknowledged int           // changes that the tenant has answered with success
	Lost         int           // of these, that were not there afterwards
	Apart        int           // how often the two sides still differed after Quiet
	Worst        time.Duration // between a leaver's disabling, with both halves up, and the center's refusal
	Settled      time.Duration // the longest time until the two sides were equal, once quiet
}

func (f Figures) String() string {
	return fmt.Sprintf(
		"kills %d, acknowledged %d, lost %d, not converged %d (the slowest in %.1f s), worst time to refusal of a "+
			"leaver %.2f s",
		f.Kills, f.Acknowledged, f.Lost, f.Apart, f.Settled.Seconds(), f.Worst.Seconds(),
	)
}

// What must hold.
const (
	Quiet   = 10 * time.Second // once nothing changes any more, both sides are equal within it
	Refused = 5 * time.Second  // a leaver is refused within it, once both halves are up
)

// Missed says what does not hold; nil: everything does.
func (f Figures) Missed() error {
	var missed []error
	if f.Lost > 0 {
		missed = append(missed, fmt.Errorf("%d acknowledged changes were lost", f.Lost))
	}
	if f.Apart > 0 {
		missed = append(missed, fmt.Errorf("%d times the two sides did not become equal in %s", f.Apart, Quiet))
	}
	if f.Worst > Refused {
		missed = append(missed, fmt.Errorf("a leaver was refused only after %s", f.Worst.Round(time.Millisecond)))
	}
	return errors.Join(missed...)
}

// Run starts both halves, kills them, and returns the figures. The error is of the test itself:
// that a half does not start, for instance.
func Run(ctx context.Context, c Config) (Figures, error) {
	w := &world{Config: c, chance: rand.New(rand.NewPCG(c.Seed, 0))} // #nosec G404 -- to be repeated
	defer w.end()
	if err := w.begin(ctx); err != nil {
		return w.figures, fmt.Errorf("begin: %w", err)
	}
	c.Log("both halves run; seed %d", c.Seed)
	for w.figures.Kills < c.Kills {
		if err := w.round(ctx); err != nil {
			return w.figures, fmt.Errorf("after %d kills: %w", w.figures.Kills, err)
		}
	}
	return w.figures, nil
}

// world is both halves with those who change things at the tenant.
type world struct {
	Config

	center, tenant *half
	directory      directory
	chance         *rand.Rand
	workers        []*worker
	leavers        []string // ids of people who leave, one in each round, and come back
	kills          atomic.Int64
	figures        Figures
}

// between is a time from one to another, at random.
func between(chance *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(chance.Int64N(int64(to-from)))
}

// round changes people, kills, starts again, changes people some more, and compares when all is
// quiet.
func (w *world) round(ctx context.Context) error {
	changing, stop := context.WithCancel(ctx)
	defer stop()
	var working sync.WaitGroup
	for _, x := range w.workers {
		working.Go(func() { x.work(changing, w.directory, &w.kills) })
	}
	l := &leaver{id: w.leavers[w.figures.Kills%len(w.leavers)], after: between(w.chance, 0, 1500*time.Millisecond)}
	up := make(chan time.Time, 1)
	left := make(chan error, 1)
	go func() { left <- l.leave(ctx, w.directory, up) }()
	if err := w.kill(ctx); err != nil {
		return err
	}
	up <- time.Now()
	pause(ctx, between(w.chance, 0, 400*time.Millisecond))
	stop()
	working.Wait()
	if err := <-left; err != nil {
		return err
	}
	w.figures.Worst = max(w.figures.Worst, l.took)
	if l.took > Refused {
		w.Log("kill %d: a leaver was refused only after %s", w.figures.Kills, l.took.Round(time.Millisecond))
	}
	if err := w.compare(ctx); err != nil {
		return err
	}
	return l.comeBack(ctx, w.directory)
}

// kill kills one half or both in the middle of the work, and starts what it has killed.
func (w *world) kill(ctx context.Context) error {
	var killed []*half
	switch n := w.chance.IntN(10); {
	case n < 4:
		killed = []*half{w.tenant}
	case n < 7:
		killed = []*half{w.center}
	default:
		killed = []*half{w.center, w.tenant}
	}
	pause(ctx, between(w.chance, 50*time.Millisecond, 500*time.Millisecond))
	for _, h := range killed {
		h.kill()
	}
	w.figures.Kills++
	w.kills.Add(1)
	down := between(w.chance, 0, 400*time.Millisecond)
	if w.chance.IntN(6) == 0 {
		down = between(w.chance, time.Second, 3*time.Second)
	}
	pause(ctx, down)
	var started sync.WaitGroup
	failed := make([]error, len(killed))
	for i, h := range killed {
		started.Go(func() { failed[i] = h.start(ctx) })
	}
	started.Wait()
	return errors.Join(failed...)
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
