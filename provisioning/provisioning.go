// Package provisioning is the engine that keeps a SCIM service provider in sync with a directory,
// as Entra ID's provisioning service does.
//
// A cycle is read, plan, apply: the Source says which objects may have changed, the plan compares
// them with what the Memory says was sent, and the SCIM requests follow in Entra's order: users,
// then the references between them, then groups, then members in batches. The requests are in one
// of Entra's two dialects. A dry run does everything except the requests that change something.
//
// Sources: Entra documentation, "How provisioning works"; the SCIM tutorial.
//
// It may import names, provisioning/mapping and scim.
package provisioning

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
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
	Name       string             // for the log: a user name or a group's name
	Gone       bool               // it no longer exists
	Deleted    bool               // of a user: it was deleted, and can be restored
	Assigned   bool               // it is to be provisioned, unless a scoping filter says otherwise
	Active     bool               // of a user: may sign in
	Attributes mapping.Attributes // of the directory, by the names that expressions use
	Manager    string             // of a user: the source id of the manager
	Members    []string           // of a group: the source ids of its users that may be provisioned
	Trace      string             // the traceparent of what has changed it; empty: nobody follows that
}

// Changes is what may have changed since a watermark. Objects that did not change cost nothing but
// their comparison.
type Changes struct {
	Users, Groups []Object
	Watermark     string
}

// Source is a directory.
type Source interface {
	// Changes returns what may have changed since the watermark, and the objects in also. With an
	// empty watermark it returns everything that is assigned, and the objects in also. A user comes
	// together with the groups that it is a member of.
	Changes(ctx context.Context, watermark string, also []Ref) (Changes, error)
	// Object returns one object; it is Gone when there is none.
	Object(ctx context.Context, ref Ref) (Object, error)
}

// Action is what was done to an object. The names are those of Entra's provisioning log.
type Action string

// The actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Disable Action = "disable"
	Delete  Action = "delete"
	Other   Action = "other"

	StagedDelete Action = "stagedDelete" // held back, since the cycle would delete too many
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
	// Attribute and Holder say, of a foreseen conflict, which value somebody else has, and who.
	Attribute, Holder string

	Changes  []Change // attributes before and after, as far as the engine knows
	Added    []string // of a group: the members, by name where it is known, else by their id at the target
	Removed  []string
	Duration time.Duration
}

// Change is an attribute of an object at the target before and after. An empty text is no value.
type Change struct{ Path, Old, New string }

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
	// RetryAt is when the next cycle is due although nothing changes: the earliest of the times at
	// which objects are tried again. Zero: none is.
	RetryAt time.Time
	// Silent is why an object failed, of those whose failure may pass; nil: there is none.
	Silent error
	// SilentAt is when it did, by the machine's clock.
	SilentAt time.Time
	// Uncompared says that everything was compared but for that, and is to be once more: an object
	// that is found later would not be.
	Uncompared bool
}

// Exported is how many objects were written to the target.
func (r Result) Exported() int { return r.Created + r.Updated + r.Disabled + r.Deleted }

// Mappings are the attribute mappings of both kinds of object. A nil one leaves that kind alone.
type Mappings struct{ Users, Groups *mapping.Compiled }

// Compile makes the mappings of a schema ready. The error says what is wrong and where.
func Compile(schema mapping.Schema) (m Mappings, err error) {
	for kind, into := range map[Kind]**mapping.Compiled{User: &m.Users, Group: &m.Groups} {
		o := schema.Of(string(kind))
		if o == nil {
			continue
		}
		c, err := mapping.Compile(*o)
		if err != nil {
			return m, err
		}
		for _, a := range o.Attributes {
			if _, err := placeOf(a.Target); err != nil {
				return m, err
			}
		}
		if len(c.Matching()) == 0 {
			return m, fmt.Errorf("the mapping of %ss has no matching attribute", strings.ToLower(string(kind)))
		}
		if o.Enabled {
			*into = c
		}
	}
	return m, nil
}

func (m Mappings) of(kind Kind) *mapping.Compiled {
	if kind == User {
		return m.Users
	}
	return m.Groups
}

