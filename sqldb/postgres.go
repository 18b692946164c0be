package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// postgres is the engine for several nodes.
type postgres struct {
	pool *pgxpool.Pool
	gate sync.RWMutex // a transaction that conflicted repeatedly runs alone on this node
}

// maxConnections bounds what one node asks of the server.
const maxConnections = 16 //bound:queue connections to PostgreSQL

func openPostgres(ctx context.Context, dsn string, migrations fs.FS) (*postgres, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("the PostgreSQL URL: %w", err)
	}
	config.MaxConns = maxConnections
	// In small tables the planner reads everything, which a serializable transaction then depends
	// on, and whatever anybody writes there puts it off. By an index it depends on what it asked
	// for. Other databases of PostgreSQL's kind may not know the setting.
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SET enable_seqscan = off")
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			err = nil
		}
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	locker, err := lock.NewPostgresTableLocker() // a table, not an advisory lock: distributed databases lack those
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	err = errors.Join(
		migrate(ctx, db, goose.DialectPostgres, both{migrations, "postgres"}, goose.WithLocker(locker)), db.Close(),
	)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &postgres{pool: pool}, nil
}

func (p *postgres) close() error {
	p.pool.Close()
	return nil
}

func (p *postgres) backup(context.Context, string) error {
	return errors.New("a PostgreSQL database is backed up with pg_dump")
}

func (p *postgres) check(ctx context.Context) ([]string, error) {
	return nil, p.pool.Ping(ctx) // the server looks after its own files
}

func (p *postgres) view(ctx context.Context, fn func(Tx) error) error {
	return p.run(ctx, "begin isolation level repeatable read read only", fn)
}

