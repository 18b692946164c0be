package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Commits are written to the write-ahead log without a sync of their own (synchronous = NORMAL:
// SQLite itself syncs the log before it folds it, and the file before it begins the log anew). This
// goroutine syncs the log and answers the group, while the writer runs the next one.

// batch is a group that was committed, or failed to be.
type batch struct {
	group []*job
	err   error
}

// syncCommits answers the groups that the writer has committed, until the writer ends.
func (d *sqliteDB) syncCommits() {
	defer close(d.done)
	for b := range d.committed {
		if b.err == nil {
			if err := d.makeDurable(); err != nil {
				doubt(b.group, err)
			}
		}
		answer(b.group, b.err)
		select {
		case d.idle <- struct{}{}:
		default: // nobody took the last one
		}
	}
}

// doubt answers a group that is committed, and perhaps not durable: readers see it, and it is
// folded into the file when the disk takes it.
func doubt(group []*job, err error) {
	for _, j := range group {
		switch {
		case j.err == nil && j.wrote:
			j.err = fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		default: // what it has read, or what refused it, may not last
			j.err = err
		}
	}
}

// makeDurable syncs the log. After a sync that failed the next one proves nothing, until the writer
// has mended the log.
func (d *sqliteDB) makeDurable() error {
	if d.unsynced.Load() {
		return fmt.Errorf("%w: the log could not be synced before", ErrUnavailable)
	}
	if err := d.syncLog(); err != nil {
		d.unsynced.Store(true)
		return fmt.Errorf("%w: sync the log: %w", ErrUnavailable, err)
	}
	return nil
}

// syncFileLog makes the write-ahead log durable.
func (d *sqliteDB) syncFileLog() (err error) {
	if d.log == nil {
		if d.log, err = os.OpenFile(d.path+"-wal", os.O_RDWR, 0); err != nil {
			return err
		}
		d.stand(1)
	}
	return syncData(d.log)
}

// mend makes durable what a sync failed to. The system may have thrown the log's pages away by
// then, as it does after a failed sync, so another sync proves nothing: all that was committed is
// folded into the file. Until that succeeds, nothing more is committed.
func (d *sqliteDB) mend() error {
	if !d.unsynced.Load() {
		return nil
	}
	busy := 1
	if err := d.readers.release(); err != nil {
		return err
	}
	err := d.writer.query(
		context.Background(), "PRAGMA wal_checkpoint(RESTART)", nil, func(r Row) error { return r.Scan(&busy) },
	)
	if err == nil && busy != 0 {
		err = errors.New("the log is still in use")
	}
	if err != nil {
		return fmt.Errorf("%w: fold the log after a sync failed: %w", ErrUnavailable, err)
	}
	d.unsynced.Store(false)
	return nil
}
