package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Notice is that a job has gone into quarantine, which people are to be told by mail. It is written
// with the quarantine, and kept until the mail server has taken it: a job has one at the most, that
// of its last quarantine.
type Notice struct {
	JobID      JobID
	ID         string     // another one for each quarantine
	Quarantine Quarantine // as it was when it began
	Due        time.Time  // when it is tried next; while a node tries, when another one may
	Attempts   int
}

// noticeReader reads what people are to be told.
type noticeReader interface {
	Notice(JobID) (Notice, error)
	Notices() ([]Notice, error) // of all jobs
}

// noticeWriter writes what people are to be told.
type noticeWriter interface {
	PutNotice(Notice) error // in place of the job's other one
	DeleteNotice(JobID) error
}

const (
	noticeEach     = 5 * time.Second //bound:none how often, not how much
	noticeLease    = time.Minute     //bound:wait a node that mails a notice of quarantine, before another takes over
	maxNoticePause = time.Hour       //bound:wait the next try to mail a notice of quarantine, at the most
	// noticeTries is how often a notice is mailed, about a day in all: nobody can ask for it again.
	noticeTries = 34 //bound:depth tries to mail a notice of quarantine
)

// concludeWait bounds what is noted of a notice at the end of the program.
const concludeWait = 3 * time.Second //bound:wait what became of a notice of quarantine, at the end

// tell has the people told whom a job's settings name that it has gone into quarantine, where this
// node sends mail.
func (t *Tenant) tell(tx Tx, j Job) error {
	if t.Notify == nil || j.NotificationEmail == "" {
		return nil
	}
	now, err := t.clock(tx)
	return errors.Join(err, tx.PutNotice(Notice{JobID: j.ID, ID: t.NewID(), Quarantine: *j.Quarantine, Due: now}))
}

// due says whether it is time to try a notice. A time that is further away than any pause was noted
// by a clock that was ahead: it has come.
func (n Notice) due(now time.Time) bool {
	wait := n.Due.Sub(now)
	return wait <= 0 || wait > maxNoticePause+ClockSlack
}

// held says whether what is there is this notice, in the hands of the node that has taken it.
func (n Notice) held(there Notice) bool {
	return n.ID == there.ID && n.Attempts == there.Attempts && n.Due.Equal(there.Due)
}

// SendNotices mails what is due. Run calls it now and then, and when there is something.
func (t *Tenant) SendNotices(ctx context.Context) error {
	for {
		if more, err := t.mailNotice(ctx); err != nil || !more {
			return err
		}
	}
}

// mailNotice mails one notice that is due, and says whether there was one.
func (t *Tenant) mailNotice(ctx context.Context) (bool, error) {
	n, err := t.takeNotice(ctx)
	if err != nil || n.ID == "" {
		return false, err
	}
	var said error
	switch subject, text := t.quarantineMail(n); {
	case n.job.NotificationEmail == "": // nobody wants to be told any more
	case n.Attempts > noticeTries:
		said = errors.New("each node that has tried to mail it has ended")
	default:
		said = t.Notify(ctx, n.job.NotificationEmail, subject, text)
	}
	return true, t.concludeNotice(ctx, n.Notice, said)
}

// takenNotice is a notice that is leased, with its job as it is then; zero: that is no more.
type takenNotice struct {
	Notice
	job Job
}

// takeNotice leases the notice that has been due for longest, by the clock that all nodes share.
// Without one it returns the zero value.
func (t *Tenant) takeNotice(ctx context.Context) (n takenNotice, err error) {
	var now time.Time
	next := func(r Reader) error {
		n = takenNotice{}
		all, err := r.Notices()
		if err != nil || len(all) == 0 { // most often
			return err
		}
		if now, err = t.clock(r); err != nil {
			return err
		}
		for _, x := range all {
			if x.due(now) && (n.ID == "" || x.Due.Before(n.Due)) {
				n.Notice = x
			}
		}
		if n.ID == "" {
			return nil
		}
		if n.job, err = r.Job(n.JobID); errors.Is(err, refusal.ErrNoRow) {
			err = nil
		}
		return err
	}
	if err := t.Store.View(ctx, next); err != nil || n.ID == "" {
		return n, err
	}
	err = t.Store.Update(ctx, func(tx Tx) error {
		if err := next(tx); err != nil || n.ID == "" {
			return err
		}
		n.Due, n.Attempts = now.Add(noticeLease), n.Attempts+1
		return tx.PutNotice(n.Notice)
	})
	return n, err
}

// concludeNotice notes what became of a notice, at the end of the program too: otherwise it would
// be sent again. A node that stood still, and of which another has taken it meanwhile, notes only
// that the mail server has it.
func (t *Tenant) concludeNotice(ctx context.Context, n Notice, said error) error {
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), concludeWait)
	defer cancel()
	stopped, held := said != nil && ctx.Err() != nil, false
	given := !stopped && said != nil && n.Attempts >= noticeTries
	err := t.Store.Update(writing, func(tx Tx) error {
		there, err := tx.Notice(n.JobID)
		held = err == nil && n.held(there)
		switch {
		case errors.Is(err, refusal.ErrNoRow):
			return nil
		case err != nil:
			return err
		case there.ID == n.ID && said == nil, held && given:
			return tx.DeleteNotice(n.JobID)
		case !held:
			return nil
		}
		now, err := t.clock(tx)
		if there.Due = now; stopped {
			there.Attempts-- // it was no failure
		} else {
			there.Due = now.Add(min(2*time.Second<<min(n.Attempts, 20), maxNoticePause))
		}
		return errors.Join(err, tx.PutNotice(there))
	})
	switch {
	case said == nil || stopped || err == nil && !held:
	case given:
		t.Log.ErrorContext(
			ctx, "a notice of quarantine was given up: the mail server does not take it", "job", n.JobID, "error", said,
		)
	default:
		t.Log.WarnContext(
			ctx, "a notice of quarantine could not be mailed: it is tried again", "job", n.JobID, "try", n.Attempts,
			"error", said,
		)
	}
	return err
}

// quarantineMail is what is told of a quarantine. Source: quarantine page, "Provisioning
// notification".
func (t *Tenant) quarantineMail(n takenNotice) (subject, text string) {
	j, q := n.job, n.job.Quarantine
	if q == nil {
		return "Provisioning was in quarantine: " + t.Organization.DisplayName, fmt.Sprintf(
			"Provisioning job %s of %s was in quarantine from %s on, which has ended since: this message could not be "+
				"sent before.\n\nReason: %s\n%s\n\nThe job is at\n%s\n",
			j.ID, t.Organization.DisplayName, n.Quarantine.Began.Format(time.RFC1123), n.Quarantine.Reason,
			n.Quarantine.Message, t.AdminCenterURL(),
		)
	}
	return "Provisioning is in quarantine: " + t.Organization.DisplayName, fmt.Sprintf(
		"Provisioning job %s of %s has been in quarantine since %s.\n\nReason: %s\n%s\n\nThe next attempt is "+
			"on %s. "+
			"To lift the quarantine now, fix the cause and start provisioning at\n%s\n",
		j.ID, t.Organization.DisplayName, q.Began.Format(time.RFC1123), q.Reason,
		q.Message, q.NextAttempt.Format(time.RFC1123), t.AdminCenterURL(),
	)
}
