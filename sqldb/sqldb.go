// Package sqldb is the one place that knows how SQL databases are opened, migrated, written to in
// groups, retried, copied and checked.
//
// It has two engines: SQLite, a file in the data folder with one writer that commits what arrives
// together with one fsync, and PostgreSQL, serializable and with retries. Both use the same SQL
// text: placeholders are $1, $2, …; types are TEXT, BIGINT and INTEGER. It knows neither half.
//
// It imports nothing of ours.
package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

var (
	// ErrNewerSchema is returned by Open for a database that a newer release has migrated.
	ErrNewerSchema = errors.New(
		"the database was written by a newer release of gatehouse; start that release, or restore a backup",
	)
	// ErrOldSchema is returned by OpenBeside for a database that this release has not migrated yet.
	ErrOldSchema = errors.New("the database was written by an older release of gatehouse; start this release once")
	// ErrForeign is wrapped by what Open returns for a database of something else; see Holding.
	ErrForeign = errors.New("the database has the data of something else, and nothing was changed: name another")
	// ErrNoDatabase is wrapped by what OpenBeside returns where there is none.
	ErrNoDatabase = errors.New("there is no database")
	// ErrClosed is returned by Update and View after Close.
	ErrClosed = errors.New("the database is closed")
	// ErrNoRows is returned by Tx.Row when there is none.
	ErrNoRows = errors.New("no rows")
	// ErrUnavailable is wrapped by every error that is the database's and not the caller's, and
	// that may pass: a full disk, a lost connection, a server that restarts. An update that fails
	// so was not kept, unless the error is ErrUnknownOutcome too; nothing that was answered with
	// success is ever lost.
	ErrUnavailable = errors.New("the database is not available")
	// ErrUnknownOutcome is ErrUnavailable for an update whose commit got no answer: it was kept or
	// not, and is not repeated, since it might then be made twice.
	ErrUnknownOutcome = fmt.Errorf(
		"%w: the answer to the commit was lost, the change may have been kept", ErrUnavailable,
	)
	// ErrConflict is wrapped by what Update returns when others changed the same rows again and
	// again.
	ErrConflict = errors.New("others changed the same data at the same time")
	// ErrUnmet is wrapped by what Update returns for a transaction that required what is not so.
	ErrUnmet = errors.New("what the transaction requires is not so")
	// ErrInUse is returned by Open for an SQLite file that another process has open.
	ErrInUse = errors.New("the data folder is in use by another gatehouse process")
)

// DB is an open, migrated database. Its methods may be called by many goroutines.
type DB struct {
	engine
	shared bool
	newest int64 // schema that this release knows
	watch  func(ctx context.Context, kind string) Witness
	while  func() error // fails while nothing is to be read or written; nil: never
}

// engine is what stands behind a DB.
type engine interface {
	view(ctx context.Context, fn func(Tx) error) error
	get(ctx context.Context, fn func(Tx) error) error
	update(ctx context.Context, fn func(Tx) error) error
	copyTo(ctx context.Context, path string, c Copying) error
	check(ctx context.Context) ([]string, error)
	close() error
}

// Open opens the database at dsn, a postgres:// URL or the path of an SQLite file that is made when
// absent, and brings its schema to the newest of migrations: goose's numbered .sql files, those of
// both engines at the top, those of one engine in a folder named sqlite or postgres.
func Open(ctx context.Context, dsn string, migrations fs.FS, choices ...Option) (*DB, error) {
	o := options{tell: func(string) {}, patience: connectPatience}
	for _, choose := range choices {
		choose(&o)
	}
	var e engine
	shared, name := IsPostgres(dsn), "sqlite"
	if shared {
		name = "postgres"
	}
	known, err := newest(both{migrations, name})
	if err != nil {
		return nil, err
	}
	if shared {
		e, err = openPostgres(ctx, dsn, migrations, o)
	} else {
		e, err = openSQLite(ctx, dsn, migrations, o)
	}
	if err != nil {
		return nil, err
	}
	return &DB{engine: e, shared: shared, newest: known, watch: o.watch, while: o.while}, nil
}

