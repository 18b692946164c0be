package dirsync

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
)

// Pace says when Run runs cycles.
type Pace struct {
	Every  time.Duration // after the end of each cycle
	Repair bool          // each cycle repairs
	// RepairEvery has a cycle repair when this has passed since the last one that did, of an
	// earlier process too; 0: none does.
	RepairEvery time.Duration
}

// Run runs cycles until ctx is done, and hands over what Cycle returns, of the one that ctx ended
// too. What a cycle did is remembered. A cycle that failed is tried again soon, and at once when
// the target answers again; objects that failed are tried when their time comes. Meanwhile the
// state does its own work.
func (s *Synchronizer) Run(ctx context.Context, pace Pace, each func(Report, error)) {
	var own sync.WaitGroup
	defer own.Wait()
	own.Go(func() { s.config.State.Run(ctx) })
	w := &waiting{retry: syncjobs.RetryAll} // as whoever starts it expects
	repair := pace.Repair
	for ctx.Err() == nil {
		if pace.RepairEvery > 0 && !repair {
			repair = s.repairDue(ctx, pace.RepairEvery)
		}
		how := look{repair: repair, retry: w.retry, hurries: true}
		if time.Now().Before(w.readAt) {
			how.unread = w.unread
		}
		x, err := s.cycle(ctx, how)
		w.heard(x.unread, how.unread == nil)
		if err == nil && x.unread == nil {
			repair = pace.Repair // what has not been repaired is still to be
		}
		silent := x.done.Silent
		w.silentAt = x.done.SilentAt
		if x.failed != nil && !syncjobs.HoldsBack(x.failed) {
			silent, w.silentAt = x.failed, time.Now()
		}
		pause := s.pause(w, pace.Every, x, err)
		each(x.report, x.failure(s, err))
		scout := s.scout
		if x.unread != nil || !provisioning.MayPass(silent) {
			scout = nil
		}
		w.wait(ctx, pause, s.silent(silent), provisioning.LeftAlone(silent), scout)
	}
}

// repairDue says whether so much time has passed since the last repair. A state that remembers none
// begins to count.
func (s *Synchronizer) repairDue(ctx context.Context, every time.Duration) bool {
	text, err := s.config.State.Note(ctx, noteRepaired)
	last, unread := time.Parse(time.RFC3339Nano, text)
	if err == nil && unread != nil {
		err = s.repaired(ctx)
		last = s.config.State.Now()
	}
	if err != nil { // the cycle meets it too
		s.config.Log.WarnContext(ctx, "when the last repair was is not known", "error", err)
		return false
	}
	return s.config.State.Now().Sub(last).Abs() >= every // or the clock was ahead then
}

// repaired remembers that a repair has ended now.
func (s *Synchronizer) repaired(ctx context.Context) error {
	now := s.config.State.Now().UTC().Format(time.RFC3339Nano)
	return s.config.State.SetNote(ctx, tenant.Note{Name: noteRepaired, Text: now})
}

// pause is how long it is until the next cycle, if the target is not heard of meanwhile: until the
// source is read again, or something is tried again at the target.
func (s *Synchronizer) pause(w *waiting, every time.Duration, x outcome, err error) time.Duration {
	if err != nil && !syncjobs.HoldsBack(x.failed) {
		pause, gone := w.failing.After(cmp.Or(x.failed, err))
		if gone {
			w.missed.Store(true)
		}
		return max(min(every, pause), provisioning.LeftAlone(x.failed))
	}
	w.failing = syncjobs.Streak{}
	if x.unread != nil {
		every = min(every, max(time.Until(w.readAt), time.Second))
	}
	if x.done.RetryAt.IsZero() {
		return every
	}
	return min(every, max(x.done.RetryAt.Sub(s.config.State.Now()), time.Second))
}

// silent is the target, when it is one that did not answer.
func (s *Synchronizer) silent(failed error) *scim.Client {
	if !provisioning.MayPass(failed) || s.config.Store != nil {
		return nil
	}
	target, err := s.runner.Target(s.job)
	if err != nil { // the next cycle says so
		return nil
	}
	return target
}

// waiting is what is known between two cycles.
type waiting struct {
	failing syncjobs.Streak
	missed  atomic.Bool // the target did not answer, and has not been tried since it does
	retry   syncjobs.Retry
	// silentAt is when the last of what has failed did that may pass.
	silentAt time.Time

	reading syncjobs.Streak
	unread  error     // why the source could not be read
	readAt  time.Time // when it is read again
}

// heard notes whether the source could be read, or why not. It is left alone for as long as it
// asks.
func (w *waiting) heard(unread error, tried bool) {
	switch refused := new(graph.Error); {
	case unread == nil:
		w.reading, w.readAt = syncjobs.Streak{}, time.Time{}
	case tried:
		pause := w.reading.Next()
		if errors.As(unread, &refused) {
			pause = max(pause, refused.RetryAfter)
		}
		w.readAt = time.Now().Add(pause)
	}
	w.unread = unread
}

// scout has one of those lose access who are to, and says whether the target takes changes again.
func (s *Synchronizer) scout(ctx context.Context) (taken bool) {
	engine, err := s.engine(syncjobs.RetryPassing)
	if err != nil { // the next cycle says so
		return false
	}
	engine.OnEntry = func(e provisioning.Entry) {
		if s.config.OnEntry != nil && !silent(e) {
			s.config.OnEntry(e)
		}
	}
	taken, _ = engine.Scout(ctx)
	return taken
}

// wait waits for a time, or until a target that did not answer does, or one that took no changes
// does, as scouts tell; or until ctx is done. The target is asked when it is to be left alone no
// longer. scout may be nil.
func (w *waiting) wait(
	ctx context.Context, pause time.Duration, target *scim.Client, leftAlone time.Duration,
	scout func(context.Context) (taken bool),
) {
	w.retry = syncjobs.RetryDue
	over := time.NewTimer(pause)
	defer over.Stop()
	probing, end := context.WithCancel(ctx)
	defer end()
	answered := make(chan struct{}, 1)
	if target != nil {
		go func() {
			if syncjobs.Probe(probing, target, leftAlone, func() { w.missed.Store(true) }) == nil {
				answered <- struct{}{}
			}
		}()
	}
	var scouting <-chan time.Time
	if scout != nil {
		scouting = time.After(max(provisioning.ScoutEach, leftAlone) - time.Since(w.silentAt))
	}
	for {
		select {
		case <-scouting:
			if !w.missed.Load() && scout(ctx) { // else the probe tells
				w.retry = syncjobs.RetryPassing
				return
			}
			scouting = time.After(max(provisioning.ScoutEach, leftAlone))
		case <-answered:
			if w.missed.Swap(false) { // else it answers probes and nothing else
				w.retry = syncjobs.RetryPassing // it answers again
				return
			}
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
