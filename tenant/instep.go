package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// InStep says whether the target of a job is known to have what the directory has, and what is
// missing. It is as good as what the target has answered: what somebody changes there is seen by a
// comparison only.
type InStep struct {
	Equal bool
	Since time.Time // since when that is so

	Uncertain int // objects about which a request has no answer, and that have not been looked at since
	Failing   int // objects that could not be brought into line
	Pending   int // changes of the directory that no cycle has looked at

	ComparedAt time.Time // when everything was last compared with what the target has; zero: never
}

// OutOfStep is how many objects and changes keep the two sides from being equal.
func (s InStep) OutOfStep() int { return s.Uncertain + s.Failing + s.Pending }

// Behind is for how long the two sides have not been known to be equal; zero: they are.
func (s InStep) Behind(now time.Time) time.Duration {
	if s.Equal || s.Since.IsZero() {
		return 0
	}
	return max(now.Sub(s.Since), time.Millisecond)
}

// InStep looks whether a job has brought the two sides into step.
func (t *Tenant) InStep(ctx context.Context, id JobID) (s InStep, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		j, err := r.Job(id)
		if err != nil {
			return refusal.IfNoRow(err, JobNotFound, string(id))
		}
		s, err = inStep(r, j)
		return err
	})
	return s, err
}

func inStep(r Reader, j Job) (s InStep, err error) {
	s.ComparedAt = j.ComparedAt
	oldest := time.Time{}
	earlier := func(at time.Time) {
		if oldest.IsZero() || (!at.IsZero() && at.Before(oldest)) {
			oldest = at
		}
	}
	links, e1 := r.FailedLinks(j.ID)
	pending, since, e2 := r.CountMarks(number(j.Watermark))
	if err := errors.Join(e1, e2); err != nil {
		return InStep{}, err
	}
	behind := j.EqualSince.IsZero() && !j.BehindSince.IsZero()
	if behind {
		earlier(j.BehindSince)
	}
	switch s.Pending = pending; {
	case j.LastSuccess == nil: // nothing is known yet
		earlier(j.CreatedAt)
	case j.Watermark == "": // everything is to be looked at again
		earlier(j.LastSuccess.Ended)
	case pending > 0:
		earlier(since)
	}
	if unnoted := j.Uncompared > 0 && !behind; unnoted && j.LastSuccess != nil { // by an earlier version
		earlier(j.LastSuccess.Ended)
	}
	for _, l := range links {
		switch {
		case l.Failure != "" && l.Doubt.Open():
			s.Uncertain++
		case l.Failure != "":
			s.Failing++
		case l.Doubt.Open():
			s.Uncertain++
		case l.Tries > 0: // the members or the manager, after a cycle that was cut short
			s.Failing++
		default:
			continue
		}
		earlier(l.Since)
	}
	// What was mended since the last cycle, the next one notes.
	unknown := j.LastSuccess == nil || j.Watermark == "" || j.Uncompared > 0
	if s.Since = oldest; unknown || behind || s.OutOfStep() > 0 {
		return s, nil
	}
	s.Equal = true
	if s.Since = j.EqualSince; s.Since.IsZero() { // an earlier version did not note it
		s.Since = j.LastSuccess.Ended
	}
	return s, nil
}

// Open says whether there is a doubt, and nobody has looked at the target since it began.
func (d *Doubt) Open() bool { return d != nil && !d.Looked }

// noteInStep notes at the end of a cycle since when both sides are equal, or are not. began is the
// job as the cycle had it: what was to be done then has kept them from being equal, although nobody
// knows any more when it was.
func (j *Job) noteInStep(r Reader, began Job, x Execution) error {
	links, e1 := r.FailedLinks(j.ID)
	was, e2 := inStep(r, began)
	equal := j.Watermark != ""
	passing := false // something fails, and may pass
	for _, l := range links {
		behind := l.Failure != "" || l.Doubt.Open() || l.Tries > 0
		equal = equal && !behind
		soon := l.Asked > 0 || l.RetryAt.Sub(x.Ended) <= comparesAgain
		passing = passing || (behind && soon && !l.Refused())
	}
	if equal = equal && j.Uncompared == 0; j.Uncompared > 0 && !passing && !x.Uncompared {
		j.UncomparedAt = time.Time{} // it is compared once more, at once
	}
	if was.Equal {
		was.Since = x.Began
	}
	switch {
	case equal && (j.EqualSince.IsZero() || !was.Equal || x.Exported > 0):
		j.EqualSince, j.BehindSince = x.Ended, time.Time{}
	case !equal && j.BehindSince.IsZero():
		j.EqualSince, j.BehindSince = time.Time{}, was.Since
	case !equal:
		j.EqualSince = time.Time{}
	}
	return errors.Join(e1, e2)
}

// NoteInStep notes whether both sides are equal after an object of a job was provisioned outside of
// its cycles. wrote says that the target was changed.
func (t *Tenant) NoteInStep(ctx context.Context, h Holding, id JobID, wrote bool) error {
	return t.Store.Update(ctx, func(tx Tx) error {
		if err := h.Check(tx); err != nil {
			return err
		}
		j, err := tx.Job(id)
		if errors.Is(err, refusal.ErrNoRow) { // deleted meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		before, x := j, Execution{Began: t.now(), Ended: t.now()}
		if wrote {
			x.Exported = 1
		}
		err = j.noteInStep(tx, before, x)
		if err != nil || (j.EqualSince.Equal(before.EqualSince) && j.BehindSince.Equal(before.BehindSince)) {
			return err
		}
		return tx.PutJob(j)
	})
}