// Engine runs cycles of one job.
type Engine struct {
	Source   Source
	Target   Target
	Memory   Memory
	Mappings Mappings
	Now      func() time.Time
	NewID    func() string
	Progress func(Progress) // may be nil
	OnEntry  func(Entry)    // told of every entry as it happens, skipped ones too; may be nil
	// Trace follows what is done about an object, in the context that it returns; may be nil.
	Trace   func(context.Context, Object) (context.Context, func(error))
	Workers int // requests under way at once, at most; DefaultWorkers when zero

	// MaxDeletions is how many objects a cycle may disable or delete; with more it changes nothing
	// about them, does all else and fails with TooManyDeletesError. Each object counts once: one
	// that was let through is, for as often as it fails. Zero: any number.
	MaxDeletions int
	// AllowDeletions lets any number through this time.
	AllowDeletions bool
	// HeldBack says that those who are held back have been told of already: only newcomers are.
	HeldBack bool
	// SkipOutOfScope leaves objects alone that are no longer assigned, instead of disabling users
	// and deleting groups.
	SkipOutOfScope bool
	// LeaverGrace is how long a user who has left is kept, without memberships, at a target that
	// cannot be told that somebody is disabled. Whoever comes back in time gets the memberships
	// back; then, or when somebody else gets the name, the user is deleted, unless it was there
	// before and the engine is careful.
	LeaverGrace time.Duration
	// KeepStrangers leaves members of groups alone whom somebody else has added, and says who they
	// are, where everything is compared and the target tells members.
	KeepStrangers bool
	// SkipDeleted leaves users alone that were deleted, until they are gone.
	SkipDeleted bool
	// Careful takes nothing over and deletes nothing that was not made from the same source. What
	// is there already is reported, and is taken over with Adopt; groups whose name begins with
	// AWS, as those of Control Tower, never are.
	Careful, Adopt bool
	// Reread looks at everything, and compares it with what the target has now instead of what was
	// last sent: what somebody changed there is put right.
	Reread bool
	// Unasked says that everything is compared since nothing is known of the target, and not since
	// somebody wants it: members whom others have put into groups stay.
	Unasked bool
	// Routine says that everything is compared since it is time to, and not since somebody wants
	// back what a restore holds: whoever is not enabled, made anew or put back into a group because
	// of one, stays so.
	Routine bool
	// Only limits the cycle to what takes access away, where the source is known in part.
	Only Removals
	// Restored says that the memory is older than the target, and maybe the source is.
	Restored bool
	// DryRun sends nothing that changes the target and remembers nothing. OnEntry is told what
	// would be done.
	DryRun bool

	sleep func(context.Context, time.Duration) error // between two tries; nil: as long as it takes
	look  time.Duration                              // lookMeanwhile, when zero
}

// DefaultWorkers is how many requests are under way at once, at most.
const DefaultWorkers = 16 //bound:queue requests of a sync at once

// MaxMembers is how many members one request changes. AWS allows 100.
const MaxMembers = 100 //bound:list members of a group that one SCIM request of the sync changes

// maxTries is how often a failing request is sent before the object waits for a later cycle, and
// maxThrottled how often one that is throttled: the target says when, and will take it some time.
const (
	maxTries     = 5  //bound:depth tries of a request of the sync in one cycle
	maxThrottled = 50 //bound:depth tries of a request of the sync that the target throttles
)

// CredentialsError means that the target refused the credentials; the job belongs in quarantine.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string {
	return "the target refused the credentials: " + e.Err.Error()
}

// TooManyDeletesError means that a cycle would disable or delete more objects than it may, and has
// changed none of them. Source: accidental deletions page.
type TooManyDeletesError struct{ Deletions, Allowed int }

func (e *TooManyDeletesError) Error() string {
	return names.Counted(
		"the cycle would disable or delete %d {object|objects}, more than the %d that {is|are} allowed; "+
			"none of them was changed",
		e.Deletions, e.Allowed,
	)
}

// Unwrap returns the target's answer.
func (e *CredentialsError) Unwrap() error { return e.Err }

// ErrNoFilter says that a target does not search as it is asked to.
var ErrNoFilter = errors.New("the SCIM endpoint found a user with a random name, which cannot exist")

// Test does what the portal's Test Connection does: it asks for a user who cannot exist and wants
// an empty list.
func Test(ctx context.Context, target Target, randomName string) error {
	found, err := target.Find(ctx, User, "userName", randomName)
	if err != nil {
		return credentials(err)
	}
	if len(found) != 0 {
		return ErrNoFilter
	}
	return nil
}

func credentials(err error) error {
	var p *scim.Problem
	if refused := new(CredentialsError); errors.As(err, &refused) {
		return err
	}
	if errors.As(err, &p) && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden) {
		return &CredentialsError{err}
	}
	return err
}

