package provisioning_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

var (
	seeds = flag.Int("seeds", 100, "how many histories are made up")
	seed  = flag.Uint64("seed", 1, "which is the first one")
	tells = flag.Bool("tells", false, "tell what happens in each history")
)

// TestWhateverHappensBothSidesBecomeEqual makes histories up: the source changes, somebody edits
// the target, processes die, answers are lost, late, refused or put off, and everything is compared
// now and then, at services that differ in what they may. When all is quiet, whoever has left has
// no access, and the target has what the source has.
func TestWhateverHappensBothSidesBecomeEqual(t *testing.T) {
	t.Parallel()
	for n := range *seeds {
		at := *seed + uint64(n)
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newStorm(t, at).run() })
		})
	}
}

// storm is one history.
type storm struct {
	*provisioning.Volatile
	t       *testing.T
	o       *odd
	dialect provisioning.Dialect
	workers int
	careful bool
	tampers bool
	mapped  provisioning.Mappings

	mu      sync.Mutex // guards all below
	r       *rand.Rand
	d       *directory
	trace   []string
	calm    bool
	dead    bool
	lines   int // until the process dies; 0: it does not
	away    bool
	picky   map[string]int    // paths that are put off, and for how many requests
	once    map[string]string // what happens to the next request of a method and a path
	hot     int
	compare comparison
	ids     int
	late    int // requests that are carried out later
	tarried bool
	people  [stormUsers]int
	teams   [stormGroups]int
	guard   guard
	wanted  map[string]bool // memberships that the last cycle has read
	made    map[string]bool // that one has seen to
}

// comparison is what the next cycle compares.
type comparison struct {
	wanted, unasked, restored, routine bool
	failed                             int
	next                               time.Time
}

func newStorm(t *testing.T, at uint64) *storm {
	t.Helper()
	r := rand.New(rand.NewPCG(at, 7))
	s := &storm{
		t: t, Volatile: provisioning.NewVolatile(), o: newOdd(oddly(r)), r: r, d: newDirectory(),
		dialect: provisioning.Dialect(r.IntN(4)), workers: 1 + 3*r.IntN(2), careful: r.IntN(3) == 0,
		tampers: r.IntN(2) == 0, mapped: mappings(t), compare: comparison{unasked: true, wanted: true},
		hot: r.IntN(30), picky: map[string]int{}, once: map[string]string{},
		wanted: map[string]bool{}, made: map[string]bool{},
	}
	s.say("%+v %v careful %v tampers %v", s.o.oddities, s.dialect, s.careful, s.tampers)
	return s
}

func (s *storm) say(format string, about ...any) {
	line := time.Now().Format("15:04:05.000 ") + fmt.Sprintf(format, about...)
	s.trace = append(s.trace, line)
	if *tells {
		fmt.Println(line)
	}
}

func (s *storm) note(format string, about ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.say(format, about...)
}

func (s *storm) dice(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(n)
}

func (s *storm) run() {
	defer func() {
		if s.t.Failed() {
			s.dump()
			s.t.Logf("%s", strings.Join(s.trace[max(0, len(s.trace)-400):], "\n"))
		}
	}()
	s.begin()
	for range 4 + s.dice(12) {
		s.happen(1 + s.dice(3))
		s.mu.Lock()
		s.lines, s.dead = 0, false
		s.away = s.r.IntN(8) == 0
		if s.r.IntN(3) == 0 {
			s.lines = 1 + s.r.IntN(80)
		}
		s.decide()
		if s.r.IntN(10) == 0 {
			s.compare = comparison{wanted: true, routine: s.r.IntN(2) == 0}
			s.say("somebody wants a comparison: %+v", s.compare)
		}
		s.mu.Unlock()
		var meanwhile sync.WaitGroup
		if s.dice(3) == 0 {
			wait := time.Duration(s.dice(4000)) * time.Millisecond
			meanwhile.Go(func() {
				time.Sleep(wait)
				s.happen(1)
			})
		}
		_, _ = s.cycle()
		meanwhile.Wait()
		time.Sleep(time.Duration(s.dice(6000)) * time.Millisecond)
		if s.dice(6) == 0 {
			time.Sleep(time.Duration(s.dice(200)) * time.Second)
		}
	}
	s.mu.Lock()
	s.calm, s.dead = true, false
	s.away, s.lines = false, 0
	s.picky = map[string]int{}
	s.say("it is calm")
	s.o.mu.Lock()
	for _, a := range slices.Clone(s.o.order) { // who is nobody's would have a wanted name for ever
		if _, err := s.Owner(context.Background(), a.kind, a.id); err != nil && a.String("displayName") == "" {
			s.o.remove(a)
		}
	}
	s.o.mu.Unlock()
	s.mu.Unlock()
	s.restHeld()
	s.rest(false)
	if s.tampers {
		s.compare = comparison{wanted: true}
		s.rest(true)
	}
	s.check()
}

