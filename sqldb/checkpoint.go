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
// the next log. What did not fit then is tried once more. Where it does not fit into an empty log
// either, the database is not ready until there is more room, although smaller writes still fit.

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
	if d.full.Load() {
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

// noteFull notices that the disk was full, and says so.
func (d *sqliteDB) noteFull(err error) bool {
	code := sqlite.ErrCode(err)
	if err == nil || code.ToPrimary() != sqlite.ResultFull && code != sqlite.ResultIOErrSHMSize {
		return false
	}
	d.full.Store(true)
	return true
}

// relieve folds the log when the disk is full, and gives its space back. It is called by the
// writer, which has nothing else to do then, but no more often than each second. It returns true
// where the log is empty now.
func (d *sqliteDB) relieve() bool {
	if time.Since(d.relieved) < time.Second {
		return false
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
	d.full.Store(err != nil || busy != 0)
	return !d.full.Load()
}

// enough is how much room a disk that was full must have at least to be taken for one that is not.
const enough = logPart * minLog //bound:none what must be free

// room is what is free, and what the log has of the disk.
func (d *sqliteDB) room() (free, log int64, err error) {
	if free, err = d.freeSpace(filepath.Dir(d.path)); err != nil {
		return 0, 0, err
	}
	info, err := os.Stat(d.path + "-wal")
	if err != nil {
		return 0, 0, err
	}
	return free, info.Size(), nil
}

// noteShort notices how much room a write would need that did not fit into an empty log: it was
// more than there is now, so twice as much. Where something is free again by now, another program
// had filled the disk for a moment, and the next write may fit.
func (d *sqliteDB) noteShort() {
	if free, log, err := d.room(); err == nil && free < minLog {
		d.short.Store(max(2*(free+log), enough))
	}
}

// fits fails while a write does not fit on the disk, even if smaller ones do.
func (d *sqliteDB) fits() error {
	needs, held := d.short.Load(), d.full.Load()
	if needs == 0 && !held {
		return nil
	}
	free, log, err := d.room()
	if held { // what the log has is not to be had
		log = 0
	}
	if least := max(needs, enough); err != nil || free+log < least {
		return fmt.Errorf(
			"%w: the disk is full: a write did not fit, there is room for %d KiB, and %d are needed", ErrUnavailable,
			(free+log)>>10, least>>10,
		)
	}
	d.short.CompareAndSwap(needs, 0)
	return nil
}

// calmCommits are so few commits in a second that folding the log costs less than what it spares.
const calmCommits = 128 //bound:none below it, the log is folded each second

// foldWhenCalm folds the log when little was written for a second: readers look for every page in
// it first, a start after a crash reads it whole, and a few writes a second would fill the disk
// with it over the day. It is called by the writer, each second.
func (d *sqliteDB) foldWhenCalm() {
	if d.full.Load() {
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
		err := d.inPlace() // the last connection of another file in its place would remove this one's log
		var c *sqliteConn
		if err == nil {
			c, err = d.open(readerCache)
		}
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
