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

// end is how a node ends in the middle of the work.
type end int

const (
	killed      end = iota
	killedLater     // while the center stands still, so that it is in the middle of a cycle
	stopped         // it stands still, goes on when another one has taken over, and knows nothing of that
	ends
)

func (e end) String() string {
	return [...]string{"was killed", "was killed in a cycle", "stood still"}[e]
}

// TakeOver runs three nodes of the tenant on one database, disables people at one of the last two,
// ends it soon, and returns the figures. Worst is how long it took until the center refused them,
// with the other nodes alone.
func TakeOver(ctx context.Context, c Config) (Figures, error) {
	w := &world{Config: c, chance: rand.New(rand.NewPCG(c.Seed, 0))} // #nosec G404 -- to be repeated
	defer w.end()
	if err := w.begin(ctx); err != nil {
		return w.figures, fmt.Errorf("begin: %w", err)
	}
	var others []*half
	for _, name := range []string{"second", "third"} {
		node, err := w.another(ctx, name)
		if err != nil {
			return w.figures, err
		}
		defer node.end()
		others = append(others, node)
	}
	for ; w.figures.Kills < c.Kills; w.figures.Kills++ {
		node, how := others[w.figures.Kills%len(others)], end(w.figures.Kills)%ends
		if err := w.endOf(ctx, node, how); err != nil {
			return w.figures, err
		}
		if err := w.compare(ctx); err != nil {
			return w.figures, err
		}
	}
	return w.figures, nil
}

// another starts one more node of the tenant.
func (w *world) another(ctx context.Context, name string) (*half, error) {
	node, err := newHalf(w.Config, name, "tenant", "--database", w.Database, "--url", w.tenant.url())
	if err != nil {
		return nil, err
	}
	if err := copyKey(w.tenant.data, node.data); err != nil {
		return nil, err
	}
	return node, node.start(ctx)
}

// endOf ends a node in a way, and has it back when the other one has taken over.
func (w *world) endOf(ctx context.Context, node *half, how end) (err error) {
	there := w.directory
	there.graph = &graph.Client{BaseURL: node.url() + "/v1.0", HTTP: there.graph.HTTP}
	l := &leaver{id: w.leavers[w.figures.Kills%len(w.leavers)]}
	if err := l.comeBack(ctx, w.directory); err != nil {
		return err
	}
	pause(ctx, between(w.chance, 0, 1500*time.Millisecond)) // whichever node has worked has rested
	after := between(w.chance, 0, 250*time.Millisecond)
	if how == killedLater {
		after += 250 * time.Millisecond
		err = w.center.cmd.Process.Signal(syscall.SIGSTOP)
	}
	if err := errors.Join(err, l.set(ctx, there, false)); err != nil {
		return err
	}
	pause(ctx, after)
	if how == stopped {
		err = node.cmd.Process.Signal(syscall.SIGSTOP)
	} else {
		node.kill()
	}
	if how == killedLater {
		err = w.center.cmd.Process.Signal(syscall.SIGCONT)
	}
	if err := errors.Join(err, l.refused(ctx, w.directory, time.Now())); err != nil {
		return err
	}
	w.Log("the node %s %s after it had taken the change; refused after %s", how, after.Round(time.Millisecond),
		l.took.Round(time.Millisecond))
	w.figures.Worst = max(w.figures.Worst, l.took)
	if how == stopped {
		return node.cmd.Process.Signal(syscall.SIGCONT)
	}
	return node.start(ctx)
}

// copyKey gives another node the master key of the first one.
func copyKey(from, to string) error {
	const name = "master.key"
	key, err := os.ReadFile(filepath.Join(from, name)) // #nosec G304 -- in our folder
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, name), key, 0o600) // #nosec G703 -- the test names both
}
