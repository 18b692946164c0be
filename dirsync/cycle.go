package dirsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
)

// stateFor bounds what is read for the report of a run that was told to end.
const stateFor = 30 * time.Second //bound:wait the state of a sync, for the report of a run that ends

// Report is what one cycle did, or would do in a dry run. It counts objects, not requests: a group
// whose attributes and members change counts once.
type Report struct {
	Cycle   string
	Full    bool // everything was read
	Read    int  // objects that were read
	Unread  int  // objects that cannot be read, and stay as they were known
	Missing int  // objects that are missing from a reading of everything, and stay as they were known
	Ended   bool // the application is not there any more, and nothing is provisioned by it
	Changes bool // something was written or failed
	Took    time.Duration

	Created, Updated, Disabled, Deleted, Failed int

	Compared  bool // everything was compared with what the target has
	Strangers int  // of what was compared: groups with members whom somebody else has added, who are kept

	// InStep says whether the target is known to have what the source has, after the cycle: not
	// where that, or some of it, could not be read. In a dry run it is that of before.
	InStep tenant.InStep

	Objects []provisioning.Entry // one for each object: users before groups, by name
}

// Cycle reads what changed and brings the target into line. With repair it also compares everything
// with what the target has now, and puts right what somebody changed there. The report of a cycle
// that fails has what was done before. What has failed in earlier cycles is tried again.
func (s *Synchronizer) Cycle(ctx context.Context, repair bool) (Report, error) {
	x, err := s.cycle(ctx, look{repair: repair, retry: syncjobs.RetryAll, dryRun: s.config.DryRun})
	return x.report, x.failure(s, err)
}

// Preview says what Cycle would do, and changes nothing at the target.
func (s *Synchronizer) Preview(ctx context.Context, repair bool) (Report, error) {
	x, err := s.cycle(ctx, look{repair: repair, retry: syncjobs.RetryAll, dryRun: true})
	if x.failed != nil {
		err = s.explained("read", x.failed)
	}
	return x.report, errors.Join(x.unread, err)
}

// Strangers says whether the target has users or groups although nothing is remembered of it: this
// is the first cycle, or the state was lost. What a cycle had begun when it was killed is
// remembered, too. A target that does not say is taken to have some.
func (s *Synchronizer) Strangers(ctx context.Context) (bool, error) {
	e, err := s.engine(syncjobs.RetryAll)
	if err != nil {
		return false, err
	}
	watermark, e1 := e.Memory.Watermark(ctx)
	known, e2 := e.Memory.Known(ctx)
	begun, e3 := e.Memory.Begun(ctx)
	if err := errors.Join(e1, e2, e3); err != nil || watermark != "" || len(known)+len(begun) > 0 {
		return false, err
	}
	for _, kind := range []provisioning.Kind{provisioning.User, provisioning.Group} {
		page, err := e.Target.Page(ctx, kind, "")
		switch {
		case errors.Is(err, provisioning.ErrNoPages):
			return true, nil
		case err != nil:
			return false, fmt.Errorf("read %s: %w", s.config.Target, err)
		case len(page.Resources) > 0:
			return true, nil
		}
	}
	return false, nil
}

// look is what a cycle is to look at.
type look struct {
	repair, dryRun bool
	retry          syncjobs.Retry
	unread         error // why the source is not read this time; nil: it is
	hurries        bool  // a source that keeps it waiting is left alone when something is due
}

// outcome is how a cycle went.
type outcome struct {
	report Report
	done   provisioning.Result
	unread error // why the source could not be read
	failed error // why the target could not be brought into line
}

// failure is what went wrong, for people: an error of the program, or of either side.
func (x outcome) failure(s *Synchronizer, err error) error {
	if x.failed != nil { // its text names the job, which nobody knows here
		err = s.explained("write", x.failed)
	}
	return errors.Join(x.unread, err)
}

// explained is why the target could not be read, or brought into line, with what to do.
func (s *Synchronizer) explained(what string, failed error) error {
	err := fmt.Errorf("%s %s: %w", what, s.config.Target, failed)
	if errors.As(failed, new(*provisioning.TooManyDeletesError)) {
		const remedy = "gatehouse sync shows them with --dry-run, and lets them go with a higher --max-deletions"
		err = fmt.Errorf("%w: %s", err, remedy)
	}
	return err
}

