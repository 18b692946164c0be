package tenant

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// JobState says whether a job is on.
type JobState string

// The states.
const (
	JobActive JobState = "Active"
	JobPaused JobState = "Paused"
)

// JobID is a synchronization job's id: <template>.<tenant id without dashes>.<UUID>.
type JobID string

// Job is a synchronization job: the automatic provisioning of one application.
type Job struct {
	ID                 JobID
	ServicePrincipalID ServicePrincipalID
	TemplateID         string
	State              JobState
	Credentials        Credentials
	NotificationEmail  string
	SyncAll            bool            // all users and groups instead of the assigned ones
	FlattenGroups      bool            // members of groups in a group count as its own, which they do not for Entra
	SkipOutOfScope     bool            // users who are no longer assigned are left alone
	SkipDeleted        bool            // users who are deleted are left alone until they are deleted for good
	DeleteThreshold    int             // a cycle that would disable or delete more is held back; 0: any number
	AllowDeletes       bool            // once
	Schema             *mapping.Schema // nil: the default mappings
	Watermark          string
	// goes up whenever everything is to be looked at again, so that a cycle under way does not
	// count as that
	Evaluation    int
	Compare       bool      // with what the target has, at the next look at everything: somebody wants it
	Unasked       bool      // the same, since the job or its target is new; an older node does not know it
	Restored      bool      `json:",omitempty"` // from a backup, and nothing was compared since
	ComparedAt    time.Time // when that was last done
	Unlisted      int       // how often in a row it failed, since the target did not list
	UnlistedAt    time.Time // when it last did
	EqualSince    time.Time // since when the target has what the directory has; zero: it has not
	LinkedTo      string    // the address of the target that its links are of; empty: not noted yet
	Asked         int       // goes up with everything that an administrator does to the job
	Failures      int       // cycles in a row that could not be done
	Last          *Execution
	LastSuccess   *Execution
	SteadyFirst   time.Time // when the first full cycle was done
	SteadyLast    time.Time
	Quarantine    *Quarantine
	Users, Groups int      // synchronized and still linked
	Days          []JobDay `json:",omitempty"` // how its cycles went lately, oldest first
	CreatedAt     time.Time
	// how often in a row not all was compared, since something failed that may pass, and when that
	// was last so
	Uncompared   int       `json:",omitempty"`
	UncomparedAt time.Time `json:",omitzero"`
	// since when, by the last cycle, the target is not known to have what the directory has; zero:
	// it is. An older node does not note it: EqualSince has the last word
	BehindSince time.Time `json:",omitzero"`
}

// jobReader reads provisioning jobs.
type jobReader interface {
	Job(id JobID) (Job, error)
	Jobs(servicePrincipalID ServicePrincipalID) ([]Job, error) // all jobs when empty
}

// jobWriter writes provisioning jobs.
type jobWriter interface {
	PutJob(Job) error
	DeleteJob(id JobID) error
}

// compare makes the next cycle look at everything, and compare it with what the target has.
func (j *Job) compare() {
	j.reset()
	j.Compare, j.Unasked = true, false
	j.Restored = false
	j.Unlisted, j.Uncompared = 0, 0
}

// compareUnasked is compare where nobody has asked for it: what somebody else has done at the
// target stays, and a node that does not know the mark only looks at everything.
func (j *Job) compareUnasked() {
	j.reset()
	j.Unlisted, j.Uncompared = 0, 0
	j.EqualSince = time.Time{}
	if !j.Compare {
		j.Unasked = true
	}
}

// Restored has every job compare what its target has with a directory that was just restored from
// a backup: the links are as old as that, and the target may be newer.
func Restored(tx Tx) error {
	jobs, err := tx.Jobs("")
	for _, j := range jobs {
		j.compareUnasked()
		j.Restored = true
		err = errors.Join(err, tx.PutJob(j))
	}
	return err
}

// listsAgain is when a target that did not list what it has, a few times in a row, is to do so.
const listsAgain = time.Hour //bound:none how often, not how much

const fewLists = 3 //bound:none after which it is asked to more seldom

// Where something fails that may pass while everything is compared, it is tried again by itself,
// and everything is compared once more when nothing fails so; if that takes long, after so much
// time, doubled each time.
const (
	comparesAgain  = time.Minute      //bound:none how often, not how much
	comparesSeldom = 16 * time.Minute //bound:none how often, not how much
)

