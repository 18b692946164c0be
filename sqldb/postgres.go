package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgres is the engine for several nodes.
type postgres struct {
	pool  *pgxpool.Pool
	turns turns // of the updates of this node

	rounds rounds
	groups groups

	patience time.Duration // with a server that ends its connections

	// How often all connections were dropped. One carries the number that was current when it was
	// opened.
	dropped atomic.Int64
	// When a server that takes writes was looked for last, in Unix nanoseconds.
	looked atomic.Int64
}

// applicationName is what the server calls our connections, before the name that the URL has. A
// restore looks for them.
const applicationName = "gatehouse"

// defaultConnections is how many connections one node asks of the server at most, unless the URL
// says pool_max_conns.
const defaultConnections = 16 //bound:queue connections to PostgreSQL

func openPostgres(ctx context.Context, dsn string, migrations fs.FS, o options) (*postgres, error) {
	p := &postgres{patience: o.patience}
	p.rounds.engine = p
	p.groups.init(p)
	config, err := p.config(dsn)
	if err != nil {
		return nil, fmt.Errorf("the PostgreSQL URL: %w", err)
	}
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	m := &migrator{
		engine: p, config: config, migrations: both{migrations, "postgres"}, holds: o.holds, before: o.before,
		tell: o.tell, waits: o.told,
	}
	if err := m.run(ctx); err != nil {
		p.pool.Close()
		return nil, err
	}
	return p, nil
}

// config reads the URL. What it says wins; what it leaves out is chosen here.
func (p *postgres) config(dsn string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	_, text, _ := strings.Cut(dsn, "?")
	said, err := url.ParseQuery(text)
	if err != nil {
		return nil, err
	}
	if !said.Has("pool_max_conns") {
		config.MaxConns = defaultConnections
	}
	c := &config.ConnConfig.Config
	if hosts(c) == 1 {
		// Where else should reads go? Writes are refused by the server.
		c.ValidateConnect = nil
	} else if !said.Has("target_session_attrs") && os.Getenv("PGTARGETSESSIONATTRS") == "" {
		// Of several servers one takes writes. The others may be behind it, and what is revoked
		// there may still be valid here.
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	dialServers(c)
	if name := c.RuntimeParams["application_name"]; !strings.HasPrefix(name, applicationName) {
		c.RuntimeParams["application_name"] = strings.TrimSpace(applicationName + " " + name)
	}
	config.AfterConnect = p.prepare
	return config, nil
}

// hosts counts the servers: the fallbacks name one again with TLS and without.
func hosts(c *pgconn.Config) int {
	type server struct {
		host string
		port uint16
	}
	all := map[server]bool{{c.Host, c.Port}: true}
	for _, f := range c.Fallbacks {
		all[server{f.Host, f.Port}] = true
	}
	return len(all)
}

// sessionSettings are what a connection is told when it is opened. Other databases of PostgreSQL's
// kind may not know them, and a pooler may not keep them: nothing depends on them but speed, and
// how long others wait for a node that has stopped within a transaction.
var sessionSettings = []string{
	// In small tables the planner reads everything, which a serializable transaction then depends
	// on, and whatever anybody writes there puts it off. By an index it depends on what it asked
	// for.
	"SET enable_seqscan = off",
	// What has to read everything all the same then looks dear enough to be compiled, each time
	// anew: 50 ms of the server's processor before a question of microseconds.
	"SET jit = off",
	// A node that is paused holds what it has changed from the others.
	"SET idle_in_transaction_session_timeout = '5s'",
}

// generation is the name of what a connection carries.
const generation = "generation"

func (p *postgres) prepare(ctx context.Context, c *pgx.Conn) error {
	c.PgConn().CustomData()[generation] = p.dropped.Load()
	writeTextLists(c)
	for _, setting := range sessionSettings {
		if err := set(ctx, c, setting); err != nil {
			return err
		}
	}
	return nil
}

// set changes a setting of the session, where the database knows it.
func set(ctx context.Context, c *pgx.Conn, setting string) error {
	_, err := c.Exec(ctx, setting)
	var said *pgconn.PgError
	if errors.As(err, &said) && fateOf(err) == refused {
		return nil
	}
	return err
}

// closeWait bounds the end of the connections to a server that does not answer.
const closeWait = 5 * time.Second //bound:wait the connections of a node that ends

func (p *postgres) close() error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.rounds.close()
		p.pool.Close()
	}()
	select {
	case <-closed:
		return nil
	case <-time.After(closeWait):
		return fmt.Errorf("%w: it has not answered at the end", ErrUnavailable)
	}
}

