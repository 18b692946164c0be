package main

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// failure is one kind of thing that fails.
type failure struct {
	name     string
	happens  func(context.Context, *happened) error
	mend     func() error // afterwards
	outage   bool         // whether the database is away meanwhile, so that requests fail
	readable bool         // whether reads must go on all the same
	allowed  int          // how many requests may fail besides those that were under way
	last     bool         // whether nothing can fail afterwards
}

// happened is when it did, and when all that is needed was there again.
type happened struct {
	at    []interval
	whole time.Time
}

type interval struct{ from, to time.Time }

// while notes when something happens.
func (h *happened) while(do func() error) error {
	from := time.Now()
	err := do()
	h.whole = time.Now()
	h.at = append(h.at, interval{from, h.whole})
	return err
}

// during says whether a request was under way when it happened.
func (h *happened) during(a answer) bool {
	for _, i := range h.at {
		if !a.began.After(i.to) && !a.ended.Before(i.from) {
			return true
		}
	}
	return false
}

const (
	terminations = 10
	terminate    = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
)

// failures are one of each kind, in turn.
func failures(c *cluster) []failure { return append(ofNodes(c), ofTheDatabase(c)...) }

func ofNodes(c *cluster) []failure {
	a, b := c.nodes[0], c.nodes[1]
	third := c.nodes[2]
	again := func(n *node) func() error {
		return func() error { return errors.Join(c.start(n), n.ready(c.health)) }
	}
	return []failure{
		{
			name: "a node is killed (SIGKILL)",
			// Until the balancer has noticed, connections to it are refused and go to another one.
			happens: func(_ context.Context, h *happened) error {
				return h.while(func() error {
					err := a.cmd.Process.Kill()
					<-a.ended
					return err
				})
			},
			mend:    again(a),
			allowed: 5, // what the balancer sends over a connection that it has not seen end
		},
		{
			name: "a node ends (SIGTERM)",
			happens: func(_ context.Context, h *happened) error {
				h.whole = time.Now() // nothing may fail at all
				err := b.cmd.Process.Signal(syscall.SIGTERM)
				<-b.ended
				return err
			},
			mend: again(b),
		},
		{
			name: "a node is paused for 8 s",
			happens: func(ctx context.Context, h *happened) error {
				err := h.while(func() error { return third.cmd.Process.Signal(syscall.SIGSTOP) })
				pauseFor(ctx, 8*time.Second)
				err = errors.Join(err, third.cmd.Process.Signal(syscall.SIGCONT))
				h.whole = time.Now() // what was under way at the node ends only now, well or badly
				return err
			},
		},
	}
}

// upgrade replaces one node after the other, while the others serve.
func upgrade(c *cluster) failure {
	return failure{
		name: "the nodes are upgraded, in turn",
		happens: func(ctx context.Context, h *happened) error {
			var errs []error
			for _, n := range c.nodes {
				errs = append(errs, n.cmd.Process.Signal(syscall.SIGTERM))
				<-n.ended
				errs = append(errs, c.start(n), n.ready(c.health))
				pauseFor(ctx, settle)
			}
			h.whole = time.Now()
			return errors.Join(errs...)
		},
	}
}

func ofTheDatabase(c *cluster) []failure {
	return []failure{
		{
			name: "connections end, 10 times in 5 s",
			happens: func(ctx context.Context, h *happened) error {
				var errs []error
				for range terminations {
					errs = append(errs, h.while(func() error { return c.primary.run(ctx, terminate) }))
					pauseFor(ctx, 500*time.Millisecond)
				}
				return errors.Join(errs...)
			},
			readable: true,
		},
		{
			name: "PostgreSQL is read-only for 4 s",
			happens: func(ctx context.Context, h *happened) error {
				err := h.while(func() error {
					return c.primary.run(
						ctx, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()",
					)
				})
				pauseFor(ctx, 4*time.Second)
				err = errors.Join(err, c.primary.run(
					ctx, "ALTER SYSTEM SET default_transaction_read_only = off", "SELECT pg_reload_conf()",
				))
				h.whole = time.Now()
				return err
			},
			outage:   true,
			readable: true,
		},
		{
			name: "PostgreSQL crashes, and starts",
			happens: func(_ context.Context, h *happened) error {
				err := errors.Join(h.while(c.primary.crash), c.primary.start())
				h.whole = time.Now()
				return err
			},
			outage: true,
		},
		{
			name: "PostgreSQL dies, failover after 2 s",
			happens: func(ctx context.Context, h *happened) error {
				err := h.while(c.primary.crash)
				pauseFor(ctx, 2*time.Second)
				h.whole = time.Now()
				return errors.Join(err, c.standby.promote())
			},
			outage: true,
			last:   true,
		},
	}
}
