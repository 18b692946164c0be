package sqldb

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Lookup finds one document in the column doc of a table by a key, which is unique.
type Lookup struct{ one, many string }

// NewLookup makes a lookup. A condition narrows the table to rows among which the key is unique;
// empty: all.
func NewLookup(table, key, condition string) *Lookup {
	from := " FROM " + table + " WHERE "
	if condition != "" {
		from += condition + " AND "
	}
	return &Lookup{
		one:  "SELECT doc" + from + key + " = $1",
		many: "SELECT " + key + ", doc" + from + key + " = ANY($1)",
	}
}

// Find returns the document that has a key; ErrNoRows when there is none.
//
// On PostgreSQL, within Get, the lookups that arrive while others are on their way travel together,
// in one round. None is answered by a statement that was sent before it arrived.
func (t Tx) Find(l *Lookup, key string) (doc string, err error) {
	c, together := t.conn.(*pgStatement)
	if !together || len(key) > maxRoundKey {
		err = t.Row(l.one, []any{key}, &doc)
		return doc, err
	}
	doc, found, err := c.engine.rounds.find(t.ctx, l, storableText(key))
	c.failed = err
	if err == nil && !found {
		return "", ErrNoRows
	}
	return doc, explain(l.one, err)
}

const (
	maxRoundKeys = 256     //bound:list keys of one round of lookups
	maxRoundKey  = 1 << 10 //bound:text a key that is looked up together with others, in bytes
	// roundTimeout bounds how long a round keeps those who wait for it: it belongs to no request
	// whose end would end it.
	roundTimeout = 5 * time.Second //bound:wait PostgreSQL's answer to a round of lookups
)

// rounds sends lookups, and proofs that what is remembered is so still, one round after the other
// over one connection. A round is closed before it is sent: whoever comes later travels with the
// next one, and sees whatever was written before.
type rounds struct {
	engine *postgres
	track  tracker

	mu      sync.Mutex
	waiting []*round
	sending bool
	closed  bool

	conn *pgxpool.Conn // of the goroutine that sends; nil: none is open
}

// round is what travels together.
type round struct {
	parts  []part
	keys   int
	proves bool          // whether somebody waits for a proof only
	proven bool          // whether what is remembered is so still
	done   chan struct{} // closed when the answers are there
	err    error
}

// part is the keys of one lookup, each once, and the documents that were found, nil where none was.
type part struct {
	lookup *Lookup
	keys   []string
	docs   []*string
}

func (g *rounds) find(ctx context.Context, l *Lookup, key string) (doc string, found bool, err error) {
	var at, i int
	r := g.join(func(r *round) { at, i = r.add(l, key) })
	if err := r.wait(ctx); err != nil {
		return "", false, err
	}
	if d := r.parts[at].docs[i]; d != nil {
		return *d, true, nil
	}
	return "", false, nil
}

// prove says whether what is remembered is so still at a moment after the call.
func (g *rounds) prove(ctx context.Context) bool {
	if !g.track.on.Load() {
		return false
	}
	r := g.join(func(r *round) { r.proves = true })
	return r.wait(ctx) == nil && r.proven
}

func (r *round) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join adds to a round that has not been sent, and sees to it that somebody sends that.
func (g *rounds) join(add func(*round)) *round {
	g.mu.Lock()
	defer g.mu.Unlock()
	var r *round
	if n := len(g.waiting); n > 0 && g.waiting[n-1].keys < maxRoundKeys {
		r = g.waiting[n-1]
	} else {
		r = &round{done: make(chan struct{})}
		g.waiting = append(g.waiting, r)
	}
	add(r)
	if !g.sending {
		g.sending = true
		go g.send()
	}
	return r
}

func (r *round) add(l *Lookup, key string) (p, at int) {
	p = slices.IndexFunc(r.parts, func(p part) bool { return p.lookup == l })
	if p < 0 {
		p = len(r.parts)
		r.parts = append(r.parts, part{lookup: l})
	}
	at = slices.Index(r.parts[p].keys, key)
	if at < 0 {
		at = len(r.parts[p].keys)
		r.parts[p].keys = append(r.parts[p].keys, key)
		r.keys++
	}
	return p, at
}

