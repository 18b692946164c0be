package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Tracked says which rows of a table, when they are changed, are noted in the table
// gatehouse_changes, under which names. Triggers do it, so that nobody's changes are missed: those
// of an earlier release or of a person at a prompt either.
type Tracked struct {
	Table string
	// Inserts says whether new rows are noted too.
	Inserts bool
	// Name is an expression for the name that is noted, with changed for the row as it was or, if
	// it is new, as it is.
	Name string
	// Condition narrows the rows, also by changed; empty: all.
	Condition string
}

// Changes are names that were noted; All: those and any others.
type Changes struct {
	Names []string
	All   bool
}

// Track notes from now on which of the rows change, and has watch told. On SQLite, which belongs to
// one process, there is nothing to do. It fails where the database cannot, and then Current says
// no: the functions that it needs are PostgreSQL's own.
func (d *DB) Track(ctx context.Context, what []Tracked, watch func(Changes)) error {
	p, ok := d.engine.(*postgres)
	if !ok {
		return nil
	}
	return p.rounds.track.begin(ctx, p, what, watch)
}

// Current says whether what Get has read earlier of rows that are tracked, and watch was not told
// of since, is still so at some moment after the call. It asks the database, together with others.
func (d *DB) Current(ctx context.Context) bool {
	p, ok := d.engine.(*postgres)
	return !ok || p.rounds.prove(ctx)
}

// Proves says whether Current may ever say yes.
func (d *DB) Proves() bool {
	p, ok := d.engine.(*postgres)
	return !ok || p.rounds.track.on.Load()
}

// tracker reads, in each round, the changes that were committed since the round before. What it
// has read is described by a snapshot of the server: which transactions have ended. See
// docs/decisions/0015-proof-of-what-is-remembered.md.
type tracker struct {
	on atomic.Bool

	mu      sync.Mutex
	watches []func(Changes)

	// Of the goroutine that sends the rounds.
	seen, next snapshot                     // seen is zero where nothing is proven
	noted      []string                     // since seen
	prepared   *pgconn.StatementDescription // nil: the connection is no place for prepared statements
	untrimmed  int
}

// snapshot says which transactions had ended when it was taken: those before xmax that are not
// among running. Aborted ones have left nothing to see.
type snapshot struct {
	xmin, xmax int64
	running    string // numbers with commas between them
	backend    int64  // the server's process, which a pooler may change under us
	// replays says whether the server was a standby: its snapshots do not list who is running.
	replays bool
}

const (
	// maxNoted bounds the changes that are read one by one. More of them, and everything may have
	// changed.
	maxNoted = 1000 //bound:list changes that a node learns one by one in a round
	// keptChanges bounds the changes that stay noted for those who have not asked for a while.
	keptChanges = 10_000 //bound:rows changes that are noted for other nodes
	// maxBegins bounds how often the triggers are tried to be made.
	maxBegins = 4                      //bound:depth tries to make the triggers that note changes
	beginEach = 100 * time.Millisecond //bound:none how often, not how much
)

// changesSince asks for the snapshot, and for what was committed between another one and it: what
// had not begun then, or was running.
var changesSince = fmt.Sprintf(
	`SELECT CAST(pg_current_snapshot() AS TEXT), CAST(pg_backend_pid() AS BIGINT),
		pg_is_in_recovery(), (SELECT array_agg(what) FROM (
		(SELECT what FROM gatehouse_changes WHERE at >= $1 LIMIT %d) UNION ALL
		(SELECT what FROM gatehouse_changes WHERE at = ANY(CAST($2 AS BIGINT[])) LIMIT %d)) c)`, maxNoted, maxNoted,
)

// trimmed is how the name of a change begins that says that those before a transaction may be gone.
const trimmed = "trimmed "

func (k *tracker) queue(b *pgx.Batch) {
	since, running := k.since()
	b.Queue(changesSince, since, running).QueryRow(func(row pgx.Row) error {
		var text string
		k.noted = nil
		if err := row.Scan(&text, &k.next.backend, &k.next.replays, &k.noted); err != nil {
			return err
		}
		return k.next.read(text)
	})
}

// since are the arguments of changesSince. Where nothing is proven everything is new in any case.
func (k *tracker) since() (began int64, running string) {
	if k.seen.xmax == 0 {
		return math.MaxInt64, "{}"
	}
	return k.seen.xmax, "{" + k.seen.running + "}"
}

// prepare makes the statement for ask.
func (k *tracker) prepare(ctx context.Context, c *pgx.Conn) {
	k.prepared = nil
	if c.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		k.prepared, _ = c.Prepare(ctx, changesSince, changesSince)
	}
}

// types are for reading lists of texts. Only one goroutine reads them.
var types = sync.OnceValue(pgtype.NewMap)

