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
	"github.com/jackc/pgx/v5/pgxpool"
)

// groups lets updates of one node that arrive at the same time share one transaction, as SQLite's
// writer does: a commit, a connection that wakes up and a way to the server cost more than what
// most updates change. Everybody is answered after the commit, with their own answer.
//
// There are two lanes, each with a connection of its own. In the first one updates are prepared
// side by side. Those that have to go one after the other, such as all that change one row, do so
// in the second one, where nobody else waits for them. See
// docs/decisions/0019-updates-share-a-transaction.md.
type groups struct {
	engine   *postgres
	patience time.Duration // how long an update waits while nothing moves
	gather   time.Duration // how long the first lane waits for others at most

	mu     sync.Mutex
	first  lane
	second lane
}

// lane is updates of which some share the next transaction.
type lane struct {
	way     way
	waiting []*member    // in the order in which they came
	running bool         // whether somebody runs them
	holds   []string     // what those that are being run queued for
	most    int          // how many share a transaction, at the moment
	moved   atomic.Int64 // counts what has been run, so that who waits sees whether anything moves

	likely int           // how many are likely to share the next transaction
	enough chan struct{} // capacity 1; says that as many are there; nil: nobody waits for them
	took   time.Duration // of the last transaction; used by who runs the lane only
	plain  int           // how many transactions send each statement by itself; used by the same
}

func (g *groups) init(engine *postgres) {
	g.engine, g.patience = engine, impatience
	g.gather = maxGather
	g.first.way, g.second.way = sideBySide, inOrder
	g.first.most, g.second.most = maxShared, maxShared
	g.first.enough = make(chan struct{}, 1)
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
	impatience = 20 * time.Millisecond //bound:wait updates that are run before
	// maxGather is how long a transaction waits for those who are likely to share it.
	maxGather = 2 * time.Millisecond //bound:wait updates that are likely to share a transaction
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
	lane    *lane
	in      *group
	follows bool        // whether it has to go after others
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
	each := time.NewTimer(g.patience)
	defer each.Stop()
	over := m.ctx.Done()
	for seen := g.progress(m); ; {
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
			now := g.progress(m)
			if now == seen && g.gains(m) && g.withdraw(m) {
				m.alone = true
				return
			}
			seen = now
			each.Reset(g.patience)
		}
	}
}

// progress is how far the lane is that an update waits in.
type progress struct {
	of    *lane
	moved int64
}

func (g *groups) progress(m *member) progress {
	g.mu.Lock()
	defer g.mu.Unlock()
	moved := m.lane.moved.Load()
	if m.lane.way == inOrder { // which others may be before
		moved += g.engine.turns.left.Load()
	}
	return progress{m.lane, moved}
}

// gains says whether an update may be answered sooner when it goes alone: not while those that are
// being run hold what it waits for.
func (g *groups) gains(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.in != nil { // it is being run, and notes what it changes meanwhile
		return false
	}
	return !slices.ContainsFunc(m.turn.noted, func(object string) bool { return slices.Contains(m.lane.holds, object) })
}

func outOfPatience(err error) error {
	return fmt.Errorf("%w: wait for others who change the same: %w", ErrUnavailable, err)
}

// join adds an update, and sees to it that somebody runs it.
func (g *groups) join(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.add(&g.first, m)
}

// add adds updates at the end of a lane.
func (g *groups) add(l *lane, all ...*member) {
	for _, m := range all {
		m.lane = l
	}
	l.waiting = append(l.waiting, all...)
	if len(l.waiting) >= l.likely {
		select {
		case l.enough <- struct{}{}:
		default:
		}
	}
	if !l.running && len(l.waiting) > 0 {
		l.running = true
		go g.run(l)
	}
}

// withdraw takes an update back that has not been begun. When everybody whose update is being run
// has gone, that ends.
func (g *groups) withdraw(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.in == nil {
		before := len(m.lane.waiting)
		m.lane.waiting = slices.DeleteFunc(m.lane.waiting, func(other *member) bool { return other == m })
		if len(m.lane.waiting) == before {
			return false
		}
		m.turn.strike()
		return true
	}
	if m.ctx.Err() != nil && !m.gone {
		m.gone = true
		if m.in.gone++; m.in.gone == len(m.in.members) {
			m.in.cancel()
		}
	}
	return false
}

