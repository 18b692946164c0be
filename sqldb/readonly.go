package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// OpenBeside opens a database to look at it, also while another process serves from it: it takes no
// lock, migrates nothing, and must not be used to write. It fails with ErrOldSchema or
// ErrNewerSchema when the schema is not this release's, and with an error that wraps fs.ErrNotExist
// when there is no file.
func OpenBeside(ctx context.Context, dsn string, migrations fs.FS) (*DB, error) {
	if IsPostgres(dsn) {
		return Open(ctx, dsn, migrations)
	}
	dsn, err := resolve(dsn)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dsn); err != nil {
		return nil, fmt.Errorf("there is no database: %w", err)
	}
	keepPrivate(dsn) // SQLite may make files beside it
	d := &sqliteDB{path: dsn, done: make(chan struct{}), stop: make(chan struct{})}
	close(d.done) // nothing writes
	want, err := newest(both{migrations, "sqlite"})
	if err != nil {
		return nil, err
	}
	c, err := d.open(readerCache)
	if err != nil {
		return nil, err
	}
	have, err := schemaVersion(ctx, c)
	if err == nil && have != want {
		err = ErrNewerSchema
		if have < want {
			err = ErrOldSchema
		}
		err = fmt.Errorf("%w (schema %d, this release knows %d)", err, have, want)
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
