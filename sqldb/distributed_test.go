package sqldb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestADatabaseThatAsksForRestarts fails one statement in ten with 40001, commits too, through a
// proxy that drops notifications as well: every update is made exactly once.
func TestADatabaseThatAsksForRestarts(t *testing.T) {
	var restarts atomic.Int32
	dsn := sqldbtest.Proxy(t, sqldbtest.Postgres(t), func(sql string) sqldbtest.Fault {
		if strings.HasPrefix(sql, "SET ") || sql == "rollback" || rand.IntN(10) > 0 {
			return sqldbtest.Pass
		}
		restarts.Add(1)
		return sqldbtest.Restart
	})
	for _, mode := range []string{"", "&default_query_exec_mode=exec", "&default_query_exec_mode=simple_protocol"} {
		db := openOn(t, dsn+mode)
		if err := note(db, "counter"+mode); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		const workers, each = 6, 20
		for i := range workers {
			all.Go(func() {
				for n := range each {
					if err := db.Update(context.Background(), func(t Tx) error {
						if _, err := t.Assume(
							1, `UPDATE notes SET text = text || 'x' WHERE id = $1`, "counter"+mode,
						); err != nil {
							return err
						}
						return t.Do(`INSERT INTO notes (id, text) VALUES ($1, '')`, fmt.Sprint(mode, i, ".", n))
					}); err != nil {
						t.Error(err)
					}
					if err := read(db, "counter"+mode); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		var n int
		if err := db.View(context.Background(), func(tx Tx) (err error) {
			n, err = tx.Count(`SELECT length(text) - 1 FROM notes WHERE id = $1`, "counter"+mode)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if n != workers*each {
			t.Errorf("%q: the counter is %d, want %d", mode, n, workers*each)
		}
	}
	if restarts.Load() < 50 {
		t.Errorf("only %d statements were failed", restarts.Load())
	}
}

// TestACommitWithoutAnAnswerIsNotRepeated: the connection ends before the server has the commit, or
// after it has carried it out. Nobody can tell which, and says so; with an earlier statement the
// transaction is made again.
func TestACommitWithoutAnAnswerIsNotRepeated(t *testing.T) {
	direct := sqldbtest.Postgres(t)
	for _, c := range []struct {
		what  string
		at    string
		fault sqldbtest.Fault
		kept  int
		err   error
		whole bool // whether what is written travels with the commit
	}{
		{"an earlier statement is lost", "INSERT", sqldbtest.CutBefore, 1, nil, false},
		{"the commit is lost", "commit", sqldbtest.CutBefore, 0, ErrUnknownOutcome, false},
		{"the answer to the commit is lost", "commit", sqldbtest.CutAfter, 1, ErrUnknownOutcome, false},
		{"the answer to the beginning is lost", "begin", sqldbtest.CutAfter, 1, nil, false},
		{"the answers to all of it are lost", "commit", sqldbtest.CutAfter, 1, ErrUnknownOutcome, true},
		{"a pooler has lost an earlier statement", "INSERT", sqldbtest.Crashed, 1, nil, false},
		{"a pooler has lost the answer to the commit", "commit", sqldbtest.Crashed, 1, ErrUnknownOutcome, false},
		{"a pooler has lost the answers to all of it", "commit", sqldbtest.Crashed, 1, ErrUnknownOutcome, true},
	} {
		for _, mode := range []string{"", "&default_query_exec_mode=exec"} {
			var armed atomic.Bool
			dsn := sqldbtest.Proxy(t, direct, func(sql string) sqldbtest.Fault {
				if strings.HasPrefix(sql, c.at) && armed.CompareAndSwap(true, false) {
					return c.fault
				}
				return sqldbtest.Pass
			})
			what, ran := c.what+mode, 0
			db := openOn(t, dsn+mode)
			armed.Store(true)
			err := db.Update(context.Background(), func(t Tx) error {
				ran++
				id := fmt.Sprintf("%s %d", what, ran) // nothing else would keep it from being made twice
				if c.whole {
					return t.Do(`INSERT INTO notes (id, text) VALUES ($1, '')`, id)
				}
				if _, err := t.Exec(`INSERT INTO notes (id, text) VALUES ($1, '')`, id); err != nil {
					return err
				}
				_, err := t.Count(`SELECT COUNT(*) FROM notes`) // the commit travels alone
				return err
			})
			if !errors.Is(err, c.err) || armed.Load() {
				t.Errorf("%s: %v, want %v; the fault was met: %t", what, err, c.err, !armed.Load())
			}
			if n := countOf(t, db, what+" %"); n != c.kept {
				t.Errorf("%s: kept %d times, want %d", what, n, c.kept)
			}
		}
	}
}

func countOf(t *testing.T, db *DB, pattern string) (n int) {
	t.Helper()
	if err := db.View(context.Background(), func(tx Tx) (err error) {
		n, err = tx.Count(`SELECT COUNT(*) FROM notes WHERE id LIKE $1`, pattern)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
