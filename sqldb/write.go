package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// View runs fn on one consistent snapshot. fn may run more than once on PostgreSQL.
func (d *DB) View(ctx context.Context, fn func(Tx) error) error {
	return d.retry(ctx, func() error {
		options := &sql.TxOptions{ReadOnly: true}
		if d.postgres {
			options.Isolation = sql.LevelRepeatableRead
		}
		tx, err := d.read.BeginTx(ctx, options)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		defer tx.Rollback() //nolint:errcheck // a read has nothing to lose
		return fn(Tx{ctx: ctx, sqlTx: tx})
	})
}

// Update runs fn in a serializable transaction, which is durable when Update returns nil. fn may run more than once and must
// have no effect but on its Tx. When fn fails nothing of it remains.
func (d *DB) Update(ctx context.Context, fn func(Tx) error) error {
	if d.postgres {
		return d.retry(ctx, func() error { return d.updatePostgres(ctx, fn) })
	}
	j := &job{fn: fn, result: make(chan error, 1)}
	select {
	case <-d.stop: // first: select picks at random among what is ready
		return ErrClosed
	default:
	}
	select {
	case d.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-d.stop:
		return ErrClosed
	}
	select { // the writer answers every job that it took, also while it stops
	case err := <-j.result:
		return err
	case <-d.done:
		select {
		case err := <-j.result:
			return err
		default:
			return ErrClosed
		}
	}
}

func (d *DB) updatePostgres(ctx context.Context, fn func(Tx) error) error {
	tx, err := d.write.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if err := fn(Tx{ctx: ctx, sqlTx: tx}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// maxTries bounds how often a transaction is run again after a serialization failure.
const maxTries = 12

func (d *DB) retry(ctx context.Context, run func() error) error {
	for try := 1; ; try++ {
		err := run()
		if err == nil || !d.postgres || try == maxTries || !retryable(err) {
			return err
		}
		wait := time.Duration(rand.Int64N(int64(time.Millisecond) << min(try, 6))) // #nosec G404 -- jitter
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// retryable names the failures after which the same transaction can succeed: serialization failure, deadlock, and a unique
// violation, since rules look for duplicates first and the second run sees the row that came in between.
func retryable(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "23505"
}

// job is one Update that waits for SQLite's writer.
type job struct {
	fn     func(Tx) error
	result chan error // capacity 1
}

// maxGroup bounds how many updates share one commit.
const maxGroup = 128

// writer is the only goroutine that writes to SQLite. What has queued up while the last commit was synced to disk is run in one
// transaction, each update behind a savepoint, and committed with one fsync; only then are the callers answered.
func (d *DB) writer() {
	defer close(d.done)
	for {
		select {
		case j := <-d.queue:
			d.commitGroup(j)
		case <-d.stop:
			for {
				select {
				case j := <-d.queue:
					d.commitGroup(j)
				default:
					return
				}
			}
		}
	}
}

func (d *DB) commitGroup(first *job) {
	ctx := context.Background() // a caller that goes away must not take the others' transaction with it
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		first.result <- fmt.Errorf("begin: %w", err)
		return
	}
	var done []*job
	for j := first; j != nil; {
		if err := d.runInSavepoint(ctx, tx, j.fn); err != nil {
			j.result <- err
		} else {
			done = append(done, j)
		}
		j = nil
		if len(done) < maxGroup {
			select {
			case j = <-d.queue:
			default:
			}
		}
	}
	err = tx.Commit()
	if err != nil {
		err = errors.Join(fmt.Errorf("commit: %w", err), tx.Rollback())
	}
	for _, j := range done {
		j.result <- err
	}
}

func (d *DB) runInSavepoint(ctx context.Context, tx *sql.Tx, fn func(Tx) error) (err error) {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v", p)
		}
		if err != nil {
			_, undo := tx.ExecContext(ctx, "ROLLBACK TO one")
			_, release := tx.ExecContext(ctx, "RELEASE one")
			err = errors.Join(err, undo, release)
			return
		}
		_, err = tx.ExecContext(ctx, "RELEASE one")
	}()
	return fn(Tx{ctx: ctx, sqlTx: tx})
}
