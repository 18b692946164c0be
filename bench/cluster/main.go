// Command cluster runs three nodes of a center behind HAProxy, on PostgreSQL with a standby, and
// lets one thing fail after the other while clients write and read.
//
// For each failure it prints how many requests there were, how many failed that were under way at
// that moment, how many others, and when all was well again; and at the end how much of what was
// acknowledged was lost, which must be nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	program := flag.String("program", "bin/gatehouse", "the program to run")
	from := flag.String("from", "", "a program of the release before, which the nodes are upgraded from first")
	only := flag.String("only", "", "the failures whose names have this in them")
	keep := flag.String("keep", "", "folder for the data and the logs, which stay (default: a temporary one)")
	rounds := flag.Int("rounds", 1, "how often everything fails but the primary server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *program, *from, *keep, *only, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, from, dir, only string, rounds int) error {
	if dir == "" {
		temporary, err := os.MkdirTemp("", "gatehouse-cluster-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary) //nolint:errcheck // a leftover temporary folder is no failure
		dir = temporary
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	first := program
	if from != "" {
		first = from
	}
	c, err := open(ctx, first, dir)
	if err != nil {
		return err
	}
	defer c.close()
	c.program = program
	l, err := newLoad(ctx, c)
	if err != nil {
		return err
	}
	loading, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); l.run(loading) }()
	fmt.Printf("%-34s %9s %9s %9s %9s %9s %9s\n",
		"failure", "requests", "in flight", "beyond", "of reads", "longest", "resumed")
	var failed error
	if from != "" {
		failed = l.meet(ctx, upgrade(c))
	}
	for round := range rounds {
		for _, f := range failures(c) {
			if !strings.Contains(f.name, only) || (f.last && round < rounds-1) || ctx.Err() != nil {
				continue
			}
			if err := l.meet(ctx, f); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", f.name, err))
			}
		}
	}
	stop()
	<-done
	lost, err := l.verify(context.WithoutCancel(ctx))
	fmt.Printf("acknowledged: %d changes, %d people; lost: %d\n", l.acknowledged(), len(l.made), len(lost))
	for _, what := range lost {
		fmt.Println("  lost:", what)
	}
	if len(lost) > 0 {
		failed = errors.Join(failed, errors.New("acknowledged changes are lost"))
	}
	return errors.Join(failed, err)
}

func (l *load) acknowledged() (n int) {
	for _, a := range l.answers {
		if !a.failed() && !a.read {
			n++
		}
	}
	return n
}

const (
	settle = 2 * time.Second // before and after a failure
	// What must hold: when all is there again, requests succeed within this time.
	maxResumed = 3 * time.Second
)

// meet lets something fail, and prints what became of the requests around it.
func (l *load) meet(ctx context.Context, f failure) error {
	from := time.Now()
	pauseFor(ctx, settle)
	h := &happened{}
	err := f.happens(ctx, h)
	pauseFor(ctx, settle)
	if f.mend != nil {
		err = errors.Join(err, f.mend())
	}
	pauseFor(ctx, settle)
	l.mu.Lock()
	defer l.mu.Unlock()
	var requests, inFlight, beyond, reads, late int
	var longest time.Duration
	resumed, codes := time.Time{}, map[int]int{}
	for _, a := range l.answers {
		if a.began.Before(from) {
			continue
		}
		requests++
		longest = max(longest, a.ended.Sub(a.began))
		if !a.failed() {
			continue
		}
		if h.during(a) {
			inFlight++
		} else {
			beyond++
			codes[a.status]++
		}
		if a.read {
			reads++
		}
		if a.began.After(h.whole) {
			late++
		}
		if a.ended.After(resumed) {
			resumed = a.ended
		}
	}
	for _, a := range l.answers { // the first write that began when all was there again, and succeeded
		if !a.failed() && !a.read && a.began.After(h.whole) {
			if a.ended.After(resumed) {
				resumed = a.ended
			}
			break
		}
	}
	took := max(resumed.Sub(h.whole), 0)
	fmt.Printf("%-34s %9d %9d %9d %9d %8.2fs %8.2fs\n",
		f.name, requests, inFlight, beyond, reads, longest.Seconds(), took.Seconds())
	if took > maxResumed {
		err = errors.Join(err, fmt.Errorf("resumed after %s", took))
	}
	if !f.outage && beyond > f.allowed {
		err = errors.Join(err, fmt.Errorf("requests failed that were not under way, by status: %v", codes))
	}
	if f.readable && reads > 0 {
		err = errors.Join(err, fmt.Errorf("%d reads failed", reads))
	}
	return err
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d): // the load goes on meanwhile
	case <-ctx.Done():
	}
}