// Compares says whether a cycle that begins now compares everything.
func (j Job) Compares(now time.Time) bool { return (j.Compare || j.Unasked) && j.ComparesIn(now) == 0 }

// ComparesIn is how long it is until a cycle may compare everything, if it is to. At a target that
// has not listed what it has lately, it would do everything, and fail, each minute; and where one
// object fails for good, each of its tries would be a comparison.
func (j Job) ComparesIn(now time.Time) time.Duration {
	var wait time.Duration
	if j.Unlisted >= fewLists {
		wait = j.UnlistedAt.Add(listsAgain).Sub(now)
	}
	if j.Uncompared > 0 {
		pause := min(comparesAgain<<min(j.Uncompared-1, 10), comparesSeldom)
		wait = max(wait, j.UncomparedAt.Add(pause).Sub(now))
	}
	if wait > listsAgain+ClockSlack { // it was noted by a clock that was set back since
		return 0
	}
	return max(wait, 0)
}

// reset makes the next cycle look at everything.
func (j *Job) reset() { j.Watermark, j.Evaluation = "", j.Evaluation+1 }

// Execution is one cycle.
type Execution struct {
	ID                                     string
	State                                  string // Succeeded, Failed or EntryLevelErrors
	Began, Ended                           time.Time
	Imported, Exported, Escrowed, Entitled int
	ErrorCode, ErrorMessage                string
	Unlisted                               bool `json:",omitempty"` // the target did not list what it has
	Uncompared                             bool `json:",omitempty"` // of what was to be compared, something failed
}

// Quarantine says why a job is held back.
type Quarantine struct {
	Reason, Code, Message string
	Began, NextAttempt    time.Time
	Tries                 int
}

// Link is what a job remembers of an object.
type Link struct {
	JobID    JobID
	Kind     ObjectKind
	SourceID PrincipalID
	TargetID string // the target's own
	Adopted  bool
	Sent     map[string]string
	Manager  UserID // of a user, when last seen
	Members  []string
	Held     []string `json:",omitempty"` // whose membership was taken away at the target, and is not given back
	Former   string   `json:",omitempty"` // of a user: the target's id before a restore, if it is another one now
	HeldOff  bool     `json:",omitempty"` // of a user: is not enabled, or made anew, before somebody says so
	Failure  string
	Tries    int
	RetryAt  time.Time // when it is looked at again although nothing has changed
	Doubt    *Doubt    // nil: what the target has is known
	Since    time.Time // since when the target is not known to have what it should
	Batch    string    // the last one of which this link has the outcome
	Wants    []string  `json:",omitempty"` // what it is to have that only one may, where it failed for good
	Left     time.Time `json:",omitzero"`  // when a user left a target that cannot be told so
	Counted  bool      `json:",omitempty"` // it was let through to be disabled or deleted, and is not yet
	// the log says that it is held back; an older node forgets that, and then it is said once more
	Staged bool `json:",omitempty"`
	// for how long it is left alone, since the target takes no more requests
	Asked time.Duration `json:",omitempty"`
}

// Refused says that the last attempt has failed in a way that does not pass by itself.
func (l Link) Refused() bool { return l.Failure != "" && len(l.Wants) > 0 }

// LinkState is how an object stands at a job's target, in a word.
type LinkState string

// How objects stand at a job's target.
const (
	LinkProvisioned LinkState = "provisioned"
	LinkFails       LinkState = "fails"
	LinkUncertain   LinkState = "uncertain" // whether the last requests were carried out
	LinkLeft        LinkState = "left"      // a user who left a target that cannot be told so
	LinkNone        LinkState = "none"      // the target does not have it
)

// LinkStates are all of them.
var LinkStates = []LinkState{LinkProvisioned, LinkFails, LinkUncertain, LinkLeft, LinkNone}

// State is how the object of the link stands. Of the zero link it is LinkNone.
func (l Link) State() LinkState {
	switch {
	case l.Failure != "":
		return LinkFails
	case l.Doubt.Open():
		return LinkUncertain
	case !l.Left.IsZero():
		return LinkLeft
	case l.TargetID == "":
		return LinkNone
	}
	return LinkProvisioned
}

