package sqldb

import (
	"context"
	"time"
)

// Witness is told what a transaction does. On PostgreSQL what is written may be sent only with the
// next question or the commit: then its time is there.
type Witness interface {
	// Statement tells of one that was run. Its text has no values: they are arguments.
	Statement(query string, began time.Time, err error)
	End(err error)
}

// Watch has a witness for each transaction that watch returns one for. Without it, and where it
// returns nil, nothing is measured.
func Watch(watch func(ctx context.Context, kind string) Witness) Option {
	return func(o *options) { o.watch = watch }
}

// watched runs a transaction with its witness, if it has one.
func (d *DB) watched(
	ctx context.Context, kind string, run func(context.Context, func(Tx) error) error, fn func(Tx) error,
) error {
	w := d.watch(ctx, kind)
	if w == nil {
		return run(ctx, fn)
	}
	err := run(ctx, func(t Tx) error {
		t.witness = w
		return fn(t)
	})
	w.End(err)
	return err
}

// began is when a statement begins, where somebody wants to know.
func (t Tx) began() (at time.Time) {
	if t.witness != nil {
		at = time.Now()
	}
	return at
}

// ended tells the witness of a statement.
func (t Tx) ended(query string, began time.Time, err error) {
	if t.witness != nil {
		t.witness.Statement(query, began, err)
	}
}
