package audit

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Table is how a store keeps events: in a table events, with a time in milliseconds and the
// document.
type Table struct {
	Order     string // the column by which events of one moment are in order, the latest of them first
	Reference string // the column of the request's id; empty: it stands in the document only
	ID        string // the same of the event's id
}

// Statement reads the documents of events in the order of the query, with the time in the first
// column. All that the query selects are among them, and others may be: Meets has the last word.
func (t Table) Statement(q Query) (text string, args []any) {
	var conditions []string
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		conditions = append(conditions, condition)
	}
	if !q.From.IsZero() {
		and("time >= ?", q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		and("time < ?", q.To.UnixMilli())
	}
	if q.Reference != "" && t.Reference != "" {
		and(t.Reference+" = ?", q.Reference)
	}
	if q.ID != "" && t.ID != "" {
		and(t.ID+" = ?", q.ID)
	}
	for _, some := range q.likely() {
		var either []string
		var values []any
		for _, x := range some {
			column := "doc"
			if x.folded {
				column = "lower(doc)"
			}
			either, values = append(either, column+" LIKE ?"), append(values, x.pattern)
		}
		and("("+strings.Join(either, " OR ")+")", values...)
	}
	text = "SELECT doc FROM events"
	if len(conditions) > 0 {
		text += " WHERE " + strings.Join(conditions, " AND ")
	}
	args = append(args, q.rows())
	return fmt.Sprintf("%s ORDER BY time %s, %s LIMIT $%d", text, q.direction(), t.Order, len(args)), args
}

// maxRows is how many documents that a filter may select are read at once.
const maxRows = 5_000 //bound:list events that are read at once to be filtered

// rows is how many documents the statement reads at the most.
func (q Query) rows() int {
	most := q.Skip + q.limit()
	if q.Empty() {
		return most
	}
	return max(most, maxRows)
}

func (q Query) limit() int { return cmp.Or(q.Limit, usualLimit) }

func (q Query) direction() string {
	if q.OldestFirst {
		return "ASC"
	}
	return "DESC"
}

// Beyond reads the time of the event that comes so many events after a moment.
func Beyond(at time.Time, events int, oldestFirst bool) (text string, args []any) {
	text = "SELECT time FROM events WHERE time <= $1 ORDER BY time DESC LIMIT 1 OFFSET $2"
	if oldestFirst {
		text = "SELECT time FROM events WHERE time >= $1 ORDER BY time LIMIT 1 OFFSET $2"
	}
	return text, []any{at.UnixMilli(), events}
}

// Selection takes events in the order of a query, and keeps those that it selects.
type Selection struct {
	query            Query
	rows, passedOver int
	found            Found
}

// Select begins a selection.
func (q Query) Select() *Selection { return &Selection{query: q} }

// Take looks at the next event, and says whether one more may be wanted.
func (s *Selection) Take(e Event) bool {
	s.rows++
	s.found.End = e.Time
	if s.query.Meets(e) {
		if s.passedOver < s.query.Skip {
			s.passedOver++
		} else {
			s.found.Events = append(s.found.Events, e.Bounded())
		}
	}
	return !s.full()
}

func (s *Selection) full() bool { return len(s.found.Events) >= s.query.limit() }

// Found is what was found. cut says that reading ended early because of its bytes.
func (s *Selection) Found(cut bool) Found {
	s.found.Cut = !s.full() && (cut || !s.query.Empty() && s.rows >= s.query.rows())
	return s.found
}
