package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// together begins updates that wait for the same transaction, and returns what each is answered.
func together(t *testing.T, db *DB, updates []func(Tx) error) []error {
	t.Helper()
	g := &db.engine.(*postgres).groups
	holds, goOn := make(chan bool), make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		if err := db.Update(context.Background(), func(Tx) error {
			close(holds)
			<-goOn
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	g.until(func() bool { return isClosed(holds) })
	answers := make([]error, len(updates))
	for i, update := range updates {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					answers[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			answers[i] = db.Update(context.Background(), update)
		})
	}
	g.until(func() bool { return len(g.first.waiting) == len(updates) })
	close(goOn)
	all.Wait()
	return answers
}

// patient opens a database where nobody who waits for others loses patience.
func patient(t *testing.T, dsn string) *DB {
	t.Helper()
	db := openOn(t, dsn)
	db.engine.(*postgres).groups.patience = time.Hour
	return db
}

// until waits for a condition.
func (g *groups) until(so func() bool) {
	for is := false; !is; time.Sleep(time.Millisecond) { // between two looks at the condition
		g.mu.Lock()
		is = so()
		g.mu.Unlock()
	}
}

func isClosed(c chan bool) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// here writes a note with the number of its transaction.
func here(t Tx, id string) error {
	return t.Do(`INSERT INTO notes (id, text) VALUES ($1, CAST(pg_current_xact_id() AS TEXT))`, id)
}

func texts(t *testing.T, db *DB) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := db.Get(context.Background(), func(t Tx) error {
		return t.Query(`SELECT id, text FROM notes`, nil, func(r Row) error {
			var id, text string
			err := r.Scan(&id, &text)
			all[id] = text
			return err
		})
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestUpdatesThatShareATransactionGetTheirOwnAnswers: among those that go well are a refusal before
// and after something was written, a wrong assumption, a statement that the server does not take,
// one that asks what it has written, and one that panics. None of these is anybody else's matter.
func TestUpdatesThatShareATransactionGetTheirOwnAnswers(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	if err := errors.Join(note(db, "there"), note(db, "shared")); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	appends := func(what string) func(Tx) error {
		return func(t Tx) error {
			var old string
			if err := t.Row(`SELECT text FROM notes WHERE id = $1`, []any{"shared"}, &old); err != nil {
				return err
			}
			return t.Do(`UPDATE notes SET text = $2 WHERE id = $1`, "shared", old+what)
		}
	}
	var counted [2]int
	counts := func(i int, id string, then error) Question {
		return Question{`SELECT COUNT(*) FROM notes WHERE id = $1`, []any{id}, func(r Row) error {
			return errors.Join(r.Scan(&counted[i]), then)
		}}
	}
	cases := []struct {
		name string
		fn   func(Tx) error
		want string // of the answer
	}{
		{"asks together", func(t Tx) error {
			err := t.Ask(counts(0, "there", nil), counts(1, "not there", nil))
			if err == nil && counted != [2]int{1, 0} {
				err = fmt.Errorf("counted %v", counted)
			}
			return err
		}, ""},
		{"asks together, and cannot take an answer", func(t Tx) error {
			var n int
			first := Question{`SELECT COUNT(*) FROM notes`, nil, func(Row) error { return no }}
			other := Question{`SELECT COUNT(*) FROM notes`, nil, func(r Row) error { return r.Scan(&n) }}
			err := t.Ask(first, other)
			if n == 0 {
				err = errors.New("the other answer was not taken")
			}
			return err
		}, "no"},
		{"asks together what is not SQL", func(t Tx) error {
			here := Question{`SELECT COUNT(*) FROM notes`, nil, func(Row) error { return nil }}
			return t.Ask(here, Question{`SELECT COUNT(*) FROM nowhere`, nil, here.Scan})
		}, "42P01"},
		{"refused at once", func(Tx) error { return no }, "no"},
		{"appends a", appends("a"), ""},
		{"appends b", appends("b"), ""},
		{"refused after it wrote", func(t Tx) error { return errors.Join(here(t, "never 1"), no) }, "no"},
		{"refused after it was sent", func(t Tx) error {
			if err := here(t, "never 2"); err != nil {
				return err
			}
			_, err := t.Count(`SELECT COUNT(*) FROM notes`)
			return errors.Join(err, no)
		}, "no"},
		{"assumes wrongly", func(t Tx) error {
			n, err := t.Assume(1, `INSERT INTO notes (id, text) VALUES ($1, 'second') ON CONFLICT DO NOTHING`, "there")
			if err == nil && n == 0 {
				err = errors.New("it is there")
			}
			return err
		}, "it is there"},
		{"not SQL", func(t Tx) error { return t.Do(`INSERT INTO nowhere (id) VALUES ($1)`, "x") }, "42P01"},
		{"reads its own", func(t Tx) error {
			if err := here(t, "own"); err != nil {
				return err
			}
			n, err := t.Count(`SELECT COUNT(*) FROM notes WHERE id = $1`, "own")
			if err == nil && n != 1 {
				err = fmt.Errorf("%d of its own", n)
			}
			return err
		}, ""},
		{"panics", func(Tx) error { panic("on purpose") }, "panic: on purpose"},
		{"finds nothing", func(t Tx) error {
			var text string
			return t.Row(`SELECT text FROM notes WHERE id = $1`, []any{"nothing"}, &text)
		}, ErrNoRows.Error()},
	}
	updates := make([]func(Tx) error, 0, 20)
	for _, c := range cases {
		updates = append(updates, c.fn)
	}
	for i := range 10 {
		updates = append(updates, func(t Tx) error { return here(t, fmt.Sprint("plain ", i)) })
	}
	answers := together(t, db, updates)
	for i, err := range answers {
		name, want := fmt.Sprint("plain ", i-len(cases)), ""
		if i < len(cases) {
			name, want = cases[i].name, cases[i].want
		}
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	kept := texts(t, db)
	if len(kept) != 13 || (kept["shared"] != "xab" && kept["shared"] != "xba") {
		t.Errorf("kept: %v", kept)
	}
}

// TestUpdatesShareATransaction, when they arrive while another one runs.
func TestUpdatesShareATransaction(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	var updates []func(Tx) error
	for i := range 20 {
		updates = append(updates, func(t Tx) error {
			if n, err := t.Count(`SELECT COUNT(*) FROM notes WHERE id = $1`, fmt.Sprint(i)); err != nil || n != 0 {
				return fmt.Errorf("%d notes: %w", n, err)
			}
			return here(t, fmt.Sprint(i))
		})
	}
	if err := errors.Join(together(t, db, updates)...); err != nil {
		t.Error(err)
	}
	transactions := map[string]bool{}
	for _, text := range texts(t, db) {
		transactions[text] = true
	}
	if len(transactions) != 1 {
		t.Errorf("20 updates were made in %d transactions", len(transactions))
	}
}

// TestWhoWasAnsweredTogetherSharesTheNextTransactionToo, although one of them comes first, and
// nothing runs for which it would have to wait. One who comes alone afterwards is answered too.
func TestWhoWasAnsweredTogetherSharesTheNextTransactionToo(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	g := &db.engine.(*postgres).groups
	write := func(i int) func(Tx) error { return func(t Tx) error { return here(t, fmt.Sprint(i)) } }
	var updates []func(Tx) error
	for i := range 5 {
		updates = append(updates, write(i))
	}
	if err := errors.Join(together(t, db, updates)...); err != nil {
		t.Fatal(err)
	}
	g.until(func() bool { return !g.first.running })
	g.gather, g.first.took = time.Hour, 2*time.Hour
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			if err := db.Update(context.Background(), write(10+i)); err != nil {
				t.Error(err)
			}
		})
		if i < 4 {
			g.until(func() bool { return len(g.first.waiting) == i+1 })
		}
	}
	all.Wait()
	transactions := map[string]bool{}
	for id, text := range texts(t, db) {
		if len(id) == 2 {
			transactions[text] = true
		}
	}
	if len(transactions) != 1 {
		t.Errorf("5 updates were made in %d transactions", len(transactions))
	}
	g.until(func() bool { return !g.first.running })
	g.gather = maxGather
	if err := errors.Join(note(db, "alone"), note(db, "and again")); err != nil {
		t.Error(err)
	}
	g.until(func() bool { return g.first.likely == 1 })
}

// TestWhoGivesUpWaitingIsNotRun, and nobody else is kept from being run.
func TestWhoGivesUpWaitingIsNotRun(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	g := &db.engine.(*postgres).groups
	gone, giveUp := context.WithCancel(context.Background())
	holds, goOn := make(chan bool), make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		_ = db.Update(context.Background(), func(Tx) error {
			close(holds)
			<-goOn
			return nil
		})
	})
	g.until(func() bool { return isClosed(holds) })
	all.Go(func() {
		if err := db.Update(gone, func(t Tx) error { return here(t, "gave up") }); !errors.Is(err, ErrUnavailable) ||
			!errors.Is(err, context.Canceled) || errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("who gave up: %v", err)
		}
	})
	g.until(func() bool { return len(g.first.waiting) == 1 })
	giveUp()
	g.until(func() bool { return len(g.first.waiting) == 0 })
	close(goOn)
	all.Wait()
	if err := note(db, "after"); err != nil {
		t.Error(err)
	}
}

