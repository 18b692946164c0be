package sqldb

import (
	"errors"
	"os"
)

// SQLite folds the write-ahead log back into the file within the commit that makes it too long, and
// whoever commits then waits for thousands of pages and two syncs. Here another goroutine folds
// while the writer goes on; what has been written meanwhile, a few pages, the writer folds itself.
// Then all of the log is in the file, and the next commit begins it anew.

// watchLog asks for the log to be folded when it is long. It is called by the writer.
func (d *sqliteDB) watchLog() {
	if d.commits++; d.commits%32 != 0 {
		return
	}
	if info, err := os.Stat(d.path + "-wal"); err != nil || info.Size() < d.maxLog {
		return
	}
	d.askToFold()
}

func (d *sqliteDB) askToFold() {
	d.foldedAt = d.commits
	select {
	case d.fold <- struct{}{}:
	default: // asked already
	}
}

// calmCommits are so few commits in a second that folding the log costs less than what it spares.
const calmCommits = 128 //bound:none below it, the log is folded each second

// foldWhenCalm folds the log when little was written for a second: readers look for every page in
// it first, a start after a crash reads it whole, and a few writes a second would fill the disk
// with it over the day. It is called by the writer, each second.
func (d *sqliteDB) foldWhenCalm() {
	if d.commits-d.seen < calmCommits && d.commits != d.foldedAt {
		d.askToFold()
	}
	d.seen = d.commits
}

// foldLog waits for the writer to ask, on a connection of its own.
func (d *sqliteDB) foldLog() {
	for {
		select {
		case <-d.fold:
		case <-d.stop:
			return
		}
		c, err := d.open(readerCache)
		if err == nil {
			err = errors.Join(d.readers.release(), c.pragma("wal_checkpoint(PASSIVE)"), c.Close())
		}
		if err != nil { // a full disk, say: the log grows until folding succeeds
			continue
		}
		select {
		case d.folded <- struct{}{}:
		default:
		}
	}
}

// finishFolding folds what was written while most was folded. It is called by the writer. Readers
// that still need the log keep it from beginning anew, which is tried again later.
func (d *sqliteDB) finishFolding() {
	_ = d.readers.release()
	_ = d.writer.pragma("wal_checkpoint(PASSIVE)") // a failure is met again by the next commit
}