// rest runs cycles until nothing is left to be done.
func (s *storm) rest(compared bool) {
	began := time.Now()
	for n := 0; ; n++ {
		result, err := s.cycle()
		var pause time.Duration
		s.mu.Lock()
		late := s.late
		open := s.compare.wanted
		s.mu.Unlock()
		switch {
		case err != nil:
			pause = 2 * time.Second
		case open:
			pause = time.Minute
		case late > 0:
			pause = 10 * time.Second
		case result.RetryAt.IsZero():
			return
		default:
			pause = max(time.Until(result.RetryAt), time.Second)
		}
		if n > 150 || time.Since(began) > 100*time.Hour {
			s.t.Errorf("it does not come to rest (%d cycles, %s): %v, %v", n, time.Since(began), err, s.failures())
			return
		}
		time.Sleep(pause)
	}
}

func (s *storm) failures() (list []string) {
	refs, _ := s.Known(context.Background())
	for _, ref := range refs {
		if l, _ := s.Link(context.Background(), ref); l.Failure != "" || l.Doubt != nil {
			list = append(list, fmt.Sprintf("%v at %q: %s %+v", ref, l.TargetID, l.Failure, l.Doubt))
		}
	}
	return list
}

// cycle runs a cycle, as if the process were a new one.
func (s *storm) cycle() (provisioning.Result, error) {
	s.mu.Lock()
	c := s.compare
	s.ids++
	n := s.ids
	s.mu.Unlock()
	compares := c.wanted && !time.Now().Before(c.next)
	if compares {
		_ = s.Volatile.SetWatermark(context.Background(), "", false)
	}
	ids := 0
	var mu sync.Mutex
	s.wanted = map[string]bool{}
	e := provisioning.Engine{
		Source: s, Memory: s, Mappings: s.mapped, Workers: s.workers, Now: time.Now,
		Target: provisioning.SCIM(&scim.Client{
			BaseURL: "http://odd.example", Token: "t", HTTP: &http.Client{Transport: s, Timeout: time.Minute},
		}, s.dialect),
		NewID: func() string {
			mu.Lock()
			defer mu.Unlock()
			ids++
			return fmt.Sprintf("cycle-%d-%d", n, ids)
		},
		Careful: s.careful, Adopt: s.careful,
		Reread: compares, Unasked: compares && c.unasked, Restored: c.restored, Routine: c.routine,
		MaxDeletions: s.guard.most, AllowDeletions: s.guard.allow, HeldBack: s.guard.told,
		OnEntry: func(e provisioning.Entry) {
			s.guards(e)
			if e.Outcome != provisioning.Skipped || e.Code != "" {
				s.note("  %s %v %q %s %s %s +%v -%v",
					e.Action, e.Ref, e.TargetID, e.Outcome, e.Code, e.Reason, e.Added, e.Removed)
			}
		},
	}
	result, err := e.Run(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guard.allow, s.guard.told = false, errors.As(err, new(*provisioning.TooManyDeletesError))
	if err == nil && result.Failed == 0 {
		maps.Copy(s.made, s.wanted)
	}
	s.say("cycle %d (compares %v): %v, retry at %s", n, compares, err, result.RetryAt.Format("15:04:05"))
	if result.Uncompared {
		s.compare.failed++
		s.compare.next = time.Now().Add(time.Minute << min(s.compare.failed-1, 4))
	}
	return result, err
}

// Changes implements provisioning.Source.
func (s *storm) Changes(
	ctx context.Context, watermark string, also []provisioning.Ref,
) (provisioning.Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, err := s.d.Changes(ctx, watermark, also)
	for _, g := range changes.Groups {
		for _, who := range g.Members {
			s.wanted[g.ID+"/"+who] = true
		}
	}
	return changes, err
}

// Object implements provisioning.Source.
func (s *storm) Object(ctx context.Context, ref provisioning.Ref) (provisioning.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.d.Object(ctx, ref)
}

// lives says whether the process lives, and whether what it is about to do is done.
func (s *storm) lives() (alive, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return false, false
	}
	if s.lines > 0 {
		if s.lines--; s.lines == 0 {
			s.dead = true
			s.say("  the process dies")
			return false, s.r.IntN(2) == 0
		}
	}
	return true, true
}

func (s *storm) write(write func() error) error {
	alive, done := s.lives()
	if done {
		if err := write(); err != nil {
			return err
		}
	}
	if !alive {
		return errDead
	}
	return nil
}

func (s *storm) Keep(ctx context.Context, l provisioning.Link, _ ...provisioning.Entry) error {
	return s.write(func() error { return s.Volatile.Keep(ctx, l) })
}

func (s *storm) Forget(ctx context.Context, ref provisioning.Ref, _ ...provisioning.Entry) error {
	return s.write(func() error { return s.Volatile.Forget(ctx, ref) })
}

func (s *storm) SetWatermark(ctx context.Context, watermark string, compared bool) error {
	return s.write(func() error {
		if compared {
			s.mu.Lock()
			s.compare = comparison{}
			s.mu.Unlock()
		}
		return s.Volatile.SetWatermark(ctx, watermark, compared)
	})
}

func (s *storm) Begin(ctx context.Context, b provisioning.Batch, over ...string) error {
	return s.write(func() error { return s.Volatile.Begin(ctx, b, over...) })
}

func (s *storm) End(ctx context.Context, over ...string) error {
	return s.write(func() error { return s.Volatile.End(ctx, over...) })
}