// TestAnUpdateThatTakesLongHoldsNobodyUp who comes after it.
func TestAnUpdateThatTakesLongHoldsNobodyUp(t *testing.T) {
	db := openOn(t, sqldbtest.Postgres(t))
	holds, goOn := make(chan bool), make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		if err := db.Update(context.Background(), func(t Tx) error {
			close(holds)
			<-goOn
			return here(t, "long")
		}); err != nil {
			t.Error(err)
		}
	})
	<-holds
	if err := note(db, "short"); err != nil { // or it waits for ever
		t.Error(err)
	}
	close(goOn)
	all.Wait()
	if n := count(t, db); n != 2 {
		t.Errorf("%d notes", n)
	}
}

// TestAnUpdateSeesWhatWasAcknowledgedBefore it began, by another node, although a transaction of
// this node had begun before that.
func TestAnUpdateSeesWhatWasAcknowledgedBefore(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	one, other := openOn(t, dsn), openOn(t, dsn)
	asked, goOn := make(chan bool), make(chan bool)
	var first sync.Once
	var all sync.WaitGroup
	all.Go(func() {
		if err := one.Update(context.Background(), func(t Tx) error {
			n, err := t.Count(`SELECT COUNT(*) FROM notes WHERE id = 'any'`)
			first.Do(func() { close(asked) })
			<-goOn
			return errors.Join(err, here(t, fmt.Sprint("slow ", n)))
		}); err != nil {
			t.Error(err)
		}
	})
	<-asked
	if err := note(other, "acknowledged"); err != nil {
		t.Fatal(err)
	}
	var n int
	all.Go(func() {
		if err := one.Update(context.Background(), func(t Tx) (err error) {
			n, err = t.Count(`SELECT COUNT(*) FROM notes WHERE id = $1`, "acknowledged")
			return err
		}); err != nil {
			t.Error(err)
		}
	})
	time.AfterFunc(2*impatience, func() { close(goOn) }) // either way of getting there
	all.Wait()
	if n != 1 {
		t.Error("what another node had acknowledged was not seen")
	}
}

