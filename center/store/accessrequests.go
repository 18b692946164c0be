package store

import (
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) RequestPolicy(id string) (center.RequestPolicy, error) {
	return document[center.RequestPolicy](t, kindRequestPolicy, id)
}
func (t tx) RequestPolicies() ([]center.RequestPolicy, error) {
	return documents[center.RequestPolicy](t, kindRequestPolicy)
}
func (t tx) PutRequestPolicy(p center.RequestPolicy) error {
	return t.putDocument(kindRequestPolicy, p.ID, p)
}
func (t tx) DeleteRequestPolicy(id string) error { return t.deleteDocument(kindRequestPolicy, id) }

func (t tx) AccessRequest(id string) (center.AccessRequest, error) {
	return one[center.AccessRequest](t, `SELECT doc FROM access_requests WHERE id = $1`, id)
}

func (t tx) AccessRequests(q center.AccessRequestQuery) ([]center.AccessRequest, error) {
	w := &sqldb.Where{}
	w.Equal("user_id", string(q.UserID))
	if q.Live {
		w.And("live = 1")
	}
	if q.Approvers != nil {
		groups := make([]string, len(q.Approvers))
		for i, g := range q.Approvers {
			groups[i] = string(g)
		}
		w.InAny(sqldb.Among{Column: "approvers", Values: groups})
	}
	if !q.Since.IsZero() {
		w.And("created >= ?", q.Since.UnixMilli())
	}
	if q.Before != "" {
		w.And("id < ?", q.Before)
	}
	query := `SELECT doc FROM access_requests` + w.Text() + ` ORDER BY id DESC` + w.Limit(q.Limit, 0)
	return list[center.AccessRequest](t, query, w.Args...)
}

func (t tx) DueAccessRequests(now time.Time, limit int) ([]center.AccessRequest, error) {
	w := &sqldb.Where{}
	w.And("due > 0")
	t.dueBy(w, now)
	query := `SELECT doc FROM access_requests` + w.Text() + ` ORDER BY due, id` + w.Limit(limit, 0)
	return list[center.AccessRequest](t, query, w.Args...)
}

func (t tx) AccessOpenedAfter(at time.Time, limit int) ([]center.AccessRequest, error) {
	w := &sqldb.Where{}
	w.And("started > ?", at.UnixMilli())
	query := `SELECT doc FROM access_requests` + w.Text() + ` ORDER BY started DESC` + w.Limit(limit, 0)
	return list[center.AccessRequest](t, query, w.Args...)
}

// dueBy narrows to what is due by Clock.
func (t tx) dueBy(w *sqldb.Where, now time.Time) {
	if t.shared {
		w.And("due <= CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT)")
	} else {
		w.And("due <= ?", now.UnixMilli())
	}
}

func (t tx) Clock(now time.Time) (time.Time, error) {
	if !t.shared {
		return now, nil
	}
	var at time.Time
	q := askClock(&at)
	err := t.Query(q.Query, q.Args, q.Scan)
	return at, err
}

// askClock asks for the clock of the database.
func askClock(at *time.Time) sqldb.Question {
	const query = `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`
	return sqldb.Question{Query: query, Scan: func(r sqldb.Row) error {
		var ms int64
		err := r.Scan(&ms)
		*at = time.UnixMilli(ms).UTC()
		return err
	}}
}

func (t tx) PutAccessRequest(r center.AccessRequest) error {
	due, started := int64(0), int64(0)
	if at := r.Due(); !at.IsZero() {
		due = at.UnixMilli()
	}
	if r.State == center.AccessActive {
		started = r.StartedAt.UnixMilli()
	}
	return t.Do(
		`INSERT INTO access_requests (id, user_id, approvers, live, due, started, created, doc)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET
			live = excluded.live, due = excluded.due, started = excluded.started, doc = excluded.doc`,
		r.ID, string(r.UserID), string(r.Approvers), flag(r.Live()), due, started, r.CreatedAt.UnixMilli(),
		sqldb.Encode(r),
	)
}

func (t tx) DeleteAccessRequests(before time.Time, limit int) error {
	return t.Do(
		`DELETE FROM access_requests WHERE id IN (SELECT id FROM access_requests WHERE live = 0 AND created < $1
			ORDER BY created LIMIT $2)`,
		before.UnixMilli(), limit,
	)
}

func (t tx) RequestWebhook() (center.RequestWebhook, error) {
	return document[center.RequestWebhook](t, kindRequestWebhook, theOnly)
}
func (t tx) PutRequestWebhook(v center.RequestWebhook) error {
	return t.putDocument(kindRequestWebhook, theOnly, v)
}
func (t tx) DeleteRequestWebhook() error { return t.deleteDocument(kindRequestWebhook, theOnly) }

func (t tx) NextNotice(by center.Channel, now, never time.Time) (n center.Notice, err error) {
	var doc string
	err = t.Row(
		`SELECT doc FROM access_notices WHERE channel = $1 AND (due <= $2 OR due > $3) ORDER BY due, id LIMIT 1`,
		[]any{string(by), now.UnixMilli(), never.UnixMilli()}, &doc,
	)
	if err != nil {
		return n, sqldb.NoRow(err, refusal.ErrNoRow)
	}
	return sqldb.Decode[center.Notice](doc)
}

func (t tx) Notice(id string) (center.Notice, error) {
	return one[center.Notice](t, `SELECT doc FROM access_notices WHERE id = $1`, id)
}

func (t tx) CountNotices() (int, error) { return t.Count(`SELECT COUNT(*) FROM access_notices`) }

func (t tx) PutNotice(n center.Notice) error {
	return t.Do(
		`INSERT INTO access_notices (id, channel, due, doc) VALUES ($1, $2, $3, $4) ON CONFLICT (id)
			DO UPDATE SET due = excluded.due, doc = excluded.doc`,
		n.ID, string(n.Channel), n.Due.UnixMilli(), sqldb.Encode(n),
	)
}

func (t tx) DeleteNotice(id string) error {
	return t.Do(`DELETE FROM access_notices WHERE id = $1`, id)
}
