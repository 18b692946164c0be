package sqldb

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// groups lets updates of one node that arrive at the same time share one transaction, one after the
// other, as SQLite's writer does: a commit, a connection that wakes up and a way to the server cost
// more than what most updates change. Everybody is answered after the commit, with their own
// answer. See docs/decisions/0019-updates-share-a-transaction.md.
type groups struct {
	engine *postgres

	mu      sync.Mutex
	waiting []*member // in the order in which they came
	running bool      // whether somebody runs them
	most    int       // how many share a transaction, at the moment; 0: maxShared

	moved atomic.Int64 // counts what has been run, so that who waits sees whether anything moves
}

const (
	// maxShared bounds how many updates share a transaction. When others change the same and none
	// of it can be kept, fewer share the next one.
	maxShared = 32 //bound:queue updates that share a transaction of PostgreSQL
	// minShared is how few share one at least.
	minShared = 2 //bound:none how few, not how many
	// maxShares bounds how often an update is run together with others before it goes alone.
	maxShares = 3 //bound:depth tries of an update together with others
	// maxQuestions bounds the questions of an update that others share a transaction with. One that
	// has more goes alone.
	maxQuestions = 16 //bound:depth questions of an update that shares a transaction
	// impatience is how long an update waits while nothing moves before it goes alone.
	impatience = 10 * time.Millisecond //bound:wait updates that are run before
	// groupTimeout bounds how long a transaction keeps those who share it: its end is nobody's
	// request's. Who was in it goes alone then, for as long as their requests last.
	groupTimeout = 5 * time.Second //bound:wait a transaction that updates share
)

// member is an update, for as long as it waits for others or shares a transaction with them.
type member struct {
	ctx     context.Context //nolint:containedctx // of the update, which waits until this is over
	fn      func(Tx) error
	turn    turn // of what it goes alone with
	careful bool // whether nothing may be assumed of it
	shares  int  // how often it was run together with others
	number  int  // in its group
	in      *group
	gone    bool        // whether its request is over, while it is being run
	drafts  chan *draft // that it is to run

	wrote bool
	err   error
	alone bool          // whether it has to go alone
	done  chan struct{} // closed when the two above are final
}

// update runs fn together with others, or alone when that does not work out.
func (p *postgres) update(ctx context.Context, fn func(Tx) error) error {
	m := &member{ctx: ctx, fn: fn, turn: turn{of: &p.turns}, drafts: make(chan *draft, 1), done: make(chan struct{})}
	if p.groups.wait(m); !m.alone {
		return m.err
	}
	t := &transaction{begin: beginUpdate, turn: &m.turn, careful: m.careful}
	defer t.turn.leave()
	if err := t.turn.take(ctx); err != nil { // others queue for what it changes
		return outOfPatience(err)
	}
	return p.run(ctx, t, fn)
}

// updateAlone runs fn in a transaction of its own.
func (p *postgres) updateAlone(ctx context.Context, fn func(Tx) error) error {
	t := &transaction{begin: beginUpdate, turn: &turn{of: &p.turns}}
	defer t.turn.leave()
	return p.run(ctx, t, fn)
}

// wait returns when an update was answered, or has to go alone.
func (g *groups) wait(m *member) {
	g.join(m)
	each := time.NewTimer(impatience)
	defer each.Stop()
	over := m.ctx.Done()
	for seen := g.moved.Load(); ; {
		select {
		case <-m.done:
			return
		case d := <-m.drafts:
			d.run()
		case <-over:
			if g.withdraw(m) {
				m.err = outOfPatience(m.ctx.Err())
				return
			}
			over = nil // it is being run: its answer comes
		case <-each.C:
			now := g.moved.Load()
			if now == seen && g.withdraw(m) {
				m.alone = true
				return
			}
			seen = now
			each.Reset(impatience)
		}
	}
}

func outOfPatience(err error) error {
	return fmt.Errorf("%w: wait for others who change the same: %w", ErrUnavailable, err)
}

// join adds an update, and sees to it that somebody runs it.
func (g *groups) join(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, m)
	if !g.running {
		g.running = true
		go g.run()
	}
}

// withdraw takes an update back that has not been begun. When everybody whose update is being run
// has gone, that ends.
func (g *groups) withdraw(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.in == nil {
		before := len(g.waiting)
		g.waiting = slices.DeleteFunc(g.waiting, func(other *member) bool { return other == m })
		return len(g.waiting) < before
	}
	if m.ctx.Err() != nil && !m.gone {
		m.gone = true
		if m.in.gone++; m.in.gone == len(m.in.members) {
			m.in.cancel()
		}
	}
	return false
}

