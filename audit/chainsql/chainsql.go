// Package chainsql keeps the chain of an audit log in SQL, for the stores of both halves. It
// decides nothing; each method is one statement.
//
// It may import audit, audit/chain, plainjson and sqldb.
package chainsql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// Table is how a half keeps its events.
type Table struct {
	Key     string // the column by which an event is found
	Number  bool   // whether the key is a number
	Request string // the column of the request's id; empty: there is none
}

// Log is the log and its chain in a transaction.
func (t Table) Log(tx sqldb.Tx) chain.Log { return log{tx, t} }

type log struct {
	tx    sqldb.Tx
	table Table
}

// key is a key as an argument of a statement.
func (l log) key(text string) (any, error) {
	if !l.table.Number {
		return text, nil
	}
	if text == "" {
		return int64(-1), nil // before all
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the key of an event: %w", err)
	}
	return n, nil
}

func (l log) columns(documents bool) string {
	columns := "CAST(" + l.table.Key + " AS TEXT), time, stranger"
	if !documents {
		return columns + ", '', ''"
	}
	request := "''"
	if l.table.Request != "" {
		request = l.table.Request
	}
	return columns + ", " + request + ", doc"
}

func (l log) lines(query string, args []any) (lines []chain.Line, err error) {
	err = l.tx.Query(query, args, func(r sqldb.Row) error {
		var line chain.Line
		stranger := 0
		err := r.Scan(&line.Key, &line.Time, &stranger, &line.Request, &line.Doc)
		line.Stranger = stranger == 1
		lines = append(lines, line)
		return err
	})
	return lines, err
}

// EventLines implements chain.Log.
func (l log) EventLines(after chain.Place, until int64, documents bool, limit int) ([]chain.Line, error) {
	key, err := l.key(after.Key)
	if err != nil {
		return nil, err
	}
	column := l.table.Key
	query := `SELECT ` + l.columns(documents) + ` FROM events WHERE time >= $1 AND time <= $2 AND NOT (time = $3
		AND ` + column + ` <= $4) ORDER BY time, ` + column + ` LIMIT $5`
	return l.lines(query, []any{after.Time, until, after.Time, key, limit})
}

// keysAtOnce is how many keys a statement names, so that there are few statements to prepare.
const keysAtOnce = 100 //bound:list keys of events in one statement

// EventLinesOf implements chain.Log.
func (l log) EventLinesOf(keys []string) (all []chain.Line, err error) {
	places := make([]string, keysAtOnce)
	for i := range places {
		places[i] = "$" + strconv.Itoa(i+1)
	}
	query := `SELECT ` + l.columns(true) + ` FROM events WHERE ` + l.table.Key + ` IN (` +
		strings.Join(places, ", ") + `)`
	for len(keys) > 0 {
		n := min(len(keys), keysAtOnce)
		args := make([]any, keysAtOnce)
		for i := range args {
			if args[i], err = l.key(keys[min(i, n-1)]); err != nil {
				return nil, err
			}
		}
		lines, err := l.lines(query, args)
		if err != nil {
			return nil, err
		}
		all, keys = append(all, lines...), keys[n:]
	}
	return all, nil
}

// EventBlock implements chain.Log.
func (l log) EventBlock(number int64) ([]chain.Block, error) {
	return sqldb.List[chain.Block](
		l.tx, `SELECT doc FROM event_blocks WHERE number >= $1 ORDER BY number LIMIT 1`, number,
	)
}

// EventBlocksOf implements chain.Log.
func (l log) EventBlocksOf(first, last int64) ([]chain.Block, error) {
	return sqldb.List[chain.Block](
		l.tx, `SELECT doc FROM event_blocks WHERE last_time >= $1 AND first_time <= $2 ORDER BY number`, first, last,
	)
}

// EventNote implements chain.Log.
func (l log) EventNote(id string) (doc string, err error) {
	err = l.tx.Row(`SELECT doc FROM event_notes WHERE id = $1`, []any{id}, &doc)
	if errors.Is(err, sqldb.ErrNoRows) {
		return "", nil
	}
	return doc, err
}

// AddEventBlock implements chain.Log.
func (l log) AddEventBlock(b chain.Block, first, last int64) error {
	return l.tx.Do(
		`INSERT INTO event_blocks (number, first_time, last_time, doc) VALUES ($1, $2, $3, $4)`, b.Number, first, last,
		sqldb.Encode(b),
	)
}

// DeleteEventBlocks implements chain.Log.
func (l log) DeleteEventBlocks(upTo int64) error {
	return l.tx.Do(`DELETE FROM event_blocks WHERE number <= $1`, upTo)
}

// PutEventNote implements chain.Log.
func (l log) PutEventNote(id, doc string) error {
	return l.tx.Do(
		`INSERT INTO event_notes (id, doc) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`, id, doc,
	)
}
