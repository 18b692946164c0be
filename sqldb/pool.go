package sqldb

import "time"

// Pool is how the connections of a process to PostgreSQL stand.
type Pool struct {
	Used, Idle, Most int64
	Waits            int64 // for a connection that none was free for
	Waited           time.Duration
}

// Pool says how the connections stand; SQLite has none.
func (d *DB) Pool() (Pool, bool) {
	p, ok := d.engine.(*postgres)
	if !ok {
		return Pool{}, false
	}
	s := p.pool.Stat()
	return Pool{
		Used: int64(s.AcquiredConns()), Idle: int64(s.IdleConns()), Most: int64(s.MaxConns()),
		Waits: s.EmptyAcquireCount(), Waited: s.EmptyAcquireWaitTime(),
	}, true
}
