package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite"
)

// SQLite folds the write-ahead log back into the file within the commit that makes it too long, and
// whoever commits then waits for thousands of pages and two syncs. Here another goroutine folds
// while the writer goes on; what has been written meanwhile, a few pages, the writer folds itself.
// Then all of the log is in the file, and the next commit begins it anew.

//
// A disk may be smaller than the log is allowed to grow. So the log gets a share of what is free at
// most, and a full disk has it folded at once: then its space is free again, for the file or for
// the next log.

const (
	//bound:none a share of the disk, the log included
	logPart = 4       // the log gets a fourth: folded, it may need as much again in the file
	minLog  = 1 << 20 //bound:rows the write-ahead log on a disk that is nearly full, in bytes
)

// roomForLog is how large the log may grow.
func (d *sqliteDB) roomForLog(size int64) int64 {
	free, err := d.freeSpace(filepath.Dir(d.path))
	if err != nil {
		return d.maxLog
	}
	return min(d.maxLog, max(minLog, (free+size)/logPart))
}

// watchLog asks for the log to be folded when it is long. It is called by the writer after each
// group; where there is room for all of a log, it looks now and then.
func (d *sqliteDB) watchLog() {
	d.commits++
	if d.full {
		d.relieve()
	}
	if d.commits%logEach != 0 && !d.small {
		return
	}
	info, err := os.Stat(d.path + "-wal")
	if err != nil {
		return
	}
	room := d.roomForLog(info.Size())
	d.small = room < d.maxLog
	if info.Size() < room {
		d.long = false
		return
	}
	if d.long && d.commits-d.foldedAt < logEach { // asked already; a reader may need it still
		return
	}
	d.long = true
	// What is kept of the file when it starts again.
	_ = d.writer.pragma(fmt.Sprintf("journal_size_limit = %d", min(keptLog, room/2)))
	d.askToFold()
}

// logEach is after how many groups the size of the log is looked at.
const logEach = 32 //bound:none how often, not how much

func (d *sqliteDB) askToFold() {
	d.foldedAt = d.commits
	select {
	case d.fold <- struct{}{}:
	default: // asked already
	}
}

// noteFull notices that the disk was full.
func (d *sqliteDB) noteFull(err error) {
	if err == nil {
		return
	}
	code := sqlite.ErrCode(err)
	d.full = d.full || code.ToPrimary() == sqlite.ResultFull || code == sqlite.ResultIOErrSHMSize
}

// relieve folds the log when the disk is full, and gives its space back. It is called by the
// writer, which has nothing else to do then, but no more often than each second.
func (d *sqliteDB) relieve() {
	if time.Since(d.relieved) < time.Second {
		return
	}
	d.relieved = time.Now()
	d.writer.SetBusyTimeout(50 * time.Millisecond) // a long reader may need the log still
	defer d.writer.SetBusyTimeout(busyTimeout)
	busy := 1
	err := d.readers.release()
	if err == nil {
		err = d.writer.query(
			context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)", nil,
			func(r Row) error { return r.Scan(&busy) },
		)
	}
	d.full = err != nil || busy != 0
}

// calmCommits are so few commits in a second that folding the log costs less than what it spares.
const calmCommits = 128 //bound:none below it, the log is folded each second

// foldWhenCalm folds the log when little was written for a second: readers look for every page in
// it first, a start after a crash reads it whole, and a few writes a second would fill the disk
// with it over the day. It is called by the writer, each second.
func (d *sqliteDB) foldWhenCalm() {
	if d.full {
		d.relieve()
	}
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