// run runs what waits in a lane, one transaction after the other: two at once would be in each
// other's way.
func (g *groups) run(l *lane) {
	for {
		g.mu.Lock()
		if len(l.waiting) == 0 {
			l.running = false
			g.mu.Unlock()
			return
		}
		missing := l.enough != nil && len(l.waiting) < l.likely
		g.mu.Unlock()
		if missing {
			g.await(l)
		}
		began := time.Now()
		g.attempt(l)
		l.took = time.Since(began)
		runtime.Gosched() // who was answered comes again, and should share the next one
	}
}

// await waits for others who are likely to come, for half as long as a transaction takes at most:
// those who were answered together ask again together, and the first of them would begin without
// the others, who would then wait until it has ended. So one came, then all others, then one again.
func (g *groups) await(l *lane) {
	late := time.NewTimer(min(l.took/2, g.gather))
	defer late.Stop()
	select {
	case <-l.enough:
	case <-late.C:
	}
}

// group is the updates that share one transaction.
type group struct {
	lane    *lane
	turn    *turn
	tx      *pgTx
	members []*member
	drafts  []*draft
	events  chan *draft // that ask, or have ended
	written []statement // by those that are kept
	effects effects     // of these
	plain   bool        // whether each statement is sent by itself
	// spoiled says whether nothing can be kept although nothing has failed: the last one that was
	// run had sent what it then did not want to be kept.
	spoiled bool

	gone   int    // members whose requests are over; with groups.mu
	cancel func() // ends the transaction
}

func (g *groups) attempt(l *lane) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	u := &turn{of: &g.engine.turns, wanted: g.objects(l)}
	defer u.leave()
	c, err := g.connect(ctx, u)
	if err != nil {
		g.disband(l) // and each hears of it by itself
		return
	}
	defer c.Release()
	tx := &pgTx{conn: c.Conn(), pending: &pgx.Batch{}}
	_ = tx.add(beginUpdate, nil)
	together := g.take(&group{lane: l, turn: u, tx: tx, cancel: cancel})
	for _, m := range together.prepare(ctx) {
		if together.spoiled || tx.failed != nil {
			break
		}
		together.run(ctx, m)
		l.moved.Add(1)
	}
	err = tx.failed
	if err == nil && !together.spoiled {
		err = together.commit(ctx)
	}
	g.engine.finish(ctx, c, tx)
	g.settle(together, err)
	l.moved.Add(1)
}

// objects is what the second lane queues for as one, beside those who go alone: all that is known
// to be changed by those who wait in it.
func (g *groups) objects(l *lane) (all []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range l.waiting[:min(len(l.waiting), l.most)] {
		for _, object := range m.turn.noted {
			if len(all) < maxObjects && !slices.Contains(all, object) {
				all = append(all, object)
			}
		}
	}
	l.holds = slices.Clone(all)
	return all
}

func (g *groups) connect(ctx context.Context, u *turn) (*pgxpool.Conn, error) {
	if err := u.take(ctx); err != nil {
		return nil, err
	}
	return g.engine.pool.Acquire(ctx)
}

// take takes those that wait. Who comes later does not share the transaction: it would not see
// everything that was acknowledged before.
func (g *groups) take(in *group) *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := in.lane
	n := min(len(l.waiting), l.most)
	in.members = slices.Clone(l.waiting[:n])
	l.waiting = slices.Delete(l.waiting, 0, n)
	for i, m := range in.members {
		m.number = i
		m.in, m.turn.with = in, in.turn
		m.gone, m.follows = false, false
		m.turn.way = l.way
	}
	in.events = make(chan *draft, n)
	return in
}

