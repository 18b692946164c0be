package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) AccessOwners() ([]center.AccessOwner, error) {
	return documents[center.AccessOwner](t, kindAccessOwner)
}
func (t tx) PutAccessOwner(o center.AccessOwner) error {
	return t.putDocument(kindAccessOwner, o.Of(), o)
}
func (t tx) DeleteAccessOwner(of string) error { return t.deleteDocument(kindAccessOwner, of) }

func (t tx) AccessReview(id string) (center.AccessReview, error) {
	return one[center.AccessReview](t, `SELECT doc FROM access_reviews WHERE id = $1`, id)
}

func (t tx) AccessReviews(limit int) ([]center.AccessReview, error) {
	w := &sqldb.Where{}
	query := `SELECT doc FROM access_reviews ORDER BY id DESC` + w.Limit(limit, 0)
	return list[center.AccessReview](t, query, w.Args...)
}

func (t tx) DueAccessReviews(now time.Time, limit int) ([]center.AccessReview, error) {
	w := &sqldb.Where{}
	w.And("due > 0")
	t.dueBy(w, now)
	query := `SELECT doc FROM access_reviews` + w.Text() + ` ORDER BY due, id` + w.Limit(limit, 0)
	return list[center.AccessReview](t, query, w.Args...)
}

func (t tx) PutAccessReview(v center.AccessReview) error {
	due := int64(0)
	if at := v.Due(); !at.IsZero() {
		due = at.UnixMilli()
	}
	return t.Do(
		`INSERT INTO access_reviews (id, due, created, doc) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET due = excluded.due, doc = excluded.doc`,
		v.ID, due, v.CreatedAt.UnixMilli(), sqldb.Encode(v),
	)
}

func (t tx) DeleteAccessReviews(before time.Time, limit int) error {
	const old = `SELECT id FROM access_reviews WHERE due = 0 AND created < $1 ORDER BY created, id LIMIT $2`
	for _, statement := range []string{
		`DELETE FROM review_lines WHERE review_id IN (` + old + `)`,
		`DELETE FROM access_reviews WHERE id IN (` + old + `)`,
	} {
		if err := t.Do(statement, before.UnixMilli(), limit); err != nil {
			return err
		}
	}
	return nil
}

// ownerText is how an owner stands in its column.
func ownerText(p center.Principal) string {
	if p.ID == "" {
		return ""
	}
	return string(p.Type) + ":" + p.ID
}

func (t tx) ReviewLine(review, key string) (center.ReviewLine, error) {
	return one[center.ReviewLine](
		t, `SELECT doc FROM review_lines WHERE review_id = $1 AND line_key = $2`, review, key,
	)
}

func reviewLines(q center.ReviewLineQuery) *sqldb.Where {
	w := &sqldb.Where{}
	w.Equal("review_id", q.ReviewID)
	w.Equal("state", string(q.State))
	if q.Owners != nil {
		owners := make([]string, len(q.Owners))
		for i, o := range q.Owners {
			owners[i] = ownerText(o)
		}
		w.In("owner", owners)
	}
	if q.After != "" {
		w.And("line_key > ?", q.After)
	}
	return w
}

func (t tx) ReviewLines(q center.ReviewLineQuery) ([]center.ReviewLine, error) {
	w := reviewLines(q)
	query := `SELECT doc FROM review_lines` + w.Text() + ` ORDER BY review_id, line_key` + w.Limit(q.Limit, 0)
	return list[center.ReviewLine](t, query, w.Args...)
}

func (t tx) CountReviewLines(q center.ReviewLineQuery) (int, error) {
	w := reviewLines(q)
	return t.Count(`SELECT COUNT(*) FROM review_lines`+w.Text(), w.Args...)
}

func (t tx) OpenLinesOfOwners(review string) ([]center.OwnedLines, error) {
	type row struct {
		owner string
		lines int
	}
	found, err := rows(
		t, `SELECT owner, COUNT(*) FROM review_lines WHERE review_id = $1 AND state = $2 GROUP BY owner ORDER BY owner`,
		[]any{review, string(center.LineOpen)}, func(r *row) []any { return []any{&r.owner, &r.lines} },
	)
	owned := make([]center.OwnedLines, len(found))
	for i, r := range found {
		of, id, _ := strings.Cut(r.owner, ":")
		owned[i] = center.OwnedLines{
			Owner: center.Principal{Type: center.PrincipalType(of), ID: id}, Lines: r.lines,
		}
	}
	return owned, err
}

// linesAtOnce bounds the lines that one statement writes.
const linesAtOnce = 100 //bound:none a statement has so many parameters at the most

func (t tx) PutReviewLines(lines []center.ReviewLine) error {
	for part := range slices.Chunk(lines, linesAtOnce) {
		var values []string
		var args []any
		for i, l := range part {
			values = append(values, fmt.Sprintf("($%d, $%d, $%d, $%d, $%d)", 5*i+1, 5*i+2, 5*i+3, 5*i+4, 5*i+5))
			args = append(args, l.ReviewID, l.Key, ownerText(l.Owner), string(l.State), sqldb.Encode(l))
		}
		if err := t.Do(
			`INSERT INTO review_lines (review_id, line_key, owner, state, doc) VALUES `+strings.Join(values, ", ")+
				` ON CONFLICT (review_id, line_key) DO UPDATE SET state = excluded.state, doc = excluded.doc`,
			args...,
		); err != nil {
			return err
		}
	}
	return nil
}