func (p *postgres) check(ctx context.Context) ([]string, error) {
	return nil, p.pool.Ping(ctx) // the server looks after its own files
}

func (p *postgres) view(ctx context.Context, fn func(Tx) error) error {
	return p.run(ctx, &transaction{begin: "begin isolation level repeatable read read only"}, fn)
}

// beginUpdate begins a transaction that writes.
const beginUpdate = "begin isolation level serializable"

func (p *postgres) get(ctx context.Context, fn func(Tx) error) error {
	for r := (retries{patience: p.patience}); ; {
		err := p.statement(ctx, fn)
		if err == nil {
			return nil
		}
		if err = r.next(ctx, err); err != nil {
			return err
		}
	}
}

// statement runs a transaction of one statement.
func (p *postgres) statement(ctx context.Context, fn func(Tx) error) error {
	one := &pgStatement{engine: p}
	err := fn(Tx{ctx: ctx, conn: one})
	if one.failed != nil { // whatever fn made of it
		err = one.failed
	}
	if one.conn != nil {
		p.suspect(one.conn, one.failed)
		one.conn.Release()
	}
	return err
}

// transaction is what one call asks for, over all its tries.
type transaction struct {
	begin   string
	turn    *turn // nil: it only reads
	careful bool  // whether nothing may be assumed
	unknown bool  // whether the last try may have been kept although it failed
	wrong   bool  // whether it failed because something was assumed
}

// run runs a transaction, and again for as long as that can help. What was written is written
// again only when the server has said that it was not kept, or has never received the commit.
func (p *postgres) run(ctx context.Context, t *transaction, fn func(Tx) error) error {
	for r := (retries{patience: p.patience}); ; {
		err := p.attempt(ctx, t, fn)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errOutOfTurn):
			if err := t.turn.take(ctx); err != nil {
				return outOfPatience(err)
			}
			continue
		case !t.careful && t.wrong:
			t.careful = true
			continue
		case t.unknown:
			return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
		conflict := fateOf(err) == again
		if err := r.next(ctx, err); err != nil {
			return err
		}
		if !conflict || t.turn == nil {
			continue
		}
		t.turn.want(r.conflicts > maxPatience)
		if err := t.turn.take(ctx); err != nil {
			return outOfPatience(err)
		}
	}
}

func (p *postgres) attempt(ctx context.Context, t *transaction, fn func(Tx) error) error {
	t.unknown, t.wrong = false, false
	c, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Release()
	tx := &pgTx{conn: c.Conn(), pending: &pgx.Batch{}, careful: t.careful, turn: t.turn}
	t.turn.begin()
	_ = tx.add(t.begin, nil)
	err = fn(Tx{ctx: ctx, conn: tx})
	switch { // whatever fn made of it
	case tx.failed != nil:
		err = tx.failed
	case tx.stopped != nil:
		err = tx.stopped
	}
	if err == nil {
		err = tx.commit(ctx)
		t.unknown = tx.unknown && tx.wrote
	}
	t.wrong = tx.assumedWrongly(err)
	if tx.unmet(err) != nil {
		err = fmt.Errorf("%w: %w", ErrUnmet, err)
	}
	p.finish(ctx, c, tx)
	return err
}

// finish ends a transaction that has not ended, and a connection that is of no use.
func (p *postgres) finish(ctx context.Context, c *pgxpool.Conn, tx *pgTx) {
	p.suspect(c, tx.failed)
	if tx.begun && c.Conn().PgConn().TxStatus() != 'I' { // a connection that is lost has rolled back already
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackWait)
		defer cancel()
		_, _ = c.Exec(ending, "rollback")
	}
}

