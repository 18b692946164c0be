package sqldb

import (
	"context"
	"errors"
	"fmt"
)

// errUndone ends a transaction of which nothing is to stay.
var errUndone = errors.New("nothing of it is to stay")

// Ready fails unless the database can be read and written at the moment, and with ErrOldSchema when
// its schema is older than this release's: somebody has put an old database in its place. A newer
// one is that of a node of the next release, beside which this one goes on. write is a statement
// that puts a row. On SQLite it is committed, since a full disk shows only then, and whatever did
// not fit before counts too, since it is larger; several nodes would be in each other's way, so
// that on PostgreSQL nothing of it stays.
func (d *DB) Ready(ctx context.Context, write string, args ...any) error {
	update := d.update
	if p, ok := d.engine.(*postgres); ok {
		update = p.updateAlone // what is undone must not be others' writes
	}
	err := update(ctx, func(t Tx) error {
		var have int64
		if err := t.Row(`SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`, nil, &have); err != nil {
			return err
		}
		if have < d.newest {
			return fmt.Errorf("%w (schema %d, this release knows %d)", ErrOldSchema, have, d.newest)
		}
		if _, err := t.Exec(write, args...); err != nil || !d.shared {
			return err
		}
		return errUndone
	})
	if errors.Is(err, errUndone) {
		return nil
	}
	if s, ok := d.engine.(*sqliteDB); ok && err == nil {
		return s.fits()
	}
	return err
}