// prepare prepares the updates side by side and keeps what can be kept. It returns those that are
// run as they are: all of the second lane, and one that is by itself.
func (g *group) prepare(ctx context.Context) []*member {
	if g.lane.way == inOrder || len(g.members) < 2 {
		return g.members
	}
	if g.lane.plain > 0 {
		g.plain = true
		g.lane.plain--
	}
	g.draft(ctx)
	for _, d := range g.drafts {
		switch {
		case d.stopped == nil && d.unasked():
			d.alone = true
		case d.stopped == nil && g.keep(d):
		case d.stopped == nil, errors.Is(d.stopped, errInOrder):
			d.follows = true
		default:
			d.alone = true
		}
	}
	g.require()
	g.add(g.written, false)
	return nil
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
	case errors.Is(tx.stopped, errInOrder):
		m.follows = true
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

// commit commits, unless nothing was asked, required or written.
func (g *group) commit(ctx context.Context) error {
	asks := g.tx.begun || slices.ContainsFunc(g.tx.whose, func(o origin) bool { return o.required != nil })
	if !asks && !slices.ContainsFunc(g.members, func(m *member) bool { return m.wrote }) {
		return nil
	}
	return g.tx.commit(ctx)
}

// settle answers everybody, or has them run again. Those that have to go after others go to the
// second lane.
func (g *groups) settle(in *group, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept, wrong := err == nil && !in.spoiled, in.tx.assumedWrongly(err)
	several := in.tx.blame(err)
	if several {
		in.lane.plain = plainAfter
	}
	if !wrong && !several {
		in.lane.adapt(kept, err)
	}
	culprit, unmet := -1, in.tx.unmet(err)
	if err != nil && (wrong || fateOf(err) == refused) {
		culprit = in.tx.culprit(err).number
	}
	var rerun, follow []*member
	for i, m := range in.members {
		m.in = nil
		switch {
		case m.follows:
			if m.stays() {
				m.turn.follow()
				follow = append(follow, m)
				continue
			}
		case kept, m.alone, in.spoiled && len(in.members) == 1: // it has its answer, or will get one
		case in.tx.unknown && m.wrote:
			m.err = fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		case slices.Contains(unmet, i):
			m.err = ErrUnmet
		case i == culprit:
			m.alone, m.careful = true, wrong
		case m.shares < maxShares && (several || in.mayRunAgain(err, culprit)):
			if m.stays() {
				if !several { // each by itself, it may well be kept
					m.shares++
				}
				rerun = append(rerun, m)
				continue
			}
		default:
			m.alone = true
		}
		m.end()
	}
	in.lane.expect(len(in.members) - len(follow))
	in.lane.waiting = append(rerun, in.lane.waiting...)
	g.add(&g.second, follow...)
}

// stays says whether somebody still waits for an update, of which nothing was kept so far.
func (m *member) stays() bool {
	err := m.ctx.Err()
	if err != nil {
		m.err = outOfPatience(err)
	}
	return err == nil
}

// end lets an update's answer be known, or lets it go alone.
func (m *member) end() {
	m.turn.strike()
	close(m.done)
}

// mayRunAgain says whether the members may share a transaction again: when one of them was to
// blame, or others came between.
func (g *group) mayRunAgain(err error, culprit int) bool {
	return !g.tx.unknown && (g.spoiled || culprit >= 0 || (err != nil && fateOf(err) == again))
}

// adapt lets fewer share the next transaction when others came between, and more when nobody did.
func (l *lane) adapt(kept bool, err error) {
	if kept {
		l.most = min(l.most+1, maxShared)
	} else if err != nil && fateOf(err) == again {
		l.most = max(l.most/2, minShared)
	}
}

// expect notes after a transaction how many are likely to share the next one: those who have shared
// this one, and those who have come meanwhile.
func (l *lane) expect(shared int) {
	l.likely = min(shared+len(l.waiting), l.most)
	select {
	case <-l.enough: // those of whom it told are known of
	default:
	}
}

// disband lets everybody go alone who waits in a lane.
func (g *groups) disband(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range l.waiting {
		m.alone = true
		m.end()
	}
	l.waiting = nil
}
