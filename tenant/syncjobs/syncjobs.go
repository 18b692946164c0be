// Package syncjobs runs a tenant's synchronization jobs: the tenant is the engine's source, its
// store the engine's memory. A job is woken by a change, not polled for, so the target follows
// within a second instead of forty minutes.
//
// It may import audit, outbound, provisioning, provisioning/mapping, refusal, scim and tenant.
package syncjobs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Runner runs the jobs of a tenant.
type Runner struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
	HTTP   *http.Client // how targets are reached
	// Own is the target of a job that writes to no SCIM endpoint; nil: it does.
	Own provisioning.Target
	// Domain is the default domain of the directory that expressions are about, where that is not
	// the tenant itself but one that it is a copy of.
	Domain string
	// Interval is how long after a cycle the next one begins, as Entra ID's forty minutes. Zero: as
	// soon as something has changed.
	Interval time.Duration
	// Counted is told of each cycle, and of each object that one looks at; nil: nobody is.
	Counted Counted
	// Trace follows a cycle, and what is done about an object: with the traceparent of the change
	// that has caused it, where that is known. Nil: nobody does.
	Trace func(ctx context.Context, name, traceparent string, about ...string) (context.Context, func(error))

	nodes    *nodes
	wake     chan struct{}
	mu       sync.Mutex
	progress map[string]provisioning.Progress // of running cycles, by job
	desks    map[tenant.JobID]chan struct{}   // one works on a job at a time
	expected map[tenant.JobID]tenant.Standing // between cycles
	patience map[string]*scim.Patience        // with targets, by address
}

// Counted is told what cycles do.
type Counted interface {
	Cycle(job, result string)
	// Object is told of what was done about an object: Entra's action and status, and of a failure
	// its code.
	Object(job, action, status, code string)
}

// AnswerTimeout bounds how long a target may take for one answer.
const AnswerTimeout = time.Minute //bound:wait a SCIM target

// New makes a runner and has the tenant wake it. client is how targets are reached: outbound makes
// one that asks only what may be asked.
func New(t *tenant.Tenant, log *slog.Logger, client *http.Client) *Runner {
	r := &Runner{
		Tenant:   t,
		Log:      log,
		HTTP:     client,
		nodes:    newNodes(t),
		wake:     make(chan struct{}, 1),
		progress: map[string]provisioning.Progress{},
		desks:    map[tenant.JobID]chan struct{}{},
		expected: map[tenant.JobID]tenant.Standing{},
		patience: map[string]*scim.Patience{},
	}
	t.Changed = r.Wake
	return r
}

// Target is the SCIM client of a job.
func (r *Runner) Target(j tenant.Job) (*scim.Client, error) {
	target, err := r.Tenant.SavedTarget(j, j.Credentials.BaseAddress)
	client := r.client(target)
	client.Patience = r.patienceWith(client.BaseURL)
	return client, err
}

// maxPatience is of how many targets it is remembered how slow they are.
const maxPatience = 1000 //bound:rows targets of which a tenant knows how slow they are

// patienceWith is how long to wait for a target, which is learned over the cycles.
func (r *Runner) patienceWith(address string) *scim.Patience {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.patience[address]
	if p == nil {
		if len(r.patience) >= maxPatience {
			clear(r.patience)
		}
		p = &scim.Patience{}
		r.patience[address] = p
	}
	return p
}

func (r *Runner) client(t tenant.Target) *scim.Client {
	return &scim.Client{BaseURL: t.Address(), Token: t.Token().Reveal(), HTTP: r.HTTP}
}

// RunJob runs one cycle of a job and records how it went, unless another node works on the job. The
// error is one of the program, not of the target.
func (r *Runner) RunJob(ctx context.Context, listed tenant.Job) error {
	_, err := r.runJob(ctx, listed, false, false)
	var failed *CycleError
	if errors.As(err, &failed) || errors.Is(err, errElsewhere) { // it is in the job's status
		return nil
	}
	return err
}

