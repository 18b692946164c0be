package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m) }

// openOn opens a database until the test ends.
func openOn(t *testing.T, dsn string) *DB {
	t.Helper()
	db, err := Open(context.Background(), dsn, notes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// read reads one note in a snapshot, and then as one statement.
func read(db *DB, id string) error {
	look := func(t Tx) error {
		var text string
		return t.Row(`SELECT text FROM notes WHERE id = $1`, []any{id}, &text)
	}
	return errors.Join(db.View(context.Background(), look), db.Get(context.Background(), look))
}

// TestWhatFailuresMean has an example of each row of the table, and of failures without a code.
func TestWhatFailuresMean(t *testing.T) {
	examples := map[fate][]string{
		again: {"40001", "40P01", "23505", "55P03", "25P02"},
		lost: {
			"08000", "08003", "08006", "08P01", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "26000",
			"42P05",
		},
		readOnly:   {"25006"},
		full:       {"53300"},
		trouble:    {"53100", "53200", "53400", "58030", "58P01", "57014", "57P04", "28P01", "28000", "3D000"},
		unanswered: {"40003"},
		refused:    {"22012", "23502", "42601", "42P01", "XX000", "0A000", "25001", "57000", ""},
	}
	seen := map[string]bool{}
	for want, codes := range examples {
		for _, code := range codes {
			if got := fateOf(fmt.Errorf("do: %w", &pgconn.PgError{Code: code})); got != want {
				t.Errorf("%s is %d, want %d", code, got, want)
			}
			for n := len(code); n > 1; n-- {
				if _, ok := fates[code[:n]]; ok {
					seen[code[:n]] = true
					break
				}
			}
		}
	}
	for code := range fates {
		if !seen[code] {
			t.Errorf("%s has no example", code)
		}
	}
	for _, c := range []struct {
		err  error
		want fate
	}{
		{&pgconn.PgError{Code: "0A000", Message: "cached plan must not change result type"}, lost},
		{&pgconn.PgError{Code: "0A000", Message: "cannot use serializable mode in a hot standby"}, readOnly},
		{io.EOF, lost},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), lost},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, lost},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, lost},
		{net.ErrClosed, lost},
		{fmt.Errorf("wait: %w", context.DeadlineExceeded), trouble},
		{context.Canceled, trouble},
		{errors.New("a mistake"), refused},
	} {
		if got := fateOf(c.err); got != c.want {
			t.Errorf("%v is %d, want %d", c.err, got, c.want)
		}
	}
}