// Doubt is what a job does not know of an object: whether its last requests were carried out.
type Doubt struct {
	Since   time.Time
	Keys    []map[string]string // what the object is found by, if it was created
	Members []string            // at the target, of a group
	Looked  bool                // the target was looked at since then, and is once more
	First   time.Time           `json:",omitzero"`  // when it began; zero: as Since
	Deleted []string            `json:",omitempty"` // ids at the target that were deleted while it lasts
}

// Batch is what a job was about to send, noted before it was sent.
type Batch struct {
	JobID   JobID
	ID      string
	Began   time.Time
	Intents []Intent
}

// Intent is what was to be sent about an object.
type Intent struct {
	Kind     ObjectKind
	SourceID PrincipalID
	Keys     map[string]string
	Members  []string
}

// linkReader reads which object of the target belongs to which of ours.
type linkReader interface {
	Link(jobID JobID, kind ObjectKind, sourceID PrincipalID) (Link, error)
	LinkTo(jobID JobID, kind ObjectKind, targetID string) (Link, error)
	LinksOfReports(jobID JobID, managerID UserID) ([]Link, error)
	Links(jobID JobID) ([]Link, error)
	FailedLinks(jobID JobID) ([]Link, error) // those that have a time to be looked at
	Batches(jobID JobID) ([]Batch, error)
	CountLinks(jobID JobID, kind ObjectKind) (int, error) // only those that are at the target
}

// linkWriter writes which object of the target belongs to which of ours.
type linkWriter interface {
	PutLink(Link) error
	DeleteLink(jobID JobID, kind ObjectKind, sourceID PrincipalID) error
	DeleteLinks(jobID JobID) error // all of a job, and its batches
	PutBatch(Batch) error
	DeleteBatch(jobID JobID, id string) error
}

// LogEntry is a line of the provisioning log.
type LogEntry struct {
	ID                   string
	JobID                JobID
	CycleID              string
	Time                 time.Time
	Kind                 ObjectKind
	SourceID             PrincipalID
	TargetID             string
	Name, Action, Status string
	Code, Reason         string
	Changes              []AttributeChange `json:",omitempty"`
	Added, Removed       []string          `json:",omitempty"` // members, by name
	Duration             time.Duration
}

// logReader reads the provisioning log.
type logReader interface {
	Log(LogQuery) ([]LogEntry, error)
	// LogBeyond is the time of the entry that comes so many entries before a moment; the zero time
	// if there are no more than that.
	LogBeyond(at time.Time, entries int) (time.Time, error)
	Written() ([]Written, error) // what the log says was written, by all jobs that ever were, each once
}

// logWriter writes the provisioning log.
type logWriter interface {
	AppendLog([]LogEntry) error
	DeleteLog(before time.Time) (rows int, err error)
}

// Written is an object at a target that a job has written. Without a TargetID it may have made it:
// the answer says nothing.
type Written struct {
	JobID JobID
	Mark
	TargetID string
}

// Written is what an entry says was written. ok is false where that is nothing.
func (e LogEntry) Written() (w Written, ok bool) {
	w = Written{e.JobID, Mark{Kind: e.Kind, ID: e.SourceID}, e.TargetID}
	switch e.Status {
	case "success":
		return w, e.TargetID != "" && e.Action != "other"
	case "failure":
		return w, e.TargetID == "" && e.Action == "create" && slices.Contains(unanswered, e.Code)
	}
	return w, false
}

// unanswered are the codes of failures after which nobody knows what was done. Source: provisioning
// logs page.
var unanswered = []string{
	"InternalServerError", "WebExceptionProtocolError", "SystemForCrossDomainIdentityManagementServiceIncompatible",
}

// AttributeChange is an attribute at the target before and after.
type AttributeChange struct{ Path, Old, New string }

// CreateJob makes the provisioning job of an application, paused. It fails with JobExists when
// there is one.
func (t *Tenant) CreateJob(
	ctx context.Context, by audit.Actor, servicePrincipalID ServicePrincipalID, templateID string,
) (Job, error) {
	return t.createJob(ctx, by, servicePrincipalID, templateID, nil)
}