// rollbackWait bounds the end of a transaction or a connection at a server that does not answer
// anymore. Dropping the connection rolls back too.
const rollbackWait = 2 * time.Second //bound:wait the answer to a rollback

// suspect drops a connection that a failure shows to be of no use, and with it all that were opened
// before: a server that was stopped has served them too. Whoever comes next finds the server that
// is there now.
func (p *postgres) suspect(c *pgxpool.Conn, err error) {
	if err == nil {
		return
	}
	opened, _ := c.Conn().PgConn().CustomData()[generation].(int64)
	switch fateOf(err) {
	case lost:
		ending, cancel := context.WithTimeout(context.Background(), rollbackWait) // to say goodbye
		defer cancel()
		_ = c.Conn().Close(ending)
		p.drop(opened)
	case readOnly:
		if p.findsAnother() {
			p.drop(opened)
		}
	default:
	}
}

// drop drops all connections that were opened with those that have this number, once.
func (p *postgres) drop(opened int64) {
	if p.dropped.CompareAndSwap(opened, opened+1) {
		p.pool.Reset()
	}
}

// findsAnother says whether there is a server that takes writes, when the one that we are connected
// to takes none. As long as there is none, reads go on over the connections that there are: they
// were opened while it was the one. Now and then one request looks.
func (p *postgres) findsAnother() bool {
	last := p.looked.Load()
	if time.Since(time.Unix(0, last)).Abs() < lookEach || !p.looked.CompareAndSwap(last, time.Now().UnixNano()) {
		return false
	}
	config := p.pool.Config().ConnConfig
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	looking, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	c, err := pgx.ConnectConfig(looking, config)
	if err != nil {
		return false
	}
	_ = c.Close(looking) // it only looked
	return true
}

// lookEach is how often a server that takes writes is looked for.
const lookEach = 500 * time.Millisecond //bound:none how often, not how much

const (
	// maxConflicts bounds how often a transaction is run again because others came between.
	maxConflicts = 20 //bound:depth tries of a transaction that PostgreSQL could not put in order
	// maxPatience is how many conflicts a transaction meets before it waits for all others of this
	// node that have met as many.
	maxPatience = 3 //bound:depth tries of a transaction before it queues with all unlucky ones
	// connectPatience bounds how long a request waits for a server that ends its connections or
	// starts, and lets nobody in yet.
	connectPatience = 2 * time.Second //bound:wait a server that has ended its connections
	// roomPatience bounds how long a request waits for one of the connections that the server has.
	roomPatience = 20 * time.Second //bound:wait a server with too many connections
	// retryEach is the unit of the waits between two tries to connect.
	retryEach = 10 * time.Millisecond //bound:none how often, not how much
)

// retries decides whether what has failed is tried again, and waits until then.
type retries struct {
	patience          time.Duration
	conflicts, losses int
	began             time.Time // of the first loss
	turnedAway        bool      // by a server that takes no writes
}

// next returns nil when it is time to try again, or the error to give up with.
func (r *retries) next(ctx context.Context, err error) error {
	unavailable := fmt.Errorf("%w: %w", ErrUnavailable, withRemedy(err))
	var wait time.Duration
	switch fateOf(err) {
	case refused:
		return err
	case again:
		if r.conflicts++; r.conflicts == maxConflicts {
			return fmt.Errorf("%w: %w", ErrConflict, err)
		}
		wait = jitter(time.Millisecond << min(r.conflicts, 5))
		unavailable = fmt.Errorf("%w: %w", ErrConflict, err)
	case readOnly:
		if r.turnedAway {
			return unavailable
		}
		r.turnedAway = true
	case lost, full:
		patience := r.patience
		if fateOf(err) == full {
			patience = roomPatience
		}
		if r.losses++; r.losses == 1 {
			r.began = time.Now()
		} else {
			wait = jitter(retryEach << min(r.losses, 4))
		}
		if time.Since(r.began) >= patience {
			return unavailable
		}
	case trouble, unanswered:
		return unavailable
	}
	if wait == 0 && ctx.Err() == nil {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return unavailable
	}
}

func jitter(most time.Duration) time.Duration {
	return most/2 + rand.N(most/2+1) // #nosec G404 -- jitter
}