// cycle is Cycle.
func (s *Synchronizer) cycle(ctx context.Context, how look) (outcome, error) {
	began := time.Now()
	x, err := s.turn(ctx, how)
	x.report.Took = time.Since(began)
	x.report.Unread, x.report.Missing = len(s.leftOut), len(s.absent)
	x.report.Ended = s.ended
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateFor)
	defer cancel()
	inStep, unread := s.inStep(last, x.unread, ctx.Err() != nil)
	x.report.InStep, err = inStep, errors.Join(err, x.failed, unread)
	return x, err
}

// turn is cycle, apart from what both sides are in the end. What was read before is brought to the
// target although the source cannot be read: who left, and could not be told so, does not wait for
// it. That is no time to compare.
func (s *Synchronizer) turn(ctx context.Context, how look) (x outcome, err error) {
	var pulled mirror.Pulled
	if x.unread = how.unread; x.unread == nil {
		pulled, x.unread = s.pull(ctx, how.hurries)
	}
	limit := new(provisioning.Removals)
	read, ended := x.unread == nil, errors.As(x.unread, new(*endedError))
	s.ended = ended || (s.ended && !read)
	if !read {
		if limit, err = s.rests(ctx, x.unread); ended { // which is said, and is no failure
			x.unread = nil
		}
		if err != nil || (how.dryRun && !ended) || limit == nil {
			return x, err
		}
	}
	entries := &collector{byObject: map[provisioning.Ref]provisioning.Entry{}}
	engine, err := s.prepared(ctx, how, read, entries)
	if err != nil {
		return x, err
	}
	if err := cmp.Or(s.tellLeftOut(ctx, engine), s.tellAbsent(ctx, engine)); err != nil {
		return x, err
	}
	if engine.Only = *limit; engine.Only != provisioning.Unlimited {
		err = s.removes(ctx, engine, &x)
	} else {
		s.tellMissing(engine)
		err = s.run(ctx, engine, &x)
	}
	if !how.dryRun && x.done.Cycle != "" {
		s.held = errors.As(x.failed, new(*provisioning.TooManyDeletesError))
	}
	x.report = entries.report()
	x.report.Cycle = x.done.Cycle
	x.report.Full = pulled.Full
	x.report.Compared = engine.Reread && !errors.As(x.failed, new(*provisioning.TooManyDeletesError))
	x.report.Read = pulled.Objects
	x.report.Changes = x.done.Exported()+x.done.Failed > 0
	return x, err
}

// removes is run, for a cycle that only takes access away.
func (s *Synchronizer) removes(ctx context.Context, engine *provisioning.Engine, x *outcome) error {
	spends, next, err := s.spends(ctx, engine)
	if err != nil || spends == nil {
		x.done.RetryAt = next
		return err
	}
	if x.done, x.failed = engine.Run(ctx); x.failed == nil && !engine.DryRun { // it is no cycle of the job's
		s.spent = *spends
	}
	return nil
}

// prepared is the engine of a cycle, which tells of what it does. A target is compared only after
// the source was read.
func (s *Synchronizer) prepared(
	ctx context.Context, how look, read bool, entries *collector,
) (*provisioning.Engine, error) {
	job, err := s.config.State.Job(ctx, s.job.ServicePrincipalID, s.job.ID)
	if err != nil {
		return nil, err
	}
	engine, err := s.engine(how.retry)
	if err != nil {
		return nil, err
	}
	compares := job.Unasked && job.Compares(s.config.State.Now())
	engine.Reread = read && (how.repair || compares)
	engine.Unasked = read && compares && !how.repair
	engine.Routine = !s.config.GiveBack
	engine.DryRun = how.dryRun
	engine.HeldBack = s.held && !how.dryRun
	engine.OnEntry = func(e provisioning.Entry) {
		if silent(e) {
			return
		}
		entries.add(e)
		if s.config.OnEntry != nil && how.dryRun == s.config.DryRun {
			s.config.OnEntry(e)
		}
	}
	engine.Progress = s.config.OnProgress
	return engine, nil
}

// run runs a cycle, or tries it. The error is one of the program, or says that the cycle failed.
func (s *Synchronizer) run(ctx context.Context, engine *provisioning.Engine, x *outcome) (err error) {
	if engine.DryRun {
		x.done, x.failed = engine.Run(ctx)
		return nil
	}
	x.done, err = s.runner.Cycle(ctx, s.job, engine)
	if err == nil && engine.Reread {
		err = s.repaired(ctx)
	}
	if cycle := new(syncjobs.CycleError); errors.As(err, &cycle) {
		x.failed = cycle.Err
	}
	return err
}