// TestUpdatesThatShareATransactionFollowOneAnother: of two that look at each other's note and empty
// their own when the other one is full, one finds it empty; on one node and on two.
func TestUpdatesThatShareATransactionFollowOneAnother(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	nodes := []*DB{openOn(t, dsn), openOn(t, dsn)}
	set := func(db *DB, id, text string) error {
		return db.Update(context.Background(), func(t Tx) error {
			return t.Do(`INSERT INTO notes (id, text) VALUES ($1, $2) ON CONFLICT (id)
				DO UPDATE SET text = excluded.text`, id, text)
		})
	}
	empty := func(db *DB, own, other string) error {
		return db.Update(context.Background(), func(t Tx) error {
			var text string
			if err := t.Row(`SELECT text FROM notes WHERE id = $1`, []any{other}, &text); err != nil || text == "" {
				return err
			}
			return t.Do(`UPDATE notes SET text = '' WHERE id = $1`, own)
		})
	}
	var all sync.WaitGroup
	for pair := range 6 {
		left, right := fmt.Sprint("left ", pair), fmt.Sprint("right ", pair)
		all.Go(func() {
			for round := range 40 {
				err := errors.Join(set(nodes[0], left, "full"), set(nodes[1], right, "full"))
				var both sync.WaitGroup
				both.Go(func() {
					if err := empty(nodes[0], left, right); err != nil {
						t.Error(err)
					}
				})
				both.Go(func() {
					if err := empty(nodes[round%2], right, left); err != nil {
						t.Error(err)
					}
				})
				both.Wait()
				if kept := texts(t, nodes[0]); err != nil || (kept[left] == "") == (kept[right] == "") {
					t.Errorf("round %d: %q and %q, %v", round, kept[left], kept[right], err)
				}
			}
		})
	}
	all.Wait()
}

