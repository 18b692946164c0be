package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// appends appends a word to a note, which it reads first: one after the other.
func appends(id, word string) func(Tx) error {
	return func(t Tx) error {
		var old string
		if err := t.Row(`SELECT text FROM notes WHERE id = $1`, []any{id}, &old); err != nil {
			return err
		}
		return t.Do(`UPDATE notes SET text = $2 WHERE id = $1`, id, old+" "+word+" ")
	}
}

// held holds the second lane in a transaction that changes a note, until release is called. It
// returns what is being waited for then.
func held(t *testing.T, db *DB, id string) (release func() []error) {
	t.Helper()
	g := &db.engine.(*postgres).groups
	holds, goOn := make(chan bool), make(chan bool)
	var tries atomic.Int64
	answers := make(chan []error)
	go func() {
		answers <- together(t, db, []func(Tx) error{
			appends(id, "before"),
			func(t Tx) error {
				if _, err := t.Exec(`UPDATE notes SET text = text || ' held ' WHERE id = $1`, id); err != nil {
					return err
				}
				if tries.Add(1) == 1 {
					close(holds)
				}
				<-goOn
				return nil
			},
		})
	}()
	g.until(func() bool { return isClosed(holds) })
	return func() []error {
		close(goOn)
		return <-answers
	}
}