// runJob is RunJob with what the cycle did, and with the error of the target too. In again, objects
// that failed for a reason that may pass are tried although their time has not come. The lease of a
// job whose cycle failed is kept when keep says so.
//
// The cycle is announced before the job is read, so that a caller who pauses a job and then sees no
// cycle knows that none will come.
func (r *Runner) runJob(
	ctx context.Context, listed tenant.Job, again, keep bool,
) (done provisioning.Result, err error) {
	working, h, leave, err := r.claim(ctx, listed.ID, 0)
	if refusal.CodeOf(err) == tenant.JobNotFound {
		return done, nil
	}
	if err != nil {
		return done, err
	}
	defer func() {
		var failed *CycleError
		leave(keep && errors.As(err, &failed), done.RetryAt)
	}()
	if r.Trace != nil {
		var end func(error)
		working, end = r.Trace(working, "synchronization cycle", "", "gatehouse.job", string(listed.ID))
		defer func() { end(err) }()
	}
	r.announce(string(listed.ID), provisioning.Progress{})
	defer func() {
		r.mu.Lock()
		delete(r.progress, string(listed.ID))
		r.mu.Unlock()
	}()
	j, err := r.Tenant.Job(working, listed.ServicePrincipalID, listed.ID)
	if refusal.CodeOf(err) == tenant.JobNotFound || (err == nil && j.State != tenant.JobActive) {
		return done, nil
	}
	if err != nil {
		return done, err
	}
	if err := r.Tenant.Arrive(working, h.Holding, j); err != nil {
		return done, err
	}
	retry := RetryDue
	if again {
		retry = RetryPassing
	}
	engine, err := r.engine(j, r.memory(h.Holding, j, retry))
	if err != nil {
		return done, err
	}
	engine.HeldBack = j.HoldsBack(r.Tenant.Now())
	engine.Progress = func(p provisioning.Progress) { r.announce(string(j.ID), p) }
	done, err = r.cycle(working, h.Holding, j, engine)
	if soon := r.Tenant.Now().Add(breath(done)); !done.RetryAt.IsZero() && done.RetryAt.Before(soon) {
		done.RetryAt = soon // whatever the cycle had against it
	}
	if ctx.Err() != nil {
		return done, nil // stopped: the next start goes on from what is remembered
	}
	return done, err
}

// breath is how long nothing is tried again after a cycle: for as long as that took, since the
// target, or this machine, may be busy. Who changes at the source does not wait for it.
func breath(done provisioning.Result) time.Duration {
	return max(shortest/2, min(done.Ended.Sub(done.Began), longestBreath))
}

// longestBreath is what a leaver who has failed may wait longer.
const longestBreath = 2 * time.Second //bound:wait what has failed, after a long cycle

// CycleError is why a cycle as a whole could not be done. The job's status has it too.
type CycleError struct{ Err error }

func (e *CycleError) Error() string { return e.Err.Error() }

// Unwrap returns the engine's error.
func (e *CycleError) Unwrap() error { return e.Err }

// Cycle runs a cycle of a job by an engine, and records how it went. No other node may share the
// store.
func (r *Runner) Cycle(ctx context.Context, j tenant.Job, engine *provisioning.Engine) (provisioning.Result, error) {
	return r.cycle(ctx, tenant.Holding{}, j, engine)
}

