package sqldb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// storable puts replacement characters where PostgreSQL's texts cannot hold what a stranger asks
// for: a zero byte, or what is not UTF-8. Nothing that is stored has either, so such a question
// finds nothing.
func storable(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok && !isStorable(s) {
			args[i] = storableText(s)
		}
	}
	return args
}

func isStorable(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

func storableText(s string) string {
	if isStorable(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// pgStatement is a transaction of one statement.
type pgStatement struct {
	engine *postgres
	conn   *pgxpool.Conn // nil until it is needed: lookups have one of their own
	failed error         // the server's failure or the connection's, whatever becomes of it
}

func (c *pgStatement) connect(ctx context.Context) (err error) {
	if c.conn == nil {
		if c.conn, err = c.engine.pool.Acquire(ctx); err != nil {
			c.failed = fmt.Errorf("connect: %w", err)
		}
	}
	return c.failed
}

func (c *pgStatement) exec(ctx context.Context, query string, args []any) (int64, error) {
	if err := c.connect(ctx); err != nil {
		return 0, err
	}
	tag, err := c.conn.Exec(ctx, query, storable(args)...)
	c.failed = err
	return tag.RowsAffected(), err
}

func (c *pgStatement) do(ctx context.Context, query string, args []any) error {
	_, err := c.exec(ctx, query, args)
	return err
}

func (c *pgStatement) query(ctx context.Context, query string, args []any, scan func(Row) error) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	rows, err := c.conn.Query(ctx, query, storable(args)...)
	if err == nil {
		var own error
		if err, own = scanAll(rows, scan); own != nil {
			return own
		}
	}
	c.failed = err
	return err
}

func (c *pgStatement) ask(context.Context, []Question) error {
	return errors.New("a transaction of one statement asks one question")
}

func (c *pgStatement) assume(context.Context, int, string, []any, []string, func(Row) error) (int64, error) {
	return 0, errors.New("a transaction of one statement assumes nothing")
}

func (c *pgStatement) touch(string) error { return nil }

// scanAll tells the failures of the rows from those of scan.
func scanAll(rows pgx.Rows, scan func(Row) error) (failed, own error) {
	defer rows.Close()
	for rows.Next() {
		if own := scan(rows); own != nil {
			return nil, own
		}
	}
	return rows.Err(), nil
}

// pgTx is a transaction that goes to the server as seldom as it can: statements whose answer nobody
// waits for, the first of which begins the transaction and the last of which commits it, travel
// with the next one whose answer is needed. A statement that fails fails the transaction in any
// case.
type pgTx struct {
	conn    *pgx.Conn
	pending *pgx.Batch
	begun   bool
	own     error // of a scan, which fails no transaction
	failed  error // the first failure, whatever becomes of it: afterwards nothing can be kept
	unknown bool  // whether the commit may have been carried out although it failed

	// Of the update that is being run. Several may share the transaction.
	careful   bool // whether nothing may be assumed
	turn      *turn
	wrote     bool
	sent      bool  // whether something that it wrote was sent
	stopped   error // why it goes no further, whatever becomes of it: the transaction may
	number    int
	queued    int // statements of others that are pending before its own
	questions int // that it may have; 0: any

	whose    []origin // of the statements that are pending
	answered int      // how many of those that were sent were answered
}

// origin is where a statement comes from.
type origin struct {
	number  int   // of the update; -1: it stands for several
	assumes bool  // whether it fails when it changes fewer rows than expected
	form    *form // nil: it stands for itself

	required []int // the updates that require it; nil: it is no requirement
}

// take begins with the next update of those that share the transaction.
func (c *pgTx) take(m *member, shares bool) {
	c.turn, c.number = &m.turn, m.number
	c.wrote, c.sent = false, false
	c.stopped, c.queued = nil, len(c.whose)
	if c.questions = 0; shares {
		c.questions = maxQuestions
	}
}

// takeBack drops what the update has written, none of which was sent.
func (c *pgTx) takeBack() {
	c.pending.QueuedQueries = c.pending.QueuedQueries[:c.queued]
	c.whose = c.whose[:c.queued]
}

// culprit is whose statement the server did not take; the number is -1 where nobody knows.
func (c *pgTx) culprit(err error) origin {
	var said *pgconn.PgError
	if c.answered < len(c.whose) && errors.As(err, &said) && goesOn(said) {
		return c.whose[c.answered]
	}
	return origin{number: -1}
}

// assumedWrongly says whether a failure is that of an assumption: the division that it makes, or a
// row that was there already.
func (c *pgTx) assumedWrongly(err error) bool {
	var said *pgconn.PgError
	return c.culprit(err).assumes && errors.As(err, &said) && (said.Code == divisionByZero || said.Code == notUnique)
}

// add adds a statement to what is pending.
func (c *pgTx) add(query string, args []any) *pgx.QueuedQuery {
	q := c.pending.Queue(query, args...)
	q.Fn = c.done
	c.whose = append(c.whose, origin{number: c.number})
	return q
}

// assumes notes that the last statement was written by assumption.
func (c *pgTx) assumes() { c.whose[len(c.whose)-1].assumes = true }

// done reads an answer that nobody waits for.
func (c *pgTx) done(r pgx.BatchResults) error {
	_, err := r.Exec()
	return c.count(err)
}

func (c *pgTx) count(err error) error {
	if err == nil {
		c.answered++
	}
	return err
}

// flush sends what is pending and reads the answers.
func (c *pgTx) flush(ctx context.Context) error {
	if c.failed != nil {
		return c.failed
	}
	c.own, c.answered = nil, 0
	results := c.conn.SendBatch(ctx, c.pending)
	c.pending, c.begun = &pgx.Batch{}, true
	c.sent = c.wrote
	err := results.Close()
	if c.own == nil || c.answered < len(c.whose)-1 { // the last one is the question of who waits
		c.failed = err
	}
	if c.failed == nil {
		c.whose, c.queued = c.whose[:0], 0
	}
	return err
}

// commit sends what is pending, and the commit.
func (c *pgTx) commit(ctx context.Context) error {
	before := sent(c.conn)
	reached, done := false, false
	c.number = -1 // nobody's
	c.add("commit", nil).Fn = func(r pgx.BatchResults) error {
		reached = true
		tag, err := r.Exec()
		if err == nil && tag.String() != "COMMIT" {
			return errNotKept
		}
		done = err == nil
		return c.count(err)
	}
	err := c.flush(ctx)
	if done {
		c.failed = nil // the connection broke after the answer
		return nil
	}
	if err == nil {
		return nil
	}
	c.unknown = mayBeKept(err, reached) && sent(c.conn) != before
	return fmt.Errorf("commit: %w", err)
}

// errNotKept is the answer to the commit of a transaction that had failed.
var errNotKept = errors.New("the server has rolled back instead")

// mayBeKept says whether a commit that was sent and failed may have been carried out. The server
// answers in order: an error that is its word about an earlier statement, or about the commit
// itself, says that nothing was kept. Without its word, or when it ends the connection in place of
// an answer to the commit, nobody knows.
func mayBeKept(err error, reached bool) bool {
	var preparing pgx.ErrPreprocessingBatch
	if errors.As(err, &preparing) || errors.Is(err, errNotKept) {
		return false
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || fateOfCode(pg) == unanswered || !isOfServer(pg) {
		return true
	}
	return reached && !goesOn(pg)
}

// countingConn counts what is written, so that what was never sent is known.
type countingConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// sent is how many bytes a connection has taken.
func sent(c *pgx.Conn) int64 {
	conn := c.PgConn().Conn()
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = over.NetConn()
	}
	if counting, ok := conn.(*countingConn); ok {
		return counting.written.Load()
	}
	return -1
}

// queue adds a statement to what is pending, unless others queue for what it is about.
func (c *pgTx) queue(query string, args []any, changes bool) (*pgx.QueuedQuery, error) {
	if c.stopped != nil {
		return nil, c.stopped
	}
	if len(args) > 0 {
		if object, ok := args[0].(string); ok {
			if err := c.at(object, changes); err != nil {
				return nil, err
			}
		}
	}
	c.wrote = c.wrote || changes
	return c.add(query, storable(args)), nil
}

// at says what comes next is about, and ends the try when others queue for that.
func (c *pgTx) at(object string, changes bool) error {
	if c.stopped == nil {
		c.stopped = c.turn.at(object, changes)
	}
	return c.stopped
}

func (c *pgTx) touch(object string) error { return c.at(object, true) }

func (c *pgTx) do(_ context.Context, query string, args []any) error {
	_, err := c.queue(query, args, true)
	return err
}

func (c *pgTx) exec(ctx context.Context, query string, args []any) (changed int64, err error) {
	q, err := c.queue(query, args, true)
	if err != nil {
		return 0, err
	}
	q.Fn = func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		changed = tag.RowsAffected()
		return c.count(err)
	}
	err = c.flush(ctx)
	return changed, err
}

func (c *pgTx) query(ctx context.Context, query string, args []any, scan func(Row) error) error {
	return c.askOne(ctx, query, args, false, scan)
}

func (c *pgTx) ask(ctx context.Context, questions []Question) error {
	var own error
	for _, one := range questions {
		c.countQuestion()
		q, err := c.queue(one.Query, one.Args, false)
		if err != nil {
			return err
		}
		c.scanOwn(q, one.Scan, &own)
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	return own
}

// errManyQuestions ends the try of an update that keeps others waiting.
var errManyQuestions = errors.New("many questions: it is run alone")

func (c *pgTx) countQuestion() {
	if c.questions > 0 {
		if c.questions--; c.questions == 0 {
			c.stopped = errManyQuestions
		}
	}
}

func (c *pgTx) askOne(ctx context.Context, query string, args []any, changes bool, scan func(Row) error) error {
	c.countQuestion()
	q, err := c.queue(query, args, changes)
	if err != nil {
		return err
	}
	c.scan(q, scan)
	return c.flush(ctx)
}

// scanOwn is scan for a question that travels with others: what goes wrong in its scan is its own,
// or that of another one of the same update before it.
func (c *pgTx) scanOwn(q *pgx.QueuedQuery, scan func(Row) error, own *error) {
	q.Fn = func(r pgx.BatchResults) error {
		rows, _ := r.Query() // its failure is that of the rows
		err, failed := scanAll(rows, scan)
		if *own == nil {
			*own = failed
		}
		return c.count(err)
	}
}

func (c *pgTx) scan(q *pgx.QueuedQuery, scan func(Row) error) {
	q.Fn = func(r pgx.BatchResults) (err error) {
		rows, _ := r.Query() // its failure is that of the rows
		if err, c.own = scanAll(rows, scan); c.own != nil {
			return c.own
		}
		return c.count(err)
	}
}

// assume lets a wrong assumption fail the transaction, which may well be on its way to the commit.
func (c *pgTx) assume(
	ctx context.Context, rows int, query string, args []any, columns []string, scan func(Row) error,
) (changed int64, err error) {
	if c.careful {
		err = c.askOne(ctx, query+returning(columns), args, true, func(r Row) error {
			changed++
			return scanFirst(r, scan)
		})
		return changed, err
	}
	q, err := c.queue(assumption(rows, query, columns), args, true)
	if err != nil {
		return 0, err
	}
	c.assumes()
	if scan != nil {
		c.scan(q, func(r Row) error { return scanFirst(r, scan) })
	}
	return int64(rows), nil
}

func returning(columns []string) string {
	return " RETURNING " + strings.Join(append(slices.Clip(columns), "1"), ", ")
}

// assumption is a statement that fails when it changes fewer rows than expected: it divides by
// zero, or meets a row that is there, which costs less than to look for one first.
func assumption(rows int, query string, columns []string) string {
	key := assumedText{query, strings.Join(columns, ", "), rows}
	assumptionsMu.RLock()
	text, ok := assumptions[key]
	assumptionsMu.RUnlock()
	if ok {
		return text
	}
	text = makeAssumption(rows, query, columns)
	assumptionsMu.Lock()
	defer assumptionsMu.Unlock()
	if len(assumptions) < maxAssumptions {
		assumptions[key] = text
	}
	return text
}

// assumedText is what an assumption is made of.
type assumedText struct {
	query, columns string
	rows           int
}

var (
	assumptions   = map[assumedText]string{}
	assumptionsMu sync.RWMutex
)

// maxAssumptions bounds the assumptions that are remembered: lists of ids make new ones without
// end.
const maxAssumptions = 500 //bound:memory texts of statements that assume how much they change

func makeAssumption(rows int, query string, columns []string) string {
	query, inserts := strings.CutSuffix(query, unlessThere)
	if inserts && rows == 1 && len(columns) == 0 && insertsOne(query) {
		return query
	}
	var firsts strings.Builder
	for _, column := range columns {
		fmt.Fprintf(&firsts, "max(%s), ", column)
	}
	return fmt.Sprintf(
		"WITH changed AS (%s%s) SELECT %s1 / CASE WHEN count(*) < %d THEN 0 ELSE 1 END FROM changed",
		query, returning(columns), firsts.String(), rows,
	)
}

// unlessThere is how a statement ends that inserts no row that another one is in the way of.
const unlessThere = "ON CONFLICT DO NOTHING"

// insertsOne says whether a statement inserts one row, whatever is there: it has VALUES, of which
// lists would have to be counted.
func insertsOne(query string) bool {
	table, values, ok := strings.Cut(query, "VALUES (")
	return ok && !strings.Contains(table, "SELECT") && !strings.Contains(strings.ReplaceAll(values, " ", ""), "),(")
}

// scanFirst scans the columns of a row but the last.
func scanFirst(r Row, scan func(Row) error) error {
	if scan == nil {
		return nil
	}
	return scan(butLast{r})
}

type butLast struct{ Row }

func (r butLast) Scan(dest ...any) error { return r.Row.Scan(append(dest, nil)...) }