// CreateJobWith is CreateJob and ConfigureJob: both or neither.
func (t *Tenant) CreateJobWith(
	ctx context.Context, by audit.Actor, servicePrincipalID ServicePrincipalID, templateID string, s JobSettings,
) (Job, error) {
	return t.createJob(ctx, by, servicePrincipalID, templateID, func(tx Tx, j *Job) error {
		if err := authorizeIn(tx, by, ActionUpdateProvisioningSettingOrCredentials); err != nil {
			return err
		}
		return errors.Join(t.configure(j, s),
			tx.AppendEvent(t.event(by, ActionUpdateProvisioningSettingOrCredentials.name, string(j.ID), nil)))
	})
}

func (t *Tenant) createJob(
	ctx context.Context, by audit.Actor, servicePrincipalID ServicePrincipalID, templateID string,
	and func(Tx, *Job) error,
) (Job, error) {
	made := Job{
		ServicePrincipalID: servicePrincipalID,
		TemplateID:         templateID,
		State:              JobPaused,
		Unasked:            true, // one before it may have left people at the target
		CreatedAt:          t.now(),
		ID:                 JobID(templateID + "." + strings.ReplaceAll(t.Organization.ID, "-", "") + "." + t.NewID()),
	}
	var j Job
	err := t.change(ctx, by, ActionAddProvisioningConfiguration, func(tx Tx, _ *Touched) (string, error) {
		if _, err := tx.Application(AnyApplicationID(servicePrincipalID)); err != nil {
			return string(servicePrincipalID), refusal.IfNoRow(err, ApplicationNotFound, string(servicePrincipalID))
		}
		existing, err := tx.Jobs(servicePrincipalID)
		if err != nil {
			return string(servicePrincipalID), err
		}
		if len(existing) > 0 {
			return string(servicePrincipalID), &refusal.Error{Code: JobExists, Subject: string(existing[0].ID)}
		}
		j = made
		if and != nil {
			if err := and(tx, &j); err != nil {
				return string(servicePrincipalID), err
			}
		}
		return string(j.ID), tx.PutJob(j)
	})
	return j, err
}

// JobSettings are what an administrator sets. Nil fields do not change.
type JobSettings struct {
	BaseAddress, SecretToken, NotificationEmail *string
	SyncAll, SkipOutOfScope, FlattenGroups      *bool
	SkipDeleted                                 *bool
	DeleteThreshold                             *int
}

// ConfigureJob saves settings. New credentials lift a quarantine; a change of scope is evaluated
// from the beginning. A new address without its token is refused with CredentialsMissing.
func (t *Tenant) ConfigureJob(ctx context.Context, by audit.Actor, id JobID, s JobSettings) error {
	return t.updateJob(
		ctx, by, ActionUpdateProvisioningSettingOrCredentials, id, func(j *Job) error { return t.configure(j, s) },
	)
}

func (t *Tenant) configure(j *Job, s JobSettings) error {
	if err := t.setCredentials(j, s.BaseAddress, s.SecretToken); err != nil {
		return err
	}
	if s.NotificationEmail != nil {
		if _, err := mail.ParseAddress(*s.NotificationEmail); err != nil && *s.NotificationEmail != "" {
			return &refusal.Error{Code: InvalidValue, Subject: "notification email", Detail: "not an email address"}
		}
		j.NotificationEmail = *s.NotificationEmail
	}
	if s.DeleteThreshold != nil {
		if *s.DeleteThreshold < 0 {
			return &refusal.Error{
				Code:    InvalidValue,
				Subject: "deletion threshold",
				Detail:  "use 1 or more, or 0 for none",
			}
		}
		j.DeleteThreshold = *s.DeleteThreshold
	}
	if all := s.SyncAll; all != nil && *all && j.Mappings().MapsRoles() {
		return &refusal.Error{Code: InvalidValue, Subject: "scope", Detail: rolesOfAll}
	}
	if s.SkipOutOfScope != nil {
		j.SkipOutOfScope = *s.SkipOutOfScope
	}
	for _, b := range []struct{ from, to *bool }{{s.SyncAll, &j.SyncAll}, {s.FlattenGroups, &j.FlattenGroups},
		{s.SkipDeleted, &j.SkipDeleted}} {
		if b.from != nil && *b.from != *b.to {
			*b.to = *b.from
			j.reset()
		}
	}
	return nil
}