// TestAServerThatIsNotInOrder: somebody restores a table, or changes the rights to it. Who asks is
// told to come back, and does so with success.
func TestAServerThatIsNotInOrder(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	rename := func(from, to string) {
		t.Helper()
		if err := db.Update(t.Context(), func(tx Tx) error {
			return tx.Do(`ALTER TABLE ` + from + ` RENAME TO ` + to)
		}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(t Tx) error {
		_, err := t.Count(`SELECT COUNT(*) FROM notes`)
		return err
	}
	rename("notes", "notes_before")
	for kind, err := range map[string]error{
		"view": db.View(t.Context(), count), "get": db.Get(t.Context(), count), "update": note(db, "a"),
	} {
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	rename("notes_before", "notes")
	if err := errors.Join(db.View(t.Context(), count), note(db, "a")); err != nil {
		t.Error(err)
	}
	for _, code := range []string{"42501", "XX001", "XX002"} {
		if err := mended(fmt.Errorf("do: %w", &pgconn.PgError{Code: code})); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", code, err)
		}
	}
	if err := mended(&pgconn.PgError{Code: "42601"}); errors.Is(err, ErrUnavailable) {
		t.Errorf("a mistake of ours is %v", err)
	}
}

// TestTheURLDecides: the pool, and which of several servers is written to.
func TestTheURLDecides(t *testing.T) {
	for _, c := range []struct {
		url         string
		connections int32
		hosts       int
		insists     bool // on a server that takes writes
	}{
		{"postgres://u@db/x", 16, 1, false},
		{"postgres://u@db/x?sslmode=disable&pool_max_conns=3", 3, 1, false},
		{"postgres://u@db/x?target_session_attrs=read-write", 16, 1, false},
		{"postgres://u@a:5432,b:5433/x?pool_max_conns=40", 40, 2, true},
		{"postgres:///x?host=/one,/two", 16, 2, true},
		{"postgres://u@a,b/x?target_session_attrs=any", 16, 2, false},
		{"postgres://u@a,b/x?target_session_attrs=read-write", 16, 2, true},
	} {
		config, err := (&postgres{}).config(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if got := config.MaxConns; got != c.connections {
			t.Errorf("%s: %d connections, want %d", c.url, got, c.connections)
		}
		if got := hosts(&config.ConnConfig.Config); got != c.hosts {
			t.Errorf("%s: %d hosts, want %d", c.url, got, c.hosts)
		}
		if got := config.ConnConfig.ValidateConnect != nil; got != c.insists {
			t.Errorf("%s: insists on writes: %t, want %t", c.url, got, c.insists)
		}
	}
}

// TestConnectionsThatEndAreReplaced ends all connections twice a second, again and again, while the
// server is up. Reads never notice. A write may notice when its commit was under way, and only
// then.
func TestConnectionsThatEndAreReplaced(t *testing.T) {
	server := sqldbtest.NewServer(t)
	db := openOn(t, server.URL())
	if err := note(db, "there"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 6*time.Second)
	defer stop()
	var all sync.WaitGroup
	var reads, writes, unknown atomic.Int32
	for i := range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := read(db, "there"); err != nil {
					t.Errorf("a read: %v", err)
				}
				reads.Add(1)
			}
		})
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				switch err := note(db, fmt.Sprint(i, ".", n)); {
				case err == nil:
					writes.Add(1)
				case errors.Is(err, ErrUnknownOutcome):
					unknown.Add(1)
				default:
					t.Errorf("a write: %v", err)
				}
			}
		})
	}
	for each := time.NewTicker(500 * time.Millisecond); ctx.Err() == nil; {
		server.Run(t, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`)
		select {
		case <-ctx.Done():
		case <-each.C:
		}
	}
	all.Wait()
	t.Logf("%d reads, %d writes, %d without an answer to the commit", reads.Load(), writes.Load(), unknown.Load())
	if n := count(t, db) - 1; n < int(writes.Load()) || n > int(writes.Load()+unknown.Load()) {
		t.Errorf("%d notes after %d writes and %d that may be there", n, writes.Load(), unknown.Load())
	}
}

// TestAServerThatTakesNoWrites: writes are answered as unavailable, reads go on, and writes do when
// the server takes them again.
func TestAServerThatTakesNoWrites(t *testing.T) {
	server := sqldbtest.NewServer(t)
	db := openOn(t, server.URL()+"&target_session_attrs=read-write")
	if err := note(db, "before"); err != nil {
		t.Fatal(err)
	}
	setReadOnly := func(value string) {
		t.Helper()
		server.Run(t, "ALTER SYSTEM SET default_transaction_read_only = "+value, "SELECT pg_reload_conf()")
		for deadline := time.Now().Add(20 * time.Second); server.Read(
			t, "SELECT setting FROM pg_settings WHERE name = 'default_transaction_read_only'",
		) != value; time.Sleep(10 * time.Millisecond) { // between two looks at the condition
			if time.Now().After(deadline) {
				t.Fatal("the setting does not take effect")
			}
		}
	}
	setReadOnly("on")
	for range 3 {
		if err := note(db, "meanwhile"); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("a write: %v, want ErrUnavailable", err)
		}
		if err := read(db, "before"); err != nil {
			t.Errorf("a read: %v", err)
		}
	}
	setReadOnly("off")
	if err := note(db, "after"); err != nil {
		t.Errorf("a write, when writes are taken again: %v", err)
	}
}

// TestTheStandbyTakesOver: under load the first of two servers dies and the second is promoted.
// Both stand in the URL. What was acknowledged is there, and serving resumes by itself.
func TestTheStandbyTakesOver(t *testing.T) {
	primary := sqldbtest.NewServer(t)
	standby := primary.Standby(t)
	db := openOn(t, "postgres:///postgres?user=postgres&host="+primary.Socket()+","+standby.Socket())
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var all sync.WaitGroup
	var acknowledged, failed sync.Map
	var last atomic.Int64 // the last success, in Unix nanoseconds
	for i := range 8 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprint(i, ".", n)
				switch err := note(db, id); {
				case err == nil:
					acknowledged.Store(id, true)
					last.Store(time.Now().UnixNano())
				case errors.Is(err, ErrUnavailable):
					failed.Store(id, errors.Is(err, ErrUnknownOutcome))
				default:
					t.Error(err)
				}
			}
		})
	}
	since := func(moment time.Time) bool { return last.Load() > moment.UnixNano() }
	wait := func(moment time.Time) time.Duration {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !since(moment); time.Sleep(time.Millisecond) { // a condition
			if time.Now().After(deadline) {
				t.Fatal("no write is acknowledged")
			}
		}
		return time.Since(moment)
	}
	for range 20 {
		wait(time.Now())
	}
	primary.Stop(t)
	if err := note(db, "without a primary"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a write without a primary: %v", err)
	}
	promoted := time.Now()
	standby.Promote(t)
	took := wait(promoted)
	stop()
	all.Wait()
	kept := map[string]bool{}
	if err := db.View(context.Background(), func(t Tx) error {
		return t.Query(`SELECT id FROM notes`, nil, func(r Row) error {
			var id string
			err := r.Scan(&id)
			kept[id] = true
			return err
		})
	}); err != nil {
		t.Fatal(err)
	}
	lost := 0
	refused, unknown := 0, 0
	acknowledged.Range(func(id, _ any) bool {
		if !kept[id.(string)] {
			lost++
		}
		return true
	})
	failed.Range(func(id, mayBeKept any) bool {
		refused++
		if mayBeKept.(bool) {
			unknown++
		} else if kept[id.(string)] {
			t.Errorf("%s is kept, and was answered as not kept", id)
		}
		return true
	})
	t.Logf("%d kept, %d refused, of which %d without an answer; resumed %s after the promotion",
		len(kept), refused, unknown, took)
	if lost > 0 {
		t.Errorf("%d acknowledged writes are lost", lost)
	}
	if took > 3*time.Second {
		t.Errorf("serving resumed %s after the promotion", took)
	}
}

// TestAStandbyIsReadFrom, where it is the only server in the URL, and written to when it is
// promoted.
func TestAStandbyIsReadFrom(t *testing.T) {
	primary := sqldbtest.NewServer(t)
	if err := note(openOn(t, primary.URL()), "there"); err != nil {
		t.Fatal(err)
	}
	standby := primary.Standby(t)
	db := openOn(t, standby.URL())
	for range 2 {
		if err := read(db, "there"); err != nil {
			t.Errorf("a read: %v", err)
		}
		if err := note(db, "meanwhile"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a write: %v, want ErrUnavailable", err)
		}
	}
	primary.Stop(t)
	standby.Promote(t)
	began := time.Now()
	for errors.Is(note(db, "after"), ErrUnavailable) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("the promoted server is not written to")
		}
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
}

// TestAFullServerIsWaitedFor: two nodes want more connections than the server has.
func TestAFullServerIsWaitedFor(t *testing.T) {
	server := sqldbtest.NewServer(t, "max_connections=12", "max_wal_senders=0", "superuser_reserved_connections=1")
	nodes := []*DB{openOn(t, server.URL()), openOn(t, server.URL())}
	if err := note(nodes[0], "there"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			db := nodes[i%2]
			if err := errors.Join(note(db, strconv.Itoa(i)), read(db, "there")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := count(t, nodes[0]); n != 61 {
		t.Errorf("%d notes, want 61", n)
	}
}

// TestOneHotRowHoldsNobodyElseUp: many change one note and a few read for long, and somebody who
// changes another note waits for neither.
func TestOneHotRowHoldsNobodyElseUp(t *testing.T) {
	db := openOn(t, sqldbtest.Postgres(t))
	if err := errors.Join(note(db, "hot"), note(db, "other")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute) // who waits for ever fails
	defer stop()
	others := make(chan bool)
	var all sync.WaitGroup
	var changes atomic.Int64
	for range 16 {
		all.Go(func() {
			for !isClosed(others) {
				if err := db.Update(ctx, appends("hot", "x")); err != nil {
					t.Error(err)
					return
				}
				changes.Add(1)
			}
		})
	}
	for range 3 {
		all.Go(func() {
			if err := db.View(ctx, func(t Tx) error {
				n, err := t.Count(`SELECT COUNT(*) FROM notes`)
				<-others
				if n != 2 {
					return fmt.Errorf("%d notes", n)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	const enough = 100
	for range enough {
		if err := db.Update(ctx, appends("other", "x")); err != nil {
			t.Error(err)
			break
		}
	}
	close(others)
	all.Wait()
	for id, want := range map[string]int64{"hot": changes.Load(), "other": enough} {
		if err := db.Get(context.Background(), func(tx Tx) error {
			var text string
			err := tx.Row(`SELECT text FROM notes WHERE id = $1`, []any{id}, &text)
			if n := int64(strings.Count(text, " x ")); n != want || n == 0 {
				t.Errorf("%s: %d changes are kept of %d", id, n, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoQuestionIsCompiled: what has to read a whole table looks dear to the planner, and must not
// be compiled for that, which takes the server far longer than to answer.
func TestNoQuestionIsCompiled(t *testing.T) {
	db := openOn(t, sqldbtest.Postgres(t))
	var plan string
	if err := db.View(context.Background(), func(tx Tx) error {
		return tx.Row(`EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM notes WHERE text <> 'x'`, nil, &plan)
	}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan, "Seq Scan") {
		t.Fatalf("nothing has to be read whole: %s", plan)
	}
	if strings.Contains(plan, "JIT") {
		t.Errorf("the server compiles the question: %s", plan)
	}
}

// TestATransactionThatFailedIsNotKept: what a caller makes of a failed statement does not matter,
// and a server that rolls back in place of a commit has not kept anything.
func TestATransactionThatFailedIsNotKept(t *testing.T) {
	db := openOn(t, sqldbtest.Postgres(t))
	err := db.Update(context.Background(), func(t Tx) error {
		if err := t.Do(`INSERT INTO notes (id, text) VALUES ('swallowed', '')`); err != nil {
			return err
		}
		_, _ = t.Count(`SELECT COUNT(*) FROM nowhere`)
		return nil
	})
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "42P01" {
		t.Errorf("a failure that was swallowed: %v", err)
	}
	err = db.Get(context.Background(), func(t Tx) error {
		_, _ = t.Count(`SELECT COUNT(*) FROM nowhere`)
		return ErrNoRows
	})
	if !errors.As(err, &pg) || errors.Is(err, ErrNoRows) {
		t.Errorf("a failure that was taken for no rows: %v", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d notes are kept", n)
	}
}

// TestWhoseWordAFailureIs: a commit after which a failure came is made again only when the server
// itself said that nothing was kept.
func TestWhoseWordAFailureIs(t *testing.T) {
	for _, c := range []struct {
		what             string
		said             pgconn.PgError
		atOnce, atCommit bool // whether the commit may be kept: in place of an earlier answer, or of its own
	}{
		{"a conflict", pgconn.PgError{Severity: "ERROR", Code: "40001"}, false, false},
		{"a conflict, said in German", pgconn.PgError{
			Severity: "FEHLER", SeverityUnlocalized: "ERROR", Code: "40001",
		}, false, false},
		{"a full disk", pgconn.PgError{Severity: "ERROR", Code: "53100"}, false, false},
		{"a shutdown", pgconn.PgError{Severity: "FATAL", Code: "57P01", Routine: "ProcessInterrupts"}, false, true},
		{"a shutdown, by a pooler", pgconn.PgError{Severity: "FATAL", Code: "57P01"}, true, true},
		{"PgBouncer's", pgconn.PgError{Severity: "FATAL", Code: "08P01"}, true, true},
		{"a proxy's, as an error", pgconn.PgError{Severity: "ERROR", Code: "08006"}, true, true},
		{"an end that nobody knows", pgconn.PgError{Severity: "FATAL", Code: "XX000", Routine: "any"}, true, true},
		{"the server's doubt", pgconn.PgError{Severity: "ERROR", Code: "40003"}, true, true},
	} {
		if got := mayBeKept(&c.said, false); got != c.atOnce {
			t.Errorf("%s, in place of an earlier answer: may be kept is %t", c.what, got)
		}
		if got := mayBeKept(&c.said, true); got != c.atCommit {
			t.Errorf("%s, in place of the commit's answer: may be kept is %t", c.what, got)
		}
	}
}

// TestListsOfTexts: what is written is what PostgreSQL reads, whatever is in the list.
func TestListsOfTexts(t *testing.T) {
	db := openOn(t, sqldbtest.Postgres(t))
	pool := db.engine.(*postgres).pool
	for _, list := range [][]string{
		nil, {}, {""}, {"a"}, {"", `"`, `{,}`, "NULL", `\`, "é\U0001F600", strings.Repeat("x", 5000)},
	} {
		var length, nulls int
		var back []string
		if err := pool.QueryRow(
			context.Background(), `SELECT COALESCE(array_length(CAST($1 AS TEXT[]), 1), 0), CAST($1 AS TEXT[]),
				(SELECT COUNT(*) FROM unnest(CAST($1 AS TEXT[])) one WHERE one IS NULL)`, list,
		).Scan(&length, &back, &nulls); err != nil {
			t.Fatal(err)
		}
		if length != len(list) || !slices.Equal(back, list) || (back == nil) != (list == nil) || nulls != 0 {
			t.Errorf("%.40q came back as %.40q, %d long, with %d nulls", list, back, length, nulls)
		}
	}
}