func (p *postgres) get(ctx context.Context, fn func(Tx) error) error {
	for try := 1; ; try++ {
		err := fn(Tx{ctx: ctx, conn: poolConn{p.pool}})
		switch {
		case err == nil || !lost(err):
			return err
		case try == 2 || ctx.Err() != nil:
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

func (p *postgres) update(ctx context.Context, fn func(Tx) error) error {
	return p.run(ctx, "begin isolation level serializable", fn)
}

// maxTries bounds how often a transaction is run again after a serialization failure.
const maxTries = 12 //bound:depth tries of a transaction that PostgreSQL could not put in order

// run runs a transaction, and again when the server asks for it. A connection that breaks before
// the commit is replaced once: the server may have been restarted since it was last used.
func (p *postgres) run(ctx context.Context, begin string, fn func(Tx) error) error {
	replaced, careful := false, false
	for try := 1; ; try++ {
		committing, err := p.gated(try > maxPatience, func() (bool, error) {
			return p.attempt(ctx, begin, careful, fn)
		})
		switch {
		case err == nil:
			return nil
		case !careful && assumedWrongly(err):
			careful = true
			continue
		case lost(err) && !committing && !replaced && ctx.Err() == nil:
			replaced = true
			continue
		case lost(err):
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		case !retryable(err):
			return err
		case try == maxTries:
			return fmt.Errorf("%w: %w", ErrConflict, err)
		}
		wait := time.Duration(rand.Int64N(int64(time.Millisecond) << min(try, 6))) // #nosec G404 -- jitter
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// maxPatience is how often a transaction is put off before it runs alone.
const maxPatience = 3 //bound:depth tries of a transaction before it runs alone

func (p *postgres) gated(alone bool, fn func() (bool, error)) (bool, error) {
	if alone {
		p.gate.Lock()
		defer p.gate.Unlock()
	} else {
		p.gate.RLock()
		defer p.gate.RUnlock()
	}
	return fn()
}

func (p *postgres) attempt(
	ctx context.Context, begin string, careful bool, fn func(Tx) error,
) (committing bool, err error) {
	c, err := p.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer c.Release()
	tx := &pgTx{conn: c.Conn(), pending: &pgx.Batch{}, careful: careful}
	tx.pending.Queue(begin)
	err = fn(Tx{ctx: ctx, conn: tx})
	if err == nil {
		tx.pending.Queue("commit")
		if err = tx.flush(ctx); err == nil {
			return true, nil
		}
		committing, err = true, fmt.Errorf("commit: %w", err)
	}
	if tx.begun { // a connection that is lost has rolled back already
		_, _ = c.Exec(context.WithoutCancel(ctx), "rollback")
	}
	return committing, err
}

// retryable names the failures after which the same transaction can succeed: serialization failure,
// deadlock, and a unique violation, since rules look for duplicates first and the second run sees
// the row that came in between.
func retryable(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "23505"
}

// assumedWrongly knows the failure that pgTx.assume provokes; no other statement of ours divides.
func assumedWrongly(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "22012" // division by zero
}

// lost says whether the server or the way to it failed, rather than the request. Source:
// PostgreSQL, appendix A: classes 08 (connection), 53 (insufficient resources, such as a full
// disk), 57P (shutdown) and 58 (input and output).
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		class := pg.Code[:min(2, len(pg.Code))]
		return class == "08" || class == "53" || class == "58" || (len(pg.Code) > 2 && pg.Code[:3] == "57P")
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err) || isEOF(err)
}

// storable puts replacement characters where PostgreSQL's texts cannot hold what a stranger asks
// for: a zero byte, or what is not UTF-8. Nothing that is stored has either, so such a question
// finds nothing.
func storable(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

// poolConn runs each statement as a transaction of its own.
type poolConn struct{ pool *pgxpool.Pool }

func (c poolConn) exec(ctx context.Context, query string, args []any) (int64, error) {
	tag, err := c.pool.Exec(ctx, query, storable(args)...)
	return tag.RowsAffected(), err
}

func (c poolConn) do(ctx context.Context, query string, args []any) error {
	_, err := c.exec(ctx, query, args)
	return err
}

func (c poolConn) query(ctx context.Context, query string, args []any, scan func(Row) error) error {
	rows, err := c.pool.Query(ctx, query, storable(args)...)
	if err != nil {
		return err
	}
	return scanAll(rows, scan)
}

func (c poolConn) assume(context.Context, int, string, []any, []string, func(Row) error) (int64, error) {
	return 0, errors.New("a transaction of one statement assumes nothing")
}

func scanAll(rows pgx.Rows, scan func(Row) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// pgTx is a transaction that goes to the server as seldom as it can: statements whose answer nobody
// waits for, the first of which begins the transaction and the last of which commits it, travel
// with the next one whose answer is needed. A statement that fails fails the transaction in any
// case.
type pgTx struct {
	conn    *pgx.Conn
	pending *pgx.Batch
	begun   bool
	careful bool // whether nothing may be assumed
}

// flush sends what is pending and reads the answers.
func (c *pgTx) flush(ctx context.Context) error {
	results := c.conn.SendBatch(ctx, c.pending)
	c.pending, c.begun = &pgx.Batch{}, true
	return results.Close()
}

func (c *pgTx) queue(query string, args []any) *pgx.QueuedQuery {
	return c.pending.Queue(query, storable(args)...)
}

func (c *pgTx) do(_ context.Context, query string, args []any) error {
	c.queue(query, args)
	return nil
}

func (c *pgTx) exec(ctx context.Context, query string, args []any) (changed int64, err error) {
	c.queue(query, args).Exec(func(tag pgconn.CommandTag) error {
		changed = tag.RowsAffected()
		return nil
	})
	err = c.flush(ctx)
	return changed, err
}

func (c *pgTx) query(ctx context.Context, query string, args []any, scan func(Row) error) error {
	c.queue(query, args).Query(func(rows pgx.Rows) error { return scanAll(rows, scan) })
	return c.flush(ctx)
}

// assume lets a wrong assumption fail the transaction, which may well be on its way to the commit:
// it divides by how many rows were changed, or by how many times as many as were expected.
func (c *pgTx) assume(
	ctx context.Context, rows int, query string, args []any, columns []string, scan func(Row) error,
) (changed int64, err error) {
	returning := " RETURNING " + strings.Join(append(columns, "1"), ", ")
	if c.careful {
		err = c.query(ctx, query+returning, args, func(r Row) error {
			changed++
			return scanFirst(r, scan)
		})
		return changed, err
	}
	var firsts strings.Builder
	for _, column := range columns {
		fmt.Fprintf(&firsts, "max(%s), ", column)
	}
	q := c.queue(
		fmt.Sprintf(
			"WITH changed AS (%s%s) SELECT %s1 / (count(*) / %d) FROM changed", query, returning, firsts.String(),
			rows,
		),
		args,
	)
	if scan != nil {
		q.Query(func(r pgx.Rows) error { return scanAll(r, func(r Row) error { return scanFirst(r, scan) }) })
	}
	return int64(rows), nil
}

// scanFirst scans the columns of a row but the last.
func scanFirst(r Row, scan func(Row) error) error {
	if scan == nil {
		return nil
	}
	return scan(butLast{r})
}

type butLast struct{ Row }

func (r butLast) Scan(dest ...any) error { return r.Row.Scan(append(dest, nil)...) }
