package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Documents: objects that are kept whole, as JSON text in a column, beside the columns that they
// are found by.

// One reads the document in the only column of the only row; ErrNoRows when there is none.
func One[T any](t Tx, query string, args ...any) (v T, err error) {
	var doc string
	if err = t.Row(query, args, &doc); err != nil {
		return v, err
	}
	return Decode[T](doc)
}

// List reads the documents of all rows.
func List[T any](t Tx, query string, args ...any) (all []T, err error) {
	q := Listing(&all, query, args...)
	err = t.Query(q.Query, q.Args, q.Scan)
	return all, err
}

// Listing is the question that List asks. It adds the documents to a list.
func Listing[T any](to *[]T, query string, args ...any) Question {
	return Question{query, args, func(rows Row) error {
		var doc string
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		v, err := Decode[T](doc)
		*to = append(*to, v)
		return err
	}}
}

// ListUpTo is List that ends with the row after which that many bytes of documents have been read.
func ListUpTo[T any](t Tx, bytes int, query string, args ...any) (all []T, err error) {
	_, err = Take(t, bytes, func(v T) bool { all = append(all, v); return true }, query, args...)
	return all, err
}

// Take hands the documents of rows over, one by one, until take wants no more or that many bytes of
// them have been read: then it was cut off.
func Take[T any](t Tx, bytes int, take func(T) bool, query string, args ...any) (cut bool, err error) {
	more := true
	err = t.Query(query, args, func(rows Row) error {
		if cut = bytes <= 0; cut || !more {
			return errEnough
		}
		var doc string
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		bytes -= len(doc)
		v, err := Decode[T](doc)
		if err == nil {
			more = take(v)
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return cut && more, err
}

var errEnough = errors.New("enough was read")

// format is how documents are written: fields without a value are left out, since most objects have
// few of the many they may have.
var format = json.JoinOptions(
	json.OmitZeroStructFields(true), json.Deterministic(true), jsonv1.FormatDurationAsNano(true),
	jsontext.EscapeForHTML(false),
)

// Decode reads a document that Encode wrote.
func Decode[T any](doc string) (v T, err error) {
	if err = json.Unmarshal([]byte(doc), &v, format); err != nil {
		return v, fmt.Errorf("a stored %T is damaged: %w", v, err)
	}
	return v, nil
}

// Encode writes a document.
func Encode(v any) string {
	doc, err := json.Marshal(v, format, jsontext.AllowInvalidUTF8(true)) // what strangers sent, in an event
	if err != nil {                                                      // our own plain structs always encode
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return string(doc)
}

// Count reads a number.
func (t Tx) Count(query string, args ...any) (n int, err error) {
	err = t.Row(query, args, &n)
	return n, err
}

// Do runs a statement whose number of rows does not matter. On PostgreSQL it travels with the next
// statement, and its failure may show only then.
func (t Tx) Do(query string, args ...any) error {
	began := t.began()
	err := t.conn.do(t.ctx, query, args)
	t.ended(query, began, err)
	return explain(query, err)
}

// Known joins to a failure of the database's own the error that a half's store promises for it:
// unavailable to what may pass, unknown to an update that may have been kept all the same, conflict
// to what lost against others again and again. A database that was closed is one that passes:
// another process, or the next, has it. So is a request whose time was over while it waited for its
// turn.
func Known(err, unavailable, unknown, conflict error) error {
	if errors.Is(err, ErrUnknownOutcome) {
		return errors.Join(unknown, err)
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrClosed) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Canceled) {
		return errors.Join(unavailable, err)
	}
	if errors.Is(err, ErrConflict) {
		return errors.Join(conflict, err)
	}
	return err
}

// NoRow turns ErrNoRows into the error that a half's store promises.
func NoRow(err, promised error) error {
	if errors.Is(err, ErrNoRows) {
		return promised
	}
	return err
}

// OrNull keeps an empty value out of a unique index.
func OrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Where collects the conditions of a query and their arguments, numbering the placeholders.
type Where struct {
	conditions []string
	Args       []any
}

// And adds a condition whose question marks stand for args, in order.
func (w *Where) And(condition string, args ...any) {
	for _, a := range args {
		w.Args = append(w.Args, a)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.Args)), 1)
	}
	w.conditions = append(w.conditions, condition)
}

// Equal adds column = value, unless the value is empty.
func (w *Where) Equal(column, value string) {
	if value != "" {
		w.And(column+" = ?", value)
	}
}

// In narrows a column to a set; an empty set matches nothing.
func (w *Where) In(column string, values []string) {
	if len(values) == 0 {
		w.And("1 = 0")
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	w.And(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

// Among is a column that has one of some values.
type Among struct {
	Column string
	Values []string
}

// InAny narrows to what has one of the values of at least one of the columns; without any values
// nothing does.
func (w *Where) InAny(columns ...Among) {
	var conditions []string
	var args []any
	for _, c := range columns {
		if len(c.Values) == 0 {
			continue
		}
		conditions = append(conditions, c.Column+" IN (?"+strings.Repeat(", ?", len(c.Values)-1)+")")
		for _, v := range c.Values {
			args = append(args, v)
		}
	}
	if len(conditions) == 0 {
		conditions = []string{"1 = 0"}
	}
	w.And("("+strings.Join(conditions, " OR ")+")", args...)
}

// Contains adds a search for part of a column's text, which is stored in lower case.
func (w *Where) Contains(column, part string) {
	if part != "" {
		w.And(column+" LIKE ? ESCAPE '!'", Part(part))
	}
}

// Part is the pattern of LIKE, with ! as escape, for a column in lower case that contains a text.
func Part(text string) string { return Pattern(strings.ToLower(text)) }

// Pattern is Part for a column that is in another form.
func Pattern(text string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text) + "%"
}

// Text is the WHERE clause, or nothing.
func (w *Where) Text() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// Limit ends the query; it adds arguments, so it must be called last. 0 is no limit.
func (w *Where) Limit(limit, offset int) string {
	if limit <= 0 {
		return ""
	}
	w.Args = append(w.Args, limit)
	text := fmt.Sprintf(" LIMIT $%d", len(w.Args))
	if offset > 0 {
		w.Args = append(w.Args, offset)
		text += fmt.Sprintf(" OFFSET $%d", len(w.Args))
	}
	return text
}
