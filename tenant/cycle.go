package tenant

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// quarantineWaits are the times between attempts while a job is in quarantine. Source: quarantine
// page; the first is that of an API sample.
var quarantineWaits = []time.Duration{5 * time.Minute, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// quarantineEnd is when a job that stays in quarantine is switched off. Source: quarantine page.
// One that holds back too many deletions is not: here it does all else meanwhile, and who leaves
// would keep access.
const quarantineEnd = 28 * 24 * time.Hour //bound:life a job in quarantine

// The reasons of a quarantine. Source: synchronizationQuarantine.
const (
	// the target refused the credentials, or does not speak SCIM
	QuarantineException    = "EncounteredQuarantineException"
	QuarantineDeletes      = "TooManyDeletes"                       // the cycle would disable or delete too many
	quarantineProportion   = "EncounteredEscrowProportionThreshold" // too many of the objects fail
	quarantineTotalEscrows = "EncounteredTotalEscrowThreshold"      // too many objects fail
)

// Bounds of failing objects. Source: quarantine page and its worked examples.
const (
	judgedFailures = 5_000  //bound:none below it, no proportion is judged
	maxFailures    = 40_000 //bound:rows failing objects of a job before quarantine
	maxProportion  = 0.4    //bound:rows proportion of failing objects before quarantine
)

// quarantineReason says why so many failures put a job in quarantine, or "".
func quarantineReason(x Execution) string {
	switch failed := float64(x.Escrowed); {
	case x.Escrowed < judgedFailures:
		return ""
	case failed > maxProportion*float64(x.Imported):
		return quarantineProportion
	case x.Escrowed > maxFailures:
		return quarantineTotalEscrows
	}
	return ""
}

// FinishCycle records how a cycle of a job went. failure is nil, or why the cycle as a whole could
// not be done; with a reason it puts the job in quarantine, as do too many objects that failed.
// When that begins, a mail to the people to notify is queued. The number of linked objects is
// counted again. It fails with ErrLeaseLost where another node runs the job by now.
//
// began is the job as the cycle had it. What an administrator has done to it meanwhile, such as a
// new token, the cycle knew nothing of: it judges that neither way, and the next one comes at once.
func (t *Tenant) FinishCycle(
	ctx context.Context, h Holding, began Job, x Execution, failure error, reason string,
) error {
	entered, id := false, began.ID
	err := t.Store.Update(ctx, func(tx Tx) error {
		entered = false
		if err := h.Check(tx); err != nil {
			return err
		}
		j, err := tx.Job(id)
		if errors.Is(err, refusal.ErrNoRow) { // deleted while it ran
			return nil
		}
		if err != nil {
			return err
		}
		users, e1 := tx.CountLinks(id, KindUser)
		groups, e2 := tx.CountLinks(id, KindGroup)
		if err := errors.Join(e1, e2); err != nil {
			return err
		}
		j.Users = users
		j.Groups = groups
		j.Last = &x
		if x.Unlisted {
			j.Unlisted++
			j.UnlistedAt = x.Ended
		}
		if x.Uncompared && j.Evaluation == began.Evaluation {
			j.Uncompared++
			j.UncomparedAt = x.Ended
		}
		j.count(x)
		if j.Failures++; failure == nil {
			j.Failures = 0
			if err := j.noteInStep(tx, began, x); err != nil {
				return err
			}
			j.LastSuccess = &x
			j.SteadyLast = x.Ended
			j.AllowDeletes = j.AllowDeletes && j.Asked != began.Asked
			if j.SteadyFirst.IsZero() {
				j.SteadyFirst = x.Ended
			}
			if reason = quarantineReason(x); reason == "" {
				j.Quarantine = nil
			}
		}
		if reason != "" && j.Asked == began.Asked {
			if entered = t.quarantine(&j, x, reason); entered {
				e := t.event(audit.SystemActor, "Quarantine", string(id), nil)
				if err := errors.Join(t.tell(tx, j), tx.AppendEvent(e)); err != nil {
					return err
				}
			}
		}
		return tx.PutJob(j)
	})
	if err == nil && entered {
		t.wakeNotices()
	}
	return err
}

// JobDay is how the cycles of a job went on one day.
type JobDay struct {
	Day       time.Time // its beginning, in UTC
	Well, Ill int       // cycles after which nothing failed, and the others
	Exported  int       // objects that were written
}

// JobDays is for how many days a job remembers how its cycles went.
const JobDays = 14 //bound:list days of which a job remembers how its cycles went

// count counts a cycle on its day.
func (j *Job) count(x Execution) {
	day := x.Ended.UTC().Truncate(24 * time.Hour)
	// A day after tomorrow is of a clock that was wrong: nothing would be counted until it comes.
	j.Days = slices.DeleteFunc(slices.Clone(j.Days), func(d JobDay) bool { return d.Day.After(day.AddDate(0, 0, 1)) })
	if n := len(j.Days); n == 0 || j.Days[n-1].Day.Before(day) {
		j.Days = append(j.Days, JobDay{Day: day})
	}
	j.Days = j.Days[max(0, len(j.Days)-JobDays):]
	d := &j.Days[len(j.Days)-1]
	d.Exported += x.Exported
	if x.State == "Succeeded" {
		d.Well++
	} else {
		d.Ill++
	}
}

// quarantine holds a job back, longer each time. It returns whether that begins now, or its reason
// is another one.
func (t *Tenant) quarantine(j *Job, x Execution, reason string) (entered bool) {
	q := Quarantine{Reason: reason, Code: x.ErrorCode, Message: x.ErrorMessage, Began: t.now()}
	if q.Code == "" {
		q.Code, q.Message = reason, names.Counted("%d of %d {object|objects} failed", x.Escrowed, x.Imported)
	}
	entered = j.Quarantine == nil || j.Quarantine.Reason != reason
	if before := j.Quarantine; before != nil {
		q.Tries = before.Tries + 1
		same := (before.Reason == QuarantineDeletes) == (reason == QuarantineDeletes)
		if same && !authn.Ahead(before.Began, q.Began) { // otherwise it would not end
			q.Began = before.Began
		}
	}
	q.NextAttempt = t.now().Add(quarantineWaits[min(q.Tries, len(quarantineWaits)-1)])
	if !entered && j.HoldsBack(t.now()) { // this was no attempt
		q.Tries, q.NextAttempt = j.Quarantine.Tries, j.Quarantine.NextAttempt
	}
	if reason != QuarantineDeletes && t.now().Sub(q.Began) > quarantineEnd && !t.sweeper.Doubts(t.realNow()) {
		j.State = JobPaused
	}
	j.Quarantine = &q
	return entered
}

// Wait is how long it is until a job in quarantine is tried again. A time that is further away than
// any pause was noted by a clock that was ahead: it has come.
func (q Quarantine) Wait(now time.Time) time.Duration {
	wait := q.NextAttempt.Sub(now)
	if wait > quarantineWaits[min(q.Tries, len(quarantineWaits)-1)]+ClockSlack {
		return 0
	}
	return wait
}

// HoldsBack says whether a job holds back whom it would disable or delete, since they are too many,
// and is not to try that again yet.
func (j Job) HoldsBack(now time.Time) bool {
	return j.Quarantine != nil && j.Quarantine.Reason == QuarantineDeletes && j.Quarantine.Wait(now) > 0
}

// ClockSlack is by how much the clocks of nodes may differ without one of them being taken for one
// that was set back.
const ClockSlack = time.Minute //bound:none of a comparison

// lookedEntries is how many entries of the provisioning log one search looks through.
const lookedEntries = 25_000 //bound:list entries of the provisioning log that one page looks through

// LogPage is a part of the provisioning log. Where the log goes on, Looked is how far was looked:
// the next part is that after AfterTime Looked and AfterID LastID.
type LogPage struct {
	Entries []LogEntry
	Looked  time.Time
}

// SearchLog lists entries of the provisioning log, newest first. It looks through a bounded part of
// the log for what a query selects.
func (t *Tenant) SearchLog(ctx context.Context, q LogQuery) (p LogPage, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		if p.Looked = (time.Time{}); q.Name != "" || q.Action != "" || q.Status != "" {
			begin := q.AfterTime
			if begin.IsZero() {
				begin = t.now().AddDate(100, 0, 0) // after all
			}
			if p.Looked, err = r.LogBeyond(begin, lookedEntries); err != nil {
				return err
			}
			q.Since = p.Looked
		}
		p.Entries, err = r.Log(q)
		return err
	})
	return p, err
}

// LastID comes after the ids of all entries of the provisioning log.
const LastID = "~"

// ProvisioningLog lists entries of the provisioning log, newest first.
func (t *Tenant) ProvisioningLog(ctx context.Context, q LogQuery) (entries []LogEntry, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		entries, err = r.Log(q)
		return err
	})
	return entries, err
}