func (r *Runner) cycle(
	ctx context.Context, h tenant.Holding, j tenant.Job, engine *provisioning.Engine,
) (provisioning.Result, error) {
	result, failure := engine.Run(ctx)
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	// not the target's doing, and there is nowhere to record it
	if passes(failure) || errors.Is(failure, tenant.ErrLeaseLost) {
		return result, failure
	}
	x := tenant.Execution{
		ID:       result.Cycle,
		State:    "Succeeded",
		Began:    result.Began,
		Ended:    result.Ended,
		Imported: result.Imported,
		Exported: result.Exported(),
		Escrowed: result.Failed,
		Entitled: result.Imported,

		Uncompared: result.Uncompared,
	}
	if result.Failed > 0 {
		x.State = "EntryLevelErrors"
	}
	reason := ""
	if failure != nil {
		x.State, x.ErrorMessage = "Failed", failure.Error()
		x.ErrorCode, reason = judge(failure)
		x.Unlisted = errors.As(failure, new(*provisioning.UnlistedError))
	}
	if r.Counted != nil {
		r.Counted.Cycle(string(j.ID), x.State)
	}
	r.Log.InfoContext(
		ctx, "synchronization cycle", "job", j.ID, "state", x.State, "imported", x.Imported, "exported", x.Exported,
		"failed", x.Escrowed, "took", x.Ended.Sub(x.Began).Round(time.Millisecond), "error", x.ErrorMessage,
	)
	if err := r.Tenant.FinishCycle(ctx, h, j, x, failure, reason); err != nil {
		return result, err
	}
	if failure != nil {
		return result, &CycleError{failure}
	}
	return result, nil
}

// judge gives Entra's code for a cycle that failed, and why the job goes into quarantine for it; ""
// when it does not.
func judge(failure error) (code, reason string) {
	var refused *provisioning.CredentialsError
	var deletes *provisioning.TooManyDeletesError
	var problem *scim.Problem
	switch {
	case errors.As(failure, &refused):
		return "SystemForCrossDomainIdentityManagementInvalidCredentials", tenant.QuarantineException
	case errors.As(failure, &deletes):
		return "TooManyDeletes", tenant.QuarantineDeletes
	// A query that finds nobody must be answered with an empty list. Where no service has said that
	// it has none, a proxy may be without a backend for a moment.
	case errors.As(failure, &problem) && problem.Status == http.StatusNotFound && !problem.Foreign:
		return "SystemForCrossDomainIdentityManagementServiceIncompatible", tenant.QuarantineException
	}
	return "SystemForCrossDomainIdentityManagementServiceIncompatible", ""
}

// Retry says which of the objects that have failed are tried again, besides those whose time has
// come.
type Retry uint8

// The objects that are tried again.
const (
	RetryDue     Retry = iota // no others
	RetryPassing              // those that failed for a reason that may pass
	RetryAll                  // all
)

// takes says whether an object is tried although its time may not have come.
func (r Retry) takes(l tenant.Link, now time.Time) bool {
	switch r {
	case RetryPassing:
		return l.RetryAt.Sub(now) <= provisioning.MaxPause && l.Asked == 0 && !l.Refused()
	case RetryAll:
		return l.Failure != ""
	}
	return false
}

// Engine is the engine of a job, as its settings have it.
func (r *Runner) Engine(j tenant.Job, retry Retry) (*provisioning.Engine, error) {
	return r.engine(j, r.memory(tenant.Holding{}, j, retry))
}

func (r *Runner) memory(h tenant.Holding, j tenant.Job, retry Retry) memory {
	return memory{
		tenant:     r.Tenant,
		holding:    h,
		job:        j.ID,
		evaluation: j.Evaluation,
		began:      r.Tenant.Now(),
		retry:      retry,
	}
}

func (r *Runner) engine(j tenant.Job, m memory) (*provisioning.Engine, error) {
	there := r.Own
	if there == nil {
		target, err := r.Target(j)
		if err != nil {
			return nil, err
		}
		there = provisioning.SCIM(target, provisioning.DialectOf(j.Credentials.BaseAddress))
	}
	mappings, err := provisioning.Compile(j.Mappings())
	if err != nil {
		return nil, err
	}
	// An earlier release took names that nothing has. What they would clear is left alone.
	mappings.Users = knowing(mappings.Users, tenant.KindUser)
	mappings.Groups = knowing(mappings.Groups, tenant.KindGroup)
	now := r.Tenant.Now()
	e := &provisioning.Engine{
		Source:         source{r.Tenant, j, cmp.Or(r.Domain, r.Tenant.Organization.Domain)},
		Target:         there,
		Memory:         m,
		Mappings:       mappings,
		Now:            r.Tenant.Now,
		NewID:          r.Tenant.NewID,
		MaxDeletions:   j.DeleteThreshold,
		AllowDeletions: j.AllowDeletes,
		SkipOutOfScope: j.SkipOutOfScope,
		SkipDeleted:    j.SkipDeleted,
		Reread:         j.Compares(now),
		Unasked:        j.Unasked && j.Compares(now),
		Restored:       j.Restored,
	}
	if r.Counted != nil {
		e.OnEntry = func(x provisioning.Entry) {
			r.Counted.Object(string(j.ID), string(x.Action), string(x.Outcome), x.Code)
		}
	}
	if r.Trace != nil {
		e.Trace = func(ctx context.Context, o provisioning.Object) (context.Context, func(error)) {
			return r.Trace(ctx, "provision "+string(o.Kind), o.Trace, "gatehouse.job", string(j.ID))
		}
	}
	return e, nil
}

