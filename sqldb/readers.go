package sqldb

import (
	"context"
	"errors"
	"sync"
)

// maxReaders bounds the connections that read from an SQLite file at once.
const maxReaders = 8 //bound:queue connections that read from the SQLite file

// readers are the connections that nobody reads with at the moment. The one that was given back
// last is taken first: its page cache is the warmest, and under a light load the others are never
// opened.
type readers struct {
	mu     sync.Mutex
	free   []*sqliteConn // nil where one has not been opened yet
	ready  chan struct{} // a place for each that is free
	closed bool
}

func newReaders() *readers {
	r := &readers{free: make([]*sqliteConn, maxReaders), ready: make(chan struct{}, maxReaders)}
	for range maxReaders {
		r.ready <- struct{}{}
	}
	return r
}

// acquire waits for a free one. It returns nil for one that must be opened.
func (r *readers) acquire(ctx context.Context) (*sqliteConn, error) {
	select {
	case <-r.ready:
	default: // none is free
		select {
		case <-r.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.ready <- struct{}{}
		return nil, ErrClosed
	}
	c := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	return c, nil
}

// putBack puts one back. One that could not be opened goes back as nil, behind those that are open.
func (r *readers) putBack(c *sqliteConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c == nil {
		r.free = append([]*sqliteConn{nil}, r.free...)
	} else {
		r.free = append(r.free, c)
	}
	r.ready <- struct{}{}
}

// release ends the snapshots that are kept by connections that nobody reads with: what they see
// could not be folded.
func (r *readers) release() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.free {
		if c != nil {
			err = errors.Join(err, c.endSnapshot())
		}
	}
	return err
}

// close waits for those that are taken, and closes all.
func (r *readers) close() (err error) {
	for range maxReaders {
		<-r.ready
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.free {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	r.closed, r.free = true, nil
	for range maxReaders { // whoever comes now is turned away
		r.ready <- struct{}{}
	}
	return err
}