// cycle is one run of the engine.
type cycle struct {
	*Engine
	result Result
	mu     sync.Mutex // guards result, done, names, managed, found, counted and weighed
	done   int
	total  int
	pace   *pace
	there  map[Kind]*roster  // at the target, when the cycle began; nil: it must be asked
	names  map[string]string // of objects, by their id at the target

	door    *door
	turns   *turns        // nil: nobody else works on anything
	main    *cycle        // beside which this one works; nil: none
	unkept  atomic.Bool   // something could not be remembered
	batches *atomic.Int32 // that were begun
	ended   []string      // batches that are over, and that the memory need not know any more; guarded by mu

	former  map[string]string // ids of users before the memory was restored, by those of now; guarded by mu
	targets map[Ref]string    // where users are at the target, as far as somebody asked; guarded by mu

	managed map[Ref]bool // users whose manager is, or was, to be sent
	deleted map[Ref]bool // users who were deleted, and are nobody's manager
	shaken  map[Ref]bool // users whose memberships may have ended at the target; guarded by mu
	found   map[Ref]bool // objects that were at the target before
	made    map[Ref]bool // objects that were not; guarded by mu
	rolls   rolls
	counted map[Ref]bool // objects that are in the result
	weighed int          // objects that this cycle has let through to be disabled or deleted, or holds back
	excess  excess       // those; guarded by mu

	seen       map[string]bool // ids at the target of which this cycle knows whether they are there; guarded by mu
	absent     map[Ref]bool    // by kind and id at the target: not found in two ways, or deleted; guarded by mu
	lost       map[Ref]string  // objects that are not at the target any more, with their ids there; guarded by mu
	missed     []Ref           // objects that were deleted at the target, and are to be made anew; guarded by mu
	latecomers []Ref           // users who are taken over only now, since they have failed; guarded by mu
	brought    map[Ref]bool    // users who are in line only now, and whom something else follows; guarded by mu
	doubts     bool            // whatever is looked at may have been deleted at the target
	waits      bool            // somebody was left alone whose time has not come; guarded by mu
	scouts     bool            // one object is tried, once

	finders map[Ref]Ref // who is linked, by kind and id at the target, to what had no link; guarded by mu

	yielded  map[Ref]bool               // objects that were to give a name up
	renamed  []*knot                    // those that have, and are to get another one; guarded by mu
	escrowed []Failing                  // objects that failed, and whose time comes later
	released map[string]bool            // names that somebody has given up; guarded by mu
	reserved map[string]Ref             // values that objects are to be made with; guarded by mu
	listing  baton                      // guards values
	searches *searches                  // shared with cycles beside it
	values   map[string]map[string]bool // that somebody has at the target, where it does not search by them

	compared  map[Kind]bool // what is at the target was listed, where it lists
	unlisted  error         // why it was not
	putOff    bool          // conflicts are collected, since the name may be freed by the time that all others are done
	conflicts []candidate   // guarded by mu too
}

// Run runs one cycle. An error means that the cycle could not be done; single objects that fail are
// in the result, the memory and the log, and are tried again by the next cycle.
func (e *Engine) Run(ctx context.Context) (Result, error) {
	c := e.cycle(true)
	err := c.recover(ctx)
	if err == nil {
		err = c.run(ctx)
	}
	err = errors.Join(err, c.end(ctx))
	held := c.tooManyDeletes()
	if err == nil || held != nil {
		var unread error
		c.result.RetryAt, unread = c.earliest(ctx)
		err = errors.Join(held, err, unread)
	}
	c.result.Ended = e.Now()
	return c.result, err
}

// cycle begins a cycle: a thorough one may look at everything that the target has.
func (e *Engine) cycle(thorough bool) *cycle {
	own := *e
	if own.DryRun {
		own.Memory = newRehearsal(e.Memory)
		own.Target = newStage(e.Target, thorough)
	}
	return &cycle{
		Engine:  &own,
		result:  Result{Cycle: e.NewID(), Began: e.Now()},
		pace:    newPace(e.workers()),
		there:   map[Kind]*roster{},
		names:   map[string]string{},
		targets: map[Ref]string{},
		former:  map[string]string{},
		managed: map[Ref]bool{},
		deleted: map[Ref]bool{},
		shaken:  map[Ref]bool{},
		found:   map[Ref]bool{},
		made:    map[Ref]bool{},
		counted: map[Ref]bool{},
		seen:    map[string]bool{},
		absent:  map[Ref]bool{},
		lost:    map[Ref]string{},
		brought: map[Ref]bool{},
		door:    &door{mu: newBaton()},
		rolls:   rolls{mu: newBaton()},
		listing: newBaton(),
		batches: &atomic.Int32{},
		yielded: map[Ref]bool{},

		released: map[string]bool{},
		compared: map[Kind]bool{},
		searches: &searches{mu: newBaton(), none: map[string]bool{}},
	}
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
	changes, err := c.changes(ctx, watermark)
	if err != nil {
		return err
	}
	c.result.Imported = len(changes.Users) + len(changes.Groups)
	if c.Only != Unlimited {
		return c.takeAway(ctx, changes)
	}
	if c.result.Imported == 0 && !c.Reread { // and nothing to bother the target with
		if changes.Watermark == watermark {
			return nil
		}
		return c.Memory.SetWatermark(ctx, changes.Watermark, false)
	}
	users, err := c.evaluate(ctx, changes.Users)
	if err != nil {
		return err
	}
	groups, err := c.evaluate(ctx, changes.Groups)
	if err != nil {
		return err
	}
	seen, err := c.survey(ctx, users, groups)
	if err != nil {
		return err
	}
	switch held := c.tooManyDeletes() != nil; {
	case held && c.Reread && (c.Unasked || c.Restored):
		err = c.retried(ctx, seen.leaving)
	case held:
		c.Reread = false // which the cycle does that brings everybody into line
		err = c.align(ctx, changes, seen, c.free(users), c.free(groups))
	default:
		err = c.align(ctx, changes, seen, users, groups)
	}
	return errors.Join(err, c.untried(ctx, seen.leaving))
}