// Option changes how Open opens.
type Option func(*options)

type options struct {
	tell     func(string)
	told     bool
	patience time.Duration
	watch    func(ctx context.Context, kind string) Witness
	while    func() error
	holds    string
	before   func(Tx) error
}

// Holding names a table that every database of the migrations has, and no other. A database with a
// schema and without it fails with ErrForeign before anything is migrated.
func Holding(table string) Option { return func(o *options) { o.holds = table } }

// Before has look read a database that has an older schema, before that is changed. If it fails,
// Open does, and nothing has been changed. It may run more than once.
func Before(look func(Tx) error) Option { return func(o *options) { o.before = look } }

func foreign(table string) error { return fmt.Errorf("%w (no table %s)", ErrForeign, table) }

// Tell lets Open say, in sentences, what it waits for and what an administrator should know. It
// then waits for a PostgreSQL server that cannot be reached, too.
func Tell(tell func(string)) Option { return func(o *options) { o.tell, o.told = tell, true } }

// Patience sets how long a request waits for a PostgreSQL server that ends its connections.
func Patience(d time.Duration) Option { return func(o *options) { o.patience = d } }

// While has View, Get and Update fail with ErrUnavailable while set fails, such as by a clock that
// is wrong.
func While(set func() error) Option { return func(o *options) { o.while = set } }

