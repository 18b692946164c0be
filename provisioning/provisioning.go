// Package provisioning is the engine that keeps a SCIM service provider in step with a directory, as Entra ID's provisioning service does.
//
// A cycle is read, plan, apply: the Source says which objects may have changed, the plan is made of what the Memory remembers to have
// sent, and the SCIM requests follow in Entra's order: users, then the references between them, then groups, then members in batches.
// The requests are those of Entra's default dialect: capitalised operations, one attribute each, "False" as text.
//
// Sources: Entra documentation, "How provisioning works"; the SCIM tutorial. It may import scim.
package provisioning

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// Kind is the kind of a directory object.
type Kind string

// The kinds.
const (
	User  Kind = "User"
	Group Kind = "Group"
)

// path is where objects of the kind live at the target.
func (k Kind) path() string { return "/" + string(k) + "s" }

// Ref names an object of the source.
type Ref struct {
	Kind Kind
	ID   string
}

// Object is what the source says about an object now.
type Object struct {
	Ref
	Name       string            // for the log: a user name or a group's name
	Gone       bool              // it does not exist any more
	InScope    bool              // it is to be provisioned
	Active     bool              // of a user: may sign in
	Attributes map[string]string // SCIM path → value; empty values are left out
	Manager    string            // of a user: the source id of the manager
	Members    []string          // of a group: the source ids of its users in scope
}

// Changes is what may have changed since a watermark. Objects that did not change cost nothing but their comparison.
type Changes struct {
	Users, Groups []Object
	Watermark     string
}

// Source is a directory.
type Source interface {
	// Changes returns what may have changed since the watermark, and the objects in also. With an empty watermark it returns everything
	// in scope. A user comes together with the groups that it is a member of.
	Changes(ctx context.Context, watermark string, also []Ref) (Changes, error)
}

// Link is what the memory keeps of an object: where it is at the target, and what was last sent.
type Link struct {
	Ref
	TargetID string            // empty: not created yet
	Sent     map[string]string // SCIM path → value, active included
	Members  []string          // of a group: target ids
	Failure  string            // why the last attempt failed; empty: it did not
	Tries    int               // how often it has failed in a row
	RetryAt  time.Time         // when it is tried again although nothing has changed
}

// Memory remembers between cycles. It must survive a crash at any point: what was sent but not remembered is found again by matching.
type Memory interface {
	Watermark(ctx context.Context) (string, error)
	SetWatermark(ctx context.Context, watermark string) error
	// Link returns ErrUnknown for an object that was never seen.
	Link(ctx context.Context, ref Ref) (Link, error)
	// Keep keeps a link and the entries of the log that belong to it, all or nothing.
	Keep(ctx context.Context, link Link, entries ...Entry) error
	// Forget removes a link and keeps the entries.
	Forget(ctx context.Context, ref Ref, entries ...Entry) error
	// Failed lists the objects whose last attempt failed and that are to be tried again by now.
	Failed(ctx context.Context, now time.Time) ([]Ref, error)
}

// ErrUnknown is returned by Memory.Link for an object that was never seen.
var ErrUnknown = errors.New("never seen")

// Action is what was done to an object. The names are those of Entra's provisioning log.
type Action string

// The actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Disable Action = "disable"
	Delete  Action = "delete"
	Other   Action = "other"
)

// Outcome is how it went.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
	Skipped Outcome = "skipped"
)

// Entry is a line of the provisioning log.
type Entry struct {
	Time     time.Time
	Cycle    string
	Ref      Ref
	Name     string
	TargetID string
	Action   Action
	Outcome  Outcome
	Code     string // Entra's error code; empty when nothing failed
	Reason   string
	Duration time.Duration
}

// Progress is how far a cycle has come.
type Progress struct{ Done, Total int }

// Result sums a cycle up.
type Result struct {
	Cycle                                       string
	Began, Ended                                time.Time
	Imported                                    int // objects that the source named
	Created, Updated, Disabled, Deleted, Failed int
	Skipped                                     int
	Initial                                     bool
}

// Exported is how many objects were written to the target.
func (r Result) Exported() int { return r.Created + r.Updated + r.Disabled + r.Deleted }

// Engine runs cycles of one job.
type Engine struct {
	Source   Source
	Target   *scim.Client
	Memory   Memory
	Now      func() time.Time
	NewID    func() string
	Progress func(Progress) // may be nil
	Workers  int            // requests under way at once, at most; DefaultWorkers when zero

	// MaxDeletions is how many objects a cycle may disable or delete; with more it does nothing and fails with TooManyDeletesError. Zero: any number.
	MaxDeletions int
}

// DefaultWorkers is how many requests are under way at once, at most.
const DefaultWorkers = 16

// MaxMembers is how many members one request changes. AWS allows 100.
const MaxMembers = 100

// maxTries is how often a failing request is sent before the object waits for a later cycle, and maxThrottled how often one that is throttled: the target
// says when, and will take it some time.
const (
	maxTries     = 5
	maxThrottled = 50
)

