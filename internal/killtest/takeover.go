//go:build unix

package killtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// TakeOver runs two nodes of the tenant on one database, disables people at the second one, kills
// it soon, and returns how long it took at most until the center refused them, with the first node
// alone. Every other time the center stands still when the node dies, so that the node is in the
// middle of a cycle.
func TakeOver(ctx context.Context, c Config) (worst time.Duration, err error) {
	w := &world{Config: c, chance: rand.New(rand.NewPCG(c.Seed, 0))} // #nosec G404 -- to be repeated
	defer w.end()
	if err := w.begin(ctx); err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	second, err := newHalf(c, "second", "tenant", "--database", c.Database, "--url", w.tenant.url())
	if err != nil {
		return 0, err
	}
	defer second.end()
	if err := copyKey(w.tenant.data, second.data); err != nil {
		return 0, err
	}
	there := w.directory
	there.graph = &graph.Client{BaseURL: second.url() + "/v1.0", HTTP: there.graph.HTTP}
	for i := range c.Kills {
		if err := second.start(ctx); err != nil {
			return worst, err
		}
		l := &leaver{id: w.leavers[i%len(w.leavers)]}
		if err := l.comeBack(ctx, w.directory); err != nil {
			return worst, err
		}
		pause(ctx, between(w.chance, 0, 1500*time.Millisecond)) // whichever node has worked has rested
		still := i%2 == 1
		if still {
			err = w.center.cmd.Process.Signal(syscall.SIGSTOP)
		}
		if err := errors.Join(err, l.set(ctx, there, false)); err != nil {
			return worst, err
		}
		after := between(w.chance, 0, 250*time.Millisecond)
		if still {
			after += 250 * time.Millisecond
		}
		pause(ctx, after)
		second.kill()
		if still {
			err = w.center.cmd.Process.Signal(syscall.SIGCONT)
		}
		if err != nil {
			return worst, err
		}
		if err := l.refused(ctx, w.directory, time.Now()); err != nil {
			return worst, err
		}
		c.Log("the node died %s after it had taken the change (in a cycle: %v); refused after %s",
			after.Round(time.Millisecond), still, l.took.Round(time.Millisecond))
		worst = max(worst, l.took)
	}
	return worst, nil
}

// copyKey gives a second node the master key of the first one.
func copyKey(from, to string) error {
	const name = "master.key"
	key, err := os.ReadFile(filepath.Join(from, name)) // #nosec G304 -- in our folder
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, name), key, 0o600)
}