// ask is queue for a round of its own, as most are: it costs a third of the time.
func (k *tracker) ask(c *pgconn.PgConn) error {
	if err := c.Conn().SetDeadline(time.Now().Add(roundTimeout)); err != nil {
		return err
	}
	began, running := k.since()
	args := [][]byte{strconv.AppendInt(nil, began, 10), []byte(running)}
	answer := c.ExecStatement(context.Background(), k.prepared, args, nil, nil)
	k.noted, k.next = nil, snapshot{}
	var bad error
	for answer.NextRow() {
		values := answer.Values()
		k.next.backend, bad = strconv.ParseInt(string(values[1]), 10, 64)
		k.next.replays = string(values[2]) != "f"
		if values[3] != nil {
			bad = errors.Join(bad, types().Scan(pgtype.TextArrayOID, pgx.TextFormatCode, values[3], &k.noted))
		}
		bad = errors.Join(bad, k.next.read(string(values[0])))
	}
	if _, err := answer.Close(); err != nil {
		return err
	}
	return errors.Join(bad, c.Conn().SetDeadline(time.Time{}))
}

// read reads the text of a pg_snapshot: xmin:xmax:xid,xid,…
func (s *snapshot) read(text string) (err error) {
	low, rest, _ := strings.Cut(text, ":")
	high, list, _ := strings.Cut(rest, ":")
	if s.xmin, err = strconv.ParseInt(low, 10, 64); err == nil {
		s.xmax, err = strconv.ParseInt(high, 10, 64)
	}
	s.running = list
	return err
}

// advance tells what has changed, before anybody hears that the round is over, and says whether
// what nobody was told of is so still.
func (k *tracker) advance(p *postgres) (proven bool) {
	if k.next.replays {
		k.forget()
		return false
	}
	c := Changes{All: k.seen.xmax == 0 || k.seen.backend != k.next.backend || len(k.noted) >= maxNoted}
	for _, name := range k.noted {
		if before, ok := strings.CutPrefix(name, trimmed); !ok {
			c.Names = append(c.Names, name)
		} else if gone, err := strconv.ParseInt(before, 10, 64); err != nil || k.seen.xmin < gone {
			c.All = true
		}
	}
	if c.All || len(c.Names) > 0 {
		k.tell(c)
	}
	k.seen = k.next
	if k.untrimmed += len(k.noted); k.untrimmed > keptChanges || len(k.noted) >= maxNoted { // or more, uncounted
		k.untrimmed = 0
		go k.trim(p) // #nosec G118 -- it lives as long as the store, not as the call that began it
	}
	return true
}

// forget begins anew: nothing that was read before can be proven.
func (k *tracker) forget() {
	if k.seen.xmax != 0 {
		k.seen = snapshot{}
		k.tell(Changes{All: true})
	}
}

// end gives up.
func (k *tracker) end() {
	k.on.Store(false)
	k.forget()
}

func (k *tracker) tell(c Changes) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, watch := range k.watches {
		watch(c)
	}
}

// trim removes changes that nearly everybody has seen, and notes which. Those of another server,
// from which the data was moved, have numbers that no transaction of this one has yet: each round
// would find them again. A failure is none: the next one removes more.
func (k *tracker) trim(p *postgres) {
	ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
	defer cancel()
	_, _ = p.pool.Exec(ctx, `DELETE FROM gatehouse_changes
		WHERE at >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)`)
	_, _ = p.pool.Exec(ctx, fmt.Sprintf(
		`WITH last AS (SELECT at FROM gatehouse_changes ORDER BY at DESC OFFSET %d LIMIT 1),
			gone AS (DELETE FROM gatehouse_changes c USING last WHERE c.at < last.at RETURNING c.at)
			INSERT INTO gatehouse_changes (at, what) SELECT `+thisTransaction+`, '`+trimmed+`' || last.at FROM last
			WHERE EXISTS (SELECT 1 FROM gone)`, keptChanges,
	))
}

const thisTransaction = `CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)`

// begin makes the table and the triggers, where they are missing. Several nodes may do so at once.
func (k *tracker) begin(ctx context.Context, p *postgres, what []Tracked, watch func(Changes)) error {
	for try := 1; ; try++ {
		missing, err := k.missing(ctx, p, what)
		if err == nil && len(missing) > 0 {
			err = k.create(ctx, p, missing)
		}
		if err == nil {
			err = p.pool.QueryRow(ctx, changesSince, int64(math.MaxInt64), "{}").Scan(nil, nil, nil, nil)
		}
		if err == nil {
			break
		}
		if try == maxBegins || ctx.Err() != nil {
			return err
		}
		time.Sleep(jitter(beginEach))
	}
	k.mu.Lock()
	k.watches = append(k.watches, watch)
	k.mu.Unlock()
	k.on.Store(true)
	go k.trim(p) // #nosec G118 -- it lives as long as the store, not as the call that began it
	return nil
}

// missing are those without their triggers.
func (k *tracker) missing(ctx context.Context, p *postgres, what []Tracked) (missing []Tracked, err error) {
	for _, t := range what {
		triggers := t.triggers()
		names, fire := make([]string, len(triggers)), make([]string, len(triggers))
		for i, one := range triggers {
			names[i], fire[i] = one.name, one.fires
		}
		var there int
		err := p.pool.QueryRow(
			ctx, `SELECT COUNT(*) FROM pg_trigger t JOIN unnest(CAST($2 AS TEXT[]), CAST($3 AS TEXT[])) w(name, fires)
				ON t.tgname = w.name AND CAST(t.tgenabled AS TEXT) = w.fires WHERE tgrelid = to_regclass($1)`,
			t.Table, names, fire,
		).Scan(&there)
		if err != nil {
			return nil, err
		}
		if there != len(triggers) {
			missing = append(missing, t)
		}
	}
	return missing, nil
}