// unless says why nothing is to be read or written at the moment.
func (d *DB) unless() error {
	if d.while == nil {
		return nil
	}
	if err := d.while(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// IsPostgres says whether dsn names a PostgreSQL database rather than a file.
func IsPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// Shared says whether other processes may write to the database too, so that nothing read from it
// may be remembered.
func (d *DB) Shared() bool { return d.shared }

// View runs fn on one consistent snapshot. fn may run more than once on PostgreSQL.
func (d *DB) View(ctx context.Context, fn func(Tx) error) error {
	if err := d.unless(); err != nil {
		return err
	}
	if d.watch != nil {
		return mended(d.watched(ctx, "view", d.view, fn))
	}
	return mended(d.view(ctx, fn))
}

// Get is View for an fn that runs one statement, which is always consistent.
func (d *DB) Get(ctx context.Context, fn func(Tx) error) error {
	if err := d.unless(); err != nil {
		return err
	}
	if d.watch != nil {
		return mended(d.watched(ctx, "get", d.get, fn))
	}
	return mended(d.get(ctx, fn))
}

// Update runs fn in a serializable transaction, which is durable when Update returns nil. fn may
// run more than once and must have no effect but on its Tx. When fn fails nothing of it remains.
func (d *DB) Update(ctx context.Context, fn func(Tx) error) error {
	if err := d.unless(); err != nil {
		return err
	}
	if d.watch != nil {
		return mended(d.watched(ctx, "update", d.update, fn))
	}
	return mended(d.update(ctx, fn))
}

// Check looks for damage of the database itself and says what it found, one line each; none is
// good.
func (d *DB) Check(ctx context.Context) ([]string, error) { return d.check(ctx) }

// Close waits for the updates that were accepted, then closes the database.
func (d *DB) Close() error { return d.close() }

// Tx is a running transaction. It must not outlive the function that it was handed to, nor be used
// by several goroutines.
type Tx struct {
	ctx     context.Context //nolint:containedctx // a Tx lives as long as the call that it belongs to
	conn    conn
	witness Witness // nil: nobody watches
}

// conn is a connection with a running transaction.
type conn interface {
	exec(ctx context.Context, query string, args []any) (int64, error)
	// do is exec without the number of rows; on PostgreSQL a failure may show only at the next
	// statement, or at the commit.
	do(ctx context.Context, query string, args []any) error
	query(ctx context.Context, query string, args []any, scan func(Row) error) error
	// ask asks questions of which none depends on another one's answer.
	ask(ctx context.Context, questions []Question) error
	// assume is exec for a statement that nearly always changes so many rows, of which it may
	// return columns that hold numbers.
	assume(
		ctx context.Context, rows int, query string, args []any, columns []string, scan func(Row) error,
	) (int64, error)
	// touch names an object that the transaction changes, and that no statement asks with first.
	touch(object string) error
}

// Ending is the transaction with writes that fail with an error before they are made, for whoever
// wants to know what would be refused before that.
func (t Tx) Ending(err error) Tx {
	t.conn = ending{t.conn, err}
	return t
}

type ending struct {
	conn
	err error
}

func (e ending) exec(context.Context, string, []any) (int64, error) { return 0, e.err }
func (e ending) do(context.Context, string, []any) error            { return e.err }
func (e ending) touch(string) error                                 { return e.err }
func (e ending) assume(context.Context, int, string, []any, []string, func(Row) error) (int64, error) {
	return 0, e.err
}

// Row is one row of a result.
type Row interface {
	// Scan copies the columns, in order, to pointers to string, int, int64, []byte, or a type made
	// of one of them.
	Scan(dest ...any) error
}

// Exec runs a statement and returns how many rows it changed.
func (t Tx) Exec(query string, args ...any) (int64, error) {
	began := t.began()
	n, err := t.conn.exec(t.ctx, query, args)
	t.ended(query, began, err)
	return n, explain(query, err)
}

// Assume is Exec for a statement that nearly always changes so many rows. PostgreSQL is not asked
// whether it did until the transaction has another question or is committed, which spares a way to
// the server and back; when it did not, nothing is kept and the transaction is run again, this time
// with the true answer.
func (t Tx) Assume(rows int, query string, args ...any) (int64, error) {
	began := t.began()
	n, err := t.conn.assume(t.ctx, rows, query, args, nil, nil)
	t.ended(query, began, err)
	return n, explain(query, err)
}

// AssumeRow is Assume for a statement that nearly always changes one row, and says whether it did.
// scan reads columns of it, which hold numbers, at the latest before Update returns.
func (t Tx) AssumeRow(query string, args []any, columns []string, scan func(Row) error) (bool, error) {
	began := t.began()
	n, err := t.conn.assume(t.ctx, 1, query, args, columns, scan)
	t.ended(query, began, err)
	return n == 1, explain(query, err)
}

// Touch names something that the transaction changes together with many others, such as the end of
// a journal, and that none of its statements has as its first argument. Updates of one node that
// meet in it again and again queue for it.
func (t Tx) Touch(object string) error { return t.conn.touch(object) }

// Query calls scan for each row of the result, in order. scan must not use the Tx.
func (t Tx) Query(query string, args []any, scan func(Row) error) error {
	began := t.began()
	err := t.conn.query(t.ctx, query, args, scan)
	t.ended(query, began, err)
	return explain(query, err)
}

// Question is a query, and what is called for each row of its result, in order. Scan must not use
// the Tx.
type Question struct {
	Query string
	Args  []any
	Scan  func(Row) error
}

// Ask asks several questions, of which none depends on another one's answer. On PostgreSQL they
// travel together.
func (t Tx) Ask(questions ...Question) error {
	if len(questions) == 0 {
		return nil
	}
	began := t.began()
	err := t.conn.ask(t.ctx, questions)
	for _, q := range questions {
		t.ended(q.Query, began, err)
	}
	if err != nil && len(questions) > 1 {
		err = fmt.Errorf("one of several questions that begin with this one: %w", err)
	}
	return explain(questions[0].Query, err)
}

// Row reads one row into dest; ErrNoRows when there is none.
func (t Tx) Row(query string, args []any, dest ...any) error {
	found, began := false, t.began()
	err := t.conn.query(t.ctx, query, args, func(r Row) error {
		if found {
			return nil
		}
		found = true
		return r.Scan(dest...)
	})
	t.ended(query, began, err)
	if err == nil && !found {
		return ErrNoRows
	}
	return explain(query, err)
}

func explain(query string, err error) error {
	if err == nil {
		return nil
	}
	words := strings.Fields(query)
	return fmt.Errorf("%s: %w", strings.Join(words[:min(4, len(words))], " "), err)
}
