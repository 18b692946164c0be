package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Copying is how a backup is taken.
type Copying struct {
	Migrations fs.FS // of the database
	// Verify opens the copy and looks at all of it, as a restore will.
	Verify func(ctx context.Context, copied string) error
	// Progress is told how much is done, if it is not nil.
	Progress func(done, total int)
}

// Backup writes a consistent copy of a database to a new file while it is in use: an SQLite
// database, also of one in PostgreSQL, so that Restore can make it either again. The file gets its
// name when it is whole, verified and on the disk. A database that is damaged has no backup: what
// can still be read of it would pass for all.
func (d *DB) Backup(ctx context.Context, path string, c Copying) (err error) {
	if c.Progress == nil {
		c.Progress = func(int, int) {}
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s already exists", path)
	}
	problems, err := d.check(ctx)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("the database is damaged, so nothing was written: %s", problems[0])
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, filepath.Base(path)+".partial-*") // which nobody else may read
	if err != nil {
		return err
	}
	partial := f.Name()
	defer func() { err = errors.Join(err, removeCopy(partial)) }()
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.copyTo(ctx, partial, c); err != nil {
		return err
	}
	if err := c.Verify(ctx, partial); err != nil {
		return err
	}
	if err := seal(ctx, partial); err != nil {
		return err
	}
	if err := nameAnew(partial, path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// nameAnew gives a file a name that no file has.
func nameAnew(from, to string) error {
	err := os.Link(from, to)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s already exists", to)
	}
	if err == nil {
		return nil // the other name goes with what else is left
	}
	if _, err := os.Lstat(to); err == nil { // the file system has no links
		return fmt.Errorf("%s already exists", to)
	}
	return os.Rename(from, to)
}

// copyTo copies the database as it is at one moment, without keeping writers waiting, into an empty
// file, which is ours alone already.
func (d *sqliteDB) copyTo(ctx context.Context, path string, o Copying) error {
	return d.view(ctx, func(t Tx) error {
		c, _ := t.conn.(*sqliteConn)
		if err := c.endSnapshot(); err != nil { // VACUUM INTO takes one by itself and wants no transaction around it
			return err
		}
		defer watchGrowth(c, d.path, path, o.Progress)()
		c.SetInterrupt(ctx.Done())
		defer c.SetInterrupt(nil)
		_, err := c.exec(ctx, "VACUUM INTO $1", []any{path})
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		return err
	})
}

// watchGrowth tells a progress how large a file has become, as a part of what it is a copy of. The
// function that it returns ends that.
func watchGrowth(c *sqliteConn, from, to string, progress func(done, total int)) (stop func()) {
	total := 0
	_ = c.query(context.Background(), "PRAGMA page_count", nil, func(r Row) error { return r.Scan(&total) })
	if info, err := os.Stat(from); err == nil {
		total = max(total*pageSize, int(info.Size()))
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ended:
				progress(total>>10, total>>10)
				return
			}
			if info, err := os.Stat(to); err == nil {
				progress(min(int(info.Size()), total)>>10, total>>10)
			}
		}
	}()
	return func() { close(ended); <-done }
}