// TestNobodyWaitsForThoseThatChangeAnotherRow: while a transaction changes a note and does not end,
// others share one that changes other notes, and those that change the same note wait for it.
func TestNobodyWaitsForThoseThatChangeAnotherRow(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	g := &db.engine.(*postgres).groups
	if err := note(db, "hot"); err != nil {
		t.Fatal(err)
	}
	release := held(t, db, "hot")
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			if err := db.Update(context.Background(), appends("hot", fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	g.until(func() bool { return len(g.second.waiting) == 5 })
	updates := make([]func(Tx) error, 10)
	for i := range updates {
		updates[i] = func(t Tx) error { return here(t, fmt.Sprint("other ", i)) }
	}
	if err := errors.Join(together(t, db, updates)...); err != nil {
		t.Error(err)
	}
	transactions := map[string]bool{}
	for id, text := range texts(t, db) {
		if strings.HasPrefix(id, "other ") {
			transactions[text] = true
		}
	}
	if len(transactions) != 1 {
		t.Errorf("10 updates of other rows were made in %d transactions", len(transactions))
	}
	if err := errors.Join(release()...); err != nil {
		t.Error(err)
	}
	all.Wait()
	if words := strings.Fields(texts(t, db)["hot"]); len(words) != 8 { // with the note's first word
		t.Errorf("kept: %q", words)
	}
	if n := db.engine.(*postgres).turns.noted.Load(); n != 0 {
		t.Errorf("%d objects are still noted", n)
	}
}

// TestWhatFailsInALaneIsNobodyElsesMatter: each kind of failure, among those that are prepared side
// by side and among those that go one after the other.
func TestWhatFailsInALaneIsNobodyElsesMatter(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	no := errors.New("no")
	kinds := map[string]struct {
		fn   func(Tx) error
		want string
	}{
		"refused": {func(Tx) error { return no }, "no"},
		"refused after it was sent": {func(t Tx) error {
			_, err := t.Exec(`INSERT INTO notes (id, text) VALUES ('never', '')`)
			return errors.Join(err, no)
		}, "no"},
		"not SQL": {func(t Tx) error { return t.Do(`INSERT INTO nowhere (id) VALUES ('x')`) }, "42P01"},
		"panics":  {func(Tx) error { panic("on purpose") }, "panic: on purpose"},
	}
	for kind, c := range kinds {
		for _, lane := range []string{"first", "second"} {
			hot := kind + " " + lane
			if err := note(db, hot); err != nil {
				t.Fatal(err)
			}
			updates := make([]func(Tx) error, 0, 13)
			for i := range 6 {
				updates = append(updates, appends(hot, fmt.Sprint(i)), func(t Tx) error {
					return here(t, fmt.Sprint(hot, " ", i))
				})
			}
			updates = append(updates, func(t Tx) error {
				if lane == "second" {
					if err := appends(hot, "never")(t); err != nil {
						return err
					}
				}
				return c.fn(t)
			})
			answers := together(t, db, updates)
			if err := answers[12]; err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", hot, err, c.want)
			}
			if err := errors.Join(answers[:12]...); err != nil {
				t.Errorf("%s: the others: %v", hot, err)
			}
			kept := texts(t, db)
			words := strings.Fields(kept[hot])
			for i := range 6 {
				if kept[fmt.Sprint(hot, " ", i)] == "" {
					t.Errorf("%s: %d is missing", hot, i)
				}
			}
			if _, never := kept["never"]; never || len(words) != 7 {
				t.Errorf("%s: kept %q", hot, words)
			}
		}
	}
}

// TestAConnectionThatEndsInALane: what was answered is kept once, what is unknown at most once, and
// the other lane does not notice.
func TestAConnectionThatEndsInALane(t *testing.T) {
	direct := sqldbtest.Postgres(t)
	for _, c := range []struct {
		what    string
		at      string // the beginning of a statement
		nth     int64
		fault   sqldbtest.Fault
		unknown [2]bool // whether the outcome may be, for those of the first and of the second lane
	}{
		{"the questions of the first lane", "SELECT CAST(given.n", 1, sqldbtest.CutAfter, [2]bool{}},
		{"a write of the first lane", "INSERT", 1, sqldbtest.CutBefore, [2]bool{true, false}},
		{"the commit of the first lane", "commit", 1, sqldbtest.CutBefore, [2]bool{true, false}},
		{"the answer to the commit of the first lane", "commit", 1, sqldbtest.CutAfter, [2]bool{true, false}},
		{"a question of the second lane", "SELECT text", 2, sqldbtest.CutAfter, [2]bool{}},
		{"a write of the second lane", "UPDATE", 3, sqldbtest.CutBefore, [2]bool{}},
		{"the commit of the second lane", "commit", 2, sqldbtest.CutBefore, [2]bool{false, true}},
		{"the answer to the commit of the second lane", "commit", 2, sqldbtest.CutAfter, [2]bool{false, true}},
	} {
		var armed atomic.Bool
		var met atomic.Int64
		db := patient(t, sqldbtest.Proxy(t, direct, func(sql string) sqldbtest.Fault {
			if armed.Load() && strings.HasPrefix(sql, c.at) && met.Add(1) == c.nth {
				return c.fault
			}
			return sqldbtest.Pass
		}))
		if err := note(db, c.what); err != nil {
			t.Fatal(err)
		}
		updates := make([]func(Tx) error, 12)
		for i := range 6 {
			updates[i] = appends(c.what, fmt.Sprint(i))
			updates[6+i] = func(t Tx) error { return here(t, fmt.Sprint(c.what, " ", i)) }
		}
		armed.Store(true)
		answers := together(t, db, updates)
		if met.Load() < c.nth {
			t.Errorf("%s: the fault was not met", c.what)
		}
		kept := texts(t, db)
		words := " " + kept[c.what]
		firstOfHot := 0 // those of the hot row whose outcome is unknown
		for i, err := range answers {
			times := strings.Count(words, fmt.Sprintf(" %d ", i))
			lane := 1
			if i >= 6 {
				times, lane = 0, 0
				if kept[fmt.Sprint(c.what, " ", i-6)] != "" {
					times = 1
				}
			}
			isUnknown := errors.Is(err, ErrUnknownOutcome)
			if isUnknown && lane == 1 && c.unknown[0] && firstOfHot == 0 {
				firstOfHot, lane = 1, 0 // one is in the first lane
			}
			mayBe := err == nil || isUnknown && c.unknown[lane]
			if !mayBe || times > 1 || (err == nil && times != 1) {
				t.Errorf("%s: update %d was answered %v and is kept %d times", c.what, i, err, times)
			}
		}
	}
}

// TestARequestThatEndsInALane is not run, nor run again, and keeps nobody from being run.
func TestARequestThatEndsInALane(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	g := &db.engine.(*postgres).groups
	if err := errors.Join(note(db, "hot"), note(db, "other")); err != nil {
		t.Fatal(err)
	}
	release := held(t, db, "hot")
	var all sync.WaitGroup
	gone, giveUp := context.WithCancel(context.Background())
	leaves := func(ctx context.Context, update func(Tx) error) {
		all.Go(func() {
			err := db.Update(ctx, update)
			if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) ||
				errors.Is(err, ErrUnknownOutcome) {
				t.Errorf("who gave up: %v", err)
			}
		})
	}
	leaves(gone, appends("hot", "never"))
	g.until(func() bool { return len(g.second.waiting) == 1 })
	giveUp()
	g.until(func() bool { return len(g.second.waiting) == 0 })

	// This one ends while it is prepared: it is not added to those that go one after the other.
	ends, end := context.WithCancel(context.Background())
	leaves(ends, func(t Tx) error {
		end()
		return appends("hot", "never")(t)
	})
	all.Go(func() {
		if err := db.Update(context.Background(), appends("hot", "after")); err != nil {
			t.Error(err)
		}
	})
	g.until(func() bool { return len(g.second.waiting) == 1 })
	if err := db.Update(context.Background(), appends("other", "after")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(release()...); err != nil {
		t.Error(err)
	}
	all.Wait()
	kept := texts(t, db)
	if strings.Contains(kept["hot"], "never") || !strings.Contains(kept["hot"], "after") ||
		!strings.Contains(kept["other"], "after") {
		t.Errorf("kept: %q", kept)
	}
	if n := db.engine.(*postgres).turns.noted.Load(); n != 0 {
		t.Errorf("%d objects are still noted", n)
	}
}

// TestAHotRowAndOthersOnTwoNodes: what is moved between a hot note and others is neither lost nor
// made, whatever lane it is moved in.
func TestAHotRowAndOthersOnTwoNodes(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	nodes := []*DB{openOn(t, dsn), openOn(t, dsn)}
	const notes, each = 8, 25
	for i := range notes {
		if err := note(nodes[0], fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 2 * notes {
		all.Go(func() {
			db, own := nodes[i%2], fmt.Sprint(i/2)
			for n := range each {
				word := fmt.Sprintf("%d.%d", i, n)
				err := db.Update(context.Background(), func(t Tx) error {
					if i%4 == 0 { // in the other order
						return errors.Join(appends(own, word)(t), appends("0", word)(t))
					}
					return errors.Join(appends("0", word)(t), appends(own, word)(t))
				})
				err = errors.Join(err, db.Update(context.Background(), appends(own, "own"+word)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	kept := texts(t, nodes[0])
	for i := range 2 * notes {
		for n := range each {
			word := fmt.Sprintf("%d.%d ", i, n)
			hot, own := strings.Count(" "+kept["0"], " "+word), strings.Count(" "+kept[fmt.Sprint(i/2)], " "+word)
			of := strings.Count(kept[fmt.Sprint(i/2)], "own"+word)
			want := 1
			if i/2 == 0 {
				want = 2 // both times to the same
			}
			if hot != want || own != want || of != 1 {
				t.Errorf("%s is in the hot note %d times, in its own %d times, by itself %d times", word, hot, own, of)
			}
		}
	}
}