// Explain reads what changed, and says how a person is provisioned, step by step. It changes
// nothing at the target.
func (s *Synchronizer) Explain(ctx context.Context, userPrincipalName string) (provisioning.Explanation, error) {
	if _, err := s.pull(ctx, false); err != nil {
		return provisioning.Explanation{}, err
	}
	u, err := s.config.State.UserByIDOrName(ctx, userPrincipalName)
	if refusal.KindOf(err) == refusal.NotFound {
		return provisioning.Explanation{}, fmt.Errorf(
			"%s is not in the directory at %s: check the user principal name", userPrincipalName,
			s.config.Source.BaseURL,
		)
	}
	if err != nil {
		return provisioning.Explanation{}, err
	}
	engine, err := s.engine(syncjobs.RetryAll)
	if err != nil {
		return provisioning.Explanation{}, err
	}
	engine.DryRun = true
	return engine.One(ctx, provisioning.Ref{Kind: provisioning.User, ID: string(u.ID)})
}

// engine is the engine of the job, with what a tenant's own jobs do not do.
func (s *Synchronizer) engine(retry syncjobs.Retry) (*provisioning.Engine, error) {
	e, err := s.runner.Engine(s.job, retry)
	if err != nil {
		return nil, err
	}
	e.Careful = true
	e.Adopt = s.config.Adopt
	if s.config.Store != nil {
		e.LeaverGrace, e.KeepStrangers = s.config.LeaverGrace, s.config.KeepStrangers
		e.Mappings, err = provisioning.Compile(identitystore.Mappings(s.job.Mappings()))
		return e, err
	}
	target, err := s.runner.Target(s.job)
	if err != nil {
		return nil, err
	}
	e.Target = provisioning.SCIM(target, s.dialect)
	if s.dialect != provisioning.AWS {
		// What AWS requires is required of AWS only: others need no more than a name.
		schema := s.job.Mappings()
		for i := range schema.Objects {
			for k := range schema.Objects[i].Attributes {
				a := &schema.Objects[i].Attributes[k]
				a.Required = a.Required && a.Matching > 0
			}
		}
		e.Mappings, err = provisioning.Compile(schema)
	}
	return e, err
}

// silent says that an entry tells of nothing: its object was looked at, and nothing was to do.
func silent(e provisioning.Entry) bool {
	return e.Outcome == provisioning.Skipped && e.Code == "" && e.Action != provisioning.StagedDelete
}

// collector makes one entry of all entries of an object.
type collector struct {
	mu       sync.Mutex // several requests are under way at once
	byObject map[provisioning.Ref]provisioning.Entry
}

func (c *collector) add(e provisioning.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first, seen := c.byObject[e.Ref]
	if !seen {
		c.byObject[e.Ref] = e
		return
	}
	if first.Action == provisioning.Other {
		first.Action, first.Outcome = e.Action, e.Outcome
	}
	if e.Code != "" {
		first.Code, first.Reason = e.Code, e.Reason
	}
	first.Added = append(first.Added, e.Added...)
	first.Removed = append(first.Removed, e.Removed...)
	if first.Action != provisioning.Create {
		first.Changes = append(first.Changes, e.Changes...)
	}
	if e.Outcome == provisioning.Failure {
		first.Outcome = e.Outcome
		first.Code = e.Code
		first.Reason = e.Reason
	}
	c.byObject[e.Ref] = first
}

func (c *collector) report() (r Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Objects = slices.SortedFunc(maps.Values(c.byObject), func(a, b provisioning.Entry) int {
		return cmp.Or(
			-strings.Compare(string(a.Ref.Kind), string(b.Ref.Kind)), strings.Compare(a.Name, b.Name),
			strings.Compare(a.Ref.ID, b.Ref.ID),
		)
	})
	for i := range r.Objects {
		e := &r.Objects[i]
		if e.Code == "StrangersInGroup" {
			r.Strangers++
		}
		slices.Sort(e.Added)
		slices.Sort(e.Removed)
		switch {
		case e.Outcome == provisioning.Failure:
			r.Failed++
		case e.Action == provisioning.Create:
			r.Created++
		case e.Action == provisioning.Update:
			r.Updated++
		case e.Action == provisioning.Disable:
			r.Disabled++
		case e.Action == provisioning.Delete:
			r.Deleted++
		}
	}
	return r
}