// TestWhatAWriteMayChange: whatever is not known to be about other rows may be about the same.
func TestWhatAWriteMayChange(t *testing.T) {
	const byID = `SELECT doc FROM users WHERE id = $1`
	for _, c := range []struct {
		write    string
		of       string
		question string
		by       string
		changes  bool
	}{
		{`UPDATE users SET doc = $2 WHERE id = $1`, "a", byID, "b", false},
		{`UPDATE users SET doc = $2 WHERE id = $1`, "a", byID, "a", true},
		{`UPDATE users SET id = $2 WHERE id = $1`, "a", byID, "b", true},
		{`UPDATE users SET doc = $2 WHERE id = $1 OR id = $2`, "a", byID, "b", true},
		{`UPDATE users SET doc = (SELECT 1) WHERE id = $1`, "a", byID, "b", true},
		{`UPDATE users SET doc = $2 WHERE name = $1`, "a", byID, "b", true},
		{`UPDATE users SET doc = $2 WHERE id = $1`, "a", `SELECT doc FROM users WHERE name = $1`, "b", true},
		{`UPDATE users SET doc = $2 WHERE id = $1`, "a", `SELECT doc FROM users WHERE id = $1 OR 1 = 1`, "b", true},
		{`UPDATE users SET doc = $2 WHERE id = $1`, "a", `SELECT count(*) FROM users`, "", true},
		{`UPDATE users SET doc = $2 WHERE id = $1`, "a",
			`SELECT m.a FROM memberships m JOIN users u ON u.seq = m.seq WHERE m.id = $1`, "b", true},
		{`UPDATE users SET doc = $2 WHERE id = $1`, "a",
			`SELECT doc FROM users UNION SELECT doc FROM groups WHERE id = $1`, "b", true},
		{`UPDATE groups SET doc = $2 WHERE id = $1`, "a", byID, "a", false},
		{`DELETE FROM users WHERE id = $1`, "a", byID, "b", false},
		{`DELETE FROM users WHERE id = $1 AND kind = 'x'`, "a", byID + ` ORDER BY id`, "b", false},
		{`DELETE FROM users WHERE NOT id = $1`, "a", byID, "b", true},
		{`DELETE FROM users`, "", byID, "b", true},
		{`INSERT INTO users (id, doc) VALUES ($1, $2)`, "a", byID, "b", false},
		{`INSERT INTO users (id, doc) SELECT CAST($1 AS TEXT), $2 ON CONFLICT DO NOTHING`, "a", byID, "b", false},
		{`INSERT INTO users (id, doc) VALUES (COALESCE((SELECT id FROM users WHERE name = $2), CAST($1 AS TEXT)), $2)
			ON CONFLICT DO NOTHING`, "a", byID, "b", false},
		{`INSERT INTO users (id, doc) VALUES (COALESCE((SELECT id FROM users WHERE name = $2), CAST($1 AS TEXT)), $2)
			ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`, "a", byID, "b", true},
		{`INSERT INTO users (id, doc) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`, "a",
			byID, "b", false},
		{`INSERT INTO users (id, doc) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET doc = excluded.doc`, "a",
			byID, "b", true},
		{`INSERT INTO users (doc, id) VALUES ($1, $2)`, "a", byID, "b", true},
		{`WITH x AS (DELETE FROM users RETURNING id) SELECT 1`, "", byID, "b", true},
		{`TRUNCATE users`, "", byID, "b", true},
	} {
		var written effects
		written.add(statement{query: c.write, args: []any{c.of}})
		if got := written.reach(statement{query: c.question, args: []any{c.by}}); got != c.changes {
			t.Errorf("%s (%s) changes %s (%s): %t", c.write, c.of, c.question, c.by, got)
		}
	}
}

// TestATryOfSeveralIsNoShare: who shared a transaction that failed because a statement stood for
// several shares as many after that as anybody.
func TestATryOfSeveralIsNoShare(t *testing.T) {
	for _, c := range []struct {
		form *form
		want int
	}{{&form{}, 0}, {nil, 1}} {
		g := &groups{}
		g.first.most = maxShared
		m := &member{ctx: context.Background(), done: make(chan struct{})}
		other := &member{ctx: context.Background(), done: make(chan struct{})}
		tx := &pgTx{whose: []origin{{number: 1, form: c.form}}}
		in := &group{lane: &g.first, members: []*member{m, other}, tx: tx}
		g.settle(in, &pgconn.PgError{Severity: "ERROR", Code: notUnique})
		if m.shares != c.want || len(g.first.waiting) == 0 || g.first.waiting[0] != m {
			t.Errorf("%d shares, %d wait, want %d", m.shares, len(g.first.waiting), c.want)
		}
	}
}
