package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Nodes of the release before serve while a node of this one migrates, and afterwards, until they
// are replaced. So migrations of one release only add (expand), and what nobody uses anymore is
// removed by a later one (contract). A contracting migration says from which schema on releases do
// without what it removes, in a line of its own:
//
//	-- +gatehouse oldest 12
//
// The database keeps the highest of these numbers. A node whose release knows at least that schema
// serves although the schema is newer than its own.

// contracts finds that line.
var contracts = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^-- \+gatehouse oldest (\d+)$`) })

// oldestServed is the lowest schema whose release may serve from the newest one of migrations.
func oldestServed(migrations fs.FS) (oldest int64, err error) {
	files, err := fs.ReadDir(migrations, ".")
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		text, err := fs.ReadFile(migrations, f.Name())
		if err != nil {
			return 0, err
		}
		for _, m := range contracts().FindAllSubmatch(text, -1) {
			n, err := strconv.ParseInt(string(m[1]), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", f.Name(), err)
			}
			oldest = max(oldest, n)
		}
	}
	return oldest, nil
}

// schemaTable has one row for each of these.
const schemaTable = `CREATE TABLE IF NOT EXISTS gatehouse_schema (
	id INTEGER PRIMARY KEY, value BIGINT NOT NULL, note TEXT NOT NULL
)`

const (
	rowLock   = 1 // locked by the node that migrates, for as long as it lives
	rowOldest = 2 // value: the lowest schema whose release may serve
	rowHolder = 3 // note: who migrates; value: since when, in Unix milliseconds
)

const (
	migratePatience = time.Minute            //bound:wait others in the way of a migration
	lockEach        = 100 * time.Millisecond //bound:none how often, not how much
	lockBeat        = time.Second            //bound:none how often, not how much
	tellEach        = 10 * time.Second       //bound:none how often, not how much
)

// migrator brings a shared schema to the newest version.
type migrator struct {
	engine     *postgres // which looks
	config     *pgxpool.Config
	migrations fs.FS
	holds      string         // a table that there must be if there is a schema; empty: any may be
	before     func(Tx) error // reads a schema that is older; nil: nobody does
	tell       func(string)   // the administrator
	waits      bool           // for a server that cannot be reached: somebody is told
}

// cannotReach says whether no server was reached, such as one that starts later than we do. What a
// server says, of a password for instance, is no such case.
func cannotReach(err error) bool {
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) && len(pgErrors(err)) == 0 && errors.As(err, &network)
}

// run migrates, unless the schema is the newest one, or a newer one that this release can serve
// from. What may pass, such as a long query in the way of a change, is waited for.
func (m *migrator) run(ctx context.Context) error {
	var told time.Time
	for began := time.Now(); ; {
		done, err := m.look(ctx)
		if !done && err == nil {
			err = m.alone(ctx)
		}
		if err = withRemedy(err); err == nil || time.Since(began) > migratePatience {
			return err
		}
		if f := fateOf(err); f != again && f != lost && f != full && (!m.waits || !cannotReach(err)) {
			return err
		}
		if time.Since(told) > tellEach {
			told = time.Now()
			m.tell("The database is not ready yet: " + err.Error())
		}
		select {
		case <-time.After(jitter(lockEach * 5)):
		case <-ctx.Done():
			return err
		}
	}
}

// open opens a pool of its own, whose statements wait for a table's lock only for a while: behind
// one that waits, everybody else does too.
func (m *migrator) open(ctx context.Context) (*pgxpool.Pool, error) {
	config := m.config.Copy()
	config.MaxConns = 2
	prepare := config.AfterConnect
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		return errors.Join(
			prepare(ctx, c), set(ctx, c, "SET lock_timeout = '2s'"),
			// What a node that was killed had begun ends too, and is rolled back.
			set(ctx, c, "SET client_connection_check_interval = '1s'"),
		)
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// look says whether there is nothing to do. It waits for no table that a migration holds.
func (m *migrator) look(ctx context.Context) (done bool, err error) {
	pool := m.engine.pool
	known, err := newest(m.migrations)
	if err != nil {
		return false, err
	}
	var have, oldest int64
	err = pool.QueryRow(
		ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`,
	).Scan(&have)
	if isUndefinedTable(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the schema version: %w", err)
	}
	if have > 0 && m.holds != "" {
		there := false
		if err := pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", m.holds).Scan(&there); err != nil {
			return false, fmt.Errorf("look for the table %s: %w", m.holds, err)
		}
		if !there {
			return false, foreign(m.holds)
		}
	}
	if have > 0 && have < known && m.before != nil {
		return false, m.engine.view(ctx, m.before)
	}
	if have <= known {
		return have == known, nil
	}
	err = pool.QueryRow(ctx, `SELECT value FROM gatehouse_schema WHERE id = $1`, rowOldest).Scan(&oldest)
	if isUndefinedTable(err) || errors.Is(err, pgx.ErrNoRows) {
		oldest, err = have, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the schema version: %w", err)
	}
	if known < oldest {
		return false, fmt.Errorf("%w (schema %d, this release knows %d)", ErrNewerSchema, have, known)
	}
	m.tell(fmt.Sprintf(
		"The database has the schema %d of a newer release. This one knows %d and can serve from it, until you "+
			"upgrade.",
		have, known,
	))
	return true, nil
}