// send sends one round after the other until nobody waits. It keeps the connection: what is
// remembered can be proven only over the one that it was read with.
func (g *rounds) send() {
	for {
		g.mu.Lock()
		if len(g.waiting) == 0 {
			g.sending = false
			if g.closed || !g.mayKeep() {
				g.disconnect(nil)
			}
			g.mu.Unlock()
			return
		}
		r := g.waiting[0]
		g.waiting = slices.Delete(g.waiting, 0, 1)
		g.mu.Unlock()
		r.err = g.ask(r)
		close(r.done)
		runtime.Gosched() // who was answered asks again, and should travel with the next round
	}
}

// mayKeep says whether the connection may be kept while nobody waits: not when it is the only one.
func (g *rounds) mayKeep() bool { return g.engine.pool.Config().MaxConns > 1 }

// ask sends a round and reads the answers.
func (g *rounds) ask(r *round) error {
	if err := g.connect(); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	tracked := g.track.on.Load()
	err := g.exchange(r, tracked)
	if err == nil {
		r.proven = tracked && g.track.advance(g.engine)
		return nil
	}
	if tracked && fateOf(err) == refused { // whatever the reason, lookups do without it
		g.track.end()
		return g.ask(r)
	}
	g.disconnect(err)
	return err
}

// exchange asks for the changes and the documents, in this order: what a document is remembered
// from is no older than what it is proven by.
func (g *rounds) exchange(r *round, tracked bool) error {
	if len(r.parts) == 0 {
		if !tracked {
			return nil
		}
		if g.track.prepared != nil {
			return g.track.ask(g.conn.Conn().PgConn())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
	defer cancel()
	var batch pgx.Batch
	if tracked {
		g.track.queue(&batch)
	}
	for i := range r.parts {
		p := &r.parts[i]
		p.docs = make([]*string, len(p.keys))
		batch.Queue(p.lookup.many, p.keys).Query(p.read)
	}
	return g.conn.SendBatch(ctx, &batch).Close()
}

// connect sees to it that there is a connection, and none to a server that was given up.
func (g *rounds) connect() (err error) {
	if g.conn != nil {
		opened, _ := g.conn.Conn().PgConn().CustomData()[generation].(int64)
		if opened == g.engine.dropped.Load() && !g.conn.Conn().IsClosed() {
			return nil
		}
		g.disconnect(nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
	defer cancel()
	if g.conn, err = g.engine.pool.Acquire(ctx); err != nil {
		return err
	}
	if err := set(ctx, g.conn.Conn(), alwaysPlanned); err != nil {
		g.disconnect(err)
		return err
	}
	if g.track.on.Load() {
		g.track.prepare(ctx, g.conn.Conn())
	}
	return nil
}

// The plans of these statements do not depend on their arguments, but the server would not notice
// and plan each time anew, which takes longer than to carry them out.
const (
	alwaysPlanned  = "SET plan_cache_mode = force_generic_plan"
	plannedAsUsual = "RESET plan_cache_mode"
)

// disconnect gives the connection back, and with it the proof of what is remembered.
func (g *rounds) disconnect(failed error) {
	g.track.forget()
	if g.conn == nil {
		return
	}
	g.engine.suspect(g.conn, failed)
	if !g.conn.Conn().IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), rollbackWait)
		defer cancel()
		if err := set(ctx, g.conn.Conn(), plannedAsUsual); err != nil {
			_ = g.conn.Conn().Close(ctx)
		}
	}
	g.conn.Release()
	g.conn = nil
}

// close gives the connection back, now or when the last round is over.
func (g *rounds) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if !g.sending {
		g.disconnect(nil)
	}
}

// read reads keys and documents, in whatever order they come.
func (p *part) read(rows pgx.Rows) error {
	for rows.Next() {
		values := rows.RawValues()
		doc := string(values[1])
		for i := range p.keys {
			if p.keys[i] == string(values[0]) {
				p.docs[i] = &doc
				break
			}
		}
	}
	return rows.Err()
}
