package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// job is one Update that waits for SQLite's writer.
type job struct {
	//nolint:containedctx // the values of the caller's context; its end does not end the others' transaction
	ctx    context.Context
	fn     func(Tx) error
	err    error
	wrote  bool
	result chan error // capacity 1
}

func (d *sqliteDB) update(ctx context.Context, fn func(Tx) error) error {
	j := &job{ctx: context.WithoutCancel(ctx), fn: fn, result: make(chan error, 1)}
	select {
	case <-d.stop: // first: select picks at random among what is ready
		return ErrClosed
	default:
	}
	select {
	case d.queue <- j:
	default: // the queue is full
		select {
		case d.queue <- j:
		case <-ctx.Done():
			return ctx.Err()
		case <-d.stop:
			return ErrClosed
		}
	}
	select { // the writer answers every job that it took, also while it stops
	case err := <-j.result:
		return err
	case <-d.done:
		select {
		case err := <-j.result:
			return err
		default:
			return ErrClosed
		}
	}
}

// maxGroup bounds how many updates share one commit.
const maxGroup = 128 //bound:queue updates that share a commit

// write is the only goroutine that writes to SQLite. What has queued up is run in one transaction,
// committed, and handed to the goroutine that syncs, so that the next group runs while this one is
// written to the disk. Only then are the callers answered, those that were refused too, since what
// refused them may be a change that is not durable yet.
func (d *sqliteDB) write() {
	defer close(d.committed)
	quiet := time.NewTicker(time.Second)
	defer quiet.Stop()
	for {
		select {
		case j := <-d.queue:
			d.commitGroup(j)
			d.watchLog()
		case <-quiet.C:
			d.foldWhenCalm()
		case <-d.folded:
			d.finishFolding()
		case <-d.stop:
			for {
				select {
				case j := <-d.queue:
					d.commitGroup(j)
				default:
					return
				}
			}
		}
	}
}

// commitGroup runs the first job, and others with it: one commit for many writes fewer pages than
// many commits. A job that fails before it wrote anything leaves nothing to undo, which is how
// nearly all fail: rules look before they write. When one fails later, the whole group is run
// again, each behind a savepoint.
func (d *sqliteDB) commitGroup(first *job) {
	group := []*job{first}
	err := d.inPlace()
	if err == nil {
		err = d.mend()
	}
	if err == nil {
		err = d.writer.run("BEGIN IMMEDIATE")
	}
	if err != nil {
		d.noteFull(err)
		answer(group, fmt.Errorf("begin: %w", err))
		return
	}
	w, began := waits{}, time.Now()
	clean := d.runJob(first)
	for clean && len(group) < maxGroup {
		next := d.another(len(group), &w)
		if next == nil {
			break
		}
		group = append(group, next)
		clean = d.runJob(next)
	}
	w.end()
	if clean {
		err = d.commit()
	} else {
		err = d.commitCarefully(group)
	}
	if d.noteFull(err) && d.relieve() {
		if err = d.commitCarefully(group); d.noteFull(err) {
			d.noteShort()
		}
	}
	d.likely, d.took = min(len(group)+len(d.queue), maxGroup), time.Since(began)
	d.committed <- batch{group, err}
}

// waits is what a group has waited for.
type waits struct {
	synced bool        // the group before
	late   *time.Timer // others who were likely to come
}

func (w *waits) end() {
	if w.late != nil {
		w.late.Stop()
	}
}

// another returns the next job of a group that has so many, or nil when it is time to commit. It
// waits for the sync of the group before, which costs nobody anything, since this one could not be
// synced earlier; and for a part of what a group takes for as many as shared the one before, or
// came during it: those who were answered together ask again together.
func (d *sqliteDB) another(has int, w *waits) *job {
	select {
	case next := <-d.queue:
		return next
	default:
	}
	if !w.synced {
		select {
		case next := <-d.queue:
			return next
		case <-d.idle:
			w.synced = true
		}
	}
	if has >= d.likely {
		return nil
	}
	if w.late == nil {
		w.late = time.NewTimer(d.gather(d.took))
	}
	select {
	case next := <-d.queue:
		return next
	case <-w.late.C:
		return nil
	}
}

// gatherFor is how long a group waits for others when the one before took so long.
func gatherFor(took time.Duration) time.Duration { return min(took/2, maxGather) }

// runJob says whether a job has left nothing that must be undone. Where a read met a failure of the
// disk, SQLite has ended the transaction by itself: what others of the group wrote is gone, and
// what came next would be committed statement by statement.
func (d *sqliteDB) runJob(j *job) bool {
	d.writer.wrote = false
	j.err = call(j, d.writer)
	j.wrote = d.writer.wrote
	return j.err == nil || !d.writer.wrote && !d.writer.AutocommitEnabled()
}

func answer(group []*job, err error) {
	for _, j := range group {
		if err != nil {
			j.err = err
		}
		j.result <- j.err
	}
}

func (d *sqliteDB) commit() error {
	if err := d.writer.run("COMMIT"); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), d.rollback())
	}
	d.version.Add(1)
	return nil
}

// rollback ends the transaction, which SQLite may have ended itself: it does so when the disk is
// full.
func (d *sqliteDB) rollback() error {
	if d.writer.AutocommitEnabled() {
		return nil
	}
	return d.writer.run("ROLLBACK")
}

func (d *sqliteDB) commitCarefully(group []*job) error {
	if err := d.rollback(); err != nil {
		return err
	}
	if err := d.writer.run("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, j := range group {
		if err := d.writer.run("SAVEPOINT one"); err != nil {
			return errors.Join(err, d.rollback())
		}
		d.writer.wrote = false
		j.err = call(j, d.writer)
		j.wrote = d.writer.wrote
		if errors.Is(j.err, ErrUnavailable) {
			return errors.Join(j.err, d.rollback())
		}
		if j.err != nil {
			if err := d.writer.run("ROLLBACK TO one"); err != nil {
				return errors.Join(err, d.rollback())
			}
		}
		if err := d.writer.run("RELEASE one"); err != nil {
			return errors.Join(err, d.rollback())
		}
	}
	return d.commit()
}

// call runs a job's function. A panic in it must not take the writer with it.
func call(j *job, c *sqliteConn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.wrote = true // who knows
			err = fmt.Errorf("panic in a transaction: %v", p)
		}
	}()
	c.failed = nil
	return c.outcome(j.fn(Tx{ctx: j.ctx, conn: c}))
}