// OnDemand provisions one object of a job now, and the named members of a group with it. It waits a
// little for a cycle of the job to end, and then fails with ConcurrentChange. In a dry run it only
// says what would be done.
func (r *Runner) OnDemand(
	ctx context.Context, j tenant.Job, what tenant.Mark, members []tenant.UserID, dryRun bool,
) (provisioning.Explanation, error) {
	h := &held{}
	var x provisioning.Explanation
	if !dryRun {
		working, claimed, leave, err := r.claim(ctx, j.ID, onDemandPatience)
		if err != nil {
			return x, err
		}
		defer func() {
			leave(false, x.RetryAt)
			r.Wake() // or what has failed would not be tried again before something changes
		}()
		ctx, h = working, claimed
		if err := r.Tenant.Arrive(ctx, h.Holding, j); err != nil {
			return x, err
		}
	}
	m := r.memory(h.Holding, j, RetryDue)
	m.elsewhere = dryRun && j.Moved()
	e, err := r.engine(j, m)
	if err != nil {
		return x, err
	}
	e.DryRun = dryRun
	x, err = e.One(ctx, provisioning.Ref{Kind: provisioning.Kind(what.Kind), ID: string(what.ID)}, texts(members)...)
	if !dryRun {
		err = errors.Join(err, r.Tenant.NoteInStep(ctx, h.Holding, j.ID, x.Wrote()))
	}
	return x, err
}

func (r *Runner) announce(jobID string, p provisioning.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress[jobID] = p
}

// Progress says how far the running cycle of a job has come, at whichever node; ok is false when
// none runs.
func (r *Runner) Progress(jobID string) (done, total int, ok bool) {
	r.mu.Lock()
	p, ok := r.progress[jobID]
	r.mu.Unlock()
	if ok || !r.nodes.shared {
		return p.Done, p.Total, ok
	}
	ctx, end := context.WithTimeout(context.Background(), beatPatience)
	defer end()
	at, err := r.Tenant.Pulse(ctx)
	if err != nil {
		return 0, 0, true // nobody knows, and who waits for the end asks again
	}
	for _, l := range at.Leases {
		if string(l.JobID) == jobID && l.State == tenant.LeaseRunning {
			return l.Done, l.Total, true
		}
	}
	return 0, 0, false
}

// own says how far the running cycle of a job has come at this node.
func (r *Runner) own(id tenant.JobID) (done, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.progress[string(id)]
	return p.Done, p.Total
}

// Test is Test Connection.
func (r *Runner) Test(ctx context.Context, target tenant.Target) error {
	there := provisioning.SCIM(r.client(target), provisioning.Entra)
	if err := provisioning.Test(ctx, there, r.Tenant.NewID()); err != nil {
		return &refusal.Error{Code: tenant.CredentialsInvalid, Detail: told(err)}
	}
	return nil
}

func knowing(m *mapping.Compiled, kind tenant.ObjectKind) *mapping.Compiled {
	if m == nil {
		return nil
	}
	return m.Knowing(func(name string) bool { return tenant.KnownSource(kind, name) })
}
