package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

var things = fstest.MapFS{"00001_things.sql": {Data: []byte(`-- +goose Up
CREATE TABLE things (id TEXT PRIMARY KEY, kind TEXT NOT NULL, doc TEXT NOT NULL);
`)}}

var thing = NewLookup("things", "id", "kind <> 'secret'")

// watched is a database whose changes are tracked, and what a node has heard of them.
type watched struct {
	*DB
	t     *testing.T
	dsn   string
	mu    sync.Mutex
	heard Changes
}

func newWatched(t *testing.T, dsn string) *watched {
	t.Helper()
	ctx := context.Background()
	db, err := Open(ctx, dsn, things)
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{DB: db, t: t, dsn: dsn}
	t.Cleanup(func() { _ = db.Close() })
	what := []Tracked{{Table: "things", Name: "changed.id", Condition: "changed.kind <> 'dull'"}}
	err = db.Track(ctx, what, func(c Changes) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heard.Names = append(w.heard.Names, c.Names...)
		w.heard.All = w.heard.All || c.All
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// session is a person at a prompt.
func (w *watched) session() func(statements ...string) {
	w.t.Helper()
	c, err := pgx.Connect(context.Background(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close(context.Background()) })
	return func(statements ...string) {
		w.t.Helper()
		for _, s := range statements {
			if _, err := c.Exec(context.Background(), s); err != nil {
				w.t.Fatalf("%s: %v", s, err)
			}
		}
	}
}

// hears checks what a proof tells.
func (w *watched) hears(when string, all bool, names ...string) {
	w.t.Helper()
	if !w.Current(context.Background()) {
		w.t.Errorf("%s: nothing is proven", when)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.heard.Names)
	if w.heard.All != all || !all && !slices.Equal(w.heard.Names, names) {
		w.t.Errorf("%s: heard %v, everything %v; want %v, %v", when, w.heard.Names, w.heard.All, names, all)
	}
	w.heard = Changes{}
}

func insert(id string) string { return `INSERT INTO things VALUES ('` + id + `', 'k', 'd')` }
func update(id string) string { return `UPDATE things SET doc = doc || 'x' WHERE id = '` + id + `'` }

// TestAProofNamesWhatWasCommittedSinceTheLast: neither the order in which transactions begin and
// write, nor that in which they get their numbers, is that in which they commit.
func TestAProofNamesWhatWasCommittedSinceTheLast(t *testing.T) {
	w := newWatched(t, sqldbtest.Postgres(t))
	early, late := w.session(), w.session()
	third := w.session()
	early(insert("a"), insert("b"), insert("c"), `INSERT INTO things VALUES ('d', 'dull', 'd')`)
	w.hears("the first time", true)
	w.hears("nothing has happened", false)
	early(update("a"), `DELETE FROM things WHERE id = 'b'`, update("d"), insert("e"))
	w.hears("two changes, one of no interest, one new", false, "a", "b")
	early("BEGIN", update("a"))
	late("BEGIN", `SELECT pg_current_xact_id()`)
	third(update("c"))
	w.hears("one commits before those that began before it", false, "c")
	early("COMMIT")
	w.hears("the first commits", false, "a")
	late(update("c"))
	w.hears("one writes that had its number before", false)
	late("SAVEPOINT s", update("e"), "RELEASE s", "SAVEPOINT r", update("a"), "ROLLBACK TO r", "COMMIT")
	w.hears("and commits, a part of it undone", false, "c", "e")
	early("BEGIN", update("a"), "ROLLBACK")
	w.hears("another is undone", false)
	early("TRUNCATE things")
	w.hears("the table is emptied", true)
	early(`INSERT INTO things SELECT 'n' || n, 'k', '' FROM generate_series(1, 3000) n`, `UPDATE things SET doc = 'x'`)
	w.hears("more changes than are read one by one", true)
	w.hears("and none again", false)
}

// TestChangesAreNotedOnce, by whatever statement and in whatever session, also where an earlier
// release, which noted row by row, has been and comes back.
func TestChangesAreNotedOnce(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	w := newWatched(t, dsn)
	prompt := w.session()
	prompt(insert("a"), insert("b"), insert("c"))
	what := Tracked{Table: "things", Name: "changed.id", Condition: "changed.kind <> 'dull'"}
	asEarlier := []string{
		`ALTER TABLE things ENABLE ALWAYS TRIGGER ` + what.trigger(what.function("")),
		`DROP TRIGGER ` + what.trigger(what.together("")) + `_update ON things`,
	}
	for _, when := range []string{"as it is made", "after an earlier release"} {
		w.hears("the first time", true)
		for _, c := range []struct {
			statement string
			names     []string
		}{
			{`UPDATE things SET doc = 'y'`, []string{"a", "b", "c"}},
			{`UPDATE things SET doc = 'y' WHERE id = 'none'`, nil},
			{`UPDATE things SET id = 'd' WHERE id = 'a'`, []string{"a"}},
			{`WITH x AS (UPDATE things SET doc = 'z' WHERE id = 'b' RETURNING id) DELETE FROM things
				WHERE id = 'd'`, []string{"b", "d"}},
			{`INSERT INTO things VALUES ('b', 'k', ''), ('a', 'k', '') ON CONFLICT (id) DO UPDATE SET kind = 'k'`,
				[]string{"b"}},
			{`UPDATE things SET kind = 'dull' WHERE id = 'b'`, []string{"b"}},
			{`UPDATE things SET kind = 'k' WHERE id = 'b'`, nil},
			{`SET session_replication_role = replica; UPDATE things SET doc = 'r' WHERE id <> 'a';
				RESET session_replication_role`, []string{"b", "c"}},
			{`SET session_replication_role = local; DELETE FROM things WHERE id = 'c';
				RESET session_replication_role; INSERT INTO things VALUES ('c', 'k', '')`, []string{"c"}},
		} {
			prompt(c.statement)
			w.hears(when+": "+c.statement, false, c.names...)
		}
		prompt(asEarlier...)
		prompt(update("a"))
		w.hears("an earlier release", false, "a")
		again := newWatched(t, dsn) // this release starts
		again.hears("the first time", true)
		prompt(`UPDATE things SET doc = 'x' WHERE id IN ('a', 'b')`)
		again.hears("a node that came later", false, "a", "b")
		w = newWatched(t, dsn)
	}
}

// TestChangesOfAnotherServerAreNotFoundAgain: the data was moved, and with it changes whose numbers
// no transaction of this server has reached.
func TestChangesOfAnotherServerAreNotFoundAgain(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	w := newWatched(t, dsn)
	prompt := w.session()
	prompt(`INSERT INTO gatehouse_changes SELECT 1000000000 + n, 'x' FROM generate_series(1, 3000) n`)
	w.hears("the first time", true)
	w.hears("what was moved", true)
	again := newWatched(t, dsn)                                                             // a node starts
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // between two looks
		var left int
		if err := again.View(context.Background(), func(tx Tx) (err error) {
			left, err = tx.Count(`SELECT COUNT(*) FROM gatehouse_changes WHERE at > 1000000000`)
			return err
		}); err != nil || time.Now().After(deadline) {
			t.Fatalf("%d are left, %v", left, err)
		}
		if left == 0 {
			break
		}
	}
	w.hears("everybody is rid of them", false)
	prompt(insert("a"), update("a"))
	w.hears("and hears of what changes", false, "a")
}

// TestAProofEndsWithItsConnection: what another process of the server says cannot be compared.
func TestAProofEndsWithItsConnection(t *testing.T) {
	w := newWatched(t, sqldbtest.Postgres(t))
	prompt := w.session()
	prompt(insert("a"))
	w.hears("the first time", true)
	prompt(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND datname = current_database()`)
	for !w.Current(context.Background()) { // one that finds the connection broken proves nothing
	}
	w.hears("over another connection", true)
	w.hears("again", false)
}

// TestChangesThatAreRemovedAreNotMissed: a node that has not asked for longer than changes are kept
// takes everything for changed, and one that has asked does not.
func TestChangesThatAreRemovedAreNotMissed(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	w := newWatched(t, dsn)
	prompt := w.session()
	prompt(insert("a"), insert("b"))
	w.hears("the first time", true)
	many := fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP UPDATE things SET doc = 'x' WHERE id = 'b'; COMMIT;
		END LOOP; END $$`, keptChanges+10)
	other := newWatched(t, dsn)
	other.hears("the first time", true)
	prompt(update("a"), many)
	other.hears("the other node, many at once", true)
	for left := 1; left > 0; time.Sleep(time.Millisecond) { // who has heard of so many removes them
		if err := w.View(context.Background(), func(tx Tx) error {
			return tx.Row(`SELECT COUNT(*) FROM gatehouse_changes WHERE what = 'a'`, nil, &left)
		}); err != nil {
			t.Fatal(err)
		}
	}
	other.hears("the other node, after they were removed", false)
	w.hears("who has not asked", true)
}

// TestLookupsThatShareARoundGetTheirOwn looks up many things at once, some of which are not there,
// hidden by the condition, or not for PostgreSQL to hold.
func TestLookupsThatShareARoundGetTheirOwn(t *testing.T) {
	w := newWatched(t, sqldbtest.Postgres(t))
	prompt := w.session()
	prompt(
		`INSERT INTO things SELECT 'n' || n, 'k', 'd' || n FROM generate_series(1, 1000) n`,
		`INSERT INTO things VALUES ('s', 'secret', 'd')`,
	)
	find := func(ctx context.Context, key string) (doc string, err error) {
		err = w.Get(ctx, func(tx Tx) (err error) {
			doc, err = tx.Find(thing, key)
			return err
		})
		return doc, err
	}
	var all sync.WaitGroup
	for n := range 1000 {
		all.Go(func() {
			doc, err := find(context.Background(), fmt.Sprintf("n%d", n+1))
			if err != nil || doc != fmt.Sprintf("d%d", n+1) {
				t.Errorf("%d: %q, %v", n+1, doc, err)
			}
		})
	}
	for _, none := range []string{"", "s", "n0", "n1\x00", "n\xff", "N1", string(make([]byte, 2*maxRoundKey))} {
		all.Go(func() {
			if doc, err := find(context.Background(), none); !errors.Is(err, ErrNoRows) {
				t.Errorf("%.10q: %q, %v", none, doc, err)
			}
		})
	}
	all.Wait()
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := find(ended, "n1"); err == nil {
		t.Error("a request that has ended is answered")
	}
	prompt(`DROP TABLE gatehouse_changes CASCADE`)
	if doc, err := find(context.Background(), "n1"); err != nil || doc != "d1" {
		t.Errorf("without the table of changes: %q, %v", doc, err)
	}
	if w.Current(context.Background()) {
		t.Error("something is proven without the table of changes")
	}
}
