package killtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/scim"
)

// leaver is somebody who is disabled at the tenant at some moment of a round.
type leaver struct {
	id    string
	after time.Duration // since the round began
	took  time.Duration // until the center refused them, since that was acknowledged and both halves are up
}

const nobodyRefuses = time.Minute

// leave disables the leaver, as often as it takes until that is acknowledged, and waits until the
// center refuses them. up is told when both halves have started again.
func (l *leaver) leave(ctx context.Context, d directory, up <-chan time.Time) error {
	pause(ctx, l.after)
	if err := l.set(ctx, d, false); err != nil {
		return err
	}
	return l.refused(ctx, d, later(time.Now(), <-up))
}

// refused waits until the center refuses the leaver, and notes how long that took since a time.
func (l *leaver) refused(ctx context.Context, d directory, from time.Time) error {
	for time.Since(from) < nobodyRefuses {
		u, err := d.user(ctx, l.id)
		if err == nil && (u == nil || u["active"] != true) {
			l.took = max(time.Since(from), 0)
			return nil
		}
		pause(ctx, 10*time.Millisecond) // a poll
	}
	l.took = nobodyRefuses
	return ctx.Err()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// set disables or enables the leaver, until that is acknowledged.
func (l *leaver) set(ctx context.Context, d directory, enabled bool) error {
	for began := time.Now(); ; {
		asking, end := context.WithTimeout(ctx, 5*time.Second)
		err := d.graph.Do(
			asking, http.MethodPatch, "/users/"+l.id, map[string]any{"accountEnabled": enabled}, nil,
		)
		end()
		if err == nil {
			return nil
		}
		if time.Since(began) > nobodyRefuses || ctx.Err() != nil {
			return fmt.Errorf("the tenant does not take that a person is disabled: %w", err)
		}
		pause(ctx, 10*time.Millisecond) // a poll
	}
}

// comeBack enables the leaver for a later round.
func (l *leaver) comeBack(ctx context.Context, d directory) error {
	if err := l.set(ctx, d, true); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < Quiet; {
		if u, err := d.user(ctx, l.id); err == nil && u != nil && u["active"] == true {
			return nil
		}
		pause(ctx, 10*time.Millisecond) // a poll
	}
	return errors.New("a person who came back is not active at the center")
}

// user looks a person up at the center by the id at the tenant; nil: there is none.
func (d directory) user(ctx context.Context, id string) (scim.Resource, error) {
	found, err := d.scim.Find(ctx, "/Users", "externalId", id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// all reads a collection of Graph.
func all[T any](ctx context.Context, d directory, path string) ([]T, error) {
	return graph.All[T](ctx, d.graph, path)
}