// An object that failed is tried again after a minute, two, four … a day.
const (
	firstEscrow = time.Minute
	maxEscrow   = 24 * time.Hour
)

// CredentialsError means that the target refused the credentials; the job belongs in quarantine.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string {
	return "the target refused the credentials: " + e.Err.Error()
}

// TooManyDeletesError means that a cycle would disable or delete more objects than it may; nothing was done. Source: accidental deletions page.
type TooManyDeletesError struct{ Deletions, Allowed int }

func (e *TooManyDeletesError) Error() string {
	return fmt.Sprintf("the cycle would disable or delete %d objects, more than the %d that are allowed; nothing was done", e.Deletions, e.Allowed)
}

// Unwrap returns the target's answer.
func (e *CredentialsError) Unwrap() error { return e.Err }

// Test does what the portal's Test Connection does: it asks for a user who cannot exist and wants an empty list.
func Test(ctx context.Context, target *scim.Client, randomName string) error {
	found, err := target.Find(ctx, User.path(), "userName", randomName)
	if err != nil {
		return credentials(err)
	}
	if len(found) != 0 {
		return errors.New("the SCIM endpoint found a user whose name was made up just now")
	}
	return nil
}

func credentials(err error) error {
	var p *scim.Problem
	if errors.As(err, &p) && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden) {
		return &CredentialsError{err}
	}
	return err
}

// cycle is one run of the engine.
type cycle struct {
	*Engine
	result Result
	mu     sync.Mutex // guards result and done
	done   int
	total  int
	pace   *pace
	there  map[Kind]roster // at the target, when the cycle began; nil: it must be asked
}

// Run runs one cycle. An error means that the cycle could not be done; single objects that fail are in the result, the memory and the
// log, and are tried again by the next cycle.
func (e *Engine) Run(ctx context.Context) (Result, error) {
	c := &cycle{Engine: e, result: Result{Cycle: e.NewID(), Began: e.Now()}, pace: newPace(e.workers())}
	err := c.run(ctx)
	c.result.Ended = e.Now()
	return c.result, err
}

func (e *Engine) workers() int {
	if e.Workers == 0 {
		return DefaultWorkers
	}
	return e.Workers
}

func (c *cycle) run(ctx context.Context) error {
	watermark, err := c.Memory.Watermark(ctx)
	if err != nil {
		return fmt.Errorf("read the watermark: %w", err)
	}
	c.result.Initial = watermark == ""
	failed, err := c.Memory.Failed(ctx, c.Now())
	if err != nil {
		return fmt.Errorf("read what failed before: %w", err)
	}
	changes, err := c.Source.Changes(ctx, watermark, failed)
	if err != nil {
		return fmt.Errorf("read the source: %w", err)
	}
	c.result.Imported = len(changes.Users) + len(changes.Groups)
	if c.result.Imported == 0 { // and nothing to bother the target with
		if changes.Watermark == watermark {
			return nil
		}
		return c.Memory.SetWatermark(ctx, changes.Watermark)
	}
	all := slices.Concat(changes.Users, changes.Groups)
	if err := c.checkDeletions(ctx, all); err != nil {
		return err
	}
	if err := Test(ctx, c.Target, c.NewID()); err != nil {
		return err
	}
	if err := c.rosters(ctx, all); err != nil {
		return err
	}
	c.total = c.result.Imported
	c.report(0)
	for _, phase := range []struct {
		objects []Object
		do      func(context.Context, Object) error
	}{{changes.Users, c.provision}, {withManager(changes.Users), c.manager}, {changes.Groups, c.provision}, {changes.Groups, c.members}} {
		if err := c.each(ctx, phase.objects, phase.do); err != nil {
			return err
		}
	}
	return c.Memory.SetWatermark(ctx, changes.Watermark)
}

// checkDeletions counts what would be disabled or deleted, before anything is sent.
func (c *cycle) checkDeletions(ctx context.Context, objects []Object) error {
	if c.MaxDeletions == 0 {
		return nil
	}
	n := 0
	for _, o := range objects {
		link, err := c.Memory.Link(ctx, o.Ref)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		if action := plan(o, link, link.TargetID != "").action; action == Disable || action == Delete {
			n++
		}
	}
	if n > c.MaxDeletions {
		return &TooManyDeletesError{n, c.MaxDeletions}
	}
	return nil
}

func withManager(users []Object) (list []Object) {
	for _, u := range users {
		if u.Manager != "" && u.InScope && !u.Gone {
			list = append(list, u)
		}
	}
	return list
}

// each calls do for every object, several at a time, and stops at the first error.
func (c *cycle) each(ctx context.Context, objects []Object, do func(context.Context, Object) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := c.workers()
	queue := make(chan Object)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for o := range queue {
				if err := do(ctx, o); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, o := range objects {
		select {
		case queue <- o:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(queue)
	group.Wait()
	return context.Cause(ctx)
}

func (c *cycle) report(step int) {
	c.mu.Lock()
	c.done += step
	p := Progress{c.done, c.total}
	c.mu.Unlock()
	if c.Progress != nil {
		c.Progress(p)
	}
}
