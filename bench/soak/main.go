// Command soak does what is bad for both halves, for long.
//
// It sends strangers to every API and page at once, for ten minutes, while people sign in, and
// measures what the strangers could do: how much they made the program keep, on the disk and in
// memory, and how long people waited. Then it kills the halves 300 times while people and groups
// change, and counts what was lost, what the center did not follow, and how long a leaver stayed.
//
// One line has the four figures of the strangers, the last one those of the kills. It fails when
// one of them is missed, and names which.
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

// What must hold.
const (
	maxDisk   = 5 << 20
	maxMemory = 64 << 20
	maxP99    = 3 * time.Second
)

type settings struct {
	program  string
	length   time.Duration
	warmUp   time.Duration
	people   int
	directly int           // further people, of the built-in directory
	pause    time.Duration // of a person, between two sign-ins
	workers  int           // of each kind of stranger
	only     string        // kinds of strangers
	keep     string        // folder
	kills    int
	seed     uint64 // of the kills
}

func main() {
	var s settings
	flag.StringVar(&s.program, "program", "bin/gatehouse", "the program to attack")
	flag.DurationVar(&s.length, "length", 10*time.Minute, "how long the strangers stay; 0: none come")
	flag.DurationVar(&s.warmUp, "warm-up", 45*time.Second, "how long the people sign in before the strangers come")
	flag.IntVar(&s.people, "people", 20, "people who sign in, by the tenant")
	flag.IntVar(&s.directly, "directory", 4, "further people, of a center's built-in directory")
	flag.DurationVar(&s.pause, "pause", 60*time.Second, "of a person between two sign-ins, on average")
	flag.IntVar(&s.workers, "workers", 2, "of each kind of stranger")
	flag.StringVar(&s.only, "only", "", "the kinds of strangers whose names have this in them")
	flag.StringVar(&s.keep, "keep", "", "folder for the data and the logs, which stay (default: a temporary one)")
	flag.IntVar(&s.kills, "kills", 300, "how often the halves are killed afterwards")
	flag.Uint64Var(&s.seed, "seed", 0, "repeats the chances of the kills (default: others each time)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	dir := s.keep
	if dir == "" {
		temporary, err := os.MkdirTemp("", "gatehouse-soak-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary) //nolint:errcheck // a leftover temporary folder is no failure
		dir = temporary
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var missed error
	if s.length > 0 {
		missed = strangers(ctx, s, dir)
	}
	if s.kills > 0 && ctx.Err() == nil {
		missed = errors.Join(missed, kills(ctx, s, dir))
	}
	return missed
}

// strangers lets strangers at both halves while people sign in.
func strangers(ctx context.Context, s settings, dir string) error {
	fmt.Println("Both halves start, and a second center with people of its own.")
	h, err := open(ctx, s, dir)
	if err != nil {
		return err
	}
	defer h.close()
	out := newProgress()
	fmt.Printf("%d people sign in for %s, alone.\n", len(h.people), s.warmUp)
	if err := warmUp(ctx, s, h, out); err != nil {
		return err
	}
	before := h.measure()
	fmt.Printf("Strangers come for %s. Before them: %s\n", s.length, before)
	attack, end := context.WithTimeout(ctx, s.length)
	defer end()
	g := newGang(h, s)
	done := make(chan struct{})
	go func() { defer close(done); g.run(attack) }()
	t, during := siege(attack, s, h, g, out, before)
	<-done
	if err := ctx.Err(); err != nil {
		return errors.New("interrupted")
	}
	g.report()
	t.report()
	after := h.settled(ctx)
	return verdict(t, before, after, during)
}

// siege lets the people sign in while the strangers are there, and watches the memory.
func siege(ctx context.Context, s settings, h *house, g *gang, out *progress, before figures) (*tally, []figures) {
	t := newTally(len(h.people))
	people := make(chan struct{})
	go func() { defer close(people); everybody(ctx, s, h, t) }()
	var during []figures // each second
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-people:
			out.end()
			return t, during
		case <-tick.C:
		}
		now := h.measure()
		during = append(during, now)
		out.line(
			fmt.Sprintf(
				"%4.0f s  %s, %d requests of strangers, sign-ins %s",
				time.Since(began).Seconds(),
				now.since(before),
				g.requests.Load(),
				t,
			),
		)
	}
}

func warmUp(ctx context.Context, s settings, h *house, out *progress) error {
	warming, end := context.WithTimeout(ctx, s.warmUp)
	defer end()
	t := newTally(len(h.people))
	brisk := s
	brisk.pause = min(s.pause, time.Second) // so that everything that a sign-in needs is in memory
	everybody(warming, brisk, h, t)
	out.line("         sign-ins " + t.String())
	out.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if t.wrong() > 0 || !t.all() {
		t.report()
		return errors.New("not everybody could sign in, without strangers")
	}
	return nil
}

// verdict prints the four figures, and fails when one is missed. The memory is that of the program
// that has grown the most: its level in the last minute of the strangers, and its peak.
func verdict(t *tally, before, after figures, during []figures) error {
	disk := after.disk - before.disk
	level := median(during[max(0, len(during)-60):]).mostAbove(before)
	peak := before
	for _, f := range during {
		peak = peak.higher(f)
	}
	right, tried := t.count()
	p99 := t.p99()
	var missed []string
	miss := func(is bool, what string) {
		if is {
			missed = append(missed, what)
		}
	}
	miss(disk >= maxDisk, "the data folders")
	miss(level >= maxMemory, "the memory")
	miss(right != tried || !t.all(), "the sign-ins")
	miss(p99 >= maxP99, "the p99 of a sign-in")
	fmt.Printf("logs: %s\n", mib(after.logs-before.logs))
	fmt.Printf("data folders %s (< %d; write-ahead logs %s), ", mib(disk), maxDisk>>20, mib(after.ahead-before.ahead))
	fmt.Printf("resident memory %s (< %d; peak %s), ", mib(level), maxMemory>>20, mib(peak.mostAbove(before)))
	fmt.Printf("%d of %d people signed in (%d of %d sign-ins), ", t.people(), len(t.of), right, tried)
	fmt.Printf("p99 %.2f s (< %.0f)\n", p99.Seconds(), maxP99.Seconds())
	if len(missed) > 0 {
		return errors.New("missed: " + strings.Join(missed, ", "))
	}
	return nil
}
