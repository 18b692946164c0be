package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/jackc/pgx/v5"
)

// OpenBeside opens a database to look at it, also while another process serves from it: it takes no
// lock, migrates nothing, and must not be used to write. It fails with ErrForeign unless the
// database has a table (see Holding), with ErrOldSchema or ErrNewerSchema when the schema is not
// this release's, with ErrUnavailable when the file is not the one that the other process has open,
// and with an error that wraps fs.ErrNotExist when there is none.
func OpenBeside(ctx context.Context, dsn string, migrations fs.FS, table string) (*DB, error) {
	want, err := newest(both{migrations, engineOf(dsn)})
	if err != nil {
		return nil, err
	}
	if IsPostgres(dsn) {
		have, err := postgresVersion(ctx, dsn, table)
		if err == nil {
			err = compareVersions(have, want)
		}
		if err != nil {
			return nil, err
		}
		return Open(ctx, dsn, migrations)
	}
	if dsn, err = resolve(dsn); err != nil {
		return nil, err
	}
	if err := notReplaced(dsn); err != nil {
		return nil, err
	}
	if _, err := os.Stat(dsn); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDatabase, err)
	}
	keepPrivate(dsn) // SQLite may make files beside it
	d := &sqliteDB{path: dsn, done: make(chan struct{}), stop: make(chan struct{})}
	close(d.done) // nothing writes
	c, err := d.open(readerCache)
	if err != nil {
		return nil, err
	}
	have, err := schemaVersion(ctx, c)
	if err == nil && have > 0 {
		err = c.holds(ctx, table)
	}
	if err == nil {
		err = compareVersions(have, want)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	d.readers = newReaders()
	return &DB{engine: d}, nil
}

func schemaVersion(ctx context.Context, c *sqliteConn) (version int64, err error) {
	err = c.query(
		ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`, nil,
		func(r Row) error { return r.Scan(&version) },
	)
	return version, err
}

func engineOf(dsn string) string {
	if IsPostgres(dsn) {
		return "postgres"
	}
	return "sqlite"
}

func compareVersions(have, want int64) error {
	err := ErrNewerSchema
	switch {
	case have == want:
		return nil
	case have < want:
		err = ErrOldSchema
	}
	return fmt.Errorf("%w (schema %d, this release knows %d)", err, have, want)
}

// postgresBeside is a connection that is none of a node's.
func postgresBeside(ctx context.Context, dsn string) (*pgx.Conn, error) {
	config, err := (&postgres{}).config(dsn)
	if err != nil {
		return nil, fmt.Errorf("the PostgreSQL URL: %w", err)
	}
	return dedicated(ctx, config.ConnConfig, "gatehouse beside")
}

// postgresVersion reads the version of a schema that has a table, and makes nothing where there is
// none.
func postgresVersion(ctx context.Context, dsn, table string) (version int64, err error) {
	conn, err := postgresBeside(ctx, dsn)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var there, holds bool
	if err := conn.QueryRow(
		ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL, to_regclass($1) IS NOT NULL`, table,
	).Scan(&there, &holds); err != nil {
		return 0, err
	}
	if !there {
		return 0, fmt.Errorf("%w: %w", ErrNoDatabase, fs.ErrNotExist)
	}
	err = conn.QueryRow(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`).Scan(&version)
	if err == nil && version > 0 && !holds {
		err = foreign(table)
	}
	return version, err
}

// Free says whether no process serves from a database: it fails with ErrInUse where one does, so
// that a command can say so before it begins something long. A database that is not there is free.
func Free(ctx context.Context, dsn string) (err error) {
	if IsPostgres(dsn) {
		conn, err := postgresBeside(ctx, dsn)
		if err != nil {
			return err
		}
		return errors.Join(awaitAlone(ctx, conn), conn.Close(context.WithoutCancel(ctx)))
	}
	if dsn, err = resolve(dsn); err != nil {
		return err
	}
	if _, err := os.Stat(dsn + lockSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := lockBeside(dsn)
	if err != nil {
		return err
	}
	return lock.Close()
}