func isUndefinedTable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42P01"
}

// isThereAlready knows the failures of those who make a table at the same time as another one,
// although they make it only where it is not there.
func isThereAlready(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P07" || pg.Code == "42710" || pg.Code == "23505")
}

// alone migrates while no other node does. The lock is a row that a transaction holds: it ends with
// its connection, whatever becomes of the node. Distributed databases have it too.
func (m *migrator) alone(ctx context.Context) error {
	pool, err := m.open(ctx)
	if err != nil {
		return fmt.Errorf("open PostgreSQL: %w", err)
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, schemaTable); err != nil && !isThereAlready(err) {
		return fmt.Errorf("create the table of the schema: %w", err)
	}
	for _, row := range []int{rowLock, rowOldest, rowHolder} {
		if _, err := pool.Exec(
			ctx, `INSERT INTO gatehouse_schema (id, value, note) VALUES ($1, 0, '') ON CONFLICT (id) DO NOTHING`, row,
		); err != nil {
			return fmt.Errorf("fill the table of the schema: %w", err)
		}
	}
	c, err := pgx.ConnectConfig(ctx, m.config.ConnConfig)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // which gives the lock back
	if err := m.lock(ctx, c, pool); err != nil {
		return err
	}
	holding, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		m.beat(holding, c, cancel)
	}()
	err = m.up(holding, pool)
	if cause := context.Cause(holding); err != nil && cause != nil && ctx.Err() == nil {
		err = cause
	}
	cancel(nil)
	<-beating
	return err
}

// lock waits until no other node holds the lock, and tells for whom.
func (m *migrator) lock(ctx context.Context, c *pgx.Conn, pool *pgxpool.Pool) error {
	// A node that has vanished, with its machine, gives it back as well.
	if err := set(ctx, c, "SET idle_in_transaction_session_timeout = '5s'"); err != nil {
		return err
	}
	var told time.Time
	for {
		_, err := c.Exec(ctx, "begin")
		if err == nil {
			_, err = c.Exec(ctx, `SELECT id FROM gatehouse_schema WHERE id = $1 FOR UPDATE NOWAIT`, rowLock)
		}
		if err == nil {
			host, _ := os.Hostname()
			_, err = pool.Exec(
				ctx, `UPDATE gatehouse_schema SET value = $2, note = $3 WHERE id = $1`, rowHolder,
				time.Now().UnixMilli(), fmt.Sprintf("process %d at %s", os.Getpid(), host),
			)
			return err
		}
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "55P03" { // lock not available
			return fmt.Errorf("lock the schema: %w", err)
		}
		if _, err := c.Exec(ctx, "rollback"); err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
		if time.Since(told) > tellEach {
			told = time.Now()
			var holder string
			var since int64
			if err := pool.QueryRow(
				ctx, `SELECT note, value FROM gatehouse_schema WHERE id = $1`, rowHolder,
			).Scan(&holder, &since); err != nil {
				return fmt.Errorf("lock the schema: %w", err)
			}
			m.tell(fmt.Sprintf("Waiting for another node that migrates the database: %s, since %s.",
				holder, time.UnixMilli(since).UTC().Format(time.TimeOnly)))
		}
		select {
		case <-time.After(jitter(lockEach)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// beat shows the server that the node which holds the lock is alive, and ends the migration when
// the lock is lost.
func (m *migrator) beat(ctx context.Context, c *pgx.Conn, lose context.CancelCauseFunc) {
	each := time.NewTicker(lockBeat)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
		}
		if _, err := c.Exec(ctx, "SELECT 1"); err != nil && ctx.Err() == nil {
			lose(fmt.Errorf("the lock of the schema is lost: %w", err))
			return
		}
	}
}

// up migrates under the lock, unless another node has done so before.
func (m *migrator) up(ctx context.Context, pool *pgxpool.Pool) error {
	if done, err := m.look(ctx); done || err != nil {
		return err
	}
	oldest, err := oldestServed(m.migrations)
	if err != nil {
		return err
	}
	// First: a node that starts in between must not serve from what this is about to remove.
	if _, err := pool.Exec(
		ctx, `UPDATE gatehouse_schema SET value = $2 WHERE id = $1 AND value < $2`, rowOldest, oldest,
	); err != nil {
		return fmt.Errorf("note the oldest release: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	return errors.Join(migrate(ctx, db, goose.DialectPostgres, m.migrations), db.Close())
}