// align brings users and groups into line with what the source has.
func (c *cycle) align(ctx context.Context, changes Changes, seen survey, users, groups []candidate) error {
	if err := c.test(ctx); err != nil {
		return err
	}
	if c.total = c.result.Imported; c.Reread {
		c.total += len(seen.leaving)
	}
	c.report(c.result.Imported - len(users) - len(groups)) // of kinds that are not mapped
	defer c.meanwhile(ctx, changes)()
	for _, phase := range []func() error{
		func() error { return c.removals(ctx, seen.leaving, groups) },
		func() error { return c.rosters(ctx, seen) },
		func() error { return c.retire(ctx) },
		func() error { return c.provisionAll(ctx, c.withoutLeaving(users, seen.leaving)) },
		func() error { return c.managers(ctx, users) },
		func() error { return c.provisionAll(ctx, c.withoutLeaving(groups, seen.leaving)) },
		func() error {
			return announced(ctx, c, c.workers(), c.withMembers(groups), c.planMembers, c.members)
		},
		func() error { return c.awaited(ctx, users, groups) },
		func() error { return c.lookAtLatecomers(ctx) },
		func() error { return c.anew(ctx, changes.Watermark) },
		func() error { return c.followed(ctx) },
	} {
		if err := phase(); err != nil {
			return err
		}
	}
	if c.tooManyDeletes() != nil { // the next cycle looks at them again
		return c.unlisted
	}
	if c.unlisted != nil { // what was done is done
		return errors.Join(c.unlisted, c.Memory.SetWatermark(ctx, changes.Watermark, false))
	}
	// What failed, and is found later, would not be compared: nobody asks again.
	compared := c.Reread && (!c.Unasked || (c.result.Silent == nil && !c.waits))
	c.result.Uncompared = c.Reread && !compared
	return c.Memory.SetWatermark(ctx, changes.Watermark, compared)
}

// changes asks the source: for what has changed and what failed before, or for everything.
func (c *cycle) changes(ctx context.Context, watermark string) (Changes, error) {
	if c.Reread {
		watermark = ""
	}
	also, err := c.due(ctx)
	if watermark == "" {
		also, err = c.Memory.Known(ctx)
	}
	if err != nil {
		return Changes{}, fmt.Errorf("read what was provisioned before: %w", err)
	}
	changes, err := c.Source.Changes(ctx, watermark, also)
	if err != nil {
		return Changes{}, fmt.Errorf("read the source: %w", err)
	}
	return changes, nil
}

// due lists the objects that failed and are to be tried again by now.
func (c *cycle) due(ctx context.Context) (refs []Ref, err error) {
	failing, err := c.Memory.Failed(ctx)
	now := c.Now()
	for _, f := range failing {
		switch wait := f.RetryAt.Sub(now); {
		case f.Now || wait <= 0 || (f.Early && wait <= together):
			refs = append(refs, f.Ref)
		case (len(f.Wants) > 0 || (f.Early && wait > MaxPause)) && len(c.escrowed) < maxEscrowed:
			c.escrowed = append(c.escrowed, f)
		}
	}
	return refs, err
}

// maxEscrowed is how many objects that failed are looked through for one that wants a name which
// somebody gives up. What each wants is at hand; who failed before it was noted is read.
const maxEscrowed = 10_000 //bound:list failed objects that the sync looks through for who wants a name

// earliest is when the first of the objects that failed is to be tried again, of those of which the
// cycle does something. The cycle may have set a time besides.
func (c *cycle) earliest(ctx context.Context) (at time.Time, err error) {
	failing, err := c.pending(ctx)
	at = c.result.RetryAt
	for _, f := range failing {
		waits, err := c.hasToWait(ctx, f)
		if err != nil {
			return at, err
		}
		if !waits && (at.IsZero() || f.RetryAt.Before(at)) {
			at = f.RetryAt
		}
	}
	return at, err
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
