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
	if s.Pending = pending; pending > 0 {
		earlier(since)
	}
	if j.Uncompared > 0 {
		earlier(j.UncomparedSince)
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
	switch {
	case j.LastSuccess == nil: // nothing is known yet
		s.Since = j.CreatedAt
	case j.Watermark == "": // everything is to be looked at again
		s.Since = j.LastSuccess.Ended
	case s.OutOfStep() > 0:
		s.Since = oldest
	case j.Uncompared > 0:
		if s.Since = j.UncomparedSince; s.Since.IsZero() { // an earlier version did not note it
			s.Since = j.LastSuccess.Ended
		}
	default:
		s.Equal = true
		if s.Since = j.EqualSince; s.Since.IsZero() { // an earlier version did not note it
			s.Since = j.LastSuccess.Ended
		}
	}
	return s, nil
}

// Open says whether there is a doubt, and nobody has looked at the target since it began.
func (d *Doubt) Open() bool { return d != nil && !d.Looked }

// noteInStep notes at the end of a cycle since when both sides are equal.
func (j *Job) noteInStep(r Reader, x Execution) error {
	links, err := r.FailedLinks(j.ID)
	equal := err == nil
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
	switch {
	case !equal:
		j.EqualSince = time.Time{}
	case j.EqualSince.IsZero() || x.Exported > 0:
		j.EqualSince = x.Ended
	}
	return err
}
