// Package sqldb is the one place that knows how SQL databases are opened, migrated, written to in groups and retried.
//
// Two engines stand behind it: SQLite, a file in the data folder with one writer that commits what arrives together in one
// fsync, and PostgreSQL, serializable and retried. SQL text is shared: placeholders are $1, $2, …; types are TEXT, BIGINT and
// INTEGER. It knows neither half and imports nothing of ours.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// ErrNewerSchema is returned by Open for a database that a newer release has migrated.
var ErrNewerSchema = errors.New("the database was written by a newer release of gatehouse; start that release, or restore a backup")

// ErrClosed is returned by Update after Close.
var ErrClosed = errors.New("the database is closed")

// DB is an open, migrated database. Its methods may be called by many goroutines.
type DB struct {
	postgres bool
	read     *sql.DB
	write    *sql.DB // the same as read on PostgreSQL

	queue chan *job // SQLite only
	done  chan struct{}
	stop  chan struct{}
	once  sync.Once
}

// Open opens the database at dsn, a postgres:// URL or the path of an SQLite file that is made when absent, and brings its
// schema to the newest of migrations, a directory of goose's numbered .sql files.
func Open(ctx context.Context, dsn string, migrations fs.FS) (*DB, error) {
	d := &DB{done: make(chan struct{}), stop: make(chan struct{})}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		d.postgres = true
	}
	if err := d.connect(dsn); err != nil {
		return nil, err
	}
	if err := d.migrate(ctx, migrations); err != nil {
		return nil, errors.Join(err, d.closePools())
	}
	if d.postgres {
		close(d.done)
	} else {
		d.queue = make(chan *job, 256)
		go d.writer()
	}
	return d, nil
}

func (d *DB) connect(dsn string) (err error) {
	if d.postgres {
		if d.read, err = sql.Open("pgx", dsn); err != nil {
			return fmt.Errorf("open PostgreSQL: %w", err)
		}
		d.read.SetMaxOpenConns(16)
		d.read.SetMaxIdleConns(16)
		d.write = d.read
		return nil
	}
	if err := writable(dsn); err != nil {
		return err
	}
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "busy_timeout(5000)", "cache_size(-4096)"}}
	base := "file:" + (&url.URL{Path: dsn}).EscapedPath() + "?" + pragmas.Encode()
	if d.write, err = sql.Open("sqlite", base+"&_txlock=immediate"); err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	d.write.SetMaxOpenConns(1)
	if d.read, err = sql.Open("sqlite", base+"&_pragma=query_only(1)"); err != nil {
		return errors.Join(fmt.Errorf("open SQLite: %w", err), d.write.Close())
	}
	d.read.SetMaxOpenConns(8)
	d.read.SetMaxIdleConns(8)
	return nil
}

// writable says in plain words what SQLite would report as "unable to open database file".
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator's own data folder
	if err != nil {
		return fmt.Errorf("the data folder %s cannot be written: %w", filepath.Dir(path), err)
	}
	return f.Close()
}

func (d *DB) migrate(ctx context.Context, migrations fs.FS) error {
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithVerbose(false)}
	if d.postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresTableLocker() // a table, not an advisory lock: distributed databases lack those
		if err != nil {
			return err
		}
		options = append(options, goose.WithLocker(locker))
	}
	p, err := goose.NewProvider(dialect, d.write, migrations, options...)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	sources := p.ListSources()
	if len(sources) > 0 && have > sources[len(sources)-1].Version {
		return fmt.Errorf("%w (schema %d, this release knows %d)", ErrNewerSchema, have, sources[len(sources)-1].Version)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// Close waits for the updates that were accepted, then closes the database.
func (d *DB) Close() error {
	d.once.Do(func() { close(d.stop) })
	<-d.done
	return d.closePools()
}

func (d *DB) closePools() error {
	err := d.read.Close()
	if d.write != d.read {
		err = errors.Join(err, d.write.Close())
	}
	return err
}

// Tx is a running transaction. It must not outlive the function that it was handed to.
type Tx struct {
	ctx   context.Context //nolint:containedctx // a Tx lives as long as the call that it belongs to
	sqlTx *sql.Tx
}

// Exec runs a statement and returns how many rows it changed.
func (t Tx) Exec(query string, args ...any) (int64, error) {
	r, err := t.sqlTx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", firstWords(query), err)
	}
	n, err := r.RowsAffected()
	return n, err
}

// Query calls scan for each row of the result, in order.
func (t Tx) Query(query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := t.sqlTx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", firstWords(query), err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err below has the error
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: %w", firstWords(query), err)
		}
	}
	return rows.Err()
}

// Row reads one row into dest; sql.ErrNoRows when there is none.
func (t Tx) Row(query string, args []any, dest ...any) error {
	err := t.sqlTx.QueryRowContext(t.ctx, query, args...).Scan(dest...)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", firstWords(query), err)
	}
	return err
}

func firstWords(query string) string {
	words := strings.Fields(query)
	return strings.Join(words[:min(4, len(words))], " ")
}