func (t *Tenant) updateJob(ctx context.Context, by audit.Actor, action Action, id JobID, edit func(*Job) error) error {
	return t.changeJob(ctx, by, action, id, func(_ Tx, j *Job) error { return edit(j) })
}

// changeJob changes a job, and has the runner look at it.
func (t *Tenant) changeJob(
	ctx context.Context, by audit.Actor, action Action, id JobID, edit func(Tx, *Job) error,
) error {
	err := t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		j, err := tx.Job(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, JobNotFound, string(id))
		}
		if err := edit(tx, &j); err != nil {
			return string(id), err
		}
		j.Asked++
		return string(id), errors.Join(tx.PutJob(j), tx.PutNote(noteAsked, t.NewID()))
	})
	if err == nil && t.Changed != nil {
		t.Changed()
	}
	return err
}

// StartJob turns provisioning on, and lifts a quarantine. It fails with CredentialsMissing.
func (t *Tenant) StartJob(ctx context.Context, by audit.Actor, id JobID) error {
	return t.updateJob(ctx, by, ActionEnableStartProvisioningConfiguration, id, func(j *Job) error {
		if j.Credentials.BaseAddress == "" || j.Credentials.SealedToken == "" {
			return &refusal.Error{Code: CredentialsMissing, Subject: string(id)}
		}
		j.State, j.Quarantine = JobActive, nil
		return nil
	})
}

// PauseJob turns provisioning off. A running cycle finishes; everything is remembered.
func (t *Tenant) PauseJob(ctx context.Context, by audit.Actor, id JobID) error {
	return t.updateJob(ctx, by, ActionDisablePauseProvisioningConfiguration, id, func(j *Job) error {
		j.State = JobPaused
		return nil
	})
}

// Reset says what a restart does. Source: synchronizationJobRestartCriteria.
type Reset struct {
	Links        bool // what is remembered of objects counts for nothing: it is compared with what the target has
	Watermark    bool // everything is evaluated from the beginning
	Quarantine   bool // is lifted
	Escrows      bool // what has failed is tried again at once
	ForceDeletes bool // lets the deletions pass, once, that are held back
}

// RestartJob starts provisioning again. With Links the next cycle reads what the target has, and
// puts right what differs, both ways.
func (t *Tenant) RestartJob(ctx context.Context, by audit.Actor, id JobID, reset Reset) error {
	return t.changeJob(ctx, by, ActionEnableRestartProvisioningConfiguration, id, func(tx Tx, j *Job) error {
		switch {
		case reset.Links:
			j.compare()
		case reset.Watermark:
			j.reset()
		}
		if reset.Quarantine || reset.ForceDeletes {
			j.Quarantine = nil
		}
		j.AllowDeletes = reset.ForceDeletes
		if !reset.Escrows {
			return nil
		}
		links, err := tx.FailedLinks(id)
		for _, l := range links {
			l.RetryAt = t.now()
			err = errors.Join(err, tx.PutLink(l))
		}
		return err
	})
}

// DeleteJob removes a job with its memory, apart from what proves who was written by it.
func (t *Tenant) DeleteJob(ctx context.Context, by audit.Actor, id JobID) error {
	return t.change(ctx, by, ActionDeleteProvisioningConfiguration, func(tx Tx, _ *Touched) (string, error) {
		j, err := tx.Job(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, JobNotFound, string(id))
		}
		return string(id), endJob(tx, j, t.now())
	})
}

// Job returns one job of an application, or JobNotFound.
func (t *Tenant) Job(ctx context.Context, servicePrincipalID ServicePrincipalID, id JobID) (j Job, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		j, err = r.Job(id)
		if err == nil && j.ServicePrincipalID != servicePrincipalID {
			err = refusal.ErrNoRow
		}
		return refusal.IfNoRow(err, JobNotFound, string(id))
	})
	return j, err
}

// Jobs lists the jobs of an application, or all of them.
func (t *Tenant) Jobs(ctx context.Context, servicePrincipalID ServicePrincipalID) (jobs []Job, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		jobs, err = r.Jobs(servicePrincipalID)
		return err
	})
	return jobs, err
}