// create makes what is missing in one transaction, which several nodes may try at once. It does not
// wait long for the lock of a table: all who write would wait behind it.
func (k *tracker) create(ctx context.Context, p *postgres, missing []Tracked) error {
	statements := []string{
		`SET LOCAL lock_timeout = '2s'`,
		`CREATE TABLE IF NOT EXISTS gatehouse_changes (at BIGINT NOT NULL, what TEXT NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS gatehouse_changes_at ON gatehouse_changes (at)`,
	}
	for _, t := range missing {
		statements = append(statements, t.statements()...)
	}
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			return errors.Join(err, tx.Rollback(ctx))
		}
	}
	return tx.Commit(ctx)
}

// trigger is one of the triggers of a table.
type trigger struct {
	name, function string
	when           string // with which changes it fires
	fires          string // in which sessions: pg_trigger.tgenabled
}

// How a trigger fires, as pg_trigger.tgenabled and as ALTER TABLE says it.
const (
	always    = "A"
	asUsual   = "O" // in all sessions but those that replicate
	asReplica = "R" // in these only
)

var enabling = map[string]string{
	always: "ENABLE ALWAYS TRIGGER ", asUsual: "ENABLE TRIGGER ", asReplica: "ENABLE REPLICA TRIGGER ",
}

// triggers are those that note the changes of a table. All rows that a statement changes are noted
// at once, which takes the server a quarter of the time of one after the other. What is replicated
// from another server comes row by row, and no trigger of statements fires then.
//
// Their names say how they are made: another release may make them otherwise, and both stay. The
// one for rows fired always in earlier releases, under the same name.
func (t Tracked) triggers() []trigger {
	one, all := t.trigger(t.function("")), t.trigger(t.together(""))
	rows := "UPDATE OR DELETE"
	set := func(event, table string) trigger {
		return trigger{
			name: all + "_" + strings.ToLower(event), function: all, fires: asUsual,
			when: event + ` ON ` + t.Table + ` REFERENCING ` + table + ` TABLE AS changed FOR EACH STATEMENT`,
		}
	}
	made := []trigger{set("UPDATE", "OLD"), set("DELETE", "OLD")}
	if t.Inserts {
		made, rows = append(made, set("INSERT", "NEW")), "INSERT OR "+rows
	}
	return append(
		made,
		trigger{name: one, function: one, when: rows + ` ON ` + t.Table + ` FOR EACH ROW`, fires: asReplica},
		trigger{name: one + "_all", function: one, when: `TRUNCATE ON ` + t.Table, fires: always},
	)
}

// trigger is the name of a trigger and of its function, which another release may make otherwise.
func (t Tracked) trigger(function string) string {
	digest := sha256.Sum256([]byte(function))
	return "gatehouse_track_" + t.Table + "_" + hex.EncodeToString(digest[:4])
}

func (t Tracked) function(name string) string {
	return `CREATE OR REPLACE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP = 'TRUNCATE' THEN
				` + noteRow + `'` + trimmed + strconv.Itoa(math.MaxInt64) + `');
			ELSIF TG_OP = 'INSERT' THEN
				` + t.noteOf("NEW") + `
			ELSE
				` + t.noteOf("OLD") + `
			END IF;
			RETURN NULL;
		END $$`
}

// together is the function that notes all rows of a statement.
func (t Tracked) together(name string) string {
	where := ""
	if t.Condition != "" {
		where = ` WHERE ` + t.Condition
	}
	return `CREATE OR REPLACE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO gatehouse_changes (at, what)
				SELECT ` + thisTransaction + `, ` + t.Name + ` FROM changed` + where + `;
			RETURN NULL;
		END $$`
}

const noteRow = `INSERT INTO gatehouse_changes (at, what) VALUES (` + thisTransaction + `, `

// noteOf notes one row, which has the name by which triggers know it.
func (t Tracked) noteOf(row string) string {
	do := noteRow + t.Name + `);`
	if t.Condition != "" {
		do = `IF ` + t.Condition + ` THEN ` + do + ` END IF;`
	}
	return strings.ReplaceAll(do, "changed.", row+".")
}

func (t Tracked) statements() []string {
	one, all := t.trigger(t.function("")), t.trigger(t.together(""))
	statements := []string{t.function(one), t.together(all)}
	for _, made := range t.triggers() {
		statements = append(
			statements,
			`DROP TRIGGER IF EXISTS `+made.name+` ON `+t.Table,
			`CREATE TRIGGER `+made.name+` AFTER `+made.when+` EXECUTE FUNCTION `+made.function+`()`,
			`ALTER TABLE `+t.Table+` `+enabling[made.fires]+made.name,
		)
	}
	return statements
}
