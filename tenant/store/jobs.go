package store

import (
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

func (t tx) Job(id tenant.JobID) (tenant.Job, error) {
	return one[tenant.Job](t, `SELECT doc FROM jobs WHERE id = $1`, string(id))
}
func (t tx) Jobs(servicePrincipalID tenant.ServicePrincipalID) ([]tenant.Job, error) {
	w := &sqldb.Where{}
	w.Equal("service_principal_id", string(servicePrincipalID))
	return list[tenant.Job](t, `SELECT doc FROM jobs`+w.Text()+` ORDER BY id`, w.Args...)
}
func (t tx) PutJob(j tenant.Job) error {
	return t.Do(
		`INSERT INTO jobs (id, service_principal_id, doc) VALUES ($1, $2, $3) ON CONFLICT (id)
			DO UPDATE SET doc = excluded.doc`,
		string(j.ID), string(j.ServicePrincipalID), sqldb.Encode(j),
	)
}
func (t tx) DeleteJob(id tenant.JobID) error {
	return errors.Join(
		t.Do(`DELETE FROM jobs WHERE id = $1`, string(id)), t.DeleteLinks(id),
		t.Do(`DELETE FROM job_leases WHERE job_id = $1`, string(id)),
		t.Do(`DELETE FROM job_beats WHERE job_id = $1`, string(id)),
	)
}

func (t tx) Link(jobID tenant.JobID, kind tenant.ObjectKind, sourceID tenant.PrincipalID) (tenant.Link, error) {
	return one[tenant.Link](
		t, `SELECT doc FROM links WHERE job_id = $1 AND kind = $2 AND source_id = $3`, string(jobID), string(kind),
		string(sourceID),
	)
}
func (t tx) LinkTo(jobID tenant.JobID, kind tenant.ObjectKind, targetID string) (tenant.Link, error) {
	return one[tenant.Link](
		t, `SELECT doc FROM links WHERE job_id = $1 AND kind = $2 AND target_id = $3 ORDER BY source_id LIMIT 1`,
		string(jobID), string(kind), targetID,
	)
}
func (t tx) LinksOfReports(jobID tenant.JobID, managerID tenant.UserID) ([]tenant.Link, error) {
	return list[tenant.Link](
		t, `SELECT doc FROM links WHERE job_id = $1 AND manager = $2 ORDER BY kind, source_id`, string(jobID),
		string(managerID),
	)
}
func (t tx) Links(jobID tenant.JobID) ([]tenant.Link, error) {
	return list[tenant.Link](t, `SELECT doc FROM links WHERE job_id = $1 ORDER BY kind, source_id`, string(jobID))
}
func (t tx) FailedLinks(jobID tenant.JobID) ([]tenant.Link, error) {
	return list[tenant.Link](
		t, `SELECT doc FROM links WHERE job_id = $1 AND failed = 1 ORDER BY kind, source_id`, string(jobID),
	)
}
func (t tx) CountLinks(jobID tenant.JobID, kind tenant.ObjectKind) (int, error) {
	return t.Count(
		`SELECT COUNT(*) FROM links WHERE job_id = $1 AND kind = $2 AND target_id <> ''`, string(jobID), string(kind),
	)
}
func (t tx) PutLink(l tenant.Link) error {
	failed := 0
	if l.Failure != "" || l.Doubt != nil || !l.RetryAt.IsZero() { // they have a time to be looked at
		failed = 1
	}
	return t.Do(
		`INSERT INTO links (job_id, kind, source_id, target_id, failed, manager, doc)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (job_id, kind, source_id)
		DO UPDATE
		SET target_id = excluded.target_id, failed = excluded.failed, manager = excluded.manager, doc = excluded.doc`,
		string(l.JobID),
		string(l.Kind),
		string(l.SourceID),
		l.TargetID,
		failed,
		string(l.Manager),
		sqldb.Encode(l),
	)
}
func (t tx) DeleteLink(jobID tenant.JobID, kind tenant.ObjectKind, sourceID tenant.PrincipalID) error {
	return t.Do(
		`DELETE FROM links WHERE job_id = $1 AND kind = $2 AND source_id = $3`, string(jobID), string(kind),
		string(sourceID),
	)
}

func (t tx) DeleteLinks(jobID tenant.JobID) error {
	return errors.Join(
		t.Do(`DELETE FROM links WHERE job_id = $1`, string(jobID)),
		t.Do(`DELETE FROM documents WHERE kind = $1`, kindBatch(jobID)),
	)
}

// MoveLinks implements tenant.Tx: a few statements, since a job may have a great many.
func (t tx) MoveLinks(from, to tenant.JobID) error {
	return errors.Join(
		t.Do(
			`DELETE FROM links WHERE job_id = $1 AND EXISTS (
				SELECT 1 FROM links l WHERE l.job_id = $2 AND l.target_id <> ''
				AND l.kind = links.kind AND l.source_id = links.source_id)`,
			string(to), string(from),
		),
		t.Do(
			`UPDATE links SET job_id = $1, failed = 0, manager = '' WHERE job_id = $2 AND target_id <> ''`,
			string(to), string(from),
		),
		t.DeleteLinks(from),
	)
}

// kindFormer is the kind of the documents that are targets which jobs have left.
const kindFormer = "former target"

func (t tx) Formers() ([]tenant.Former, error) { return documents[tenant.Former](t, kindFormer) }
func (t tx) PutFormer(f tenant.Former) error   { return t.putDocument(kindFormer, string(f.Links()), f) }
func (t tx) DeleteFormer(f tenant.Former) error {
	return errors.Join(t.deleteDocument(kindFormer, string(f.Links())), t.DeleteLinks(f.Links()))
}

// kindNotice is the kind of the documents that are what people are to be told of jobs.
const kindNotice = "notice"

func (t tx) Notice(id tenant.JobID) (tenant.Notice, error) {
	return document[tenant.Notice](t, kindNotice, string(id))
}
func (t tx) Notices() ([]tenant.Notice, error)  { return documents[tenant.Notice](t, kindNotice) }
func (t tx) PutNotice(n tenant.Notice) error    { return t.putDocument(kindNotice, string(n.JobID), n) }
func (t tx) DeleteNotice(id tenant.JobID) error { return t.deleteDocument(kindNotice, string(id)) }

// kindBatch is the kind of the documents that are a job's batches.
func kindBatch(jobID tenant.JobID) string { return "batch " + string(jobID) }

func (t tx) Batches(jobID tenant.JobID) ([]tenant.Batch, error) {
	return documents[tenant.Batch](t, kindBatch(jobID))
}
func (t tx) PutBatch(b tenant.Batch) error { return t.putDocument(kindBatch(b.JobID), b.ID, b) }
func (t tx) DeleteBatch(jobID tenant.JobID, id string) error {
	return t.deleteDocument(kindBatch(jobID), id)
}

func (t tx) AppendLog(entries []tenant.LogEntry) error {
	for _, e := range entries {
		if err := t.Do(
			`INSERT INTO provisioning_log (id, job_id, cycle_id, status, time, doc) VALUES ($1, $2, $3, $4, $5, $6)`,
			e.ID, string(e.JobID), e.CycleID, e.Status, e.Time.UnixMilli(), sqldb.Encode(e)); err != nil {
			return err
		}
	}
	return nil
}

func (t tx) Log(q tenant.LogQuery) ([]tenant.LogEntry, error) {
	w := &sqldb.Where{}
	w.Equal("job_id", string(q.JobID))
	w.Equal("cycle_id", q.CycleID)
	w.Equal("status", q.Status)
	if q.Action != "" {
		w.And("doc LIKE ? ESCAPE '!'", sqldb.Pattern(`"Action":`+sqldb.Encode(q.Action)))
	}
	for _, word := range strings.Fields(q.Name) {
		w.And("lower(doc) LIKE ? ESCAPE '!'", `%"name":"%`+strings.TrimPrefix(sqldb.Part(quoted(word)), "%"))
	}
	if !q.Since.IsZero() {
		w.And("time >= ?", q.Since.UnixMilli())
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	direction, later := "DESC", "<"
	if q.OldestFirst {
		direction, later = "ASC", ">"
	}
	if !q.AfterTime.IsZero() {
		at := q.AfterTime.UnixMilli()
		// Said so, the index by time finds the place: of an OR, SQLite would read and sort all.
		w.And("time "+later+"= ? AND (time "+later+" ? OR id > ?)", at, at, q.AfterID)
	}
	query := `SELECT doc FROM provisioning_log` + w.Text() + ` ORDER BY time ` + direction + `, id`
	query += w.Limit(q.Limit, 0)
	return list[tenant.LogEntry](t, query, w.Args...)
}

// quoted is a text as it stands in a document.
func quoted(text string) string {
	doc := sqldb.Encode(text)
	return doc[1 : len(doc)-1]
}

// LogBeyond reads the time of the entry that comes so many entries before a moment.
func (t tx) LogBeyond(at time.Time, entries int) (time.Time, error) {
	var ms int64
	err := t.Row(
		`SELECT time FROM provisioning_log WHERE time <= $1 ORDER BY time DESC LIMIT 1 OFFSET $2`,
		[]any{at.UnixMilli(), entries}, &ms,
	)
	if errors.Is(err, sqldb.ErrNoRows) {
		return time.Time{}, nil
	}
	return time.UnixMilli(ms), err
}

// Written reads the whole log, an entry at a time: it is needed after disasters only.
func (t tx) Written() (list []tenant.Written, err error) {
	seen := map[tenant.Written]bool{}
	err = t.Query(`SELECT doc FROM provisioning_log WHERE status <> 'skipped'`, nil, func(rows sqldb.Row) error {
		var doc string
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		e, err := sqldb.Decode[tenant.LogEntry](doc)
		if w, ok := e.Written(); err == nil && ok && !seen[w] {
			seen[w] = true
			list = append(list, w)
		}
		return err
	})
	return list, err
}

// AppendMarks numbers the marks after the last one. The transaction is serializable, so numbers are
// given once and seen in order.
func (t tx) AppendMarks(changes []tenant.Change) error {
	if err := t.Touch("the end of the journal"); err != nil {
		return err
	}
	var last int64
	if err := t.Row(`SELECT COALESCE(MAX(seq), 0) FROM marks`, nil, &last); err != nil {
		return err
	}
	for i, c := range changes {
		removed := 0
		if c.Removed {
			removed = 1
		}
		if err := t.Do(
			`INSERT INTO marks (seq, time, kind, id, member_kind, member_id, removed, properties, trace)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			last+int64(i)+1, c.Time.UnixMilli(), string(c.Kind), string(c.ID), string(c.Member.Kind),
			string(c.Member.ID),
			removed, propertiesText(c.Properties), c.Trace); err != nil {
			return err
		}
	}
	return nil
}

// noProperties is how a change of none of an object's properties is kept.
const noProperties = "-"

func propertiesText(properties []string) string {
	if properties != nil && len(properties) == 0 {
		return noProperties
	}
	return strings.Join(properties, ",")
}

func (t tx) Journal(kind tenant.ObjectKind, after int64, limit int) (changes []tenant.Change, err error) {
	err = t.Query(
		`SELECT seq, time, id, member_kind, member_id, removed, properties FROM marks WHERE seq > $1 AND kind = $2
			ORDER BY seq LIMIT $3`,
		[]any{after, string(kind), limit},
		func(rows sqldb.Row) error {
			c := tenant.Change{Mark: tenant.Mark{Kind: kind}}
			var at, removed int64
			var properties string
			err := rows.Scan(
				&c.Number, &at, (*string)(&c.ID), (*string)(&c.Member.Kind), (*string)(&c.Member.ID), &removed,
				&properties,
			)
			c.Time, c.Removed = time.UnixMilli(at).UTC(), removed == 1
			switch properties {
			case "":
			case noProperties:
				c.Properties = []string{}
			default:
				c.Properties = strings.Split(properties, ",")
			}
			changes = append(changes, c)
			return err
		},
	)
	return changes, err
}

func (t tx) LastMark(before time.Time) (last int64, err error) {
	err = t.Row(
		`SELECT COALESCE(MAX(seq), 0) FROM marks WHERE time < $1 AND seq < (SELECT MAX(seq) FROM marks)`,
		[]any{before.UnixMilli()}, &last,
	)
	return last, err
}

func (t tx) DeleteMarks(upTo int64) error { return t.Do(`DELETE FROM marks WHERE seq <= $1`, upTo) }

func (t tx) DeleteLog(before time.Time) (int, error) {
	n, err := t.Exec(`DELETE FROM provisioning_log WHERE time < $1`, before.UnixMilli())
	return int(n), err
}

// CountMarks counts the marks after one, and returns when the first of them was made.
func (t tx) CountMarks(after int64) (n int, oldest time.Time, err error) {
	var at int64
	if err := t.Row(
		`SELECT COUNT(*), COALESCE(MIN(time), 0) FROM marks WHERE seq > $1`, []any{after}, &n, &at,
	); err != nil || n == 0 {
		return 0, time.Time{}, err
	}
	return n, time.UnixMilli(at).UTC(), nil
}

func (t tx) Marks(after int64) (marks []tenant.Mark, last int64, err error) {
	if err := t.Row(`SELECT COALESCE(MAX(seq), 0) FROM marks`, nil, &last); err != nil {
		return nil, 0, err
	}
	err = t.Query(`SELECT kind, id FROM marks WHERE seq > $1 ORDER BY seq`, []any{after}, func(rows sqldb.Row) error {
		var m tenant.Mark
		err := rows.Scan((*string)(&m.Kind), (*string)(&m.ID))
		marks = append(marks, m)
		return err
	})
	return marks, last, err
}

// MarkTraces reads which traces have changed which objects.
func (t tx) MarkTraces(after int64, limit int) (map[tenant.Mark]string, error) {
	traces := map[tenant.Mark]string{}
	err := t.Query(
		`SELECT kind, id, trace FROM marks WHERE seq > $1 AND trace <> '' ORDER BY seq LIMIT $2`, []any{after, limit},
		func(rows sqldb.Row) error {
			var m tenant.Mark
			var trace string
			err := rows.Scan((*string)(&m.Kind), (*string)(&m.ID), &trace)
			traces[m] = trace
			return err
		},
	)
	return traces, err
}