// run runs what waits, one transaction after the other: two at once would be in each other's way.
func (g *groups) run() {
	for {
		g.mu.Lock()
		if len(g.waiting) == 0 {
			g.running = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		g.attempt()
		runtime.Gosched() // who was answered comes again, and should share the next one
	}
}

// group is the updates that share one transaction.
type group struct {
	tx      *pgTx
	members []*member
	drafts  []*draft
	events  chan *draft // that ask, or have ended
	written []statement // by those that are kept
	// spoiled says whether nothing can be kept although nothing has failed: the last one that was
	// run had sent what it then did not want to be kept.
	spoiled bool

	gone   int    // members whose requests are over; with groups.mu
	cancel func() // ends the transaction
}

func (g *groups) attempt() {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	c, err := g.engine.pool.Acquire(ctx)
	if err != nil {
		g.disband() // and each hears of it by itself
		return
	}
	defer c.Release()
	tx := &pgTx{conn: c.Conn(), pending: &pgx.Batch{}}
	_ = tx.add(beginUpdate, nil)
	together := g.take(&group{tx: tx, cancel: cancel})
	for _, m := range together.prepare(ctx) {
		if together.spoiled || tx.failed != nil {
			break
		}
		together.run(ctx, m)
		g.moved.Add(1)
	}
	err = tx.failed
	if err == nil && !together.spoiled {
		err = together.commit(ctx)
	}
	g.engine.finish(ctx, c, tx)
	g.settle(together, err)
	g.moved.Add(1)
}

// take takes those that wait. Who comes later does not share the transaction: it would not see
// everything that was acknowledged before.
func (g *groups) take(in *group) *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.most == 0 {
		g.most = maxShared
	}
	n := min(len(g.waiting), g.most)
	in.members = slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	for _, m := range in.members {
		m.in, m.gone = in, false
	}
	in.events = make(chan *draft, n)
	return in
}

// prepare prepares the updates, keeps what can be kept, and returns the others, which are run one
// after the other. One that is by itself need not be prepared.
func (g *group) prepare(ctx context.Context) (others []*member) {
	if len(g.members) < 2 {
		return g.members
	}
	g.draft(ctx)
	for _, d := range g.drafts {
		switch {
		case d.stopped == nil && g.keep(d):
		case d.stopped == nil, errors.Is(d.stopped, errInOrder):
			others = append(others, d.member)
		default:
			d.alone = true
		}
	}
	return others
}

// run runs an update after those that are kept. What it did not want to be kept is taken back
// before it is sent, or else nothing is kept, and the others are run again.
func (g *group) run(ctx context.Context, m *member) {
	tx := g.tx
	tx.take(m, len(g.members) > 1)
	m.turn.begin()
	m.err = attemptOf(m, Tx{ctx: ctx, conn: tx})
	m.wrote = tx.wrote
	switch {
	case tx.failed != nil, m.err == nil && tx.stopped == nil:
		return
	case tx.stopped != nil:
		m.alone = true
	}
	if m.wrote = false; tx.sent {
		g.spoiled, m.alone = true, m.alone || len(g.members) > 1
	} else {
		tx.takeBack()
	}
}

// attemptOf runs an update's function. One that panics goes alone, and does so again.
func attemptOf(m *member, t Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.conn.(*pgTx).stopped = errPanic
		}
	}()
	return m.fn(t)
}

// commit commits, unless nothing was asked or written.
func (g *group) commit(ctx context.Context) error {
	if !g.tx.begun && !slices.ContainsFunc(g.members, func(m *member) bool { return m.wrote }) {
		return nil
	}
	return g.tx.commit(ctx)
}

// settle answers everybody, or has them run again.
func (g *groups) settle(in *group, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := err == nil && !in.spoiled
	g.adapt(kept, err)
	culprit := -1
	if err != nil && fateOf(err) == refused {
		culprit = in.tx.culprit(err)
	}
	var rerun []*member
	for i, m := range in.members {
		m.in = nil
		switch {
		case kept, m.alone, in.spoiled && len(in.members) == 1: // it has its answer, or will get one
		case in.tx.unknown && m.wrote:
			m.err = fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		case i == culprit:
			m.alone, m.careful = true, assumedWrongly(err)
		case m.shares < maxShares && in.mayRunAgain(err, culprit):
			m.shares++
			rerun = append(rerun, m)
			continue
		default:
			m.alone = true
		}
		close(m.done)
	}
	g.waiting = append(rerun, g.waiting...)
}

// mayRunAgain says whether the members may share a transaction again: when one of them was to
// blame, or others came between.
func (g *group) mayRunAgain(err error, culprit int) bool {
	return !g.tx.unknown && (g.spoiled || culprit >= 0 || (err != nil && fateOf(err) == again))
}

// adapt lets fewer share the next transaction when others came between, and more when nobody did.
func (g *groups) adapt(kept bool, err error) {
	if g.most == 0 {
		g.most = maxShared
	}
	if kept {
		g.most = min(g.most+1, maxShared)
	} else if err != nil && fateOf(err) == again {
		g.most = max(g.most/2, minShared)
	}
}

// disband lets everybody go alone who waits.
func (g *groups) disband() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.waiting {
		m.alone = true
		close(m.done)
	}
	g.waiting = nil
}
