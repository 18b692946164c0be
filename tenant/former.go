package tenant

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Former is a target to which a job does not write any more: it has another one, or is no more.
// What it had written there is kept as a proof, in links of their own, for as long as the log is.
// The same service may have another name by now, or another job: who should have no access there
// loses it although the log does not go back to when it was given.
type Former struct {
	JobID JobID
	Place string // the address, in one form; empty: it was not noted
	Left  time.Time
}

// Links is the id under which the links are.
func (f Former) Links() JobID { return f.JobID + " at " + JobID(f.Place) }

// formerReader reads the targets that jobs have left.
type formerReader interface {
	Formers() ([]Former, error) // of all jobs, also of those that are no more
}

// formerWriter writes them.
type formerWriter interface {
	PutFormer(Former) error
	DeleteFormer(Former) error // with its links
	// MoveLinks moves those links of a job that have an object at the target, in place of what
	// stands for the same objects under the other id, and deletes the others and the batches.
	MoveLinks(from, to JobID) error
}

// maxFormers is how many targets of one job are kept, and how many jobs that are no more of one
// target: a job that is made anew each night would leave all its people each time.
const maxFormers = 8 //bound:list targets that a job has left, and of which it is kept what it wrote there

// leave keeps what a job has written at a target that it writes to no more.
func leave(tx Tx, j JobID, place string, now time.Time) error {
	users, e1 := tx.CountLinks(j, KindUser)
	groups, e2 := tx.CountLinks(j, KindGroup)
	all, e3 := tx.Formers()
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	if users+groups == 0 {
		return tx.DeleteLinks(j)
	}
	f := Former{JobID: j, Place: place, Left: now.UTC()}
	of, err := f.among(tx, all)
	if err != nil {
		return err
	}
	slices.SortFunc(of, func(a, b Former) int { return cmp.Or(a.Left.Compare(b.Left), cmp.Compare(a.Place, b.Place)) })
	for i := 0; i <= len(of)-maxFormers; i++ {
		if err := tx.DeleteFormer(of[i]); err != nil {
			return err
		}
	}
	return errors.Join(tx.MoveLinks(j, f.Links()), tx.PutFormer(f))
}

// among are those of all that count together with this one: other targets of the same job, and the
// same target of jobs that are no more.
func (f Former) among(tx Tx, all []Former) (of []Former, err error) {
	for _, x := range all {
		switch {
		case (x.JobID == f.JobID) == (x.Place == f.Place): // the same, or nothing in common
			continue
		case x.JobID != f.JobID:
			_, err := tx.Job(x.JobID)
			if err == nil {
				continue
			}
			if !errors.Is(err, refusal.ErrNoRow) {
				return nil, err
			}
		}
		of = append(of, x)
	}
	return of, nil
}

// endJob deletes a job, and keeps what it has written.
func endJob(tx Tx, j Job, now time.Time) error {
	place := j.LinkedTo
	if place == "" {
		place = j.Credentials.place()
	}
	return errors.Join(leave(tx, j.ID, place, now), tx.DeleteJob(j.ID), tx.DeleteNotice(j.ID))
}

// sweepFormers forgets targets that were left long ago, unless the job has not compared anything
// with another one since.
func sweepFormers(tx Tx, now time.Time) error {
	all, err := tx.Formers()
	for _, f := range all {
		if err != nil || now.Sub(f.Left) <= logRetention {
			continue
		}
		var j Job
		switch j, err = tx.Job(f.JobID); {
		case errors.Is(err, refusal.ErrNoRow), err == nil && !j.Compare && !j.Unasked:
			err = tx.DeleteFormer(f)
		}
	}
	return err
}
