package dirsync

import (
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Line says of one object what was done or failed, for programs: fields are added, never changed or
// removed.
type Line struct {
	Time     time.Time    `json:"time"`
	Cycle    string       `json:"cycle"`
	Kind     string       `json:"kind"`
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	TargetID string       `json:"target_id,omitempty"`
	Action   string       `json:"action"`
	Status   string       `json:"status"`
	Code     string       `json:"code,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Changes  []LineChange `json:"changes,omitempty"`
	Added    []string     `json:"added,omitempty"`
	Removed  []string     `json:"removed,omitempty"`
}

// LineChange is one attribute that changed.
type LineChange struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Summary sums a cycle up, for programs.
type Summary struct {
	Cycle    string  `json:"cycle"`
	DryRun   bool    `json:"dry_run"`
	Full     bool    `json:"full"` // everything was read
	Read     int     `json:"read"`
	Created  int     `json:"created"`
	Updated  int     `json:"updated"`
	Disabled int     `json:"disabled"`
	Deleted  int     `json:"deleted"`
	Failed   int     `json:"failed"`
	Seconds  float64 `json:"seconds"`

	Strangers int `json:"groups_with_strangers,omitempty"` // of a repair at an identity store
	Unread    int `json:"unread,omitempty"`                // objects of the source that cannot be read
	// Objects that are missing from a reading of everything, and keep what they have.
	Missing int      `json:"missing,omitempty"`
	Ended   bool     `json:"application_gone,omitempty"`
	ToDo    []string `json:"to_do,omitempty"` // for a person, before all is provisioned

	InStep    bool      `json:"in_step"` // the target is known to have what the source has
	Since     time.Time `json:"since"`   // since when that is so, or not so
	Uncertain int       `json:"uncertain"`
	Failing   int       `json:"failing"`
	Pending   int       `json:"pending"`
}

// Describe makes the line of an entry.
func Describe(e provisioning.Entry) Line {
	line := Line{
		Time:     e.Time.UTC(),
		Cycle:    e.Cycle,
		Kind:     string(e.Ref.Kind),
		ID:       e.Ref.ID,
		Name:     e.Name,
		TargetID: e.TargetID,
		Action:   string(e.Action),
		Status:   string(e.Outcome),
		Code:     e.Code,
		Reason:   e.Reason,
		Added:    e.Added,
		Removed:  e.Removed,
	}
	for _, c := range e.Changes {
		line.Changes = append(line.Changes, LineChange(c))
	}
	return line
}

// Rest says that a cycle could not do all; nil: it did.
func (r Report) Rest() error {
	switch {
	case r.Ended:
		return errors.New("the application was deleted at the source, and nobody is provisioned by it")
	case r.Missing > 0:
		return errors.New(terminal.Counted(
			"%d {object|objects} of the source {is|are} missing, which is not believed", r.Missing,
		))
	case r.Failed > 0:
		return errors.New(terminal.Counted("%d {object|objects} failed; the next run tries again", r.Failed))
	case r.Unread > 0:
		return errors.New(terminal.Counted(
			"%d {object|objects} of the source cannot be read; the next run tries again", r.Unread,
		))
	}
	return nil
}

// Summary sums the cycle up.
func (r Report) Summary(dryRun bool) Summary {
	return Summary{
		Cycle:    r.Cycle,
		DryRun:   dryRun,
		Full:     r.Full,
		Read:     r.Read,
		Created:  r.Created,
		Updated:  r.Updated,
		Disabled: r.Disabled,
		Deleted:  r.Deleted,
		Failed:   r.Failed,
		Seconds:  r.Took.Seconds(),

		Strangers: r.Strangers,
		Unread:    r.Unread,
		Missing:   r.Missing,
		Ended:     r.Ended,
		ToDo:      r.ToDo(),

		InStep:    r.InStep.Equal,
		Since:     r.InStep.Since,
		Uncertain: r.InStep.Uncertain,
		Failing:   r.InStep.Failing,
		Pending:   r.InStep.Pending,
	}
}
