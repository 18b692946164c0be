package store

import (
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// instant is a time as a row has it: zero stays zero.
func instant(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Clock implements tenant.Reader.
func (t tx) Clock(now time.Time) (time.Time, error) {
	if !t.shared {
		return now, nil
	}
	var ms int64
	err := t.Row(`SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`, nil, &ms)
	return timeOf(ms), err
}

func (t tx) JobLease(id tenant.JobID) (l tenant.JobLease, err error) {
	var next int64
	err = t.Row(
		`SELECT job_id, owner, fence, state, next FROM job_leases WHERE job_id = $1`, []any{string(id)}, &l.JobID,
		&l.Owner, &l.Fence, &l.State, &next,
	)
	l.Next = timeOf(next)
	return l, sqldb.NoRow(err, refusal.ErrNoRow)
}

func (t tx) JobLeases() (all []tenant.JobLease, err error) {
	err = t.Query(
		`SELECT l.job_id, l.owner, l.fence, l.state, l.next, b.beat, b.done, b.total
			FROM job_leases l JOIN job_beats b ON b.job_id = l.job_id ORDER BY l.job_id`,
		nil,
		func(rows sqldb.Row) error {
			var l tenant.JobLease
			var next int64
			err := rows.Scan(&l.JobID, &l.Owner, &l.Fence, &l.State, &next, &l.Beat, &l.Done, &l.Total)
			l.Next = timeOf(next)
			all = append(all, l)
			return err
		},
	)
	return all, err
}

func (t tx) PutJobLease(l tenant.JobLease) error {
	return t.Do(
		`INSERT INTO job_leases (job_id, owner, fence, state, next) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (job_id)
			DO UPDATE SET owner = excluded.owner, fence = excluded.fence, state = excluded.state, next = excluded.next`,
		string(l.JobID), l.Owner, l.Fence, string(l.State), instant(l.Next),
	)
}

func (t tx) PutJobBeat(id tenant.JobID, done, total int) error {
	return t.Do(
		`INSERT INTO job_beats (job_id, beat, done, total) VALUES ($1, 1, $2, $3) ON CONFLICT (job_id)
			DO UPDATE SET beat = job_beats.beat + 1, done = excluded.done, total = excluded.total`,
		string(id), done, total,
	)
}
